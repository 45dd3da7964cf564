//! An independent model of the AWS APIs around Amazon Bedrock guardrail enforcement, behind their real wire
//! protocols, so that any AWS client believes it.
//!
//! ```no_run
//! # async fn example() -> Result<(), simulator::StartError> {
//! let simulator = simulator::Server::start(simulator::World::example(), simulator::Options::default()).await?;
//! println!("AWS_ENDPOINT_URL={}", simulator.url());
//! # Ok(())
//! # }
//! ```
//!
//! `model` is what AWS would hold: plain structs, synchronous, testable without HTTP. `wire` is a thin face of
//! HTTP on it, one file per service. Nothing here shares a type with the program that is tested against it.

mod asked;
mod broken;
mod call;
mod fault;
mod forward;
mod lineage;
mod mapping;
mod model;
mod partial;
mod rule;
mod server;
mod state;
mod switches;
mod throttle;
mod wire;
mod world;

pub use asked::Asked;
pub use call::Call;
pub use fault::{Fault, FaultKind};
pub use forward::Destination;
pub use mapping::{Ended, EventSourceMapping, Finished, Next};
pub use model::assess::{Action, Assessment, Direction, Finding, FindingKind};
pub use model::bus::PutEvent;
pub use model::bus_rules::{BusRule, EventBus, RuleTarget};
pub use model::caller::{Caller, Principal, Session};
pub use model::clock::Clock;
pub use model::control::ControlPolicy;
pub use model::delegation_policy::DelegationPolicy;
pub use model::enforcement::{
    Enforce, EnforcedConfiguration, Guarding, ModelEnforcement, SelectiveContentGuarding,
};
pub use model::error::ApiError;
pub use model::event::EmittedEvent;
pub use model::functions::{Function, Mapping, RecursiveLoop};
pub use model::guardrail::{
    Content, ContentPolicy, ContextualGroundingPolicy, CrossRegion, Edition, Guardrail, GuardrailName,
    SensitiveInformationPolicy, Status, TopicPolicy, WordPolicy,
};
pub use model::handshake::{Handshake, HandshakeState, TargetKind};
pub use model::iam::{Permissions, Role, Statement, Trust, User};
pub use model::inference::{Applied, FoundationModel, Invocation, ModelKind, Origin, Piece, Reply, Surface};
pub use model::keys::{Key, KeyState};
pub use model::lifecycle::{CreateAccount, Creation};
pub use model::message::{Message, SendMessage, Sent};
pub use model::organization::{
    Account, AccountState, ChildKind, JoinedMethod, Membership, Organization, ServiceControl, Tags,
    ToldState, Unit,
};
pub use model::organization_policy::effective::{EffectivePolicy, PublishedDocument};
pub use model::organization_policy::enforced::OrganizationConfiguration;
pub use model::organization_policy::validity::EffectiveFault;
pub use model::organization_policy::write::{CreateOrganizationPolicy, UpdateOrganizationPolicy};
pub use model::organization_policy::{
    BedrockPolicyEntry, OrganizationPolicy, PolicyAttachment, PolicyKind, PolicyTypeStatus,
};
pub use model::paging::{InvalidToken, Page};
pub use model::parameter::{Parameter, ParameterVersion, PutParameter};
pub use model::queue::{MessageState, Queue, Received};
pub use model::queue_attributes::{QueueAttributes, Redrive};
pub use model::queues::QueueName;
pub use model::regions::{OptStatus, RegionState};
pub use model::resource_policy::Admission;
pub use model::session::AssumeRole;
pub use model::settling::Settling;
pub use model::stack_sets::{StackInstance, StackSet};
pub use model::table::{Expression, Item, Table};
pub use model::topics::{Topic, TopicSubscription};
pub use model::trails::{ManagementEvents, Trail};
pub use model::{Model, Settings};
pub use rule::EventRule;
pub use server::{Options, Server, StartError};
pub use switches::{
    Answer, CrossAccountSimulation, Defaults, EmptyList, GetGuardrail, IdentifierCheck, ListModels,
    ListOrder, LockedChild, ModelLists, NameCase, OnOff, OtherOwners, Presence, PutOverExisting, RefusalForm,
    Switches, TwoConfigurations, UpdatedBy, WrongIdentifier,
};
pub use world::{
    AccountEntry, EnforcementEntry, GuardrailEntry, InvalidWorld, OrganizationIds, ParameterEntry, World,
};
