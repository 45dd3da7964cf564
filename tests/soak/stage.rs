//! Where it happens: the simulator with its queues in this process, the keeper in another, and between them what
//! Lambda does, so many invocations a simulated minute.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use simulator::{EventRule, EventSourceMapping, Fault, Next, QueueName, SendMessage, Server};
use tokio::runtime::Runtime;

use crate::figures::{Depth, End, Load, Sample, Summary, Weight};
use crate::keeper::{HEAP, WEIGH, ended};
use crate::load::{self, Meddler, REPEATED, SWEPT};
use crate::measured;
use crate::options::Options;
use testkit::queues::{self, events_queue, tasks_queue};

pub(crate) const HUB: &str = "111111111111";
pub(crate) const OWNER: &str = "222222222222";
pub(crate) const WORKLOAD: &str = "ou-exam-workload";
pub(crate) const SANDBOX: &str = "ou-exam-sandbox1";
pub(crate) const PARAMETER: &str = "/guardrail-keeper/baseline";
pub(crate) const REGIONS: [&str; 2] = ["us-east-1", "us-east-2"];
const FUNCTION_ROLE: &str = "GuardrailKeeperFunction";
const MEMBER_ROLE: &str = "GuardrailKeeperMember";

/// Longer than any invocation takes, on any machine: beyond that it hangs.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long the last sweep may go on: what failed before it is received again after twelve minutes.
const MINUTES_AFTER: usize = 60;
/// About one event of so many comes twice.
const ONE_TWICE_OF: u64 = 10;

pub(crate) struct Stage {
    options: Options,
    server: Server,
    keeper: Process,
    meddler: Meddler,
    rule: EventRule,
    events: EventSourceMapping,
    tasks: EventSourceMapping,
    load: Load,
    samples: Vec<Sample>,
    /// Of these, how many have been shown.
    shown: usize,
    /// Samples under load; those after it are the last sweep's.
    loaded: usize,
    invocations: usize,
    /// Messages by id and count of receives.
    received: HashSet<(String, String)>,
    now: Sample,
    // Ends last: the server's task runs in it.
    runtime: Runtime,
}

/// The process under measurement.
struct Process {
    child: Child,
    input: ChildStdin,
    answers: Receiver<String>,
}

enum Step {
    Worked,
    /// Nothing is visible before then.
    Later(Timestamp),
    Idle,
}

impl Stage {
    pub(crate) fn set(options: Options) -> Stage {
        let runtime = Runtime::new().expect("a runtime starts");
        let mut world = simulator::World::large(options.accounts, REGIONS.len());
        // The keeper's clock is the machine's: an event is not to look old to it.
        world.start = Timestamp::now();
        let server = runtime.block_on(Server::start(world, simulator::Options::default()));
        let server = server.expect("the simulator starts");
        let variables = queues::make_queues(&server, HUB);
        let members: Vec<String> = server.with(|model| {
            model.settings.keep_events = 2 * options.accounts;
            model.put_role(HUB, function_role());
            load::put_baseline(model, 2);
            model.members().map(|account| account.id.clone()).filter(|id| id.starts_with('5')).collect()
        });
        let mut command = Command::new(std::env::current_exe().expect("this program is a file"));
        command.arg("keeper").env_clear().envs(variables).envs([
            ("AWS_ENDPOINT_URL", server.url().to_owned()),
            ("AWS_REGION", REGIONS[0].to_owned()),
            ("AWS_ACCESS_KEY_ID", format!("SIM{HUB}_{FUNCTION_ROLE}")),
            ("AWS_SECRET_ACCESS_KEY", "simulator".to_owned()),
            ("KEEPER_BASELINE", format!("ssm:{PARAMETER}")),
            ("KEEPER_MEMBER_ROLE", MEMBER_ROLE.to_owned()),
            ("KEEPER_FUNCTION_ROLE", format!("arn:aws:iam::{HUB}:role/{FUNCTION_ROLE}")),
            ("KEEPER_LEDGER", "memory".to_owned()),
            ("KEEPER_BUS", "keeper".to_owned()),
        ]);
        if let Some(leak) = options.leak {
            command.args(["--leak", leak.name()]);
        }
        let events = EventSourceMapping::new(&events_queue(HUB));
        let mut stage = Stage {
            options,
            meddler: Meddler::new(options.seed, &members, options.minutes),
            // Nobody listens to what the keeper tells others.
            rule: EventRule::to(&events_queue(HUB)).bus("of others").from_now(&server),
            events: events.shuffled(options.seed).duplicating(ONE_TWICE_OF),
            tasks: EventSourceMapping::new(&tasks_queue(HUB)).batch_size(1),
            keeper: Process::start(command),
            server,
            load: Load::default(),
            samples: Vec::new(),
            shown: 0,
            loaded: 0,
            invocations: 0,
            received: HashSet::new(),
            now: Sample::default(),
            runtime,
        };
        // What the process is before it has done anything isn't measured, nor that it connects.
        stage.keeper.ask(WEIGH);
        stage
    }

    /// One minute under load.
    pub(crate) fn minute(&mut self, minute: usize) {
        let (meddler, load) = (&mut self.meddler, &mut self.load);
        self.server.with(|model| meddler.act(minute, model, load));
        if self.meddler.is_time_to_sweep(minute) {
            self.send_schedule();
        }
        self.work_for_a_minute(true);
        self.loaded = self.samples.len();
    }

    /// After the load one sweep, without faults, until nothing is left.
    pub(crate) fn last_sweep(&mut self) {
        self.send_schedule();
        for _ in 0..MINUTES_AFTER {
            self.work_for_a_minute(false);
            if queues::left(&self.server, HUB) == queues::EMPTY {
                break;
            }
        }
    }

    /// What hasn't been shown yet, as one line.
    pub(crate) fn row(&mut self) -> String {
        let row = crate::figures::row(&self.samples[self.shown..]);
        self.shown = self.samples.len();
        row
    }

    /// What it came to, and what is wrong with that.
    pub(crate) fn end(self) -> (String, Vec<String>) {
        let version = self.meddler.version().to_string();
        let mut end = self.server.with(|model| {
            let members: Vec<String> = model.members().map(|account| account.id.clone()).collect();
            let mut end =
                End { left: String::new(), members: members.len(), not_as_wanted: Vec::new(), targets: 0 };
            for (account, region) in members.iter().flat_map(|id| REGIONS.map(|region| (id, region))) {
                let free = load::is_in(model, account, SANDBOX);
                let wanted = (!free).then_some(version.as_str());
                let found = model.enforcement(account, region).map(|it| it.guardrail_version.as_str());
                end.targets += 1;
                if found != wanted {
                    end.not_as_wanted.push(format!("{account}/{region} has {found:?} for {wanted:?}"));
                }
            }
            end
        });
        end.left = queues::left(&self.server, HUB);
        let samples = &self.samples[..self.loaded];
        let summary = Summary { samples, load: &self.load, end: &end }.to_string();
        let wrong = crate::figures::wrong(samples, &self.load, &end);
        self.keeper.stop();
        self.runtime.block_on(self.server.stop());
        (summary, wrong)
    }

    fn send_schedule(&mut self) {
        self.load.count(SWEPT);
        let count = self.load.happened[SWEPT];
        let event = json!({
            "version": "0",
            "id": format!("00000000-0000-4000-8000-{count:012}"),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": HUB,
            "time": "2026-11-02T10:00:00Z",
            "region": REGIONS[0],
            "resources": [format!("arn:aws:events:us-east-1:{HUB}:rule/guardrail-keeper-sweep")],
            "detail": {},
        });
        let message = SendMessage { body: event.to_string(), ..SendMessage::default() };
        self.server.with(|model| {
            model.send_message(&events_queue(HUB), HUB, message).expect("the queue takes it");
        });
    }

    /// As many invocations as a minute has room for; what is left stays in the queues. A whole quarter has room for
    /// about twice what happens in it, so that queues come to rest again.
    fn work_for_a_minute(&mut self, with_faults: bool) {
        let end = self.time() + SignedDuration::from_mins(1);
        self.now = Sample::default();
        let room = self.options.accounts * 30 / self.options.minutes + 50;
        while self.now.invocations < room {
            match self.step(with_faults) {
                Step::Worked => {}
                Step::Later(until) if until < end => self.server.with(|model| model.clock.set(until)),
                Step::Later(_) | Step::Idle => break,
            }
        }
        self.server.with(|model| model.clock.set(end));
        self.take_sample();
    }

    fn step(&mut self, with_faults: bool) -> Step {
        self.rule.deliver(&self.server).expect("the queue exists");
        let mut later: Option<Timestamp> = None;
        // In turn: neither queue is to wait for the other to be empty.
        let tasks_first = self.invocations.is_multiple_of(2);
        for is_task in [tasks_first, !tasks_first] {
            let mapping = if is_task { &mut self.tasks } else { &mut self.events };
            match mapping.next(&self.server).expect("the queue exists") {
                Next::Batch { invocation, event } => {
                    let fault = self.meddler.fault().filter(|_| with_faults);
                    self.look_at_the_queues();
                    self.count_repeated(&event);
                    let ended = self.invoke(&event.to_string(), fault);
                    let mapping = if is_task { &mut self.tasks } else { &mut self.events };
                    mapping.finish(&self.server, invocation, &ended).expect("the queue exists");
                    return Step::Worked;
                }
                Next::Later(until) => later = Some(later.map_or(until, |earlier| earlier.min(until))),
                Next::Busy | Next::Idle => {}
            }
        }
        later.map_or(Step::Idle, Step::Later)
    }

    fn invoke(&mut self, payload: &str, fault: Option<Fault>) -> simulator::Ended {
        self.server.clear_calls();
        let faulty = fault.is_some();
        if let Some(fault) = fault {
            self.server.fault(fault);
        }
        let ended = ended(&self.keeper.ask(payload));
        self.server.clear_faults();
        self.invocations += 1;
        self.now.invocations += 1;
        if ended == simulator::Ended::Failed {
            self.load.failed_invocations += 1;
        }
        let calls = self.server.calls();
        self.now.calls += calls.len();
        if faulty {
            let errors = calls.into_iter().filter_map(|call| call.error);
            for error in errors.filter(|error| !is_ordinary(error)) {
                self.now.struck += 1;
                *self.load.faults.entry(error).or_default() += 1;
            }
        }
        ended
    }

    /// What is handed out twice comes a second time with the same count of receives.
    fn count_repeated(&mut self, event: &Value) {
        for record in event["Records"].as_array().into_iter().flatten() {
            let received = (
                record["messageId"].to_string(),
                record["attributes"]["ApproximateReceiveCount"].to_string(),
            );
            if !self.received.insert(received) {
                self.load.count(REPEATED);
            }
        }
    }

    fn look_at_the_queues(&mut self) {
        let depth = self.depth();
        self.now.deepest = self.now.deepest.max(depth.all());
    }

    fn depth(&self) -> Depth {
        self.server.with(|model| {
            let mut depth = Depth::default();
            for queue in [events_queue(HUB), tasks_queue(HUB)] {
                let queue = model.queue(&queue).expect("it was made");
                depth.visible += queue.visible();
                depth.in_flight += queue.in_flight();
                depth.delayed += queue.delayed();
            }
            depth
        })
    }

    fn take_sample(&mut self) {
        // Before the documents are weighed, which takes memory for a moment.
        let heap = self.keeper.heap();
        let process = measured::look(self.keeper.child.id());
        let minute = self.samples.len() + 1;
        let now = self.time();
        let oldest = self.server.with(|model| {
            let sent = [events_queue(HUB), tasks_queue(HUB)].into_iter().filter_map(|queue| {
                let messages = model.queue(&queue)?.messages();
                messages.map(|(message, _)| message.sent).min()
            });
            sent.min().map_or(SignedDuration::ZERO, |sent| now.duration_since(sent))
        });
        let every = (self.options.minutes / 12).max(1);
        let weight = match self.samples.last() {
            Some(last) if !minute.is_multiple_of(every) => last.weight,
            Some(_) | None => self.keeper.weigh(),
        };
        let sample = Sample {
            minute,
            heap,
            process,
            depth: self.depth(),
            oldest,
            dead: self.dead(),
            weight,
            ..self.now
        };
        self.samples.push(sample);
    }

    fn dead(&self) -> usize {
        let names = ["dead-events", "dead-tasks.fifo"].map(|name| QueueName::new(HUB, REGIONS[0], name));
        self.server.with(|model| {
            names.iter().map(|name| model.queue(name).map_or(0, |queue| queue.messages().count())).sum()
        })
    }

    fn time(&self) -> Timestamp {
        self.server.with(|model| model.clock.now())
    }
}

impl Process {
    fn start(mut command: Command) -> Process {
        // Its log goes where nobody reads it, as it would take more room than anything that is measured.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("this program starts again");
        let input = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let (told, answers) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines() {
                let Ok(line) = line else { return };
                if told.send(line).is_err() {
                    return;
                }
            }
        });
        Process { child, input, answers }
    }

    fn ask(&mut self, line: &str) -> String {
        writeln!(self.input, "{line}").expect("the keeper reads");
        self.answers.recv_timeout(PATIENCE).expect("the keeper answers")
    }

    fn heap(&mut self) -> usize {
        let line = self.ask(HEAP);
        line.parse().unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    fn weigh(&mut self) -> Weight {
        let line = self.ask(WEIGH);
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Its input ends, and so does it.
    fn stop(self) {
        let Process { mut child, input, answers: _ } = self;
        drop(input);
        let status = child.wait().expect("it was started");
        assert!(status.success(), "the keeper ended with {status}");
    }
}

/// What is answered without any fault, too: nothing is enforced, or the guardrail isn't granted just now.
fn is_ordinary(error: &str) -> bool {
    ["ResourceNotFoundException", "AccessDeniedException"].contains(&error)
}

/// The function's role may do everything here.
fn function_role() -> simulator::Role {
    let principals = vec![format!("arn:aws:iam::{HUB}:root"), "lambda.amazonaws.com".to_owned()];
    let trust = simulator::Trust { principals, ..simulator::Trust::default() };
    let name = FUNCTION_ROLE.to_owned();
    let permissions = simulator::Permissions::administrator();
    simulator::Role { name, trust, permissions, ..simulator::Role::default() }
}
