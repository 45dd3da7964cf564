//! What `status` shows of one target.

use std::fmt;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::time::Age;
use keeper_core::desired::Wanted;
use keeper_core::ids::Target;
use keeper_core::organization::OrgPath;
use keeper_core::record::{AccountRecord, Record};
use keeper_core::status::{Judged, Standing};

/// Whether a target keeps everything together from being good. What was left behind in an account that
/// is gone is listed, and nothing in the organization can repair it.
pub(super) fn spoils(standing: Standing) -> bool {
    !standing.is_good() && standing != Standing::LeftBehind
}

/// Reads the name of a standing, and lists all of them in the help.
pub(super) fn standing_parser() -> impl TypedValueParser<Value = Standing> {
    let named = Standing::ALL.map(|standing| {
        let (name, help) = name_and_help(standing);
        PossibleValue::new(name).help(help)
    });
    PossibleValuesParser::new(named).try_map(|name| name.replace('-', "_").parse::<Standing>())
}

fn name_and_help(standing: Standing) -> (&'static str, &'static str) {
    match standing {
        Standing::Broken => ("broken", "What is enforced can't be used: guarded calls may fail"),
        Standing::Unguarded => ("unguarded", "A guardrail is wanted, and nothing is enforced"),
        Standing::Failed => ("failed", "A change was tried, and the write failed"),
        Standing::Unknown => ("unknown", "The record has no state of it"),
        Standing::Held => ("held", "A change is held"),
        Standing::WouldReplace => ("would-replace", "It would be replaced, if the mode weren't `audit`"),
        Standing::WouldEnforce => {
            ("would-enforce", "It would be enforced, if the mode weren't `audit`: nothing is there")
        }
        Standing::WouldRelease => ("would-release", "It would be released, if the mode weren't `audit`"),
        Standing::WouldAbandon => (
            "would-abandon",
            "It is the keeper's, and would be left to itself, if the mode weren't `audit` or the baseline were approved",
        ),
        Standing::Contested => ("contested", "Another principal undoes each repair"),
        Standing::Stale => {
            ("stale", "The last look is too old, or was made for another path, assignment or baseline")
        }
        Standing::Copied => {
            ("copied", "Its copy of the guardrail was written; what is enforced is still as it was")
        }
        Standing::LeftBehind => ("left-behind", "Ours, in an account in which no calls are made any more"),
        Standing::LeftAlone => ("left-alone", "The baseline doesn't apply to it"),
        Standing::Enforced => ("enforced", "Enforced by the last look, where nothing was"),
        Standing::Replaced => ("replaced", "Replaced by the last look"),
        Standing::Released => ("released", "Released by the last look, and nothing is wanted"),
        Standing::InSync => ("in-sync", "As wanted"),
    }
}

/// What the record says of one target.
#[derive(Clone, Debug)]
pub(super) struct TargetRow {
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

impl TargetRow {
    /// What is known of a target, and how it stands.
    pub(super) fn judged(
        target: Target,
        wanted: Option<&Wanted>,
        judged: Judged,
        account: &AccountRecord,
    ) -> TargetRow {
        let Judged { standing, reason } = judged;
        let placement = account.placement.as_ref();
        TargetRow {
            record: account.regions.get(&target.region).cloned().unwrap_or_default(),
            target,
            name: placement.map(|placement| placement.account.name.clone()),
            path: placement.map(|placement| placement.account.path.clone()),
            standing,
            reason,
            wanted: wanted.map(|wanted| wanted.expected().to_string()),
            placed_at: placement.map(|placement| placement.placed_at),
            leaving_since: account.offboarding,
        }
    }

    /// Something of ours in an account that gets no calls any more.
    pub(super) fn left_behind(target: Target, account: &AccountRecord, why: &str) -> TargetRow {
        let reason = Some(format!("{why}; what is enforced there may break its calls"));
        TargetRow::judged(target, None, Judged { standing: Standing::LeftBehind, reason }, account)
    }

    pub(super) fn checked_at(&self) -> Option<Timestamp> {
        self.record.checked.as_ref().map(|checked| checked.at)
    }

    /// Why, as metrics and events call it: of the last look, where its words are shown, too.
    pub(super) fn code(&self) -> Option<String> {
        let checked = self.record.checked.as_ref()?;
        checked.code.clone().filter(|_| self.reason == checked.reason)
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
            "code": self.code(),
            "last_state": checked.as_ref().map(|checked| checked.state),
            "checked_at": self.checked_at(),
            "checked_age_seconds": age(self.checked_at()),
            "last_wanted": checked.as_ref().and_then(|checked| checked.expected.as_ref()).map(ToString::to_string),
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

    /// The names of the fields of [`TargetRow::to_csv`].
    pub(super) const CSV_HEAD: &'static str = "account,name,path,region,state,reason,last_state,checked_at,\
         checked_age_seconds,baseline,wanted,enforced,seen_at,ours,code";

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
            self.code().unwrap_or_default(),
        ];
        fields.map(|field| quoted(&field)).join(",")
    }
}

/// A field of CSV, by RFC 4180. A spreadsheet takes what begins like a formula for one: names and
/// reasons are others' words.
fn quoted(field: &str) -> String {
    let field = if field.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{field}")
    } else {
        field.to_owned()
    };
    if field.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_fields_are_quoted_and_never_formulas() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
        assert_eq!(quoted("=1+1"), "'=1+1");
    }
}
