//! What each role asked for, whatever became of it: what its permissions have to allow, and no more.
//!
//! Kept apart from the log of calls, which tests clear to look at what comes next.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::model::caller::Principal;
use crate::wire::request::Input;

/// A kind of call that a role made, at least once since the simulator was started.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// The account of the role.
    pub account: String,
    /// The name of the role.
    pub role: String,
    /// Who assumed the role, by the name of a role or user; nobody where it is a standing session.
    pub assumed_by: Option<String>,
    /// The Region of the credential scope.
    pub region: String,
    /// As in the log of calls.
    pub service: String,
    /// As in the log of calls.
    pub operation: String,
    /// What the input names, as in the log of calls; of events, the buses that they are put on.
    pub target: Option<String>,
    /// The sources of the events that are put.
    pub sources: BTreeSet<String>,
}

impl Asked {
    /// What a session asks for; administrators may do everything.
    pub(crate) fn of(
        principal: &Principal,
        region: &str,
        service: &str,
        operation: &str,
        target: Option<&str>,
        input: Option<&Input>,
    ) -> Option<Asked> {
        let Principal::Session(session) = principal else { return None };
        let entries = input.and_then(|input| input.members.get("Entries")).and_then(Value::as_array);
        let of_entries = |name: &str| -> BTreeSet<String> {
            let entries = entries.into_iter().flatten();
            entries.filter_map(|entry| entry.get(name)?.as_str().map(str::to_owned)).collect()
        };
        let buses: Vec<String> = of_entries("EventBusName").into_iter().collect();
        Some(Asked {
            account: session.account.clone(),
            role: session.role.clone(),
            assumed_by: session.assumed_by.as_deref().map(name_of),
            region: region.to_owned(),
            service: service.to_owned(),
            operation: operation.to_owned(),
            target: target.map(str::to_owned).or_else(|| (!buses.is_empty()).then(|| buses.join(" "))),
            sources: of_entries("Source"),
        })
    }
}

/// The name in an ARN, without a session's own.
fn name_of(arn: &str) -> String {
    arn.split('/').nth(1).unwrap_or(arn).to_owned()
}
