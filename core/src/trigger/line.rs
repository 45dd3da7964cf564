//! A trigger as one line, for people and for programs.

use std::fmt;

use serde::{Serialize, Serializer};

use super::Trigger;
use super::scope::{Accounts, Regions};
use crate::ids::{AccountId, GuardrailRef, Region};
use crate::words::write_list;

/// What one event would make the keeper look at, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TriggerLine {
    /// The file it was read from.
    pub file: String,
    /// The id of the record in it, where it is a batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// `reconcile`, `departed`, `bedrock_policies`, `ignore` or `reject`.
    pub outcome: &'static str,
    /// The accounts: `"all"` or a list, empty where nothing is looked at.
    pub accounts: AllOr<AccountId>,
    /// The Regions: `"all"` or a list, empty where nothing is looked at.
    pub regions: AllOr<Region>,
    /// The guardrail that changed, as the event names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guardrail: Option<GuardrailRef>,
    /// Why, in a sentence.
    pub reason: String,
}

/// Everything, or a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllOr<T> {
    /// Everything there is.
    All,
    /// These, sorted.
    These(Vec<T>),
}

/// Puts a trigger on a line, with where its event came from.
pub fn line(file: &str, record: Option<&str>, trigger: &Trigger) -> TriggerLine {
    let nothing = (AllOr::These(Vec::new()), AllOr::These(Vec::new()), None);
    let (outcome, (accounts, regions, guardrail), reason) = match trigger {
        Trigger::Reconcile(scope) => {
            let accounts = match &scope.accounts {
                Accounts::All => AllOr::All,
                Accounts::Only(accounts) => AllOr::These(accounts.iter().cloned().collect()),
            };
            let regions = match &scope.regions {
                Regions::All => AllOr::All,
                Regions::Only(regions) => AllOr::These(regions.iter().cloned().collect()),
            };
            let guardrail = scope.guardrail.as_ref().map(|guardrail| guardrail.named.clone());
            ("reconcile", (accounts, regions, guardrail), scope.reason())
        }
        Trigger::Departed { accounts, reason, event: _, at: _ } => {
            let accounts = AllOr::These(accounts.iter().cloned().collect());
            ("departed", (accounts, AllOr::All, None), reason.to_string())
        }
        Trigger::BedrockPolicies { why, event: _, at: _ } => ("bedrock_policies", nothing, why.to_string()),
        Trigger::Ignore(reason) => ("ignore", nothing, reason.to_string()),
        Trigger::Reject(reason) => ("reject", nothing, reason.to_string()),
    };
    TriggerLine {
        file: file.to_owned(),
        record: record.map(str::to_owned),
        outcome,
        accounts,
        regions,
        guardrail,
        reason,
    }
}

impl<T: Serialize> Serialize for AllOr<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            AllOr::All => serializer.serialize_str("all"),
            AllOr::These(items) => items.serialize(serializer),
        }
    }
}

impl<T: fmt::Display> AllOr<T> {
    fn write(&self, f: &mut fmt::Formatter<'_>, all: &str) -> fmt::Result {
        match self {
            AllOr::All => f.write_str(all),
            AllOr::These(items) => write_list(f, items, ", "),
        }
    }
}

impl fmt::Display for TriggerLine {
    /// `FILE[#RECORD]: OUTCOME [ACCOUNTS in REGIONS [for guardrail G]]: REASON`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TriggerLine { file, record, outcome, accounts, regions, guardrail, reason } = self;
        f.write_str(file)?;
        if let Some(record) = record {
            write!(f, "#{record}")?;
        }
        write!(f, ": {outcome}")?;
        if *accounts != AllOr::These(Vec::new()) {
            f.write_str(" ")?;
            accounts.write(f, "all accounts")?;
        }
        if *outcome == "reconcile" {
            f.write_str(" in ")?;
            regions.write(f, "all Regions")?;
        }
        if let Some(guardrail) = guardrail {
            write!(f, " for guardrail {guardrail}")?;
        }
        write!(f, ": {reason}")
    }
}
