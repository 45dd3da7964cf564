//! What counts against the limits, and what is held when they are exceeded.

mod counted;
mod held;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::baseline::{GuardrailKey, NamedIds};
use crate::copy::{CopyStep, Enforced, Published};
use crate::enforcement::{Enforcement, Guarding, Models};
use crate::failure::{Category, Failure};
use crate::ids::GuardrailVersion;
use crate::observed::{Observation, Seen};
use crate::plan::{Broken, GrantAction, GrantDecision, HandedBack};
use crate::record::{Intent, Origin, Ours, Record};
use crate::resolved::{CopyWork, Unusable};
use crate::resource_policy::{Document, Grant};

const REVISION: &str = "fedcba9876543210";
const EARLIER: &str = "0123456789abcdef";
const STOOD: &str = "o-exampleorgid/r-exam/ou-exam-workload";
const DAY: i64 = 86_400;
/// Any moment that isn't the beginning of time.
const NOW: i64 = 1_790_000_000;

fn revision() -> Revision {
    REVISION.parse().unwrap()
}

fn earlier() -> Revision {
    EARLIER.parse().unwrap()
}

fn limits(most: u32) -> Limits {
    Limits { max_replacements: most, max_releases: most, max_abandonments: most }
}

/// These limits, and no ceilings.
fn allowing(limits: Limits) -> Allowance {
    Allowance { limits, ceilings: Ceilings::default(), now: NOW }
}

fn extent(replacements: u32, releases: u32) -> Extent {
    Extent { replacements, releases, abandonments: 0 }
}

fn target(number: u32) -> Target {
    format!("30000000000{number}/eu-west-1").parse().unwrap()
}

fn enforcement(version: u32) -> Enforcement {
    Enforcement {
        guardrail: "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base".parse().unwrap(),
        version: GuardrailVersion::new(version).unwrap(),
        models: Models::default(),
        guarding: Guarding::default(),
    }
}

fn key() -> GuardrailKey {
    "corporate".parse().unwrap()
}

fn there() -> Seen {
    Seen {
        config_id: Some("cfg1".parse().unwrap()),
        enforcement: enforcement(1),
        created_by: None,
        updated_by: None,
    }
}

fn denied() -> Failure {
    Failure::new(Category::Denied, "List", "no")
}

fn unreadable() -> Unusable {
    Unusable::Unreadable { failure: denied() }
}

fn enforce(number: u32, repair: bool) -> Change {
    Change::Enforce { target: target(number), key: key(), to: enforcement(2), copied: None, repair }
}

fn replace(number: u32, ownership: Ownership) -> Change {
    let (target, key, from, to) = (target(number), key(), there(), enforcement(2));
    Change::Replace { target, key, from, to, copied: None, drift: Drift::Different, ownership }
}

fn release(number: u32, broken: Option<Unusable>) -> Change {
    Change::Release { target: target(number), from: there(), broken, adopted: false }
}

fn granting(resource: &str, purpose: GrantPurpose) -> GrantChange {
    let organization = "o-exampleorgid".parse().unwrap();
    let grant = Grant { resource: resource.parse().unwrap(), organization };
    GrantChange { grant, purpose, from: None, to: None }
}

/// What was ours, as an earlier revision left it.
fn ours(version: u32, revision: &str) -> Record {
    let ours = Ours {
        enforcement: enforcement(version),
        origin: Origin::Applied,
        at: Timestamp::UNIX_EPOCH,
        revision: revision.parse().unwrap(),
        path: Some(STOOD.parse().unwrap()),
        reads_back: None,
    };
    Record { ours: Some(ours), ..Record::default() }
}

/// A plan of these changes, of which each has a target of its own.
fn plan(changes: &[Change]) -> Plan {
    let decided = |change: &Change| (change.target().clone(), Decision::Change(change.clone()));
    Plan { decisions: changes.iter().map(decided).collect(), ..Plan::default() }
}

fn held(reason: HoldReason) -> Decision {
    Decision::Held(Held { reason, would: None })
}

/// The targets of what is left to do, by the last digit of their accounts.
fn left(plan: &Plan) -> BTreeSet<u32> {
    let target = |change: &Change| change.target().account.as_str()[11..].parse().ok();
    plan.changes().filter_map(target).collect()
}

fn reasons(plan: &Plan) -> BTreeSet<String> {
    let code = |decision: &Decision| match decision {
        Decision::Held(held) => Some(held.reason.code()),
        _ => None,
    };
    plan.decisions.values().filter_map(code).collect()
}

#[test]
fn a_revision_within_its_limits_is_approved_by_being_counted() {
    let counted =
        RevisionApproval::new(revision()).count(extent(2, 2), allowing(limits(2)), NamedIds::default());
    assert_eq!(
        counted,
        RevisionApproval {
            approved: true,
            counted: Some(extent(2, 2)),
            unreviewed: counted.unreviewed.clone(),
            ..RevisionApproval::new(revision())
        }
    );
    for over in [extent(3, 0), extent(0, 3)] {
        let counted = RevisionApproval::new(revision()).count(over, allowing(limits(2)), NamedIds::default());
        assert_eq!(counted, RevisionApproval { counted: Some(over), ..RevisionApproval::new(revision()) });
        // What somebody approved stays approved, whatever a count says.
        assert!(counted.approve().count(over, allowing(limits(2)), NamedIds::default()).approved);
    }
}

#[test]
fn a_revision_that_waits_because_of_accounts_without_a_place_is_counted_again() {
    let count = |approval: RevisionApproval, changes, unplaced| {
        let counted = approval.count(changes, allowing(limits(2)), NamedIds::default());
        RevisionApproval { unplaced, ..counted }
    };
    let new = RevisionApproval::new(revision());
    assert!(new.is_to_be_counted());
    let waits = RevisionApproval { told: true, ..count(new.clone(), extent(3, 0), 1) };
    assert!(!waits.approved && waits.is_to_be_counted());
    // With every account at its place it waits for a person, and within its limits it doesn't wait: that is told.
    let over = count(waits.clone(), extent(3, 0), 0);
    assert!(!over.approved && !over.is_to_be_counted() && over.told);
    let within = count(waits.clone(), extent(2, 0), 0);
    assert!(within.approved && !within.is_to_be_counted() && !within.told);
    // What is approved isn't counted again, whoever lacks a place.
    assert!(!count(new, extent(2, 0), 1).is_to_be_counted());
    assert!(!waits.approve().is_to_be_counted());
}

#[test]
fn a_revision_that_names_nobody_is_approved_by_a_person_alone() {
    let nobody: NamedIds = serde_json::from_value(serde_json::json!(["ou-exam-sandobx1"])).unwrap();
    let counted = RevisionApproval::new(revision()).count(extent(0, 0), allowing(limits(2)), nobody.clone());
    assert!(!counted.approved);
    let change = enforce(1, false);
    let held = plan(std::slice::from_ref(&change)).limit(&counted, limits(2), &Records::new());
    assert_eq!((left(&held), reasons(&held)), (BTreeSet::new(), ["not_approved".to_owned()].into()));
    let held = plan(std::slice::from_ref(&change)).limit_part(&counted, &Records::new());
    assert_eq!(left(&held), BTreeSet::new());
    let approved = counted.approve();
    assert_eq!(left(&plan(&[change]).limit(&approved, limits(2), &Records::new())), BTreeSet::from([1]));
    // Once it is approved, an account that leaves doesn't take that back.
    assert!(approved.count(extent(0, 0), allowing(limits(2)), nobody).approved);
}

#[test]
fn an_approval_lets_moves_count_anew_and_changes_nothing_else() {
    let before = RevisionApproval {
        done: extent(1, 2),
        counted: Some(extent(3, 4)),
        moved: Moved { since: NOW, extent: extent(5, 6) },
        ..RevisionApproval::new(revision())
    };
    let approved =
        RevisionApproval { approved: true, moved: Moved::default(), approvals: 1, ..before.clone() };
    assert_eq!(before.approve(), approved);
}

/// What a revision may change that comes after others: of what it changes itself, whether it begins without a person.
#[test]
fn small_revisions_of_one_day_add_up_to_the_ceilings() {
    let ceilings = Ceilings { max_replacements: Some(10), max_releases: Some(2), max_abandonments: None };
    let abandoned = |abandonments| Extent { abandonments, ..extent(0, 0) };
    let mut known: Option<RevisionApproval> = None;
    // Each step: when, the limits of the document, what it changes, whether a person approves it before it is counted;
    // whether it begins then, and which changes of the ones before it make it wait.
    for (number, after, most, changes, by_a_person, begins, earlier) in [
        (1, 0, 50, extent(6, 1), false, true, extent(0, 0)),
        (2, 60, 50, extent(5, 0), false, false, extent(6, 1)),
        (3, 120, 50, extent(4, 1), false, true, extent(0, 0)),
        (4, 180, 50, extent(0, 1), false, false, extent(10, 2)),
        (5, 240, 50, extent(0, 0), false, true, extent(0, 0)),
        // Where the deployment sets no ceiling, each revision has its own limits.
        (6, 300, 50, abandoned(50), false, true, extent(0, 0)),
        (7, 300, 50, abandoned(50), false, true, extent(0, 0)),
        (8, 300, 49, abandoned(50), false, false, extent(0, 0)),
        // What a person approved counts against nobody.
        (9, 360, 50, extent(500, 500), true, true, extent(0, 0)),
        (10, DAY - 1, 50, extent(1, 0), false, false, extent(10, 2).plus(abandoned(100))),
        // A day after the first one, that one counts no more.
        (11, DAY, 50, extent(6, 1), false, true, extent(0, 0)),
        (12, DAY + 60, 50, extent(1, 0), false, false, extent(10, 2).plus(abandoned(100))),
    ] {
        let revision: Revision = format!("{number:016x}").parse().unwrap();
        let mut approval = RevisionApproval::of(known.take(), &revision);
        if by_a_person {
            approval = approval.approve();
        }
        let allowance = Allowance { limits: limits(most), ceilings, now: NOW + after };
        let counted = approval.count(changes, allowance, NamedIds::default());
        assert_eq!((counted.approved, counted.earlier), (begins, earlier), "{number}");
        // Counted once more, it doesn't stand in its own way.
        let again = counted.clone().count(changes, allowance, NamedIds::default());
        assert_eq!(again, counted, "{number}");
        known = Some(again);
    }
}

/// A new revision is a new one in everything but in what is counted over a day.
#[test]
fn a_new_revision_begins_no_new_day() {
    let mut before = RevisionApproval::new(EARLIER.parse().unwrap()).count(
        extent(2, 1),
        allowing(limits(2)),
        NamedIds::default(),
    );
    assert!(before.admit_moves(extent(1, 1), limits(2), NOW));
    let next = RevisionApproval::of(Some(before.clone().approve()), &revision());
    let unreviewed = before.unreviewed.clone();
    assert_eq!(
        next,
        RevisionApproval { unreviewed, ..RevisionApproval::new(revision()) },
        "moves were approved"
    );
    let mut next = RevisionApproval::of(Some(before.clone()), &revision());
    assert!(!next.admit_moves(extent(2, 0), limits(2), NOW + 60), "the author can't let moves count anew");
    assert_eq!(RevisionApproval::of(Some(before.clone()), &before.revision), before);
    assert_eq!(RevisionApproval::of(None, &revision()), RevisionApproval::new(revision()));
}

/// A person's approval is taken over once, in the order in which they were given; one that doesn't count takes nothing.
#[test]
fn approvals_are_taken_over_once_and_in_their_order() {
    let given = |version, second, verdict| GivenApproval {
        version,
        at: Timestamp::from_second(second).unwrap(),
        approver: None,
        authors: Vec::new(),
        verdict,
    };
    let (counts, by_its_author) = (ApprovalVerdict::Counts, ApprovalVerdict::ByItsAuthor);
    let counted =
        RevisionApproval::new(revision()).count(extent(9, 0), allowing(limits(2)), NamedIds::default());
    let mut approval = RevisionApproval { told: true, ..counted };
    // What comes; whether the revision is approved then, how often, whether that is published, and what is refused.
    for (step, given, approved, approvals, told, refused) in [
        (1, given(4, 100, by_its_author), false, 0, false, true),
        // The same once more, and one from before.
        (2, given(4, 100, by_its_author), false, 0, true, true),
        (3, given(3, 99, counts), false, 0, true, true),
        // By then the deployment takes an author's approval: the same one counts.
        (4, given(4, 100, counts), true, 1, false, false),
        (5, given(4, 100, counts), true, 1, true, false),
        // It isn't taken back by one that doesn't count, nor by the same once the deployment doesn't take it.
        (6, given(5, 200, by_its_author), true, 1, true, false),
        (7, given(4, 100, by_its_author), true, 1, true, false),
        // Another approval of the same revision covers what was found since; nobody waits for it to be published.
        (8, given(6, 300, counts), true, 2, true, false),
        // The parameter was deleted, and begins with version 1 again.
        (9, given(1, 400, counts), true, 3, true, false),
        (10, given(6, 300, counts), true, 3, true, false),
    ] {
        approval = approval.take_over(&given);
        let is = (approval.approved, approval.approvals, approval.told, approval.refused().is_some());
        assert_eq!(is, (approved, approvals, told, refused), "{step}");
        approval.told = true;
    }
}

/// What an earlier release wrote is read, and what it approved stays approved.
#[test]
fn an_approval_of_an_earlier_release_is_read() {
    let text = format!(
        r#"{{"revision":"{REVISION}","approved":true,"done":{{"replacements":1,"releases":0}},
            "counted":{{"replacements":60,"releases":0}},"approvals":1}}"#
    );
    let read: RevisionApproval = serde_json::from_str(&text).unwrap();
    let expected = RevisionApproval {
        approved: true,
        done: extent(1, 0),
        counted: Some(extent(60, 0)),
        approvals: 1,
        ..RevisionApproval::new(revision())
    };
    assert_eq!(read, expected);
}

#[test]
fn moves_of_one_day_count_together() {
    let mut approval = RevisionApproval::new(revision());
    assert!(approval.admit_moves(extent(2, 1), limits(3), NOW));
    assert_eq!(approval.moved, Moved { since: NOW, extent: extent(2, 1) });
    // One second less than a day later they are still the same moves, and these would be too many.
    assert!(!approval.admit_moves(extent(0, 3), limits(3), NOW + DAY - 1));
    assert_eq!(approval.moved, Moved { since: NOW, extent: extent(2, 1) }, "nothing is set aside");
    assert!(approval.admit_moves(extent(1, 2), limits(3), NOW + DAY - 1));
    assert_eq!(approval.moved, Moved { since: NOW, extent: extent(3, 3) });
    // What changes nothing is let through whatever the limits say.
    assert!(approval.admit_moves(Extent::default(), limits(0), NOW + DAY - 1));
    assert!(!approval.admit_moves(extent(0, 1), limits(3), NOW + DAY - 1));
    // A day after the first one they begin to count anew.
    assert!(approval.admit_moves(extent(0, 3), limits(3), NOW + DAY));
    assert_eq!(approval.moved, Moved { since: NOW + DAY, extent: extent(0, 3) });
    // Counted by a clock that was days ahead of ours.
    assert!(approval.admit_moves(extent(1, 0), limits(3), NOW - DAY));
    assert_eq!(approval.moved, Moved { since: NOW - DAY, extent: extent(1, 0) });
}

/// Whoever braked with `mode: audit` and took an account out does not get the enforcement back by a revision that
/// nobody has approved.
#[test]
fn what_somebody_braked_is_put_back_by_what_is_approved_alone() {
    let removed = Record { would_abandon: true, ..ours(1, EARLIER) };
    let records = Records::from([(target(1), removed), (target(2), ours(1, EARLIER))]);
    let changes = [enforce(1, true), enforce(2, true)];
    let waiting = RevisionApproval::new(revision());
    assert_eq!(left(&plan(&changes).limit_part(&waiting, &records)), BTreeSet::from([2]));
    assert_eq!(
        left(&plan(&changes).put_back(&earlier(), &waiting, &records, &BTreeSet::new())),
        BTreeSet::from([2])
    );
    let approved = waiting.approve();
    assert_eq!(left(&plan(&changes).limit_part(&approved, &records)), BTreeSet::from([1, 2]));
}

/// An account that moved to where a revision assigns nothing, and came back, is guarded by that revision as before: what
/// it left to itself meanwhile, no other one did.
#[test]
fn what_a_revision_left_alone_itself_is_put_back_by_it() {
    let removed = Record { would_abandon: true, left_by: Some(earlier()), ..ours(1, EARLIER) };
    let records = Records::from([(target(1), removed)]);
    let changes = [enforce(1, true)];
    let waiting = RevisionApproval::new(revision());
    assert_eq!(
        left(&plan(&changes).put_back(&earlier(), &waiting, &records, &BTreeSet::new())),
        BTreeSet::from([1])
    );
    assert_eq!(
        left(&plan(&changes).put_back(&revision(), &waiting, &records, &BTreeSet::new())),
        BTreeSet::new()
    );
    assert_eq!(left(&plan(&changes).limit_part(&waiting, &records)), BTreeSet::new());
    let itself = RevisionApproval::new(earlier());
    assert_eq!(left(&plan(&changes).limit_part(&itself, &records)), BTreeSet::from([1]));
}

#[test]
fn a_baseline_can_only_lower_what_the_deployment_allows() {
    let limits = Limits { max_replacements: 10, max_releases: 10, max_abandonments: 10 };
    assert_eq!(limits.at_most(Ceilings::default()), limits);
    let ceilings = Ceilings { max_replacements: Some(3), max_releases: Some(20), max_abandonments: Some(0) };
    let lower = Limits { max_replacements: 3, max_releases: 10, max_abandonments: 0 };
    assert_eq!(limits.at_most(ceilings), lower);
    let changed = Extent { replacements: 2, releases: 21, abandonments: 1 };
    let left = Ceilings { max_replacements: Some(1), max_releases: Some(0), max_abandonments: Some(0) };
    assert_eq!((ceilings.less(changed), Ceilings::default().less(changed)), (left, Ceilings::default()));
}
