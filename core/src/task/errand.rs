//! What the keeper sends to itself, to be done later or by the next invocation.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Cause, Task};
use crate::baseline::{GuardrailKey, NamedIds, Revision};
use crate::limits::Extent;
use crate::trigger::Regions;

/// The one member of a message that holds an errand. An event from EventBridge always has a `source`
/// and never such a member. So no event can pass for an errand.
const MEMBER: &str = "guardrail-keeper";

/// Something that the keeper has to come back to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Errand {
    /// A task that had to wait.
    #[serde(alias = "again")]
    Retry(Task),
    /// Count what a revision would change, before anything of it is queued.
    Count(Count),
    /// Queue work for every account.
    Sweep(Sweep),
    /// See whether a sweep has come to its end.
    #[serde(alias = "settle")]
    FinishSweep(FinishSweep),
}

/// A count that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The revision that is counted.
    pub revision: Revision,
    /// Where to go on: Organizations' token; `None` at the beginning.
    pub page: Option<String>,
    /// What was counted so far.
    pub extent: Extent,
    /// How many accounts were listed so far. A count that an earlier version began doesn't say so.
    #[serde(default = "some")]
    pub accounts: usize,
    /// The ids that the baseline names and for which no account was listed so far; `None` at the beginning, and in
    /// a count that an earlier version began.
    #[serde(default)]
    pub unseen: Option<NamedIds>,
    /// How many accounts could not be placed so far.
    #[serde(default)]
    pub unplaced: u32,
    /// Whether waiting may help with one of them.
    #[serde(default)]
    pub may_pass: bool,
    /// Why.
    pub cause: Cause,
}

fn some() -> usize {
    1
}

/// A sweep that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// The Regions to look at.
    pub regions: Regions,
    /// Only accounts that should enforce one of these; `None` for every account.
    pub guardrails: Option<BTreeSet<GuardrailKey>>,
    /// Where to go on: Organizations' token; `None` at the beginning.
    pub page: Option<String>,
    /// When it began.
    pub began: Timestamp,
    /// How many accounts were queued so far.
    pub accounts: usize,
    /// Why.
    pub cause: Cause,
}

/// A sweep whose tasks are all queued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishSweep {
    /// When the sweep began.
    pub began: Timestamp,
    /// How many accounts it queued.
    pub accounts: usize,
    /// Why.
    pub cause: Cause,
}

impl Sweep {
    /// Whether it looks at everything, so that its end means something for the whole organization.
    pub fn is_whole(&self) -> bool {
        self.regions == Regions::All && self.guardrails.is_none()
    }
}

impl Errand {
    /// The message that holds it.
    pub fn message(&self) -> Value {
        json!({ MEMBER: self })
    }

    /// The errand that a message holds, if it is no event but one of ours.
    ///
    /// # Errors
    /// When it is ours by its form and can't be understood: another version of this program wrote it.
    pub fn of_message(message: &Value) -> Option<Result<Errand, serde_json::Error>> {
        let members = message.as_object()?;
        let errand = members.get(MEMBER).filter(|_| members.len() == 1)?;
        Some(Errand::deserialize(errand))
    }

    /// What it goes back to.
    pub fn cause(&self) -> &Cause {
        match self {
            Errand::Retry(task) => task.cause(),
            Errand::Count(Count { cause, .. })
            | Errand::Sweep(Sweep { cause, .. })
            | Errand::FinishSweep(FinishSweep { cause, .. }) => cause,
        }
    }

    /// What it goes back to, to be changed.
    pub fn cause_mut(&mut self) -> &mut Cause {
        match self {
            Errand::Retry(task) => task.cause_mut(),
            Errand::Count(Count { cause, .. })
            | Errand::Sweep(Sweep { cause, .. })
            | Errand::FinishSweep(FinishSweep { cause, .. }) => cause,
        }
    }

    /// What it does, for a log.
    pub fn kind(&self) -> &'static str {
        match self {
            Errand::Retry(_) => "another try",
            Errand::Count(_) => "the count of a revision",
            Errand::Sweep(_) => "a page of a sweep",
            Errand::FinishSweep(_) => "the end of a sweep",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep() -> Errand {
        Errand::Sweep(Sweep {
            regions: Regions::All,
            guardrails: None,
            page: Some("token".to_owned()),
            began: Timestamp::UNIX_EPOCH,
            accounts: 3,
            cause: Cause {
                event: "e".to_owned(),
                reason: "the schedule looks at everything".to_owned(),
                first_seen: Timestamp::UNIX_EPOCH,
                happened: None,
                attempt: 0,
                sweep: true,
                revision: None,
                arrival: None,
                in_our_name: false,
                hops: 0,
                pauses: crate::task::Pauses::default(),
            },
        })
    }

    #[test]
    fn an_errand_survives_the_queue() {
        let message: Value = serde_json::from_str(&sweep().message().to_string()).unwrap();
        assert_eq!(Errand::of_message(&message).unwrap().unwrap(), sweep());
    }

    #[test]
    fn no_event_passes_for_an_errand() {
        let mut event = json!({ "source": "aws.bedrock", "detail-type": "x", "detail": {} });
        assert!(Errand::of_message(&event).is_none());
        // Not even one that says it is one.
        event[MEMBER] = sweep().message()[MEMBER].clone();
        assert!(Errand::of_message(&event).is_none());
        event["detail"] = sweep().message();
        assert!(Errand::of_message(&event).is_none());
        assert!(Errand::of_message(&json!([])).is_none());
    }

    #[test]
    fn an_errand_of_another_version_is_an_error_and_not_an_event() {
        assert!(Errand::of_message(&json!({ MEMBER: { "dance": {} } })).unwrap().is_err());
    }
}
