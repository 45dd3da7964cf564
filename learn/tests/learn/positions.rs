//! Every switch of the simulator, in every position.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use guardrail_learn::experiment::{BEYOND_REACH, Learned};
use guardrail_learn::experiments;
use serde_json::json;

use crate::stage::{self, Setting, Stage, answer, every_switch, nothing_is_wrong};

/// A switch that no experiment settles has to stand on the list of what is beyond reach, with the reason, and no
/// switch may be missing.
#[test]
fn every_switch_has_an_experiment_or_a_reason() {
    let beyond: BTreeSet<&str> = BEYOND_REACH.iter().filter_map(|one| one.switch).collect();
    let settled: BTreeMap<&str, &[&str]> =
        experiments::all().map(|one| (one.switch, one.positions)).collect();
    assert_eq!(settled.len(), experiments::all().count(), "two experiments have the same name");
    for (switch, positions) in every_switch() {
        let Some(told) = settled.get(switch.as_str()) else {
            assert!(beyond.contains(switch.as_str()), "{switch} has no experiment and no reason for that");
            continue;
        };
        assert!(!beyond.contains(switch.as_str()), "{switch} is settled, and said to be beyond reach");
        let (told, known): (BTreeSet<&str>, BTreeSet<&str>) =
            (told.iter().copied().collect(), positions.iter().map(String::as_str).collect());
        assert_eq!(told, known, "the positions of {switch}");
    }
    let known = every_switch();
    for name in settled.keys().chain(&beyond) {
        assert!(known.contains_key(*name), "the simulator has no switch {name}");
    }
}

/// What has to be so for the question to arise.
fn with(switch: &str, position: &str) -> BTreeMap<String, String> {
    let mut set = BTreeMap::from([(switch.to_owned(), position.to_owned())]);
    if switch == "cross-account-refusal" {
        set.insert("cross-account-reference".to_owned(), "refused".to_owned());
    }
    set
}

#[tokio::test]
async fn every_position_of_every_switch_is_found_out() {
    let client = stage::client().await;
    let mut found = 0;
    for experiment in experiments::all() {
        for position in experiment.positions {
            let setting = Setting {
                switches: with(experiment.switch, position),
                only: vec![experiment.switch.to_owned()],
                ..Setting::default()
            };
            let stage = Stage::set(&client, setting).await;
            let before = stage.holdings();
            let report = stage.run().await.expect("the account is empty");
            let answer = answer(&report, experiment.switch);
            assert_eq!(
                *answer,
                Learned::Position(position),
                "{} at {position}: {answer:?}",
                experiment.switch
            );
            assert_eq!(stage.holdings(), before, "{} at {position}", experiment.switch);
            assert!(report.conducted.left.is_empty() && !stage.journal().exists());
            stage.nobody_disabled_the_policy_type();
            found += 1;
        }
    }
    assert!(found > 60, "only {found} positions were tried");
}

/// Where the type is enabled already, only AttachPolicy can tell.
#[tokio::test]
async fn trusted_access_is_found_out_where_the_type_is_enabled() {
    let client = stage::client().await;
    for position in ["on", "off"] {
        let mut world = stage::world();
        world.bedrock_policies_enabled = true;
        let setting = Setting {
            world: Some(world),
            switches: with("trusted-access-needed", position),
            only: vec!["trusted-access-needed".to_owned()],
            ..Setting::default()
        };
        let stage = Stage::set(&client, setting).await;
        let report = stage.run().await.expect("the account is empty");
        assert_eq!(*answer(&report, "trusted-access-needed"), Learned::Position(position));
        assert!(report.staying.is_empty(), "it was enabled before");
    }
}

/// One experiment leaves nothing behind that would mislead the next, in whatever position the switches are.
#[tokio::test]
async fn a_whole_run_finds_nothing_wrong_in_any_world() {
    let client = stage::client().await;
    let all = every_switch();
    let mut unanswered: BTreeSet<&str> = experiments::all().map(|one| one.switch).collect();
    for round in 0..6 {
        let mut set: BTreeMap<String, String> = BTreeMap::new();
        for (number, (switch, positions)) in all.iter().enumerate() {
            let choice =
                if round == 0 { 0 } else { (number * 7 + round * (number % 3 + 1)) % positions.len() };
            set.insert(switch.clone(), positions[choice].clone());
        }
        // Real time passes where calls are limited, and nothing works without trusted access: each is tried by itself.
        set.insert("throttling".to_owned(), "off".to_owned());
        set.insert("trusted-access-needed".to_owned(), "off".to_owned());
        let stage = Stage::set(&client, Setting { switches: set.clone(), ..Setting::default() }).await;
        let before = stage.holdings();
        let report = stage.run().await.expect("the account is empty");
        nothing_is_wrong(&report, &set, &format!("{set:?}"));
        assert_eq!(stage.holdings(), before);
        unanswered.retain(|switch| !matches!(answer(&report, switch), Learned::Position(_)));
        stage.nobody_disabled_the_policy_type();
    }
    assert!(unanswered.is_empty(), "these were never found out: {unanswered:?}");
}

/// Where changes take their time, an experiment waits until the effects of the one before it are over.
#[tokio::test]
async fn what_lingers_of_one_experiment_misleads_no_other() {
    let client = stage::client().await;
    let all: Vec<String> = experiments::all().map(|one| one.switch.to_owned()).collect();
    // A session lasts an hour of the simulator's time.
    for (number, part) in all.chunks(7).enumerate() {
        let mut world = stage::world();
        world.settings.propagation_seconds = 30;
        world.settings.policy_publication_seconds = 5;
        world.settings.policy_enforcement_seconds = 45;
        world.settings.policy_changes_seconds = 3;
        world.settings.policy_type_seconds = 10;
        let mut set = BTreeMap::from([("two-configurations".to_owned(), "both".to_owned())]);
        if number % 2 == 1 {
            set.insert("model-lists".to_owned(), "either".to_owned());
        }
        let setting =
            Setting { world: Some(world), switches: set.clone(), only: part.to_vec(), moves_the_world: true };
        let stage = Stage::set(&client, setting).await;
        let before = stage.holdings();
        let report = stage.run().await.expect("the account is empty");
        nothing_is_wrong(&report, &set, &format!("{part:?}"));
        for switch in part.iter().filter(|switch| *switch != "cross-account-refusal") {
            let answer = answer(&report, switch);
            assert!(matches!(answer, Learned::Position(_)), "{switch}: {answer:?}");
        }
        assert_eq!(stage.holdings(), before);
    }
}

#[tokio::test]
async fn how_long_things_take_is_measured() {
    let client = stage::client().await;
    let mut world = stage::world();
    world.settings.propagation_seconds = 40;
    world.settings.policy_publication_seconds = 4;
    world.settings.policy_enforcement_seconds = 60;
    world.settings.policy_type_seconds = 10;
    world.settings.guardrail_seconds = 5;
    world.settings.version_seconds = 5;
    let only = ["enforced-trace", "other-owners", "wrong-identifier", "cross-account-reference"];
    let setting = Setting {
        world: Some(world),
        only: only.map(str::to_owned).to_vec(),
        moves_the_world: true,
        ..Setting::default()
    };
    let stage = Stage::set(&client, setting).await;
    let report = stage.run().await.expect("the account is empty");
    let shown = report.json();
    for switch in only {
        assert!(shown["switches"][switch].is_string(), "{switch}: {shown:#}");
    }
    let took = |setting: &str| {
        let measured = shown["measured"].as_array().expect("a list");
        let row = measured.iter().find(|row| row["setting"] == setting).expect("it was measured");
        row["seconds"][0].as_f64().expect("a number")
    };
    for (setting, seconds) in [
        ("propagation_seconds", 40.0),
        ("policy_publication_seconds", 4.0),
        ("policy_enforcement_seconds", 60.0),
    ] {
        let took = took(setting);
        assert!(took >= seconds && took <= seconds + 4.0, "{setting}: {took}");
    }
}

#[tokio::test]
async fn a_model_that_does_not_answer_is_named() {
    let client = stage::client().await;
    let only = vec!["enforced-trace".to_owned(), "other-owners".to_owned(), "paths".to_owned()];
    let mut stage = Stage::set(&client, Setting { only, ..Setting::default() }).await;
    stage.wanted.means.model = "no.such-model-v1:0".to_owned();
    let report = stage.run().await.expect("the account is empty");
    for switch in ["enforced-trace", "other-owners"] {
        let Learned::NotFoundOut(why) = answer(&report, switch) else { panic!("{switch}") };
        assert!(why.contains("no.such-model-v1:0 doesn't answer") && why.contains("--model"), "{why}");
    }
    assert_eq!(*answer(&report, "paths"), Learned::Position("present"));
    assert!(!report.is_complete());
}

/// What the report says of switches can be put to the simulator as it is.
#[tokio::test]
async fn the_report_speaks_the_words_of_the_simulator() {
    let client = stage::client().await;
    let stage = Stage::set(&client, Setting::default()).await;
    let report = stage.run().await.expect("the account is empty");
    let shown = report.json();
    let put: simulator::Switches = serde_json::from_value(shown["switches"].clone()).expect("switches");
    assert_eq!(put, simulator::Switches::default());
    assert_eq!(shown["stays"], json!(["policy type BEDROCK_POLICY, enabled in r-exam"]));
    let text = report.text();
    assert!(text.contains("simulator serve --"), "{text}");
    assert!(text.contains("stays as it is"), "{text}");
    assert!(!text.contains("@@assign"), "no policy's text: {text}");
    let trap = Duration::from_secs(0);
    assert!(report.measured.iter().all(|one| one.took >= trap));
}
