//! What is wrong with a merged document, so that it isn't published (organization-policies §1.6).

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::document::{LeafValue, Place};
use super::enforced::IdentifierOf;
use super::merge::Merged;
use crate::model::Model;
use crate::switches::{IdentifierCheck, LockedChild, ModelLists, TwoConfigurations};

/// One thing that is wrong with an account's merged document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EffectiveFault {
    /// `KEY_REQUIRED` or `ELEMENTS_TOO_MANY`, which AWS documents; `OPERATOR_NOT_ALLOWED` and `VALUE_NOT_ALLOWED`, which
    /// only the switches bring and are made up.
    pub code: String,
    /// What a person reads.
    pub message: String,
    /// Where; which form AWS gives it is not known.
    pub path: String,
    /// The ids of the policies that had a part in it.
    pub policies: Vec<String>,
}

/// The names of a Region and of a configuration in it.
type ConfigurationName = (String, String);

impl Model {
    /// Everything that keeps a merged document from being published.
    pub(super) fn faults_of(&self, merged: &Merged) -> Vec<EffectiveFault> {
        let mut faults = Vec::new();
        let configurations = configurations(merged);
        let mut of_region: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (region, name) in &configurations {
            of_region.entry(region).or_default().push(name);
            let place = ["bedrock", "guardrail_inference", region, name];
            let mut require = |rest: &[&str]| {
                let wanted = [&place, rest].concat();
                if !merged.has(&wanted) {
                    let message = format!("The key {} is required.", rest.join("/"));
                    faults.push(fault("KEY_REQUIRED", message, &wanted, contributors(merged, &place)));
                }
            };
            require(&["identifier"]);
            let lists = [["model_enforcement", "included_models"], ["model_enforcement", "excluded_models"]];
            let given = lists.iter().filter(|list| merged.has(&[&place, &list[..]].concat())).count();
            if given == 1 && self.switches.model_lists == ModelLists::BothRequired {
                lists.iter().for_each(|list| require(list));
            }
        }
        for (region, names) in of_region.iter().filter(|(_, names)| names.len() > 1) {
            if self.switches.two_configurations == TwoConfigurations::Refused {
                let place = ["bedrock", "guardrail_inference", region];
                let message =
                    format!("The Region {region} has {} configurations, of 1 at most.", names.len());
                faults.push(fault("ELEMENTS_TOO_MANY", message, &place, contributors(merged, &place)));
            }
        }
        self.long_lists(merged, &mut faults);
        if self.switches.locked_child == LockedChild::Invalid {
            for (place, policy) in &merged.refused {
                let message = "A policy above doesn't allow this operator.".to_owned();
                faults.push(fault("OPERATOR_NOT_ALLOWED", message, &borrowed(place), vec![policy.clone()]));
            }
        }
        self.wrong_identifiers(merged, &mut faults);
        faults
    }

    fn long_lists(&self, merged: &Merged, faults: &mut Vec<EffectiveFault>) {
        let limit = self.settings.effective_list_items;
        for (place, leaf) in &merged.leaves {
            if let Some(LeafValue::List(items)) = &leaf.value
                && items.len() > limit
            {
                let message = format!("The list has {} elements, of {limit} at most.", items.len());
                faults.push(fault("ELEMENTS_TOO_MANY", message, &borrowed(place), leaf.from.clone()));
            }
        }
    }

    fn wrong_identifiers(&self, merged: &Merged, faults: &mut Vec<EffectiveFault>) {
        if self.switches.identifier_check != IdentifierCheck::Effective {
            return;
        }
        for (place, leaf) in &merged.leaves {
            if let ([_, _, region, _, key], Some(LeafValue::Text(identifier))) =
                (place.as_slice(), &leaf.value)
                && key == "identifier"
                && let Err(why) = self.look_for(&IdentifierOf { identifier, region })
            {
                faults.push(fault("VALUE_NOT_ALLOWED", why, &borrowed(place), leaf.from.clone()));
            }
        }
    }

    /// Whether a document's identifiers name versions that the management account has.
    pub(super) fn names_existing_versions(&self, merged: &Merged) -> bool {
        merged.leaves.iter().all(|(place, leaf)| match (place.as_slice(), &leaf.value) {
            ([_, _, region, _, key], Some(LeafValue::Text(identifier))) if key == "identifier" => {
                self.look_for(&IdentifierOf { identifier, region }).is_ok()
            }
            _ => true,
        })
    }

    /// Looks for the version that an identifier names; says why it can't be enforced otherwise.
    pub(super) fn look_for(&self, wanted: &IdentifierOf<'_>) -> Result<(), String> {
        let (name, version) = wanted.read()?;
        let management = &self.organization.management_account;
        if name.account != *management {
            return Err(format!("The guardrail doesn't belong to the management account {management}."));
        }
        let edition = self.guardrail(&name).and_then(|guardrail| guardrail.edition(Some(&version)));
        edition.map(drop).ok_or_else(|| "There is no such guardrail, or no such version of it.".to_owned())
    }
}

/// Every configuration that has any value.
fn configurations(merged: &Merged) -> BTreeSet<ConfigurationName> {
    let valued = merged.leaves.iter().filter(|(_, leaf)| leaf.value.is_some());
    valued
        .filter_map(|(place, _)| match place.as_slice() {
            [_, _, region, name, _, ..] => Some((region.clone(), name.clone())),
            _ => None,
        })
        .collect()
}

/// The policies that have a part in anything below a place.
fn contributors(merged: &Merged, below: &[&str]) -> Vec<String> {
    let is_below =
        |place: &Place| below.iter().zip(place).filter(|(one, other)| *one == other).count() == below.len();
    let inside = merged.leaves.iter().filter(|(place, _)| is_below(place));
    let policies: BTreeSet<&String> = inside.flat_map(|(_, leaf)| &leaf.from).collect();
    policies.into_iter().cloned().collect()
}

fn borrowed(place: &Place) -> Vec<&str> {
    place.iter().map(String::as_str).collect()
}

fn fault(code: &str, message: String, place: &[&str], policies: Vec<String>) -> EffectiveFault {
    EffectiveFault { code: code.to_owned(), message, path: place.join("/"), policies }
}
