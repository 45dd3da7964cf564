//! `guardrailctl apply` where the baseline assigns on the organization's level.

use expect_test::expect;
use serde_json::Value;
use simulator::{Fault, FaultKind};

use crate::deployed::Deployed;
use crate::organization_level::{CORPORATE, document, given, managed, policies};
use testkit::program::Guardrailctl;
use testkit::world::{Document, PARAMETER, PAYMENTS, US, WORKLOAD, World, check};

const OURS: &str = "guardrail-keeper-ou-exam-workload-1 on ou-exam-workload";

fn workload() -> Document {
    document(&[(WORKLOAD, CORPORATE)])
}

/// What was printed, without how long ago something was.
fn untimed(printed: &str) -> String {
    let lines = printed.lines().filter(|line| !line.starts_with("looked at "));
    lines.map(|line| format!("{line}\n")).collect()
}

#[tokio::test]
async fn the_deployed_keeper_is_asked_and_followed_where_this_level_alone_has_work() {
    let mut deployed = Deployed::start(managed(&workload())).await;
    let ran = deployed.run(&["apply", "--yes"]).await;
    check(
        &untimed(&ran.to_string()),
        expect![[r#"
        0 to change, 0 held, 0 in sync, 21 left alone, 1 account skipped
        plan e3b0c44298fc1c14 of baseline 5245ace7728cd9f3, mode sync

        Organization's level:
        held [not_proven] it is not proven that these can apply what they would be given, and their calls may fail: 300000000001/ap-southeast-2 (it was not tried within the last day), 300000000001/eu-west-1 (it was not tried within the last day), 300000000001/us-east-1 (it was not tried within the last day), 300000000002/ap-southeast-2 (it was not tried within the last day), 300000000002/eu-west-1 (it was not tried within the last day) and 7 more

        Done by the deployed keeper:
        organization's level: as the baseline wants it
        stderr: asked the deployed keeper, by the queue of its events
        exit 0
    "#]],
    );
    assert_eq!(policies(deployed.world()), [OURS]);
    assert_eq!(given(deployed.world(), PAYMENTS, US).as_deref(), Some("usbase1a2b3c:2"));
    // A second time there is nothing to do, and nobody is asked.
    let ran = deployed.run(&["apply", "--yes", "--output", "json"]).await;
    let told: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {ran}"));
    assert_eq!((ran.code, &told["requested"]), (0, &Value::Null), "{ran}");
    assert_eq!(told["planned"][0]["organization_level"]["left"], serde_json::json!([]), "{ran}");
}

#[tokio::test]
async fn without_an_approval_nobody_is_asked_and_it_does_not_say_that_all_is_well() {
    let mut deployed = Deployed::start(managed(&workload())).await;
    deployed.run(&["apply", "--yes"]).await;
    let next = Document { version: 1, ..workload() };
    deployed.world().publish(&next);
    deployed.sweep().await;
    let ran = deployed.run(&["apply", "--yes"]).await;
    check(
        &ran,
        expect![[r#"
        0 to change, 0 held, 0 in sync, 21 left alone, 1 account skipped
        plan e3b0c44298fc1c14 of baseline ce12c860f415ecee, mode sync

        Organization's level:
        held [not_approved] it changes more than may be changed without an approval: 4 accounts; 0 added, 12 replaced, 0 released
        + update p-s5e9fu3alg, ap-southeast-2: apbase1a2b3c:1, eu-west-1: eubase1a2b3c:1, us-east-1: usbase1a2b3c:1
        4 accounts; 0 added, 12 replaced, 0 released
        to let it be done: guardrailctl approve ce12c860f415ecee
        exit 1
    "#]],
    );
    let revision = ran.out.split("guardrailctl approve ").nth(1).unwrap().trim().to_owned();
    let ran = deployed.run(&["apply", "--yes", "--approve", &revision]).await;
    check(
        &untimed(&ran.to_string()),
        expect![[r#"
        0 to change, 0 held, 0 in sync, 21 left alone, 1 account skipped
        plan e3b0c44298fc1c14 of baseline ce12c860f415ecee, mode sync

        Organization's level:
        held [not_approved] it changes more than may be changed without an approval: 4 accounts; 0 added, 12 replaced, 0 released
        + update p-s5e9fu3alg, ap-southeast-2: apbase1a2b3c:1, eu-west-1: eubase1a2b3c:1, us-east-1: usbase1a2b3c:1
        4 accounts; 0 added, 12 replaced, 0 released
        to let it be done: guardrailctl approve ce12c860f415ecee

        Done by the deployed keeper:
        organization's level: as the baseline wants it
        stderr: asked the deployed keeper, by the queue of its events
        exit 0
    "#]],
    );
    assert_eq!(given(deployed.world(), PAYMENTS, US).as_deref(), Some("usbase1a2b3c:1"));
}

#[tokio::test]
async fn what_cannot_be_read_from_here_is_shown_as_the_keeper_saw_it() {
    let mut deployed = Deployed::start(managed(&workload())).await;
    let denied =
        || Fault::new(FaultKind::Denied { message: "no".to_owned() }).operation("ListPolicies").times(1);
    deployed.world().server.fault(denied());
    let ran = deployed.ctl().run(&["plan"]).await;
    check(
        &ran,
        expect![[r#"
        0 to change, 0 held, 0 in sync, 21 left alone, 1 account skipped
        plan e3b0c44298fc1c14 of baseline 5245ace7728cd9f3, mode sync

        Organization's level, by the record:
        not looked at yet by this baseline
        stderr: warning: what would be written on the organization's level can't be read from here, so the last look of the deployed keeper is shown: ListPolicies: AccessDeniedException: no (denied)
        exit 1
    "#]],
    );
    deployed.sweep().await;
    deployed.world().server.fault(denied());
    let ran = deployed.ctl().run(&["plan"]).await;
    check(
        &untimed(&ran.to_string()),
        expect![[r#"
            0 to change, 0 held, 0 in sync, 21 left alone, 1 account skipped
            plan e3b0c44298fc1c14 of baseline 5245ace7728cd9f3, mode sync

            Organization's level, by the record:
            nothing to write
            stderr: warning: what would be written on the organization's level can't be read from here, so the last look of the deployed keeper is shown: ListPolicies: AccessDeniedException: no (denied)
            exit 0
        "#]],
    );
}

fn direct(world: &World) -> Guardrailctl {
    Guardrailctl::of(world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_LEDGER", &format!("file:{}", world.ledger_file().display()))
}

#[tokio::test]
async fn from_here_it_asks_before_it_writes_on_this_level() {
    let world = managed(&workload()).start().await;
    // Nobody has shown yet that the guardrail can be applied; the work itself has every account try it.
    for (answer, asks, written) in [
        ("n\n", "Write on the organization's level once nothing holds it? [y/N]", Vec::new()),
        ("y\n", "Write on the organization's level once nothing holds it? [y/N]", vec![OURS]),
    ] {
        let mut running = direct(&world).start_at_a_terminal(&["apply"], answer);
        running.has_said("[y/N]").await;
        let ran = running.end().await;
        assert!(ran.err.contains(asks), "{ran}");
        assert_eq!(policies(&world), written, "{ran}");
        assert_eq!(ran.code, i32::from(written.is_empty()), "{ran}");
    }
    // The next version: what the accounts can't do is known, and what would be written is shown and asked for.
    let next = Document { version: 1, ..workload() };
    world.publish(&next);
    let ran = direct(&world).run(&["apply", "--yes"]).await;
    assert_eq!(ran.code, 1, "{ran}");
    let revision = ran.out.split("baseline ").nth(1).unwrap().split(',').next().unwrap().to_owned();
    let mut running = direct(&world).start_at_a_terminal(&["apply", "--approve", &revision], "y\n");
    running.has_said("[y/N]").await;
    let ran = running.end().await;
    assert!(ran.err.contains("Take 1 step on the organization's level? [y/N]"), "{ran}");
    assert_eq!((ran.code, given(&world, PAYMENTS, US).as_deref()), (0, Some("usbase1a2b3c:1")), "{ran}");
}
