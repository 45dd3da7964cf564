//! Whether a trail logs what EventBridge has to deliver: management events that change something.

use std::collections::BTreeSet;

use super::{Check, Finding, Place};
use crate::failure::Failure;
use crate::ids::{AccountId, Region};

/// A trail, as an account sees it in a Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trail {
    /// Its name.
    pub name: String,
    /// Its home Region.
    pub home: Option<String>,
    /// Whether it is for all Regions.
    pub multi_region: bool,
    /// Whether it is switched on.
    pub logging: Result<bool, Failure>,
    /// What it logs.
    pub selectors: Result<Selectors, Failure>,
}

/// What a trail logs, in either form that AWS has for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selectors {
    /// Of the basic form.
    Basic(Vec<Basic>),
    /// Of the advanced form: the fields of each selector.
    Advanced(Vec<Vec<Field>>),
}

/// A selector of the basic form. It can leave out KMS and RDS's data API only, of which the keeper needs no events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basic {
    /// Whether it takes management events at all.
    pub management: bool,
    /// `All`, `WriteOnly` or `ReadOnly`.
    pub kind: String,
}

/// A field of an advanced selector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// For example `eventCategory`.
    pub name: String,
    /// What it has to be.
    pub equals: BTreeSet<String>,
    /// What it must not be.
    pub not_equals: BTreeSet<String>,
    /// Whether it is narrowed in other ways: by how it begins or ends.
    pub otherwise: bool,
}

/// Whether management events that write are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum LoggedWrites {
    Logged,
    /// Some of them, by rules that aren't weighed here.
    Narrowed,
    NotLogged,
}

impl Selectors {
    fn writes(&self) -> LoggedWrites {
        let best = match self {
            Selectors::Basic(all) => all.iter().map(basic).min(),
            Selectors::Advanced(all) => all.iter().map(|fields| advanced(fields)).min(),
        };
        best.unwrap_or(LoggedWrites::NotLogged)
    }
}

fn basic(selector: &Basic) -> LoggedWrites {
    let Basic { management, kind } = selector;
    let writes = *management && matches!(kind.as_str(), "All" | "WriteOnly");
    if writes { LoggedWrites::Logged } else { LoggedWrites::NotLogged }
}

fn advanced(fields: &[Field]) -> LoggedWrites {
    let field = |name: &str| fields.iter().find(|field| field.name == name);
    let is_management = field("eventCategory").is_some_and(|field| field.equals.contains("Management"));
    let only_reads = field("readOnly").is_some_and(|field| {
        !field.equals.is_empty() && !field.equals.contains("false") || field.not_equals.contains("false")
    });
    let ours = |source: &Field| {
        let told = |one: &str| {
            (source.equals.is_empty() || source.equals.contains(one)) && !source.not_equals.contains(one)
        };
        told("bedrock.amazonaws.com") && told("organizations.amazonaws.com")
    };
    let source = field("eventSource");
    if !is_management || only_reads || source.is_some_and(|source| !ours(source)) {
        return LoggedWrites::NotLogged;
    }
    let weighed = ["eventCategory", "readOnly", "eventSource"];
    let narrowed = fields.iter().any(|field| !weighed.contains(&field.name.as_str()) || field.otherwise);
    if narrowed { LoggedWrites::Narrowed } else { LoggedWrites::Logged }
}

/// Judges whether events of an account's Region reach EventBridge.
pub fn trail(account: &AccountId, region: &Region, seen: &Result<Vec<Trail>, Failure>) -> Finding {
    let check = Check::Trails;
    let place = Place::target(account, region);
    let trails = match seen {
        Ok(trails) => trails,
        Err(failure) => return Finding::unread(check, place, "it isn't known which trails log", failure),
    };
    let covers = |trail: &&Trail| trail.multi_region || trail.home.as_deref() == Some(region.as_str());
    let here: Vec<&Trail> = trails.iter().filter(covers).collect();
    let todo = "create a trail that logs management events for all Regions, best one for the organization: without \
                one, no events arrive, and only the sweep finds changes";
    if here.is_empty() {
        return Finding::problem(check, place, "no trail logs here", todo);
    }
    let mut unread = None;
    let mut narrowed = None;
    let mut off = None;
    for trail in &here {
        match (&trail.logging, trail.selectors.as_ref().map(Selectors::writes)) {
            (Ok(true), Ok(LoggedWrites::Logged)) => {
                return Finding::ok(check, place, format!("trail {} logs management events", trail.name));
            }
            (Err(failure), _) | (_, Err(failure)) => unread = Some(failure),
            (Ok(true), Ok(LoggedWrites::Narrowed)) => narrowed = Some(&trail.name),
            (Ok(false), Ok(_)) => off = Some(&trail.name),
            (Ok(true), Ok(LoggedWrites::NotLogged)) => {}
        }
    }
    let names: Vec<&str> = here.iter().map(|trail| trail.name.as_str()).collect();
    match (unread, narrowed, off) {
        (Some(failure), _, _) => Finding::unread(
            check,
            place,
            &format!("it isn't known what trail {} logs", names.join(", ")),
            failure,
        ),
        (None, Some(name), _) => Finding::unknown(
            check,
            place,
            format!("trail {name} logs some management events, chosen by more than source and readOnly"),
            "check that its selectors include the calls that write in Bedrock and Organizations",
        ),
        (None, None, Some(name)) => Finding::problem(
            check,
            place,
            format!("trail {name} is switched off"),
            format!("aws cloudtrail start-logging --name {name}, in its home Region"),
        ),
        (None, None, None) => Finding::problem(
            check,
            place,
            format!("trail {} doesn't log management events that write", names.join(", ")),
            "let it log management events of kind All or WriteOnly",
        ),
    }
}
