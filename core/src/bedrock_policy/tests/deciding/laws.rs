//! Laws over random worlds: what is written is proven for everybody whom it changes, judged by forecasts that are made here
//! once more.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::super::ordering::laws::any_story;
use super::*;
use crate::bedrock_policy::forecast;

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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn law_nobody_is_given_what_is_not_proven(story in any_story(), chance in any::<u64>()) {
        let world = story.world();
        let proofs = Chance(chance);
        let accounts = accounts();
        for mode in [Mode::Sync, Mode::EnforceOnly, Mode::Audit] {
            let level = OrganizationLevel {
                is_enabled: true,
                present: &world.present,
                own: &world.own,
                accounts: &accounts,
                frozen: &BTreeSet::new(),
            };
            let wants = OrganizationWants { mode, ..asked(story.wanted()) };
            match decide(level, wants, &proofs) {
                OrganizationDecision::Write(safe) => {
                    prop_assert!(mode != Mode::Audit, "audit writes nothing");
                    for step in safe.steps() {
                        if let PolicyStep::Create { content, .. } | PolicyStep::Update { content, .. } = step {
                            for (region, enforcement) in &content.regions {
                                prop_assert_eq!(proofs.guardrail(region, enforcement), Ok(()), "{}", step);
                            }
                        }
                    }
                    let after = world.after(safe.steps());
                    for (target, enforcement) in given(&world, &after) {
                        let Some(enforcement) = enforcement else {
                            panic!("{target} is given what nobody understands");
                        };
                        prop_assert_eq!(proofs.account(&target, &enforcement), AccountProof::Proven, "{}", target);
                    }
                    let level = OrganizationLevel { present: &after.present, own: &after.own, ..level };
                    prop_assert_eq!(decide(level, wants, &proofs), OrganizationDecision::InSync);
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
                OrganizationDecision::InSync => {}
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
        let world = story.world();
        let level = OrganizationLevel {
            is_enabled: true,
            present: &world.present,
            own: &world.own,
            accounts: &accounts,
            frozen: &BTreeSet::new(),
        };
        let mode = if number % 3 == 0 { Mode::EnforceOnly } else { Mode::Sync };
        let wants = OrganizationWants { mode, is_approved: number % 2 == 0, ..asked(story.wanted()) };
        match decide(level, wants, &Chance(number)) {
            OrganizationDecision::InSync => *kinds.entry("in_sync").or_default() += 1,
            OrganizationDecision::Write(_) => *kinds.entry("write").or_default() += 1,
            OrganizationDecision::WouldWrite(_) => panic!("nobody audits"),
            OrganizationDecision::Held(holds) => {
                holds.iter().for_each(|hold| *kinds.entry(hold.code()).or_default() += 1);
            }
        }
    }
    for kind in [
        "in_sync",
        "write",
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
