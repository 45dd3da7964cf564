//! The StackSets that bring the member role and the forwarding rules to members.

use std::collections::BTreeSet;

use super::{Check, Finding, Place};
use crate::failure::Failure;
use crate::ids::Target;

/// A StackSet as CloudFormation showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackSet {
    /// `ACTIVE`, or `DELETED`.
    pub status: String,
    /// Whether accounts that join get a stack by themselves, where AWS says so.
    pub auto_deployment: Option<bool>,
}

/// A stack of it in one account and Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The account.
    pub account: String,
    /// The Region.
    pub region: String,
    /// `CURRENT`, `OUTDATED` or `INOPERABLE`.
    pub status: String,
    /// How the last operation on it came out: `SUCCEEDED`, `FAILED`, `RUNNING` and others.
    pub detailed: Option<String>,
    /// Why it isn't current.
    pub reason: Option<String>,
}

const CHECK: Check = Check::StackSets;

/// Judges one StackSet: itself, each of its stacks, and where one is missing.
pub fn stack_set(
    name: &str,
    seen: &StackSet,
    instances: &Result<Vec<Instance>, Failure>,
    expected: &BTreeSet<Target>,
) -> Vec<Finding> {
    let mut findings = vec![itself(name, seen)];
    let instances = match instances {
        Ok(instances) => instances,
        Err(failure) => {
            findings.push(CHECK.whole().unread(format_args!("the stacks of {name} aren't known"), failure));
            return findings;
        }
    };
    findings.extend(instances.iter().map(|instance| one(name, instance)));
    let there = |target: &&Target| {
        instances
            .iter()
            .any(|one| one.account == target.account.as_str() && one.region == target.region.as_str())
    };
    findings.extend(expected.iter().filter(|target| !there(target)).map(|target| {
        CHECK.at(target).problem(
            format!("{name} has no stack here, and the baseline guards the account"),
            "add its OU or Region to TargetOrganizationalUnits and ForwardingRegions of the hub's stack",
        )
    }));
    findings
}

fn itself(name: &str, seen: &StackSet) -> Finding {
    let StackSet { status, auto_deployment } = seen;
    if status != "ACTIVE" {
        return CHECK.whole().problem(format!("{name} is {status}"), "deploy the hub's stack again");
    }
    match auto_deployment {
        Some(true) => CHECK.whole().ok(format!("{name} is active, and reaches accounts that join")),
        Some(false) | None => CHECK.whole().problem(
            format!("{name} doesn't deploy to accounts that join"),
            "switch automatic deployment on",
        ),
    }
}

fn one(name: &str, instance: &Instance) -> Finding {
    let Instance { account, region, status, detailed, reason } = instance;
    let here = CHECK.at(Place { account: account.parse().ok(), region: region.parse().ok() });
    let detailed = detailed.as_deref().unwrap_or_default();
    let finding = match (status.as_str(), detailed) {
        ("CURRENT", "" | "SUCCEEDED") => here.ok(format!("the stack of {name} is current")),
        (_, "PENDING" | "RUNNING") => here.unknown(
            format!("the stack of {name} is being deployed"),
            "run doctor again when the operation has ended",
        ),
        ("INOPERABLE", _) => here.problem(
            format!("the stack of {name} is inoperable"),
            "delete the stack in the account, and the instance with its stack retained; then deploy it again",
        ),
        (status, detailed) => {
            let last = if detailed.is_empty() { String::new() } else { format!(", last {detailed}") };
            here.problem(
                format!("the stack of {name} is {}{last}", status.to_ascii_lowercase()),
                "correct what the reason names, and update the StackSet",
            )
        }
    };
    match reason {
        Some(reason) if !reason.is_empty() => finding.detailed(reason),
        _ => finding,
    }
}
