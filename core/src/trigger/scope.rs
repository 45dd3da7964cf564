//! How much to look at.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::reason::Why;
use super::request::Request;
use crate::ids::{AccountId, GuardrailArn, GuardrailRef, Region};
use crate::words::write_list;

/// The accounts and Regions to look at: every one of `accounts` in every one of `regions`.
///
/// It only narrows. What is wanted and what is there are always read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The accounts.
    pub accounts: Accounts,
    /// The Regions.
    pub regions: Regions,
    /// The owner's guardrail that changed. Targets that have nothing to do with it need no look.
    pub guardrail: Option<ChangedGuardrail>,
    /// The account in which a guardrail, or what guardrails share, was changed; `None` for any other event.
    pub changed_in: Option<AccountId>,
    /// The request that asked for this, if a person did.
    pub request: Option<Request>,
    /// Why.
    pub reasons: BTreeSet<Why>,
    /// The ids of the events that say so, where they have one: what deduplication goes by.
    pub events: BTreeSet<String>,
    /// When the first of them happened, in seconds since 1970 (UTC), where it says so.
    pub since: Option<i64>,
}

/// Which accounts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Accounts {
    /// The whole organization.
    All,
    /// These. Never empty.
    Only(BTreeSet<AccountId>),
}

/// Which Regions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Regions {
    /// All that the baseline or the record knows.
    All,
    /// These. Never empty.
    Only(BTreeSet<Region>),
}

/// A guardrail of the owner account that an event is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangedGuardrail {
    /// As the event names it.
    pub named: GuardrailRef,
    /// In full, where the event has its account and Region.
    pub arn: Option<GuardrailArn>,
}

impl Scope {
    /// Why, in a sentence.
    pub fn reason(&self) -> String {
        let mut text = String::new();
        for reason in &self.reasons {
            if !text.is_empty() {
                text.push_str("; ");
            }
            text.push_str(&reason.to_string());
        }
        match self.request.as_ref().and_then(|request| request.reason.as_deref()) {
            Some(words) => format!("{text}: {words}"),
            None => text,
        }
    }
}

impl Scope {
    /// When an account came to where it stands, or was given a Region, if that is why it is looked at: `now`
    /// where the event doesn't say when, or claims that it will happen.
    pub fn arrival(&self, now: Timestamp) -> Option<Timestamp> {
        let arrives = self.reasons.iter().any(|reason| reason.is_an_arrival());
        let told = self.since.and_then(|second| Timestamp::from_second(second).ok());
        arrives.then(|| told.unwrap_or(now).min(now))
    }
}

impl Accounts {
    /// One account.
    pub fn one(account: AccountId) -> Accounts {
        Accounts::Only(BTreeSet::from([account]))
    }
}

impl Regions {
    /// The Regions by name; `None` stands for all.
    pub fn named(&self) -> Option<&BTreeSet<Region>> {
        match self {
            Regions::All => None,
            Regions::Only(regions) => Some(regions),
        }
    }

    /// One Region, or all where it isn't known which.
    pub fn one_or_all(region: Option<Region>) -> Regions {
        region.map_or(Regions::All, |region| Regions::Only(BTreeSet::from([region])))
    }

    /// Whether this Region is among them.
    pub fn contain(&self, region: &Region) -> bool {
        match self {
            Regions::All => true,
            Regions::Only(regions) => regions.contains(region),
        }
    }
}

impl fmt::Display for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Accounts::All => f.write_str("all accounts"),
            Accounts::Only(accounts) => write_list(f, accounts, ", "),
        }
    }
}

impl fmt::Display for Regions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Regions::All => f.write_str("all Regions"),
            Regions::Only(regions) => write_list(f, regions, ", "),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scope { accounts, regions, guardrail, changed_in: _, request, reasons: _, events: _, since: _ } =
            self;
        write!(f, "{accounts} in {regions}")?;
        if let Some(guardrail) = guardrail {
            write!(f, " for guardrail {}", guardrail.named)?;
        }
        if let Some(plan) = request.as_ref().and_then(|request| request.plan.as_ref()) {
            write!(f, " by plan {plan}")?;
        }
        Ok(())
    }
}
