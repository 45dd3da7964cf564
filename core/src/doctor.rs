//! Whether everything is there that the keeper needs: what was read of a deployment, judged.
//!
//! Reading is `cloud`'s and `cli`'s business. What could not be read is never taken for good.

mod bedrock_policies;
mod bus_policy;
mod delegates;
mod exempt;
mod function;
mod hearing;
mod organization;
mod organization_access;
mod pattern;
mod permissions;
mod posing;
mod protection;
mod rules;
mod stack_sets;
mod subscribed;
mod summary;
#[cfg(test)]
mod tests;
mod trails;
mod trust;

use serde::Serialize;

use crate::failure::{Call, Category, Failure};
use crate::ids::{AccountId, Region, Target};
use crate::words::words;

pub use bedrock_policies::{FrozenAccounts, bedrock_policies, both_levels};
pub use bus_policy::{BusFacts, bus_policy};
pub use delegates::{Delegates, delegates, sees_stack_sets};
pub use function::{Mapping, binding, mapping, recursion};
pub use hearing::Hearing;
pub use organization::{Delegation, Membership, regions, standing};
pub use organization_access::{
    access_of_function, delegated, organization_access, organization_role, role_at,
};
pub use permissions::{Facts, RequiredAction, lacking, of_function, of_member, of_organization_role};
pub use posing::{EXECUTION_ROLE, TrustingRole, posing};
pub use protection::{Attached, ControlPolicy, Shipped, is_protected, protecting, protection};
pub use rules::{Listens, Rule, rules};
pub use stack_sets::{Instance, StackSet, stack_set};
pub use subscribed::{Subscription, only_by_mail, subscribed, topics};
pub use summary::{DoctorSummary, Group, Places};
pub use trails::{Basic, Field, Selectors, Trail, trail};
pub use trust::{Trusted, foreign, trust};

words! {
    /// What is looked into, in the order in which one thing depends on another.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Check {
        /// The organization, and who we are in it.
        Organization = "organization",
        /// Who else administers something for the organization.
        Delegates = "delegated administrators",
        /// The baseline.
        Baseline = "baseline",
        /// The guardrails that the baseline names, and their resource policies.
        Guardrails = "guardrails",
        /// Whether members use the owner's guardrail or copies, where the baseline leaves that to AWS.
        Placement = "placement: auto",
        /// The hub's bus, rules, queues and table.
        Hub = "hub: bus, rules, queues, ledger",
        /// The function: whether messages reach it, and whether it may go on for as long as it has to.
        Function = "the function",
        /// Whether news and alarms reach anybody.
        Notifications = "news and alarms: whom they reach",
        /// What the function may do.
        FunctionRole = "the function's role",
        /// The StackSets that bring role and rules to members.
        StackSets = "StackSets",
        /// The service control policies that protect all of this.
        ControlPolicies = "service control policies",
        /// Policies of Organizations that enforce guardrails, beside what the keeper does.
        BedrockPolicies = "Bedrock policies of the organization",
        /// Who writes Bedrock policies, and whether they may.
        OrganizationLevel = "organization's level: who writes Bedrock policies",
        /// CloudTrail, without which EventBridge gets no events of calls.
        Trails = "trails: without one, no event comes",
        /// The role that the function assumes in members.
        MemberRole = "member role",
        /// The rules by which members and the management account send events to the hub.
        ForwardingRules = "forwarding rules",
        /// Whether the baseline's Regions are enabled in the accounts.
        Regions = "Regions enabled",
    }

    /// What it is called on a terminal.
    pub fn title(self) -> &'static str;
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Something is wrong.
    Problem,
    /// It could not be checked, which is no better than a problem.
    Unknown,
    /// There is nothing to look at.
    NotApplicable,
    /// As it should be.
    Ok,
}

/// What a finding is about. Displays as `-`, an account, or `ACCOUNT/REGION`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The account, where it is about one.
    pub account: Option<AccountId>,
    /// The Region, where it is about one.
    pub region: Option<Region>,
}

impl Place {
    /// The deployment as a whole.
    pub const WHOLE: Place = Place { account: None, region: None };

    /// One account.
    pub fn account(account: &AccountId) -> Place {
        Place { account: Some(account.clone()), region: None }
    }

    /// One account in one Region.
    pub fn target(account: &AccountId, region: &Region) -> Place {
        Place { account: Some(account.clone()), region: Some(region.clone()) }
    }
}

impl From<&Target> for Place {
    fn from(target: &Target) -> Place {
        Place::target(&target.account, &target.region)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.account, &self.region) {
            (None, None) => f.write_str("-"),
            (Some(account), None) => account.fmt(f),
            (None, Some(region)) => region.fmt(f),
            (Some(account), Some(region)) => write!(f, "{account}/{region}"),
        }
    }
}

/// What a finding is about: a check at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedPlace {
    check: Check,
    place: Place,
}

impl Check {
    /// This check at one place.
    pub fn at(self, place: impl Into<Place>) -> CheckedPlace {
        CheckedPlace { check: self, place: place.into() }
    }

    /// This check of the deployment as a whole.
    pub fn whole(self) -> CheckedPlace {
        self.at(Place::WHOLE)
    }
}

impl CheckedPlace {
    fn found(&self, outcome: Outcome, text: impl Into<String>, todo: Option<String>) -> Finding {
        let CheckedPlace { check, place } = self.clone();
        Finding { check, outcome, place, text: text.into(), detail: None, todo }
    }

    /// As it should be.
    pub fn ok(&self, text: impl Into<String>) -> Finding {
        self.found(Outcome::Ok, text, None)
    }

    /// Something is wrong, and what to do.
    pub fn problem(&self, text: impl Into<String>, todo: impl Into<String>) -> Finding {
        self.found(Outcome::Problem, text, Some(todo.into()))
    }

    /// There is nothing to look at.
    pub fn not_applicable(&self, text: impl Into<String>) -> Finding {
        self.found(Outcome::NotApplicable, text, None)
    }

    /// It could not be checked, and what would help.
    pub fn unknown(&self, text: impl Into<String>, todo: impl Into<String>) -> Finding {
        self.found(Outcome::Unknown, text, Some(todo.into()))
    }

    /// It could not be checked because a call failed. `what` isn't known.
    pub fn unread(&self, what: impl std::fmt::Display, failure: &Failure) -> Finding {
        let Failure { category, operation, message, .. } = failure;
        let text = match category {
            Category::Denied => format!("{what}: {operation} was denied"),
            category => format!("{what}: {operation} failed ({category})"),
        };
        let todo = match category {
            Category::Denied if failure.call() == Call::AssumeRole => {
                "give --role a role that these credentials may assume (deploy/reader-role.yaml creates one), or use \
                 other credentials"
            }
            Category::Denied => "use credentials that have this permission, or add it to yours",
            Category::Transient => "run it again",
            Category::NotReady => "wait until the account and its Region are set up, or enable the Region",
            Category::Rejected | Category::Gone => "read AWS's message",
        };
        self.unknown(text, todo).detailed(message)
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which check it belongs to.
    pub check: Check,
    /// How it came out.
    pub outcome: Outcome,
    /// What it is about.
    #[serde(flatten)]
    pub place: Place,
    /// What is so, in the same words for every place where it is so.
    pub text: String,
    /// What this place has of its own: what AWS said, for example.
    pub detail: Option<String>,
    /// What to do.
    pub todo: Option<String>,
}

impl Finding {
    /// With what this place has of its own.
    #[must_use]
    pub fn detailed(self, detail: impl Into<String>) -> Finding {
        Finding { detail: Some(detail.into()), ..self }
    }
}
