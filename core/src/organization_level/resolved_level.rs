//! What each point is to enforce: the baseline's assignments of the organization's level with the guardrails found.

use std::collections::BTreeMap;

use crate::baseline::{Baseline, GuardrailKey, OrganizationAssignment};
use crate::bedrock_policy::{
    AttachPoint, AttachedPolicies, OwnDocument, OwnPolicies, PolicyKey, WantedPolicies,
};
use crate::enforcement::Enforcement;
use crate::ids::Region;
use crate::resolved::{Catalog, Unusable};

/// What each point is to enforce.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedLevel {
    /// As far as the guardrails were found.
    pub policies: WantedPolicies,
    /// The guardrails that were not.
    pub not_found: Vec<NotFoundGuardrail>,
}

/// A guardrail that the baseline means and that could not be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFoundGuardrail {
    /// Where it is to be enforced.
    pub point: AttachPoint,
    /// In which Region.
    pub region: Region,
    /// What the baseline calls it.
    pub key: GuardrailKey,
    /// Why it wasn't found, in words.
    pub why: String,
}

impl ResolvedLevel {
    /// Looks the guardrails of the baseline up in what the owner's side was seen to hold.
    pub fn of(baseline: &Baseline, catalog: &Catalog) -> ResolvedLevel {
        let mut level = ResolvedLevel::default();
        for OrganizationAssignment { targets, guardrail: key } in &baseline.organization_assignments {
            let Some(guardrail) = baseline.guardrail(key) else { continue };
            for (region, source) in &guardrail.regions {
                let entry = catalog.entries.get(&(key.clone(), region.clone()));
                for point in targets.iter().map(AttachPoint::from) {
                    match entry.and_then(|entry| entry.arn.clone()) {
                        Some(arn) => {
                            let enforcement = Enforcement {
                                guardrail: arn,
                                version: source.version,
                                models: guardrail.models.clone(),
                                guarding: guardrail.guarding,
                            };
                            level.policies.entry(point).or_default().insert(region.clone(), enforcement);
                        }
                        None => {
                            let why =
                                entry.and_then(|entry| entry.unusable.as_ref()).map(Unusable::to_string);
                            let why = why.unwrap_or_else(|| "it was not looked up".to_owned());
                            let (region, key) = (region.clone(), key.clone());
                            level.not_found.push(NotFoundGuardrail { point, region, key, why });
                        }
                    }
                }
            }
        }
        level
    }

    /// Where a guardrail could not be found, what the keeper's policies have there stays wanted: nothing is taken away
    /// because of a look that failed.
    #[must_use]
    pub fn keeping(mut self, present: &AttachedPolicies, own: &OwnPolicies) -> ResolvedLevel {
        for NotFoundGuardrail { point, region, .. } in &self.not_found {
            let there = own.iter().filter(|(_, part)| part.point == *point).find_map(|(id, _)| {
                let content = present.contents.get(&PolicyKey::Id(id.clone()))?.as_ref().ok()?;
                OwnDocument::of(content).regions.remove(region)
            });
            if let Some(enforcement) = there {
                let regions = self.policies.entry(point.clone()).or_default();
                regions.entry(region.clone()).or_insert(enforcement);
            }
        }
        self
    }

    /// What these policies give an account whose points are `chain`, the root first, in one Region.
    pub fn given(
        &self,
        chain: impl IntoIterator<Item = AttachPoint>,
        region: &Region,
    ) -> Option<&Enforcement> {
        let mut given = None;
        for point in chain {
            let here: Option<&BTreeMap<Region, Enforcement>> = self.policies.get(&point);
            given = here.and_then(|regions| regions.get(region)).or(given);
        }
        given
    }
}
