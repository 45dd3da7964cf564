//! What an event is judged against.

use std::collections::{BTreeMap, BTreeSet};

use crate::baseline::{Baseline, Placement, Selector};
use crate::ids::{AccountId, GuardrailId, Region};
use crate::own_roles::OwnRoles;

/// Who we are and what we hold. Nothing here is read from the event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The roles whose writes are our own.
    pub own_roles: OwnRoles,
    /// The SSM parameter that holds the baseline, by name or ARN, if it lives there.
    pub baseline_parameter: Option<String>,
    /// The SSM parameter that a person approves a revision in, by name or ARN, if there is one.
    pub approval_parameter: Option<String>,
    /// The path of the controls, if there are any.
    pub controls_path: Option<String>,
    /// The account the function runs in. Without it, where a request comes from can't be judged.
    pub hub: Option<AccountId>,
    /// The baseline at hand. Without one nothing is narrowed by it.
    pub baseline: Option<Known>,
    /// The time, in seconds since 1970 (UTC). Without it no event is too old.
    pub now: Option<i64>,
    /// How old an event may be. Without it no event is too old.
    pub max_age_seconds: Option<u32>,
}

/// What a baseline says that an event can be compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The accounts that own guardrails.
    pub owners: BTreeSet<AccountId>,
    /// Whether members hold copies of guardrails, so that a guardrail of theirs may concern us.
    pub copies: bool,
    /// The Regions in which something is enforced, with the guardrails of each owner that may be meant there.
    pub regions: BTreeMap<Region, BTreeMap<AccountId, Guardrails>>,
}

/// The guardrails of an owner account that a baseline refers to in one Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guardrails {
    /// At least one is given by name, so that any may be meant.
    Any,
    /// These only.
    Only(BTreeSet<GuardrailId>),
}

impl Known {
    /// What there is to know of a baseline.
    pub fn of(baseline: &Baseline) -> Known {
        let mut regions: BTreeMap<Region, BTreeMap<AccountId, Guardrails>> = BTreeMap::new();
        let sources = baseline.guardrails.values().flat_map(|guardrail| {
            guardrail.regions.iter().map(move |(region, source)| (&guardrail.owner, region, source))
        });
        for (owner, region, source) in sources {
            let owners = regions.entry(region.clone()).or_default();
            let guardrails = owners.entry(owner.clone()).or_insert_with(|| Guardrails::Only(BTreeSet::new()));
            match (&source.selector, guardrails) {
                (Selector::Name(_), guardrails) => *guardrails = Guardrails::Any,
                (Selector::Arn(_), Guardrails::Any) => {}
                (Selector::Arn(arn), Guardrails::Only(ids)) => {
                    ids.insert(arn.id.clone());
                }
            }
        }
        Known {
            owners: baseline.owners(),
            copies: baseline.guardrails.values().any(|guardrail| guardrail.placement != Placement::Central),
            regions,
        }
    }

    /// Whether the baseline can mean this guardrail of an owner account; of any of them, where the account isn't known.
    ///
    /// A Region that the baseline doesn't name says nothing: the record may still know something there.
    pub(crate) fn may_mean(
        &self,
        owner: Option<&AccountId>,
        guardrail: &GuardrailId,
        region: &Region,
    ) -> bool {
        let Some(owners) = self.regions.get(region) else { return true };
        let mut here = owners.iter().filter(|(account, _)| owner.is_none_or(|owner| owner == *account));
        here.any(|(_, guardrails)| match guardrails {
            Guardrails::Only(ids) => ids.contains(guardrail),
            Guardrails::Any => true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guardrail_given_by_name_may_be_any() {
        let text = r#"
version: 1
organization: o-exampleorgid
owner: "222222222222"
guardrails:
  first:
    name: corporate-baseline
    version: 1
    regions:
      us-east-1: { arn: "arn:aws:bedrock:us-east-1:222222222222:guardrail/a" }
      eu-west-1:
  second:
    placement: copy
    version: 1
    regions:
      us-east-1: { arn: "arn:aws:bedrock:us-east-1:222222222222:guardrail/b" }
      eu-west-1: { arn: "arn:aws:bedrock:eu-west-1:222222222222:guardrail/c" }
assignments: []
"#;
        let known = Known::of(&Baseline::parse(text).unwrap_or_else(|invalid| panic!("{invalid}")));
        assert!(known.copies);
        let owner = known.owners.first();
        let may_mean =
            |id: &str, region: &str| known.may_mean(owner, &id.parse().unwrap(), &region.parse().unwrap());
        assert!(may_mean("a", "us-east-1") && may_mean("b", "us-east-1") && !may_mean("z", "us-east-1"));
        assert!(may_mean("z", "eu-west-1"));
        assert!(may_mean("z", "us-west-2"), "a Region that isn't named says nothing");
    }
}
