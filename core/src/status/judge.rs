//! Whether what is recorded of one target still counts, and whether it is good.

use super::{Criteria, Judged, Standing, Subject};
use crate::baseline::{Placement, Selector};
use crate::desired::{Wanted, WantedGuardrail};
use crate::enforcement::{Drift, Enforcement};
use crate::ids::Target;
use crate::record::{Checked, Expected, LastSeen, Record, State};

/// Says how a target stands.
///
/// What is bad stays bad until the next look. What a look called good is good only if the look
/// counts and what it saw is what is wanted now.
pub fn judge(subject: Subject<'_>, criteria: Criteria<'_>) -> Judged {
    let Some(checked) = &subject.record.checked else {
        return match &subject.record.intent {
            Some(intent) => unfinished(intent.at),
            None => because(Standing::Unknown, "the record has nothing about it"),
        };
    };
    let standing = match (checked.state, &subject.record.released_unusable) {
        // Nothing is there, because what was there couldn't be used.
        (State::Held, Some(_)) => Standing::Unguarded,
        (state, _) => Standing::of(state),
    };
    if !standing.is_good() {
        return Judged { standing, reason: checked.reason.clone() };
    }
    let stale = too_old(checked, criteria).or_else(|| for_another_purpose(subject, checked));
    if let Some(reason) = stale {
        return because(Standing::Stale, reason);
    }
    if let Some(intent) = subject.record.intent.as_ref().filter(|intent| intent.at > checked.at) {
        return unfinished(intent.at);
    }
    if let Err(judged) = evidence(subject, checked) {
        return judged;
    }
    let contest = subject.record.contest(criteria.now).filter(|_| subject.record.ours.is_some());
    if let Some(contest) = contest {
        return because(Standing::Contested, format!("{}, after {contest}", checked.state));
    }
    Judged { standing, reason: checked.reason.clone() }
}

fn unfinished(begun: jiff::Timestamp) -> Judged {
    because(Standing::Unknown, format!("a write was begun at {begun}, and its result isn't recorded"))
}

fn because(standing: Standing, reason: impl Into<String>) -> Judged {
    Judged { standing, reason: Some(reason.into()) }
}

/// Why a look is too old, or was made by another baseline.
fn too_old(checked: &Checked, criteria: Criteria<'_>) -> Option<String> {
    if checked.at < criteria.oldest {
        return Some(format!("{} then", checked.state));
    }
    let present = criteria.revision.filter(|present| **present != checked.revision)?;
    let Checked { state, revision, .. } = checked;
    Some(format!("{state} by baseline {revision}, and {present} is the present one"))
}

/// Why a look says nothing about what is wanted now: another thing was wanted, or the account stood
/// elsewhere.
fn for_another_purpose(subject: Subject<'_>, checked: &Checked) -> Option<String> {
    let Checked { state, path: then, .. } = checked;
    let (Some(wanted), Some(now)) = (subject.wanted, subject.path) else {
        return Some(format!("{state} then, and what is wanted there now isn't known"));
    };
    let expected = wanted.expected();
    if let Some(before) = checked.expected.as_ref().filter(|before| **before != expected) {
        return Some(format!("{state} when {}; {} now", in_the_past(before), in_the_present(&expected)));
    }
    match then {
        Some(then) if then == now => None,
        Some(then) => Some(format!("{state} in {then}, and the account stands in {now} now")),
        None => Some(format!("{state} then, and where the account stood wasn't recorded")),
    }
}

fn in_the_past(expected: &Expected) -> String {
    match expected {
        Expected::Guardrail(key) => format!("{key} was wanted"),
        Expected::Nothing => "nothing was wanted".to_owned(),
        Expected::Unassigned => "no assignment covered the account".to_owned(),
        Expected::Excluded => "the account was excluded".to_owned(),
    }
}

fn in_the_present(expected: &Expected) -> String {
    match expected {
        Expected::Guardrail(key) => format!("{key} is wanted"),
        Expected::Nothing => "nothing is wanted".to_owned(),
        Expected::Unassigned => "no assignment covers the account".to_owned(),
        Expected::Excluded => "the account is excluded".to_owned(),
    }
}

/// Holds what was seen against what is wanted.
fn evidence(subject: Subject<'_>, checked: &Checked) -> Result<(), Judged> {
    let Subject { target, wanted, record, .. } = subject;
    let stale = |reason: String| Err(because(Standing::Stale, reason));
    match wanted {
        None => stale("what is wanted there isn't known".to_owned()),
        Some(Wanted::Guardrail(wanted)) => guarded(wanted, target, record, checked),
        Some(Wanted::Nothing { .. }) => match (&record.seen, &record.ours) {
            (Some(LastSeen { enforcement: Some(seen), .. }), Some(_)) => {
                stale(format!("nothing is wanted, and {seen} of ours was seen there last"))
            }
            (Some(LastSeen { enforcement: Some(seen), .. }), None) if checked.state != State::LeftAlone => {
                stale(format!("nothing is wanted, and {seen} was seen there last"))
            }
            (None, Some(ours)) => {
                stale(format!("nothing is wanted, and {} of ours may still be there", ours.enforcement))
            }
            (Some(_) | None, _) => match checked.state {
                State::Enforced | State::Replaced => {
                    stale(format!("{} then; {} now", checked.state, in_the_present(&Expected::Nothing)))
                }
                _ => Ok(()),
            },
        },
        Some(wanted @ (Wanted::Unassigned | Wanted::Excluded)) => match checked.state {
            State::LeftAlone => Ok(()),
            state => stale(format!("{state} then; {} now", in_the_present(&wanted.expected()))),
        },
    }
}

/// Whether what was seen is the guardrail that is wanted.
fn guarded(
    wanted: &WantedGuardrail,
    target: &Target,
    record: &Record,
    checked: &Checked,
) -> Result<(), Judged> {
    let key = &wanted.key;
    let Some(seen) = &record.seen else {
        return Err(because(
            Standing::Unknown,
            format!("{key} is wanted, and no look has shown what is enforced"),
        ));
    };
    if seen.at < checked.at {
        let reason = format!("{key} is wanted, and what is enforced could not be read since {}", seen.at);
        return Err(because(Standing::Unknown, reason));
    }
    match &seen.enforcement {
        None => {
            let why = checked.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            let reason = format!("{key} is wanted, and nothing is enforced{why}");
            Err(because(Standing::Unguarded, reason))
        }
        // Whatever was seen there: a release is good only where nothing is wanted.
        Some(_) if checked.state == State::Released => {
            Err(because(Standing::Stale, format!("{} then; {key} is wanted now", checked.state)))
        }
        Some(seen) if is_met(wanted, target, record.meant(seen)) => Ok(()),
        Some(seen) => {
            let version = wanted.source.version;
            let reason = format!("{key}:{version} is wanted, and {seen} was seen there last");
            Err(because(Standing::Stale, reason))
        }
    }
}

/// Whether an enforcement is the one that is wanted, as far as is known without a look into the owner
/// account: a guardrail that is found by name may be any of the owner's, and a copy has its own versions.
fn is_met(wanted: &WantedGuardrail, target: &Target, seen: &Enforcement) -> bool {
    let is_the_owners = match &wanted.source.selector {
        Selector::Arn(arn) => seen.guardrail == *arn,
        Selector::Name(_) => seen.guardrail.account == wanted.owner,
    };
    let is_central = is_the_owners && seen.version == wanted.source.version;
    let is_a_copy = seen.guardrail.account == target.account;
    let place = match wanted.placement {
        Placement::Central => is_central,
        Placement::Copy => is_a_copy,
        // AWS's answer decides between the two, and moves no target that is guarded already.
        Placement::Auto => is_central || is_a_copy,
    };
    let same = Enforcement {
        guardrail: seen.guardrail.clone(),
        version: seen.version,
        models: wanted.models.clone(),
        guarding: wanted.guarding,
    };
    place && seen.guardrail.region == target.region && Drift::between(seen, &same).is_none()
}
