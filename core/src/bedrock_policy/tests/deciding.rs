//! The decision: its table, and the laws that nothing unproven is given, that a second decision is to do nothing, and that
//! neither `audit` nor `enforce-only` takes anything away.

mod laws;

use std::collections::BTreeSet;

use expect_test::{Expect, expect};

use super::ordering::{World, wanted};
use super::*;
use crate::baseline::{Limits, Mode};
use crate::ids::Target;

/// Version 9 of a guardrail can't be used. Account 300000000005 has proven nothing; the Region us-west-2 is enabled nowhere.
struct Known;

impl Proofs for Known {
    fn guardrail(&self, _: &Region, enforcement: &Enforcement) -> Result<(), String> {
        match enforcement.version.to_string().as_str() {
            "9" => Err("it is not ready".to_owned()),
            _ => Ok(()),
        }
    }

    fn account(&self, target: &Target, _: &Enforcement) -> AccountProof {
        match (target.account.as_str(), target.region.as_str()) {
            (_, "us-west-2") => AccountProof::NotNeeded,
            ("300000000005", _) => AccountProof::Missing("nobody tried".to_owned()),
            _ => AccountProof::Proven,
        }
    }
}

const LIMITS: Limits = Limits { max_replacements: 50, max_releases: 5, max_abandonments: 5 };

fn asked(policies: &WantedPolicies) -> OrganizationWants<'_> {
    OrganizationWants { policies, mode: Mode::Sync, puts_back: false, limits: LIMITS, is_approved: true }
}

fn decided(world: &World, wants: OrganizationWants<'_>, frozen: &[&str]) -> OrganizationDecision {
    let (accounts, frozen) = (accounts(), frozen.iter().map(|account| account.parse().unwrap()).collect());
    let level = OrganizationLevel {
        is_enabled: true,
        present: &world.present,
        own: &world.own,
        accounts: &accounts,
        frozen: &frozen,
    };
    decide(level, wants, &Known)
}

fn in_words(decision: &OrganizationDecision) -> String {
    let steps = |safe: &SafeSteps| {
        let steps: Vec<String> = safe.steps().iter().map(|step| format!("\n{step}")).collect();
        let unreached: Vec<String> =
            safe.unreached().iter().map(|it| format!("\nnot reached: {it}")).collect();
        format!("{}{}{}", safe.extent(), steps.concat(), unreached.concat())
    };
    match decision {
        OrganizationDecision::NothingToWrite => "nothing to write".to_owned(),
        OrganizationDecision::Write(safe) => format!("write: {}", steps(safe)),
        OrganizationDecision::WouldWrite(safe) => format!("would write: {}", steps(safe)),
        OrganizationDecision::Held(holds) => {
            let holds: Vec<String> =
                holds.iter().map(|hold| format!("held ({}): {hold}", hold.code())).collect();
            holds.join("\n")
        }
    }
}

#[track_caller]
fn decides(decision: &OrganizationDecision, expected: &Expect) {
    expected.assert_eq(&in_words(decision));
}

/// Everybody but the one who has proven nothing.
fn below_the_workload(version: u32) -> WantedPolicies {
    wanted(&[(WORKLOAD, &[("us-east-1", version)])])
}

#[test]
fn what_is_proven_and_approved_is_written_and_then_nothing_is() {
    let wants = below_the_workload(1);
    let decision = decided(&World::default(), asked(&wants), &[]);
    decides(
        &decision,
        &expect![[r#"
        write: 3 accounts; 3 added, 0 replaced, 0 released
        create guardrail-keeper-ou-exam-workload-1, us-east-1: abc123:1
        attach guardrail-keeper-ou-exam-workload-1 to ou-exam-workload"#]],
    );
    let OrganizationDecision::Write(safe) = decision else { panic!("it is held") };
    let after = World::default().after(safe.steps());
    assert_eq!(decided(&after, asked(&wants), &[]), OrganizationDecision::NothingToWrite);
    // Under audit nothing is taken but said.
    let audited = OrganizationWants { mode: Mode::Audit, ..asked(&wants) };
    decides(
        &decided(&World::default(), audited, &[]),
        &expect![[r#"
        would write: 3 accounts; 3 added, 0 replaced, 0 released
        create guardrail-keeper-ou-exam-workload-1, us-east-1: abc123:1
        attach guardrail-keeper-ou-exam-workload-1 to ou-exam-workload"#]],
    );
}

#[test]
fn every_reason_is_named_at_once() {
    let wants = wanted(&[(ROOT, &[("us-east-1", 9), ("us-west-2", 1)])]);
    let unapproved = OrganizationWants { is_approved: false, ..asked(&wants) };
    decides(
        &decided(&World::default(), unapproved, &[]),
        &expect![[r#"
        held (unusable): abc123:9 in us-east-1 can't be used, and every call below it would fail: it is not ready
        held (not_proven): it is not proven that these can apply what they would be given, and their calls may fail: 300000000005/us-east-1 (nobody tried)
        held (not_approved): it changes more than may be changed without an approval: 5 accounts; 10 added, 0 replaced, 0 released"#]],
    );
    let (accounts, world) = (accounts(), World::default());
    let level = OrganizationLevel {
        is_enabled: false,
        present: &world.present,
        own: &world.own,
        accounts: &accounts,
        frozen: &BTreeSet::new(),
    };
    let wants = below_the_workload(1);
    decides(
        &decide(level, asked(&wants), &Known),
        &expect![
            "held (type_disabled): Bedrock policies are not enabled in the organization: enable the type BEDROCK_POLICY on the root"
        ],
    );
    // Nothing to be done: it is no matter that the type isn't enabled.
    assert_eq!(decide(level, asked(&WantedPolicies::new()), &Known), OrganizationDecision::NothingToWrite);
}

#[test]
fn one_account_is_changed_without_an_approval_and_no_more() {
    let of = |points: &[(&str, &[(&str, u32)])]| {
        let wants = wanted(points);
        let unapproved = OrganizationWants { is_approved: false, ..asked(&wants) };
        in_words(&decided(&World::default(), unapproved, &[]))
    };
    assert!(of(&[("300000000003", &[("us-east-1", 1)])]).starts_with("write: 1 account; 1 added"));
    assert!(of(&[(PAYMENT, &[("us-east-1", 1)])]).starts_with("held (not_approved)"));
    // Within one account the limits count Regions.
    let both = wanted(&[("300000000003", &[("us-east-1", 1), ("eu-west-1", 1)])]);
    let world = World::with(&both);
    let none = WantedPolicies::new();
    let limits = Limits { max_releases: 1, ..LIMITS };
    let unapproved = OrganizationWants { is_approved: false, limits, ..asked(&none) };
    decides(
        &decided(&world, unapproved, &[]),
        &expect![
            "held (not_approved): it changes more than may be changed without an approval: 1 account; 0 added, 0 replaced, 2 released"
        ],
    );
}

/// A policy of somebody else's on an account comes after the keeper's on its OU.
#[test]
fn what_others_would_make_of_it_is_held() {
    let assign = r#"={"@@assign":"arn:aws:bedrock:us-east-1:222222222222:guardrail/other1:1"}"#;
    let under_our_name = foreign(&[&format!("us-east-1/keeper/identifier{assign}")]);
    let world = World::default().foreign("theirs", "300000000003", under_our_name);
    decides(
        &decided(&world, asked(&below_the_workload(1)), &[]),
        &expect![[
            r#"held (overridden): policies of others would leave something else there than what is wanted: 300000000003/us-east-1 (different: identifier is "arn:aws:bedrock:us-east-1:222222222222:guardrail/other1:1", not "arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:1" (from p-00theirs on 300000000003)); correct them"#
        ]],
    );
    let under_another = foreign(&[&format!("us-east-1/config/identifier{assign}")]);
    let world = World::default().foreign("theirs", "300000000003", under_another.clone());
    decides(
        &decided(&world, asked(&below_the_workload(1)), &[]),
        &expect![
            "held (no_safe_order): to attach guardrail-keeper-ou-exam-workload-1 to ou-exam-workload would freeze 300000000003: bedrock.guardrail_inference.us-east-1: ELEMENTS_TOO_MANY (p-00theirs on 300000000003, guardrail-keeper-ou-exam-workload-1 on ou-exam-workload); correct the policies that are not the keeper's"
        ],
    );
    // Where it changes nothing, it is no matter.
    let elsewhere = World::default().foreign("theirs", SANDBOX, under_another);
    assert!(in_words(&decided(&elsewhere, asked(&below_the_workload(1)), &[])).starts_with("write"));
}

/// What the keeper takes away lets through what somebody else attached above it: that is given to the account, too.
#[test]
fn what_comes_out_from_behind_has_to_be_proven_as_well() {
    let root = foreign(&[
        r#"us-east-1/keeper/identifier={"@@assign":"arn:aws:bedrock:us-east-1:222222222222:guardrail/other1:1"}"#,
    ]);
    let ours = wanted(&[(SANDBOX, &[("us-east-1", 1)])]);
    let world = World::with(&ours).foreign("theirs", ROOT, root);
    decides(
        &decided(&world, asked(&WantedPolicies::new()), &[]),
        &expect![
            "held (not_proven): it is not proven that these can apply what they would be given, and their calls may fail: 300000000005/us-east-1 (nobody tried)"
        ],
    );
}

#[test]
fn a_frozen_account_is_not_reached_and_has_to_be_proven_all_the_same() {
    let wants = wanted(&[(WORKLOAD, &[("us-east-1", 1)]), (SANDBOX, &[("us-west-2", 1)])]);
    decides(
        &decided(&World::default(), asked(&wants), &["300000000002", "300000000005"]),
        &expect![[r#"
        write: 4 accounts; 2 added, 2 replaced, 0 released
        create guardrail-keeper-ou-exam-sandbox1-1, us-west-2: abc123:1
        attach guardrail-keeper-ou-exam-sandbox1-1 to ou-exam-sandbox1
        create guardrail-keeper-ou-exam-workload-1, us-east-1: abc123:1
        attach guardrail-keeper-ou-exam-workload-1 to ou-exam-workload
        not reached: 300000000002
        not reached: 300000000005"#]],
    );
    let all = wanted(&[(ROOT, &[("us-east-1", 1)])]);
    let world = World::with(&all);
    let newer = wanted(&[(ROOT, &[("us-east-1", 2)])]);
    decides(
        &decided(&world, asked(&newer), &["300000000005"]),
        &expect![
            "held (not_proven): it is not proven that these can apply what they would be given, and their calls may fail: 300000000005/us-east-1 (nobody tried)"
        ],
    );
}

#[test]
fn enforce_only_and_what_is_put_back_take_nothing_away() {
    let before = wanted(&[(ROOT, &[("us-west-2", 1)]), (WORKLOAD, &[("us-east-1", 1), ("us-west-2", 2)])]);
    let world = World::with(&before);
    let wants = wanted(&[(WORKLOAD, &[("us-east-1", 2)])]);
    for wants in [
        OrganizationWants { mode: Mode::EnforceOnly, ..asked(&wants) },
        OrganizationWants { puts_back: true, ..asked(&wants) },
    ] {
        decides(
            &decided(&world, wants, &[]),
            &expect![[r#"
            write: 3 accounts; 0 added, 3 replaced, 0 released
            update p-ou_exam_workload_1, us-east-1: abc123:2, us-west-2: abc123:2"#]],
        );
    }
    decides(
        &decided(&world, asked(&wants), &[]),
        &expect![[r#"
        write: 5 accounts; 0 added, 3 replaced, 5 released
        update p-ou_exam_workload_1, us-east-1: abc123:2, us-west-2: abc123:2
        check that every account below r-exam has what is predicted
        detach p-r_exam_1 from r-exam
        check that every account below ou-exam-workload has what is predicted
        update p-ou_exam_workload_1, us-east-1: abc123:2
        delete p-r_exam_1"#]],
    );
}

/// Somebody adds a Region to a policy of the keeper's, under a name that isn't the keeper's. To correct the policy takes it
/// away again, which `enforce-only` doesn't.
#[test]
fn what_others_wrote_into_ours_stays_under_enforce_only() {
    let wants = below_the_workload(1);
    let mut world = World::with(&wants);
    let edited = foreign(&[
        r#"us-east-1/keeper/identifier={"@@assign":"arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:2"}"#,
        r#"eu-west-1/added/identifier={"@@assign":"arn:aws:bedrock:eu-west-1:222222222222:guardrail/other1:1"}"#,
    ]);
    let (id, _) = world.own.first_key_value().unwrap();
    world.present.contents.insert(PolicyKey::Id(id.clone()), Ok(edited));
    let enforce_only = OrganizationWants { mode: Mode::EnforceOnly, ..asked(&wants) };
    decides(
        &decided(&world, enforce_only, &[]),
        &expect![
            "held (takes_away): nothing is taken away now, and to correct the keeper's policies would do so: 3 accounts; 0 added, 3 replaced, 3 released"
        ],
    );
    decides(
        &decided(&world, asked(&wants), &[]),
        &expect![[r#"
        write: 3 accounts; 0 added, 3 replaced, 3 released
        update p-ou_exam_workload_1, us-east-1: abc123:1"#]],
    );
}

#[test]
fn no_safe_order_is_the_only_reason() {
    let mut world = World::default().foreign("unread", ROOT, own(&[]).policy());
    let broken = BedrockPolicy::parse("{").unwrap_err();
    world.present.contents.insert(policy("unread"), Err(broken));
    decides(
        &decided(&world, asked(&below_the_workload(1)), &[]),
        &expect![
            "held (no_safe_order): what 300000000002 would get can't be predicted, because these policies can't be read: p-00unread on r-exam; correct them, or update the keeper"
        ],
    );
}

/// A lock beside keys keeps ours out under one answer, and makes the merge invalid under another one. That is neither a
/// frozen account, nor is what the account has after one answer what it had under all.
#[test]
fn answers_to_what_is_not_known_hide_no_change() {
    let lock = foreign(&[r#"us-east-1={"@@operators_allowed_for_child_policies":["@@append"]}"#]);
    let both = wanted(&[(WORKLOAD, &[("us-east-1", 1), ("eu-west-1", 1)])]);
    let world = World::with(&both).foreign("theirs", ROOT, lock);
    let one = wanted(&[(WORKLOAD, &[("eu-west-1", 1)])]);
    decides(
        &decided(&world, asked(&one), &[]),
        &expect![[r#"
        write: 3 accounts; 0 added, 0 replaced, 3 released
        check that every account below ou-exam-workload has what is predicted
        update p-ou_exam_workload_1, eu-west-1: abc123:1"#]],
    );
    let none = WantedPolicies::new();
    let unapproved = OrganizationWants { is_approved: false, ..asked(&none) };
    decides(
        &decided(&world, unapproved, &[]),
        &expect![
            "held (not_approved): it changes more than may be changed without an approval: 3 accounts; 0 added, 0 replaced, 6 released"
        ],
    );
}

/// Ours is forbidden: it does nothing, or makes the merge invalid. A Region that no step is about, and that differs with
/// another answer, doesn't change by that.
#[test]
fn a_region_that_no_step_is_about_does_not_count() {
    let locked = |leaf: &str, value: &str| {
        format!(
            r#"us-east-1/keeper/{leaf}={{"@@assign":{value},"@@operators_allowed_for_child_policies":["@@none"]}}"#
        )
    };
    let other = r#""arn:aws:bedrock:us-east-1:222222222222:guardrail/other1:1""#;
    let in_capitals = r#"eu-west-1/Keeper/identifier={"@@assign":"arn:aws:bedrock:eu-west-1:222222222222:guardrail/other1:1"}"#;
    let small = r#"eu-west-1/keeper/identifier={"@@assign":"arn:aws:bedrock:eu-west-1:222222222222:guardrail/other1:2"}"#;
    let root = foreign(&[
        &locked("identifier", other),
        &locked("selective_content_guarding/system", r#""comprehensive""#),
        &locked("selective_content_guarding/messages", r#""comprehensive""#),
        &locked("model_enforcement/included_models", r#"["ALL"]"#),
        &locked("model_enforcement/excluded_models", "[]"),
        in_capitals,
    ]);
    let world = World::with(&below_the_workload(1)).foreign("root", ROOT, root).foreign(
        "workload",
        WORKLOAD,
        foreign(&[small]),
    );
    decides(
        &decided(&world, asked(&WantedPolicies::new()), &[]),
        &expect![[r#"
        write: 0 accounts; 0 added, 0 replaced, 0 released
        check that every account below ou-exam-workload has what is predicted
        detach p-ou_exam_workload_1 from ou-exam-workload
        delete p-ou_exam_workload_1"#]],
    );
}

/// A Region may be left with nothing under one answer only: that is a release.
#[test]
fn what_may_end_with_nothing_is_released() {
    let lock = foreign(&[r#"us-east-1={"@@operators_allowed_for_child_policies":["@@append"]}"#]);
    let world = World::with(&below_the_workload(1)).foreign("theirs", ROOT, lock);
    let newer = below_the_workload(2);
    let unapproved = OrganizationWants { is_approved: false, ..asked(&newer) };
    decides(
        &decided(&world, unapproved, &[]),
        &expect![[r#"
        held (overridden): policies of others would leave something else there than what is wanted: 300000000002/us-east-1 (nothing), 300000000003/us-east-1 (nothing), 300000000004/us-east-1 (nothing); correct them
        held (not_approved): it changes more than may be changed without an approval: 3 accounts; 0 added, 0 replaced, 3 released"#]],
    );
}

#[test]
fn what_a_frozen_account_has_counts_until_it_is_known() {
    let both = wanted(&[(WORKLOAD, &[("us-east-1", 1), ("eu-west-1", 1)]), (SANDBOX, &[("us-west-2", 1)])]);
    let world = World::with(&both);
    let frozen = ["300000000002", "300000000003", "300000000004", "300000000005"];
    // All of it goes.
    let none = WantedPolicies::new();
    let unapproved = OrganizationWants { is_approved: false, ..asked(&none) };
    decides(
        &decided(&world, unapproved, &frozen),
        &expect![
            "held (not_approved): it changes more than may be changed without an approval: 4 accounts; 0 added, 0 replaced, 7 released"
        ],
    );
    // One Region goes. The sandbox is touched by no step.
    let one = wanted(&[(WORKLOAD, &[("us-east-1", 1)]), (SANDBOX, &[("us-west-2", 1)])]);
    decides(
        &decided(&world, asked(&one), &frozen),
        &expect![[r#"
        write: 3 accounts; 0 added, 3 replaced, 3 released
        check that every account below ou-exam-workload has what is predicted
        update p-ou_exam_workload_1, us-east-1: abc123:1
        not reached: 300000000002
        not reached: 300000000003
        not reached: 300000000004"#]],
    );
}

#[test]
fn what_can_not_be_read_is_not_written_over() {
    let wants = below_the_workload(1);
    let mut world = World::with(&wants);
    let (id, _) = world.own.first_key_value().unwrap();
    world.present.contents.insert(PolicyKey::Id(id.clone()), Err(BedrockPolicy::parse("{").unwrap_err()));
    decides(
        &decided(&world, asked(&wants), &["300000000002"]),
        &expect![
            "held (before_not_known): it can't be said what these accounts have, because policies there can't be read or merged, nor what would be taken away: 300000000002, 300000000003, 300000000004; correct the policies"
        ],
    );
}

#[test]
fn an_unusable_guardrail_is_not_attached_again() {
    let wants = below_the_workload(9);
    let mut world = World::with(&wants);
    world.present.attached.clear();
    decides(
        &decided(&world, asked(&wants), &[]),
        &expect![
            "held (unusable): abc123:9 in us-east-1 can't be used, and every call below it would fail: it is not ready"
        ],
    );
}

/// Which of two policies of one point was attached first isn't known: what is listed first may not be what is first.
#[test]
fn what_another_order_of_peers_would_change_is_a_change() {
    let theirs = foreign(&[
        r#"us-east-1/keeper/identifier={"@@assign":"arn:aws:bedrock:us-east-1:222222222222:guardrail/other1:1"}"#,
        r#"us-east-1/keeper/selective_content_guarding/system={"@@assign":"comprehensive"}"#,
        r#"us-east-1/keeper/selective_content_guarding/messages={"@@assign":"comprehensive"}"#,
        r#"us-east-1/keeper/model_enforcement/included_models={"@@assign":["ALL"]}"#,
        r#"us-east-1/keeper/model_enforcement/excluded_models={"@@assign":[]}"#,
    ]);
    let world = World::default().foreign("theirs", WORKLOAD, theirs);
    decides(
        &decided(&world, asked(&below_the_workload(1)), &[]),
        &expect![[r#"
        held (overridden): policies of others would leave something else there than what is wanted: 300000000002/us-east-1 (different: identifier is "arn:aws:bedrock:us-east-1:222222222222:guardrail/other1:1", not "arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:1" (from p-00theirs on ou-exam-workload)), 300000000003/us-east-1 (different: identifier is "arn:aws:bedrock:us-east-1:222222222222:guardrail/other1:1", not "arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:1" (from p-00theirs on ou-exam-workload)), 300000000004/us-east-1 (different: identifier is "arn:aws:bedrock:us-east-1:222222222222:guardrail/other1:1", not "arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:1" (from p-00theirs on ou-exam-workload)); correct them
        held (depends_on_order): what 300000000002/us-east-1, 300000000003/us-east-1, 300000000004/us-east-1 would get depends on the order in which p-00theirs on ou-exam-workload were attached, which AWS doesn't show; correct one of them"#]],
    );
}
