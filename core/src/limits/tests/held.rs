//! What a plan holds while its revision, or what moves and guardrails take away, is over its limits.

use super::*;

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
        let waits = plan(&changes).wait_for_approval(waiting, &records);
        assert_eq!((left(&waits), reasons(&waits)), (BTreeSet::new(), BTreeSet::from([why.to_owned()])));
        let put_back = plan(&changes).put_back(&earlier(), waiting, &records, &BTreeSet::new());
        assert_eq!(left(&put_back), BTreeSet::from([1, 5, 6]));
        assert_eq!(reasons(&put_back), BTreeSet::from([why.to_owned()]));
    }
}
