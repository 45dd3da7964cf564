//! The law of the order: at no moment is somebody unguarded who was guarded and is to be. Judged by the plain second
//! merge of `oracle`, which shares no code with the one that made the order.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::Value;

use super::super::generators::foreign_document;
use super::super::oracle::{effective, in_one_form};
use super::*;

const POINTS: &[&str] = &[ROOT, WORKLOAD, PAYMENT, SANDBOX, "300000000003", "300000000005"];
const REGIONS: &[&str] = &["eu-west-1", "us-east-1"];

/// The texts of documents, as AWS holds them, and where they are attached.
#[derive(Clone, Debug, Default)]
struct Texts {
    contents: BTreeMap<PolicyKey, String>,
    attached: BTreeMap<AttachPoint, Vec<PolicyKey>>,
}

impl Texts {
    /// What a step does, read off its own words and not off the library.
    fn take(&mut self, step: &PolicyStep) {
        match step {
            PolicyStep::Create { part, content } => {
                self.contents.insert(PolicyKey::New(part.clone()), content.text());
            }
            PolicyStep::Update { policy, content } => {
                assert!(self.contents.insert(policy.clone(), content.text()).is_some(), "{step}");
            }
            PolicyStep::Attach { policy, point } => {
                assert!(self.contents.contains_key(policy), "{step}");
                let attached = self.attached.entry(point.clone()).or_default();
                assert!(!attached.contains(policy), "{step}");
                attached.push(policy.clone());
                assert!(attached.len() <= MAX_ATTACHED, "{step}");
            }
            PolicyStep::Check { .. } => {}
            PolicyStep::Detach { policy, point } => {
                let attached = self.attached.get_mut(point).unwrap();
                assert!(attached.contains(policy), "{step}");
                attached.retain(|other| other != policy);
            }
            PolicyStep::Delete { policy } => {
                assert!(self.attached.values().all(|attached| !attached.contains(policy)), "{step}");
                assert!(self.contents.remove(policy).is_some(), "{step}");
            }
        }
    }

    /// The effective policy of an account, in one of the orders that the peers may have.
    fn of_account(&self, parents: &[&str], account: &str, rules: MergeRules, order: u64) -> Option<Value> {
        let chain = [ROOT].iter().chain(parents).chain([&account]).map(|at| point(at));
        let texts = chain.map(|at| {
            let mut policies = self.attached.get(&at).cloned().unwrap_or_default();
            if order > 0 {
                policies.sort_by_key(|policy| rank(policy, order));
            }
            policies.iter().map(|policy| self.contents[policy].clone()).collect()
        });
        effective(&texts.collect(), rules).map(|value| in_one_form(&value))
    }
}

/// A rank that mixes policies in another way for each order.
fn rank(policy: &PolicyKey, order: u64) -> u64 {
    policy.to_string().bytes().fold(order.wrapping_mul(0x9e37_79b9_7f4a_7c15), |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

fn configuration(effective: &Value, region: &str) -> Value {
    effective["bedrock"]["guardrail_inference"][region].clone()
}

fn is_guarded(configuration: &Value) -> bool {
    configuration.as_object().is_some_and(|named| !named.is_empty())
}

/// The order in which policies are listed, and three others.
const ORDERS: std::ops::Range<u64> = 0..4;

/// Panics at the first moment at which somebody is worse off than before and after.
fn judge(before: &Texts, steps: &[PolicyStep], rules: MergeRules) {
    for order in ORDERS {
        for (account, parents) in ACCOUNTS {
            let Some(first) = before.of_account(parents, account, rules, order) else { continue };
            let mut texts = before.clone();
            steps.iter().for_each(|step| texts.take(step));
            let Some(last) = texts.of_account(parents, account, rules, order) else {
                panic!("{account} ends frozen, {rules:?}");
            };
            let mut texts = before.clone();
            for step in steps {
                texts.take(step);
                let Some(now) = texts.of_account(parents, account, rules, order) else {
                    panic!("{account} is frozen after {step}, {rules:?}");
                };
                for region in REGIONS {
                    let (first, now, last) = (
                        configuration(&first, region),
                        configuration(&now, region),
                        configuration(&last, region),
                    );
                    assert!(
                        is_guarded(&now) || !is_guarded(&first) || !is_guarded(&last),
                        "{account} is unguarded in {region} after {step}, {rules:?}"
                    );
                    assert!(
                        now == first || now == last,
                        "{account} has {now} in {region} after {step}, {rules:?}"
                    );
                }
            }
        }
    }
}

/// What somebody else did to the keeper's policies.
#[derive(Clone, Debug)]
enum Meddling {
    Edit(usize, String),
    EditVersion(usize, u32),
    Detach(usize),
    AttachElsewhere(usize, &'static str),
}

#[derive(Clone, Debug)]
pub(in super::super) struct Story {
    before: WantedPolicies,
    after: WantedPolicies,
    foreign: Vec<(&'static str, bool, String)>,
    meddling: Vec<Meddling>,
}

fn any_wanted() -> impl Strategy<Value = WantedPolicies> {
    let versions = prop::collection::vec((select(REGIONS), 1_u32..4), 0..3);
    prop::collection::btree_map(select(POINTS), versions, 0..4).prop_map(|points| {
        let points = points.into_iter().map(|(at, versions)| (point(at), regions(&versions)));
        points.filter(|(_, regions)| !regions.is_empty()).collect()
    })
}

fn any_meddling() -> impl Strategy<Value = Meddling> {
    prop_oneof![
        1 => (0_usize..4, foreign_document()).prop_map(|(which, text)| Meddling::Edit(which, text)),
        2 => (0_usize..4, 1_u32..9).prop_map(|(which, version)| Meddling::EditVersion(which, version)),
        2 => (0_usize..4).prop_map(Meddling::Detach),
        2 => (0_usize..4, select(POINTS)).prop_map(|(which, at)| Meddling::AttachElsewhere(which, at)),
    ]
}

pub(in super::super) fn any_story() -> impl Strategy<Value = Story> {
    let foreign = prop_oneof![
        2 => Just(Vec::new()),
        3 => prop::collection::vec((select(POINTS), any::<bool>(), foreign_document()), 1..3),
    ];
    let meddling = prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(any_meddling(), 1..3)];
    (any_wanted(), any_wanted(), foreign, meddling).prop_map(|(before, after, foreign, meddling)| Story {
        before,
        after,
        foreign,
        meddling,
    })
}

/// A story in which nobody but the keeper writes.
fn calm_story() -> impl Strategy<Value = Story> {
    let calm = |(before, after)| Story { before, after, foreign: Vec::new(), meddling: Vec::new() };
    (any_wanted(), any_wanted()).prop_map(calm)
}

impl Story {
    pub(in super::super) fn wanted(&self) -> &WantedPolicies {
        &self.after
    }

    pub(in super::super) fn world(&self) -> World {
        let mut world = World::with(&self.before);
        for (number, (at, is_first, text)) in self.foreign.iter().enumerate() {
            let document = BedrockPolicy::parse(text).unwrap();
            let name = format!("foreign{number}");
            world = match is_first {
                true => world.foreign_first(&name, at, document),
                false => world.foreign(&name, at, document),
            };
        }
        for meddling in &self.meddling {
            let (Meddling::Edit(which, _)
            | Meddling::EditVersion(which, _)
            | Meddling::Detach(which)
            | Meddling::AttachElsewhere(which, _)) = meddling;
            let Some((id, part)) = world.own.iter().nth(*which) else { continue };
            let (key, part) = (PolicyKey::Id(id.clone()), part.clone());
            match meddling {
                Meddling::Edit(_, text) => {
                    world.present.contents.insert(key, BedrockPolicy::parse(text));
                }
                Meddling::EditVersion(_, version) => {
                    world.present.contents.insert(key, Ok(own(&[("us-east-1", *version)]).policy()));
                }
                Meddling::Detach(_) => {
                    if let Some(attached) = world.present.attached.get_mut(&part.point) {
                        attached.retain(|other| *other != key);
                    }
                }
                Meddling::AttachElsewhere(_, at) => {
                    let attached = world.present.attached.entry(point(at)).or_default();
                    if !attached.contains(&key) {
                        attached.push(key);
                    }
                }
            }
        }
        world
    }

    /// The same world in texts.
    fn texts(&self, world: &World) -> Texts {
        let foreign = self.foreign.iter().enumerate();
        let mut contents: BTreeMap<PolicyKey, String> = foreign
            .map(|(number, (_, _, text))| (policy(&format!("foreign{number}")), text.clone()))
            .collect();
        for (key, content) in &world.present.contents {
            let own = OwnDocument::of(content.as_ref().unwrap());
            let text = if content.as_ref().unwrap().says(&own) { own.text() } else { String::new() };
            contents.entry(key.clone()).or_insert(text);
        }
        for meddling in &self.meddling {
            if let Meddling::Edit(which, text) = meddling
                && let Some((id, _)) = world.own.iter().nth(*which)
            {
                let written = contents.get_mut(&PolicyKey::Id(id.clone())).unwrap();
                if written.is_empty() {
                    written.clone_from(text);
                }
            }
        }
        Texts { contents, attached: world.present.attached.clone() }
    }

    fn is_undisturbed(&self) -> bool {
        self.foreign.is_empty() && self.meddling.is_empty()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn nobody_is_unguarded_at_any_moment(story in any_story(), rules in select(MergeRules::every())) {
        let world = story.world();
        match world.steps(&story.after) {
            Ok(steps) => judge(&story.texts(&world), &steps, rules),
            // Among policies of the keeper's alone there always is an order.
            Err(error) => prop_assert!(!story.is_undisturbed(), "{error}"),
        }
    }

    #[test]
    fn the_steps_end_where_they_should(story in any_story()) {
        let world = story.world();
        let Ok(steps) = world.steps(&story.after) else { return Ok(()) };
        let end = world.after(&steps);
        prop_assert_eq!(end.steps(&story.after), Ok(Vec::new()));
        // Each of ours is on its own point, with what is wanted there, and nothing else is ours.
        let mut found = WantedPolicies::new();
        for (id, part) in &end.own {
            let key = PolicyKey::Id(id.clone());
            let on: Vec<&AttachPoint> =
                end.present.attached.iter().filter(|(_, them)| them.contains(&key)).map(|(at, _)| at).collect();
            prop_assert_eq!(on, vec![&part.point]);
            let content = end.present.contents[&key].as_ref().unwrap();
            let document = OwnDocument::of(content);
            prop_assert!(content.says(&document));
            found.entry(part.point.clone()).or_default().extend(document.regions);
        }
        prop_assert_eq!(&found, &story.after);
        // What is foreign is as it was, in its order.
        for (at, policies) in &world.present.attached {
            let foreign = |policies: &[PolicyKey]| -> Vec<PolicyKey> {
                policies.iter().filter(|key| key.to_string().contains("foreign")).cloned().collect()
            };
            let now = end.present.attached.get(at).map(Vec::as_slice).unwrap_or_default();
            prop_assert_eq!(foreign(policies), foreign(now));
        }
        let touched: BTreeSet<&PolicyKey> = steps.iter().filter_map(|step| match step {
            PolicyStep::Update { policy, .. }
            | PolicyStep::Attach { policy, .. }
            | PolicyStep::Detach { policy, .. }
            | PolicyStep::Delete { policy } => Some(policy),
            PolicyStep::Create { .. } | PolicyStep::Check { .. } => None,
        }).collect();
        prop_assert!(touched.iter().all(|key| !key.to_string().contains("foreign")));
    }

    #[test]
    fn without_others_everybody_gets_the_nearest(mut story in any_story()) {
        story.foreign.clear();
        let world = story.world();
        let Ok(steps) = world.steps(&story.after) else { return Ok(()) };
        let end = world.after(&steps);
        let forecasts = forecast(&end.present, &accounts());
        for (account, path) in accounts() {
            let mut nearest = BTreeMap::new();
            for at in AttachPoint::chain(&account, &path) {
                nearest.extend(story.after.get(&at).cloned().unwrap_or_default());
            }
            let Some(Prediction::Effective(merged)) = forecasts[&account].certain() else {
                panic!("{account}: {:?}", forecasts[&account]);
            };
            let compared = compare(&nearest, &merged.effective, &merged.origins);
            prop_assert!(compared.values().all(|it| *it == RegionComparison::Equal), "{:?}", compared);
            prop_assert_eq!(compared.len(), nearest.len());
        }
    }

    #[test]
    fn a_detachment_waits_for_a_check(story in any_story()) {
        let Ok(steps) = story.world().steps(&story.after) else { return Ok(()) };
        for (position, step) in steps.iter().enumerate() {
            if let PolicyStep::Detach { point, .. } = step {
                prop_assert_eq!(&steps[position - 1], &PolicyStep::Check { point: point.clone() });
            }
        }
    }

    #[test]
    fn a_crash_after_any_step_does_no_harm(story in calm_story(), cut in any::<prop::sample::Index>()) {
        let world = story.world();
        let steps = world.steps(&story.after).unwrap();
        let half_way = world.after(&steps[..cut.index(steps.len() + 1)]);
        let rest = half_way.steps(&story.after).unwrap();
        let texts = story.texts(&half_way);
        judge(&texts, &rest, MergeRules::default());
        prop_assert_eq!(half_way.after(&rest).steps(&story.after), Ok(Vec::new()));
    }
}

/// The laws above would hold of nothing if there were nothing but one kind of story.
#[test]
fn the_stories_are_of_every_kind() {
    let mut runner = TestRunner::deterministic();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..250 {
        let story = any_story().new_tree(&mut runner).unwrap().current();
        let world = story.world();
        let what = match world.steps(&story.after) {
            Ok(steps) => {
                for step in &steps {
                    *counts
                        .entry(match step {
                            PolicyStep::Create { .. } => "create",
                            PolicyStep::Update { .. } => "update",
                            PolicyStep::Attach { .. } => "attach",
                            PolicyStep::Check { .. } => "check",
                            PolicyStep::Detach { .. } => "detach",
                            PolicyStep::Delete { .. } => "delete",
                        })
                        .or_default() += 1;
                }
                if !story.foreign.is_empty() && steps.len() > 2 { "beside others" } else { "steps" }
            }
            Err(NoSafeOrder::Gap { .. }) => "gap",
            Err(NoSafeOrder::Freezes { .. }) => "freezes",
            Err(_) => "another refusal",
        };
        *counts.entry(what).or_default() += 1;
    }
    for what in [
        "create",
        "update",
        "attach",
        "check",
        "detach",
        "delete",
        "beside others",
        "steps",
        "gap",
        "freezes",
    ] {
        assert!(counts.get(what).is_some_and(|count| *count >= 5), "{what}: {counts:?}");
    }
}
