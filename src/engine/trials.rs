//! Finds out whether AWS lets members enforce the owner's guardrail: the writes of a run try it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::warn;

use super::Keeper;
use super::accounts::page_of_accounts;
use super::placing::Placing;
use crate::baseline::{Baseline, Mode};
use crate::cloud::Page;
use crate::cloud::error::refuses_reference;
use crate::enforcement::{Enforcement, ReadsBack};
use crate::failure::{Category, Failure};
use crate::ids::{AccountId, Target};
use crate::ledger::LedgerError;
use crate::organization::{Account, Organization};
use crate::placement::{Answer, Permit, PlacementRecord, Refused, Tried};
use crate::plan::{Change, Decision, Held, HoldReason};
use crate::report::{ChangeResult, TargetReport};

/// The result of an attempt that didn't fail.
pub(super) enum Attempt {
    /// It was made. Where AWS shows it in another form than it was written in, both forms.
    Made(Option<Box<ReadsBack>>),
    /// There was nothing left to write; this is the decision instead.
    Needless(Box<Decision>),
}

/// The trials of one run.
pub(super) struct Trials<'a> {
    keeper: &'a Keeper,
    baseline: &'a Baseline,
    organization: &'a Organization,
    placing: &'a Placing,
    /// The answer so far.
    record: Mutex<PlacementRecord>,
    /// Held while a trial is recorded: accounts are written side by side, and the first answer counts for all.
    noting: tokio::sync::Mutex<()>,
}

impl<'a> Trials<'a> {
    /// Begins the trials of a run, and records where the owner's guardrail was seen enforced.
    pub(super) async fn begin(
        keeper: &'a Keeper,
        baseline: &'a Baseline,
        organization: &'a Organization,
        placing: &'a Placing,
    ) -> Trials<'a> {
        let (record, noting) = (Mutex::new(placing.record.clone()), tokio::sync::Mutex::default());
        let trials = Trials { keeper, baseline, organization, placing, record, noting };
        if let Some(target) = placing.found.as_ref().filter(|_| baseline.mode != Mode::Audit) {
            trials.note_accepted(target).await;
        }
        trials
    }

    /// Attempts a change, unless it has to wait for the answer, and learns from the result.
    pub(super) async fn attempt(
        &self,
        change: Change,
        attempt: impl AsyncFnOnce(&Change) -> Result<Attempt, Failure>,
    ) -> TargetReport {
        if let Some(reason) = self.waits(&change) {
            return held(change, reason);
        }
        let (result, reads_back, found) = match attempt(&change).await {
            Ok(Attempt::Made(reads_back)) => (Ok(()), reads_back, None),
            Ok(Attempt::Needless(decision)) => (Ok(()), None, Some(decision)),
            Err(failure) => (Err(failure), None, None),
        };
        match (self.learn(&change, &result).await, found) {
            (Some(reason), _) => held(change, reason),
            (None, Some(decision)) => TargetReport::Decided(*decision),
            (None, None) => {
                let result = result.map_err(|failure| self.in_words(failure, &change));
                TargetReport::Attempted(ChangeResult { reads_back, ..ChangeResult::of(change, result) })
            }
        }
    }

    /// The answer that this run found, in words.
    pub(super) fn decided(&self) -> Option<String> {
        let record = self.known();
        let news = self.placing.is_asked() && record.decided != self.placing.record.decided;
        news.then(|| format!("placement auto, for the whole organization: {record}"))
    }

    fn known(&self) -> MutexGuard<'_, PlacementRecord> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waits(&self, change: &Change) -> Option<HoldReason> {
        let (target, _) = self.placing.trial(change)?;
        match self.known().permits(target, self.keeper.clock.now(), self.placing.remembered) {
            Permit::Try => None,
            Permit::Wait(wait) => Some(HoldReason::PlacementUndecided { wait }),
        }
    }

    async fn learn(&self, change: &Change, result: &Result<(), Failure>) -> Option<HoldReason> {
        if !self.placing.is_asked() {
            return None;
        }
        let (target, to) = change.enforces()?;
        if change.key().is_some_and(|key| *self.baseline.owner_of(key) == target.account) {
            if change.key().is_some_and(|key| self.placing.leaves(key)) {
                let refused = result.as_ref().err().filter(|failure| failure.category == Category::Rejected);
                self.tried_by_the_owner(refused).await;
            }
            return None;
        }
        if target.account == to.guardrail.account {
            return None;
        }
        match result {
            Ok(()) => {
                self.accepted(target).await;
                None
            }
            Err(failure) => {
                self.placing.trial(change)?;
                if refuses_reference(failure, &to.guardrail) {
                    self.refused(target, to, failure).await
                } else {
                    None
                }
            }
        }
    }

    async fn accepted(&self, target: &Target) {
        let _one_at_a_time = self.noting.lock().await;
        if self.known().works_in.is_none() {
            self.note_accepted(target).await;
        }
    }

    async fn note_accepted(&self, target: &Target) {
        let tried = self.tried(target);
        let noted = self.note(|record| record.accepted(tried)).await;
        if let Err(error) = noted {
            warn!("failed to record that AWS takes the owner's guardrail in {target}: {error}");
        }
    }

    /// Records that AWS refused the owner's guardrail. Returns why the target waits now; `None` if another run found
    /// out meanwhile that it works.
    async fn refused(&self, target: &Target, to: &Enforcement, failure: &Failure) -> Option<HoldReason> {
        let _one_at_a_time = self.noting.lock().await;
        let tried = self.tried(target);
        let granted = self.placing.granted(&to.guardrail);
        let refused = Refused { said: &failure.message, granted, only_account: false };
        let mut foreseen = self.known().clone();
        foreseen.refused(tried, refused);
        let nearly = foreseen.answer == Answer::Undecided && foreseen.confirmed().count() == 1;
        let only_account = nearly && self.concerns_only(&target.account).await;
        let refused = Refused { only_account, ..refused };
        if let Err(error) = self.note(|record| record.refused(tried, refused)).await {
            warn!("failed to record that AWS refuses the owner's guardrail in {target}: {error}");
            return Some(HoldReason::LedgerUnavailable);
        }
        match self.known().permits(target, tried.at, self.placing.remembered) {
            Permit::Wait(wait) => Some(HoldReason::PlacementUndecided { wait }),
            Permit::Try => None,
        }
    }

    async fn tried_by_the_owner(&self, refused: Option<&Failure>) {
        if refused.is_none() && self.known().owner_refused.is_none() {
            return;
        }
        let at = self.keeper.clock.now();
        let said = refused.map(|failure| failure.message.as_str());
        let noted = self.note(|record| {
            record.tried_by_the_owner(at, said);
        });
        if let Err(error) = noted.await {
            warn!("failed to record the result of the owner's own enforcement: {error}");
        }
    }

    fn tried<'b>(&'b self, target: &'b Target) -> Tried<'b> {
        Tried { target, at: self.keeper.clock.now(), revision: &self.baseline.revision }
    }

    async fn note(&self, change: impl Fn(&mut PlacementRecord)) -> Result<(), LedgerError> {
        match self.keeper.ledger.change_placement(&change).await {
            Ok(record) => {
                *self.known() = record;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Whether no other account gets a guardrail that says `auto`. If that isn't known, there may be one.
    async fn concerns_only(&self, account: &AccountId) -> bool {
        let others = |one: &Account| one.id != *account && self.concerns(one);
        if self.organization.complete {
            return self.organization.unplaced.is_empty() && !self.organization.accounts.values().any(others);
        }
        let mut from = None;
        loop {
            match page_of_accounts(self.keeper, from).await {
                // An account that can't be placed may be one of them.
                Ok(page) if page.accounts.iter().any(others) || !page.unplaced.is_empty() => return false,
                Ok(Page { next: None, .. }) => return true,
                Ok(page) => from = page.next,
                Err(stopped) => {
                    warn!("failed to decide whether to try another account: {stopped}");
                    return false;
                }
            }
        }
    }

    fn concerns(&self, account: &Account) -> bool {
        let Baseline { owner, exclude, .. } = self.baseline;
        let assignment = self.baseline.assignment(&account.id, &account.path);
        let key = assignment.and_then(|assignment| assignment.guardrail.as_ref());
        account.state.is_active()
            && account.id != *owner
            && !exclude.contains(&account.id)
            && key.is_some_and(|key| self.placing.leaves(key))
    }

    /// Adds the likely cause to a failure. Whether an account-level enforcement may refer to another account's
    /// guardrail is not documented; where AWS refuses one that the account can apply, that is the likely cause.
    fn in_words(&self, failure: Failure, change: &Change) -> Failure {
        let Some((target, to)) = change.enforces() else { return failure };
        // An explicit denial names its own cause.
        let likely = matches!(failure.category, Category::Rejected | Category::Denied)
            && to.guardrail.account != target.account
            && !failure.explicit_deny;
        if !likely || self.placing.trial(change).is_some() {
            return failure;
        }
        let message = format!(
            "{}; the guardrail is account {}'s: if AWS refuses that, `placement: copy` gives this account its own",
            failure.message.trim_end_matches('.'),
            to.guardrail.account
        );
        failure.in_words(message)
    }
}

fn held(change: Change, reason: HoldReason) -> TargetReport {
    TargetReport::Decided(Decision::Held(Held { reason, would: Some(change) }))
}
