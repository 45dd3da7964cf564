//! Units of work. At most one run per group at a time: that is what makes one writer each.
//!
//! Two ways lead through the queues. A [`Task`] lies in the FIFO queue, one at a time for each account
//! and for each Region of each owner. An [`Errand`] lies in the standard queue, where events come in,
//! too: it may wait there without blocking other work.

mod cause;
mod errand;
mod floods;
mod handout;
mod named_floods;
mod planned;
mod sender;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ids::{AccountId, GuardrailArn, Region, Target};
use crate::organization::AccountPlacement;
use crate::trigger::Regions;

pub use cause::{Cause, MOST_HOPS, Pauses};
pub use errand::{Count, Errand, FinishSweep, Sweep};
pub use floods::{Flooding, Floods, SentEvents, Served};
pub use handout::{Handout, SUPERSEDED_AFTER_MS};
pub use named_floods::NamedFloods;
pub use planned::{Planned, bedrock_policies, cause_of, departed, planned};
pub use sender::{FloodPace, OtherGuardrails, Sender};

/// One unit of work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Task {
    /// Make one account agree with the baseline. Only this kind writes in the account.
    Account(AccountTask),
    /// Make the guardrails of one owner in one Region usable by the organization. Only this kind writes their
    /// resource policies.
    Owner(OwnerTask),
    /// Make the organization's Bedrock policies agree with the baseline. Only this kind writes them.
    Organization(OrganizationTask),
}

/// Work in one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountTask {
    /// The account.
    pub account: AccountId,
    /// Where it stood when the task was made; `None` where Organizations wasn't asked yet. A worker drops it for
    /// a newer one.
    pub placement: Option<AccountPlacement>,
    /// The Regions to look at.
    pub regions: Regions,
    /// How old what the record says of the owner's guardrails may be at most, where that is what the task is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_since: Option<Timestamp>,
    /// Why.
    pub cause: Cause,
}

/// Work on the guardrails of one owner account in one Region.
///
/// By Region and not by ARN: a guardrail that is looked up by name has no ARN before the lookup,
/// and one that was deleted and made anew has another. One Region's run includes each of its guardrails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerTask {
    /// The owner account. `None` where the event doesn't name one, and in messages of an earlier version: then a task for
    /// each owner is queued, and nothing else is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<AccountId>,
    /// The Region.
    pub region: Region,
    /// Whose users are to be looked at afterwards.
    pub then: Then,
    /// Where whoever uses any guardrail is to be looked at: only whoever uses one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others: Option<OtherGuardrails>,
    /// Since when a sweep has looked at every account, where that is why: what no target uses any more
    /// is taken back.
    pub swept_since: Option<Timestamp>,
    /// Whether the guardrail, or a version of it, was only made: nobody can have enforced that before, so that only whoever
    /// should enforce it now has to be looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_addition: bool,
    /// Why.
    pub cause: Cause,
}

/// Work on the organization's Bedrock policies: all of them, since what an account has comes from several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationTask {
    /// The look that it continues, if one invocation was too short for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<ContinuedLook>,
    /// Why.
    pub cause: Cause,
}

/// Which look at the organization's level a task continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContinuedLook {
    /// Its number.
    pub number: u64,
    /// How often it was put down: each message that continues it says something else.
    pub times: u32,
}

/// What follows the work on the owner's side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// Nothing: the accounts have tasks of their own.
    Nothing,
    /// The accounts that should enforce this guardrail are looked at; `None` stands for any of the Region's.
    LookAtUsersOf(Option<GuardrailArn>),
}

impl AccountTask {
    /// Work in an account of which Organizations wasn't asked yet.
    pub fn new(account: AccountId, regions: &Regions, cause: &Cause) -> AccountTask {
        let (regions, cause) = (regions.clone(), cause.clone());
        AccountTask { account, placement: None, regions, owner_since: None, cause }
    }
}

impl OwnerTask {
    /// Work that nothing follows.
    pub fn new(Target { account, region }: Target, cause: &Cause) -> OwnerTask {
        OwnerTask { owner: Some(account), ..OwnerTask::of_each_owner(region, cause) }
    }

    /// Work for each owner in a Region, that nothing follows.
    pub fn of_each_owner(region: Region, cause: &Cause) -> OwnerTask {
        let cause = cause.clone();
        OwnerTask {
            owner: None,
            region,
            then: Then::Nothing,
            others: None,
            swept_since: None,
            is_addition: false,
            cause,
        }
    }

    /// The owner account, where the task or what it is about names one.
    pub fn named_owner(&self) -> Option<&AccountId> {
        let of_others = || self.others.as_ref().map(|others| &others.account);
        match (&self.owner, &self.then) {
            (Some(owner), _) => Some(owner),
            (None, Then::LookAtUsersOf(Some(guardrail))) => Some(&guardrail.account),
            (None, Then::LookAtUsersOf(None) | Then::Nothing) => of_others(),
        }
    }
}

impl Task {
    /// The FIFO message group: the account, the owner's account and Region, or the organization. A task for each owner
    /// in a Region has the group that earlier versions used for their only owner; it writes nothing.
    pub fn group(&self) -> String {
        match self {
            Task::Account(task) => task.account.to_string(),
            Task::Owner(OwnerTask { owner: Some(owner), region, .. }) => format!("owner.{owner}.{region}"),
            Task::Owner(OwnerTask { owner: None, region, .. }) => format!("owner.{region}"),
            Task::Organization(_) => "organization".to_owned(),
        }
    }

    /// The FIFO deduplication id: of the group, the event, the attempt, and what is to be done.
    ///
    /// Never of the group alone, or a second tampering within SQS's five minutes would be taken
    /// for the first and swallowed.
    pub fn deduplication_id(&self) -> String {
        let Cause { event, attempt, .. } = self.cause();
        let what = match self {
            Task::Account(AccountTask { regions, .. }) => regions.to_string(),
            Task::Owner(OwnerTask { then, others: None, swept_since, .. }) => {
                format!("{then:?} {swept_since:?}")
            }
            Task::Owner(OwnerTask { then, others: Some(others), swept_since, .. }) => {
                format!("{then:?} {swept_since:?} {others:?}")
            }
            Task::Organization(OrganizationTask { continues: None, .. }) => String::new(),
            Task::Organization(OrganizationTask { continues: Some(look), .. }) => format!("{look:?}"),
        };
        let mut hash = Sha256::new();
        // A length before each part keeps ("ab", "c") and ("a", "bc") apart.
        for part in [self.group(), event.clone(), attempt.to_string(), what] {
            hash.update(part.len().to_be_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What it goes back to.
    pub fn cause(&self) -> &Cause {
        match self {
            Task::Account(task) => &task.cause,
            Task::Owner(task) => &task.cause,
            Task::Organization(task) => &task.cause,
        }
    }

    /// What it goes back to, to be changed.
    pub fn cause_mut(&mut self) -> &mut Cause {
        match self {
            Task::Account(task) => &mut task.cause,
            Task::Owner(task) => &mut task.cause,
            Task::Organization(task) => &mut task.cause,
        }
    }

    /// The same work once more, later.
    #[must_use]
    pub fn again(mut self) -> Task {
        *self.cause_mut() = self.cause().again();
        self
    }

    /// The same work, looked at again soon: it got something done that it waits for.
    #[must_use]
    pub fn with_short_pauses(mut self) -> Task {
        *self.cause_mut() = self.cause().clone().with_short_pauses();
        self
    }

    /// The same work in some Regions of it only. The owner's is in one Region anyway.
    #[must_use]
    pub fn narrowed(self, regions: BTreeSet<Region>) -> Task {
        match self {
            Task::Account(task) if !regions.is_empty() => {
                Task::Account(AccountTask { regions: Regions::Only(regions), ..task })
            }
            task => task,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::cause::cause;
    use super::*;

    fn task(account: &str, event: &str, attempt: u32) -> Task {
        Task::Account(AccountTask {
            account: account.parse().unwrap(),
            placement: None,
            regions: Regions::All,
            owner_since: None,
            cause: cause(event, attempt),
        })
    }

    #[test]
    fn a_chain_of_messages_ends_whatever_leads_from_one_to_the_next() {
        let mut work = task("300000000001", "event-1", 0);
        let first = work.deduplication_id();
        let sent = (0..2 * MOST_HOPS).take_while(|_| work.cause_mut().hop()).count();
        assert_eq!(sent, usize::try_from(MOST_HOPS).unwrap());
        // A chain of another length does the same work, so SQS drops the second message.
        assert_eq!(work.deduplication_id(), first);
        work.cause_mut().hops = u32::MAX;
        assert!(!work.cause_mut().hop());
        // The longest wait that can be set fits in: a task and an errand for each attempt.
        let longest = (0..).find(|attempt| cause("e", *attempt).waited_seconds() > 336 * 3600).unwrap();
        assert!(2 * longest < MOST_HOPS, "{longest}");
    }

    #[test]
    fn messages_of_an_earlier_version_begin_a_chain() {
        let mut message = serde_json::to_value(task("300000000001", "event-1", 3)).unwrap();
        message["cause"]
            .as_object_mut()
            .unwrap()
            .retain(|name, _| !["hops", "pauses"].contains(&name.as_str()));
        assert_eq!(serde_json::from_value::<Task>(message).unwrap(), task("300000000001", "event-1", 3));
    }

    #[test]
    fn one_account_is_one_group_and_each_event_is_a_message_of_its_own() {
        let first = task("300000000001", "event-1", 0);
        let again = task("300000000001", "event-1", 0);
        let tampered = task("300000000001", "event-2", 0);
        let put_back = task("300000000001", "event-1", 0).again();
        assert_eq!(first.group(), tampered.group());
        assert_eq!(first.deduplication_id(), again.deduplication_id());
        assert_ne!(first.deduplication_id(), tampered.deduplication_id());
        assert_ne!(first.deduplication_id(), put_back.deduplication_id());
        assert_ne!(first.deduplication_id(), task("300000000002", "event-1", 0).deduplication_id());
        let narrowed = first.clone().narrowed(BTreeSet::from(["eu-west-1".parse().unwrap()]));
        assert_ne!(first.deduplication_id(), narrowed.deduplication_id());
        // SQS takes at most 128 characters, for a group as well.
        assert_eq!(first.deduplication_id().len(), 64);
    }

    #[test]
    fn what_is_put_back_is_the_same_work_one_try_later() {
        let owner = OwnerTask {
            owner: Some("222222222222".parse().unwrap()),
            region: "us-east-1".parse().unwrap(),
            then: Then::Nothing,
            others: None,
            swept_since: Some(Timestamp::UNIX_EPOCH),
            is_addition: false,
            cause: cause("e", 3),
        };
        let later = OwnerTask { cause: cause("e", 4), ..owner.clone() };
        assert_eq!(Task::Owner(owner.clone()).again(), Task::Owner(later));
        assert_eq!(task("300000000001", "e", 0).again(), task("300000000001", "e", 1));
        // Narrowed to no Region at all, nothing would be done.
        assert_eq!(task("300000000001", "e", 0).narrowed(BTreeSet::new()), task("300000000001", "e", 0));
        let elsewhere = BTreeSet::from(["eu-west-1".parse().unwrap()]);
        assert_eq!(Task::Owner(owner.clone()).narrowed(elsewhere), Task::Owner(owner));
    }

    #[test]
    fn each_owner_has_a_group_in_each_region() {
        let of = |owner: &str| Task::Owner(OwnerTask::new(owner.parse().unwrap(), &cause("e", 0)));
        let (first, second) = (of("222222222222/us-east-1"), of("111111111111/us-east-1"));
        assert_eq!(first.group(), "owner.222222222222.us-east-1");
        assert_eq!(second.group(), "owner.111111111111.us-east-1");
        assert_ne!(first.group(), of("222222222222/eu-west-1").group());
        assert_ne!(first.deduplication_id(), second.deduplication_id());
    }

    #[test]
    fn a_message_of_an_earlier_version_is_for_each_owner_or_for_the_one_that_it_is_about() {
        let text = |rest: &str| {
            let cause = serde_json::to_value(cause("e", 0)).unwrap();
            format!(r#"{{"kind":"owner","region":"us-east-1","swept_since":null,"cause":{cause},{rest}}}"#)
        };
        let read = |rest: &str| match serde_json::from_str::<Task>(&text(rest)).unwrap() {
            Task::Owner(task) => (Task::Owner(task.clone()).group(), task.named_owner().cloned()),
            other => panic!("{other:?}"),
        };
        let group = "owner.us-east-1".to_owned();
        assert_eq!(read(r#""then":"nothing""#), (group.clone(), None));
        let guardrail =
            r#""then":{"look_at_users_of":"arn:aws:bedrock:us-east-1:222222222222:guardrail/base"}"#;
        assert_eq!(read(guardrail), (group.clone(), Some("222222222222".parse().unwrap())));
        let others = r#""then":{"look_at_users_of":null},"others":{"account":"222222222222","but":[]}"#;
        assert_eq!(read(others), (group, Some("222222222222".parse().unwrap())));
    }

    #[test]
    fn what_got_something_done_is_the_same_work_with_short_pauses() {
        let owner = OwnerTask {
            owner: Some("222222222222".parse().unwrap()),
            region: "us-east-1".parse().unwrap(),
            then: Then::Nothing,
            others: None,
            swept_since: None,
            is_addition: false,
            cause: cause("e", 40),
        };
        let fresh = cause("e", 40).with_short_pauses();
        assert_ne!(fresh, cause("e", 40));
        let soon = OwnerTask { cause: fresh.clone(), ..owner.clone() };
        assert_eq!(Task::Owner(owner).with_short_pauses(), Task::Owner(soon));
        let mut soon = task("300000000001", "e", 40);
        *soon.cause_mut() = fresh;
        assert_eq!(task("300000000001", "e", 40).with_short_pauses(), soon);
    }

    #[test]
    fn a_task_survives_the_queue() {
        let owner = Task::Owner(OwnerTask {
            owner: Some("222222222222".parse().unwrap()),
            region: "us-east-1".parse().unwrap(),
            then: Then::LookAtUsersOf(Some(
                "arn:aws:bedrock:us-east-1:222222222222:guardrail/base".parse().unwrap(),
            )),
            others: None,
            swept_since: Some(Timestamp::UNIX_EPOCH),
            is_addition: false,
            cause: cause("e", 3),
        });
        let narrowed = task("300000000001", "e", 0).narrowed(BTreeSet::from(["eu-west-1".parse().unwrap()]));
        for task in [owner, task("300000000001", "event-1", 0), narrowed] {
            let text = serde_json::to_string(&task).unwrap();
            assert_eq!(serde_json::from_str::<Task>(&text).unwrap(), task, "{text}");
        }
    }
}
