//! The world that a simulator starts with, as a file describes it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::model::Settings;
use crate::model::bus_rules::{BusRule, EventBus};
use crate::model::control::ControlPolicy;
use crate::model::enforcement::Enforce;
use crate::model::functions::Function;
use crate::model::guardrail::{Content, GuardrailName};
use crate::model::iam::{Role, User};
use crate::model::inference::FoundationModel;
use crate::model::keys::Key;
use crate::model::organization::{AccountState, JoinedMethod, ServiceControl, Tags, ToldState, Unit};
use crate::model::organization_policy::BedrockPolicyEntry;
use crate::model::parameter::PutParameter;
use crate::model::regions::OptStatus;
use crate::model::stack_sets::StackSet;
use crate::model::topics::Topic;
use crate::model::trails::Trail;

/// What there is at the start.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// The organization itself.
    pub organization: OrganizationIds,
    /// The time at the start.
    pub start: Timestamp,
    /// The Regions there are, with their status in an account that changed nothing.
    pub regions: BTreeMap<String, OptStatus>,
    /// The units of the tree.
    #[serde(default)]
    pub organizational_units: Vec<Unit>,
    /// The accounts, in the organization or not.
    pub accounts: Vec<AccountEntry>,
    /// Roles that a StackSet keeps in every account of the organization but the management account.
    #[serde(default)]
    pub stack_set_roles: Vec<Role>,
    /// What service control policies deny.
    #[serde(default)]
    pub service_control: Vec<ServiceControl>,
    /// Service control policies as they are shown; they deny nothing by that.
    #[serde(default)]
    pub control_policies: Vec<ControlPolicy>,
    /// Policies of type BEDROCK_POLICY, in the order in which they were attached. Where there are any, the type is on.
    #[serde(default)]
    pub bedrock_policies: Vec<BedrockPolicyEntry>,
    /// Whether the type BEDROCK_POLICY is on.
    #[serde(default)]
    pub bedrock_policies_enabled: bool,
    /// The organization's own resource policy.
    #[serde(default)]
    pub delegation_policy: Option<Value>,
    /// Models that can be called.
    #[serde(default)]
    pub models: Vec<FoundationModel>,
    /// Customer managed keys of KMS.
    #[serde(default)]
    pub keys: Vec<Key>,
    /// Guardrails.
    #[serde(default)]
    pub guardrails: Vec<GuardrailEntry>,
    /// What is enforced.
    #[serde(default)]
    pub enforcements: Vec<EnforcementEntry>,
    /// Systems Manager parameters.
    #[serde(default)]
    pub parameters: Vec<ParameterEntry>,
    /// Trails of CloudTrail.
    #[serde(default)]
    pub trails: Vec<Trail>,
    /// Buses of EventBridge besides the default ones.
    #[serde(default)]
    pub event_buses: Vec<EventBus>,
    /// Rules on buses. They are shown; what they do is a test's business (`EventRule`).
    #[serde(default)]
    pub bus_rules: Vec<BusRule>,
    /// StackSets of the organization, as they are shown.
    #[serde(default)]
    pub stack_sets: Vec<StackSet>,
    /// Functions of Lambda with the mappings of queues to them, as they are shown.
    #[serde(default)]
    pub functions: Vec<Function>,
    /// Topics of SNS with their subscriptions, as they are shown.
    #[serde(default)]
    pub topics: Vec<Topic>,
    /// How long things take.
    #[serde(default)]
    pub settings: Settings,
}

/// The ids of the organization.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrganizationIds {
    /// e.g. `o-exampleorgid`.
    pub id: String,
    /// e.g. `r-exam`.
    pub root: String,
    /// The account that owns the organization.
    pub management_account: String,
}

/// An account.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountEntry {
    /// Twelve digits.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The root user's address; made of the name when left out.
    #[serde(default)]
    pub email: Option<String>,
    /// The root or a unit; outside of the organization when left out.
    #[serde(default)]
    pub parent: Option<String>,
    /// Whether it can be used.
    #[serde(default = "active")]
    pub state: AccountState,
    /// What Organizations tells of its state, if anything else: `word: REINSTATING`, or `nothing`.
    #[serde(default)]
    pub told_state: Option<ToldState>,
    /// How it joined.
    #[serde(default = "created")]
    pub joined: JoinedMethod,
    /// Roles besides those of the StackSet.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// Its users of IAM.
    #[serde(default)]
    pub users: Vec<User>,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
    /// Services it is a delegated administrator for.
    #[serde(default)]
    pub delegated: Vec<String>,
    /// Whether the organization's delegation policy lets it read the organization.
    #[serde(default)]
    pub reads_organization: bool,
    /// Regions whose status it changed.
    #[serde(default)]
    pub opt_in: BTreeMap<String, OptStatus>,
}

/// A guardrail.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardrailEntry {
    /// Its account.
    pub account: String,
    /// Its Region.
    pub region: String,
    /// Its id, letters and digits.
    pub id: String,
    /// What CreateGuardrail would send.
    pub content: Content,
    /// How many versions are made of it.
    #[serde(default)]
    pub versions: u32,
    /// Whether a resource policy lets the whole organization use it.
    #[serde(default)]
    pub share_with_organization: bool,
    /// A resource policy of its own, legal or not.
    #[serde(default)]
    pub resource_policy: Option<Value>,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

/// What an account enforces in a Region.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnforcementEntry {
    /// The account.
    pub account: String,
    /// The Region.
    pub region: String,
    /// The principal who put it there; the account's administrator when left out.
    #[serde(default)]
    pub by: Option<String>,
    /// What was put.
    pub configuration: Enforce,
}

/// A parameter.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterEntry {
    /// Its account.
    pub account: String,
    /// Its Region.
    pub region: String,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Its tier; standard when left out.
    #[serde(default)]
    pub tier: Option<String>,
}

fn active() -> AccountState {
    AccountState::Active
}

fn created() -> JoinedMethod {
    JoinedMethod::Created
}

/// Why a world can't be: every reason that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidWorld {
    /// The reasons, one sentence each.
    pub problems: Vec<String>,
}

impl fmt::Display for InvalidWorld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the world is not valid:")?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}

impl std::error::Error for InvalidWorld {}

impl World {
    /// The text of the example world, with its comments.
    pub const EXAMPLE: &'static str = include_str!("../worlds/example.yaml");

    /// A small organization with one central guardrail.
    pub fn example() -> World {
        World::parse(World::EXAMPLE).expect("the example world is part of the program and tested")
    }

    /// Reads a world from YAML.
    ///
    /// # Errors
    /// [`InvalidWorld`], with line and column where the text is at fault.
    pub fn parse(text: &str) -> Result<World, InvalidWorld> {
        serde_saphyr::from_str(text).map_err(|error| InvalidWorld { problems: vec![error.to_string()] })
    }

    /// An organization of many accounts, to measure with: the example's management account and guardrail owner,
    /// any number of members in one unit, and a guardrail in each of up to 17 Regions.
    pub fn large(accounts: usize, regions: usize) -> World {
        let mut world = World::example();
        let on = |name: &&str| ((*name).to_owned(), OptStatus::EnabledByDefault);
        world.regions = REGIONS.iter().take(regions).map(on).collect();
        let guardrail = world.guardrails[0].clone();
        let in_region = |(number, region): (usize, &String)| GuardrailEntry {
            region: region.clone(),
            id: format!("large{number:07}"),
            ..guardrail.clone()
        };
        world.guardrails = world.regions.keys().enumerate().map(in_region).collect();
        let management = world.organization.management_account.clone();
        world.accounts.retain(|account| account.id == management || account.id == guardrail.account);
        let member = |number: usize| AccountEntry {
            id: (500_000_000_000 + number).to_string(),
            name: format!("account-{number}"),
            parent: Some("ou-exam-workload".to_owned()),
            ..AccountEntry::default()
        };
        world.accounts.extend((0..accounts).map(member));
        world
    }
}

impl Default for AccountEntry {
    fn default() -> AccountEntry {
        AccountEntry {
            id: String::new(),
            name: String::new(),
            email: None,
            parent: None,
            state: AccountState::Active,
            told_state: None,
            joined: JoinedMethod::Created,
            roles: Vec::new(),
            users: Vec::new(),
            tags: Tags::new(),
            delegated: Vec::new(),
            reads_organization: false,
            opt_in: BTreeMap::new(),
        }
    }
}

impl GuardrailEntry {
    pub(crate) fn guardrail_name(&self) -> GuardrailName {
        GuardrailName { account: self.account.clone(), region: self.region.clone(), id: self.id.clone() }
    }

    /// The policy that the entry asks for: its own, or the organization pattern of aws-facts §2.2.
    pub(crate) fn policy(&self, organization: &str) -> Option<String> {
        if let Some(policy) = &self.resource_policy {
            return Some(policy.to_string());
        }
        self.share_with_organization.then(|| {
            json!({
                "Version": "2012-10-17",
                "Statement": [{
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": ["bedrock:GetGuardrail", "bedrock:ApplyGuardrail"],
                    "Resource": self.guardrail_name().arn(),
                    "Condition": { "StringEquals": { "aws:PrincipalOrgID": organization } },
                }],
            })
            .to_string()
        })
    }
}

impl ParameterEntry {
    pub(crate) fn put(&self) -> PutParameter {
        PutParameter {
            name: self.name.clone(),
            value: self.value.clone(),
            kind: Some("String".to_owned()),
            tier: self.tier.clone(),
            ..PutParameter::default()
        }
    }
}

pub(crate) fn shared_roles(roles: &[Role]) -> Vec<Arc<Role>> {
    roles.iter().cloned().map(Arc::new).collect()
}

/// Regions to measure with; the names are AWS's.
const REGIONS: [&str; 17] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ca-central-1",
    "sa-east-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eu-central-1",
    "eu-north-1",
    "eu-south-1",
    "ap-south-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-southeast-1",
    "ap-southeast-2",
];
