//! The decision table, printed; and the laws, over every small combination.

mod existing;
mod limits;
mod printed;
mod proving;
mod read_back;
mod reasons;
mod tables;
mod unknown_states;

use std::collections::{BTreeMap, BTreeSet};

use expect_test::{Expect, expect};
use jiff::Timestamp;

use super::*;
use crate::baseline::{Existing, GuardrailKey, Limits, Mode, NamedIds, OnUnusable, Revision};
use crate::enforcement::{ContentGuarding, Guarding, Included, Models};
use crate::failure::Category;
use crate::ids::{GuardrailVersion, ModelId};
use crate::limits::{Extent, RevisionApproval};
use crate::record::{CONFIRMED_AFTER_SECONDS, FoundUnusable, Intent, Origin, Ours, ReleasedUnusable};
use crate::resolved::{Enforce, ResolvedTarget};

const MEMBER_ROLE: &str = "arn:aws:sts::300000000001:assumed-role/KeeperMember/guardrail-keeper";
const ADMIN: &str = "arn:aws:sts::300000000001:assumed-role/Admin/alice";
const IMPOSTOR: &str = "arn:aws:sts::999999999999:assumed-role/KeeperMember/guardrail-keeper";

fn target() -> Target {
    "300000000001/eu-west-1".parse().unwrap()
}

fn enforcement(guardrail: &str, version: u32) -> Enforcement {
    Enforcement {
        guardrail: format!("arn:aws:bedrock:eu-west-1:222222222222:guardrail/{guardrail}").parse().unwrap(),
        version: GuardrailVersion::new(version).unwrap(),
        models: Models::default(),
        guarding: Guarding::default(),
    }
}

fn own_roles() -> OwnRoles {
    OwnRoles {
        function: None,
        members: BTreeSet::from(["KeeperMember".parse().unwrap()]),
        former: BTreeSet::new(),
    }
}

fn wanted(unusable: Option<Unusable>, existing: Existing, on_unusable: OnUnusable) -> ResolvedTarget {
    ResolvedTarget::Enforce(Box::new(Enforce {
        key: "corporate".parse::<GuardrailKey>().unwrap(),
        enforcement: Some(enforcement("base", 2)),
        copied: None,
        unusable,
        present_unusable: None,
        copy: None,
        existing,
        on_unusable,
    }))
}

fn seen(enforcement: Enforcement, created_by: Option<&str>, updated_by: Option<&str>) -> Observation {
    Observation::Enforced(Seen {
        config_id: Some("cfg1".parse().unwrap()),
        enforcement,
        created_by: created_by.map(str::to_owned),
        updated_by: updated_by.map(str::to_owned),
    })
}

fn recorded(enforcement: Enforcement) -> Record {
    let ours = Ours {
        enforcement,
        origin: Origin::Applied,
        at: Timestamp::UNIX_EPOCH,
        revision: "0123456789abcdef".parse().unwrap(),
        path: None,
        reads_back: None,
    };
    Record { ours: Some(ours), ..Record::default() }
}

fn intended(enforcement: Enforcement) -> Record {
    let intent = Intent {
        to: Some(enforcement),
        at: Timestamp::UNIX_EPOCH,
        revision: "0123456789abcdef".parse().unwrap(),
        deed: None,
    };
    Record { intent: Some(intent), ..Record::default() }
}

/// What a look some minutes ago found, too.
fn found(code: &str, record: Record) -> Record {
    let Enforcement { guardrail, version, .. } = enforcement("base", 2);
    let since = Timestamp::from_second(-CONFIRMED_AFTER_SECONDS).unwrap();
    let found = FoundUnusable { guardrail, version, code: code.to_owned(), since };
    Record { unusable: Some(found), ..record }
}

/// What was released because it can't be used.
fn released_unusable() -> Record {
    let Enforcement { guardrail, version, .. } = enforcement("base", 2);
    let released = ReleasedUnusable { guardrail, version, at: Timestamp::UNIX_EPOCH };
    Record { released_unusable: Some(released), ..Record::default() }
}

fn denied() -> Failure {
    Failure::new(Category::Denied, "AssumeRole", "AccessDenied: not authorized")
}

fn desired_states() -> Vec<(&'static str, ResolvedTarget)> {
    let gone = || {
        Some(Unusable::Missing {
            guardrail: enforcement("base", 2).guardrail,
            version: GuardrailVersion::new(2).unwrap(),
            newest: None,
        })
    };
    let unknown = Some(Unusable::Unreadable { failure: denied() });
    let ResolvedTarget::Enforce(lost) = wanted(
        Some(Unusable::NotFound { name: "corporate-baseline".parse().unwrap() }),
        Existing::Keep,
        OnUnusable::Keep,
    ) else {
        unreachable!("the desired state is an enforcement")
    };
    vec![
        ("base:2, keep", wanted(None, Existing::Keep, OnUnusable::Keep)),
        ("base:2, replace", wanted(None, Existing::Replace, OnUnusable::Keep)),
        ("base:2 gone", wanted(gone(), Existing::Keep, OnUnusable::Keep)),
        ("base:2 gone, release", wanted(gone(), Existing::Keep, OnUnusable::Release)),
        ("base:2 unreadable", wanted(unknown, Existing::Keep, OnUnusable::Release)),
        ("name not found", ResolvedTarget::Enforce(Box::new(Enforce { enforcement: None, ..*lost }))),
        ("base:2, adopt", wanted(None, Existing::Adopt, OnUnusable::Keep)),
        ("nothing", ResolvedTarget::Nothing { existing: Existing::Adopt }),
        ("nothing, keep", ResolvedTarget::Nothing { existing: Existing::Keep }),
        ("unassigned", ResolvedTarget::Unassigned),
        ("excluded", ResolvedTarget::Excluded),
    ]
}

fn sights() -> Vec<(&'static str, Observation, Record)> {
    let equal = || enforcement("base", 2);
    let old = || enforcement("base", 1);
    let other = || enforcement("other", 7);
    vec![
        ("absent", Observation::Absent, Record::default()),
        ("absent, recorded", Observation::Absent, recorded(equal())),
        ("absent, only intended", Observation::Absent, intended(equal())),
        ("absent, released dead", Observation::Absent, released_unusable()),
        ("equal, nobody's", seen(equal(), None, None), Record::default()),
        ("equal, recorded", seen(equal(), None, Some(ADMIN)), recorded(equal())),
        ("equal, found dead before", seen(equal(), None, None), found("missing", recorded(equal()))),
        ("equal, by us", seen(equal(), Some(MEMBER_ROLE), Some(MEMBER_ROLE)), Record::default()),
        ("old, recorded", seen(old(), None, None), recorded(old())),
        ("old, by us", seen(old(), None, Some(MEMBER_ROLE)), Record::default()),
        ("old, only intended", seen(old(), None, None), intended(old())),
        ("other, recorded another", seen(other(), Some(ADMIN), Some(ADMIN)), recorded(equal())),
        ("other, made by us, edited", seen(other(), Some(MEMBER_ROLE), Some(ADMIN)), Record::default()),
        ("other, foreign", seen(other(), Some(ADMIN), Some(ADMIN)), Record::default()),
        ("other, impostor", seen(other(), Some(IMPOSTOR), Some(IMPOSTOR)), Record::default()),
        ("unreadable", Observation::Unreadable(denied()), Record::default()),
        ("unreadable, recorded", Observation::Unreadable(denied()), recorded(equal())),
        ("unreadable, only intended", Observation::Unreadable(denied()), intended(equal())),
    ]
}

fn context(own_roles: &OwnRoles) -> DecisionContext<'_> {
    DecisionContext { own_roles, ledger: LedgerState::Durable, now: Timestamp::UNIX_EPOCH }
}

fn in_words(decision: &Decision) -> String {
    match decision {
        Decision::InSync(InSync { kept: Some(kept), .. }) => format!("in sync: {kept}"),
        Decision::InSync(InSync { correction: Some(it), .. }) => format!("in sync, {it:?}").to_lowercase(),
        Decision::InSync(InSync { correction: None, .. }) => "in sync".to_owned(),
        Decision::LeftAlone(left) => format!("left alone: {}", left.reason),
        Decision::Change(change) => change.to_string(),
        Decision::CleanUp(clean_up) => clean_up.to_string(),
        Decision::Held(held) => format!("held: {}", held.reason),
        Decision::Broken(broken) => format!("broken: {broken}"),
    }
}

#[test]
fn nothing_foreign_is_replaced_without_a_durable_ledger() {
    let roles = own_roles();
    let desired = wanted(None, Existing::Replace, OnUnusable::Keep);
    let foreign = seen(enforcement("other", 7), None, Some(ADMIN));
    let volatile = DecisionContext { ledger: LedgerState::Volatile, ..context(&roles) };
    let decision = decide(&target(), &desired, &foreign, &Record::default(), volatile);
    expect!["held: `existing: replace` needs a ledger that lasts, to keep what was there: set KEEPER_LEDGER"]
        .assert_eq(&in_words(&decision));
}

#[test]
fn what_is_enforced_instead_may_be_dead_too() {
    let roles = own_roles();
    let ResolvedTarget::Enforce(mut wanted) = wanted(
        Some(Unusable::NotFound { name: "corporate-baseline".parse().unwrap() }),
        Existing::Keep,
        OnUnusable::Keep,
    ) else {
        unreachable!("the desired state is an enforcement")
    };
    wanted.enforcement = None;
    wanted.present_unusable = Some(Unusable::AutomatedReasoning);
    let old = seen(enforcement("base", 1), None, Some(MEMBER_ROLE));
    let decision =
        decide(&target(), &ResolvedTarget::Enforce(wanted), &old, &Record::default(), context(&roles));
    assert!(matches!(decision, Decision::Broken(_)), "{decision:?}");
}

#[test]
fn what_passes_or_is_not_understood_releases_nothing() {
    let roles = own_roles();
    let resource = || Box::new(crate::resource_policy::Resource::Guardrail(enforcement("base", 2).guardrail));
    let not_granted = |being_mended, certain| Unusable::NotGranted {
        resource: resource(),
        why: "statement 1 may deny it".to_owned(),
        being_mended,
        certain,
    };
    for (unusable, word) in [
        (Unusable::NotReady { status: "VERSIONING".to_owned().into() }, "held"),
        (Unusable::NotReady { status: "UPDATING".to_owned().into() }, "held"),
        (Unusable::NotReady { status: "SOMETHING_NEW".to_owned().into() }, "held"),
        (not_granted(false, false), "held"),
        (not_granted(true, true), "broken"),
        (not_granted(false, true), "release"),
        (Unusable::NotReady { status: "FAILED".to_owned().into() }, "release"),
    ] {
        let desired = wanted(Some(unusable.clone()), Existing::Keep, OnUnusable::Release);
        let ours = seen(enforcement("base", 2), None, Some(MEMBER_ROLE));
        let before = found(&unusable.code(), Record::default());
        let decision = decide(&target(), &desired, &ours, &before, context(&roles));
        let words = in_words(&decision).replace("300000000001/eu-west-1 ", "");
        assert!(words.starts_with(word), "{unusable:?}: {words}");
    }
}

#[test]
fn nothing_is_given_up_for_one_look() {
    let roles = own_roles();
    let gone = Unusable::NotReady { status: "FAILED".to_owned().into() };
    let desired = wanted(Some(gone.clone()), Existing::Keep, OnUnusable::Release);
    let ours = seen(enforcement("base", 2), None, Some(MEMBER_ROLE));
    let told = |record: &Record, now: i64| {
        let context = DecisionContext { now: Timestamp::from_second(now).unwrap(), ..context(&roles) };
        decide(&target(), &desired, &ours, record, context)
    };
    let waits = Broken {
        seen: match &ours {
            Observation::Enforced(seen) => seen.clone(),
            _ => unreachable!("as it is made"),
        },
        unusable: gone,
        stays: Some(HoldReason::NotConfirmed),
    };
    for (record, now) in [
        // Nobody saw it before.
        (Record::default(), 0),
        (recorded(enforcement("base", 2)), 0),
        // Too lately, and for another reason.
        (found("not_ready", Record::default()), -1),
        (found("missing", Record::default()), 0),
    ] {
        assert_eq!(told(&record, now), Decision::Broken(waits.clone()), "{record:?}");
    }
    let again = told(&found("not_ready", Record::default()), 0);
    assert!(matches!(&again, Decision::Change(change) if change.gives_up()), "{again:?}");
}

#[test]
fn a_copy_comes_before_what_is_enforced_and_never_in_the_place_of_what_is_somebody_elses() {
    let roles = own_roles();
    let original = enforcement("base", 2);
    let published = crate::copy::Published { guardrail: original.guardrail, version: original.version };
    let work = crate::resolved::CopyWork { original: published, step: crate::copy::CopyStep::Create };
    let needed = Unusable::CopyNeeded { step: "create the copy".to_owned() };
    let mut lines = String::new();
    for existing in [Existing::Keep, Existing::Replace] {
        let ResolvedTarget::Enforce(wanted) = wanted(Some(needed.clone()), existing, OnUnusable::Keep) else {
            unreachable!("the desired state is an enforcement")
        };
        let desired = ResolvedTarget::Enforce(Box::new(Enforce { copy: Some(work.clone()), ..*wanted }));
        for (what, seen, record) in [
            ("nothing", Observation::Absent, Record::default()),
            ("ours", seen(enforcement("base", 1), None, None), recorded(enforcement("base", 1))),
            ("foreign", seen(enforcement("other", 7), None, Some(ADMIN)), Record::default()),
            ("unreadable", Observation::Unreadable(denied()), Record::default()),
        ] {
            let decision = decide(&target(), &desired, &seen, &record, context(&roles));
            lines += &format!("{existing:?}, {what}: {}\n", in_words(&decision));
        }
    }
    expect![[r#"
        Keep, nothing: 300000000001/eu-west-1 copy corporate:2 (create the copy), then enforce it
        Keep, ours: 300000000001/eu-west-1 copy corporate:2 (create the copy), then replace base:1 by it
        Keep, foreign: held: another configuration is enforced there, made by arn:aws:sts::300000000001:assumed-role/Admin/alice: to replace it, write `existing: replace`
        Keep, unreadable: held: could not be read: AssumeRole: AccessDenied: not authorized (denied)
        Replace, nothing: 300000000001/eu-west-1 copy corporate:2 (create the copy), then enforce it
        Replace, ours: 300000000001/eu-west-1 copy corporate:2 (create the copy), then replace base:1 by it
        Replace, foreign: 300000000001/eu-west-1 copy corporate:2 (create the copy), then replace other:7 by it
        Replace, unreadable: held: could not be read: AssumeRole: AccessDenied: not authorized (denied)
    "#]].assert_eq(&lines);
}

#[test]
fn a_repair_that_is_undone_again_and_again_waits_and_a_first_one_does_not() {
    let roles = own_roles();
    let desired = wanted(None, Existing::Keep, OnUnusable::Keep);
    let resolved = Resolved::from([(target(), desired)]);
    let now = Timestamp::from_second(10_000).unwrap();
    let context = DecisionContext { now, ..context(&roles) };
    let lately = |count: i64| (1..=count).map(|ago| Timestamp::from_second(10_000 - ago).unwrap()).collect();
    let tampered = seen(enforcement("base", 1), None, Some(ADMIN));
    let told = |observation: &Observation, record: Record| {
        let observed = Observed::from([(target(), observation.clone())]);
        let plan = plan(&resolved, &observed, &Records::from([(target(), record)]), context);
        in_words(&plan.decisions[&target()])
    };
    let ours = |repairs| Record { repairs: lately(repairs), ..recorded(enforcement("base", 2)) };
    expect!["300000000001/eu-west-1 corporate:1 => corporate:2 (weaker)"]
        .assert_eq(&told(&tampered, ours(3)));
    expect!["held: arn:aws:sts::300000000001:assumed-role/Admin/alice undoes each repair: stop it, or change the baseline; the next repair waits"].assert_eq(&told(&tampered, ours(4)));
    expect![
        "held: another principal undoes each repair: find out in CloudTrail who does; the next repair waits"
    ]
    .assert_eq(&told(&Observation::Absent, ours(4)));
    // What we wrote last ourselves nobody undid: it has to change for another reason, and does so at once.
    let untouched = seen(enforcement("base", 1), Some(MEMBER_ROLE), Some(MEMBER_ROLE));
    expect!["300000000001/eu-west-1 corporate:1 => corporate:2 (weaker)"]
        .assert_eq(&told(&untouched, Record { repairs: lately(4), ..recorded(enforcement("base", 1)) }));
    // Where nothing was ours there is nothing to repair.
    let first = Record { repairs: lately(4), ..Record::default() };
    expect!["300000000001/eu-west-1 enforce corporate:2"].assert_eq(&told(&Observation::Absent, first));
}

#[test]
fn changes_of_policies_are_told_apart_from_what_is_granted_or_held() {
    let grant = |guardrail: &str| crate::resource_policy::Grant {
        resource: crate::resource_policy::Resource::Guardrail(enforcement(guardrail, 1).guardrail),
        organization: "o-exampleorgid".parse().unwrap(),
    };
    let granted = crate::resource_policy::Document::granting(&grant("granted"));
    let decisions = [
        ("absent", crate::observed::ResourcePolicySeen::Absent),
        ("granted", crate::observed::ResourcePolicySeen::Attached(granted)),
        ("unreadable", crate::observed::ResourcePolicySeen::Unreadable(denied())),
    ];
    let grants = decisions.map(|(name, seen)| (grant(name).resource, decide_grant(&seen, &grant(name))));
    let plan = Plan { grants: grants.into(), ..Plan::default() };
    let changed: Vec<_> = plan.grant_changes().map(|change| change.grant.resource.clone()).collect();
    assert_eq!(changed, [grant("absent").resource]);
}

// The laws.

/// What would be there after a decision was carried out, and what would be recorded.
fn after(decision: &Decision, observation: &Observation, record: &Record) -> (Observation, Record) {
    match decision {
        Decision::Change(change) => match change {
            Change::Enforce { to, .. } | Change::Replace { to, .. } => {
                (seen(to.clone(), Some(MEMBER_ROLE), Some(MEMBER_ROLE)), recorded(to.clone()))
            }
            Change::Adopt { seen, .. } => (observation.clone(), existing::adopted(seen.enforcement.clone())),
            Change::Release { .. } => (Observation::Absent, Record::default()),
            Change::EnsureCopy { .. } => unreachable!("no copies are wanted"),
        },
        Decision::InSync(InSync { enforced: Some(enforced), correction: Some(_), .. }) => {
            (observation.clone(), recorded(enforced.clone()))
        }
        _ => (observation.clone(), record.clone()),
    }
}

#[track_caller]
fn for_every_pair(law: impl Fn(&str, &ResolvedTarget, &Observation, &Record, &Decision)) {
    let roles = own_roles();
    for (desired_name, desired) in desired_states() {
        for (sight_name, observation, record) in sights().into_iter().chain(existing::adopted_sights()) {
            let decision = decide(&target(), &desired, &observation, &record, context(&roles));
            law(&format!("{desired_name} / {sight_name}"), &desired, &observation, &record, &decision);
        }
    }
}

#[test]
fn law_a_second_plan_changes_nothing_more() {
    let roles = own_roles();
    for_every_pair(|name, desired, observation, record, decision| {
        let (observation, record) = after(decision, observation, record);
        let again = decide(&target(), desired, &observation, &record, context(&roles));
        // Releasing what can't be used leaves nothing, and what is wanted still can't be enforced.
        assert!(!matches!(again, Decision::Change(_)), "{name}: {again:?}");
    });
}

#[test]
fn law_the_unreadable_is_never_touched_nor_in_sync() {
    for_every_pair(|name, _, observation, _, decision| {
        if matches!(observation, Observation::Unreadable(_)) {
            assert!(!matches!(decision, Decision::Change(_) | Decision::InSync(_)), "{name}: {decision:?}");
        }
    });
}

#[test]
fn law_nothing_foreign_is_changed_unless_the_baseline_says_so() {
    for_every_pair(|name, desired, observation, record, decision| {
        let Observation::Enforced(seen) = observation else { return };
        let ours = record.ours.is_some() || seen.bears_our_name(&own_roles(), &target().account);
        let existing =
            if let ResolvedTarget::Enforce(wanted) = desired { wanted.existing } else { Existing::Keep };
        let adopts = matches!(decision, Decision::Change(Change::Adopt { .. }));
        if !ours && existing != Existing::Replace && !(adopts && existing == Existing::Adopt) {
            assert!(!matches!(decision, Decision::Change(_)), "{name}: {decision:?}");
        }
    });
}

#[test]
fn law_nothing_is_released_without_proof_that_it_is_what_we_applied() {
    for_every_pair(|name, _, observation, record, decision| {
        let Decision::Change(Change::Release { .. }) = decision else { return };
        let Observation::Enforced(seen) = observation else { panic!("{name}: nothing to release") };
        let recorded = record.ours.as_ref().is_some_and(|ours| ours.enforcement == seen.enforcement);
        let named = seen.was_last_written_by_us(&own_roles(), &target().account);
        assert!(recorded || named, "{name}");
    });
}

#[test]
fn law_what_cannot_be_used_is_neither_enforced_nor_in_sync() {
    for_every_pair(|name, desired, _, _, decision| {
        let ResolvedTarget::Enforce(wanted) = desired else { return };
        if wanted.unusable.is_none() {
            return;
        }
        match decision {
            Decision::Change(change) => assert!(change.enforces().is_none(), "{name}: {change}"),
            Decision::InSync(_) | Decision::CleanUp(_) => panic!("{name}: in sync"),
            Decision::LeftAlone(_) | Decision::Held(_) | Decision::Broken(_) => {}
        }
    });
}

fn whole_plan() -> Plan {
    let roles = own_roles();
    let mut resolved = Resolved::new();
    let mut observed = Observed::new();
    let mut records = Records::new();
    let mut number = 0;
    for (_, desired) in desired_states() {
        for (_, observation, record) in sights().into_iter().chain(existing::adopted_sights()) {
            number += 1;
            let target: Target = format!("3000000{number:05}/eu-west-1").parse().unwrap();
            resolved.insert(target.clone(), desired.clone());
            observed.insert(target.clone(), observation);
            records.insert(target, record);
        }
    }
    plan(&resolved, &observed, &records, context(&roles))
}

#[test]
fn law_a_mode_only_takes_changes_away() {
    for mode in [Mode::Sync, Mode::EnforceOnly, Mode::Audit] {
        let before = whole_plan();
        let after = before.clone().restrict(mode);
        for (target, decision) in &after.decisions {
            match decision {
                Decision::Change(change) => {
                    assert_eq!(before.decisions.get(target), Some(decision));
                    assert!(mode == Mode::Sync || !change.is_release(), "{mode}: {change}");
                    assert!(mode != Mode::Audit, "{change}");
                }
                Decision::Held(Held { reason: HoldReason::Mode { .. }, would: Some(change) }) => {
                    let mended = |held: &Held| {
                        matches!(&held.reason, HoldReason::Unusable { unusable } if unusable.is_being_mended())
                            && held.would.as_ref() == Some(change)
                    };
                    match &before.decisions[target] {
                        Decision::Held(held) => assert!(mode == Mode::Audit && mended(held), "{held:?}"),
                        decision => assert_eq!(*decision, Decision::Change(change.clone())),
                    }
                    let hides = matches!(change, Change::Release { broken: Some(_), .. });
                    assert!(!hides, "what is broken is told as broken: {change}");
                }
                Decision::Broken(Broken { seen, unusable, stays: Some(HoldReason::Mode { .. }) })
                    if before.decisions.get(target) != Some(decision) =>
                {
                    let before = match before.decisions.get(target) {
                        Some(Decision::Change(Change::Release { from, broken: Some(unusable), .. })) => {
                            (from, unusable)
                        }
                        Some(Decision::Broken(Broken { seen, unusable, stays: Some(_) })) => (seen, unusable),
                        other => panic!("{target} was nothing to release: {other:?}"),
                    };
                    assert_eq!(before, (seen, unusable));
                }
                Decision::InSync(InSync { kept: Some(kept), .. }) if kept.would_adopt => {
                    let before = &before.decisions[target];
                    assert!(mode == Mode::Audit && matches!(before, Decision::Change(Change::Adopt { .. })));
                }
                other => assert_eq!(before.decisions.get(target), Some(other)),
            }
        }
    }
}

#[test]
fn law_only_the_proven_is_enforced() {
    let plan = whole_plan();
    let targets: Vec<Target> = plan.needs_proof().map(|change| change.target().clone()).collect();
    assert!(targets.len() > 3);
    let proofs: BTreeMap<Target, Proof> = BTreeMap::from([
        (targets[0].clone(), Ok(crate::observed::ProbeAnswer::Passed)),
        (targets[1].clone(), Err(HoldReason::ProbeFailed { failure: denied() })),
    ]);
    let others = plan.changes().filter(|change| change.enforces().is_none()).count();
    let safe = plan.prove(&proofs, |_| false).into_plan();
    assert!(matches!(safe.decisions[&targets[0]], Decision::Change(_)));
    assert!(matches!(
        &safe.decisions[&targets[1]],
        Decision::Held(Held { reason: HoldReason::ProbeFailed { .. }, .. })
    ));
    assert!(matches!(
        &safe.decisions[&targets[2]],
        Decision::Held(Held { reason: HoldReason::NotProven, .. })
    ));
    assert_eq!(safe.changes().count(), 1 + others);
}

#[test]
fn law_a_target_nobody_observed_is_held() {
    let roles = own_roles();
    let resolved = Resolved::from([(target(), wanted(None, Existing::Replace, OnUnusable::Release))]);
    let plan = plan(&resolved, &Observed::new(), &Records::new(), context(&roles));
    assert_eq!(plan.counts().held, 1);
    assert_eq!(plan.changes().count(), 0);
}

#[test]
fn law_the_hash_names_the_changes() {
    let plan = whole_plan();
    assert_eq!(plan.hash(), plan.clone().hash());
    let held = plan.clone().restrict(Mode::EnforceOnly);
    assert_ne!(plan.hash(), held.hash());
}

#[test]
fn what_is_not_the_default_is_printed() {
    let mut to = enforcement("base", 2);
    to.models = Models {
        include: Included::All,
        exclude: BTreeSet::from([ModelId::as_reported("amazon.titan-embed-text-v2:0")]),
    };
    to.guarding = Guarding { system: ContentGuarding::Selective, messages: ContentGuarding::Comprehensive };
    let change = Change::Enforce {
        target: target(),
        key: "corporate".parse().unwrap(),
        to,
        copied: None,
        repair: true,
    };
    expect!["300000000001/eu-west-1 enforce corporate:2 models ALL except amazon.titan-embed-text-v2:0 guarding system selective, messages comprehensive (it was removed)"].assert_eq(&change.to_string());
}
