//! What the built `guardrailctl trigger` prints, for the samples alone and in SQS records.

use std::process::{Command, Output};
use testkit::world::repository;

use serde_json::{Value, json};

use crate::samples;

/// Runs `guardrailctl trigger` as `events/README.md` says, from the repository's root.
fn trigger(files: impl IntoIterator<Item = String>) -> Output {
    let inherited = ["PATH", "HOME", "LD_LIBRARY_PATH", "LLVM_PROFILE_FILE"];
    let kept = inherited.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
    Command::new(testkit::program::built("guardrailctl"))
        .args(["trigger", "--output", "json", "--baseline", "examples/baseline.yaml"])
        .args(files)
        .current_dir(repository(""))
        .env_clear()
        .envs(kept)
        .env("KEEPER_BASELINE", "ssm:/guardrail-keeper/baseline")
        .env("KEEPER_FUNCTION_ROLE", "arn:aws:iam::111111111111:role/GuardrailKeeperFunction")
        .env("KEEPER_MEMBER_ROLE", "GuardrailKeeperMember")
        .env("KEEPER_FORMER_ROLES", "FormerKeeper")
        .output()
        .unwrap()
}

fn expected() -> String {
    std::fs::read_to_string(repository("events/expected.jsonl")).unwrap()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_sample_is_printed_as_written_beside_it() {
    let printed = trigger(samples().into_iter().map(|(file, _)| file));
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), expected());
    assert_eq!(printed.status.code(), Some(1), "some are rejected");
}

#[test]
fn in_records_they_are_decided_as_alone() {
    let folder = tempfile::tempdir().unwrap();
    let alone = samples().into_iter().filter(|(file, _)| !file.starts_with("events/batches/"));
    let alone: Vec<(String, String)> = alone.collect();
    // Batches of ten, which is what SQS hands out unless it is asked for more.
    let batches: Vec<String> = alone
        .chunks(10)
        .enumerate()
        .map(|(number, chunk)| {
            let records: Vec<Value> = chunk
                .iter()
                .map(|(file, text)| {
                    let attributes = json!({ "ApproximateReceiveCount": "1" });
                    json!({ "messageId": file, "eventSource": "aws:sqs", "attributes": attributes, "body": text })
                })
                .collect();
            let path = folder.path().join(format!("{number:03}.json"));
            std::fs::write(&path, json!({ "Records": records }).to_string()).unwrap();
            path.display().to_string()
        })
        .collect();
    let printed = trigger(batches);
    let printed = lines(&String::from_utf8(printed.stdout).unwrap());
    let expected = lines(&expected());
    let expected =
        expected.iter().filter(|line| !line["file"].as_str().unwrap().starts_with("events/batches/"));
    let expected: Vec<&Value> = expected.collect();
    assert_eq!(printed.len(), expected.len());
    for (mut printed, expected) in printed.into_iter().zip(expected) {
        let record = printed.as_object_mut().unwrap().remove("record").unwrap();
        printed["file"] = record;
        assert_eq!(printed, *expected);
    }
}

#[test]
fn without_settings_everything_is_still_decided() {
    let files = samples().into_iter().map(|(file, _)| file).filter(|file| !file.contains("rejected"));
    let files: Vec<String> = files.filter(|file| !file.starts_with("events/batches/")).collect();
    let printed = Command::new(testkit::program::built("guardrailctl"))
        .args(["trigger", "--output", "json"])
        .args(&files)
        .current_dir(repository(""))
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(printed.status.code(), Some(0), "{}", String::from_utf8_lossy(&printed.stderr));
    assert_eq!(lines(&String::from_utf8(printed.stdout).unwrap()).len(), files.len());
}
