//! Lambda's detection of loops: the built function, and what it puts back into its own queues. The SDK passes
//! on the trace that a run belongs to, and Lambda counts the runs of each chain by it.

use std::collections::BTreeMap;

use simulator::{Ended, EventSourceMapping, Next, RecursiveLoop};

use testkit::lambda::{Answer, Function};
use testkit::queues::{EMPTY, left, wait};
use testkit::stack::{events_queue, tasks_queue};
use testkit::whole::function;
use testkit::world::{Document, EU, HUB, LIST, MEMBER_ROLE, PUT, WORKLOAD, World};

/// A world of one Region in which Lambda does this with chains of runs, and the function in it.
struct Deployed {
    world: World,
    function: Function,
    events: EventSourceMapping,
    tasks: EventSourceMapping,
    runs: usize,
}

impl Deployed {
    async fn with(recursive_loop: RecursiveLoop) -> Deployed {
        let settings = function(recursive_loop);
        let arn = settings.arn();
        let setup = World::of(&Document { regions: EU, ..Document::default() }).queued().durable();
        let setup = setup.world(|world| {
            world.functions = vec![settings];
            world.settings.stack_set_seconds = None;
        });
        let world = setup.start().await;
        let variables: BTreeMap<&str, String> = BTreeMap::from([
            ("KEEPER_EVENTS_QUEUE", world.server.queue_url(&events_queue())),
            ("KEEPER_TASKS_QUEUE", world.server.queue_url(&tasks_queue())),
            ("KEEPER_LEDGER", format!("file:{}", world.ledger_file().display())),
        ]);
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let function = Function::start(&world, &variables).await;
        let mapping = |queue| EventSourceMapping::new(queue).batch_size(1).of_function(&arn);
        let (events, tasks) = (mapping(&events_queue()), mapping(&tasks_queue()));
        Deployed { world, function, events, tasks, runs: 0 }
    }

    /// One run, if a message can be handed out now.
    async fn step(&mut self) -> bool {
        for mapping in [&mut self.tasks, &mut self.events] {
            let next = mapping.next(&self.world.server).expect("it exists");
            let Next::Batch { invocation, event } = next else { continue };
            let trace = mapping.trace(invocation).expect("its function is known").to_owned();
            self.runs += 1;
            let ended = match self.function.invoke_traced(&event.to_string(), &trace).await {
                Answer::Response(answer) => Ended::Answered(answer),
                Answer::Error(..) => Ended::Failed,
            };
            mapping.finish(&self.world.server, invocation, &ended).expect("it exists");
            return true;
        }
        false
    }

    /// Runs until nothing is left but what waits, then lets the time pass; says whether anything waits.
    async fn round(&mut self) -> bool {
        while self.step().await {}
        wait(&self.world.server, [&mut self.events, &mut self.tasks])
    }

    /// An account joins whose role doesn't come.
    async fn join(&mut self) -> String {
        let account = self.world.let_an_account_join("newcomer", WORKLOAD);
        let event = self.world.event("CreateAccountResult");
        let body = simulator::SendMessage { body: event.to_string(), ..simulator::SendMessage::default() };
        self.world.server.with(|model| model.send_message(&events_queue(), HUB, body)).unwrap();
        account
    }
}

#[tokio::test]
async fn an_account_whose_role_comes_after_hours_is_guarded_where_lambda_lets_the_function_go_on() {
    let mut deployed = Deployed::with(RecursiveLoop::Allow).await;
    let account = deployed.join().await;
    let began = deployed.world.server.with(|model| model.clock.now());
    let hours = |deployed: &Deployed| {
        let now = deployed.world.server.with(|model| model.clock.now());
        (now.as_second() - began.as_second()) / 3600
    };
    while hours(&deployed) < 3 {
        assert!(deployed.round().await, "it gave up after {} runs", deployed.runs);
    }
    assert!(deployed.runs > 32, "{}", deployed.runs);
    let role = deployed
        .world
        .server
        .with(|model| model.role(testkit::world::PAYMENTS, MEMBER_ROLE).unwrap().as_ref().clone());
    deployed.world.server.with(|model| model.put_role(&account, role));
    while deployed.round().await {}
    assert!(deployed.world.writes().contains(&format!("{PUT} {account}/{EU}")));
    assert!(deployed.world.enforced_in(&account).contains("eubase1a2b3c:2"));
    assert_eq!(left(&deployed.world.server, HUB), EMPTY);
}

#[tokio::test]
async fn lambda_stops_the_same_chain_after_sixteen_runs_where_it_may() {
    let mut deployed = Deployed::with(RecursiveLoop::Terminate).await;
    let account = deployed.join().await;
    while deployed.round().await {}
    // Sixteen runs: half of them only put the task back into the other queue.
    assert_eq!(deployed.runs, 16);
    assert_eq!(deployed.world.count(LIST), 0, "its role never came");
    assert!(!deployed.world.enforced_in(&account).contains("eubase1a2b3c"));
    let left = left(&deployed.world.server, HUB);
    assert_eq!(left, "0 events, 0 tasks.fifo, 1 dead-events, 0 dead-tasks.fifo");
}
