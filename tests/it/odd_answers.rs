//! One thing of many of which AWS or the ledger gives an odd answer: an OU, a record, a Region. The others are
//! worked on and told all the same, and the odd one is told as not known.

use expect_test::expect;
use serde_json::{Value, json};
use simulator::{Fault, FaultKind, Presence};

use testkit::program::{Guardrailctl, Ran};
use testkit::queues::EMPTY;
use testkit::stack::Stack;
use testkit::whole::ACCESS;
use testkit::world::{Document, EU, PARAMETER, PAYMENTS, PLAYGROUND, SHIPPING, WORKLOAD, World, check};

fn three_accounts() -> Document {
    Document {
        regions: EU,
        assignments: vec![(PAYMENTS, "corporate"), (SHIPPING, "corporate"), (PLAYGROUND, "corporate")],
        ..Document::default()
    }
}

async fn ctl(world: &World, arguments: &[&str]) -> Ran {
    Guardrailctl::of(world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_LEDGER", "file:ledger.json")
        .run(arguments)
        .await
}

fn lines(ran: &Ran, with: &str) -> String {
    let said = ran.to_string();
    said.lines().filter(|line| line.contains(with)).collect::<Vec<_>>().join("\n")
}

fn denied() -> FaultKind {
    FaultKind::Denied { message: "You may not.".to_owned() }
}

/// Puts what can't be understood in the place of these documents.
fn spoil(world: &World, documents: &[&str]) {
    let text = std::fs::read(world.ledger_file()).unwrap();
    let mut ledger: Value = serde_json::from_slice(&text).unwrap();
    for document in documents {
        assert!(ledger["documents"][document].is_object(), "{document} in {ledger:#}");
        ledger["documents"][document]["document"] = json!({ "regions": 5, "at": 5 });
    }
    std::fs::write(world.ledger_file(), ledger.to_string()).unwrap();
}

#[tokio::test]
async fn an_ou_whose_name_cannot_be_read_keeps_no_other_from_its_own() {
    let world = World::of(&three_accounts()).durable().long_established().start().await;
    let unreadable = Fault::new(denied()).operation("DescribeOrganizationalUnit");
    world.server.fault(unreadable.about("ou-exam-sandbox1"));
    let ran = ctl(&world, &["plan"]).await;
    check(
        &lines(&ran, "enforce"),
        expect![[r#"
            + 300000000001/eu-west-1 (Workload/payments) enforce corporate:2
            + 300000000002/eu-west-1 (Workload/shipping) enforce corporate:2
            + 300000000005/eu-west-1 (playground) enforce corporate:2"#]],
    );
    // Nor from being given by it; only the one without a name has to be given by its id.
    drop(world.sweep().await);
    let ran = ctl(&world, &["status", "--ou", "Workload"]).await;
    check(
        &ran,
        expect![[r#"
            4 targets
                  2 left alone
                  2 enforced
            oldest look: under a minute ago
            baseline c439555dac0c3800, mode sync
            stderr: warning: the name of ou-exam-sandbox1 can't be read, so give the id: DescribeOrganizationalUnit: AccessDeniedException: You may not. (denied)
            exit 0
        "#]],
    );
    let ran = ctl(&world, &["status", "--ou", "Sandbox"]).await;
    check(
        &ran,
        expect![[r#"
            stderr: warning: the name of ou-exam-sandbox1 can't be read, so give the id: DescribeOrganizationalUnit: AccessDeniedException: You may not. (denied)
            stderr: error: no OU with accounts is named Sandbox: give its id, or its name as it is written
            exit 2
        "#]],
    );
}

#[tokio::test]
async fn a_record_that_cannot_be_understood_is_told_and_status_goes_on() {
    let Stack { world, .. } = Stack::guarded(World::of(&three_accounts()).durable().long_established()).await;
    spoil(&world, &[&format!("account#{PAYMENTS}"), "readiness#222222222222/eu-west-1"]);
    let ran = ctl(&world, &["status"]).await;
    check(
        &ran,
        expect![[r#"
            7 targets
                  1 unknown
                  4 left alone
                  2 enforced
            oldest look: under a minute ago
            1 account not looked at: suspended

            unknown     300000000001/eu-west-1 (Workload/payments)  the record has nothing about it
            baseline c439555dac0c3800, mode sync
            stderr: warning: the record of 300000000001 can't be read, so it isn't known what is enforced there: failed to parse the ledger's document account#300000000001: invalid type: integer `5`, expected a map at line 1 column 19
            stderr: warning: failed to read the owner snapshot of 222222222222/eu-west-1, so it isn't known whether a guardrail there is open beyond the organization: failed to parse the ledger's document readiness#222222222222/eu-west-1: invalid type: integer `5`, expected a timestamp string at line 1 column 7
            exit 1
        "#]],
    );
    let ran = ctl(&world, &["status", "--account", PAYMENTS, "--account", SHIPPING]).await;
    check(
        &ran,
        expect![[r#"
            2 targets
                  1 unknown
                  1 enforced
            oldest look: under a minute ago

            unknown     300000000001/eu-west-1 (Workload/payments)  the record has nothing about it
            baseline c439555dac0c3800, mode sync
            stderr: warning: the record of 300000000001 can't be read, so it isn't known what is enforced there: failed to parse the ledger's document account#300000000001: invalid type: integer `5`, expected a map at line 1 column 19
            stderr: warning: failed to read the owner snapshot of 222222222222/eu-west-1, so it isn't known whether a guardrail there is open beyond the organization: failed to parse the ledger's document readiness#222222222222/eu-west-1: invalid type: integer `5`, expected a timestamp string at line 1 column 7
            exit 1
        "#]],
    );
}

#[tokio::test]
async fn a_record_that_cannot_be_understood_keeps_no_revision_from_being_counted_and_no_sweep_from_its_end() {
    let setup = World::of(&three_accounts()).durable().long_established();
    let mut stack = Stack::guarded(setup.variable("KEEPER_BUS", "outcomes")).await;
    spoil(&stack.world, &[&format!("account#{PAYMENTS}")]);
    // Everybody's version is another one: one of three is counted without its record.
    stack.world.publish(&Document { version: 1, ..three_accounts() });
    stack.deliver(&stack.schedule()).await;
    let approval = stack.world.keeper.ledger().revision_approval().await.unwrap().unwrap();
    assert_eq!(approval.counted.unwrap().replacements, 3);
    assert!(approval.approved);
    for account in [SHIPPING, PLAYGROUND] {
        assert!(stack.world.enforced_in(account).contains("eubase1a2b3c:1"), "{account}");
    }
    assert!(stack.world.enforced_in(PAYMENTS).contains("eubase1a2b3c:2"), "nothing is known of it");
    assert_eq!(stack.left(), EMPTY);
    let completed = stack.world.server.with(|model| {
        let events = model.put_events().iter().map(|put| put.event.clone());
        events.rev().find(|event| event["detail-type"] == "Sweep Completed").unwrap()["detail"].clone()
    });
    check(
        &format!(
            "{} of {} looked at\n{:#}",
            completed["accounts"]["looked_at"], completed["accounts"]["in_scope"], completed["examples"]
        ),
        expect![[r#"
            6 of 7 looked at
            [
              "300000000001: its record can't be read: failed to parse the ledger's document account#300000000001: invalid type: integer `5`, expected a map at line 1 column 19"
            ]"#]],
    );
}

#[tokio::test]
async fn a_record_that_cannot_be_understood_counts_among_what_would_be_released() {
    let document = Document { guardrail: vec!["on_unusable: release"], ..three_accounts() };
    let document = Document { rest: vec!["limits: { max_releases: 2 }"], ..document };
    let world = World::guarded(World::of(&document).durable().long_established()).await;
    spoil(&world, &[&format!("account#{PAYMENTS}")]);
    world.server.with(|model| {
        let region = model.region_mut(testkit::world::OWNER, EU).unwrap();
        region.guardrails.get_mut("eubase1a2b3c").unwrap().versions.remove(&2);
    });
    drop(world.sweep().await);
    world.wait(600);
    let report = world.sweep().await.to_string();
    check(
        report.lines().find(|line| line.contains(SHIPPING)).unwrap(),
        expect![
            "x 300000000002/eu-west-1, 300000000005/eu-west-1 broken: eubase1a2b3c:2 is enforced, but guardrail eubase1a2b3c has no version 2 in this Region, its newest is 1: put that into the baseline, or publish a version and put the number that AWS gives it; `on_unusable: release` would release 3 targets, more than the limit max_releases allows: restore the guardrail, or approve 4fd72d17877a16e9 to release them"
        ],
    );
    assert!(world.enforced_in(SHIPPING).contains("eubase1a2b3c:2"), "{report}");
}

#[tokio::test]
async fn callers_of_all_accounts_say_which_one_cannot_be_placed() {
    let setup = World::of(&three_accounts()).durable().long_established();
    let world = setup.switches(|switches| switches.paths = Presence::Absent).start().await;
    world.server.fault(Fault::new(denied()).operation("ListParents").about(PAYMENTS));
    let mut told = String::new();
    for arguments in [["--all", "--role", ACCESS].as_slice(), &["--ou", WORKLOAD, "--role", ACCESS]] {
        let ran = ctl(&world, &[&["callers"], arguments].concat()).await;
        assert!(ran.code == 1 && ran.out.contains(SHIPPING), "{ran}");
        told.push_str(&format!("{}\n", lines(&ran, "could not be read")));
    }
    check(
        &told,
        expect![[r#"
            unknown  300000000001: its path could not be read: ListParents: AccessDeniedException: You may not. (denied)
            unknown  300000000001: its path could not be read: ListParents: AccessDeniedException: You may not. (denied)
        "#]],
    );
    // By its name it can't be found, and the error says why.
    let ran = ctl(&world, &["explain", "payments", EU]).await;
    check(
        &ran,
        expect![[r#"
            stderr: error: no account is named payments: give its id, or its name as it is written
            stderr:   accounts whose names are not known: 300000000001
            exit 2
        "#]],
    );
}
