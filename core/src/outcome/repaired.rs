//! What people have to hear of a repair, besides its outcome event. Pure.
//!
//! | what was found, and repaired | found by a sweep | found because of an event |
//! | --- | --- | --- |
//! | written last in the keeper's name, by no write that the record knows | in our name | in our name |
//! | removed or changed in the keeper's name, by the event, by no write that the record knows | – | in our name |
//! | anything else | unannounced | nothing |
//!
//! A repair is always drift: what a new baseline changes is none ([`is_repair`]), and neither is what a first look
//! finds, since the record has nothing of ours there.

use jiff::Timestamp;

use crate::baseline::Revision;
use crate::enforcement::Enforcement;
use crate::limits::is_repair;
use crate::observed::Seen;
use crate::own_roles::OwnRoles;
use crate::plan::Change;
use crate::record::{IN_OUR_NAME, News, NewsKind, Record, Records};
use crate::report::{ChangeResult, TargetReport};
use crate::task::Cause;

/// How long AWS may show a state from before the keeper's last write, in seconds: what is older is another principal's.
const SHOWN_WITHIN_SECONDS: i64 = 120;

/// What a run goes by.
#[derive(Clone, Copy, Debug)]
pub struct RepairContext<'a> {
    /// What caused the run.
    pub cause: &'a Cause,
    /// What the record knew before.
    pub records: &'a Records,
    /// The revision that is followed.
    pub revision: &'a Revision,
    /// Whose writes are the keeper's.
    pub own_roles: &'a OwnRoles,
    /// The time of the run.
    pub now: Timestamp,
}

/// What people have to hear of a target that this run repaired; `None` where it repaired nothing, or an event had
/// announced the change.
pub fn news_of_repair(report: &TargetReport, context: RepairContext<'_>) -> Option<News> {
    let RepairContext { cause, records, revision, own_roles, now } = context;
    let TargetReport::Attempted(ChangeResult { change, result: Ok(()), .. }) = report else { return None };
    if !is_repair(change, records, revision) {
        return None;
    }
    let target = change.target();
    let record = records.get(target)?;
    let found = match change {
        Change::Replace { from, .. } => Some(from),
        _ => None,
    };
    let writer = found.and_then(Seen::last_writer);
    let is_ours = |principal: &str| own_roles.wrote(principal, &target.account);
    let in_our_name = match (found, writer) {
        (Some(found), Some(writer)) if is_ours(writer) => !knows(record, &found.enforcement, now),
        // Another principal wrote later.
        (Some(_), Some(_)) => false,
        (_, _) => cause.in_our_name,
    };
    let (kind, code) = match (in_our_name, cause.sweep) {
        (true, _) => (NewsKind::InOurName, IN_OUR_NAME),
        (false, true) => (NewsKind::Unannounced, "unannounced"),
        (false, false) => return None,
    };
    let text = match kind {
        NewsKind::InOurName if !cause.sweep => {
            format!("{}; CloudTrail's event: {}", change.what(), cause.event)
        }
        _ => change.what().to_string(),
    };
    Some(News { by: writer.map(str::to_owned), ..News::new(kind, code.to_owned(), &text, now) })
}

/// Whether the record explains what was found: it is what a write of the keeper's put there, or AWS may still show what
/// was there before its last write.
fn knows(record: &Record, found: &Enforcement, now: Timestamp) -> bool {
    let is_recent = |at: Timestamp| now.as_second() - at.as_second() < SHOWN_WITHIN_SECONDS;
    let begun = record.intent.iter().chain(&record.untold);
    let mut to = begun.clone().filter_map(|intent| intent.to.as_ref());
    to.any(|to| to == found)
        || record.ours.as_ref().is_some_and(|ours| is_recent(ours.at))
        || record.released_at.is_some_and(is_recent)
}
