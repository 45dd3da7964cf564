//! A plan as JSON, for programs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Change, CleanUp, Decision, FollowUp, HandedBack, Held, InSync, LeftAlone, Plan};
use crate::enforcement::{Enforcement, ReadsBack};
use crate::observed::Observation;
use crate::organization::Unplaced;

/// Accounts that can't be placed, each with why.
pub(crate) fn in_words(unplaced: &Unplaced) -> BTreeMap<&str, String> {
    unplaced.iter().map(|(account, failure)| (account.as_str(), failure.to_string())).collect()
}

impl Plan {
    /// The plan as JSON: counts, then every target that isn't simply in sync.
    pub fn to_json(&self) -> Value {
        let decisions: Vec<Value> = self
            .decisions
            .iter()
            .filter_map(|(target, decision)| {
                let mut after = None;
                let (word, reason) = match decision {
                    Decision::Change(change) => (change.verb(), None),
                    Decision::CleanUp(_) => (CleanUp::VERB, None),
                    Decision::Held(held) => match self.follow_up(held) {
                        Some(FollowUp::Granted { change, resource }) => {
                            after = Some(resource);
                            (change.verb(), None)
                        }
                        _ => (held.verb(), Some(held.reason.to_string())),
                    },
                    Decision::Broken(broken) => ("broken", Some(broken.to_string())),
                    Decision::LeftAlone(left) => (left.verb(), Some(left.reason.to_string())),
                    Decision::InSync(InSync { kept: Some(kept), .. }) => ("in-sync", Some(kept.to_string())),
                    Decision::InSync(InSync { reads_back: Some(it), .. }) => {
                        ("in-sync", Some(it.to_string()))
                    }
                    Decision::InSync(_) => return None,
                };
                let code = decision.code();
                let (from, to) = decision.sides();
                Some(json!({
                    "account": target.account,
                    "region": target.region,
                    "decision": word,
                    "reason": reason,
                    "code": code,
                    "wanted": decision.wanted(),
                    "from": from,
                    "to": to,
                    "after": after,
                    "would": decision.would(),
                    "then": decision.then(),
                }))
            })
            .collect();
        json!({
            "hash": self.hash(),
            "counts": self.counts(),
            "for_approval": self.for_approval(),
            "policies": self.grants.iter().map(|(resource, decision)| decision.to_json(resource)).collect::<Vec<_>>(),
            "decisions": decisions,
            "handed_back": self.handed_back.iter().map(HandedBack::to_json).collect::<Vec<_>>(),
            "skipped": self.skipped,
            "unknown_states": self.unknown_states,
            "unplaced": in_words(&self.unplaced),
        })
    }
}

impl Decision {
    /// The verb of what is held.
    fn would(&self) -> Option<&'static str> {
        let Decision::Held(Held { would: Some(change), reason }) = self else { return None };
        (!reason.waits_for_a_grant()).then(|| change.verb())
    }

    /// The verb of what follows once the copy is ready.
    fn then(&self) -> Option<&'static str> {
        let Change::EnsureCopy { from, .. } = self.change()? else { return None };
        Some(if from.is_some() { "replace" } else { "enforce" })
    }

    /// Why nothing is done, as metrics and events call it.
    pub fn code(&self) -> Option<String> {
        match self {
            Decision::Held(held) => Some(held.reason.code()),
            Decision::Broken(broken) => Some(broken.unusable.code()),
            Decision::LeftAlone(left) => Some(left.reason.code().to_owned()),
            Decision::InSync(in_sync) => in_sync.reads_back.as_ref().map(|_| ReadsBack::CODE.to_owned()),
            Decision::Change(_) | Decision::CleanUp(_) => None,
        }
    }

    /// What the baseline asks for, as it calls it: `corporate:2`.
    fn wanted(&self) -> Option<String> {
        let (Decision::Change(change) | Decision::Held(Held { would: Some(change), .. })) = self else {
            return None;
        };
        match change {
            Change::Enforce { key, to, copied, .. } | Change::Replace { key, to, copied, .. } => {
                Some(format!("{key}:{}", copied.unwrap_or(to.version)))
            }
            Change::EnsureCopy { key, work, .. } => Some(format!("{key}:{}", work.original.version)),
            Change::Adopt { .. } | Change::Release { .. } => None,
        }
    }

    /// What is there and what will be, as far as the decision knows.
    fn sides(&self) -> (Option<&Enforcement>, Option<&Enforcement>) {
        match self {
            Decision::Change(change) | Decision::Held(Held { would: Some(change), .. }) => match change {
                Change::Enforce { to, .. } => (None, Some(to)),
                Change::Replace { from, to, .. } => (Some(&from.enforcement), Some(to)),
                Change::Adopt { seen, .. } => (Some(&seen.enforcement), Some(&seen.enforcement)),
                Change::Release { from, .. } => (Some(&from.enforcement), None),
                Change::EnsureCopy { from, .. } => (from.as_ref(), None),
            },
            Decision::Broken(broken) => (Some(&broken.seen.enforcement), None),
            Decision::LeftAlone(LeftAlone { seen: Observation::Enforced(seen), .. }) => {
                (Some(&seen.enforcement), None)
            }
            Decision::InSync(in_sync) | Decision::CleanUp(CleanUp { stands: in_sync, .. }) => {
                (in_sync.enforced.as_ref(), in_sync.enforced.as_ref())
            }
            Decision::LeftAlone(_) | Decision::Held(_) => (None, None),
        }
    }
}
