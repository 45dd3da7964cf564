//! Units of work. At most one run per group at a time: that is what makes one writer each.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ids::{AccountId, GuardrailArn, Region};
use crate::organization::OrgPath;

/// One unit of work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Task {
    /// Make one account agree with the baseline. Only this kind writes in the account.
    Account(AccountTask),
    /// Make one guardrail usable by the organization. Only this kind writes its resource policy.
    Owner(OwnerTask),
}

/// Work in one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountTask {
    /// The account.
    pub account: AccountId,
    /// Where it stood when the task was made. A worker drops it for a newer one.
    pub placement: Option<Placement>,
    /// The Regions to look at; `None` is every Region that matters.
    pub regions: Option<BTreeSet<Region>>,
    /// Why.
    pub cause: Cause,
}

/// Where an account stands, and when that was so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Its path.
    pub path: OrgPath,
    /// When Organizations said so.
    pub placed_at: Timestamp,
}

/// Work on one guardrail of the owner account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerTask {
    /// The guardrail.
    pub guardrail: GuardrailArn,
    /// Why.
    pub cause: Cause,
}

/// What a task goes back to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The id of the event that began it.
    pub event: String,
    /// When that event was first seen; waiting ends at a bounded age.
    pub first_seen: Timestamp,
    /// How often it was put back: 0 at first.
    pub attempt: u32,
}

impl Task {
    /// The FIFO message group: the account, or the guardrail's ARN.
    pub fn group(&self) -> String {
        match self {
            Task::Account(task) => task.account.to_string(),
            Task::Owner(task) => task.guardrail.to_string(),
        }
    }

    /// The FIFO deduplication id: of the group, the event and the attempt.
    ///
    /// Never of the group alone, or a second tampering within SQS's five minutes would be taken
    /// for the first and swallowed.
    pub fn deduplication_id(&self) -> String {
        let cause = match self {
            Task::Account(task) => &task.cause,
            Task::Owner(task) => &task.cause,
        };
        let mut hash = Sha256::new();
        // A length before each part keeps ("ab", "c") and ("a", "bc") apart.
        for part in [self.group(), cause.event.clone(), cause.attempt.to_string()] {
            hash.update(part.len().to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(account: &str, event: &str, attempt: u32) -> Task {
        Task::Account(AccountTask {
            account: account.parse().unwrap(),
            placement: None,
            regions: None,
            cause: Cause { event: event.to_owned(), first_seen: Timestamp::UNIX_EPOCH, attempt },
        })
    }

    #[test]
    fn one_account_is_one_group_and_each_event_is_a_message_of_its_own() {
        let first = task("300000000001", "event-1", 0);
        let again = task("300000000001", "event-1", 0);
        let tampered = task("300000000001", "event-2", 0);
        let put_back = task("300000000001", "event-1", 1);
        assert_eq!(first.group(), tampered.group());
        assert_eq!(first.deduplication_id(), again.deduplication_id());
        assert_ne!(first.deduplication_id(), tampered.deduplication_id());
        assert_ne!(first.deduplication_id(), put_back.deduplication_id());
        assert_ne!(first.deduplication_id(), task("300000000002", "event-1", 0).deduplication_id());
        // SQS takes at most 128 characters.
        assert_eq!(first.deduplication_id().len(), 64);
    }

    #[test]
    fn a_task_survives_the_queue() {
        let owner = Task::Owner(OwnerTask {
            guardrail: "arn:aws:bedrock:us-east-1:222222222222:guardrail/base".parse().unwrap(),
            cause: Cause { event: "e".to_owned(), first_seen: Timestamp::UNIX_EPOCH, attempt: 3 },
        });
        for task in [owner, task("300000000001", "event-1", 0)] {
            let text = serde_json::to_string(&task).unwrap();
            assert_eq!(serde_json::from_str::<Task>(&text).unwrap(), task, "{text}");
        }
    }
}
