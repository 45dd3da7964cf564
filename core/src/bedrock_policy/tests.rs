//! The laws and tables of Bedrock policies.

mod building;
mod comparing;
mod deciding;
mod explaining;
mod generators;
mod merging;
mod oracle;
mod ordering;
mod own_forms;
mod predicting;
mod previewing;
mod reading;
mod splitting;

use std::collections::BTreeMap;

use super::*;
use crate::enforcement::{ContentGuarding, Enforcement, Guarding, Included, Models};
use crate::ids::{GuardrailVersion, ModelId, Region};

const ROOT: &str = "r-exam";
const WORKLOAD: &str = "ou-exam-workload";
const SANDBOX: &str = "ou-exam-sandbox1";
/// Below the workload's OU.
const PAYMENT: &str = "ou-exam-payments1";

/// The accounts, each with its parents below the root.
const ACCOUNTS: &[(&str, &[&str])] = &[
    ("300000000001", &[]),
    ("300000000002", &[WORKLOAD]),
    ("300000000003", &[WORKLOAD, PAYMENT]),
    ("300000000004", &[WORKLOAD, PAYMENT]),
    ("300000000005", &[SANDBOX]),
];

fn accounts() -> AccountPaths {
    let account = |(account, parents): &(&str, &[&str])| {
        let parents: String = parents.iter().map(|parent| format!("{parent}/")).collect();
        let path = format!("o-exampleorgid/{ROOT}/{parents}").parse().unwrap();
        (account.parse().unwrap(), path)
    };
    ACCOUNTS.iter().map(account).collect()
}

fn region(text: &str) -> Region {
    text.parse().unwrap()
}

fn point(text: &str) -> AttachPoint {
    text.parse().unwrap()
}

/// A policy's id that ends in this.
fn policy(name: &str) -> PolicyKey {
    PolicyKey::Id(policy_id(name))
}

fn policy_id(name: &str) -> PolicyId {
    format!("p-{name:0>8}").parse().unwrap()
}

/// Version `version` of the guardrail of a Region, for all models and contents.
fn enforcement(region: &str, version: u32) -> Enforcement {
    Enforcement {
        guardrail: format!("arn:aws:bedrock:{region}:222222222222:guardrail/abc123").parse().unwrap(),
        version: GuardrailVersion::new(version).unwrap(),
        models: Models::default(),
        guarding: Guarding::default(),
    }
}

fn regions(versions: &[(&str, u32)]) -> BTreeMap<Region, Enforcement> {
    versions.iter().map(|(name, version)| (region(name), enforcement(name, *version))).collect()
}

fn own(versions: &[(&str, u32)]) -> OwnDocument {
    OwnDocument { regions: regions(versions) }
}

/// A document in which each leaf is written as `region/name/setting=operators`, a lock on a container as
/// `region/name=…`.
#[track_caller]
fn foreign(leaves: &[&str]) -> BedrockPolicy {
    let text = foreign_text(leaves);
    match BedrockPolicy::parse(&text) {
        Ok(policy) => policy,
        Err(error) => panic!("{error}\n{text}"),
    }
}

fn foreign_text(leaves: &[&str]) -> String {
    let mut root = serde_json::json!({});
    for leaf in leaves {
        let (path, operators) = leaf.split_once('=').unwrap();
        let operators: serde_json::Value = serde_json::from_str(operators).unwrap();
        let mut here = &mut root["bedrock"]["guardrail_inference"];
        for key in path.split('/').filter(|key| !key.is_empty()) {
            here = &mut here[key];
        }
        if !here.is_object() {
            *here = serde_json::json!({});
        }
        for (key, value) in operators.as_object().unwrap() {
            here[key] = value.clone();
        }
    }
    root.to_string()
}

fn models(names: &[&str]) -> std::collections::BTreeSet<ModelId> {
    names.iter().map(|name| ModelId::as_reported(name)).collect()
}
