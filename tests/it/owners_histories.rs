//! Random histories of two owners, through the queues and with several invocations at once. Their resource policies are
//! taken away, others add statements, enforcements are removed, accounts move, calls in one owner's account fail, events
//! are lost and repeated, and the baseline gives one guardrail from one owner to the other, or gives it up.
//!
//! What the keeper writes is judged at the moment when AWS has carried it out, against the moment before:
//!
//! - a resource policy is only written while a task of that owner's account and Region is under way, and no two are;
//! - a grant is not taken back while an account enforces the guardrail;
//! - the statements of others stay.
//!
//! At the end nothing fails any more: each guardrail that is wanted is granted, and enforced where it is wanted, by its
//! owner, and another sweep writes nothing.
//!
//! `OWNERS_HISTORIES=NUMBER` tells more of them, and `OWNERS_FIRST=SEED` begins with another one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use futures_util::stream::{FuturesUnordered, StreamExt};
use guardrail_keeper::handler::Deadline;
use serde_json::{Value, json};
use simulator::{AccountState, Answer, Call, EventSourceMapping, Fault, FaultKind, Model, Next};

use crate::effective_policy::ROOT;
use testkit::histories::dice::Dice;
use testkit::queues::EMPTY;
use testkit::stack::{Stack, answer, events_queue, tasks_queue};
use testkit::world::{
    Document, EU, MEMBER_ROLE, OWNER, PAYMENTS, PLAYGROUND, SANDBOX, SEARCH, SHIPPING, Setup, WORKLOAD,
    World, guardrail,
};

const SECOND: &str = SEARCH;
const OF_SECOND: &str = "strict: { owner: \"300000000003\", name: strict, version: 1, regions: [eu-west-1] }";
const OF_FIRST: &str = "strict: { name: strict, version: 1, regions: [eu-west-1] }";

/// Who owns the guardrail of the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strict {
    First,
    Second,
    Nobody,
}

impl Strict {
    fn document(self, edition: usize) -> Document {
        let guardrail = match self {
            Strict::First => vec![OF_FIRST],
            Strict::Second => vec![OF_SECOND],
            Strict::Nobody => Vec::new(),
        };
        let assignments = match self {
            Strict::First | Strict::Second => vec![(ROOT, "corporate"), (WORKLOAD, "strict")],
            Strict::Nobody => vec![(ROOT, "corporate")],
        };
        // Each text is a revision of its own.
        let edition = ["# a", "# b", "# c", "# d"][edition % 4];
        let rest =
            vec!["limits: { max_replacements: 1000, max_releases: 1000, max_abandonments: 1000 }", edition];
        Document { regions: EU, more_guardrails: guardrail, assignments, rest, ..Document::default() }
    }
}

fn arn(owner: &str) -> String {
    let id = if owner == SECOND { "eustrict0003" } else { "eustrict0002" };
    format!("arn:aws:bedrock:{EU}:{owner}:guardrail/{id}")
}

fn setup() -> Setup {
    // So that no count over a day stops what goes to and fro.
    let ceilings = ["KEEPER_MAX_REPLACEMENTS", "KEEPER_MAX_RELEASES", "KEEPER_MAX_ABANDONMENTS"];
    let setup = World::of(&Strict::Second.document(0)).durable();
    // Others have statements of their own in a policy.
    let setup = setup.switches(|switches| switches.several_statements = Answer::Accepted).world(|world| {
        for owner in [OWNER, SECOND] {
            let mut strict = world.guardrails[1].clone();
            (strict.account, strict.share_with_organization, strict.versions) = (owner.to_owned(), false, 1);
            strict.id = arn(owner).rsplit_once('/').unwrap().1.to_owned();
            strict.content.name = "strict".to_owned();
            world.guardrails.push(strict);
        }
        world.guardrails[1].share_with_organization = false;
    });
    ceilings.into_iter().fold(setup, |setup, name| setup.variable(name, "1000"))
}

fn all_arns() -> [String; 3] {
    [guardrail(EU), arn(OWNER), arn(SECOND)]
}

fn is_granted(policy: Option<&Value>) -> bool {
    policy.is_some_and(|policy| policy.to_string().contains("o-exampleorgid"))
}

fn policy_of(model: &Model, arn: &str) -> Option<Value> {
    model.resource_policy(arn).map(|text| serde_json::from_str(&text).unwrap())
}

fn has_foreign(policy: Option<&Value>) -> bool {
    let statements = policy.and_then(|policy| policy["Statement"].as_array());
    statements.is_some_and(|statements| statements.iter().any(|one| one["Principal"]["AWS"].is_string()))
}

#[derive(Default)]
struct Judge {
    before: BTreeMap<String, Option<Value>>,
    at_work: BTreeSet<String>,
    wrongs: Vec<String>,
    judged: usize,
    withdrawn: usize,
}

impl Judge {
    fn look(&mut self, model: &Model) {
        self.before = all_arns().map(|arn| (arn.clone(), policy_of(model, &arn))).into();
    }

    fn judge(&mut self, call: &Call, model: &Model) {
        let arn = call.target.clone().unwrap_or_default();
        if call.caller.contains(MEMBER_ROLE) && call.status / 100 == 2 {
            self.judged += 1;
            let group = format!("owner.{}.{}", call.account, call.region);
            if !self.at_work.contains(&group) {
                self.wrongs.push(format!("{} {arn}: no task of {group} is under way", call.operation));
            }
            let (before, after) = (self.before.get(&arn).cloned().flatten(), policy_of(model, &arn));
            if has_foreign(before.as_ref()) && !has_foreign(after.as_ref()) {
                self.wrongs.push(format!("{} {arn}: a statement of others is gone", call.operation));
            }
            if is_granted(before.as_ref()) && !is_granted(after.as_ref()) {
                self.withdrawn += 1;
                let users = model.members().filter(|account| {
                    let enforced = model.enforcement(&account.id, EU);
                    enforced.is_some_and(|one| arn.ends_with(&format!("/{}", one.guardrail_id)))
                });
                let users: Vec<&str> = users.map(|account| account.id.as_str()).collect();
                if !users.is_empty() {
                    self.wrongs.push(format!("{} {arn}: taken back from {users:?}", call.operation));
                }
            }
        }
        self.look(model);
    }
}

/// A history under way.
struct Tale {
    stack: Stack,
    events: EventSourceMapping,
    tasks: EventSourceMapping,
    dice: Dice,
    judge: Arc<Mutex<Judge>>,
    strict: Strict,
    edition: usize,
    acts: Vec<String>,
}

impl Tale {
    async fn begin(seed: u64) -> Tale {
        let stack = Stack::start(setup()).await;
        let judge = Arc::new(Mutex::new(Judge::default()));
        let watching = Arc::clone(&judge);
        stack.world.server.watch(move |call: &Call, model: &mut Model| {
            if call.operation.ends_with("ResourcePolicy") && call.write {
                watching.lock().unwrap().judge(call, model);
            }
        });
        let events = EventSourceMapping::new(&events_queue()).shuffled(seed).maximum_concurrency(2);
        let tasks =
            EventSourceMapping::new(&tasks_queue()).batch_size(1).shuffled(seed).maximum_concurrency(6);
        let mut tale = Tale {
            stack,
            events,
            tasks,
            dice: Dice::new(seed),
            judge,
            strict: Strict::Second,
            edition: 0,
            acts: Vec::new(),
        };
        tale.look();
        tale.swept().await;
        tale
    }

    /// What others did is the keeper's beginning.
    fn look(&self) {
        let mut judge = self.judge.lock().unwrap();
        self.stack.world.server.with(|model| judge.look(model));
    }

    /// Works with several invocations at once, until so many have begun or nothing is left that needs no waiting.
    /// Returns when the next message can be had.
    async fn work(&mut self, most: usize) -> Option<jiff::Timestamp> {
        let (server, keeper) = (&self.stack.world.server, &self.stack.world.keeper);
        let mut running = FuturesUnordered::new();
        let mut begun = 0;
        loop {
            let mut waits = Vec::new();
            for (is_task, mapping) in [(true, &mut self.tasks), (false, &mut self.events)] {
                while begun < most {
                    match mapping.next(server).unwrap() {
                        Next::Batch { invocation, event } => {
                            begun += 1;
                            let group = event["Records"][0]["attributes"]["MessageGroupId"].as_str();
                            let group = group.map(str::to_owned);
                            if let Some(group) = &group {
                                let is_new = self.judge.lock().unwrap().at_work.insert(group.clone());
                                assert!(is_new, "two runs over {group} at once");
                            }
                            running.push(async move {
                                let ended = answer(keeper, &event, Deadline::NONE).await;
                                (is_task, invocation, group, ended)
                            });
                        }
                        Next::Later(until) => {
                            waits.push(until);
                            break;
                        }
                        Next::Busy | Next::Idle => break,
                    }
                }
            }
            let Some((is_task, invocation, group, ended)) = running.next().await else {
                return waits.into_iter().min();
            };
            if let Some(group) = group {
                self.judge.lock().unwrap().at_work.remove(&group);
            }
            let mapping = if is_task { &mut self.tasks } else { &mut self.events };
            mapping.finish(server, invocation, &ended).unwrap();
        }
    }

    /// Works until the queues are empty.
    async fn settle(&mut self) {
        for _ in 0..2_000 {
            match self.work(usize::MAX).await {
                None if self.stack.left() == EMPTY => return,
                None => {}
                Some(until) => {
                    let now = self.stack.world.server.with(|model| model.clock.now());
                    let seconds = (until.as_second() - now.as_second()).max(1);
                    self.stack.world.wait(u32::try_from(seconds).unwrap());
                }
            }
        }
        panic!("it goes on for ever: {}", self.stack.left());
    }

    async fn swept(&mut self) {
        self.edition += 1;
        let mut event = testkit::world::schedule();
        event["id"] = format!("00000000-0000-4000-8000-{:012}", self.edition).into();
        self.stack.send(&event);
        self.settle().await;
    }

    /// An event may be lost, and may come twice.
    fn tell(&mut self, name: &str) {
        let event = self.stack.world.event(name);
        for _ in 0..*self.dice.weighted(&[(1, 0), (6, 1), (2, 2)]) {
            self.stack.send(&event);
        }
    }

    async fn act(&mut self) {
        let which = *self.dice.weighted(&[
            (4, "policy"),
            (2, "statement"),
            (4, "release"),
            (3, "move"),
            (3, "fault"),
            (4, "baseline"),
            (2, "sweep"),
            (1, "wait"),
        ]);
        let said = match which {
            "policy" => self.a_policy_goes(),
            "statement" => self.a_statement_comes(),
            "release" => {
                let account = *self.dice.pick(&[PAYMENTS, SHIPPING, PLAYGROUND, SECOND, OWNER]);
                let is_there = self.stack.world.server.with(|model| model.enforcement(account, EU).is_some());
                if is_there {
                    self.stack.world.administrator_releases(account, EU);
                    self.tell("DeleteEnforcedGuardrailConfiguration");
                }
                format!("{account} is released")
            }
            "move" => {
                let account = *self.dice.pick(&[PAYMENTS, SHIPPING, PLAYGROUND]);
                let parent = *self.dice.pick(&[WORKLOAD, SANDBOX]);
                let moved = self.stack.world.server.with(|model| model.move_account(account, parent));
                if moved.is_ok() {
                    self.tell("MoveAccount");
                }
                format!("{account} moves to {parent}")
            }
            "fault" => {
                let owner = *self.dice.pick(&[OWNER, SECOND]);
                let operations = ["GetGuardrail", "ListGuardrails", "GetResourcePolicy", "PutResourcePolicy"];
                let operation = *self.dice.pick(&operations);
                let times = 1 + u32::try_from(self.dice.below(4)).unwrap();
                let fault = Fault::new(FaultKind::ServerError).operation(operation).account(owner);
                self.stack.world.server.fault(fault.times(times));
                format!("{operation} fails in {owner}, {times} times")
            }
            "baseline" => {
                self.strict = *self.dice.pick(&[Strict::First, Strict::Second, Strict::Nobody]);
                self.edition += 1;
                self.stack.world.publish(&self.strict.document(self.edition));
                self.tell("Parameter Store Change");
                format!("the workload's guardrail is of {:?}", self.strict)
            }
            "sweep" => {
                self.swept().await;
                "a sweep".to_owned()
            }
            _ => {
                let seconds = u32::try_from(60 * self.dice.below(60)).unwrap();
                self.stack.world.wait(seconds);
                format!("{seconds} seconds pass")
            }
        };
        self.acts.push(said);
        self.look();
    }

    fn a_policy_goes(&mut self) -> String {
        let arn = self.dice.pick(&all_arns()).clone();
        let owner = arn.split(':').nth(4).unwrap().to_owned();
        let gone = self.stack.world.server.with(|model| {
            let caller = model.caller(&format!("arn:aws:iam::{owner}:root"), EU).unwrap();
            model.delete_resource_policy(&caller, &arn).is_ok()
        });
        if gone {
            self.tell("DeleteResourcePolicy");
        }
        format!("the policy of {arn} goes")
    }

    fn a_statement_comes(&mut self) -> String {
        let arn = self.dice.pick(&all_arns()).clone();
        let owner = arn.split(':').nth(4).unwrap();
        self.stack.world.server.with(|model| {
            let mut policy = policy_of(model, &arn)
                .unwrap_or_else(|| json!({ "Version": "2012-10-17", "Statement": [] }));
            if has_foreign(Some(&policy)) {
                return;
            }
            let statement = json!({ "Effect": "Allow", "Resource": arn,
                "Principal": { "AWS": format!("arn:aws:iam::{owner}:root") }, "Action": "bedrock:ApplyGuardrail" });
            policy["Statement"].as_array_mut().unwrap().push(statement);
            model.set_resource_policy(&arn, Some(&policy.to_string())).unwrap();
        });
        format!("others add a statement to {arn}")
    }

    /// Nothing fails any more: everything has to be as the baseline wants it.
    async fn end(mut self, seed: u64) -> (usize, usize) {
        self.stack.world.server.clear_faults();
        self.settle().await;
        for _ in 0..3 {
            self.stack.world.wait(3600);
            self.swept().await;
        }
        let told = || format!("seed {seed}: {:#?}", self.acts);
        let strict = match self.strict {
            Strict::First => Some(arn(OWNER)),
            Strict::Second => Some(arn(SECOND)),
            Strict::Nobody => None,
        };
        self.stack.world.server.with(|model| {
            for account in model.members().filter(|account| account.state == AccountState::Active) {
                let in_workload = account.parent() == Some(WORKLOAD);
                let wanted = strict.clone().filter(|_| in_workload).unwrap_or_else(|| guardrail(EU));
                let enforced = model.enforcement(&account.id, EU).map(|one| one.guardrail_id.as_str());
                let id = wanted.rsplit_once('/').map(|(_, id)| id);
                assert_eq!(enforced, id, "{}: {}", account.id, told());
            }
            for arn in all_arns() {
                let wanted = arn == guardrail(EU) || strict.as_ref() == Some(&arn);
                let granted = is_granted(policy_of(model, &arn).as_ref());
                assert_eq!(granted, wanted, "{arn}: {}", told());
            }
        });
        self.stack.world.server.clear_calls();
        self.swept().await;
        assert_eq!(self.stack.world.writes(), [""; 0], "{}", self.acts.join("\n"));
        let judge = self.judge.lock().unwrap();
        assert_eq!(judge.wrongs, [""; 0], "seed {seed}: {:#?}", self.acts);
        (judge.judged, judge.withdrawn)
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

#[tokio::test]
async fn whatever_happens_to_two_owners_each_is_written_by_one_and_everything_is_as_it_should_be() {
    let first = number("OWNERS_FIRST", 1);
    let (mut judged, mut withdrawn) = (0, 0);
    for seed in first..first + number("OWNERS_HISTORIES", 6) {
        let mut tale = Tale::begin(seed).await;
        for _ in 0..12 {
            tale.act().await;
            // Some of it is still under way when the next thing happens.
            let most = *tale.dice.pick(&[1, 3, 8, usize::MAX]);
            tale.work(most).await;
        }
        let (writes, taken_back) = tale.end(seed).await;
        judged += writes;
        withdrawn += taken_back;
    }
    println!("{judged} writes of resource policies were judged, {withdrawn} of which took a grant back");
    assert!(judged > 0);
}
