//! Random histories of the organization's level, in which others write Bedrock policies too, move accounts and deny calls.
//!
//! What the keeper writes is judged at the moment when AWS has carried it out, against the moment before:
//!
//! - a call of a model that worked still works;
//! - whoever the organization guarded is guarded, unless the baseline gives nothing there any more, and a person approved
//!   that or it is one account;
//! - no account is frozen that wasn't;
//! - only policies are written that the keeper created.
//!
//! At the end others take back what they did, a person approves, and everything has to be as the baseline wants it.
//!
//! `LEVEL_HISTORIES=NUMBER` tells more of them, `LEVEL_FIRST=SEED` begins with another one, and `LEVEL_SEED=SEED` tells one
//! alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use simulator::{
    AccountState, Call, Caller, CreateOrganizationPolicy, Model, Origin, PolicyKind, ServiceControl, Tags,
    UpdateOrganizationPolicy,
};
use testkit::histories::dice::Dice;
use testkit::world::{
    Document, EU, HUB, OWNER, PAYMENTS, PLAYGROUND, SANDBOX, SHIPPING, US, WORKLOAD, World, schedule,
};

use crate::effective_policy::ROOT;
use crate::organization_level::{CORPORATE, document, given, managed, policy_text};

/// What a caller meets in one Region of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Met {
    /// The organization's guardrail acts.
    Guarded,
    /// None of the organization's does.
    Unguarded,
    /// The call fails: with this.
    Broken(String),
}

/// Everything that the judge compares.
#[derive(Clone, Debug, Default)]
struct Moment {
    met: BTreeMap<(String, &'static str), Met>,
    frozen: BTreeSet<String>,
    /// The ids of the policies that the keeper created.
    own: BTreeSet<String>,
}

#[derive(Default)]
struct Judge {
    before: Moment,
    /// Where the baseline gives nothing, something may be taken away.
    given_nowhere: BTreeSet<String>,
    /// Whether a person approved it. Else one account may lose something, as the limits have it.
    approved: bool,
    /// The accounts that lost something since the keeper began to work.
    lost: BTreeSet<String>,
    wrongs: Vec<String>,
    judged: usize,
}

fn moment(model: &mut Model) -> Moment {
    let active: Vec<String> = model
        .members()
        .filter(|account| account.state == AccountState::Active)
        .map(|account| account.id.clone())
        .collect();
    let frozen = active
        .iter()
        .filter(|account| model.effective_policy(account).is_some_and(simulator::EffectivePolicy::is_frozen));
    let frozen = frozen.cloned().collect();
    let own =
        model.organization.policies.iter().filter(|policy| policy.tags.contains_key("guardrail-keeper"));
    let own = own.map(|policy| policy.id.clone()).collect();
    let mut met = BTreeMap::new();
    for account in active {
        for region in [US, EU] {
            let caller = format!("arn:aws:iam::{account}:root");
            let what = match model.converse(&caller, &account, region, "amazon.nova-pro-v1:0", "Hello.") {
                Err(error) => Met::Broken(format!("{error:?}")),
                Ok(reply) => {
                    let mut origins = reply.assessments.iter().flat_map(|(applied, ..)| &applied.origins);
                    match origins.any(|origin| *origin == Origin::OrganizationEnforced) {
                        true => Met::Guarded,
                        false => Met::Unguarded,
                    }
                }
            };
            met.insert((account.clone(), region), what);
        }
    }
    Moment { met, frozen, own }
}

impl Judge {
    fn judge(&mut self, call: &Call, model: &mut Model) {
        let after = moment(model);
        let by_the_keeper = call.caller.contains("GuardrailKeeperFunction") && call.status == 200;
        if by_the_keeper {
            self.judged += 1;
            let mut wrong = |what: String| {
                self.wrongs.push(format!("{} {:?}: {what}", call.operation, call.target));
            };
            for (place, now) in &after.met {
                match (self.before.met.get(place), now) {
                    (Some(Met::Guarded | Met::Unguarded), Met::Broken(error)) => {
                        wrong(format!("{place:?} breaks: {error}"));
                    }
                    (Some(Met::Guarded), Met::Unguarded) => {
                        self.lost.insert(place.0.clone());
                        let is_much = !self.approved && self.lost.len() > 1;
                        if is_much || !self.given_nowhere.contains(&place.0) {
                            wrong(format!("{place:?} is unguarded"));
                        }
                    }
                    (_, _) => {}
                }
            }
            for account in after.frozen.difference(&self.before.frozen) {
                wrong(format!("{account} is frozen"));
            }
            let target = call.target.as_deref().unwrap_or_default();
            if call.operation != "CreatePolicy"
                && !self.before.own.iter().any(|id| target.contains(id.as_str()))
            {
                wrong("it isn't a policy of the keeper's".to_owned());
            }
        }
        self.before = after;
    }
}

/// A history under way.
struct Tale {
    world: World,
    dice: Dice,
    judge: Arc<Mutex<Judge>>,
    document: Document,
    assignments: usize,
    approved: bool,
    foreign: usize,
    acts: Vec<String>,
}

/// What the baseline may assign.
fn assigned(number: usize) -> Vec<(&'static str, &'static str)> {
    match number {
        0 => vec![(ROOT, CORPORATE)],
        1 => vec![(WORKLOAD, CORPORATE)],
        2 => vec![(WORKLOAD, CORPORATE), (SANDBOX, CORPORATE)],
        3 => vec![(ROOT, CORPORATE), (PAYMENTS, CORPORATE)],
        4 => vec![(PLAYGROUND, CORPORATE), (HUB, CORPORATE)],
        _ => vec![(ROOT, "none")],
    }
}

const ASSIGNMENTS: usize = 6;

impl Tale {
    async fn begin(seed: u64) -> Tale {
        let document = document(&assigned(0));
        let world = managed(&document).start().await;
        let judge = Arc::new(Mutex::new(Judge::default()));
        let watching = Arc::clone(&judge);
        world.server.watch(move |call: &Call, model: &mut Model| {
            if call.service == "organizations" && call.write {
                watching.lock().unwrap().judge(call, model);
            }
        });
        let (dice, acts) = (Dice::new(seed), Vec::new());
        let tale = Tale { world, dice, judge, document, assignments: 0, approved: true, foreign: 0, acts };
        tale.look();
        tale
    }

    /// What others did is the keeper's beginning.
    fn look(&self) {
        let now = self.world.server.with(moment);
        self.judge.lock().unwrap().before = now;
    }

    fn somebody<T>(&self, act: impl FnOnce(&mut Model, &Caller) -> T) -> T {
        self.world.server.with(|model| {
            let caller = model.caller(&format!("arn:aws:iam::{HUB}:user/somebody"), US).unwrap();
            act(model, &caller)
        })
    }

    fn act(&mut self) {
        let which = *self.dice.weighted(&[
            (4, "foreign"),
            (2, "foreign gone"),
            (4, "ours"),
            (2, "move"),
            (1, "join"),
            (3, "baseline"),
            (2, "deny"),
            (1, "grant"),
            (1, "type"),
        ]);
        let said = match which {
            "foreign" => self.foreign_comes(),
            "foreign gone" => self.foreign_goes(),
            "ours" => self.ours_is_changed(),
            "move" => self.an_account_moves(),
            "join" => format!("joins {}", self.world.let_an_account_join("newcomer", WORKLOAD)),
            "baseline" => self.the_baseline_changes(),
            "deny" => self.a_denial_comes_or_goes(),
            "grant" => {
                let region = *self.dice.pick(&[US, EU]);
                let arn = format!("arn:aws:bedrock:{region}:{HUB}:guardrail/{}base1a2b3c", &region[..2]);
                self.world.server.with(|model| model.set_resource_policy(&arn, None)).unwrap();
                format!("the grant in {region} goes")
            }
            _ => self.the_type_is_switched(),
        };
        self.acts.push(said);
    }

    fn foreign_comes(&mut self) -> String {
        self.foreign += 1;
        let number = self.foreign;
        let id = format!("arn:aws:bedrock:{US}:{HUB}:guardrail/usbase1a2b3c:1");
        let whole = policy_text(1);
        let (what, content): (&str, Value) = match self.dice.below(6) {
            0 => ("ours in form", serde_json::from_str(&whole).unwrap()),
            1 => (
                "another name",
                json!({ "bedrock": { "guardrail_inference": { US: { "main": {
                "identifier": { "@@assign": id } } } } } }),
            ),
            2 => (
                "no identifier",
                json!({ "bedrock": { "guardrail_inference": { "eu-west-3": { "main": {
                "selective_content_guarding": { "system": { "@@assign": "selective" } } } } } } }),
            ),
            3 => (
                "a lock",
                json!({ "bedrock": { "guardrail_inference": { US: { "keeper": {
                "identifier": { "@@assign": id, "@@operators_allowed_for_child_policies": ["@@none"] } } } } } }),
            ),
            4 => (
                "a model more",
                json!({ "bedrock": { "guardrail_inference": { US: { "keeper": {
                "model_enforcement": { "excluded_models": { "@@append": ["amazon.titan-embed-text-v2:0"] } } } } } } }),
            ),
            _ => (
                "a wrong identifier",
                json!({ "bedrock": { "guardrail_inference": { EU: { "keeper": {
                "identifier": { "@@assign": format!("arn:aws:bedrock:{EU}:{HUB}:guardrail/nothere1:1") } } } } } }),
            ),
        };
        // Now and then with a name that looks like the keeper's.
        let name = match self.dice.chance(20) {
            true => format!("guardrail-keeper-{WORKLOAD}-{}", number + 5),
            false => format!("foreign-{number}"),
        };
        let point = (*self.dice.pick(&[ROOT, WORKLOAD, SANDBOX, PAYMENTS])).to_owned();
        let said = format!("{name} ({what}) comes to {point}");
        self.somebody(|model, caller| {
            let wanted = CreateOrganizationPolicy {
                name,
                description: String::new(),
                kind: "BEDROCK_POLICY".to_owned(),
                content: content.to_string(),
                tags: Tags::new(),
            };
            let Ok(policy) = model.create_policy(caller, wanted) else { return };
            // The type may be off.
            drop(model.attach_policy(caller, &policy.id, &point));
        });
        said
    }

    fn foreign_goes(&mut self) -> String {
        let foreign = self.world.server.with(|model| policies(model, false));
        if foreign.is_empty() {
            return "nothing".to_owned();
        }
        let (id, name, targets) = self.dice.pick(&foreign).clone();
        self.somebody(|model, caller| remove(model, caller, &id, &targets));
        format!("{name} goes")
    }

    fn ours_is_changed(&mut self) -> String {
        let ours = self.world.server.with(|model| policies(model, true));
        if ours.is_empty() {
            return "nothing".to_owned();
        }
        let (id, name, targets) = self.dice.pick(&ours).clone();
        let which = self.dice.below(4);
        self.somebody(|model, caller| match which {
            0 => targets.iter().for_each(|target| drop(model.detach_policy(caller, &id, target))),
            1 => {
                let content = Some(policy_text(1));
                let wanted = UpdateOrganizationPolicy { content, ..UpdateOrganizationPolicy::default() };
                drop(model.update_policy(caller, &id, wanted));
            }
            2 => remove(model, caller, &id, &targets),
            _ => drop(model.attach_policy(caller, &id, SANDBOX)),
        });
        format!("{name} is {}", ["detached", "changed", "deleted", "attached to the sandbox"][which])
    }

    fn an_account_moves(&mut self) -> String {
        let account = *self.dice.pick(&[PAYMENTS, SHIPPING, PLAYGROUND, OWNER]);
        let parent = *self.dice.pick(&[ROOT, WORKLOAD, SANDBOX]);
        drop(self.world.server.with(|model| model.move_account(account, parent)));
        format!("{account} moves to {parent}")
    }

    fn the_baseline_changes(&mut self) -> String {
        self.assignments = self.dice.below(ASSIGNMENTS);
        let version = if self.dice.chance(70) { 2 } else { 1 };
        let before = self.document.text();
        self.document = Document { version, ..document(&assigned(self.assignments)) };
        self.world.publish(&self.document);
        // The same text is the same revision, and an approval is not taken back.
        let is_new = before != self.document.text();
        self.approved = self.dice.chance(70) || self.approved && !is_new;
        format!("baseline {} with version {version}, approved: {}", self.assignments, self.approved)
    }

    fn a_denial_comes_or_goes(&mut self) -> String {
        let account = *self.dice.pick(&[PAYMENTS, PLAYGROUND, HUB]);
        self.world.server.with(|model| {
            let all = &mut model.organization.service_control;
            let before = all.len();
            all.retain(|control| control.targets != [account]);
            if all.len() == before {
                all.push(ServiceControl {
                    targets: vec![account.to_owned()],
                    deny: vec!["bedrock:ApplyGuardrail".to_owned()],
                    // Callers of models are spared: only the keeper can't prove it.
                    except: vec!["arn:aws:iam::*:user/administrator".to_owned()],
                    regions: Vec::new(),
                });
            }
        });
        format!("the denial for {account} is switched")
    }

    fn the_type_is_switched(&mut self) -> String {
        self.somebody(|model, caller| {
            if model.disable_policy_type(caller, ROOT, "BEDROCK_POLICY").is_err() {
                drop(model.enable_policy_type(caller, ROOT, "BEDROCK_POLICY"));
            }
        });
        "the type is switched".to_owned()
    }

    /// The keeper works: a sweep as the schedule begins it.
    async fn keeper_works(&mut self) -> Value {
        if self.approved {
            self.world.approve().await;
        }
        let nowhere = self.world.server.with(|model| {
            let members: Vec<String> = model.members().map(|account| account.id.clone()).collect();
            let covered = |account: &str| {
                let mut point = Some(account.to_owned());
                while let Some(at) = point {
                    if assigned(self.assignments)
                        .iter()
                        .any(|(target, given)| *target == at && *given == CORPORATE)
                    {
                        return true;
                    }
                    point = model.parent_of(&at).ok();
                }
                false
            };
            members.into_iter().filter(|account| !covered(account)).collect()
        });
        {
            let mut judge = self.judge.lock().unwrap();
            (judge.given_nowhere, judge.approved) = (nowhere, self.approved);
            judge.lost.clear();
        }
        self.look();
        match self.world.deliver(&schedule()).await {
            Ok(answer) => answer["organization_level"].clone(),
            // Something waits, and SQS would deliver the event again.
            Err(error) => {
                self.acts.push(format!("the keeper waits: {error}"));
                Value::Null
            }
        }
    }

    fn check(&self, seed: u64) {
        let judge = self.judge.lock().unwrap();
        assert_eq!(judge.wrongs, [""; 0], "LEVEL_SEED={seed}\n{}", self.acts.join("\n"));
    }

    /// Others take back what they did, a person approves, and a few sweeps later everything is carried out.
    async fn settle(&mut self, seed: u64) {
        let foreign = self.world.server.with(|model| policies(model, false));
        self.somebody(|model, caller| {
            foreign.iter().for_each(|(id, _, targets)| remove(model, caller, id, targets));
            model.organization.service_control.clear();
            drop(model.enable_policy_type(caller, ROOT, "BEDROCK_POLICY"));
        });
        self.approved = true;
        self.acts.push("everything settles".to_owned());
        let mut level = Value::Null;
        for _ in 0..4 {
            level = self.keeper_works().await;
        }
        self.check(seed);
        let acts = self.acts.join("\n");
        assert_eq!(level["confirmed"], true, "LEVEL_SEED={seed}: {level}\n{acts}");
        assert_eq!(level["taken"], json!([]), "LEVEL_SEED={seed}: {level}\n{acts}");
        if self.assignments == 0 {
            let wanted = format!("usbase1a2b3c:{}", self.document.version);
            assert_eq!(given(&self.world, SHIPPING, US), Some(wanted), "LEVEL_SEED={seed}\n{acts}");
        }
    }
}

/// Every Bedrock policy that the keeper created, or every other one: id, name and where it is attached.
fn policies(model: &mut Model, ours: bool) -> Vec<(String, String, Vec<String>)> {
    let all = model.organization.policies.iter().filter(|policy| policy.kind == PolicyKind::BedrockPolicy);
    all.filter(|policy| policy.tags.contains_key("guardrail-keeper") == ours)
        .map(|policy| {
            let targets = policy.attachments.iter().map(|one| one.target.clone()).collect();
            (policy.id.clone(), policy.name.clone(), targets)
        })
        .collect()
}

fn remove(model: &mut Model, caller: &Caller, id: &str, targets: &[String]) {
    targets.iter().for_each(|target| drop(model.detach_policy(caller, id, target)));
    drop(model.delete_policy(caller, id));
}

/// Tells one history. Returns how many writes of the keeper's were judged.
async fn tell(seed: u64) -> usize {
    let mut tale = Tale::begin(seed).await;
    tale.keeper_works().await;
    tale.check(seed);
    for _ in 0..10 {
        for _ in 0..=tale.dice.below(3) {
            tale.act();
        }
        tale.keeper_works().await;
        tale.check(seed);
    }
    tale.settle(seed).await;
    tale.judge.lock().unwrap().judged
}

#[tokio::test]
async fn nothing_that_others_do_makes_the_keeper_break_or_unguard_anybody() {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let seeds: Vec<u64> = match number("LEVEL_SEED") {
        Some(seed) => vec![seed],
        None => {
            let first = number("LEVEL_FIRST").unwrap_or(1);
            (first..first + number("LEVEL_HISTORIES").unwrap_or(8)).collect()
        }
    };
    let mut judged = 0;
    for seed in &seeds {
        println!("LEVEL_SEED={seed}");
        judged += tell(*seed).await;
    }
    println!("{} histories of the organization's level, {judged} writes judged", seeds.len());
    assert!(judged > 3 * seeds.len(), "the keeper hardly writes: {judged}");
}
