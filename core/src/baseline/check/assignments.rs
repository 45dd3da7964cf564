//! Assignments: who gets which guardrail.

use std::collections::{BTreeMap, BTreeSet};

use super::super::keys::{self, NONE, or};
use super::super::part::{Fields, PlacedNode};
use super::super::problem::{Problems, TextPlace, lines, quoted};
use super::super::{
    Assignment, AssignmentTarget, EnforcementLevel, Existing, GuardrailKey, OrganizationAssignment,
};
use super::{Declared, report_no_account};
use crate::ids::ParentId;
use crate::words::nearest;

const EXAMPLE: &str = "write who gets which guardrail, as in [{targets: [r-exam], guardrail: corporate}]";
const TARGETS: &str = "write a list of accounts, OUs and roots, for example [ou-exam-workload]";
const TARGET: &str = "write an account's 12 digits, an OU (ou-…) or a root (r-…)";

/// The assignments that could be read, and where their targets stand.
pub(super) struct Assigned {
    pub(super) assignments: Vec<Assignment>,
    pub(super) organization_assignments: Vec<OrganizationAssignment>,
    pub(super) place: TextPlace,
    pub(super) places: BTreeMap<AssignmentTarget, TextPlace>,
    pub(super) organization_places: BTreeMap<AssignmentTarget, TextPlace>,
    /// The guardrails that the organization's level is to enforce, with where each assignment names them.
    pub(super) organization_guardrails: Vec<(GuardrailKey, TextPlace)>,
}

/// Reads them. What is declared is unknown where `guardrails` could not be read.
pub(super) fn assignments(
    fields: &Fields<'_>,
    declared: Option<&Declared<'_>>,
    problems: &mut Problems,
) -> Assigned {
    let mut assigned = Assigned {
        assignments: Vec::new(),
        organization_assignments: Vec::new(),
        place: fields.missing("assignments"),
        places: BTreeMap::new(),
        organization_places: BTreeMap::new(),
        organization_guardrails: Vec::new(),
    };
    let Some(part) = fields.required("assignments", EXAMPLE, problems) else { return assigned };
    assigned.place = part.place.clone();
    for item in part.items("a list of assignments", EXAMPLE, problems).unwrap_or_default() {
        assigned.add(&item, declared, problems);
    }
    assigned
}

impl Assigned {
    /// Reads one assignment, of either level.
    fn add(&mut self, part: &PlacedNode<'_>, declared: Option<&Declared<'_>>, problems: &mut Problems) {
        let Some(fields) = part.fields(keys::ASSIGNMENT, &[], problems) else { return };
        let level = fields
            .optional("level")
            .map_or(Some(EnforcementLevel::Account), |part| part.choice(keys::LEVELS, problems));
        // Where the level can't be read, nothing is said of what would be true of one of them alone.
        let places = match level {
            Some(EnforcementLevel::Account) => Some(&mut self.places),
            Some(EnforcementLevel::Organization) => Some(&mut self.organization_places),
            None => None,
        };
        let targets = fields.required("targets", TARGETS, problems);
        let targets = targets.map(|part| targets_of(part, places.unwrap_or(&mut BTreeMap::new()), problems));
        let guardrail = fields
            .required("guardrail", "write a guardrail of this document, or none", problems)
            .and_then(|part| Some((guardrail(part, declared, problems)?, part)));
        let existing = fields.optional("existing");
        match level {
            Some(EnforcementLevel::Account) => {
                let existing = existing_of(existing, guardrail.as_ref().map(|(key, _)| key), problems);
                if let (Some(targets), Some((guardrail, _)), Some(existing)) = (targets, guardrail, existing)
                {
                    self.assignments.push(Assignment { targets, guardrail, existing });
                }
            }
            Some(EnforcementLevel::Organization) => {
                if let Some(part) = existing {
                    problems.report(&part.place, NOTHING_EXISTING, "remove it");
                }
                match guardrail {
                    Some((None, part)) => problems.report(&part.place, NOTHING_INHERITED, NOT_ABOVE),
                    Some((Some(guardrail), part)) => {
                        self.organization_guardrails.push((guardrail.clone(), part.place.clone()));
                        self.organization_assignments
                            .extend(targets.map(|targets| OrganizationAssignment { targets, guardrail }));
                    }
                    None => {}
                }
            }
            None => {}
        }
    }
}

const NOTHING_EXISTING: &str = "existing has no effect with level: organization: a Bedrock policy that the keeper didn't \
                                make is never written";
const NOTHING_INHERITED: &str =
    "none is impossible with level: organization: what a Bedrock policy further up gives can't be taken away";
const NOT_ABOVE: &str = "remove it, and assign the guardrail to other OUs than those that are to have none";

/// What to do with a foreign configuration.
fn existing_of(
    part: Option<&PlacedNode<'_>>,
    guardrail: Option<&Option<GuardrailKey>>,
    problems: &mut Problems,
) -> Option<Existing> {
    let existing = part.map_or(Some(Existing::default()), |part| part.choice(keys::EXISTING, problems));
    if let (Some(None), Some(Existing::Adopt | Existing::Replace), Some(part)) = (guardrail, existing, part) {
        problems.report(
            &part.place,
            "existing has no effect with guardrail: none, which never takes over or replaces a foreign enforcement",
            "remove it; foreign enforcements are left alone",
        );
    }
    existing
}

/// `Some(None)` is `none`: unguarded on purpose.
fn guardrail(
    part: &PlacedNode<'_>,
    declared: Option<&Declared<'_>>,
    problems: &mut Problems,
) -> Option<Option<GuardrailKey>> {
    let instead = "write a guardrail of this document, or none to leave it unguarded on purpose";
    let text = part.text("a guardrail's name in this document", instead, problems)?;
    if text == NONE {
        return Some(None);
    }
    let Some(declared) = declared else { return text.parse().ok().map(Some) };
    if !declared.names.contains(&text) {
        let good = |name: &&str| name.parse::<GuardrailKey>().is_ok();
        let names = || declared.names.iter().copied().filter(good);
        let instead = match nearest(text, names().chain([NONE])) {
            Some(near) => format!("write {near}"),
            // Never `none` alone: that would unguard accounts that should be guarded.
            None if names().next().is_none() => "add it to guardrails".to_owned(),
            None => format!("write {}", or(names().chain([NONE]))),
        };
        let message = format!("no guardrail of this document is called {}", quoted(text));
        problems.report(&part.place, message, instead);
    }
    text.parse().ok().map(Some)
}

fn targets_of(
    part: &PlacedNode<'_>,
    places: &mut BTreeMap<AssignmentTarget, TextPlace>,
    problems: &mut Problems,
) -> BTreeSet<AssignmentTarget> {
    let mut targets = BTreeSet::new();
    let Some(items) = part.items("a list of targets", TARGETS, problems) else { return targets };
    if items.is_empty() {
        problems.report(&part.place, "the list is empty, so no account gets it", TARGETS);
    }
    for item in items {
        let Some(target) = target(&item, problems) else { continue };
        if let Some(first) = places.get(&target) {
            let message = format!("{target} is assigned twice, {}", lines(first, &item.place));
            problems.report(&item.place, message, "remove one");
            continue;
        }
        places.insert(target.clone(), item.place);
        targets.insert(target);
    }
    targets
}

fn target(part: &PlacedNode<'_>, problems: &mut Problems) -> Option<AssignmentTarget> {
    let text = part.text("a target", TARGET, problems)?;
    if let Ok(account) = text.parse() {
        return Some(AssignmentTarget::Account(account));
    }
    if let Ok(parent) = text.parse() {
        return Some(AssignmentTarget::Parent(parent));
    }
    if text.starts_with("o-") && !text.contains('/') {
        let message = format!("{} is an organization, and an assignment names a root instead", quoted(text));
        problems.report(&part.place, message, "write its root, r-…, to reach every account");
    } else if let Some(parent) = last_parent(text) {
        problems.report(&part.place, format!("{} is a path", quoted(text)), format!("write {parent}"));
    } else {
        report_no_target(part, text, problems);
    }
    None
}

fn report_no_target(part: &PlacedNode<'_>, text: &str, problems: &mut Problems) {
    if text.bytes().next().is_some_and(|b| b.is_ascii_digit()) {
        report_no_account(part, text, TARGET, problems);
    } else {
        problems.report(&part.place, format!("{} is no account, OU or root", quoted(text)), TARGET);
    }
}

/// Where a path or an ARN of Organizations ends: `o-…/r-…/ou-…/`.
fn last_parent(text: &str) -> Option<ParentId> {
    text.trim_end_matches('/').rsplit_once('/')?.1.parse().ok()
}
