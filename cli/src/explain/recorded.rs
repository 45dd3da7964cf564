//! What was recorded of a target, a line each.

use jiff::Timestamp;

use crate::time::Age;
use keeper_core::record::{
    AccountRecord, Awaited, Fate, FoundUnusable, Intent, Origin, Ours, Previous, Record, ReleasedUnusable,
};

/// A line's name, and what it says.
type RecordedLine = (&'static str, String);

/// Everything that was recorded, but the history.
pub(super) fn lines(record: &Record, account: &AccountRecord, now: Timestamp) -> Vec<RecordedLine> {
    let mut lines = vec![ours(record.ours.as_ref(), now)];
    lines.extend(record.intent.as_ref().map(|intent| begun(intent, now)));
    lines.extend(record.previous.as_ref().map(|previous| before(previous, now)));
    if let Some(Awaited { revision, approvals: _, at: _ }) = &record.awaited {
        lines.push(("awaited", format!("an approval of baseline {revision}, to release what was adopted")));
    }
    if let Some(at) = record.released_at {
        lines.push(("released", format!("{}{}", Age::of(at, now), why(record.released_unusable.as_ref()))));
    }
    if let Some(FoundUnusable { guardrail, version, code, since }) = &record.unusable {
        let age = Age::of(*since, now);
        lines.push(("unusable", format!("{}:{version} ({code}), first seen {age}", guardrail.id)));
    }
    match record.contest(now) {
        Some(contest) => lines.push(("contested", format!("{contest}: another principal undoes each"))),
        None if record.repairs_lately(now) > 0 => {
            lines.push(("repairs", format!("{} within an hour", record.repairs_lately(now))));
        }
        None => {}
    }
    if let Some(closed) = &account.closed {
        lines.push(("closed", format!("{}: {}", Age::of(closed.at, now), closed.reason)));
    }
    lines.push(last(record, now));
    lines
}

fn ours(ours: Option<&Ours>, now: Timestamp) -> RecordedLine {
    let Some(ours) = ours else { return ("ours", "nothing is recorded".to_owned()) };
    let origin = match ours.origin {
        Origin::Applied => "applied",
        Origin::Adopted => "adopted",
    };
    let age = Age::of(ours.at, now);
    ("ours", format!("{}, {origin} {age} by baseline {}", ours.enforcement, ours.revision))
}

fn begun(intent: &Intent, now: Timestamp) -> RecordedLine {
    let what = intent.to.as_ref().map_or_else(|| "a release".to_owned(), ToString::to_string);
    ("begun", format!("{what}, {}, and not confirmed since", Age::of(intent.at, now)))
}

fn before(previous: &Previous, now: Timestamp) -> RecordedLine {
    let by = previous.seen.last_writer().unwrap_or("somebody");
    let age = Age::of(previous.at, now);
    let (name, fate) = match previous.fate {
        Fate::Replaced => ("before", "replaced"),
        Fate::Released => ("before", "released"),
        Fate::Adopted => ("before", "adopted"),
        Fate::Kept => ("foreign", "kept, recorded"),
    };
    (name, format!("{} of {by}, {fate} {age}", previous.seen.enforcement))
}

fn why(released: Option<&ReleasedUnusable>) -> String {
    released.map_or_else(String::new, |ReleasedUnusable { guardrail, version, at: _ }| {
        format!(", because {}:{version} can't be used; unguarded since", guardrail.id)
    })
}

fn last(record: &Record, now: Timestamp) -> RecordedLine {
    let Some(checked) = &record.checked else { return ("last", "no look is recorded".to_owned()) };
    let reason = checked.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let age = Age::of(checked.at, now);
    ("last", format!("{}{reason}, {age}, by baseline {}", checked.state, checked.revision))
}
