//! Through the queues: events become tasks, tasks are worked on, and what isn't ready waits aside.

use std::collections::BTreeMap;

use expect_test::expect;
use simulator::{Fault, FaultKind};

use crate::support::stack::{Stack, no_time};
use crate::support::{
    DELETE, Document, EU, HUB, LIST, OWNER, PAYMENTS, PLAYGROUND, PUT, SEARCH, SHIPPING, US, WORKLOAD, World,
    check, schedule, version,
};

fn everybody() -> Document {
    Document { regions: EU, assignments: vec![("r-exam", "corporate")], ..Document::default() }
}

fn setup() -> crate::support::Setup {
    World::of(&everybody()).durable()
}

#[tokio::test]
async fn a_sweep_guards_everybody_and_the_next_one_writes_nothing() {
    let mut stack = Stack::start(setup()).await;
    stack.deliver(&stack.schedule()).await;
    check(
        &stack.world.enforced(),
        expect![[r#"
                      ap-southeast-2   eu-west-1        us-east-1
        111111111111  -                eubase1a2b3c:2   -
        222222222222  -                eubase1a2b3c:2   -
        300000000001  -                eubase1a2b3c:2   -
        300000000002  -                eubase1a2b3c:2   -
        300000000003  -                eubase1a2b3c:2   -
        300000000004  -                eubase1a2b3c:2   -
        300000000005  -                eubase1a2b3c:2   -
    "#]],
    );
    check(&stack.left(), expect!["0 events, 0 tasks.fifo, 0 dead-events, 0 dead-tasks.fifo"]);

    stack.world.server.clear_calls();
    stack.deliver(&stack.schedule()).await;
    assert_eq!(stack.world.writes(), [""; 0]);
    check(&stack.left(), expect!["0 events, 0 tasks.fifo, 0 dead-events, 0 dead-tasks.fifo"]);
}
