//! Why nothing is written on the organization level.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::change_extent::ChangeExtent;
use super::compare::RegionComparison;
use super::ids::{AttachPoint, PolicyAt};
use super::no_safe_order::NoSafeOrder;
use crate::baseline::GuardrailKey;
use crate::enforcement::Enforcement;
use crate::ids::{AccountId, Region, Target};

/// How many places a text names before it counts the rest.
const NAMED: usize = 5;

/// One reason why nothing is written on the organization level. A decision has all of them at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrganizationHold {
    /// The deployment gives the keeper no access to Bedrock policies.
    NotDeployed,
    /// The guardrails' owner isn't the management account, which a Bedrock policy's guardrails must be of (Organizations user
    /// guide, Bedrock policy syntax).
    WrongOwner {
        /// The owner.
        owner: AccountId,
        /// The management account.
        management: AccountId,
    },
    /// A guardrail that the baseline means could not be found. What the keeper's policies have there stays.
    NotFound {
        /// Where it is to be enforced.
        point: AttachPoint,
        /// In which Region.
        region: Region,
        /// What the baseline calls it.
        key: GuardrailKey,
        /// Why it wasn't found, in words.
        why: String,
    },
    /// It isn't known where these accounts stand, so that nobody can say what they would get.
    Unplaced(BTreeSet<String>),
    /// Bedrock policies are not enabled in the organization, so none could be attached.
    TypeDisabled,
    /// The guardrail version that a point is to enforce can't be used.
    Unusable {
        /// In which Region.
        region: Region,
        /// What.
        enforcement: Box<Enforcement>,
        /// Why not, in words.
        why: String,
    },
    /// There is no order of writes that is safe.
    NoSafeOrder(Box<NoSafeOrder>),
    /// It can't be said what these accounts have, nor what would be taken away: a policy there can't be read, or the merge
    /// is invalid under every answer and AWS doesn't call the account frozen.
    BeforeNotKnown(BTreeSet<AccountId>),
    /// Policies of others leave something else in these places than what is wanted there, though the keeper writes.
    Overridden(BTreeMap<Target, RegionComparison>),
    /// What these places come to depends on the order in which these policies were attached, which AWS doesn't show.
    DependsOnOrder {
        /// Where.
        targets: BTreeSet<Target>,
        /// The policies.
        policies: BTreeSet<PolicyAt>,
    },
    /// It is not proven that the accounts can apply what they would be given.
    NotProven(BTreeMap<Target, String>),
    /// What somebody wrote into the keeper's policies would be taken away, and nothing is to be taken away now.
    TakesAway(ChangeExtent),
    /// More accounts change than may without an approval, or more than the limits allow.
    NotApproved(ChangeExtent),
}

impl OrganizationHold {
    /// A short stable name.
    pub fn code(&self) -> &'static str {
        match self {
            OrganizationHold::NotDeployed => "not_deployed",
            OrganizationHold::WrongOwner { .. } => "wrong_owner",
            OrganizationHold::NotFound { .. } => "not_found",
            OrganizationHold::Unplaced(_) => "unplaced",
            OrganizationHold::TypeDisabled => "type_disabled",
            OrganizationHold::Unusable { .. } => "unusable",
            OrganizationHold::NoSafeOrder(_) => "no_safe_order",
            OrganizationHold::BeforeNotKnown(_) => "before_not_known",
            OrganizationHold::Overridden(_) => "overridden",
            OrganizationHold::DependsOnOrder { .. } => "depends_on_order",
            OrganizationHold::NotProven(_) => "not_proven",
            OrganizationHold::TakesAway(_) => "takes_away",
            OrganizationHold::NotApproved(_) => "not_approved",
        }
    }
}

impl fmt::Display for OrganizationHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OrganizationHold::NotDeployed => f.write_str(
                "the baseline assigns guardrails with level: organization, and this deployment may not read or write Bedrock \
                 policies: set the stack's parameter OrganizationLevel",
            ),
            OrganizationHold::WrongOwner { owner, management } => write!(
                f,
                "the guardrails belong to {owner}, and a Bedrock policy can name only those of the management account, \
                 {management}: use guardrails of {management}, or level: account"
            ),
            OrganizationHold::NotFound { point, region, key, why } => {
                write!(f, "{key} is to be enforced in {region} below {point}, and could not be found: {why}")
            }
            OrganizationHold::Unplaced(accounts) => write!(
                f,
                "it isn't known where these accounts stand, nor what they would get: {}",
                listed(accounts.iter().cloned())
            ),
            OrganizationHold::TypeDisabled => f.write_str(
                "Bedrock policies are not enabled in the organization: enable the type BEDROCK_POLICY on the root",
            ),
            OrganizationHold::Unusable { region, enforcement, why } => write!(
                f,
                "{enforcement} in {region} can't be used, and every call below it would fail: {why}"
            ),
            OrganizationHold::NoSafeOrder(why) => why.fmt(f),
            OrganizationHold::BeforeNotKnown(accounts) => write!(
                f,
                "it can't be said what these accounts have, because policies there can't be read or merged, nor what \
                 would be taken away: {}; correct the policies",
                listed(accounts.iter().map(ToString::to_string))
            ),
            OrganizationHold::Overridden(places) => {
                let words = places.iter().map(|(target, seen)| format!("{target} ({})", in_words(seen)));
                write!(
                    f,
                    "policies of others would leave something else there than what is wanted: {}; correct them",
                    listed(words)
                )
            }
            OrganizationHold::DependsOnOrder { targets, policies } => write!(
                f,
                "what {} would get depends on the order in which {} were attached, which AWS doesn't show; correct one of \
                 them",
                listed(targets.iter().map(ToString::to_string)),
                listed(policies.iter().map(ToString::to_string))
            ),
            OrganizationHold::NotProven(places) => write!(
                f,
                "it is not proven that these can apply what they would be given, and their calls may fail: {}",
                listed(places.iter().map(|(target, why)| format!("{target} ({why})")))
            ),
            OrganizationHold::TakesAway(extent) => write!(
                f,
                "nothing is taken away now, and to correct the keeper's policies would do so: {extent}"
            ),
            OrganizationHold::NotApproved(extent) => {
                write!(f, "it changes more than may be changed without an approval: {extent}")
            }
        }
    }
}

/// What is there instead of what is wanted.
fn in_words(seen: &RegionComparison) -> String {
    let from = |policies: &BTreeSet<PolicyAt>| listed(policies.iter().map(ToString::to_string));
    match seen {
        RegionComparison::Equal => "as wanted".to_owned(),
        RegionComparison::Absent => "nothing".to_owned(),
        RegionComparison::NotWanted(policies) => format!("something, from {}", from(policies)),
        RegionComparison::Differs(difference) => difference.to_string(),
        RegionComparison::Several { names, from: policies, .. } => {
            format!("{} configurations, from {}", names.len(), from(policies))
        }
        RegionComparison::Unclear { from: policies, .. } => {
            format!("what this program does not know, from {}", from(policies))
        }
    }
}

/// The first ones, and how many more there are.
fn listed(all: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = all.collect();
    let named = all.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match all.len().checked_sub(NAMED) {
        Some(more @ 1..) => format!("{named} and {more} more"),
        Some(0) | None => named,
    }
}
