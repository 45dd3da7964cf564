//! Laws over random worlds: what is written is proven for everybody whom it changes, judged by forecasts that are made here
//! once more.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::subsequence;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::Value;

use super::super::generators::REGIONS;
use super::super::oracle::in_one_form;
use super::super::ordering::laws::any_story;
use super::*;
use crate::bedrock_policy::{forecast, predict};
use crate::ids::AccountId;

/// Who has proven what: by the account's last digit, the Region and the version.
#[derive(Clone, Copy, Debug)]
struct Chance(u64);

impl Chance {
    fn says(self, what: &str) -> bool {
        let hash = what.bytes().fold(self.0, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3).rotate_left(17)
        });
        hash.is_multiple_of(8)
    }
}

impl Proofs for Chance {
    fn guardrail(&self, region: &Region, enforcement: &Enforcement) -> Result<(), String> {
        let what = format!("{region} {}", enforcement.version);
        if self.says(&what) { Err("no".to_owned()) } else { Ok(()) }
    }

    fn account(&self, target: &Target, enforcement: &Enforcement) -> AccountProof {
        match self.says(&format!("{target} {enforcement}")) {
            true => AccountProof::Missing("no".to_owned()),
            false => AccountProof::Proven,
        }
    }
}

/// Everything that some account has after, and had under no answer before, in every Region.
fn given(before: &World, after: &World) -> Vec<(Target, Option<Enforcement>)> {
    let accounts = accounts();
    let (before, after) = (forecast(&before.present, &accounts), forecast(&after.present, &accounts));
    let all = |forecast: &Forecast| -> Vec<(Region, Option<Enforcement>)> {
        let effective = forecast.predictions.iter().filter_map(|(_, prediction)| match prediction {
            Prediction::Effective(merged) => Some(merged.effective.regions()),
            Prediction::Frozen(_) | Prediction::Unreadable(_) => None,
        });
        let meanings = effective.flatten().flat_map(|(region, named)| {
            named.into_values().map(move |meaning| match meaning {
                Meaning::Enforcement(enforcement) => (region.clone(), Some(*enforcement)),
                Meaning::Unclear(_) => (region.clone(), None),
            })
        });
        meanings.collect()
    };
    let mut given = Vec::new();
    for account in accounts.keys() {
        let had = all(&before[account]);
        let has = all(&after[account]);
        let new = has.into_iter().filter(|it| !had.contains(it));
        given.extend(
            new.map(|(region, enforcement)| (Target { account: account.clone(), region }, enforcement)),
        );
    }
    given
}

fn any_frozen() -> impl Strategy<Value = BTreeSet<AccountId>> {
    let numbers = prop_oneof![Just(0..=0), Just(1..=3)].prop_flat_map(|many| subsequence(ACCOUNTS, many));
    numbers.prop_map(|them| them.into_iter().map(|(account, _)| account.parse().unwrap()).collect())
}

/// What every account gets under each of all answers.
type EachAnswer = Vec<BTreeMap<AccountId, Arc<Prediction>>>;

fn each_answer(world: &World) -> EachAnswer {
    MergeRules::every().into_iter().map(|rules| predict(&world.present, &accounts(), rules)).collect()
}

/// What an account has in one Region, under each answer: what is published, and what another order of peers would make
/// of it. Nothing where the merge is invalid.
fn in_region(answers: &EachAnswer, account: &AccountId, region: &str) -> Vec<Option<(Value, String)>> {
    let published = answers.iter().map(|answer| {
        let Prediction::Effective(merged) = &*answer[account] else { return None };
        let published: Value = serde_json::from_str(&merged.effective.text()).unwrap();
        let named = in_one_form(&published["bedrock"]["guardrail_inference"][region]);
        let here = |path: &&LeafPath| path.keys().iter().any(|key| key == region);
        let contested = merged.contested.iter().filter(|(path, _)| here(path));
        Some((named, format!("{:?}", contested.collect::<Vec<_>>())))
    });
    published.collect()
}

/// The documents on an account's path, with their points.
fn on_the_path(world: &World, account: &AccountId) -> Vec<(AttachPoint, PolicyKey, BedrockPolicy)> {
    let points = AttachPoint::chain(account, &accounts()[account]);
    let of_point = |point: AttachPoint| {
        let keys = world.present.attached.get(&point).cloned().unwrap_or_default();
        keys.into_iter().map(move |key| (point.clone(), key))
    };
    let content = |key: &PolicyKey| world.present.contents[key].clone().unwrap();
    points
        .flat_map(of_point)
        .map(|(point, key)| {
            let it = content(&key);
            (point, key, it)
        })
        .collect()
}

/// Counts what changes, one account, Region and answer after the other.
fn recounted(before: &World, after: &World, frozen: &BTreeSet<AccountId>) -> ChangeExtent {
    let mut extent = ChangeExtent::default();
    let answers = (each_answer(before), each_answer(after));
    let is_there = |(named, _): &(Value, String)| named.as_object().is_some_and(|them| !them.is_empty());
    for account in accounts().keys() {
        let (path_before, path_after) = (on_the_path(before, account), on_the_path(after, account));
        if path_before == path_after {
            continue;
        }
        let mut changes = false;
        for region in REGIONS {
            let had = in_region(&answers.0, account, region);
            let has = in_region(&answers.1, account, region);
            let names = |path: &[(AttachPoint, PolicyKey, BedrockPolicy)]| {
                path.iter().any(|(_, _, it)| it.configurations().iter().any(|(key, _)| key == region))
            };
            let is_frozen = frozen.contains(account);
            let changed = had.iter().zip(&has).any(|(one, other)| match (one, other) {
                (_, None) => false,
                (Some(one), Some(other)) => one != other,
                (None, Some(other)) => had.iter().flatten().all(|one| one != other),
            });
            let anything_before = had.iter().flatten().any(is_there);
            let valid: Vec<&(Value, String)> = has.iter().flatten().collect();
            let always_after =
                if valid.is_empty() { names(&path_after) } else { valid.into_iter().all(is_there) };
            let (changed, anything_before) = match is_frozen {
                true => (names(&path_before) || names(&path_after), true),
                false => (changed, anything_before),
            };
            changes |= changed || is_frozen;
            match (changed, anything_before, always_after) {
                (false, _, _) => {}
                (true, false, _) => extent.added += 1,
                (true, true, true) => extent.replaced += 1,
                (true, true, false) => extent.released += 1,
            }
        }
        extent.accounts += usize::from(changes);
    }
    extent
}

/// Every enforcement in a policy of the keeper's that is attached where it was not, or says something else than before.
fn newly_attached(before: &World, after: &World) -> Vec<(Region, Enforcement)> {
    let mut new = Vec::new();
    for (point, keys) in &after.present.attached {
        for key in keys.iter().filter(|key| !key.to_string().contains("foreign")) {
            let was_there = before.present.attached.get(point).is_some_and(|them| them.contains(key));
            let content = &after.present.contents[key];
            if !was_there || before.present.contents.get(key) != Some(content) {
                new.extend(OwnDocument::of(content.as_ref().unwrap()).regions);
            }
        }
    }
    new
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn law_nobody_is_given_what_is_not_proven(
        story in any_story(), frozen in any_frozen(), chance in any::<u64>(),
    ) {
        let world = story.world();
        let proofs = Chance(chance);
        let accounts = accounts();
        for mode in [Mode::Sync, Mode::EnforceOnly, Mode::Audit] {
            let level = OrganizationLevel {
                is_enabled: true,
                present: &world.present,
                own: &world.own,
                accounts: &accounts,
                frozen: &frozen,
            };
            let wants = OrganizationWants { mode, ..asked(story.wanted()) };
            match decide(level, wants, &proofs) {
                OrganizationDecision::Write(safe) => {
                    prop_assert!(mode != Mode::Audit, "audit writes nothing");
                    let after = world.after(safe.steps());
                    for (region, enforcement) in newly_attached(&world, &after) {
                        prop_assert_eq!(proofs.guardrail(&region, &enforcement), Ok(()), "{}", region);
                    }
                    prop_assert_eq!(safe.extent(), recounted(&world, &after, &frozen));
                    let touched = |it: &&AccountId| on_the_path(&world, it) != on_the_path(&after, it);
                    prop_assert_eq!(safe.unreached(), &frozen.iter().filter(touched).cloned().collect());
                    for (target, enforcement) in given(&world, &after) {
                        let Some(enforcement) = enforcement else {
                            panic!("{target} is given what nobody understands");
                        };
                        prop_assert_eq!(proofs.account(&target, &enforcement), AccountProof::Proven, "{}", target);
                    }
                    let level = OrganizationLevel { present: &after.present, own: &after.own, ..level };
                    prop_assert_eq!(decide(level, wants, &proofs), OrganizationDecision::NothingToWrite);
                    if mode == Mode::EnforceOnly {
                        let takes = |step: &PolicyStep| {
                            matches!(step, PolicyStep::Detach { .. } | PolicyStep::Delete { .. })
                        };
                        prop_assert!(!safe.steps().iter().any(takes), "enforce-only takes nothing away");
                        prop_assert_eq!(safe.extent().released, 0);
                    }
                }
                OrganizationDecision::WouldWrite(_) => prop_assert_eq!(mode, Mode::Audit),
                OrganizationDecision::Held(holds) => prop_assert!(!holds.is_empty()),
                OrganizationDecision::NothingToWrite => {}
            }
        }
    }
}

/// The law would hold of nothing if every story ended in one way.
#[test]
fn decisions_are_of_every_kind() {
    let mut runner = TestRunner::deterministic();
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let accounts = accounts();
    for number in 0..300_u64 {
        let story = any_story().new_tree(&mut runner).unwrap().current();
        let frozen = any_frozen().new_tree(&mut runner).unwrap().current();
        let world = story.world();
        let level = OrganizationLevel {
            is_enabled: true,
            present: &world.present,
            own: &world.own,
            accounts: &accounts,
            frozen: &frozen,
        };
        let mode = if number % 3 == 0 { Mode::EnforceOnly } else { Mode::Sync };
        let wants = OrganizationWants { mode, is_approved: number % 2 == 0, ..asked(story.wanted()) };
        match decide(level, wants, &Chance(number)) {
            OrganizationDecision::NothingToWrite => *kinds.entry("nothing_to_write").or_default() += 1,
            OrganizationDecision::Write(safe) => {
                let ChangeExtent { accounts: _, added, replaced, released } = safe.extent();
                let counts = [("write", 1), ("added", added), ("replaced", replaced), ("released", released)];
                let counts = counts.into_iter().chain([("unreached", safe.unreached().len())]);
                counts.for_each(|(kind, count)| *kinds.entry(kind).or_default() += count);
            }
            OrganizationDecision::WouldWrite(_) => panic!("nobody audits"),
            OrganizationDecision::Held(holds) => {
                holds.iter().for_each(|hold| *kinds.entry(hold.code()).or_default() += 1);
            }
        }
    }
    for kind in [
        "nothing_to_write",
        "write",
        "added",
        "replaced",
        "released",
        "unreached",
        "unusable",
        "no_safe_order",
        "overridden",
        "depends_on_order",
        "not_proven",
        "not_approved",
    ] {
        assert!(kinds.get(kind).is_some_and(|count| *count >= 3), "{kind}: {kinds:?}");
    }
}
