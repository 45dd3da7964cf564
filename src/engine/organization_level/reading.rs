//! Reads the organization's policies and accounts as far as one invocation has time, and puts down what was read, so that
//! the next invocation continues.
//!
//! A small organization is read at once, and nothing is put down. In a large one a look may take ten minutes and as many
//! invocations. Whatever asks for a look meanwhile leaves a note, and another look follows. What a look read counts for an
//! hour. The keeper's own policies, and what is attached to their points, are read once more right before each write.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tracing::info;

use super::NotLooked;
use crate::cloud::{BedrockPolicyReader, Page, SeenPolicies};
use crate::engine::listing::{ListedPage, PAGE_SECONDS, page};
use crate::engine::{Deadline, Keeper};
use crate::failure::Failure;
use crate::organization_level::{
    BegunLook, ListedSoFar, LookPart, OrganizationLevelRecord, Outdated, ReadSoFar,
};
use crate::task::{ContinuedLook, Handout};

/// How much time one more call needs with all its attempts, and then to put down what was read, in seconds.
const CALL_SECONDS: u64 = PAGE_SECONDS + 15;

/// How much time it needs to decide by what was read, and to take one step, in seconds.
pub(super) const DECIDING_SECONDS: u64 = 75;

/// How long what was read is kept, in seconds.
const KEPT_SECONDS: i64 = 86_400;

/// What is read of an organization, by one invocation or several.
pub(super) struct Reading<'a> {
    keeper: &'a Keeper,
    deadline: Deadline,
    /// The look that it continues, as it was put down.
    begun: Option<BegunLook>,
    began: Timestamp,
    looked_ms: Option<u64>,
    read: LookPart,
    /// What the parts hold.
    kept: ReadSoFar,
    accounts: ListedSoFar,
    /// What was seen published.
    published: BTreeSet<String>,
    outdated: Outdated,
    /// Whether this invocation did anything: one call is made in any case.
    worked: bool,
}

impl<'a> Reading<'a> {
    /// A look that begins now.
    pub(super) fn new(keeper: &'a Keeper, deadline: Deadline, looked_ms: Option<u64>) -> Reading<'a> {
        Reading {
            keeper,
            deadline,
            begun: None,
            began: keeper.clock.now(),
            looked_ms,
            read: LookPart::default(),
            kept: ReadSoFar::default(),
            accounts: ListedSoFar::default(),
            published: BTreeSet::new(),
            outdated: Outdated::default(),
            worked: false,
        }
    }

    /// Continues a look; begins anew where what it read is too old, or is not there any more.
    pub(super) async fn of(
        keeper: &'a Keeper,
        begun: Option<&BegunLook>,
        deadline: Deadline,
        handout: Handout,
    ) -> Result<Reading<'a>, NotLooked> {
        let new = Reading::new(keeper, deadline, handout.received_ms);
        let Some(begun) = begun.filter(|begun| begun.counts(new.began)) else { return Ok(new) };
        let Some(mut read) = keeper.ledger.look_parts(begun.number, begun.parts).await? else {
            return Ok(new);
        };
        begun.written.iter().for_each(|id| read.forget_policy(id));
        read.policies.attached.retain(|point, _| !begun.changed.contains(point));
        Ok(Reading {
            began: begun.began,
            looked_ms: begun.looked_ms,
            kept: ReadSoFar::of(&read),
            read,
            accounts: begun.accounts.clone(),
            published: begun.published.clone(),
            begun: Some(begun.clone()),
            ..new
        })
    }

    /// In an invocation that did something before.
    pub(super) fn after_work(self) -> Reading<'a> {
        Reading { worked: true, ..self }
    }

    pub(super) fn began(&self) -> Timestamp {
        self.began
    }

    pub(super) fn looked_ms(&self) -> Option<u64> {
        self.looked_ms
    }

    /// Whether there is time for what needs so many seconds. There always is as long as this invocation did nothing.
    pub(super) fn has_time(&self, seconds: u64) -> bool {
        !self.worked || self.deadline.leaves(seconds)
    }

    /// As [`Reading::has_time`], for something that is done then.
    pub(super) fn takes_time(&mut self, seconds: u64) -> bool {
        let has_time = self.has_time(seconds);
        self.worked = true;
        has_time
    }

    /// Every Bedrock policy; `None` if there is no time for all of them.
    pub(super) async fn policies(
        &mut self,
        reader: &BedrockPolicyReader,
    ) -> Result<Option<SeenPolicies>, NotLooked> {
        let mut policies = std::mem::take(&mut self.read.policies);
        let seen = reader.read_on(&mut policies, |_| self.takes_time(CALL_SECONDS)).await;
        self.read.policies = policies;
        Ok(seen?)
    }

    /// Every account; `None` if there is no time for all of them.
    pub(super) async fn accounts(&mut self) -> Result<Option<&LookPart>, NotLooked> {
        while self.accounts != ListedSoFar::All {
            if !self.takes_time(CALL_SECONDS) {
                return Ok(None);
            }
            let from = match &self.accounts {
                ListedSoFar::Until(token) => Some(token.clone()),
                ListedSoFar::Nothing | ListedSoFar::All => None,
            };
            match page(self.keeper, from.clone()).await? {
                ListedPage::Page(Page { next, .. }) if next.is_some() && next == from => {
                    return Err(
                        Failure::incomplete("ListAccounts", "a page other than the one it is on").into()
                    );
                }
                ListedPage::Page(Page { accounts, unplaced, next }) => {
                    let accounts = accounts.into_iter().map(|account| (account.id.clone(), account));
                    self.read.accounts.extend(accounts);
                    self.read.unplaced.extend(unplaced.into_keys());
                    self.accounts = next.map_or(ListedSoFar::All, ListedSoFar::Until);
                }
                ListedPage::TokenRefused => self.accounts = ListedSoFar::Nothing,
            }
        }
        if self.read.accounts.is_empty() && self.read.unplaced.is_empty() {
            return Err(Failure::no_accounts().into());
        }
        Ok(Some(&self.read))
    }

    /// Whether the check that is under way saw this published.
    pub(super) fn was_published(&self, what: &str) -> bool {
        self.published.contains(what)
    }

    pub(super) fn is_published(&mut self, what: String) {
        self.published.insert(what);
    }

    pub(super) fn forget_published(&mut self) {
        self.published.clear();
    }

    /// Takes note that something was written: it is read again before the next decision.
    pub(super) fn outdates(&mut self, outdated: Outdated) {
        self.outdated.policies.extend(outdated.policies);
        self.outdated.points.extend(outdated.points);
    }

    /// Puts down what was read by a look that failed, if it is one of several invocations. Returns why it failed.
    pub(super) async fn put_down_after(self, why: NotLooked) -> NotLooked {
        if self.begun.is_some()
            && let Err(NotLooked::Failed(failure)) = self.put_down().await
        {
            info!("what was read could not be put down: {failure}");
        }
        why
    }

    /// Puts down what was read, for the next invocation.
    pub(super) async fn put_down(mut self) -> Result<ContinuedLook, NotLooked> {
        let Reading { keeper, began, looked_ms, .. } = self;
        let ledger = &keeper.ledger;
        let number = match &self.begun {
            Some(begun) => begun.number,
            None => ledger.organization_level().await?.begun_looks + 1,
        };
        let mut parts = self.begun.as_ref().map_or(0, |begun| begun.parts);
        let expires = keeper.clock.now().as_second() + KEPT_SECONDS;
        self.outdated.policies.iter().for_each(|id| self.read.forget_policy(id));
        self.read.policies.attached.retain(|point, _| !self.outdated.points.contains(point));
        for part in self.read.without(&self.kept).split() {
            ledger.keep_look_part(number, parts, &part, expires).await?;
            parts += 1;
        }
        let (mut written, mut changed) = match &self.begun {
            Some(begun) => (begun.written.clone(), begun.changed.clone()),
            None => Default::default(),
        };
        // What was read since is in a later part.
        written.retain(|id| !self.read.policies.targets.contains_key(id));
        changed.retain(|point| !self.read.policies.attached.contains_key(point));
        written.extend(self.outdated.policies);
        changed.extend(self.outdated.points);
        let times = self.begun.as_ref().map_or(0, |begun| begun.times) + 1;
        let put_down = keeper.clock.now();
        let (accounts, published) = (self.accounts, self.published);
        let change = |known: &mut OrganizationLevelRecord| {
            let asked = known.begun.as_ref().filter(|begun| begun.number == number);
            let asked = asked.and_then(|begun| begun.asked.clone());
            known.begun_looks = known.begun_looks.max(number);
            known.begun = Some(BegunLook {
                number,
                began,
                put_down,
                looked_ms,
                parts,
                times,
                accounts: accounts.clone(),
                written: written.clone(),
                changed: changed.clone(),
                published: published.clone(),
                asked,
            });
        };
        ledger.change_organization_level(change).await?;
        let (policies, accounts) = (self.read.policies.targets.len(), self.read.accounts.len());
        info!(policies, accounts, "the look at the organization's level goes on in another invocation");
        Ok(ContinuedLook { number, times })
    }
}
