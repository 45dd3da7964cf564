//! The event of a write: right after it was made, or by a later look, where the run that made it couldn't publish it.

use jiff::Timestamp;
use serde::Serialize;

use super::{Event, Kind, RunEvents, since_event};
use crate::baseline::Revision;
use crate::enforcement::Enforcement;
use crate::ids::Target;
use crate::limits::is_repair;
use crate::plan::Change;
use crate::record::{CONTESTED_REPAIRS, Contest, Deed, DeedKind, Intent, Records, SLOWLY_CONTESTED_REPAIRS};
use crate::report::ChangeResult;
use crate::resolved::Unusable;

/// Which write an event is about, so that two events about one write are not taken for two writes.
#[derive(Clone, Debug, Serialize)]
pub(super) struct WriteId {
    /// The same however often the write is published.
    id: String,
    begun: Timestamp,
    /// Whether a later look publishes it, and not the run that made it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    late: bool,
}

impl WriteId {
    fn of(target: &Target, begun: Timestamp, late: bool) -> WriteId {
        WriteId { id: format!("{target}/{}", begun.as_microsecond()), begun, late }
    }
}

/// How a change is published once it is made; `None` for what isn't published.
///
/// The record keeps it from before the write until it is published.
pub fn deed_of(change: &Change, records: &Records, revision: &Revision, now: Timestamp) -> Option<Deed> {
    let target = change.target();
    let repair = is_repair(change, records, revision);
    let (within_the_hour, begins) = records.get(target).map_or((1, None), |record| record.with_a_repair(now));
    let contested_slowly = matches!(begins, Some(Contest::WithinTheDay(_)));
    let enforced = |repaired: String, applied: &str| match repair {
        true => (DeedKind::Repaired { within_the_hour, contested_slowly }, repaired),
        false => (DeedKind::Applied, applied.to_owned()),
    };
    let (from, (kind, code)) = match change {
        Change::Enforce { .. } => (None, enforced("removed".to_owned(), "absent")),
        Change::Replace { from, drift, .. } => (Some(from), enforced(format!("changed.{drift}"), "another")),
        Change::Adopt { seen, .. } => (Some(seen), (DeedKind::Adopted, "as_wanted".to_owned())),
        Change::Release { from, broken: None, .. } => {
            (Some(from), (DeedKind::Released, "not_wanted".to_owned()))
        }
        Change::Release { from, broken: Some(unusable), .. } => {
            (Some(from), (DeedKind::GivenUp, Unusable::code(unusable)))
        }
        // What is enforced follows, and is published then.
        Change::EnsureCopy { .. } => return None,
    };
    Some(Deed {
        kind,
        from: from.cloned().map(Box::new),
        code,
        text: super::detail::cut(&change.to_string()),
    })
}

/// A write that is published.
#[derive(Clone, Copy)]
struct PublishedWrite<'a> {
    target: &'a Target,
    to: Option<&'a Enforcement>,
    deed: &'a Deed,
    revision: &'a Revision,
    write: Option<&'a WriteId>,
}

impl RunEvents<'_> {
    /// The event of a write that this run made.
    pub(super) fn made(self, target: &Target, outcome: &ChangeResult) -> Vec<Event> {
        let ChangeResult { change, result: _, reads_back: _, begun } = outcome;
        let Some(deed) = deed_of(change, &self.report.before, &self.report.revision, self.now) else {
            return Vec::new();
        };
        let to = match change {
            Change::Adopt { seen, .. } => Some(&seen.enforcement),
            change => change.enforces().map(|(_, to)| to),
        };
        let write = begun.map(|begun| WriteId::of(target, begun, false));
        let revision = &self.report.revision;
        self.write(PublishedWrite { target, to, deed: &deed, revision, write: write.as_ref() })
    }

    /// The event of a write that an earlier run made and could not publish.
    pub(super) fn made_before(self, target: &Target, intent: &Intent) -> Vec<Event> {
        let Intent { to, at, revision, deed } = intent;
        let Some(deed) = deed else { return Vec::new() };
        let write = WriteId::of(target, *at, true);
        self.write(PublishedWrite { target, to: to.as_ref(), deed, revision, write: Some(&write) })
    }

    fn write(self, told: PublishedWrite<'_>) -> Vec<Event> {
        let PublishedWrite { target, to, deed, revision, write } = told;
        let Deed { kind, from, code, text } = deed;
        let mut detail = self.detail(target);
        detail.revision = Some(revision);
        detail.write = write;
        detail.reason(code.clone(), text);
        let from = from.as_deref();
        if let Some(enforcement) = to.or(from.map(|seen| &seen.enforcement)) {
            detail.guardrail(enforcement);
        }
        match (kind, from) {
            (DeedKind::Adopted, Some(seen)) => {
                detail.present(seen);
                detail.principal = seen.last_writer();
            }
            (DeedKind::Repaired { .. }, Some(seen)) => {
                detail.previous(seen);
                detail.principal = seen.last_writer();
            }
            (_, Some(seen)) => detail.previous(seen),
            (_, None) => {}
        }
        // A later look says nothing of how long the write took.
        let since = write.is_none_or(|write| !write.late);
        let since = since.then(|| since_event(self.circumstances.cause, self.now)).flatten();
        match kind {
            DeedKind::Adopted => vec![self.event(Kind::Adopted, &detail)],
            DeedKind::Released | DeedKind::GivenUp => vec![self.event(Kind::Released, &detail)],
            DeedKind::Applied => {
                detail.since_event_ms = since;
                vec![self.event(Kind::Applied, &detail)]
            }
            DeedKind::Repaired { within_the_hour, contested_slowly } => {
                detail.since_event_ms = since;
                detail.repairs_within_the_hour = Some(*within_the_hour);
                let mut events = vec![self.event(Kind::Repaired, &detail)];
                let begins = match (*within_the_hour, contested_slowly) {
                    (CONTESTED_REPAIRS, _) => Some(Contest::WithinTheHour(CONTESTED_REPAIRS)),
                    (_, true) => Some(Contest::WithinTheDay(SLOWLY_CONTESTED_REPAIRS)),
                    (_, false) => None,
                };
                // Published when it begins. As long as it goes on, each repair is published anyway.
                if let Some(contest) = begins {
                    detail
                        .reason("contested".to_owned(), &format!("{contest}: another principal undoes each"));
                    detail.since_event_ms = None;
                    events.push(self.event(Kind::Contested, &detail));
                }
                events
            }
        }
    }
}
