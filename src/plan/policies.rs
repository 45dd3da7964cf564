//! The decision about one resource policy of the owner's.

use serde_json::json;

use super::{Change, HoldReason, Line, Mark, PolicyChange};
use crate::observed::PolicySeen;
use crate::resource_policy::{Document, Ensure, Finding, Grant, Resource, ensure, judge};

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
        Ensure::Put(to) => {
            PolicyAction::Change(PolicyChange { grant: grant.clone(), from: document.cloned(), to: Some(to) })
        }
        Ensure::Refused(hold) => PolicyAction::Held(HoldReason::Policy { why: hold.to_string() }),
    };
    PolicyDecision { action, openings, instead: judgement.instead }
}

fn held(grant: &Grant, reason: HoldReason) -> PolicyDecision {
    PolicyDecision {
        action: PolicyAction::Held(reason),
        openings: Vec::new(),
        instead: Document::granting(grant),
    }
}

impl PolicyDecision {
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
