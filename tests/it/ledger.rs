//! The ledger in a file: it survives, several may write at once, and a broken one is never overwritten.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use expect_test::expect;
use futures_util::stream::{self, StreamExt};
use guardrail_keeper::ids::{AccountId, Region};
use guardrail_keeper::ledger::{Ledger, Visit};
use guardrail_keeper::record::{Intent, Note};

use testkit::program::Guardrailctl;
use testkit::world::{Document, EU, PAYMENTS, SHIPPING, World, check, schedule, version};

fn one_account() -> Document {
    Document { regions: EU, ..Document::only(PAYMENTS) }
}

fn open(path: &Path) -> Ledger {
    Ledger::in_file(path.to_owned())
}

fn account(number: usize) -> AccountId {
    format!("{:012}", 500_000_000_000_usize + number).parse().unwrap()
}

fn note() -> (Region, Note) {
    let at = jiff::Timestamp::from_second(1_800_000_000).unwrap();
    let revision = "0123456789abcdef".parse().unwrap();
    let intent = Intent { to: None, at, revision, deed: None };
    (EU.parse().unwrap(), Note::Begun { intent, replacing: None })
}

/// Makes what was written look foreign, so that only a ledger can tell that it is ours.
fn hide_our_name(world: &World, account: &str) {
    world.administrator_releases(account, EU);
    world.administrator_enforces(account, EU, version(EU, "2"));
}

#[tokio::test]
async fn what_was_recorded_outlives_the_process() {
    let world = World::guarded(World::of(&one_account()).durable()).await;
    hide_our_name(&world, PAYMENTS);
    world.publish(&Document { assignments: vec![(PAYMENTS, "none")], ..one_account() });

    let next = world.another_keeper().await;
    let answer = guardrail_keeper::handler::handle(&next, &schedule().to_string()).await.unwrap();

    check(
        &testkit::world::targets(&answer),
        expect![[r#"
        300000000001/eu-west-1 released
    "#]],
    );
    let records = next.ledger().account(&PAYMENTS.parse().unwrap()).await.unwrap();
    let record = records.regions.values().next().unwrap();
    assert!(record.ours.is_none() && record.released_at.is_some(), "{record:?}");
}

#[tokio::test]
async fn without_it_the_same_is_left_alone() {
    let world = World::guarded(World::of(&one_account())).await;
    hide_our_name(&world, PAYMENTS);
    world.publish(&Document { assignments: vec![(PAYMENTS, "none")], ..one_account() });
    let next = world.another_keeper().await;
    let answer = guardrail_keeper::handler::handle(&next, &schedule().to_string()).await.unwrap();
    check(
        &testkit::world::targets(&answer),
        expect![[r#"
        300000000001/eu-west-1 left_alone eubase1a2b3c:2: nothing is wanted here, and what is there isn't ours
    "#]],
    );
}

/// Notes of two Regions, each by another one of two that keep the file open.
#[tokio::test]
async fn two_that_keep_it_open_see_what_the_other_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.json");
    let ledgers = [open(&path), open(&path)];
    let region = |number: usize| ["eu-west-1", "us-east-1", "ap-southeast-2", "eu-central-1"][number];
    for number in 0..4 {
        let (_, note) = note();
        let notes = vec![(region(number).parse().unwrap(), note)];
        ledgers[number % 2].note(&account(0), Visit::default(), notes).await.unwrap();
        for ledger in &ledgers {
            let known = ledger.account(&account(0)).await.unwrap();
            assert_eq!(known.regions.len(), number + 1);
        }
    }
    // Somebody edits it by hand, or puts back what an earlier version wrote: it has no stamp.
    let mut text: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    text.as_object_mut().unwrap().remove("stamp");
    let key = format!("account#{}", account(0));
    text["documents"][&key]["document"]["regions"].as_object_mut().unwrap().remove("eu-west-1");
    std::fs::write(&path, text.to_string()).unwrap();
    for ledger in &ledgers {
        assert_eq!(ledger.account(&account(0)).await.unwrap().regions.len(), 3);
        ledger.note(&account(1), Visit::default(), vec![note()]).await.unwrap();
    }
    // What a crash left behind beside it is no part of it.
    std::fs::write(folder.path().join("ledger.json.new"), "{ \"form").unwrap();
    ledgers[0].note(&account(2), Visit::default(), vec![note()]).await.unwrap();
    assert_eq!(open(&path).known_accounts(None).await.unwrap().0.len(), 3);
}

/// What a run over 302 accounts in ten Regions tells its ledger: each account's intent, and what came of it.
async fn tell(ledger: &Ledger) -> Duration {
    let began = Instant::now();
    let regions = (1..=10).map(|number| format!("eu-west-{number}").parse::<Region>().unwrap());
    let regions: Vec<Region> = regions.collect();
    stream::iter(0..302)
        .for_each_concurrent(32, |number| {
            let regions = &regions;
            async move {
                for round in 0..2 {
                    let at = jiff::Timestamp::from_second(1_800_000_000 + round).unwrap();
                    let revision = "0123456789abcdef".parse().unwrap();
                    let intent = Intent { to: None, at, revision, deed: None };
                    let begun = |region: &Region| {
                        (region.clone(), Note::Begun { intent: intent.clone(), replacing: None })
                    };
                    let notes = regions.iter().map(begun).collect();
                    ledger.note(&account(number), Visit::default(), notes).await.unwrap();
                }
            }
        })
        .await;
    began.elapsed()
}

/// Prints what a file costs beside memory, for `docs/performance.md`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_told_of_hundreds_of_accounts_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.json");
    let memory = tell(&Ledger::in_memory()).await;
    let file = tell(&open(&path)).await;
    let bytes = std::fs::metadata(&path).unwrap().len();
    println!("604 notes of 302 accounts in 10 Regions: memory {memory:.1?}, file {file:.1?} ({bytes} bytes)");
    let (known, _) = open(&path).known_accounts(None).await.unwrap();
    assert_eq!(known.len(), 302);
    assert!(known.into_values().all(|record| record.unwrap().regions.len() == 10));
}

#[test]
fn many_that_write_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("ledger.json");
    let (writers, each) = (8, 12);
    std::thread::scope(|scope| {
        for writer in 0..writers {
            let path = &path;
            scope.spawn(move || {
                // Each opens it anew, as another process would: only the lock on the file is shared.
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                for number in 0..each {
                    let ledger = open(path);
                    let account = account(writer * each + number);
                    runtime.block_on(ledger.note(&account, Visit::default(), vec![note()])).unwrap();
                }
            });
        }
    });
    let text = std::fs::read_to_string(&path).unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["documents"].as_object().unwrap().len(), writers * each);
}

#[tokio::test]
async fn processes_that_apply_at_once_lose_nothing() {
    let world = World::of(&Document::default()).start().await;
    let baseline =
        Document { regions: EU, assignments: vec![("r-exam", "corporate")], ..Document::default() };
    std::fs::write(world.folder().join("baseline.yaml"), baseline.text()).unwrap();
    let ctl = Guardrailctl::of(&world)
        .variable("KEEPER_BASELINE", "baseline.yaml")
        .variable("KEEPER_LEDGER", "file:ledger.json");
    let apply = |account: &'static str| {
        let ctl = &ctl;
        async move { ctl.run(&["apply", "--yes", "--account", account]).await }
    };
    let (first, second, third) = tokio::join!(apply(PAYMENTS), apply(SHIPPING), apply("300000000003"));
    for ran in [&first, &second, &third] {
        assert_eq!(ran.code, 0, "{ran}");
    }
    let ledger = std::fs::read_to_string(world.ledger_file()).unwrap();
    let ledger: serde_json::Value = serde_json::from_str(&ledger).unwrap();
    let documents = ledger["documents"].as_object().unwrap();
    let accounts: Vec<_> = documents.iter().filter(|(key, _)| key.starts_with("account#")).collect();
    let is_ours = |item: &serde_json::Value| item["document"]["regions"][EU]["ours"].is_object();
    assert!(accounts.len() == 3 && accounts.iter().all(|(_, item)| is_ours(item)), "{ledger:#}");
}

#[tokio::test]
async fn a_broken_ledger_makes_us_careful_and_is_left_as_it_is() {
    for broken in
        ["", "{", "[]", r#"{"format": 1, "documents": {}}"#, r#"{"format": 2, "documents": {"rollout": 5}}"#]
    {
        let setup = World::of(&Document {
            assignments: vec![(PAYMENTS, "corporate, existing: replace"), (SHIPPING, "none")],
            ..one_account()
        });
        let world = setup.durable().start().await;
        world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));
        world.administrator_enforces(SHIPPING, EU, version(EU, "2"));
        std::fs::write(world.ledger_file(), broken).unwrap();

        let told = world.refused().await;
        assert_eq!(world.writes(), [""; 0], "{broken:?}: {told}");
        assert!(
            told.starts_with("the ledger could not be used: ")
                && (told.contains("is not a ledger of this program") || told.contains("can't be understood")),
            "{told}"
        );
        // Whether the revision has to be counted first isn't known, so nothing is begun: Lambda calls again.
        let refused = world.deliver(&schedule()).await.unwrap_err().to_string();
        assert!(refused.contains("the ledger could not be used"), "{broken:?}: {refused}");
        assert_eq!(std::fs::read_to_string(world.ledger_file()).unwrap(), broken);
    }
}

#[tokio::test]
async fn a_ledger_that_cannot_be_written_keeps_what_is_foreign() {
    let world = World::of(&Document {
        assignments: vec![(PAYMENTS, "corporate, existing: replace")],
        ..one_account()
    })
    .variable("KEEPER_LEDGER", "file:/nowhere/at/all/ledger.json")
    .start()
    .await;
    world.administrator_enforces(PAYMENTS, EU, version(EU, "1"));
    let answer = world.deliver(&schedule()).await;
    check(
        &match answer {
            Ok(answer) => format!("{}{:#}", testkit::world::targets(&answer), answer["report"]["warnings"]),
            Err(error) => format!("{}: {error}", error.name()),
        },
        expect![
            "LedgerUnusable: the ledger could not be used: /nowhere/at/all/ledger.json: No such file or directory (os error 2)"
        ],
    );
    assert_eq!(world.writes(), [""; 0]);
}
