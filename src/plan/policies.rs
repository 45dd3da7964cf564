//! The decision about one resource policy of the owner's.

use serde_json::json;

use super::{Change, HoldReason, Line, Mark, PolicyChange, Purpose};
use crate::enforcement::Enforcement;
use crate::ids::Target;
use crate::observed::{Observation, Observed, PolicySeen};
use crate::record::Records;
use crate::resource_policy::{Document, Ensure, Finding, Grant, Remove, Resource, ensure, judge, remove};

/// What is done about a resource policy, and what somebody should know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDecision {
    /// What is done.
    pub action: PolicyAction,
    /// What opens the guardrail beyond the organization, whoever wrote it.
    pub openings: Vec<Finding>,
    /// The policy that would be right.
    pub instead: Document,
}

/// What is done about a resource policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyAction {
    /// Nothing: it grants the organization what is needed.
    Granted,
    /// This is written.
    Change(PolicyChange),
    /// Nothing, though something should be.
    Held(HoldReason),
}

/// Decides about one policy: the smallest change that makes it grant what is needed.
pub fn decide_policy(seen: &PolicySeen, grant: &Grant) -> PolicyDecision {
    let document = match seen {
        PolicySeen::Absent => None,
        PolicySeen::Attached(document) => Some(document),
        PolicySeen::Invalid(invalid) => return held(grant, HoldReason::Policy { why: invalid.to_string() }),
        PolicySeen::Unreadable(failure) => {
            return held(grant, HoldReason::Unreadable { failure: failure.clone() });
        }
    };
    let judgement = judge(document, grant);
    let openings = judgement.openings().cloned().collect();
    let action = match ensure(document, grant) {
        Ensure::NotNeeded => PolicyAction::Granted,
        Ensure::Put(to) => PolicyAction::Change(PolicyChange {
            grant: grant.clone(),
            purpose: Purpose::Grant,
            from: document.cloned(),
            to: Some(to),
        }),
        Ensure::Refused(hold) => PolicyAction::Held(HoldReason::Policy { why: hold.to_string() }),
    };
    PolicyDecision { action, openings, instead: judgement.instead }
}

/// Who still needs a grant that the baseline has no use for any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Use {
    /// Nobody.
    Nobody,
    /// At least this target enforces the guardrail.
    By(Target),
    /// Nobody that could be read; this one could not.
    Unknown(Target),
}

/// Finds who still enforces a guardrail, or may do so.
///
/// Every target in the resource's Region that was looked at counts, whoever configured it. Where a
/// target wasn't looked at, as in a suspended account, the record speaks for it.
pub fn use_of(resource: &Resource, observed: &Observed, records: &Records) -> Use {
    let means = |enforcement: &Enforcement| match resource {
        Resource::Guardrail(arn) => enforcement.guardrail == *arn,
        // A profile serves every guardrail of its account and Region that was made with it.
        Resource::Profile(arn) => {
            enforcement.guardrail.account == arn.account && enforcement.guardrail.region == arn.region
        }
    };
    let mut unknown = None;
    for (target, seen) in observed.iter().filter(|(target, _)| target.region == *resource.region()) {
        match seen {
            Observation::Enforced(seen) if means(&seen.enforcement) => return Use::By(target.clone()),
            Observation::Unreadable(_) => unknown = unknown.or_else(|| Some(target.clone())),
            Observation::Absent | Observation::Enforced(_) => {}
        }
    }
    let recorded = records.iter().find(|(target, record)| {
        !observed.contains_key(target) && record.ours.as_ref().is_some_and(|ours| means(&ours.enforcement))
    });
    match (unknown, recorded) {
        (_, Some((target, _))) => Use::By(target.clone()),
        (Some(target), None) => Use::Unknown(target),
        (None, None) => Use::Nobody,
    }
}

/// Decides about a policy that we once added a grant to and that the baseline doesn't need any more.
/// `None` where there is nothing to do or to say, and the record may forget it.
pub fn decide_withdrawal(seen: &PolicySeen, grant: &Grant, used: &Use) -> Option<PolicyDecision> {
    let document = match (used, seen) {
        (Use::By(_), _) => return Some(PolicyDecision::settled(grant)),
        (Use::Unknown(target), _) => {
            return Some(held(grant, HoldReason::MayBeEnforced { target: target.clone() }));
        }
        (Use::Nobody, PolicySeen::Absent) => return None,
        (Use::Nobody, PolicySeen::Attached(document)) => document,
        (Use::Nobody, PolicySeen::Invalid(invalid)) => {
            return Some(held(grant, HoldReason::Policy { why: invalid.to_string() }));
        }
        (Use::Nobody, PolicySeen::Unreadable(failure)) => {
            return Some(held(grant, HoldReason::Unreadable { failure: failure.clone() }));
        }
    };
    let to = match remove(Some(document), grant) {
        Remove::NotNeeded => return None,
        Remove::Put(rest) => Some(rest),
        Remove::Delete => None,
        Remove::Refused(hold) => return Some(held(grant, HoldReason::Policy { why: hold.to_string() })),
    };
    let change =
        PolicyChange { grant: grant.clone(), purpose: Purpose::Withdraw, from: Some(document.clone()), to };
    Some(PolicyDecision { action: PolicyAction::Change(change), ..PolicyDecision::settled(grant) })
}

fn held(grant: &Grant, reason: HoldReason) -> PolicyDecision {
    PolicyDecision { action: PolicyAction::Held(reason), ..PolicyDecision::settled(grant) }
}

impl PolicyDecision {
    fn settled(grant: &Grant) -> PolicyDecision {
        PolicyDecision {
            action: PolicyAction::Granted,
            openings: Vec::new(),
            instead: Document::granting(grant),
        }
    }

    pub(super) fn lines(&self, resource: &Resource) -> Vec<Line> {
        let PolicyDecision { action, openings, instead: _ } = self;
        let mut lines = Vec::new();
        match action {
            PolicyAction::Granted => {}
            PolicyAction::Change(change) => {
                let change = Change::Policy(change.clone());
                lines.push(Line { mark: change.mark(), text: change.to_string() });
            }
            PolicyAction::Held(reason) => {
                lines.push(Line { mark: Mark::Hold, text: format!("{resource} held: {reason}") });
            }
        }
        let warnings = openings.iter().map(|finding| format!("{resource} is open: {finding}"));
        lines.extend(warnings.map(|text| Line { mark: Mark::Hold, text }));
        lines
    }

    pub(super) fn to_json(&self, resource: &Resource) -> serde_json::Value {
        let PolicyDecision { action, openings, instead } = self;
        let (decision, reason) = match action {
            PolicyAction::Granted => ("granted", None),
            PolicyAction::Change(change) => (Change::Policy(change.clone()).verb(), None),
            PolicyAction::Held(reason) => ("hold", Some(reason.to_string())),
        };
        json!({
            "resource": resource,
            "decision": decision,
            "reason": reason,
            "openings": openings.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "instead": (!openings.is_empty() || reason.is_some()).then(|| instead.text()),
        })
    }
}
