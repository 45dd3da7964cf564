//! The order of writes: tables, and the law that nobody is unguarded in between.

pub(super) mod laws;

use std::collections::BTreeSet;

use expect_test::{Expect, expect};

use super::*;

/// What is attached, and what of it is ours.
#[derive(Clone, Debug, Default)]
pub(super) struct World {
    pub(super) present: AttachedPolicies,
    pub(super) own: OwnPolicies,
}

impl World {
    /// A world in which this was written, and nothing else is there.
    pub(super) fn with(wanted: &WantedPolicies) -> World {
        World::default().after(&World::default().steps(wanted).unwrap())
    }

    pub(super) fn foreign(mut self, name: &str, at: &str, document: BedrockPolicy) -> World {
        self.present.contents.insert(policy(name), Ok(document));
        self.present.attached.entry(point(at)).or_default().push(policy(name));
        self
    }

    /// A foreign policy that was attached before everything else.
    fn foreign_first(self, name: &str, at: &str, document: BedrockPolicy) -> World {
        let mut world = self.foreign(name, at, document);
        world.present.attached.get_mut(&point(at)).unwrap().rotate_right(1);
        world
    }

    fn steps(&self, wanted: &WantedPolicies) -> Result<Vec<PolicyStep>, NoSafeOrder> {
        ordered_steps(&self.present, &self.own, wanted, &accounts())
    }

    /// The world after some steps. What was created got an id.
    pub(super) fn after(&self, steps: &[PolicyStep]) -> World {
        let mut world = self.clone();
        steps.iter().for_each(|step| step.apply(&mut world.present));
        let id = |part: &PolicyPart| policy_id(&format!("{}_{}", part.point, part.number).replace('-', "_"));
        let key = |key: &PolicyKey| match key {
            PolicyKey::Id(id) => PolicyKey::Id(id.clone()),
            PolicyKey::New(part) => PolicyKey::Id(id(part)),
            PolicyKey::Proposed => PolicyKey::Proposed,
        };
        for known in world.present.contents.keys() {
            if let PolicyKey::New(part) = known {
                world.own.insert(id(part), part.clone());
            }
        }
        let AttachedPolicies { contents, attached } = std::mem::take(&mut world.present);
        world.present.contents =
            contents.into_iter().map(|(known, content)| (key(&known), content)).collect();
        let keys = |policies: Vec<PolicyKey>| policies.iter().map(key).collect();
        world.present.attached =
            attached.into_iter().map(|(point, policies)| (point, keys(policies))).collect();
        world.own.retain(|id, _| world.present.contents.contains_key(&PolicyKey::Id(id.clone())));
        world
    }
}

pub(super) fn wanted(points: &[(&str, &[(&str, u32)])]) -> WantedPolicies {
    points.iter().map(|(at, versions)| (point(at), regions(versions))).collect()
}

#[track_caller]
fn orders(world: &World, wanted: &WantedPolicies, expected: &Expect) {
    let steps = match world.steps(wanted) {
        Ok(steps) => steps,
        Err(error) => panic!("{error}"),
    };
    let lines: Vec<String> = steps.iter().map(ToString::to_string).collect();
    expected.assert_eq(&lines.join("\n"));
    // A second run writes nothing.
    assert_eq!(world.after(&steps).steps(wanted), Ok(Vec::new()));
}

#[track_caller]
fn refuses(world: &World, wanted: &WantedPolicies, expected: &Expect) {
    expected.assert_eq(&world.steps(wanted).unwrap_err().to_string());
}

#[test]
fn what_is_new_is_created_and_attached() {
    orders(
        &World::default(),
        &wanted(&[
            (ROOT, &[("us-east-1", 1)]),
            (WORKLOAD, &[("us-east-1", 2)]),
            ("300000000003", &[("us-east-1", 3)]),
        ]),
        &expect![[r#"
            create guardrail-keeper-300000000003-1, us-east-1: abc123:3
            attach guardrail-keeper-300000000003-1 to 300000000003
            create guardrail-keeper-ou-exam-workload-1, us-east-1: abc123:2
            attach guardrail-keeper-ou-exam-workload-1 to ou-exam-workload
            create guardrail-keeper-r-exam-1, us-east-1: abc123:1
            attach guardrail-keeper-r-exam-1 to r-exam"#]],
    );
}

#[test]
fn a_new_version_is_an_update_in_place() {
    let world = World::with(&wanted(&[(ROOT, &[("us-east-1", 1)]), (WORKLOAD, &[("us-east-1", 1)])]));
    orders(
        &world,
        &wanted(&[(ROOT, &[("us-east-1", 2)]), (WORKLOAD, &[("us-east-1", 1)])]),
        &expect!["update p-r_exam_1, us-east-1: abc123:2"],
    );
    orders(&world, &wanted(&[(ROOT, &[("us-east-1", 1)]), (WORKLOAD, &[("us-east-1", 1)])]), &expect![""]);
}

#[test]
fn who_moves_up_or_down_is_guarded_all_the_time() {
    let root = wanted(&[(ROOT, &[("us-east-1", 1)])]);
    let ous = wanted(&[(WORKLOAD, &[("us-east-1", 2)]), (PAYMENT, &[("us-east-1", 3)])]);
    orders(
        &World::with(&root),
        &ous,
        &expect![[r#"
            create guardrail-keeper-ou-exam-payments1-1, us-east-1: abc123:3
            attach guardrail-keeper-ou-exam-payments1-1 to ou-exam-payments1
            create guardrail-keeper-ou-exam-workload-1, us-east-1: abc123:2
            attach guardrail-keeper-ou-exam-workload-1 to ou-exam-workload
            check that every account below r-exam has what is predicted
            detach p-r_exam_1 from r-exam
            delete p-r_exam_1"#]],
    );
    // From the top down: else an account would fall back to what is to go.
    orders(
        &World::with(&ous),
        &root,
        &expect![[r#"
            create guardrail-keeper-r-exam-1, us-east-1: abc123:1
            attach guardrail-keeper-r-exam-1 to r-exam
            check that every account below ou-exam-workload has what is predicted
            detach p-ou_exam_workload_1 from ou-exam-workload
            check that every account below ou-exam-payments1 has what is predicted
            detach p-ou_exam_payments1_1 from ou-exam-payments1
            delete p-ou_exam_payments1_1
            delete p-ou_exam_workload_1"#]],
    );
    // The OU keeps what the root had, and the root gets another: the OU's comes first.
    orders(
        &World::with(&root),
        &wanted(&[(ROOT, &[("us-east-1", 2)]), (WORKLOAD, &[("us-east-1", 1)])]),
        &expect![[r#"
            create guardrail-keeper-ou-exam-workload-1, us-east-1: abc123:1
            attach guardrail-keeper-ou-exam-workload-1 to ou-exam-workload
            update p-r_exam_1, us-east-1: abc123:2"#]],
    );
}

#[test]
fn a_region_is_dropped_after_everything_else() {
    let world = World::with(&wanted(&[(ROOT, &[("us-east-1", 1), ("us-west-2", 1)])]));
    orders(
        &world,
        &wanted(&[
            (ROOT, &[("us-east-1", 2)]),
            (WORKLOAD, &[("us-west-2", 2)]),
            (SANDBOX, &[("us-west-2", 1)]),
        ]),
        &expect![[r#"
            create guardrail-keeper-ou-exam-sandbox1-1, us-west-2: abc123:1
            attach guardrail-keeper-ou-exam-sandbox1-1 to ou-exam-sandbox1
            create guardrail-keeper-ou-exam-workload-1, us-west-2: abc123:2
            attach guardrail-keeper-ou-exam-workload-1 to ou-exam-workload
            update p-r_exam_1, us-east-1: abc123:2, us-west-2: abc123:1
            check that every account below r-exam has what is predicted
            update p-r_exam_1, us-east-1: abc123:2"#]],
    );
    orders(
        &world,
        &WantedPolicies::new(),
        &expect![[r#"
        check that every account below r-exam has what is predicted
        detach p-r_exam_1 from r-exam
        delete p-r_exam_1"#]],
    );
}

#[test]
fn a_region_that_outgrows_its_part_is_there_twice_before_it_leaves() {
    let listed = |region: &Region, length: usize| {
        let names: Vec<String> = (0..length).map(|number| format!("provider.model-{number:03}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let models = Models { exclude: super::models(&names), ..Models::default() };
        Enforcement { models, ..enforcement(region.as_str(), 1) }
    };
    let both = |length| {
        let names = ["us-east-1", "us-west-2"].map(region);
        names.into_iter().map(|name| (name.clone(), listed(&name, length))).collect::<BTreeMap<_, _>>()
    };
    let world = World::with(&[(point(ROOT), both(50))].into());
    assert_eq!(world.own.len(), 1);
    let wanted: WantedPolicies = [(point(ROOT), both(300))].into();
    let steps = world.steps(&wanted).unwrap();
    let shown: Vec<String> =
        steps.iter().map(|step| step.to_string().split(',').next().unwrap().to_owned()).collect();
    assert_eq!(
        shown,
        [
            "create guardrail-keeper-r-exam-2",
            "attach guardrail-keeper-r-exam-2 to r-exam",
            "check that every account below r-exam has what is predicted",
            "update p-r_exam_1",
        ]
    );
    assert_eq!(world.after(&steps).steps(&wanted), Ok(Vec::new()));
    // Interrupted after the attachment, it goes on there.
    assert_eq!(
        world.after(&steps[..2]).steps(&wanted).unwrap().last().map(ToString::to_string),
        steps.last().map(ToString::to_string)
    );
}

#[test]
fn what_others_did_to_ours_is_put_right() {
    let plan = wanted(&[(ROOT, &[("us-east-1", 1)]), (WORKLOAD, &[("us-east-1", 2)])]);
    let good = World::with(&plan);
    let key = policy("r_exam_1");
    let mut edited = good.clone();
    edited.present.contents.insert(key.clone(), Ok(own(&[("us-east-1", 9)]).policy()));
    orders(&edited, &plan, &expect!["update p-r_exam_1, us-east-1: abc123:1"]);
    let mut detached = good.clone();
    detached.present.attached.remove(&point(ROOT));
    orders(&detached, &plan, &expect!["attach p-r_exam_1 to r-exam"]);
    // A detached one may say anything: nobody has it.
    detached.present.contents.insert(key.clone(), Ok(own(&[("us-east-1", 9), ("eu-west-1", 9)]).policy()));
    orders(
        &detached,
        &plan,
        &expect![[r#"
        update p-r_exam_1, us-east-1: abc123:1
        attach p-r_exam_1 to r-exam"#]],
    );
    let mut stray = good.clone();
    stray.present.attached.entry(point(SANDBOX)).or_default().push(key.clone());
    orders(
        &stray,
        &plan,
        &expect![[r#"
        check that every account below ou-exam-sandbox1 has what is predicted
        detach p-r_exam_1 from ou-exam-sandbox1"#]],
    );
    // Ours can't be read: it is written anew, though nobody knows what is there until then.
    let mut unreadable = good.clone();
    unreadable.present.contents.insert(key, BedrockPolicy::parse("{}"));
    orders(&unreadable, &plan, &expect!["update p-r_exam_1, us-east-1: abc123:1"]);
    // Two policies with one part: the second goes.
    let mut twice = good;
    twice.own.insert(policy_id("twin"), PolicyPart { point: point(ROOT), number: 1 });
    twice.present.contents.insert(policy("twin"), Ok(own(&[("us-east-1", 1)]).policy()));
    twice.present.attached.get_mut(&point(ROOT)).unwrap().push(policy("twin"));
    let steps: Vec<String> = twice.steps(&plan).unwrap().iter().map(ToString::to_string).collect();
    assert!(steps.iter().any(|step| step.starts_with("detach")), "{steps:?}");
    assert_eq!(twice.after(&twice.steps(&plan).unwrap()).steps(&plan), Ok(Vec::new()));
}

#[test]
fn a_stray_whose_points_change_differently_goes_first() {
    // Ours of the workload's OU is on the sandbox's OU as well. To update it first would give the sandbox for a moment
    // what it never was to have.
    let before = wanted(&[(ROOT, &[("us-east-1", 7)]), (WORKLOAD, &[("us-east-1", 1)])]);
    let mut world = World::with(&before);
    world.present.attached.entry(point(SANDBOX)).or_default().push(policy("ou_exam_workload_1"));
    let after = wanted(&[(ROOT, &[("us-east-1", 7)]), (WORKLOAD, &[("us-east-1", 2)])]);
    orders(
        &world,
        &after,
        &expect![[r#"
        check that every account below ou-exam-sandbox1 has what is predicted
        detach p-ou_exam_workload_1 from ou-exam-sandbox1
        update p-ou_exam_workload_1, us-east-1: abc123:2"#]],
    );
    // If the root changes too, neither order is safe.
    let both = wanted(&[(ROOT, &[("us-east-1", 8)]), (WORKLOAD, &[("us-east-1", 2)])]);
    refuses(
        &world,
        &both,
        &expect![
            "after the step to update p-ou_exam_workload_1, us-east-1: abc123:2, 300000000005 would have in us-east-1 for a moment what it has neither now nor at the end, from p-ou_exam_workload_1 on ou-exam-sandbox1; see what other Bedrock policies do there"
        ],
    );
}

#[test]
fn every_order_of_peers_has_to_be_safe() {
    // The root's policy is on the workload's OU as well. If it was attached there first, it is what acts there, and
    // neither to change it nor to detach it is safe before the other is changed.
    let before = wanted(&[(ROOT, &[("us-east-1", 7)]), (WORKLOAD, &[("us-east-1", 1)])]);
    let mut world = World::with(&before);
    world.present.attached.get_mut(&point(WORKLOAD)).unwrap().push(policy("r_exam_1"));
    let after = wanted(&[(ROOT, &[("us-east-1", 8)]), (WORKLOAD, &[("us-east-1", 2)])]);
    refuses(
        &world,
        &after,
        &expect![
            "after the step to update p-r_exam_1, us-east-1: abc123:8, 300000000002 would have in us-east-1 for a moment what it has neither now nor at the end, from p-r_exam_1 on ou-exam-workload; see what other Bedrock policies do there"
        ],
    );
}

const LOCK: &str = r#"us-east-1/keeper/identifier={"@@operators_allowed_for_child_policies":["@@none"]}"#;

#[test]
fn what_foreign_policies_make_unsafe_is_refused() {
    let before = wanted(&[(WORKLOAD, &[("us-east-1", 1)])]);
    // A foreign lock between: the identifier of a child would be kept out, and not its lists.
    let world = World::with(&before).foreign("lock", WORKLOAD, foreign(&[LOCK]));
    refuses(
        &world,
        &wanted(&[(WORKLOAD, &[("us-east-1", 1)]), (PAYMENT, &[("us-east-1", 2)])]),
        &expect![
            "to attach guardrail-keeper-ou-exam-payments1-1 to ou-exam-payments1 would freeze 300000000003: bedrock.guardrail_inference.us-east-1.keeper.identifier: forbidden by a policy above (p-0000lock on ou-exam-workload, guardrail-keeper-ou-exam-payments1-1 on ou-exam-payments1); correct the policies that are not the keeper's"
        ],
    );
    // Another name in the Region: AWS may refuse two.
    let other = foreign(&[&LOCK
        .replace("keeper", "config")
        .replace(r#"{"#, r#"{"@@assign":"arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:5","#)]);
    refuses(
        &World::default().foreign("other", ROOT, other),
        &before,
        &expect![
            "to attach guardrail-keeper-ou-exam-workload-1 to ou-exam-workload would freeze 300000000002: bedrock.guardrail_inference.us-east-1: ELEMENTS_TOO_MANY (p-000other on r-exam, guardrail-keeper-ou-exam-workload-1 on ou-exam-workload); correct the policies that are not the keeper's"
        ],
    );
    // One that can't be read.
    let mut world = World::default();
    world.present.contents.insert(policy("odd"), BedrockPolicy::parse(r#"{"bedrock":{"@@new":[]}}"#));
    world.present.attached.insert(point(PAYMENT), vec![policy("odd")]);
    refuses(
        &world,
        &before,
        &expect![
            "what 300000000003 would get can't be predicted, because these policies can't be read: p-00000odd on ou-exam-payments1; correct them, or update the keeper"
        ],
    );
    // Elsewhere it doesn't matter.
    assert!(world.steps(&wanted(&[(SANDBOX, &[("us-east-1", 1)])])).is_ok());
}

#[test]
fn foreign_policies_beside_ours_stay_and_may_hold_a_write() {
    // First in order, a foreign identifier wins over ours; second, it doesn't. In either case an update of ours leads
    // from what is there to what will be, though not to what is wanted: that is for the comparison to say.
    let identifier = r#"us-east-1/keeper/identifier={"@@assign":"arn:aws:bedrock:us-east-1:222222222222:guardrail/abc123:5"}"#;
    let world = World::with(&wanted(&[(ROOT, &[("us-east-1", 1)])])).foreign_first(
        "first",
        ROOT,
        foreign(&[identifier]),
    );
    orders(
        &world,
        &wanted(&[(ROOT, &[("us-east-1", 2)])]),
        &expect!["update p-r_exam_1, us-east-1: abc123:2"],
    );
    // So does a move to an OU below. The foreign one stays on the root.
    orders(
        &world,
        &wanted(&[(WORKLOAD, &[("us-east-1", 2)])]),
        &expect![[r#"
        create guardrail-keeper-ou-exam-workload-1, us-east-1: abc123:2
        attach guardrail-keeper-ou-exam-workload-1 to ou-exam-workload
        check that every account below r-exam has what is predicted
        detach p-r_exam_1 from r-exam
        delete p-r_exam_1"#]],
    );
}

#[test]
fn who_is_frozen_already_does_not_hold_up_the_others() {
    let child = foreign(&[r#"us-east-1/config/selective_content_guarding/system={"@@assign":"selective"}"#]);
    let before = wanted(&[(ROOT, &[("us-east-1", 1)])]);
    let world = World::with(&before).foreign("child", PAYMENT, child.clone());
    orders(
        &world,
        &wanted(&[(ROOT, &[("us-east-1", 2)])]),
        &expect!["update p-r_exam_1, us-east-1: abc123:2"],
    );
}

#[test]
fn a_point_has_ten_policies_at_most() {
    let mut world = World::default();
    for number in 0..9 {
        let leaf = format!(
            r#"us-west-2/config/identifier={{"@@assign":"arn:aws:bedrock:us-west-2:222222222222:guardrail/abc123:{}"}}"#,
            1
        );
        world = world.foreign(&format!("foreign{number}"), ROOT, foreign(&[&leaf]));
    }
    let plan = wanted(&[(ROOT, &[("us-east-1", 1)])]);
    assert!(world.steps(&plan).is_ok());
    world = world.foreign("tenth", ROOT, BedrockPolicy::default());
    refuses(
        &world,
        &plan,
        &expect!["r-exam would have 11 Bedrock policies, and AWS allows 10; detach some of the others"],
    );
}

#[test]
fn too_many_contradictions_are_not_looked_at() {
    let mut world = World::with(&wanted(&[(ROOT, &[("us-east-1", 1)])]));
    for number in 1..6 {
        let leaf = format!(
            r#"us-west-2/config/identifier={{"@@assign":"arn:aws:bedrock:us-west-2:222222222222:guardrail/abc123:{number}"}}"#
        );
        world = world.foreign(&format!("foreign{number}"), ROOT, foreign(&[&leaf]));
    }
    let plan = wanted(&[(ROOT, &[("us-east-1", 2)])]);
    assert!(world.steps(&plan).is_ok());
    world = world.foreign("foreign6", ROOT, foreign(&[r#"us-west-2/config/identifier={"@@assign":"arn:aws:bedrock:us-west-2:222222222222:guardrail/abc123:6"}"#]));
    let error = world.steps(&plan).unwrap_err();
    assert!(matches!(&error, NoSafeOrder::TooManyOrders { policies, .. } if policies.len() == 6), "{error}");
}

#[test]
fn what_does_not_fit_is_no_order() {
    let names: Vec<String> = (0..500).map(|number| format!("provider.model-{number:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let models = Models { exclude: models(&names), ..Models::default() };
    let enforcement = Enforcement { models, ..enforcement("us-east-1", 1) };
    let plan: WantedPolicies = [(point(ROOT), [(region("us-east-1"), enforcement)].into())].into();
    let error = World::default().steps(&plan).unwrap_err();
    assert!(matches!(error, NoSafeOrder::DoesNotFit(DoesNotFit::Region { .. })), "{error}");
}
