//! What counts against the limits, and what is held when they are exceeded.

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

#[test]
fn replacements_and_releases_are_counted_and_repairs_are_not() {
    let changes = [
        replace(1, Ownership::Ours),
        replace(2, Ownership::Ours),
        replace(3, Ownership::Foreign),
        replace(4, Ownership::Foreign),
        release(5, None),
        release(6, None),
        enforce(7, false),
    ];
    // The first was put there by this very revision.
    let records = Records::from([(target(1), ours(1, REVISION)), (target(2), ours(1, EARLIER))]);
    let counted = Extent::of(&plan(&changes), &records, &revision());
    assert_eq!(counted, extent(3, 2));
    assert_eq!(counted.to_string(), "3 replaced, 2 released");
}

#[test]
fn what_is_ours_and_left_to_itself_counts_once() {
    let left = |number, reason| {
        let decision = Decision::LeftAlone(LeftAlone {
            reason,
            seen: Observation::Enforced(there()),
            would_abandon: false,
        });
        (target(number), decision)
    };
    let plan = Plan {
        decisions: [
            left(1, LeaveReason::Unassigned),
            left(2, LeaveReason::Excluded),
            left(3, LeaveReason::Foreign),
            // Nothing of ours is known there.
            left(4, LeaveReason::Unassigned),
            // It was left alone before.
            left(5, LeaveReason::Excluded),
            left(6, LeaveReason::Unassigned),
        ]
        .into(),
        ..Plan::default()
    };
    let checked = |state| {
        let checked = json!({ "at": "2026-11-30T08:00:00Z", "revision": EARLIER, "state": state, "reason": null,
            "drift": null, "event": null, "path": null });
        Some(serde_json::from_value(checked).unwrap())
    };
    let seen_as = |state| Record { checked: checked(state), ..ours(1, EARLIER) };
    // A write that was begun and never confirmed may be ours.
    let (to, at, revision_of_it) = (Some(enforcement(1)), Timestamp::UNIX_EPOCH, EARLIER.parse().unwrap());
    let begun = Intent { to, at, revision: revision_of_it, deed: None };
    let begun = Record { intent: Some(begun), ..Record::default() };
    let records = Records::from([
        (target(1), seen_as("in_sync")),
        (target(2), seen_as("held")),
        (target(3), ours(1, EARLIER)),
        (target(4), Record::default()),
        (target(5), seen_as("left_alone")),
        (target(6), begun),
    ]);
    let counted = Extent::of(&plan, &records, &revision());
    assert_eq!(counted, Extent { abandonments: 3, ..Extent::default() });
    // What was adopted and is handed back stays as well, and its maker may change it from then on.
    let handed_back = HandedBack { adopted: enforcement(1), seen: there() };
    let handing = Plan { handed_back: [(target(7), handed_back)].into(), ..plan.clone() };
    assert_eq!(Extent::of(&handing, &records, &revision()).abandonments, 4);
    assert_eq!(counted.to_string(), "0 replaced, 0 released, 3 abandoned");
    assert!(counted.is_within(limits(3)) && !counted.is_within(Limits { max_abandonments: 2, ..limits(9) }));
    assert_eq!(counted.plus(counted).abandonments, 6);
}

/// What a baseline in mode `audit`, or one that waits, leaves to itself is not abandoned by that: the next one counts it.
#[test]
fn what_would_be_abandoned_counts_when_it_is() {
    let alone = |reason| {
        Decision::LeftAlone(LeftAlone { reason, seen: Observation::Enforced(there()), would_abandon: false })
    };
    let of = |decision: Decision| Plan { decisions: [(target(1), decision)].into(), ..Plan::default() };
    let checked = |state: &str| {
        let checked = json!({ "at": "2026-11-30T08:00:00Z", "revision": EARLIER, "state": state, "reason": null,
            "drift": null, "event": null, "path": null });
        Record { checked: Some(serde_json::from_value(checked).unwrap()), ..ours(1, EARLIER) }
    };
    for (decision, record, marked) in [
        (alone(LeaveReason::Excluded), checked("in_sync"), true),
        (alone(LeaveReason::Unassigned), checked("held"), true),
        (alone(LeaveReason::Unassigned), checked("would_abandon"), true),
        // It was abandoned before, it isn't ours, or nothing is known of it.
        (alone(LeaveReason::Unassigned), checked("left_alone"), false),
        (alone(LeaveReason::Foreign), checked("in_sync"), false),
        (alone(LeaveReason::Excluded), Record::default(), false),
    ] {
        let records = Records::from([(target(1), record.clone())]);
        let unapproved = RevisionApproval::new(revision());
        for held in [
            of(decision.clone()).abandon_nothing(&records),
            of(decision.clone()).limit_part(&unapproved, &records),
            of(decision.clone()).put_back(&unapproved, &records),
        ] {
            let Decision::LeftAlone(left) = &held.decisions[&target(1)] else { panic!("{held:?}") };
            assert_eq!(left.would_abandon, marked, "{record:?}");
            // By whatever it was left so, it counts as long as nothing approved abandons it.
            assert_eq!(Extent::of(&held, &records, &revision()).abandonments, u32::from(marked));
        }
        let approved = of(decision.clone()).limit_part(&unapproved.approve(), &records);
        assert_eq!(approved, of(decision), "what is approved is abandoned");
    }
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
    assert_eq!(left(&plan(&changes).put_back(&waiting, &records)), BTreeSet::from([2]));
    let approved = waiting.approve();
    assert_eq!(left(&plan(&changes).limit_part(&approved, &records)), BTreeSet::from([1, 2]));
}

/// An account that moves to where nothing is assigned is abandoned by that: many of them are too many moves.
#[test]
fn a_move_to_where_nothing_is_assigned_counts_as_a_move() {
    let alone = |reason, would_abandon| {
        Decision::LeftAlone(LeftAlone { reason, seen: Observation::Enforced(there()), would_abandon })
    };
    let plan = Plan {
        decisions: [
            (target(1), alone(LeaveReason::Unassigned, false)),
            // It is listed by its id, wherever it stands.
            (target(2), alone(LeaveReason::Excluded, false)),
            // Nothing is abandoned by what isn't approved.
            (target(3), alone(LeaveReason::Unassigned, true)),
            // It did not move; the revision's own count has it.
            (target(4), alone(LeaveReason::Unassigned, false)),
            (target(5), alone(LeaveReason::Foreign, false)),
        ]
        .into(),
        ..Plan::default()
    };
    let records: Records = (1..=5).map(|number| (target(number), ours(1, REVISION))).collect();
    let has_moved =
        |stood: &OrgPath, moved: &Target| stood.to_string().starts_with(STOOD) && *moved != target(4);
    let counted = plan.extent_of_moves(&records, has_moved);
    assert_eq!(counted, Extent { abandonments: 1, ..Extent::default() });
    let reason = HoldReason::TooManyMoves { revision: revision() };
    let held = plan.clone().hold_moves(&reason, &records, has_moved);
    assert_eq!(reasons(&held), BTreeSet::from(["too_many_moves".to_owned()]));
    let others = |plan: &Plan| plan.decisions.iter().skip(1).map(|(_, it)| it.clone()).collect::<Vec<_>>();
    assert_eq!(others(&held), others(&plan));
    assert_eq!(held.extent_of_moves(&records, has_moved), Extent::default(), "what is held isn't done");
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

/// A target that waits for a grant of the same plan, after which this change is made.
fn once_granted(would: Change) -> Decision {
    let unusable = Unusable::NotGranted {
        resource: Box::new(Resource::Guardrail(enforcement(2).guardrail)),
        why: "no statement".to_owned(),
        being_mended: true,
        certain: true,
    };
    Decision::Held(Held { reason: HoldReason::Unusable { unusable }, would: Some(would) })
}

/// A copy that is written first, and enforced in the place of what is there.
fn copy(number: u32, from: Option<Enforcement>) -> Decision {
    let original = Published { guardrail: enforcement(2).guardrail, version: enforcement(2).version };
    let work = CopyWork { original, step: CopyStep::Create };
    let enforced = Enforced::of(&Observation::Absent, &target(number));
    Decision::Change(Change::EnsureCopy { target: target(number), key: key(), work, enforced, from })
}

/// A plan of one decision, which grants the guardrail.
fn with_its_grant(number: u32, decision: Decision) -> Plan {
    let change = granting(&enforcement(2).guardrail.to_string(), GrantPurpose::Grant);
    let to = Document::granting(&change.grant);
    let resource = change.grant.resource.clone();
    let grant = GrantDecision { action: GrantAction::Change(change), openings: Vec::new(), instead: to };
    Plan {
        decisions: [(target(number), decision)].into(),
        grants: [(resource, grant)].into(),
        ..Plan::default()
    }
}

#[test]
fn what_follows_a_grant_or_a_copy_counts_like_what_is_done_at_once() {
    // The first was put there by this very revision.
    let records = Records::from([(target(1), ours(1, REVISION)), (target(2), ours(1, EARLIER))]);
    let adopt = |number| Change::Adopt { target: target(number), key: key(), seen: there() };
    for (number, decision, counted) in [
        (1, once_granted(replace(1, Ownership::Ours)), extent(0, 0)),
        (2, once_granted(replace(2, Ownership::Ours)), extent(1, 0)),
        (3, once_granted(replace(3, Ownership::Ours)), extent(1, 0)),
        (2, once_granted(replace(2, Ownership::Foreign)), extent(1, 0)),
        (2, once_granted(adopt(2)), extent(1, 0)),
        (2, once_granted(release(2, None)), extent(0, 1)),
        (2, once_granted(enforce(2, false)), extent(0, 0)),
        // What this very revision put there is only mended by its copy.
        (1, copy(1, Some(enforcement(1))), extent(0, 0)),
        (2, copy(2, Some(enforcement(1))), extent(1, 0)),
        (3, copy(3, Some(enforcement(1))), extent(1, 0)),
        (2, copy(2, None), extent(0, 0)),
    ] {
        let plan = with_its_grant(number, decision.clone());
        assert_eq!(Extent::following(&plan, &records, &revision()), counted, "{decision:?}");
        // One change too many holds the whole of an unapproved revision, its grant included.
        let unapproved = RevisionApproval::new(revision());
        let goes_on = |most| plan.clone().limit(&unapproved, limits(most), &records) == plan;
        assert_eq!((goes_on(0), goes_on(1)), (counted == extent(0, 0), true), "{decision:?}");
    }
}

#[test]
fn repairs_are_told_from_what_a_revision_changes() {
    let records = Records::from([
        (target(1), ours(1, REVISION)),
        (target(2), ours(2, EARLIER)),
        (target(3), ours(1, EARLIER)),
    ]);
    let of_a_guardrail = |region: &str, account: &str, name: &str| {
        format!("arn:aws:bedrock:{region}:{account}:guardrail/{name}")
    };
    let of_a_profile = |region: &str, account: &str| {
        format!("arn:aws:bedrock:{region}:{account}:guardrail-profile/eu.guardrail.v1:0")
    };
    let owner = "222222222222";
    for (change, repairs) in [
        (replace(1, Ownership::Ours), true),
        (replace(2, Ownership::Ours), true),
        (replace(3, Ownership::Ours), false),
        (replace(4, Ownership::Ours), false),
        (replace(1, Ownership::Foreign), false),
        (enforce(1, true), true),
        (enforce(1, false), false),
        (release(1, Some(unreadable())), false),
        (release(1, None), false),
    ] {
        assert_eq!(is_repair(&change, &records, &revision()), repairs, "{change}");
    }
    for (change, repairs) in [
        (granting(&of_a_guardrail("eu-west-1", owner, "base"), GrantPurpose::Grant), true),
        (granting(&of_a_guardrail("eu-west-1", owner, "base"), GrantPurpose::Withdraw), false),
        (granting(&of_a_guardrail("eu-west-1", owner, "another"), GrantPurpose::Grant), false),
        (granting(&of_a_profile("eu-west-1", owner), GrantPurpose::Grant), true),
        (granting(&of_a_profile("us-east-1", owner), GrantPurpose::Grant), false),
        (granting(&of_a_profile("eu-west-1", "222222222223"), GrantPurpose::Grant), false),
    ] {
        assert_eq!(is_repair_of_a_grant(&change, &records), repairs, "{change}");
    }
}

#[test]
fn what_nobody_could_decide_counts_where_it_may_be_ours() {
    let decisions = [
        (held(HoldReason::Unreadable { failure: denied() }), true),
        (held(HoldReason::Unusable { unusable: unreadable() }), true),
        (
            Decision::LeftAlone(LeftAlone {
                reason: LeaveReason::Unreadable,
                seen: Observation::Unreadable(denied()),
                would_abandon: false,
            }),
            true,
        ),
        (
            Decision::LeftAlone(LeftAlone {
                reason: LeaveReason::Foreign,
                seen: Observation::Enforced(there()),
                would_abandon: false,
            }),
            false,
        ),
        (held(HoldReason::NotProven), false),
        (Decision::Change(enforce(1, false)), false),
    ];
    for (decision, undecided) in decisions {
        let plan = Plan { decisions: [(target(1), decision.clone())].into(), ..Plan::default() };
        let known = Records::from([(target(1), ours(1, EARLIER))]);
        let strange = Records::from([(target(1), Record::default()), (target(2), ours(1, EARLIER))]);
        assert_eq!(plan.leaves_ours_undecided(&known, true), undecided, "{decision:?}");
        assert!(!plan.leaves_ours_undecided(&strange, true), "{decision:?}: it isn't ours");
        // Where nothing is remembered, anything may be ours.
        assert_eq!(plan.leaves_ours_undecided(&strange, false), undecided, "{decision:?}");
        assert_eq!(plan.leaves_ours_undecided(&Records::new(), true), undecided, "{decision:?}");
    }
}

#[test]
fn only_what_would_be_released_because_it_cannot_be_used_counts_as_unusable() {
    let broken = |stays| Decision::Broken(Broken { seen: there(), unusable: unreadable(), stays });
    let mode = HoldReason::Mode { mode: crate::baseline::Mode::EnforceOnly };
    let too_many = HoldReason::TooManyUnusable { revision: revision(), releases: 9 };
    let version = (enforcement(1).guardrail, enforcement(1).version);
    for (decision, counts) in [
        (Decision::Change(release(1, Some(unreadable()))), true),
        (Decision::Change(release(1, None)), false),
        (Decision::Change(replace(1, Ownership::Ours)), false),
        (broken(Some(HoldReason::NotConfirmed)), true),
        (broken(Some(too_many)), true),
        (broken(Some(mode)), false),
        (broken(None), false),
        (held(HoldReason::Unusable { unusable: unreadable() }), false),
    ] {
        let plan = Plan { decisions: [(target(1), decision.clone())].into(), ..Plan::default() };
        let counted: BTreeSet<Version> = counts.then(|| version.clone()).into_iter().collect();
        assert_eq!(plan.unusable_versions(), counted, "{decision:?}");
    }
}

#[test]
fn a_version_that_may_not_be_released_holds_its_own_releases_alone() {
    let changes = [release(1, Some(unreadable())), release(2, None), replace(3, Ownership::Ours)];
    let asked = (enforcement(1).guardrail, enforcement(1).version);
    let may_be_released = plan(&changes).hold_unusable(|version| {
        assert_eq!(*version, asked);
        None
    });
    assert_eq!(may_be_released, plan(&changes));
    let held = plan(&changes).hold_unusable(|_| Some(HoldReason::NotConfirmed));
    assert_eq!(left(&held), BTreeSet::from([2, 3]));
    let Decision::Broken(broken) = &held.decisions[&target(1)] else { panic!("it is broken still") };
    assert_eq!(broken.stays, Some(HoldReason::NotConfirmed));
}

#[test]
fn what_accounts_lose_because_they_moved_is_counted_and_held() {
    let changes = [
        replace(1, Ownership::Ours),
        replace(2, Ownership::Ours),
        release(3, None),
        release(4, None),
        // No move explains these.
        replace(5, Ownership::Foreign),
        release(6, Some(unreadable())),
        enforce(7, true),
        release(8, None),
        release(9, None),
    ];
    let record = |number: u32| (target(number), ours(1, EARLIER));
    // Of the last but one nobody knows where it stood, and the last stands where it did.
    let records: Records = (1..=7).chain([9]).map(record).collect();
    let stood: OrgPath = STOOD.parse().unwrap();
    let has_moved = |path: &OrgPath, at: &Target| *path == stood && *at != target(9);
    let plan = plan(&changes);
    assert_eq!(plan.extent_of_moves(&records, has_moved), extent(2, 2));

    for reason in [HoldReason::TooManyMoves { revision: revision() }, HoldReason::LedgerUnavailable] {
        let held = plan.clone().hold_moves(&reason, &records, has_moved);
        assert_eq!(left(&held), BTreeSet::from([5, 6, 7, 8, 9]));
        assert_eq!(reasons(&held), BTreeSet::from([reason.code()]));
    }
    // More moves than a day's have to wait for somebody, a ledger only for itself.
    assert!(!HoldReason::TooManyMoves { revision: revision() }.is_worth_waiting());
    assert!(HoldReason::LedgerUnavailable.is_worth_waiting());
}

#[test]
fn a_part_waits_for_the_count_of_the_whole_and_then_for_its_approval() {
    let plan = plan(&[replace(1, Ownership::Ours), enforce(2, false), enforce(3, true)]);
    let records = Records::from([(target(1), ours(1, EARLIER))]);
    let unseen = RevisionApproval::new(revision());
    let counted = unseen.clone().count(extent(9, 0), allowing(limits(0)), NamedIds::default());
    for (approval, why) in [(&unseen, "not_counted"), (&counted, "not_approved")] {
        let limited = plan.clone().limit_part(approval, &records);
        assert_eq!(left(&limited), BTreeSet::from([3]), "repairs go on");
        assert_eq!(reasons(&limited), BTreeSet::from([why.to_owned()]));
    }
    assert_eq!(plan.clone().limit_part(&counted.approve(), &records), plan);
}

#[test]
fn what_cannot_be_counted_waits_for_the_ledger_though_it_is_approved() {
    let changes =
        [replace(1, Ownership::Ours), replace(2, Ownership::Ours), enforce(3, false), enforce(4, true)];
    // The first was put there by this very revision.
    let records = Records::from([(target(1), ours(1, REVISION)), (target(2), ours(1, EARLIER))]);
    for approval in [RevisionApproval::new(revision()), RevisionApproval::new(revision()).approve()] {
        let held = plan(&changes).hold_uncountable(&approval, &records);
        assert_eq!(left(&held), BTreeSet::from([1, 4]), "repairs go on");
        assert_eq!(reasons(&held), BTreeSet::from(["ledger_unavailable".to_owned()]));
    }
}

#[test]
fn what_was_approved_last_only_puts_back_and_guards() {
    let changes = [
        replace(1, Ownership::Ours),
        replace(2, Ownership::Ours),
        replace(3, Ownership::Ours),
        replace(4, Ownership::Foreign),
        enforce(5, false),
        enforce(6, true),
        release(7, None),
        release(8, Some(unreadable())),
    ];
    // The first was weakened since; the second would be moved on; of the third nothing is known.
    let records = Records::from([(target(1), ours(2, EARLIER)), (target(2), ours(1, EARLIER))]);
    let unseen = RevisionApproval::new(revision());
    let counted = unseen.clone().count(extent(9, 0), allowing(limits(0)), NamedIds::default());
    for (waiting, why) in [(&unseen, "not_counted"), (&counted, "not_approved")] {
        let put_back = plan(&changes).put_back(waiting, &records);
        assert_eq!(left(&put_back), BTreeSet::from([1, 5, 6]));
        assert_eq!(reasons(&put_back), BTreeSet::from([why.to_owned()]));
    }
}
