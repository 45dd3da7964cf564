//! The plain model: what AWS would hold, and what can be done with it. It knows no HTTP.

pub(crate) mod assess;
mod authority;
mod build;
pub(crate) mod bus;
pub(crate) mod bus_rules;
pub(crate) mod caller;
pub(crate) mod clock;
pub(crate) mod control;
pub(crate) mod delegation;
pub(crate) mod delegation_policy;
pub(crate) mod enforcement;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod functions;
pub(crate) mod guardrail;
pub(crate) mod guardrails;
pub(crate) mod handshake;
pub(crate) mod history;
pub(crate) mod iam;
pub(crate) mod ids;
pub(crate) mod inference;
pub(crate) mod keys;
pub(crate) mod lifecycle;
pub(crate) mod message;
pub(crate) mod organization;
pub(crate) mod organization_policy;
pub(crate) mod paging;
pub(crate) mod parameter;
mod policy_rules;
pub(crate) mod principals;
pub(crate) mod queue;
pub(crate) mod queue_attributes;
mod queue_index;
pub(crate) mod queues;
pub(crate) mod regions;
mod repeat;
pub(crate) mod resource_policy;
pub(crate) mod session;
pub(crate) mod settling;
mod shorthand;
pub(crate) mod stack_sets;
pub(crate) mod table;
pub(crate) mod topics;
pub(crate) mod trails;
mod trusted_access;
mod versions;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::switches::Switches;
use bus::PutEvent;
use bus_rules::{BusRule, EventBus};
use caller::Session;
use clock::Clock;
use event::EmittedEvent;
use functions::Function;
use handshake::Handshake;
use history::ModelCall;
use iam::Role;
use ids::Ids;
use inference::FoundationModel;
use keys::Key;
use lifecycle::Creation;
use organization::{Account, Organization};
use regions::OptStatus;
use stack_sets::StackSet;
use topics::Topic;
use trails::Trail;

/// Everything there is.
#[derive(Clone, Debug)]
pub struct Model {
    /// The organization's tree.
    pub organization: Organization,
    /// Accounts by id, in the organization or not.
    pub accounts: BTreeMap<String, Account>,
    /// The Regions of this world, and their status in an account that changed nothing.
    pub regions: BTreeMap<String, OptStatus>,
    /// The models that can be called.
    pub models: Vec<FoundationModel>,
    /// Customer managed keys of KMS.
    pub keys: Vec<Key>,
    /// What is unknown about AWS, and how it is answered here.
    pub switches: Switches,
    /// How long things take.
    pub settings: Settings,
    /// The time.
    pub clock: Clock,
    /// Trails of CloudTrail.
    pub trails: Vec<Trail>,
    /// Buses of EventBridge besides the default ones.
    pub event_buses: Vec<EventBus>,
    /// Rules on buses.
    pub bus_rules: Vec<BusRule>,
    /// StackSets of the organization.
    pub stack_sets: Vec<StackSet>,
    /// Functions of Lambda.
    pub functions: Vec<Function>,
    /// Topics of SNS.
    pub topics: Vec<Topic>,
    /// The roles that a StackSet puts into accounts that join.
    pub(crate) stack_set_roles: Vec<Arc<Role>>,
    pub(crate) sessions: HashMap<String, Arc<Session>>,
    pub(crate) sessions_swept_at: usize,
    pub(crate) creations: BTreeMap<String, Creation>,
    pub(crate) handshakes: BTreeMap<String, Handshake>,
    pub(crate) pending: Vec<(Timestamp, Pending)>,
    pub(crate) events: Vec<EmittedEvent>,
    pub(crate) emitted: u64,
    pub(crate) put_events: Vec<PutEvent>,
    pub(crate) put: u64,
    pub(crate) model_calls: Vec<ModelCall>,
    pub(crate) model_calls_made: u64,
    pub(crate) ids: Ids,
}

/// How long things take, in seconds of the model's clock, and how much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// From CreateAccount to its result. At 0 the account is there at the next call.
    pub account_creation_seconds: u64,
    /// From joining to the roles that a StackSet puts there; nothing at all puts them there when left out.
    pub stack_set_seconds: Option<u64>,
    /// From CloseAccount to the account being closed.
    pub account_closure_seconds: u64,
    /// From CreateGuardrail and UpdateGuardrail to READY.
    pub guardrail_seconds: u64,
    /// From CreateGuardrailVersion to READY.
    pub version_seconds: u64,
    /// From a Put or Delete of an enforced configuration or a resource policy to its effect on other calls.
    pub propagation_seconds: u64,
    /// From the creation of an account to Bedrock knowing it; until then its calls are refused.
    pub subscription_seconds: u64,
    /// From EnableRegion and DisableRegion to their effect.
    pub region_opt_seconds: u64,
    /// From a change of the organization's policies to the documents of the accounts that it reaches: 2 to 5 on AWS
    /// (organization-policies §1.6).
    pub policy_publication_seconds: u64,
    /// From there to calls of models going by them. How long that is on AWS is not known.
    pub policy_enforcement_seconds: u64,
    /// From EnablePolicyType and DisablePolicyType to their end.
    pub policy_type_seconds: u64,
    /// How long after a change of the organization's policies another is refused with
    /// `PolicyChangesInProgressException`.
    pub policy_changes_seconds: u64,
    /// How long a list may be that the merge of policies makes. The number is not known (organization-policies §1.3).
    pub effective_list_items: usize,
    /// How often in a second an account may call DescribeEffectivePolicy and its kin where calls are limited; 0 for as
    /// often as it likes. The rate is not published (organization-policies §1.8).
    pub effective_reads_per_second: u32,
    /// How many events are kept.
    pub keep_events: usize,
    /// How much is on a page of a list at most, whatever was asked for: AWS may put less on a page than it could
    /// and have more on the next (aws-facts §5).
    pub page_items: usize,
    /// How many accounts the organization may have.
    pub account_limit: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            account_creation_seconds: 0,
            stack_set_seconds: Some(0),
            account_closure_seconds: 0,
            guardrail_seconds: 0,
            version_seconds: 0,
            propagation_seconds: 0,
            subscription_seconds: 0,
            region_opt_seconds: 0,
            policy_publication_seconds: 0,
            policy_enforcement_seconds: 0,
            policy_type_seconds: 0,
            policy_changes_seconds: 0,
            effective_list_items: 1_000,
            effective_reads_per_second: 2,
            keep_events: 10_000,
            page_items: 1_000,
            account_limit: 50_000,
        }
    }
}

/// What happens by itself when its time has come.
#[derive(Clone, Debug)]
pub(crate) enum Pending {
    /// An account is created.
    Creation { request: String },
    /// A StackSet reaches an account that joined.
    StackSet { account: String },
    /// An account is closed.
    Closure { account: String },
    /// A Region is switched on or off.
    OptIn { account: String, region: String, then: OptStatus },
    /// Policies are merged and published for the accounts at a target and below.
    Publication { below: String },
    /// A type of policies is switched on or off.
    PolicyType,
}

impl Model {
    /// Lets everything happen whose time has come. Every call begins with it.
    pub fn settle(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let now = self.now();
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pending).into_iter().partition(|(at, _)| *at <= now);
        self.pending = later;
        for (_, pending) in due {
            match pending {
                Pending::Creation { request } => self.finish_creation(&request),
                Pending::StackSet { account } => self.deploy_stack_set(&account),
                Pending::Closure { account } => self.finish_closure(&account),
                Pending::OptIn { account, region, then } => self.set_opt_status(&account, &region, then),
                Pending::Publication { below } => self.publish_below(&below),
                Pending::PolicyType => self.finish_policy_type(),
            }
        }
    }

    pub(crate) fn schedule(&mut self, at: Timestamp, pending: Pending) {
        self.pending.push((at, pending));
    }
}
