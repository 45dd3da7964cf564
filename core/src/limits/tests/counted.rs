//! What a plan counts as replaced, released, abandoned, moved or unusable.

use super::*;

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
            of(decision.clone()).put_back(&earlier(), &unapproved, &records, &BTreeSet::new()),
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
