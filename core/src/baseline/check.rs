//! Walks the document once and reports everything that is wrong with it.
//!
//! A part that can't be read is left out and everything else is checked all the same: whether the
//! result may be used is decided once, by whether anything was reported.

mod arn;
mod assignments;
mod copy;
mod guardrail;
mod models;
mod organization_level;
mod regions;

use std::collections::BTreeMap;

use super::document::Node;
use super::keys::Format;
use super::part::{Fields, PlacedNode};
use super::problem::{Problems, TextPlace, lines, quoted};
use super::{
    AssignmentTarget, Baseline, Guardrail, GuardrailKey, LARGEST_LIMIT, Limits, Mode, ProblemPlaces,
    Revision, keys,
};
use crate::ids::{AccountId, OrganizationId};
use guardrail::ReadGuardrail;

const OWNER: &str =
    "write the 12 digits of the account that owns the guardrails, for example \"222222222222\"";

/// Checks the whole document. The result may be used only when nothing was reported.
pub(super) fn baseline(root: &Node, revision: Revision, problems: &mut Problems) -> Option<Baseline> {
    let root = PlacedNode::root(root);
    let fields = root.fields(keys::BASELINE, keys::BASELINE_MISTAKES, problems)?;
    let format = format_version(&fields, problems);
    let organization = organization(&fields, problems);
    let owner = fields
        .required("owner", OWNER, problems)
        .and_then(|part| Some((account(part, OWNER, problems)?, part.place.clone())));
    let mode = fields.optional("mode").map_or(Some(Mode::Sync), |part| part.choice(keys::MODES, problems));
    let declared = guardrails(&fields, owner.as_ref().map(|(owner, _)| owner), format, problems);
    let assigned = assignments::assignments(&fields, declared.as_ref(), problems);
    if let Some(declared) = &declared {
        organization_level::refuse_impossible(&assigned.organization_guardrails, declared, problems);
    }
    let exclude =
        fields.optional("exclude").map(|part| accounts(part, EXCLUDED, problems)).unwrap_or_default();
    refuse_excluded_and_assigned(&exclude, &assigned.places, NEVER_GETS, problems);
    refuse_excluded_and_assigned(&exclude, &assigned.organization_places, GETS_IT_ALL_THE_SAME, problems);
    let accept_unproven = fields.optional("accept_unproven");
    let accepted = accept_unproven.map(|part| accounts(part, ACCEPTED, problems)).unwrap_or_default();
    let limits = fields.optional("limits").map_or(Some(Limits::default()), |part| limits(part, problems));

    let (organization, organization_place) = organization?;
    let (owner, owner_place) = owner?;
    let declared = declared?;
    Some(Baseline {
        revision,
        organization,
        owner,
        mode: mode?,
        guardrails: declared.guardrails,
        assignments: assigned.assignments,
        organization_assignments: assigned.organization_assignments,
        accept_unproven: accepted.keys().cloned().collect(),
        exclude: exclude.keys().cloned().collect(),
        limits: limits?,
        places: ProblemPlaces {
            organization: organization_place,
            owner: owner_place,
            guardrails: declared.places,
            guardrail_owners: declared.owner_places,
            assignments: assigned.place,
            targets: assigned.places,
            organization_targets: assigned.organization_places,
            exclude,
            accept_unproven: accept_unproven.map(|part| part.place.clone()),
            accepted,
        },
    })
}

/// The format of the document. Where it is missing or not known, the rest is read as the present one.
fn format_version(fields: &Fields<'_>, problems: &mut Problems) -> Format {
    let read = |problems: &mut Problems| {
        let instead = "write version: 2";
        let part = fields.required("version", instead, problems)?;
        let text = part.text("the number of the format", instead, problems)?;
        let known = keys::FORMATS.iter().find(|(word, _)| *word == text).map(|(_, format)| *format);
        if known.is_none() {
            problems.report(&part.place, format!("{} is not a format known here", quoted(text)), instead);
        }
        known
    };
    read(problems).unwrap_or(Format::Two)
}

fn organization(fields: &Fields<'_>, problems: &mut Problems) -> Option<(OrganizationId, TextPlace)> {
    let instead =
        "write the id that `aws organizations describe-organization` shows, for example o-exampleorgid";
    let part = fields.required("organization", instead, problems)?;
    Some((part.id("an organization's id", instead, problems)?, part.place.clone()))
}

/// An account, quoted or not: as text it keeps its leading zeros.
fn account(part: &PlacedNode<'_>, instead: &str, problems: &mut Problems) -> Option<AccountId> {
    let text = part.text("an account id", instead, problems)?;
    let account = text.parse().ok();
    if account.is_none() {
        report_no_account(part, text, instead, problems);
    }
    account
}

fn report_no_account(part: &PlacedNode<'_>, text: &str, instead: &str, problems: &mut Problems) {
    let digits: String = text.chars().filter(|c| !matches!(c, '-' | ' ')).collect();
    if digits.parse::<AccountId>().is_ok() {
        let message = format!("{} is an account id with separators", quoted(text));
        problems.report(&part.place, message, format!("write \"{digits}\""));
    } else {
        problems.report(&part.place, format!("{} is not an account id", quoted(text)), instead);
    }
}

/// The guardrails that could be read, and the names of all that are declared.
struct Declared<'a> {
    guardrails: BTreeMap<GuardrailKey, Guardrail>,
    names: Vec<&'a str>,
    places: BTreeMap<GuardrailKey, TextPlace>,
    /// Where a guardrail names its own owner.
    owner_places: BTreeMap<GuardrailKey, TextPlace>,
    /// Those that are written to be copied into members, whether or not the rest could be read.
    copied: BTreeMap<GuardrailKey, copy::WantsCopies>,
}

fn guardrails<'a>(
    fields: &Fields<'a>,
    owner: Option<&AccountId>,
    format: Format,
    problems: &mut Problems,
) -> Option<Declared<'a>> {
    let instead = "write each guardrail under a name of your choice, or {} for none";
    let part = fields.required("guardrails", instead, problems)?;
    let entries = part.entries("a mapping of guardrails", instead, problems)?;
    let mut declared = Declared {
        guardrails: BTreeMap::new(),
        names: Vec::new(),
        places: BTreeMap::new(),
        owner_places: BTreeMap::new(),
        copied: BTreeMap::new(),
    };
    let mut seen = regions::SeenRegions::default();
    for (key, part) in &entries {
        declared.names.push(key.text);
        let name: Option<GuardrailKey> = key.text.parse().ok();
        if key.text == keys::NONE {
            let message = "`none` means no guardrail in assignments, so no guardrail can have that name";
            problems.report(&key.place, message, "choose another name");
        } else if name.is_none() {
            let message = format!("{} can't name a guardrail in this document", quoted(key.text));
            problems.report(&key.place, message, "write 1 to 64 of a-z, 0-9, `-` and `_`");
        }
        if let (Some(name), Some(copies)) = (&name, copy::asked_for(part)) {
            declared.copied.insert(name.clone(), copies);
        }
        let guardrail = guardrail::guardrail(part, owner, format, &mut seen, problems);
        if let (Some(name), Some(ReadGuardrail { guardrail, owner_place })) = (name, guardrail) {
            declared.places.insert(name.clone(), key.place.clone());
            declared.owner_places.extend(owner_place.map(|place| (name.clone(), place)));
            declared.guardrails.insert(name, guardrail);
        }
    }
    seen.refuse_two_partitions(problems);
    Some(declared)
}

/// What a list of accounts is for, in words, and what to write where an item is no account.
#[derive(Clone, Copy)]
struct AccountList {
    purpose: &'static str,
    instead: &'static str,
}

const EXCLUDED: AccountList = AccountList {
    purpose: "excluded",
    instead: "write an account's 12 digits; to leave out an OU, assign it `guardrail: none`",
};
const ACCEPTED: AccountList = AccountList {
    purpose: "accepted",
    instead: "write the 12 digits of each account that need not prove it",
};

fn accounts(
    part: &PlacedNode<'_>,
    list: AccountList,
    problems: &mut Problems,
) -> BTreeMap<AccountId, TextPlace> {
    let instead = "write a list of account ids, for example [\"333333333333\"]";
    let mut listed: BTreeMap<AccountId, TextPlace> = BTreeMap::new();
    for item in part.items("a list of accounts", instead, problems).unwrap_or_default() {
        let Some(account) = account(&item, list.instead, problems) else { continue };
        match listed.get(&account) {
            Some(first) => {
                let message = format!("{account} is {} twice, {}", list.purpose, lines(first, &item.place));
                problems.report(&item.place, message, "remove one");
            }
            None => {
                listed.insert(account, item.place);
            }
        }
    }
    listed
}

/// What is wrong with an assignment of an excluded account: on the account's level, and on the organization's.
const NEVER_GETS: &str = "so it would never get this";
const GETS_IT_ALL_THE_SAME: &str = "and a Bedrock policy would guard it all the same";

fn refuse_excluded_and_assigned(
    exclude: &BTreeMap<AccountId, TextPlace>,
    targets: &BTreeMap<AssignmentTarget, TextPlace>,
    consequence: &str,
    problems: &mut Problems,
) {
    for (account, excluded) in exclude {
        if let Some(target) = targets.get(&AssignmentTarget::Account(account.clone())) {
            let line = excluded.position.line;
            let message = format!("{account} is excluded on line {line}, {consequence}");
            problems.report(target, message, "remove it here or there");
        }
    }
}

fn limits(part: &PlacedNode<'_>, problems: &mut Problems) -> Option<Limits> {
    let fields = part.fields(keys::LIMITS, &[], problems)?;
    let default = Limits::default();
    let mut read = |key, default| fields.optional(key).map_or(Some(default), |part| limit(part, problems));
    let max_replacements = read("max_replacements", default.max_replacements);
    let max_releases = read("max_releases", default.max_releases);
    let max_abandonments = read("max_abandonments", default.max_abandonments);
    Some(Limits {
        max_replacements: max_replacements?,
        max_releases: max_releases?,
        max_abandonments: max_abandonments?,
    })
}

fn limit(part: &PlacedNode<'_>, problems: &mut Problems) -> Option<u32> {
    let instead = format!("write a number from 1 to {LARGEST_LIMIT}");
    let text = part.text("a number", &instead, problems)?;
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match digits.then(|| text.parse().unwrap_or(u32::MAX)) {
        Some(0) => {
            let message = "with zero, every change of this kind waits for an approval";
            let instead = "write at least 1, or mode: audit to write nothing at all";
            problems.report(&part.place, message, instead);
        }
        Some(number) if number <= LARGEST_LIMIT => return Some(number),
        Some(_) => {
            let message = format!("{} is more than any organization has", quoted(text));
            problems.report(&part.place, message, instead);
        }
        None => {
            problems.report(&part.place, format!("{} is not a number of targets", quoted(text)), instead);
        }
    }
    None
}
