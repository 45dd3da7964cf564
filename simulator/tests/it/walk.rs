//! A long walk of random steps through the model: whatever is done to it, it stays whole.

use std::collections::BTreeMap;
use std::time::Duration;

use simulator::{ApiError, Clock, Enforce, GuardrailName, Model, Switches, World};

use crate::client::{GUARDRAIL, OWNER};

const STEPS: usize = 5_000;
const PARENTS: [&str; 4] = ["r-exam", "ou-exam-workload", "ou-exam-sandbox1", "ou-exam-nowhere1"];
const MODEL: &str = "amazon.nova-pro-v1:0";

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % sides as u64) as usize
    }

    fn pick<'a>(&mut self, among: &[&'a str]) -> &'a str {
        among[self.roll(among.len())]
    }
}

fn step(model: &mut Model, dice: &mut Dice) -> Result<(), ApiError> {
    let accounts: Vec<String> = model.accounts.keys().cloned().collect();
    let account = accounts[dice.roll(accounts.len())].as_str();
    let by = format!("arn:aws:iam::{account}:root");
    let name = GuardrailName::from_arn(GUARDRAIL).expect("an ARN");
    let parent = dice.pick(&PARENTS);
    match dice.roll(16) {
        0 => model.create_account(&format!("account {}", accounts.len()), parent).map(drop),
        1 => {
            let id = model.create_account("newcomer", parent)?;
            model.finish_account_creation(&id);
            Ok(())
        }
        2 => model.join(account, parent),
        3 => model.move_account(account, parent),
        4 => model.remove(account),
        5 => model.leave(account),
        6 => {
            model.suspend(account);
            Ok(())
        }
        7 => {
            model.reinstate(account);
            Ok(())
        }
        8 => {
            let version = dice.roll(4).to_string();
            model.put_enforcement_as(&by, account, "us-east-1", Enforce::new(GUARDRAIL, &version)).map(drop)
        }
        9 => model.delete_enforcement_as(&by, account, "us-east-1"),
        10 => model.add_guardrail_version(&name, None).map(drop),
        11 => {
            let caller = model.caller(&format!("arn:aws:iam::{OWNER}:root"), "us-east-1")?;
            let version = (dice.roll(20) + 1).to_string();
            model.delete_guardrail_as(&caller, GUARDRAIL, Some(&version))
        }
        12 => model.set_resource_policy(GUARDRAIL, dice.roll(2).eq(&0).then_some("{\"Statement\":[]}")),
        13 => model.converse(&by, account, "us-east-1", MODEL, "tungsten-rosebud").map(drop),
        14 => {
            model.clock.advance(Duration::from_secs(dice.roll(120) as u64));
            model.settle();
            Ok(())
        }
        _ => model.close(account),
    }
}

fn check(model: &Model, config_ids: &mut BTreeMap<String, String>) {
    for account in model.members() {
        let parent = account.parent().expect("a member has a parent");
        assert!(model.organization.is_parent(parent), "{} is in {parent}", account.id);
    }
    assert!(model.member("111111111111").is_some(), "the management account never leaves");
    let name = GuardrailName::from_arn(GUARDRAIL).expect("an ARN");
    let guardrail = model.guardrail(&name).expect("the draft is never deleted");
    assert!(guardrail.versions.len() <= 20);
    assert!(guardrail.versions.keys().all(|number| *number < guardrail.next_version));
    for account in model.accounts.keys() {
        let Some(enforced) = model.enforcement(account, "us-east-1") else {
            config_ids.remove(account);
            continue;
        };
        assert_ne!(enforced.guardrail_version, "0", "only numbers from 1 are enforced");
        let before = config_ids.entry(account.clone()).or_insert_with(|| enforced.config_id.clone());
        assert_eq!(*before, enforced.config_id, "a configId stays as long as its configuration");
    }
    let sequences: Vec<u64> = model.events().iter().map(|event| event.sequence).collect();
    assert!(sequences.windows(2).all(|pair| pair[0] + 1 == pair[1]), "events have no gaps");
}

#[test]
fn whatever_is_done_the_model_stays_whole() {
    let world = World::example();
    let mut model = Model::new(&world, 1, Switches::default(), Clock::fixed(world.start)).expect("a world");
    model.settings.propagation_seconds = 30;
    model.settings.stack_set_seconds = Some(45);
    model.settings.account_closure_seconds = 10;
    model.settings.keep_events = 100;
    let (mut dice, mut config_ids) = (Dice(1), BTreeMap::new());
    let (mut done, mut refused) = (0, 0);
    for _ in 0..STEPS {
        match step(&mut model, &mut dice) {
            Ok(()) => done += 1,
            Err(_) => refused += 1,
        }
        check(&model, &mut config_ids);
    }
    assert!(done > STEPS / 10 && refused > STEPS / 10, "both happen: {done} done, {refused} refused");
}
