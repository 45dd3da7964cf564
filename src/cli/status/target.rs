//! What the record says of one target, judged by its age.

use std::fmt;

use clap::ValueEnum;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::baseline::Revision;
use crate::cli::time::Age;
use crate::desired::Wanted;
use crate::ids::Target;
use crate::organization::OrgPath;
use crate::record::{AccountRecord, Record, State};

/// How a target stands, worst first. What is good is good only while it is fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub(super) enum Standing {
    /// What is enforced can't be used
    Broken,
    /// Was to be changed, and the write failed
    Failed,
    /// The record knows nothing of it
    Unknown,
    /// Should be changed, and wasn't
    Held,
    /// Somebody undoes each repair
    Contested,
    /// Good when it was looked at last, and that is too long ago, or was under another baseline
    Stale,
    /// Its copy of the guardrail was written; what is enforced is still as it was
    Copied,
    /// Ours, in an account that gets no calls any more
    LeftBehind,
    /// None of our business
    LeftAlone,
    /// Enforced by the last look, where nothing was
    Enforced,
    /// Replaced by the last look
    Replaced,
    /// Released by the last look
    Released,
    /// As wanted
    InSync,
}

impl Standing {
    fn of(state: State) -> Standing {
        match state {
            State::Enforced => Standing::Enforced,
            State::Replaced => Standing::Replaced,
            State::Copied => Standing::Copied,
            State::Released => Standing::Released,
            State::InSync => Standing::InSync,
            State::Held => Standing::Held,
            State::Failed => Standing::Failed,
            State::Broken => Standing::Broken,
            State::LeftAlone => Standing::LeftAlone,
        }
    }

    /// The word for it in JSON and CSV, like that of [`State::code`].
    pub(super) fn code(self) -> &'static str {
        match self {
            Standing::Broken => State::Broken.code(),
            Standing::Failed => State::Failed.code(),
            Standing::Unknown => "unknown",
            Standing::Held => State::Held.code(),
            Standing::Contested => "contested",
            Standing::Stale => "stale",
            Standing::Copied => State::Copied.code(),
            Standing::LeftBehind => "left_behind",
            Standing::LeftAlone => State::LeftAlone.code(),
            Standing::Enforced => State::Enforced.code(),
            Standing::Replaced => State::Replaced.code(),
            Standing::Released => State::Released.code(),
            Standing::InSync => State::InSync.code(),
        }
    }

    /// Whether it is as the baseline wants it, as far as a fresh look could tell.
    pub(super) fn is_good(self) -> bool {
        match self {
            Standing::Broken
            | Standing::Failed
            | Standing::Unknown
            | Standing::Held
            | Standing::Contested
            | Standing::Stale
            | Standing::Copied
            | Standing::LeftBehind => false,
            Standing::LeftAlone
            | Standing::Enforced
            | Standing::Replaced
            | Standing::Released
            | Standing::InSync => true,
        }
    }

    /// Whether it keeps everything together from being good. What was left behind in an account that
    /// is gone is told, and nothing in the organization can mend it.
    pub(super) fn spoils(self) -> bool {
        !self.is_good() && self != Standing::LeftBehind
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.code().replace('_', " "))
    }
}

/// What a judgement goes by.
pub(super) struct Ground<'a> {
    pub(super) now: Timestamp,
    /// A look older than this is stale, in seconds.
    pub(super) stale_after: i64,
    /// The present baseline's revision, where it is known.
    pub(super) revision: Option<&'a Revision>,
}

/// What the record says of one target.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) target: Target,
    pub(super) name: Option<String>,
    pub(super) path: Option<OrgPath>,
    pub(super) standing: Standing,
    pub(super) reason: Option<String>,
    /// What should be there: a guardrail's key, or a word.
    wanted: Option<String>,
    record: Record,
    /// When the account's place was asked for.
    placed_at: Option<Timestamp>,
    leaving_since: Option<Timestamp>,
}

impl Told {
    /// What is known of a target of the baseline.
    pub(super) fn judge(
        target: Target,
        wanted: Option<&Wanted>,
        account: &AccountRecord,
        ground: &Ground<'_>,
    ) -> Told {
        let record = account.regions.get(&target.region).cloned().unwrap_or_default();
        let (standing, reason) = standing(&record, ground);
        let wanted = match (wanted, account.offboarding) {
            (Some(Wanted::Guardrail(_) | Wanted::Unassigned), Some(_)) => Some("none".to_owned()),
            (Some(Wanted::Guardrail(wanted)), None) => Some(wanted.key.to_string()),
            (Some(Wanted::Nothing { .. }), _) => Some("none".to_owned()),
            (Some(Wanted::Unassigned), None) => Some("unassigned".to_owned()),
            (Some(Wanted::Excluded), _) => Some("excluded".to_owned()),
            (None, _) => None,
        };
        let placement = account.placement.as_ref();
        Told {
            target,
            name: placement.map(|placement| placement.account.name.clone()),
            path: placement.map(|placement| placement.account.path.clone()),
            standing,
            reason,
            wanted,
            record,
            placed_at: placement.map(|placement| placement.placed_at),
            leaving_since: account.offboarding,
        }
    }

    /// Something of ours in an account that gets no calls any more.
    pub(super) fn left_behind(
        target: Target,
        account: &AccountRecord,
        why: &str,
        ground: &Ground<'_>,
    ) -> Told {
        let told = Told::judge(target, None, account, ground);
        let reason = format!("{why}; what is enforced there may break its calls");
        Told { standing: Standing::LeftBehind, reason: Some(reason), ..told }
    }

    pub(super) fn checked_at(&self) -> Option<Timestamp> {
        self.record.checked.as_ref().map(|checked| checked.at)
    }

    fn enforced(&self) -> Option<String> {
        let seen = self.record.seen.as_ref()?;
        Some(seen.enforcement.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string))
    }

    pub(super) fn to_json(&self, now: Timestamp) -> Value {
        let Record { ours, intent, seen, checked, .. } = &self.record;
        let age = |at: Option<Timestamp>| at.map(|at| Age::of(at, now).seconds());
        let seen_at = seen.as_ref().map(|seen| seen.at);
        json!({
            "account": self.target.account,
            "name": self.name,
            "path": self.path,
            "placed_at": self.placed_at,
            "region": self.target.region,
            "state": self.standing.code(),
            "reason": self.reason,
            "last_state": checked.as_ref().map(|checked| checked.state),
            "checked_at": self.checked_at(),
            "checked_age_seconds": age(self.checked_at()),
            "baseline": checked.as_ref().map(|checked| &checked.revision),
            "event": checked.as_ref().and_then(|checked| checked.event.as_ref()),
            "drift": checked.as_ref().and_then(|checked| checked.drift.as_ref()),
            "wanted": self.wanted,
            "enforced": seen.as_ref().map(|seen| &seen.enforcement),
            "seen_at": seen_at,
            "seen_age_seconds": age(seen_at),
            "ours": ours.is_some(),
            "unconfirmed_write_at": intent.as_ref().map(|intent| intent.at),
            "leaving_since": self.leaving_since,
        })
    }

    /// The names of the fields of [`Told::to_csv`].
    pub(super) const CSV_HEAD: &'static str = "account,name,path,region,state,reason,last_state,checked_at,\
         checked_age_seconds,baseline,wanted,enforced,seen_at,ours";

    pub(super) fn to_csv(&self, now: Timestamp) -> String {
        let Record { ours, seen, checked, .. } = &self.record;
        let text = |text: Option<&dyn fmt::Display>| text.map(ToString::to_string).unwrap_or_default();
        let fields = [
            self.target.account.to_string(),
            self.name.clone().unwrap_or_default(),
            self.path.as_ref().map(ToString::to_string).unwrap_or_default(),
            self.target.region.to_string(),
            self.standing.code().to_owned(),
            self.reason.clone().unwrap_or_default(),
            checked.as_ref().map(|checked| checked.state.code().to_owned()).unwrap_or_default(),
            text(self.checked_at().as_ref().map(|at| at as &dyn fmt::Display)),
            self.checked_at().map(|at| Age::of(at, now).seconds().to_string()).unwrap_or_default(),
            text(checked.as_ref().map(|checked| &checked.revision as &dyn fmt::Display)),
            self.wanted.clone().unwrap_or_default(),
            self.enforced().unwrap_or_default(),
            text(seen.as_ref().map(|seen| &seen.at as &dyn fmt::Display)),
            ours.is_some().to_string(),
        ];
        fields.map(|field| quoted(&field)).join(",")
    }
}

/// A field of CSV, by RFC 4180. A spreadsheet takes what begins like a formula for one: names and
/// reasons are others' words.
fn quoted(field: &str) -> String {
    let field = match field.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{field}"),
        false => field.to_owned(),
    };
    if field.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}

fn standing(record: &Record, ground: &Ground<'_>) -> (Standing, Option<String>) {
    let Some(checked) = &record.checked else {
        let reason = match &record.intent {
            Some(intent) => format!("a write was begun at {}, and nothing is known of it since", intent.at),
            None => "the record knows nothing of it".to_owned(),
        };
        return (Standing::Unknown, Some(reason));
    };
    let standing = Standing::of(checked.state);
    if !standing.is_good() {
        return (standing, checked.reason.clone());
    }
    if ground.now.as_second() - checked.at.as_second() > ground.stale_after {
        return (Standing::Stale, Some(format!("{} then", checked.state)));
    }
    if let Some(present) = ground.revision.filter(|present| **present != checked.revision) {
        let reason =
            format!("{} by baseline {}, and {present} is the present one", checked.state, checked.revision);
        return (Standing::Stale, Some(reason));
    }
    if record.ours.is_some() && record.is_contested(ground.now) {
        let reason = format!("{}, after {} repairs within an hour", checked.state, record.repairs.len());
        return (Standing::Contested, Some(reason));
    }
    (standing, checked.reason.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enforcement::{Enforcement, Guarding, Models};
    use crate::record::{Checked, Origin, Ours};

    fn record(state: State, at: i64) -> Record {
        let checked = Checked {
            at: Timestamp::from_second(at).unwrap(),
            revision: "0123456789abcdef".parse().unwrap(),
            state,
            reason: None,
            code: None,
            drift: None,
            event: None,
            path: None,
        };
        Record { checked: Some(checked), ..Record::default() }
    }

    fn judged(record: &Record, revision: &str) -> Standing {
        let revision = revision.parse().unwrap();
        let now = Timestamp::from_second(10_000).unwrap();
        standing(record, &Ground { now, stale_after: 7200, revision: Some(&revision) }).0
    }

    #[test]
    fn nothing_is_good_that_is_unknown_old_or_of_another_baseline() {
        let (present, other) = ("0123456789abcdef", "fedcba9876543210");
        assert_eq!(judged(&Record::default(), present), Standing::Unknown);
        for state in State::ALL {
            let (fresh, old) = (record(state, 2800), record(state, 2799));
            let standing = Standing::of(state);
            assert_eq!(standing.is_good(), state.is_good());
            assert_eq!(judged(&fresh, present), standing);
            for spoilt in [judged(&old, present), judged(&fresh, other)] {
                assert!(!spoilt.is_good() && (!state.is_good() || spoilt == Standing::Stale), "{state}");
            }
        }
        let mut contested = record(State::Enforced, 9000);
        contested.repairs = vec![Timestamp::from_second(9000).unwrap(); 4];
        // What isn't ours any more is nobody's to contest.
        assert_eq!(judged(&contested, present), Standing::of(State::Enforced));
        contested.ours = Some(Ours {
            enforcement: Enforcement {
                guardrail: "arn:aws:bedrock:us-east-1:222222222222:guardrail/usbase1a2b3c".parse().unwrap(),
                version: "2".parse().unwrap(),
                models: Models::default(),
                guarding: Guarding::default(),
            },
            origin: Origin::Applied,
            at: Timestamp::from_second(9000).unwrap(),
            revision: present.parse().unwrap(),
            path: None,
        });
        assert_eq!(judged(&contested, present), Standing::Contested);
    }

    #[test]
    fn csv_fields_are_quoted_and_never_formulas() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
        assert_eq!(quoted("=1+1"), "'=1+1");
    }
}
