//! What people have to hear where the keeper no longer guards a target that it guarded. Pure.
//!
//! | a look ended with | the record had | news |
//! | --- | --- | --- |
//! | a release, because nothing is wanted there | – | `released` |
//! | what is there is left alone: unassigned or excluded | ours, and not left alone | `unassigned`, `excluded` |
//! | anything else | – | – |
//!
//! A release because a guardrail can't be used is trouble, with news of its own.

use jiff::Timestamp;

use crate::ids::Target;
use crate::observed::{Observation, Seen};
use crate::plan::{Change, Decision, LeaveReason, LeftAlone};
use crate::record::{News, NewsKind, Records, State};
use crate::report::{ChangeResult, TargetReport};

/// That the keeper released a target or leaves it to itself from now on; `None` otherwise. `records` is what the record
/// knew before.
pub fn news_of_ended(
    target: &Target,
    report: &TargetReport,
    records: &Records,
    now: Timestamp,
) -> Option<News> {
    let (code, text) = match report {
        TargetReport::Attempted(ChangeResult {
            change: change @ Change::Release { broken: None, .. },
            result: Ok(()),
            ..
        }) => ("released", change.what().to_string()),
        report => {
            let (reason, seen) = left_to_itself(report)?;
            let record = records.get(target)?;
            let is_known = record.checked.as_ref().is_some_and(|last| last.state == State::LeftAlone);
            if record.ours.is_none() || is_known {
                return None;
            }
            (reason.code(), format!("{} stays there, and is no longer put back: {reason}", seen.enforcement))
        }
    };
    Some(News::new(NewsKind::Ended, code.to_owned(), &text, now))
}

/// Whether the look may have found what is no longer guarded: the record says whether it was.
pub fn may_have_ended(report: &TargetReport) -> bool {
    left_to_itself(report).is_some()
}

/// Why something is left as it is, and what, where no baseline may want it back.
fn left_to_itself(report: &TargetReport) -> Option<(LeaveReason, &Seen)> {
    match report {
        TargetReport::Decided(Decision::LeftAlone(LeftAlone {
            reason: reason @ (LeaveReason::Unassigned | LeaveReason::Excluded),
            seen: Observation::Enforced(seen),
            would_abandon: false,
        })) => Some((*reason, seen)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enforcement::{Enforcement, Guarding, Models};
    use crate::failure::Failure;
    use crate::ids::GuardrailVersion;
    use crate::record::{Checked, Origin, Ours, Record};
    use crate::resolved::Unusable;

    fn at() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn target() -> Target {
        "300000000001/eu-west-1".parse().unwrap()
    }

    fn enforcement() -> Enforcement {
        Enforcement {
            guardrail: "arn:aws:bedrock:eu-west-1:222222222222:guardrail/base".parse().unwrap(),
            version: GuardrailVersion::new(2).unwrap(),
            models: Models::default(),
            guarding: Guarding::default(),
        }
    }

    fn seen() -> Seen {
        Seen { config_id: None, enforcement: enforcement(), created_by: None, updated_by: None }
    }

    fn release(broken: Option<Unusable>, result: Result<(), Failure>) -> TargetReport {
        let change = Change::Release { target: target(), from: seen(), broken, adopted: false };
        TargetReport::Attempted(ChangeResult { change, result, reads_back: None, begun: None })
    }

    fn left_alone(reason: LeaveReason, would_abandon: bool) -> TargetReport {
        let seen = Observation::Enforced(seen());
        TargetReport::Decided(Decision::LeftAlone(LeftAlone { reason, seen, would_abandon }))
    }

    fn records(is_ours: bool, last: State) -> Records {
        let revision: crate::baseline::Revision = "0123456789abcdef".parse().unwrap();
        let ours = Ours {
            enforcement: enforcement(),
            origin: Origin::Applied,
            at: at(),
            revision: revision.clone(),
            path: None,
            reads_back: None,
        };
        let checked = Checked {
            at: at(),
            revision,
            state: last,
            reason: None,
            code: None,
            drift: None,
            event: None,
            path: None,
            expected: None,
        };
        let record = Record { ours: is_ours.then_some(ours), checked: Some(checked), ..Record::default() };
        [(target(), record)].into()
    }

    #[test]
    fn what_is_no_longer_guarded_is_news_once() {
        use LeaveReason::{Excluded, Foreign, Unassigned};
        let denied = Err(Failure::rejected("DeleteEnforcedGuardrailConfiguration", "no"));
        let ours = |last| records(true, last);
        let table = [
            (release(None, Ok(())), ours(State::InSync), Some("released")),
            (release(None, denied), ours(State::InSync), None),
            (release(Some(Unusable::AutomatedReasoning), Ok(())), ours(State::InSync), None),
            (left_alone(Unassigned, false), ours(State::InSync), Some("unassigned")),
            (left_alone(Excluded, false), ours(State::WouldAbandon), Some("excluded")),
            (left_alone(Excluded, false), ours(State::LeftAlone), None),
            (left_alone(Excluded, true), ours(State::InSync), None),
            (left_alone(Foreign, false), ours(State::InSync), None),
            (left_alone(Unassigned, false), records(false, State::InSync), None),
            (left_alone(Unassigned, false), Records::new(), None),
        ];
        for (report, records, expected) in table {
            let news = news_of_ended(&target(), &report, &records, at());
            assert_eq!(news.as_ref().map(|news| news.code.as_str()), expected, "{report:?}");
            assert!(news.is_none_or(|news| news.kind == NewsKind::Ended && !news.text.is_empty()));
        }
    }
}
