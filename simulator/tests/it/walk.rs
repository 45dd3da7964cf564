//! A long walk of random steps through the model: whatever is done to it, it stays whole.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use simulator::{
    ApiError, Clock, Enforce, GuardrailName, Model, PolicyTypeStatus, Switches, TwoConfigurations, World,
};

use crate::client::{GUARDRAIL, OWNER};

const STEPS: usize = 5_000;
const PARENTS: [&str; 4] = ["r-exam", "ou-exam-workload", "ou-exam-sandbox1", "ou-exam-nowhere1"];
const MODEL: &str = "amazon.nova-pro-v1:0";
const POLICIES: [&str; 3] = ["p-number001", "p-number002", "p-number003"];

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
    match dice.roll(22) {
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
        15..18 => step_of_policies(model, dice),
        18 => crate::organized::attach(model, dice.pick(&POLICIES), account),
        19 => crate::organized::detach(model, dice.pick(&POLICIES), account),
        20 => {
            model.switches.two_configurations =
                [TwoConfigurations::Refused, TwoConfigurations::Both][dice.roll(2)];
            Ok(())
        }
        _ => model.close(account),
    }
}

/// Something that is done to the organization's policies.
fn step_of_policies(model: &mut Model, dice: &mut Dice) -> Result<(), ApiError> {
    let (id, target) = (dice.pick(&POLICIES), dice.pick(&PARENTS));
    let hub = crate::organized::hub(model)?;
    let kind = "BEDROCK_POLICY";
    match dice.roll(12) {
        0..4 => crate::organized::attach(model, id, target),
        4..7 => crate::organized::detach(model, id, target),
        7..10 => {
            let name = dice.pick(&["config_1", "config_2"]);
            let key = dice.pick(&["identifier", "input_tags"]);
            let version = dice.roll(4);
            let content = crate::organized::named(
                name,
                json!({ key: { "@@assign": format!("{GUARDRAIL}:{version}") } }),
            );
            let policy = model.organization.policies.iter_mut().find(|policy| policy.id == id);
            policy.expect("they are never deleted").content = content.to_string();
            crate::organized::update(model, id, &content)
        }
        10 => model.enable_policy_type(&hub, "r-exam", kind).map(drop),
        _ => model.disable_policy_type(&hub, "r-exam", kind).map(drop),
    }
}

/// Whatever is done to policies: what is attached is attached to something that is there, and an account keeps its
/// document as long as something is wrong with the next.
fn check_policies(model: &Model, documents: &mut BTreeMap<String, (String, bool)>) {
    for policy in &model.organization.policies {
        for attachment in &policy.attachments {
            let target = attachment.target.as_str();
            assert!(model.organization.is_parent(target) || model.member(target).is_some(), "{target}");
        }
    }
    let is_on = model.organization.bedrock_policies == PolicyTypeStatus::Enabled;
    let mut now = BTreeMap::new();
    for account in model.accounts.keys() {
        let Some(effective) = model.effective_policy(account) else { continue };
        assert!(model.member(account).is_some(), "{account} has a document and is no member");
        let document = (effective.document().text.clone(), effective.is_frozen());
        if let (Some((before, true)), true) = (documents.get(account), effective.is_frozen()) {
            assert_eq!(*before, document.0, "{account} is frozen");
        }
        let enforces = !model.organization_configurations(account, "us-east-1").is_empty();
        assert!(is_on || !enforces, "the type is off");
        now.insert(account.clone(), document);
    }
    *documents = now;
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
    model.settings.policy_publication_seconds = 20;
    model.settings.policy_enforcement_seconds = 15;
    for id in POLICIES {
        crate::organized::put(&mut model, id, crate::organized::enforcing("1"), &[]);
    }
    let (mut dice, mut config_ids) = (Dice(1), BTreeMap::new());
    let (mut documents, mut frozen) = (BTreeMap::new(), 0);
    let (mut done, mut refused) = (0, 0);
    for _ in 0..STEPS {
        match step(&mut model, &mut dice) {
            Ok(()) => done += 1,
            Err(_) => refused += 1,
        }
        check(&model, &mut config_ids);
        check_policies(&model, &mut documents);
        frozen += usize::from(documents.values().any(|(_, frozen)| *frozen));
    }
    assert!(frozen > STEPS / 100 && frozen < STEPS * 9 / 10, "accounts were frozen after {frozen} steps");
    assert!(done > STEPS / 10 && refused > STEPS / 10, "both happen: {done} done, {refused} refused");
}
