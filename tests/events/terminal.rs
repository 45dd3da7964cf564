//! What the hub's stack tells a terminal: as a shell reads it, it is what the function is told.

use std::collections::BTreeMap;
use std::process::Command;

use guardrail_keeper::settings::{Purpose, Settings, VARIABLES};
use serde_json::Value;

use crate::template;

const STACK: &[(&str, &str)] = &[
    ("AWS::Region", "eu-central-1"),
    ("AWS::StackName", "guardrail-keeper"),
    ("AWS::StackId", "arn:aws:cloudformation:eu-central-1:111111111111:stack/guardrail-keeper/0a1b2c3d-0000"),
    ("FunctionRole.Arn", "arn:aws:iam::111111111111:role/GuardrailKeeper"),
    ("Tasks", "https://sqs.eu-central-1.amazonaws.com/111111111111/guardrail-keeper-tasks.fifo"),
    ("Events", "https://sqs.eu-central-1.amazonaws.com/111111111111/guardrail-keeper-events"),
    ("Bus", "guardrail-keeper"),
    ("Ledger", "guardrail-keeper-Ledger-1ABC"),
    ("MakesLedger", "true"),
];

/// Settings of which none is the default.
const UNUSUAL: &[(&str, &str)] = &[
    ("BaselineParameterName", "/security/baseline"),
    ("MemberRoleName", "Member+=,.@_-"),
    ("FormerRoles", "Older, arn:aws:iam::111111111111:role/Oldest"),
    ("ExternalId", "an:external/id+=,.@_-"),
    ("ExistingLedgerTable", "kept"),
    ("MakesLedger", "false"),
    ("RepairPolicyType", "yes"),
    ("MaxReplacements", "20"),
    ("MaxReleases", "0"),
    ("MaxAbandonments", "1"),
    ("MaxDepartures", "3"),
    ("MaxWaitHours", "12"),
    ("GraceMinutes", "90"),
    ("MaxEventAgeHours", "48"),
];

/// The variables that a shell has after it was given the output.
fn in_a_shell(line: &str) -> BTreeMap<String, String> {
    let shell = Command::new("/bin/sh")
        .args(["-c", "eval \"$1\"; /usr/bin/env", "sh", line])
        .env_clear()
        .output()
        .unwrap();
    assert!(shell.status.success() && shell.stderr.is_empty(), "{line}: {shell:?}");
    let text = String::from_utf8(shell.stdout).unwrap();
    let variables = text.lines().filter_map(|line| line.split_once('='));
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn a_terminal_is_told_what_the_function_is_told() {
    let template = template::read("template.yaml");
    for unusual in [&[], UNUSUAL] {
        let given: BTreeMap<&str, &str> = STACK.iter().chain(unusual).copied().collect();
        let of_function = &template["Resources"]["KeeperFunction"]["Properties"]["Environment"]["Variables"];
        let of_function = template::resolved(of_function, &template, &given);
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let of_function: BTreeMap<String, String> = of_function
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect();
        let output = template::resolved(&template["Outputs"]["TerminalSettings"]["Value"], &template, &given);
        let in_shell = in_a_shell(output.as_str().unwrap());

        for (name, value) in &of_function {
            assert_eq!(in_shell.get(name), Some(value), "{name}");
        }
        assert_eq!(in_shell["AWS_REGION"], "eu-central-1");
        let function = Settings::read(&of_function, Purpose::Function, None).unwrap();
        let terminal = Settings::read(&in_shell, Purpose::Terminal, None).unwrap();
        assert_eq!(Settings { purpose: Purpose::Function, ..terminal }, function);
    }
}

#[test]
fn the_function_is_given_every_setting_but_one() {
    let template = template::read("template.yaml");
    let variables = &template["Resources"]["KeeperFunction"]["Properties"]["Environment"]["Variables"];
    // Accounts come out of the queue, and TaskConcurrency says how many at a time.
    for (name, _) in VARIABLES.iter().filter(|(name, _)| *name != "KEEPER_CONCURRENCY") {
        assert_ne!(variables[name], Value::Null, "{name}");
    }
}
