//! Guardrails of the organization's level: what no Bedrock policy can say.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::super::keys::first_of;
use super::super::problem::{Problems, TextPlace};
use super::super::{Guardrail, GuardrailKey, Selector, Source};
use super::Declared;
use crate::enforcement::{Included, Models};
use crate::ids::{Partition, Region};

/// The longest document that AWS takes, in characters (Organizations user guide, quotas), and how many the keeper
/// attaches to one point. A test holds both, and the lengths below, to what is written.
const MOST_CHARACTERS: usize = 10_000;
const MOST_PARTS: usize = 5;
/// A document without a Region.
const EMPTY: usize = r#"{"bedrock":{"guardrail_inference":{}}}"#.len();

/// The length of the ids that Bedrock gives guardrails, for those that are found by name.
const GUARDRAIL_ID: usize = 12;

/// Reports guardrails that are assigned with level: organization and that no Bedrock policy can name, each where an
/// assignment names it.
pub(super) fn refuse_impossible(
    assigned: &[(GuardrailKey, TextPlace)],
    declared: &Declared<'_>,
    problems: &mut Problems,
) {
    refuse_two_owners(assigned, declared, problems);
    for (key, place) in assigned {
        if let Some(copies) = declared.copied.get(key) {
            let message = format!(
                "{key} is copied into members ({} on line {}), and with level: organization there are no copies: a \
                 Bedrock policy names the guardrail of the management account",
                copies.what, copies.line
            );
            let instead = "assign a guardrail without it; two of this document may have one name in AWS";
            problems.report(place, message, instead);
        }
        if let Some(message) = declared.guardrails.get(key).and_then(does_not_fit) {
            problems.report(
                place,
                message,
                "list fewer models, exclude models instead, or name fewer Regions",
            );
        }
    }
}

/// Only the management account's guardrails can be enforced on this level, so that all of them have one owner. Which
/// account that is, only the organization says.
fn refuse_two_owners(
    assigned: &[(GuardrailKey, TextPlace)],
    declared: &Declared<'_>,
    problems: &mut Problems,
) {
    let mut owned =
        assigned.iter().filter_map(|(key, place)| Some((key, place, &declared.guardrails.get(key)?.owner)));
    let Some((first, _, of_first)) = owned.next() else { return };
    let mut reported = BTreeSet::new();
    for (key, place, owner) in owned.filter(|(_, _, owner)| *owner != of_first) {
        if reported.insert(key) {
            let message = format!(
                "{first} and {key} are assigned with level: organization, which takes guardrails of the management \
                 account only, and they have two owners, {of_first} and {owner}"
            );
            let instead = "assign the one that the management account doesn't own on the account's level";
            problems.report(place, message, instead);
        }
    }
}

/// Why the Bedrock policies that say this don't fit on one point, if so. Filled as `bedrock_policy::split` fills them
/// where none is there yet.
fn does_not_fit(guardrail: &Guardrail) -> Option<String> {
    let lengths: BTreeMap<&Region, usize> = guardrail
        .regions
        .iter()
        .map(|(region, source)| (region, characters(guardrail, region, source)))
        .collect();
    if let Some((region, length)) = lengths.iter().find(|(_, length)| EMPTY + **length > MOST_CHARACTERS) {
        return Some(format!(
            "the Bedrock policy would have {} characters for {region} alone, and AWS takes {MOST_CHARACTERS}",
            EMPTY + length
        ));
    }
    let mut parts = [EMPTY; MOST_PARTS];
    let mut left = BTreeSet::new();
    for (region, length) in lengths {
        match parts.iter_mut().find(|part| **part + length <= MOST_CHARACTERS) {
            // A comma follows.
            Some(part) => *part += length + 1,
            None => drop(left.insert(region.as_str())),
        }
    }
    let left: Vec<&str> = left.into_iter().collect();
    (!left.is_empty()).then(|| {
        format!(
            "the Bedrock policies have no room for {}: {MOST_PARTS} policies of {MOST_CHARACTERS} characters, as many \
             as the keeper attaches to one target, are full",
            first_of(&left)
        )
    })
}

/// How many characters one Region takes of a Bedrock policy of the keeper's, without a comma behind it.
fn characters(guardrail: &Guardrail, region: &Region, source: &Source) -> usize {
    let Guardrail { owner, models: Models { include, exclude }, guarding, .. } = guardrail;
    let arn = match &source.selector {
        Selector::Arn(arn) => arn.to_string(),
        Selector::Name(_) => format!(
            "arn:{}:bedrock:{region}:{owner}:guardrail/{}",
            Partition::of(region),
            "x".repeat(GUARDRAIL_ID)
        ),
    };
    let include = match include {
        Included::All => json!(["ALL"]),
        Included::Only(models) => json!(models),
    };
    let text = json!({ region.as_str(): { "keeper": {
        "identifier": { "@@assign": format!("{arn}:{}", source.version) },
        "model_enforcement": {
            "included_models": { "@@assign": include },
            "excluded_models": { "@@assign": exclude },
        },
        "selective_content_guarding": {
            "system": { "@@assign": guarding.system.to_string() },
            "messages": { "@@assign": guarding.messages.to_string() },
        },
    } } });
    // Its own braces stand around other Regions as well.
    text.to_string().chars().count() - "{}".len()
}
