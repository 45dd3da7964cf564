//! Accounts and OUs by their names, and reasons by their codes: in what the terminal prints, and as
//! arguments.

use expect_test::expect;
use serde_json::Value;

use testkit::program::{Guardrailctl, Ran};
use testkit::world::{Document, EU, PAYMENTS, PLAYGROUND, SHIPPING, World, check, version};

const SUSPENDED: &str = "300000000006";
const HOSTILE: &str = "x) enforce \u{202e}\u{1b}[31mevil";

fn two_accounts() -> Document {
    Document {
        regions: EU,
        assignments: vec![(PAYMENTS, "corporate"), (SHIPPING, "corporate"), (PLAYGROUND, "corporate")],
        ..Document::default()
    }
}

/// A world in which some accounts and an OU have names that are of no help.
async fn world() -> World {
    let setup = World::of(&two_accounts()).long_established().durable().world(|world| {
        let name = |world: &mut simulator::World, id: &str, name: &str| {
            let account = world.accounts.iter_mut().find(|account| account.id == id).unwrap();
            account.name = name.to_owned();
        };
        name(world, PLAYGROUND, HOSTILE);
        name(world, "300000000003", "twin");
        name(world, "300000000004", "twin");
    });
    let world = setup.start().await;
    std::fs::write(world.folder().join("baseline.yaml"), two_accounts().text()).unwrap();
    world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));
    world
}

fn of(world: &World) -> Guardrailctl {
    Guardrailctl::of(world)
        .variable("KEEPER_BASELINE", "baseline.yaml")
        .variable("KEEPER_LEDGER", "file:ledger.json")
}

fn object(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {ran}"))
}

#[tokio::test]
async fn plan_status_and_explain_say_names_and_codes() {
    let world = world().await;
    check(
        &of(&world).run(&["plan"]).await.without_hash(),
        expect![[r#"
            ! 300000000001/eu-west-1 (Workload/payments) held [not_ours], would replace corporate:1 => corporate:2 (weaker, not ours: arn:aws:iam::300000000001:user/administrator): another configuration is enforced there, made by arn:aws:iam::300000000001:user/administrator: to replace it, write `existing: replace`
            + 300000000002/eu-west-1 (Workload/shipping) enforce corporate:2
            + 300000000005/eu-west-1 (Sandbox/"x) enforce   [31mevil") enforce corporate:2
            2 to change, 1 held, 0 in sync, 4 left alone, 1 account skipped
            plan HASH of baseline c439555dac0c3800, mode sync
            exit 1
        "#]],
    );
    drop(world.sweep().await);
    check(
        &of(&world).run(&["status", "--by", "ou"]).await,
        expect![[r#"
            7 targets
                  1 held
                  4 left alone
                  2 enforced
            oldest look: under a minute ago
            1 account not looked at: suspended

            ou-exam-sandbox1 (Sandbox)  1 enforced
            ou-exam-workload (Workload)  1 held, 2 left alone, 1 enforced
            r-exam  2 left alone

            held        300000000001/eu-west-1 (Workload/payments)  [not_ours] under a minute ago: another configuration is enforced there, made by arn:aws:iam::300000000001:user/administrator: to replace it, write `existing: replace`
            baseline c439555dac0c3800, mode sync
            exit 1
        "#]],
    );
    let explained = of(&world).run(&["explain", PAYMENTS, EU]).await.out;
    check(
        explained.lines().next().unwrap(),
        expect!["300000000001/eu-west-1  Workload/payments, o-exampleorgid/r-exam/ou-exam-workload/"],
    );
    assert!(explained.contains("\ndecision  held [not_ours]: "), "{explained}");
}

#[tokio::test]
async fn programs_are_told_names_and_codes_too() {
    let world = world().await;
    let plan = object(&of(&world).run(&["plan", "--output", "json"]).await);
    assert_eq!(plan["plan"]["decisions"][2]["code"], "not_ours", "{plan:#}");
    check(
        &format!("{:#}", plan["names"]),
        expect![[r#"
        {
          "accounts": {
            "300000000001": {
              "name": "payments",
              "path": "o-exampleorgid/r-exam/ou-exam-workload/"
            },
            "300000000002": {
              "name": "shipping",
              "path": "o-exampleorgid/r-exam/ou-exam-workload/"
            },
            "300000000005": {
              "name": "x) enforce   [31mevil",
              "path": "o-exampleorgid/r-exam/ou-exam-sandbox1/"
            }
          },
          "ous": {
            "ou-exam-sandbox1": "Sandbox",
            "ou-exam-workload": "Workload"
          }
        }"#]],
    );
    drop(world.sweep().await);
    let status = object(&of(&world).run(&["status", "--output", "json"]).await);
    let target = status["targets"].as_array().unwrap().iter().find(|one| one["account"] == PAYMENTS).unwrap();
    assert_eq!((&target["code"], &target["name"]), (&"not_ours".into(), &"payments".into()), "{status:#}");
    assert_eq!(status["summary"]["ous"]["ou-exam-workload"], "Workload");
    let explained = object(&of(&world).run(&["explain", "payments", EU, "--output", "json"]).await);
    assert_eq!(explained["decision"]["code"], "not_ours");
    assert_eq!(explained["names"]["accounts"][PAYMENTS]["name"], "payments");
    assert_eq!(explained["names"]["ous"]["ou-exam-workload"], "Workload");
}

#[tokio::test]
async fn names_are_arguments_and_never_guessed_at() {
    let world = world().await;
    drop(world.sweep().await);
    let ctl = of(&world);
    let by_id = ctl.run(&["plan", "--account", SHIPPING]).await;
    let by_name = ctl.run(&["plan", "--account", "shipping"]).await;
    assert_eq!((by_id.code, &by_id.out), (0, &by_name.out), "{by_name}");

    let mut told = String::new();
    for arguments in [
        &["plan", "--account", "twin"][..],
        &["explain", "ship", EU],
        &["offboard", "nobody", "--yes"],
        &["callers", "twin", "--role", "Reader"],
        &["doctor", "--account", "nobody"],
        &["status", "--ou", "Playground"],
    ] {
        let ran = ctl.run(arguments).await;
        assert_eq!(ran.code, 2, "{ran}");
        told.push_str(&format!("{}\n{}", arguments.join(" "), ran.err));
    }
    check(
        &told,
        expect![[r#"
        plan --account twin
        error: 2 accounts are named twin: give the id
          300000000003 twin, active, o-exampleorgid/r-exam/ou-exam-workload/
          300000000004 twin, active, o-exampleorgid/r-exam/ou-exam-workload/
        explain ship eu-west-1
        error: no account is named ship: give its id, or its name as it is written
          300000000002 shipping, active, o-exampleorgid/r-exam/ou-exam-workload/
        offboard nobody --yes
        error: no account is named nobody: give its id, or its name as it is written
        callers twin --role Reader
        error: 2 accounts are named twin: give the id
          300000000003 twin, active, o-exampleorgid/r-exam/ou-exam-workload/
          300000000004 twin, active, o-exampleorgid/r-exam/ou-exam-workload/
        doctor --account nobody
        error: no account is named nobody: give its id, or its name as it is written
        status --ou Playground
        error: no OU with accounts is named Playground: give its id, or its name as it is written
    "#]],
    );
    assert_eq!(ctl.run(&["plan", "--account", "30000000001"]).await.code, 2);
    let ran = ctl.run(&["status", "--ou", "Sandbox"]).await;
    assert!(ran.out.starts_with("1 target\n"), "{ran}");
}

#[tokio::test]
async fn a_region_or_an_account_about_which_nothing_can_be_said_is_named() {
    let world = world().await;
    let ctl = of(&world);
    let mut told = String::new();
    for arguments in [
        &["plan", "--region", "eu-north-1"][..],
        &["plan", "--account", SUSPENDED],
        &["plan", "--account", "999999999999"],
        &["apply", "--yes", "--account", "abandoned"],
        &["explain", SHIPPING, "eu-north-1"],
        &["status", "--region", "eu-north-1"],
        &["status", "--account", "abandoned"],
    ] {
        let ran = ctl.run(arguments).await;
        assert_eq!(ran.code, 1, "{}: {ran}", arguments.join(" "));
        told.push_str(&format!("{}\n{}", arguments.join(" "), ran.without_hash()));
    }
    check(
        &told,
        expect![[r#"
        plan --region eu-north-1
        ! eu-north-1 is not in the baseline, which names eu-west-1: nothing is wanted there
        0 to change, 0 held, 0 in sync, 1 account skipped
        plan HASH of baseline c439555dac0c3800, mode sync
        exit 1
        plan --account 300000000006
        ! 300000000006 (abandoned) is suspended: no call can work there, so it is not looked at
        0 to change, 0 held, 0 in sync, 1 account skipped
        plan HASH of baseline c439555dac0c3800, mode sync
        exit 1
        plan --account 999999999999
        ! 999999999999 is no member of this organization: not looked at
        0 to change, 0 held, 0 in sync
        plan HASH of baseline c439555dac0c3800, mode sync
        exit 1
        apply --yes --account abandoned
        ! 300000000006 (abandoned) is suspended: no call can work there, so it is not looked at
        0 to change, 0 held, 0 in sync, 1 account skipped
        plan HASH of baseline c439555dac0c3800, mode sync
        exit 1
        explain 300000000002 eu-north-1
        300000000002/eu-north-1  Workload/shipping, o-exampleorgid/r-exam/ou-exam-workload/
        wanted    nothing: corporate, by the assignment of 300000000002 (line 12), is not enforced in eu-north-1; the baseline names eu-west-1
        seen      not looked at
        ours      nothing is recorded
        last      no look is recorded
        decision  none: neither the baseline nor the record knows this Region
        baseline c439555dac0c3800, mode sync
        exit 1
        status --region eu-north-1
        0 targets
        1 account not looked at: suspended
        baseline c439555dac0c3800, mode sync
        stderr: warning: eu-north-1 is not in the baseline, which names eu-west-1: nothing is wanted there
        exit 1
        status --account abandoned
        0 targets
        1 account not looked at: suspended
        baseline c439555dac0c3800, mode sync
        stderr: warning: 300000000006 (abandoned) is suspended: no call can work there
        exit 1
    "#]],
    );
    let plan = object(&ctl.run(&["plan", "--region", "eu-north-1", "--output", "json"]).await);
    assert_eq!(plan["unmet"].as_array().unwrap().len(), 1, "{plan:#}");
}
