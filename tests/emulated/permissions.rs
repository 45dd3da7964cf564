//! What the keeper asked of an emulator, for `tests/permissions`: it is the function that works there.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::place::ACCOUNT;

use testkit::permissions::record;

/// Records a call of one of AWS's JSON protocols, by its target and body.
pub(crate) fn record(target: &str, operation: &str, input: &Value) {
    let service = match target.split('.').next() {
        Some("DynamoDB_20120810") => "dynamodb",
        Some("AmazonSQS") => "sqs",
        Some("AWSEvents") => "events",
        other => panic!("{other:?} is a service not foreseen here"),
    };
    let entries = input["Entries"].as_array().into_iter().flatten();
    let sources: BTreeSet<&str> = entries.filter_map(|entry| entry["Source"].as_str()).collect();
    record::record(&record::Call {
        role: "function",
        deployment: "-",
        account: ACCOUNT,
        service,
        operation,
        target: input["QueueUrl"].as_str(),
        sources: sources.into_iter().collect(),
    });
}
