//! `guardrailctl status` and `explain`: what is recorded, how old it is, and never green when unknown.

use expect_test::expect;
use guardrail_keeper::engine;
use guardrail_keeper::ids::AccountId;
use guardrail_keeper::organization::{Account, AccountPlacement, AccountState};
use serde_json::Value;
use simulator::{Fault, FaultKind};

use testkit::program::{Guardrailctl, Ran};
use testkit::world::{
    Document, EU, HUB, PARAMETER, PAYMENTS, PLAYGROUND, SANDBOX, SHIPPING, WORKLOAD, World, check, guardrail,
    version,
};

fn one_region() -> Document {
    Document { regions: EU, ..Document::default() }
}

/// Everybody guarded, with a ledger that lasts.
async fn guarded() -> World {
    World::guarded(World::of(&one_region()).durable().long_established()).await
}

fn of(world: &World) -> Guardrailctl {
    Guardrailctl::of(world)
        .variable("KEEPER_BASELINE", &format!("ssm:{PARAMETER}"))
        .variable("KEEPER_LEDGER", "file:ledger.json")
}

fn object(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error} in {ran}"))
}

/// Changes what is recorded, as a later or another run would.
async fn record(world: &World, account: &str, change: impl Fn(&mut guardrail_keeper::record::AccountRecord)) {
    let account: AccountId = account.parse().unwrap();
    let changed = world.keeper.ledger().change_account(&account, |record| {
        change(record);
        Ok(())
    });
    changed.await.unwrap();
}

/// Makes the last look at an account a day older.
async fn age(world: &World, account: &str) {
    record(world, account, |record| {
        for record in record.regions.values_mut() {
            let checked = record.checked.as_mut().unwrap();
            checked.at = jiff::Timestamp::from_second(checked.at.as_second() - 24 * 3600).unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn all_is_green_only_where_all_is_known_good_and_fresh() {
    let world = guarded().await;
    let ran = of(&world).run(&["status"]).await;
    check(
        &ran,
        expect![[r#"
            7 targets
                  6 enforced
                  1 in sync
            oldest look: under a minute ago
            1 account not looked at: suspended
            baseline 84c0f3cb2b5b1f13, mode sync
            exit 0
        "#]],
    );
    assert_eq!(world.writes(), [""; 0]);

    // One that nobody looked at yet, one that was looked at long ago, and one that is held.
    let newcomer = world.let_an_account_join("newcomer", "ou-exam-workload");
    age(&world, SHIPPING).await;
    world.administrator_releases(PAYMENTS, EU);
    world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));
    record(&world, PAYMENTS, |record| record.regions.get_mut(&EU.parse().unwrap()).unwrap().ours = None)
        .await;
    drop(world.look_at(&[PAYMENTS]).await);
    let ran = of(&world).run(&["status"]).await;
    check(
        &ran.to_string().replace(&newcomer, "THE-NEWCOMER"),
        expect![[r#"
            8 targets
                  1 unknown
                  1 held
                  1 stale
                  4 enforced
                  1 in sync
            oldest look: 24 h ago, 300000000002/eu-west-1
            1 account not looked at: suspended

            unknown     THE-NEWCOMER/eu-west-1 (Workload/newcomer)  the record has nothing about it
            held        300000000001/eu-west-1 (Workload/payments)  [not_ours] under a minute ago: another configuration is enforced there, made by arn:aws:iam::300000000001:user/administrator: to replace it, write `existing: replace`
            stale       300000000002/eu-west-1 (Workload/shipping)  24 h ago: enforced then
            baseline 84c0f3cb2b5b1f13, mode sync
            exit 1
        "#]],
    );
    // What was looked at a day ago is as good as a sweep every two days makes it.
    let ran = of(&world).run(&["status", "--account", SHIPPING, "--stale-after", "2d"]).await;
    assert_eq!(ran.code, 0, "{ran}");
}

#[tokio::test]
async fn what_another_baseline_found_is_not_what_this_one_would() {
    let world = guarded().await;
    world.publish(&Document { version: 1, ..one_region() });
    let ran = of(&world).run(&["status", "--ou", SANDBOX]).await;
    check(
        &ran,
        expect![[r#"
            1 target
                  1 in sync
            oldest look: under a minute ago
            1 account not looked at: suspended
            baseline 84c0f3cb2b5b1f13, mode sync
            stderr: warning: baseline 560ff8d292ea350e is not acted on yet: what it changes is being counted; accounts follow 84c0f3cb2b5b1f13 until then
            exit 1
        "#]],
    );
}

/// The events of the moves were lost, and no sweep has been since.
#[tokio::test]
async fn a_look_says_nothing_of_an_account_that_moved_since() {
    let world = guarded().await;
    world.server.with(|model| {
        model.move_account(PLAYGROUND, WORKLOAD).unwrap();
        model.move_account(PAYMENTS, SANDBOX).unwrap();
    });
    let ran = of(&world).run(&["status"]).await;
    check(
        &ran,
        expect![[r#"
            7 targets
                  2 stale
                  5 enforced
            oldest look: under a minute ago
            1 account not looked at: suspended

            stale       300000000001/eu-west-1 (Sandbox/payments)  under a minute ago: enforced when corporate was wanted; nothing is wanted now
            stale       300000000005/eu-west-1 (Workload/playground)  under a minute ago: in sync when nothing was wanted; corporate is wanted now
            baseline 84c0f3cb2b5b1f13, mode sync
            exit 1
        "#]],
    );
    let ran = of(&world).run(&["status", "--account", PLAYGROUND, "--output", "json"]).await;
    let told = object(&ran);
    let target = &told["targets"][0];
    assert_eq!((ran.code, &told["summary"]["good"]), (1, &Value::Bool(false)), "{ran}");
    assert_eq!(
        (&target["wanted"], &target["last_wanted"], &target["last_state"], &target["enforced"]),
        (&"corporate".into(), &"none".into(), &"in_sync".into(), &Value::Null)
    );
    assert_eq!(target["state"], "stale");
    let ran = of(&world).run(&["explain", PLAYGROUND, EU]).await;
    check(
        &ran,
        expect![[r#"
            300000000005/eu-west-1  Workload/playground, o-exampleorgid/r-exam/ou-exam-workload/
            wanted    corporate:2, by the assignment of r-exam (line 11)
            seen      nothing enforced
            ours      nothing is recorded
            last      in sync, under a minute ago, by baseline 84c0f3cb2b5b1f13
            status    stale: in sync when nothing was wanted; corporate is wanted now
            decision  + 300000000005/eu-west-1 enforce corporate:2
            history   under a minute ago: in sync, by event terminal
            baseline 84c0f3cb2b5b1f13, mode sync
            exit 0
        "#]],
    );

    // A sweep looks again, and then it is good.
    drop(world.sweep().await);
    let ran = of(&world).run(&["status"]).await;
    assert_eq!(ran.code, 0, "{ran}");
}

#[tokio::test]
async fn what_was_given_up_is_unguarded() {
    let document = Document { guardrail: vec!["on_unusable: release"], ..one_region() };
    let world = World::guarded(World::of(&document).durable().long_established()).await;
    world.server.with(|model| model.delete_guardrail(&guardrail(EU))).unwrap();
    drop(world.look_at(&[PAYMENTS]).await);
    let ran = of(&world).run(&["status", "--account", PAYMENTS]).await;
    check(
        &ran,
        expect![[r#"
            1 target
                  1 broken
            oldest look: under a minute ago

            broken      300000000001/eu-west-1 (Workload/payments)  [missing] under a minute ago: guardrail eubase1a2b3c has no version 2 in this Region: put the number of a published version into the baseline; a deleted one never comes back, so publish a new one; `on_unusable: release` releases it once a second look, minutes after the first, confirms it and the targets to release are counted
            baseline 4a0d490ce5a8ce07, mode sync
            exit 1
        "#]],
    );
}

/// How many targets stand how at the end of a sweep that began at `since`.
async fn tallied(world: &World, since: jiff::Timestamp) -> String {
    let baseline = engine::baseline(&world.keeper).await.unwrap();
    let tally = engine::tally(&world.keeper, &baseline, since).await.unwrap();
    let counts = tally.standings.iter().map(|(standing, count)| format!("{count} {standing}\n"));
    let examples = tally.examples.iter().map(|example| format!("{example}\n"));
    counts.chain(examples).collect()
}

#[tokio::test]
async fn the_end_of_a_sweep_is_judged_as_status_judges() {
    let since = jiff::Timestamp::now();
    let world = guarded().await;
    check(
        &tallied(&world, since).await,
        expect![[r#"
        6 enforced
        1 in sync
    "#]],
    );
    // Organizations told since that an account stands elsewhere, and nobody looked yet.
    let placed_at = jiff::Timestamp::now();
    let placement = |path: &str| AccountPlacement {
        account: Account {
            id: PLAYGROUND.parse().unwrap(),
            name: "playground".to_owned(),
            state: AccountState::Active,
            path: path.parse().unwrap(),
            joined: None,
        },
        placed_at,
    };
    record(&world, PLAYGROUND, |record| {
        record.place(placement("o-exampleorgid/r-exam/ou-exam-workload/"));
    })
    .await;
    check(
        &tallied(&world, since).await,
        expect![[r#"
        1 stale
        6 enforced
        300000000005/eu-west-1 stale: in sync when nothing was wanted; corporate is wanted now
    "#]],
    );
    // Under another baseline all of it has to be looked at again.
    world.publish(&Document { version: 1, ..one_region() });
    check(
        &tallied(&world, since).await,
        expect![[r#"
        7 stale
        111111111111/eu-west-1 stale: enforced by baseline 84c0f3cb2b5b1f13, and 560ff8d292ea350e is the present one
        222222222222/eu-west-1 stale: enforced by baseline 84c0f3cb2b5b1f13, and 560ff8d292ea350e is the present one
        300000000001/eu-west-1 stale: enforced by baseline 84c0f3cb2b5b1f13, and 560ff8d292ea350e is the present one
        300000000002/eu-west-1 stale: enforced by baseline 84c0f3cb2b5b1f13, and 560ff8d292ea350e is the present one
        300000000003/eu-west-1 stale: enforced by baseline 84c0f3cb2b5b1f13, and 560ff8d292ea350e is the present one
        300000000004/eu-west-1 stale: enforced by baseline 84c0f3cb2b5b1f13, and 560ff8d292ea350e is the present one
        300000000005/eu-west-1 stale: in sync by baseline 84c0f3cb2b5b1f13, and 560ff8d292ea350e is the present one
    "#]],
    );
}

#[tokio::test]
async fn it_can_be_narrowed_grouped_and_listed() {
    let world = guarded().await;
    age(&world, SHIPPING).await;
    let ctl = of(&world);
    let ran = ctl.run(&["status", "--ou", "ou-exam-workload", "--by", "account"]).await;
    check(
        &ran,
        expect![[r#"
            4 targets
                  1 stale
                  3 enforced
            oldest look: 24 h ago, 300000000002/eu-west-1

            300000000001  1 enforced
            300000000002  1 stale
            300000000003  1 enforced
            300000000004  1 enforced

            stale       300000000002/eu-west-1 (Workload/shipping)  24 h ago: enforced then
            baseline 84c0f3cb2b5b1f13, mode sync
            exit 1
        "#]],
    );
    let ran = ctl.run(&["status", "--by", "ou", "--region", EU, "--older-than", "2h"]).await;
    check(
        &ran,
        expect![[r#"
            7 targets
                  1 stale
                  5 enforced
                  1 in sync
            oldest look: 24 h ago, 300000000002/eu-west-1
            1 account not looked at: suspended

            ou-exam-sandbox1 (Sandbox)  1 in sync
            ou-exam-workload (Workload)  1 stale, 3 enforced
            r-exam  2 enforced

            stale       300000000002/eu-west-1 (Workload/shipping)  24 h ago: enforced then
            baseline 84c0f3cb2b5b1f13, mode sync
            exit 1
        "#]],
    );
    let ran = ctl.run(&["status", "--account", PAYMENTS, "--state", "in-sync", "--state", "enforced"]).await;
    check(
        &ran,
        expect![[r#"
            1 target
                  1 enforced
            oldest look: under a minute ago

            enforced    300000000001/eu-west-1 (Workload/payments)  under a minute ago
            baseline 84c0f3cb2b5b1f13, mode sync
            exit 0
        "#]],
    );
    // Narrowed to what is good, all is good; listed or not.
    assert_eq!(ran.code, 0);
    let ran = ctl.run(&["status", "--state", "broken"]).await;
    assert_eq!(ran.code, 1, "what isn't listed counts: {ran}");
    let ran = ctl.run(&["status", "--output", "csv", "--state", "stale"]).await;
    let lines: Vec<&str> = ran.out.lines().collect();
    let fields: Vec<&str> = lines[1].split(',').collect();
    assert_eq!(lines.len(), 2, "{ran}");
    assert_eq!(lines[0].split(',').count(), fields.len());
    assert_eq!(
        fields[..6].join(","),
        format!("{SHIPPING},shipping,o-exampleorgid/r-exam/ou-exam-workload/,{EU},stale,enforced then")
    );
    let bounded = ctl.run(&["status", "--since", "3d", "--limit", "2"]).await;
    check(
        &bounded,
        expect![[r#"
            7 targets
                  1 stale
                  5 enforced
                  1 in sync
            oldest look: 24 h ago, 300000000002/eu-west-1
            1 account not looked at: suspended

            stale       300000000002/eu-west-1 (Workload/shipping)  24 h ago: enforced then
            enforced    111111111111/eu-west-1 (management)  under a minute ago
            and 5 more: --limit lists more of them
            baseline 84c0f3cb2b5b1f13, mode sync
            exit 1
        "#]],
    );
}

#[tokio::test]
async fn programs_are_told_every_target_and_its_age() {
    let world = guarded().await;
    let ran = of(&world).run(&["status", "--output", "json"]).await;
    let mut told = object(&ran);
    assert_eq!((ran.code, &told["summary"]["good"]), (0, &Value::Bool(true)), "{ran}");
    let targets = told["targets"].as_array_mut().unwrap();
    // Line by line, so that nobody has to hold the whole.
    assert_eq!(ran.out.lines().filter(|line| line.contains("\"last_state\":")).count(), targets.len());
    let target = targets.iter_mut().find(|target| target["account"] == PAYMENTS).unwrap();
    for time in ["checked_at", "seen_at"] {
        assert!(target[time].take().as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    }
    for age in ["checked_age_seconds", "seen_age_seconds"] {
        assert!(target[age].take().as_u64().unwrap() < 3600);
    }
    let placed_at = target["placed_at"].take();
    assert!(placed_at.as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{placed_at}");
    check(
        &format!("{target:#}"),
        expect![[r#"
            {
              "account": "300000000001",
              "baseline": "84c0f3cb2b5b1f13",
              "checked_age_seconds": null,
              "checked_at": null,
              "code": null,
              "drift": null,
              "enforced": {
                "guarding": {
                  "messages": "comprehensive",
                  "system": "comprehensive"
                },
                "guardrail": "arn:aws:bedrock:eu-west-1:222222222222:guardrail/eubase1a2b3c",
                "models": {
                  "exclude": [],
                  "include": "all"
                },
                "version": "2"
              },
              "event": "terminal",
              "last_state": "enforced",
              "last_wanted": "corporate",
              "leaving_since": null,
              "name": "payments",
              "ours": true,
              "path": "o-exampleorgid/r-exam/ou-exam-workload/",
              "placed_at": null,
              "reason": null,
              "region": "eu-west-1",
              "seen_age_seconds": null,
              "seen_at": null,
              "state": "enforced",
              "unconfirmed_write_at": null,
              "wanted": "corporate"
            }"#]],
    );
}

#[tokio::test]
async fn departed_and_leaving_accounts_are_told_apart() {
    let world = guarded().await;
    record(&world, PLAYGROUND, |record| record.offboarding = Some(jiff::Timestamp::now())).await;
    world.server.with(|model| {
        let management = model.caller(&format!("arn:aws:iam::{HUB}:root"), "us-east-1").unwrap();
        model.remove_account_as(&management, SHIPPING).unwrap();
    });
    let ran = of(&world).run(&["status"]).await;
    check(
        &ran,
        expect![[r#"
            7 targets
                  1 left behind
                  5 enforced
                  1 in sync
            oldest look: under a minute ago
            1 account not looked at: suspended
            1 account about to leave: nothing is wanted there

            left behind 300000000002/eu-west-1 (Workload/shipping)  under a minute ago: it is no member of the organization any more; what is enforced there may break its calls
            baseline 84c0f3cb2b5b1f13, mode sync
            exit 0
        "#]],
    );
}

#[tokio::test]
async fn where_the_organization_may_not_be_listed_nothing_is_green() {
    let world = guarded().await;
    let denied = FaultKind::Denied { message: "not for you".to_owned() };
    world.server.fault(Fault::new(denied).operation("ListAccounts"));
    let ran = of(&world).run(&["status"]).await;
    check(
        &ran,
        expect![[r#"
            7 targets
                  6 enforced
                  1 in sync
            oldest look: under a minute ago
            baseline 84c0f3cb2b5b1f13, mode sync
            stderr: warning: the organization could not be read: ListAccounts: AccessDeniedException: not for you (denied): accounts that were never looked at are missing here
            exit 1
        "#]],
    );
    world.server.clear_faults();
    // Whoever asks to go by the record is told what it holds.
    world.server.clear_calls();
    let ran = of(&world).run(&["status", "--recorded"]).await;
    assert_eq!((ran.code, world.count("ListAccounts")), (0, 0), "{ran}");
}

#[tokio::test]
async fn mistakes_are_told_and_are_never_green() {
    let world = guarded().await;
    let ctl = of(&world);
    let mut told = String::new();
    for arguments in [
        &["status", "--account", "999999999999"] as &[&str],
        &["status", "--ou", "ou-exam-nowhere1"],
        &["status", "--region", "eu-west-9"],
        &["status", "--state", "splendid"],
        &["status", "--older-than", "long"],
        &["explain", "999999999999", EU],
        &["explain", PAYMENTS, "us-east-1"],
        &["explain", "paymants", EU],
    ] {
        let ran = ctl.run(arguments).await;
        assert_ne!(ran.code, 0, "{arguments:?}: {ran}");
        told.push_str(&format!("$ {}\n{ran}", arguments.join(" ")));
    }
    check(
        &told,
        expect![[r#"
            $ status --account 999999999999
            0 targets
            baseline 84c0f3cb2b5b1f13, mode sync
            stderr: warning: 999999999999 is no member of this organization, and not in the record
            exit 1
            $ status --ou ou-exam-nowhere1
            0 targets
            baseline 84c0f3cb2b5b1f13, mode sync
            stderr: warning: no account stands under ou-exam-nowhere1
            exit 1
            $ status --region eu-west-9
            0 targets
            1 account not looked at: suspended
            baseline 84c0f3cb2b5b1f13, mode sync
            stderr: warning: eu-west-9 is not in the baseline, which names eu-west-1: nothing is wanted there
            exit 1
            $ status --state splendid
            stderr: error: invalid value 'splendid' for '--state <STATE>'
            stderr:   [possible values: broken, unguarded, failed, unknown, held, would-replace, would-enforce, would-release, would-abandon, contested, stale, copied, left-behind, left-alone, enforced, replaced, released, in-sync]
            stderr: 
            stderr: For more information, try '--help'.
            exit 2
            $ status --older-than long
            stderr: error: invalid value 'long' for '--older-than <WHEN>': "long" is no time: write how long ago, as in 15m, 2h or 3d, or 2026-11-22T18:00:00Z
            stderr: 
            stderr: For more information, try '--help'.
            exit 2
            $ explain 999999999999 eu-west-1
            999999999999/eu-west-1
            wanted    nothing is known: it is no member of this organization
            seen      not looked at
            ours      nothing is recorded
            last      no look is recorded
            decision  no calls are made: it is no member of this organization
            baseline 84c0f3cb2b5b1f13, mode sync
            exit 1
            $ explain 300000000001 us-east-1
            300000000001/us-east-1  Workload/payments, o-exampleorgid/r-exam/ou-exam-workload/
            wanted    nothing: corporate, by the assignment of r-exam (line 11), is not enforced in us-east-1; the baseline names eu-west-1
            seen      not looked at
            ours      nothing is recorded
            last      no look is recorded
            decision  none: neither the baseline nor the record knows this Region
            baseline 84c0f3cb2b5b1f13, mode sync
            exit 1
            $ explain paymants eu-west-1
            stderr: error: no account is named paymants: give its id, or its name as it is written
            exit 2
        "#]],
    );
}

#[tokio::test]
async fn a_ledger_that_is_missing_or_broken_is_an_error() {
    let world = guarded().await;
    let mut told = String::new();
    for ledger in ["memory", "file:elsewhere.json"] {
        let ran = of(&world).variable("KEEPER_LEDGER", ledger).run(&["status"]).await;
        told.push_str(&format!("{ledger}\n{ran}"));
    }
    std::fs::write(world.ledger_file(), "{").unwrap();
    for arguments in [&["status", "--output", "csv"] as &[&str], &["explain", PAYMENTS, EU]] {
        told.push_str(&of(&world).run(arguments).await.to_string());
    }
    check(
        &told,
        expect![[r#"
            memory
            stderr: error: status reads the record, and KEEPER_LEDGER names no ledger that lasts: set it to file:PATH or table:NAME
            exit 2
            file:elsewhere.json
            stderr: error: elsewhere.json: there is no such ledger: nothing was recorded yet
            exit 3
            stderr: error: the ledger could not be used: ledger.json is not a ledger of this program: EOF while parsing an object at line 1 column 1
            exit 3
            stderr: error: the record can't be read: the ledger could not be used: ledger.json is not a ledger of this program: EOF while parsing an object at line 1 column 1
            exit 3
        "#]],
    );
}

#[tokio::test]
async fn a_broken_baseline_is_told_and_judged_by_the_last_good_one() {
    let world = guarded().await;
    engine::present(&world.keeper).await.unwrap();
    world.publish_text("version: 1\n");
    let ran = of(&world).run(&["status", "--account", PAYMENTS]).await;
    check(
        &ran,
        expect![[r#"
            1 target
                  1 enforced
            oldest look: under a minute ago
            baseline 84c0f3cb2b5b1f13, mode sync
            stderr: warning: ssm:/guardrail-keeper/baseline:1:1: assignments: missing; write who gets which guardrail, as in [{targets: [r-exam], guardrail: corporate}]
            stderr: ssm:/guardrail-keeper/baseline:1:1: guardrails: missing; write each guardrail under a name of your choice, or {} for none
            stderr: ssm:/guardrail-keeper/baseline:1:1: organization: missing; write the id that `aws organizations describe-organization` shows, for example o-exampleorgid
            stderr: ssm:/guardrail-keeper/baseline:1:1: owner: missing; write the 12 digits of the account that owns the guardrails, for example "222222222222"
            stderr: 4 problems in ssm:/guardrail-keeper/baseline
            stderr: judged by the last good baseline, 84c0f3cb2b5b1f13
            exit 1
        "#]],
    );
}

#[tokio::test]
async fn explain_tells_why_a_target_is_as_it_is() {
    let baseline = Document {
        assignments: vec![
            ("r-exam", "corporate"),
            (SANDBOX, "none"),
            (PAYMENTS, "corporate, existing: replace"),
        ],
        ..one_region()
    };
    let world = World::of(&baseline).durable().long_established().start().await;
    world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));
    drop(world.sweep().await);
    world.administrator_releases(PAYMENTS, EU);
    world.server.clear_calls();
    let ran = of(&world).run(&["explain", PAYMENTS, EU]).await;
    check(
        &ran,
        expect![[r#"
            300000000001/eu-west-1  Workload/payments, o-exampleorgid/r-exam/ou-exam-workload/
            wanted    corporate:2, by the assignment of 300000000001 (line 13)
                      instead of corporate, by the assignment of r-exam (line 11)
            seen      nothing enforced
            ours      eubase1a2b3c:2, applied under a minute ago by baseline 8b9b3dd9e28127bf
            before    eubase1a2b3c:1 of arn:aws:iam::300000000001:user/administrator, replaced under a minute ago
            last      replaced, under a minute ago, by baseline 8b9b3dd9e28127bf
            decision  + 300000000001/eu-west-1 enforce corporate:2 (it was removed)
            history   under a minute ago: 300000000001/eu-west-1 corporate:1 => corporate:2 (weaker, not ours: arn:aws:iam::300000000001:user/administrator), by event terminal
            baseline 8b9b3dd9e28127bf, mode sync
            exit 0
        "#]],
    );
    let ran = of(&world).run(&["explain", PLAYGROUND, EU]).await;
    check(
        &ran,
        expect![[r#"
            300000000005/eu-west-1  Sandbox/playground, o-exampleorgid/r-exam/ou-exam-sandbox1/
            wanted    nothing, on purpose, by the assignment of ou-exam-sandbox1 (line 12)
                      instead of corporate, by the assignment of r-exam (line 11)
            seen      nothing enforced
            ours      nothing is recorded
            last      in sync, under a minute ago, by baseline 8b9b3dd9e28127bf
            decision  in sync: nothing is wanted, and nothing is there
            history   under a minute ago: in sync, by event terminal
            baseline 8b9b3dd9e28127bf, mode sync
            exit 0
        "#]],
    );
    let ran = of(&world).run(&["explain", PAYMENTS, EU, "--output", "json"]).await;
    let told = object(&ran);
    assert_eq!(told["decision"]["kind"], "enforce");
    assert_eq!(told["wanted"]["assignment"]["target"], PAYMENTS);
    assert_eq!(told["record"]["previous"]["seen"]["enforcement"]["version"], "1");
    assert_eq!(told["seen"]["enforced"], Value::Null);
    assert_eq!(world.writes(), [""; 0]);
}
