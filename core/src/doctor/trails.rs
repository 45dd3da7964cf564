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

/// A selector of the basic form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basic {
    /// Whether it takes management events at all.
    pub management: bool,
    /// `All`, `WriteOnly` or `ReadOnly`.
    pub kind: String,
    /// The services whose management events it leaves out. AWS lets it be KMS and RDS's data API.
    pub excluded: BTreeSet<String>,
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
    /// Of one service.
    fn writes(&self, service: &str) -> LoggedWrites {
        let best = match self {
            Selectors::Basic(all) => all.iter().map(|one| basic(one, service)).min(),
            Selectors::Advanced(all) => all.iter().map(|fields| advanced(fields, service)).min(),
        };
        best.unwrap_or(LoggedWrites::NotLogged)
    }
}

fn basic(selector: &Basic, service: &str) -> LoggedWrites {
    let Basic { management, kind, excluded } = selector;
    let writes = *management && matches!(kind.as_str(), "All" | "WriteOnly") && !excluded.contains(service);
    if writes { LoggedWrites::Logged } else { LoggedWrites::NotLogged }
}

fn advanced(fields: &[Field], service: &str) -> LoggedWrites {
    let field = |name: &str| fields.iter().find(|field| field.name == name);
    let is_management = field("eventCategory").is_some_and(|field| field.equals.contains("Management"));
    let only_reads = field("readOnly").is_some_and(|field| {
        !field.equals.is_empty() && !field.equals.contains("false") || field.not_equals.contains("false")
    });
    let ours = |source: &Field| {
        (source.equals.is_empty() || source.equals.contains(service)) && !source.not_equals.contains(service)
    };
    let source = field("eventSource");
    if !is_management || only_reads || source.is_some_and(|source| !ours(source)) {
        return LoggedWrites::NotLogged;
    }
    let weighed = ["eventCategory", "readOnly", "eventSource"];
    let narrowed = fields.iter().any(|field| !weighed.contains(&field.name.as_str()) || field.otherwise);
    if narrowed { LoggedWrites::Narrowed } else { LoggedWrites::Logged }
}

/// What becomes of a service's events; the worst comes first.
#[derive(Clone, Copy, Debug)]
enum LogFate<'a> {
    By(&'a str),
    Unread(&'a Failure),
    Narrowed(&'a str),
    Off(&'a str),
    Not,
}

/// By the best of the trails.
fn logged<'a>(trails: &[&'a Trail], service: &str) -> LogFate<'a> {
    let mut unread = None;
    let mut narrowed = None;
    let mut off = None;
    for trail in trails {
        match (&trail.logging, trail.selectors.as_ref().map(|selectors| selectors.writes(service))) {
            (Ok(true), Ok(LoggedWrites::Logged)) => return LogFate::By(&trail.name),
            (Err(failure), _) | (_, Err(failure)) => unread = Some(failure),
            (Ok(true), Ok(LoggedWrites::Narrowed)) => narrowed = Some(&trail.name),
            (Ok(false), Ok(_)) => off = Some(&trail.name),
            (Ok(true), Ok(LoggedWrites::NotLogged)) => {}
        }
    }
    match (unread, narrowed, off) {
        (Some(failure), _, _) => LogFate::Unread(failure),
        (None, Some(name), _) => LogFate::Narrowed(name),
        (None, None, Some(name)) => LogFate::Off(name),
        (None, None, None) => LogFate::Not,
    }
}

/// Judges whether the events of these services (`bedrock.amazonaws.com`), in an account's Region, reach EventBridge.
pub fn trail(
    account: &AccountId,
    region: &Region,
    services: &[&str],
    seen: &Result<Vec<Trail>, Failure>,
) -> Finding {
    let subject = Check::Trails.at(Place::target(account, region));
    let trails = match seen {
        Ok(trails) => trails,
        Err(failure) => return subject.unread("it isn't known which trails log", failure),
    };
    let covers = |trail: &&Trail| trail.multi_region || trail.home.as_deref() == Some(region.as_str());
    let here: Vec<&Trail> = trails.iter().filter(covers).collect();
    let todo = "create a trail that logs management events for all Regions, best one for the organization: without \
                one, no events arrive, and only the sweep finds changes";
    if here.is_empty() {
        return subject.problem("no trail logs here", todo);
    }
    let each: Vec<(&str, LogFate<'_>)> =
        services.iter().map(|service| (*service, logged(&here, service))).collect();
    let by = each.iter().find_map(|(_, logged)| match logged {
        LogFate::By(name) => Some(*name),
        _ => None,
    });
    let Some((service, worst)) = each.into_iter().find(|(_, logged)| !matches!(logged, LogFate::By(_)))
    else {
        return subject.ok(format!("trail {} logs management events", by.unwrap_or_default()));
    };
    // Where others are logged, it is this service's events that are left out.
    let of = by.map_or_else(String::new, |_| format!(" of {service}"));
    let names: Vec<&str> = here.iter().map(|trail| trail.name.as_str()).collect();
    match worst {
        LogFate::Unread(failure) => subject.unread(
            format_args!("it isn't known what trail {} logs", names.join(", ")),
            failure,
        ),
        LogFate::Narrowed(name) => subject.unknown(
format!("trail {name} logs some management events{of}, chosen by more than source and readOnly"),
            "check that its selectors include the calls that write in Bedrock and Organizations, and in KMS where a \
             guardrail has a key",
        ),
        LogFate::Off(name) => subject.problem(
format!("trail {name} is switched off"),
            format!("aws cloudtrail start-logging --name {name}, in its home Region"),
        ),
        LogFate::By(_) | LogFate::Not => subject.problem(
format!("trail {} doesn't log management events{of} that write", names.join(", ")),
            "let it log management events of kind All or WriteOnly, of every service",
        ),
    }
}
