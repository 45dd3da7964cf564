//! A look that a person asked for: `detail-type: Reconcile Requested`, from the hub.
//!
//! Its members are read leniently in form and strictly in meaning: a request that could be read as
//! wider than it was meant is refused, with everything that is wrong with it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::scope::{Accounts, Regions};
use crate::ids::{InvalidId, text_id};

/// The `detail-type` that marks a request, whatever its source.
pub const REQUEST_DETAIL_TYPE: &str = "Reconcile Requested";

/// The `source` that the keeper's own tools give a request.
pub const REQUEST_SOURCE: &str = "guardrail-keeper.request";

/// How many problems of one request are reported.
const PROBLEM_LIMIT: usize = 20;

/// How much of a reason is kept.
const REASON_LIMIT: usize = 500;

text_id!(
    /// Names a plan that a person reviewed.
    PlanHash,
    "a plan's hash",
    "8 to 128 hexadecimal digits",
    |text| (8..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
);

/// What a request says besides what to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// Why it was sent, in the words of who sent it.
    pub reason: Option<String>,
    /// The plan they reviewed.
    pub plan: Option<PlanHash>,
}

/// What is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestProblem {
    /// A member is neither `"all"` nor a list.
    NotAList(&'static str),
    /// A list names nothing.
    Empty(&'static str),
    /// An entry is no such id.
    Invalid(&'static str, InvalidId),
    /// A member is there twice, under two spellings.
    Twice(&'static str),
    /// A member that should be text is something else.
    NotText(&'static str),
    /// So many more than were kept.
    More(usize),
}

impl fmt::Display for RequestProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestProblem::NotAList(member) => write!(f, "`{member}` is neither \"all\" nor a list of ids"),
            RequestProblem::Empty(member) => {
                write!(f, "`{member}` is empty: leave it out or write \"all\" for all")
            }
            RequestProblem::Invalid(member, error) => write!(f, "`{member}`: {error}"),
            RequestProblem::Twice(member) => write!(f, "`{member}` is given in two spellings"),
            RequestProblem::NotText(member) => write!(f, "`{member}` is not text"),
            RequestProblem::More(count) => write!(f, "and {count} more"),
        }
    }
}

/// Reads a request's detail, or says everything that is wrong with it.
pub(super) fn parse(
    detail: &Map<String, Value>,
) -> Result<(Accounts, Regions, Request), Vec<RequestProblem>> {
    let mut problems = Vec::new();
    let accounts = ids(detail, "accounts", "account", &mut problems);
    let regions = ids(detail, "regions", "region", &mut problems);
    let reason = text(detail, &["reason"], &mut problems).map(one_line).filter(|reason| !reason.is_empty());
    let plan = text(detail, &["plan", "planHash", "plan_hash", "plan-hash"], &mut problems)
        .and_then(|plan| keep(plan.trim().parse(), "plan", &mut problems));
    if problems.is_empty() {
        let accounts = accounts.map_or(Accounts::All, Accounts::Only);
        let regions = regions.map_or(Regions::All, Regions::Only);
        Ok((accounts, regions, Request { reason, plan }))
    } else {
        let more = problems.len().saturating_sub(PROBLEM_LIMIT);
        problems.truncate(PROBLEM_LIMIT);
        problems.extend((more > 0).then_some(RequestProblem::More(more)));
        Err(problems)
    }
}

/// The words as one line of bounded length, because they are printed and logged.
fn one_line(text: &str) -> String {
    let harmful = |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let printable = text.chars().map(|c| if harmful(c) { ' ' } else { c });
    printable.take(REASON_LIMIT).collect::<String>().trim().to_owned()
}

/// The ids under a member's name or its singular. `None` is all of them.
///
/// The singular is taken too: ignoring it would turn a request for one account into one for all.
fn ids<T: FromStr<Err = InvalidId> + Ord>(
    detail: &Map<String, Value>,
    member: &'static str,
    singular: &'static str,
    problems: &mut Vec<RequestProblem>,
) -> Option<BTreeSet<T>> {
    let given = |name| detail.get(name).filter(|value: &&Value| !value.is_null());
    let value = match (given(member), given(singular)) {
        (Some(_), Some(_)) => {
            problems.push(RequestProblem::Twice(member));
            return None;
        }
        (Some(value), None) | (None, Some(value)) => value,
        (None, None) => return None,
    };
    let entries = match value {
        Value::String(word) if word.trim().eq_ignore_ascii_case("all") => return None,
        Value::Array(entries) => entries.as_slice(),
        Value::String(_) | Value::Number(_) => std::slice::from_ref(value),
        Value::Null | Value::Bool(_) | Value::Object(_) => {
            problems.push(RequestProblem::NotAList(member));
            return None;
        }
    };
    if entries.is_empty() {
        problems.push(RequestProblem::Empty(member));
    }
    let ids = entries.iter().filter_map(|entry| match entry {
        Value::String(text) => keep(text.trim().parse(), member, problems),
        Value::Number(number) => keep(number.to_string().parse(), member, problems),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            problems.push(RequestProblem::NotAList(member));
            None
        }
    });
    Some(ids.collect())
}

/// The text under the one of these names that is given.
fn text<'a>(
    detail: &'a Map<String, Value>,
    names: &[&'static str],
    problems: &mut Vec<RequestProblem>,
) -> Option<&'a str> {
    let mut given = names.iter().filter_map(|name| Some((*name, detail.get(*name)?)));
    let (name, value) = given.by_ref().find(|(_, value)| !value.is_null())?;
    if given.any(|(_, other)| !other.is_null() && other != value) {
        problems.push(RequestProblem::Twice(names[0]));
    }
    if value.as_str().is_none() {
        problems.push(RequestProblem::NotText(name));
    }
    value.as_str()
}

fn keep<T>(
    parsed: Result<T, InvalidId>,
    member: &'static str,
    problems: &mut Vec<RequestProblem>,
) -> Option<T> {
    match parsed {
        Ok(id) => Some(id),
        Err(error) => {
            problems.push(RequestProblem::Invalid(member, error));
            None
        }
    }
}
