//! What somebody else made: kept, adopted or replaced; and what was adopted: repaired, released with an
//! approval only, or handed back.

use super::*;
use crate::limits::{Allowance, Approval, ApprovalVerdict, Ceilings, GivenApproval};
use crate::organization::OrgPath;
use crate::record::Awaited;

const REVISION: &str = "fedcba9876543210";
const STOOD: &str = "o-exampleorgid/r-exam/ou-exam-workload/";

/// The record of what was adopted.
pub(super) fn adopted(enforcement: Enforcement) -> Record {
    let record = recorded(enforcement);
    let ours = record.ours.map(|ours| Ours { origin: Origin::Adopted, path: STOOD.parse().ok(), ..ours });
    Record { ours, ..record }
}

/// What can be seen where something was adopted.
pub(super) fn adopted_sights() -> Vec<(&'static str, Observation, Record)> {
    let equal = || enforcement("base", 2);
    let ours = || adopted(equal());
    vec![
        ("adopted", seen(equal(), Some(ADMIN), Some(ADMIN)), ours()),
        ("adopted, nobody told", seen(equal(), None, None), ours()),
        ("adopted, old", seen(enforcement("base", 1), None, Some(ADMIN)), adopted(enforcement("base", 1))),
        ("adopted, changed", seen(enforcement("other", 7), None, Some(ADMIN)), ours()),
        ("adopted, by us after all", seen(equal(), Some(MEMBER_ROLE), Some(ADMIN)), ours()),
        ("adopted, removed", Observation::Absent, ours()),
    ]
}

/// What can be seen where nothing is known of anything of ours.
fn foreign_sights() -> Vec<(&'static str, Observation, Record)> {
    vec![
        ("equal", seen(enforcement("base", 2), None, Some(ADMIN)), Record::default()),
        ("equal, nobody told", seen(enforcement("base", 2), None, None), Record::default()),
        (
            "equal, only intended",
            seen(enforcement("base", 2), None, Some(ADMIN)),
            intended(enforcement("base", 2)),
        ),
        ("other", seen(enforcement("other", 7), None, Some(ADMIN)), Record::default()),
    ]
}

fn planned(desired: &ResolvedTarget, seen: &Observation, record: &Record) -> Plan {
    let roles = own_roles();
    let (resolved, observed) =
        (Resolved::from([(target(), desired.clone())]), Observed::from([(target(), seen.clone())]));
    plan(&resolved, &observed, &Records::from([(target(), record.clone())]), context(&roles))
}

#[track_caller]
fn check_existing(desired: impl Fn(Existing) -> ResolvedTarget, expected: &Expect) {
    let mut text = String::new();
    for existing in [Existing::Keep, Existing::Adopt, Existing::Replace] {
        text += &format!("{existing:?}\n");
        for (name, seen, record) in foreign_sights().into_iter().chain(adopted_sights()) {
            let plan = planned(&desired(existing), &seen, &record);
            let words = in_words(&plan.decisions[&target()]);
            let back: String = plan.handed_back.values().map(|it| format!("{it}; ")).collect();
            text += &format!("  {name:<25}| {back}{words}\n").replace("300000000001/eu-west-1 ", "");
        }
    }
    expected.assert_eq(&text.replace("arn:aws:sts::300000000001:assumed-role/Admin/alice", "alice"));
}

#[test]
fn table_for_what_others_made_and_a_guardrail_is_wanted() {
    check_existing(
        |existing| wanted(None, existing, OnUnusable::Keep),
        &expect![[r#"
            Keep
              equal                    | in sync: made by alice, kept
              equal, nobody told       | in sync: made by another principal, kept
              equal, only intended     | in sync: made by alice, kept
              other                    | held: another configuration is enforced there, made by alice: to replace it, write `existing: replace`
              adopted                  | hand back base:2 (adopted earlier, made by alice: `existing: keep`); in sync: made by alice, kept
              adopted, nobody told     | hand back base:2 (adopted earlier, made by another principal: `existing: keep`); in sync: made by another principal, kept
              adopted, old             | hand back base:1 (adopted earlier, made by alice: `existing: keep`); held: another configuration is enforced there, made by alice: to replace it, write `existing: replace`
              adopted, changed         | hand back base:2 (adopted earlier, made by alice: `existing: keep`); held: another configuration is enforced there, made by alice: to replace it, write `existing: replace`
              adopted, by us after all | in sync
              adopted, removed         | enforce corporate:2 (it was removed)
            Adopt
              equal                    | adopt corporate:2 (made by alice)
              equal, nobody told       | adopt corporate:2 (made by another principal)
              equal, only intended     | adopt corporate:2 (made by alice)
              other                    | held: another configuration is enforced there, made by alice: to replace it, write `existing: replace`
              adopted                  | in sync
              adopted, nobody told     | in sync
              adopted, old             | corporate:1 => corporate:2 (weaker)
              adopted, changed         | other:7 => corporate:2 (different)
              adopted, by us after all | in sync
              adopted, removed         | enforce corporate:2 (it was removed)
            Replace
              equal                    | adopt corporate:2 (made by alice)
              equal, nobody told       | adopt corporate:2 (made by another principal)
              equal, only intended     | adopt corporate:2 (made by alice)
              other                    | other:7 => corporate:2 (different, not ours: alice)
              adopted                  | in sync
              adopted, nobody told     | in sync
              adopted, old             | corporate:1 => corporate:2 (weaker)
              adopted, changed         | other:7 => corporate:2 (different)
              adopted, by us after all | in sync
              adopted, removed         | enforce corporate:2 (it was removed)
        "#]],
    );
}

#[test]
fn table_for_what_others_made_and_nothing_is_wanted() {
    check_existing(
        |existing| ResolvedTarget::Nothing { existing },
        &expect![[r#"
            Keep
              equal                    | left alone: nothing is wanted here, and what is there isn't ours
              equal, nobody told       | left alone: nothing is wanted here, and what is there isn't ours
              equal, only intended     | left alone: nothing is wanted here, and what is there isn't ours
              other                    | left alone: nothing is wanted here, and what is there isn't ours
              adopted                  | hand back base:2 (adopted earlier, made by alice: `existing: keep`); left alone: nothing is wanted here, and what is there isn't ours
              adopted, nobody told     | hand back base:2 (adopted earlier, made by another principal: `existing: keep`); left alone: nothing is wanted here, and what is there isn't ours
              adopted, old             | hand back base:1 (adopted earlier, made by alice: `existing: keep`); left alone: nothing is wanted here, and what is there isn't ours
              adopted, changed         | hand back base:2 (adopted earlier, made by alice: `existing: keep`); left alone: nothing is wanted here, and what is there isn't ours
              adopted, by us after all | release base:2
              adopted, removed         | in sync, forget
            Adopt
              equal                    | left alone: nothing is wanted here, and what is there isn't ours
              equal, nobody told       | left alone: nothing is wanted here, and what is there isn't ours
              equal, only intended     | left alone: nothing is wanted here, and what is there isn't ours
              other                    | left alone: nothing is wanted here, and what is there isn't ours
              adopted                  | release base:2 (adopted, made by alice)
              adopted, nobody told     | release base:2 (adopted, made by another principal)
              adopted, old             | release base:1 (adopted, made by alice)
              adopted, changed         | held: to be released, but changed since by alice: release it by hand, or put it back first
              adopted, by us after all | release base:2
              adopted, removed         | in sync, forget
            Replace
              equal                    | left alone: nothing is wanted here, and what is there isn't ours
              equal, nobody told       | left alone: nothing is wanted here, and what is there isn't ours
              equal, only intended     | left alone: nothing is wanted here, and what is there isn't ours
              other                    | left alone: nothing is wanted here, and what is there isn't ours
              adopted                  | release base:2 (adopted, made by alice)
              adopted, nobody told     | release base:2 (adopted, made by another principal)
              adopted, old             | release base:1 (adopted, made by alice)
              adopted, changed         | held: to be released, but changed since by alice: release it by hand, or put it back first
              adopted, by us after all | release base:2
              adopted, removed         | in sync, forget
        "#]],
    );
}

#[test]
fn table_for_what_others_made_and_what_is_wanted_is_gone_and_may_be_released() {
    let gone = || Unusable::Missing {
        guardrail: enforcement("base", 2).guardrail,
        version: GuardrailVersion::new(2).unwrap(),
        newest: None,
    };
    check_existing(
        |existing| wanted(Some(gone()), existing, OnUnusable::Release),
        &expect![[r#"
            Keep
              equal                    | broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
              equal, nobody told       | broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
              equal, only intended     | broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
              other                    | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
              adopted                  | hand back base:2 (adopted earlier, made by alice: `existing: keep`); broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
              adopted, nobody told     | hand back base:2 (adopted earlier, made by another principal: `existing: keep`); broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
              adopted, old             | hand back base:1 (adopted earlier, made by alice: `existing: keep`); held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
              adopted, changed         | hand back base:2 (adopted earlier, made by alice: `existing: keep`); held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
              adopted, by us after all | broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one; `on_unusable: release` releases it once a second look, minutes after the first, confirms it and the targets to release are counted
              adopted, removed         | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            Adopt
              equal                    | broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
              equal, nobody told       | broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
              equal, only intended     | broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
              other                    | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
              adopted                  | broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one; `on_unusable: release` releases it once a second look, minutes after the first, confirms it and the targets to release are counted
              adopted, nobody told     | broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one; `on_unusable: release` releases it once a second look, minutes after the first, confirms it and the targets to release are counted
              adopted, old             | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
              adopted, changed         | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
              adopted, by us after all | broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one; `on_unusable: release` releases it once a second look, minutes after the first, confirms it and the targets to release are counted
              adopted, removed         | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
            Replace
              equal                    | broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
              equal, nobody told       | broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
              equal, only intended     | broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
              other                    | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
              adopted                  | broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one; `on_unusable: release` releases it once a second look, minutes after the first, confirms it and the targets to release are counted
              adopted, nobody told     | broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one; `on_unusable: release` releases it once a second look, minutes after the first, confirms it and the targets to release are counted
              adopted, old             | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
              adopted, changed         | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
              adopted, by us after all | broken: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one; `on_unusable: release` releases it once a second look, minutes after the first, confirms it and the targets to release are counted
              adopted, removed         | held: guardrail base has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one
        "#]],
    );
}

#[test]
fn an_adoption_is_a_line_of_the_plan_and_so_is_what_is_handed_back() {
    let mut text = String::new();
    for (existing, record) in [
        (Existing::Adopt, Record::default()),
        (Existing::Keep, Record::default()),
        (Existing::Keep, adopted(enforcement("base", 2))),
    ] {
        let seen = seen(enforcement("base", 2), None, Some(ADMIN));
        let plan = planned(&wanted(None, existing, OnUnusable::Keep), &seen, &record);
        let audited = plan.clone().restrict(Mode::Audit);
        text += &format!("{plan}\nunder audit: {audited}\n{}\n\n", plan.to_json()["decisions"]);
    }
    expect![[r#"
        = 300000000001/eu-west-1 adopt corporate:2 (made by arn:aws:sts::300000000001:assumed-role/Admin/alice)
        1 to change, 0 held, 0 in sync
        under audit: = 300000000001/eu-west-1 in sync: made by arn:aws:sts::300000000001:assumed-role/Admin/alice; mode audit doesn't adopt it
        0 to change, 0 held, 1 in sync
        [{"account":"300000000001","after":null,"code":null,"decision":"adopt","from":{"guarding":{"messages":"comprehensive","system":"comprehensive"},"guardrail":"arn:aws:bedrock:eu-west-1:222222222222:guardrail/base","models":{"exclude":[],"include":"all"},"version":"2"},"reason":null,"region":"eu-west-1","then":null,"to":{"guarding":{"messages":"comprehensive","system":"comprehensive"},"guardrail":"arn:aws:bedrock:eu-west-1:222222222222:guardrail/base","models":{"exclude":[],"include":"all"},"version":"2"},"wanted":null,"would":null}]

        0 to change, 0 held, 1 in sync
        under audit: 0 to change, 0 held, 1 in sync
        [{"account":"300000000001","after":null,"code":null,"decision":"in-sync","from":{"guarding":{"messages":"comprehensive","system":"comprehensive"},"guardrail":"arn:aws:bedrock:eu-west-1:222222222222:guardrail/base","models":{"exclude":[],"include":"all"},"version":"2"},"reason":"made by arn:aws:sts::300000000001:assumed-role/Admin/alice, kept","region":"eu-west-1","then":null,"to":{"guarding":{"messages":"comprehensive","system":"comprehensive"},"guardrail":"arn:aws:bedrock:eu-west-1:222222222222:guardrail/base","models":{"exclude":[],"include":"all"},"version":"2"},"wanted":null,"would":null}]

        = 300000000001/eu-west-1 hand back base:2 (adopted earlier, made by arn:aws:sts::300000000001:assumed-role/Admin/alice: `existing: keep`)
        0 to change, 0 held, 1 in sync, 1 handed back
        under audit: = 300000000001/eu-west-1 hand back base:2 (adopted earlier, made by arn:aws:sts::300000000001:assumed-role/Admin/alice: `existing: keep`)
        0 to change, 0 held, 1 in sync, 1 handed back
        [{"account":"300000000001","after":null,"code":null,"decision":"in-sync","from":{"guarding":{"messages":"comprehensive","system":"comprehensive"},"guardrail":"arn:aws:bedrock:eu-west-1:222222222222:guardrail/base","models":{"exclude":[],"include":"all"},"version":"2"},"reason":"made by arn:aws:sts::300000000001:assumed-role/Admin/alice, kept","region":"eu-west-1","then":null,"to":{"guarding":{"messages":"comprehensive","system":"comprehensive"},"guardrail":"arn:aws:bedrock:eu-west-1:222222222222:guardrail/base","models":{"exclude":[],"include":"all"},"version":"2"},"wanted":null,"would":null}]

    "#]].assert_eq(&text);
}

#[test]
fn adoptions_count_as_replacements_and_those_of_a_revision_over_its_limits_wait() {
    let roles = own_roles();
    let target = |number: u32| -> Target { format!("30000000000{number}/eu-west-1").parse().unwrap() };
    let desired = |existing| wanted(None, existing, OnUnusable::Keep);
    let observed: Observed =
        (1..=3).map(|at| (target(at), seen(enforcement("base", 2), None, Some(ADMIN)))).collect();
    let plan_with = |existing| {
        let resolved: Resolved = (1..=3).map(|at| (target(at), desired(existing))).collect();
        plan(&resolved, &observed, &Records::new(), context(&roles))
    };
    let approval = RevisionApproval::new(REVISION.parse().unwrap());
    let revision = &approval.revision;
    let [kept, adopting] = [Existing::Keep, Existing::Adopt].map(plan_with);
    assert_eq!(Extent::of(&kept, &Records::new(), revision), Extent::default());
    assert_eq!(
        Extent::of(&adopting, &Records::new(), revision),
        Extent { replacements: 3, releases: 0, abandonments: 0 }
    );
    let limits = |most| Limits { max_replacements: most, max_releases: 1, max_abandonments: 5 };
    assert_eq!(adopting.clone().limit(&approval, limits(3), &Records::new()), adopting);
    for held in [
        adopting.clone().limit(&approval, limits(2), &Records::new()),
        adopting.clone().limit_part(
            &approval.clone().count(
                Extent { replacements: 3, releases: 0, abandonments: 0 },
                Allowance { limits: limits(2), ceilings: Ceilings::default(), now: 0 },
                NamedIds::default(),
            ),
            &Records::new(),
        ),
        adopting.clone().put_back(
            revision,
            &RevisionApproval::new(revision.clone()),
            &Records::new(),
            &BTreeSet::new(),
        ),
    ] {
        assert_eq!((held.changes().count(), held.counts().held), (0, 3), "{held}");
    }
    let approved = approval.approve();
    assert_eq!(adopting.clone().limit(&approved, limits(2), &Records::new()), adopting);
}

/// A plan that releases what was adopted, and the record of it.
fn releasing(broken: bool, awaited: Option<Awaited>) -> (Plan, Records) {
    let record = Record { awaited, ..adopted(enforcement("base", 2)) };
    let (desired, record) = match broken {
        false => (ResolvedTarget::Nothing { existing: Existing::Adopt }, record),
        true => {
            let unusable = Unusable::NotReady { status: "FAILED".to_owned().into() };
            let record = found(&unusable.code(), record);
            (wanted(Some(unusable), Existing::Adopt, OnUnusable::Release), record)
        }
    };
    let plan = planned(&desired, &seen(enforcement("base", 2), None, Some(ADMIN)), &record);
    assert!(plan.changes().any(Change::is_release), "{plan}");
    (plan, Records::from([(target(), record)]))
}

fn approved(times: u32) -> RevisionApproval {
    (0..times).fold(RevisionApproval::new(REVISION.parse().unwrap()), |approval, _| approval.approve())
}

#[track_caller]
fn check_release(
    approval: &RevisionApproval,
    with_plan: bool,
    leaving: bool,
    moved: bool,
    broken: bool,
    awaited: Option<Awaited>,
) -> &'static str {
    let (plan, records) = releasing(broken, awaited);
    let leaving = leaving.then(|| target().account).into_iter().collect();
    let approval = Approval { approval, is_given_with_the_plan: with_plan, leaving: &leaving };
    let has_moved = |stood: &OrgPath, _: &Target| {
        assert_eq!(stood.to_string(), STOOD);
        moved
    };
    let held = plan.clone().hold_adopted(approval, &records, has_moved);
    match &held.decisions[&target()] {
        Decision::Change(_) => "released",
        Decision::Held(held) => {
            assert_eq!(held.reason.code(), "releases_adopted");
            assert_eq!(held.would.as_ref(), plan.changes().next());
            "held"
        }
        Decision::Broken(_) => "broken",
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_adopted_is_released_by_a_persons_approval_only() {
    let within_limits = RevisionApproval { approved: true, ..approved(0) };
    let once = approved(1);
    for (approval, with_plan, leaving, expected) in [
        (&within_limits, false, false, "held"),
        (&within_limits, true, false, "released"),
        (&within_limits, false, true, "released"),
        (&once, false, false, "released"),
    ] {
        assert_eq!(check_release(approval, with_plan, leaving, false, false, None), expected);
    }
    expect!["held: made by alice and adopted by the keeper, so its release always needs an approval: read the plan, then run guardrailctl approve fedcba9876543210"].assert_eq(&{
        let (plan, records) = releasing(false, None);
        let approval =
            Approval { approval: &within_limits, is_given_with_the_plan: false, leaving: &BTreeSet::new() };
        let held = plan.hold_adopted(approval, &records, |_, _| false);
        in_words(&held.decisions[&target()]).replace("arn:aws:sts::300000000001:assumed-role/Admin/alice", "alice")
    });
}

#[test]
fn an_approval_covers_what_was_known_when_it_was_given() {
    let awaited = |approvals| Some(Awaited { revision: REVISION.parse().unwrap(), approvals, at: None });
    let of_another = Some(Awaited { revision: "0123456789abcdef".parse().unwrap(), approvals: 0, at: None });
    // The account was moved; whether that was seen before the approval tells the record.
    for (times, awaited, expected) in [
        (1, None, "held"),
        (0, awaited(0), "held"),
        (1, awaited(0), "released"),
        (1, awaited(1), "held"),
        (2, awaited(1), "released"),
        (1, of_another, "held"),
    ] {
        let told = format!("{times} {awaited:?}");
        assert_eq!(check_release(&approved(times), false, false, true, false, awaited), expected, "{told}");
    }
    // An approval in a parameter is taken over some time after it was given: what was found since, nobody saw.
    let at = |second| Timestamp::from_second(second).unwrap();
    let given = GivenApproval {
        version: 1,
        at: at(100),
        approver: None,
        authors: Vec::new(),
        verdict: ApprovalVerdict::Counts,
    };
    let taken_over = RevisionApproval { given: Some(given), ..approved(1) };
    for (found, expected) in
        [(Some(99), "released"), (Some(100), "released"), (Some(101), "held"), (None, "released")]
    {
        let awaited = Awaited { revision: REVISION.parse().unwrap(), approvals: 0, at: found.map(at) };
        assert_eq!(
            check_release(&taken_over, false, false, true, false, Some(awaited)),
            expected,
            "{found:?}"
        );
    }
    // Nobody approves that a guardrail breaks. It stays, and stays broken.
    assert_eq!(check_release(&approved(3), false, false, false, true, awaited(0)), "broken");
    assert_eq!(check_release(&approved(0), true, false, false, true, None), "released");
}

#[test]
fn law_what_others_made_is_kept_to_the_letter() {
    for_every_pair(|name, desired, observation, record, decision| {
        let (ResolvedTarget::Enforce(_) | ResolvedTarget::Nothing { .. }) = desired else { return };
        let existing = match desired {
            ResolvedTarget::Enforce(wanted) => wanted.existing,
            ResolvedTarget::Nothing { existing } => *existing,
            ResolvedTarget::Unassigned | ResolvedTarget::Excluded => return,
        };
        let Observation::Enforced(seen) = observation else { return };
        let applied = record.ours.as_ref().is_some_and(|ours| ours.origin == Origin::Applied);
        let theirs = !applied && !seen.bears_our_name(&own_roles(), &target().account);
        if existing == Existing::Keep && theirs {
            assert!(!matches!(decision, Decision::Change(_)), "{name}: {decision:?}");
            let (_, after) = after(decision, observation, &Record { ours: None, ..record.clone() });
            assert_eq!(after.ours, None, "{name}");
        }
    });
}

#[test]
fn law_nothing_of_somebody_elses_becomes_ours_without_a_word() {
    for_every_pair(|name, _, observation, record, decision| {
        let Observation::Enforced(seen) = observation else { return };
        let theirs = record.ours.is_none() && !seen.bears_our_name(&own_roles(), &target().account);
        if let Decision::InSync(in_sync) = decision {
            assert!(!theirs || in_sync.correction.is_none(), "{name}: {decision:?}");
        }
        if let Decision::Change(Change::Adopt { .. }) = decision {
            assert!(theirs, "{name}");
        }
        if let Decision::Change(Change::Release { adopted, .. }) = decision {
            let was = record.ours.as_ref().is_some_and(|ours| ours.origin == Origin::Adopted);
            let named = seen.bears_our_name(&own_roles(), &target().account);
            assert_eq!(*adopted, was && !named, "{name}");
        }
    });
}
