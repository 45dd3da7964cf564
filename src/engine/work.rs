//! One task from the queue, done in one go: an account's, or the owner's in one Region.
//!
//! A task never waits: what isn't ready is told to the caller, who puts it back.

use std::collections::BTreeSet;

use tracing::{info, warn};

use super::owner::sources;
use super::{Keeper, MAX_ROUNDS, Manner, Part, Stopped, unwatched};
use crate::baseline::{Baseline, GuardrailKey};
use crate::cloud::Page;
use crate::ids::{AccountId, GuardrailArn, Region};
use crate::ledger::LedgerError;
use crate::limits::EffectiveBaseline;
use crate::organization::{AccountState, Placement};
use crate::plan::{Decision, HoldReason};
use crate::record::{Closed, Sequence};
use crate::report::{Report, TargetReport};
use crate::resolved::{Readiness, Unusable, newly_open};
use crate::task::{AccountTask, OwnerTask};
use crate::trigger::{Accounts, Regions, Scope};

/// What became of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "what is left of a task has to be put back"]
pub enum Worked {
    /// It was done, as the report says.
    Done(Box<Report>),
    /// The account gets no calls any more.
    Departed(Departed),
    /// The account is still being made.
    Pending(AccountState),
}

/// Why an account gets no calls any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It is no member of the organization, or never was.
    Left,
    /// It is a member, and no call can work there.
    Inactive(AccountState),
}

impl std::fmt::Display for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Gone::Left => f.write_str("it is no member of the organization"),
            Gone::Inactive(state) => write!(f, "it is {state}"),
        }
    }
}

/// An account that gets no calls any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departed {
    /// The account.
    pub account: AccountId,
    /// Why, in words.
    pub reason: String,
    /// The Regions in which an enforcement of ours was left behind, as far as the record knows. Out
    /// of the organization it may not apply the guardrail any more, so that its calls fail there.
    pub left_behind: BTreeSet<Region>,
    /// Whether it was known before as one that gets no calls, and that was told.
    pub known: bool,
    /// Whether the record knows any Region of it.
    pub recorded: bool,
}

impl Keeper {
    /// Makes one account agree with the baseline that it follows.
    ///
    /// # Errors
    /// When it stopped before anything was written.
    pub async fn work_on_account(
        &self,
        followed: &EffectiveBaseline,
        task: &AccountTask,
        sequence: Option<Sequence>,
    ) -> Result<Worked, Stopped> {
        let Some(placement) = self.newest_placement(task).await? else {
            return Ok(Worked::Departed(self.close(&task.account, &Gone::Left, sequence).await?));
        };
        match &placement.account.state {
            // Nobody here knows what such a state means: the record isn't closed, and nothing is taken away.
            AccountState::Active | AccountState::Other(_) => {}
            AccountState::PendingActivation => {
                return Ok(Worked::Pending(placement.account.state));
            }
            AccountState::Suspended | AccountState::PendingClosure | AccountState::Closed => {
                let gone = Gone::Inactive(placement.account.state);
                return Ok(Worked::Departed(self.close(&task.account, &gone, sequence).await?));
            }
        }
        let scope = Scope {
            accounts: Accounts::one(task.account.clone()),
            regions: task.regions.clone(),
            ..super::everything()
        };
        let manner = Manner {
            part: Part::Account,
            sequence,
            event: Some(task.cause.event.clone()),
            arrival: task.cause.arrival,
            // Where many are looked at, the owner's side was to be looked at first: what was recorded
            // before that may be what the look is about.
            owner_seen_since: task.placement.is_some().then_some(task.cause.first_seen),
            placement: Some(placement),
            candidate: followed.candidate.clone(),
            ..Manner::default()
        };
        let report = self.reconcile_as(&followed.baseline, &scope, &manner, &unwatched).await?;
        Ok(Worked::Done(Box::new(report)))
    }

    /// Where the account stands: by the task, or by what was recorded since, or as Organizations says now.
    async fn newest_placement(&self, task: &AccountTask) -> Result<Option<Placement>, Stopped> {
        let Some(placement) = &task.placement else {
            return self.place(&task.account).await;
        };
        match self.ledger.account(&task.account).await {
            Ok(known) => {
                let newer = known.placement.filter(|known| known.placed_at > placement.placed_at);
                Ok(Some(newer.unwrap_or_else(|| placement.clone())))
            }
            // Which is the newer one isn't known, so it is asked for.
            Err(error) => {
                warn!(account.id = %task.account, "the ledger could not be read, so the account is looked up: {error}");
                self.place(&task.account).await
            }
        }
    }

    /// Takes note that an account gets no calls any more.
    ///
    /// # Errors
    /// When the ledger can't be used.
    pub async fn close(
        &self,
        account: &AccountId,
        gone: &Gone,
        sequence: Option<Sequence>,
    ) -> Result<Departed, Stopped> {
        let reason = gone.to_string();
        let at = self.clock.now();
        let known = self.ledger.account(account).await?;
        let departed = Departed {
            account: account.clone(),
            left_behind: known.regions_of_ours().cloned().collect(),
            known: known.closed.as_ref().is_some_and(|closed| !closed.untold),
            recorded: !known.regions.is_empty(),
            reason: reason.clone(),
        };
        // Nothing is made for an account that was never ours to look at: anybody can name one.
        if !known.regions.is_empty() && known.closed.is_none() {
            let untold = self.tells(true).is_some();
            let closed = self
                .ledger
                .change_account(account, |record| {
                    record.advance(sequence)?;
                    if *gone == Gone::Left {
                        // What was to happen before it left is over: should it come back, it is guarded.
                        record.offboarding = None;
                    }
                    record.closed.get_or_insert_with(|| Closed { at, reason: reason.clone(), untold });
                    Ok(())
                })
                .await;
            match closed {
                Ok(()) | Err(LedgerError::Superseded(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        info!(account.id = %account, "no calls are made in {account}: {reason}");
        if !departed.left_behind.is_empty() && !departed.known {
            warn!(account.id = %account, "{departed}");
        }
        Ok(departed)
    }

    /// Makes the guardrails of one Region usable by the organization, and records what accounts may rely on.
    ///
    /// # Errors
    /// When it stopped before anything was written.
    pub async fn work_for_owner(&self, followed: &Baseline, task: &OwnerTask) -> Result<Report, Stopped> {
        // Without it what is open may be told once more, and never less.
        let known = self.ledger.readiness(&task.region).await.ok().flatten();
        let (mut report, readiness) = self.grant_in(followed, task).await?;
        // What was written and not read back yet is nothing to rely on.
        if let Some(readiness) = readiness {
            let before = known.as_ref().map(|known| known.openings(&followed.organization));
            report.opened =
                newly_open(&readiness.openings(&followed.organization), &before.unwrap_or_default());
            if let Err(error) = self.ledger.set_readiness(&task.region, readiness).await {
                // Then each account reads for itself.
                warn!(region = %task.region, "what the owner's side holds could not be recorded: {error}");
            }
            self.kept.forget_readiness(&task.region);
        }
        Ok(report)
    }

    /// Makes the guardrails of a baseline that waits for its approval usable by the organization, so that they are
    /// once it is approved. No account relies on them yet, and so nothing is recorded of them.
    ///
    /// # Errors
    /// When it stopped before anything was written.
    pub async fn grant_for_candidate(
        &self,
        candidate: &Baseline,
        task: &OwnerTask,
    ) -> Result<Report, Stopped> {
        Ok(self.grant_in(candidate, task).await?.0)
    }

    /// Looks at the owner's side until what it wrote was read back. Answers what was seen then; `None` where the last
    /// look that is made still wrote something.
    async fn grant_in(
        &self,
        baseline: &Baseline,
        task: &OwnerTask,
    ) -> Result<(Report, Option<Readiness>), Stopped> {
        let regions = Regions::Only(BTreeSet::from([task.region.clone()]));
        let scope = Scope { regions: regions.clone(), ..super::everything() };
        let mut manner = Manner {
            part: Part::Owner { swept_since: task.swept_since },
            event: Some(task.cause.event.clone()),
            ..Manner::default()
        };
        let mut whole: Option<Report> = None;
        for _ in 0..MAX_ROUNDS {
            let at = self.clock.now();
            let survey = self.survey_as(baseline, &scope, &manner, &unwatched).await?;
            let readiness = Readiness::of(&task.region, &sources(baseline, &regions), &survey.catalog, at);
            let report = self.apply(baseline, survey, &unwatched).await;
            let goes_on = report.calls_for_another_look();
            let report = match whole.take() {
                Some(mut whole) => {
                    whole.absorb(report);
                    whole
                }
                None => report,
            };
            if !goes_on {
                return Ok((report, Some(readiness)));
            }
            whole = Some(report);
            manner.again = true;
            manner.part = Part::Owner { swept_since: None };
        }
        Ok((whole.expect("there is at least one round"), None))
    }

    /// What the baseline calls a guardrail, by what was recorded of its Region. `None` where that
    /// isn't known, so that it may be any.
    pub async fn keys_of(&self, region: &Region, guardrail: &GuardrailArn) -> Option<BTreeSet<GuardrailKey>> {
        let keys = self.readiness(region, None).await?.keys_of(guardrail);
        (!keys.is_empty()).then_some(keys)
    }

    /// A page of the organization's accounts.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn page_of_accounts(&self, from: Option<String>) -> Result<Page, Stopped> {
        let head = self.head().await?;
        let page = self.cloud.organizations().page(&head, from).await;
        page.map_err(Stopped::OrganizationUnreadable)
    }
}

/// The Regions in which the owner's side has something to do before the account can go on.
pub fn regions_for_the_owner(report: &Report) -> BTreeSet<Region> {
    let lacks_grant = |report: &&TargetReport| match report {
        TargetReport::Decided(Decision::Held(held)) => matches!(
            &held.reason,
            HoldReason::Unusable { unusable: Unusable::NotGranted { being_mended: true, .. } }
        ),
        TargetReport::Decided(Decision::Broken(broken)) => broken.unusable.is_being_mended(),
        TargetReport::Decided(_) | TargetReport::Attempted(_) | TargetReport::CleanedUp { .. } => false,
    };
    let lacking = report.targets.iter().filter(|(_, report)| lacks_grant(report));
    lacking.map(|(target, _)| target.region.clone()).collect()
}

impl std::fmt::Display for Departed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Departed { account, reason, left_behind, known: _, recorded: _ } = self;
        write!(f, "{account} gets no calls any more: {reason}")?;
        if left_behind.is_empty() {
            return Ok(());
        }
        write!(f, "; it still enforces a guardrail that it may no longer be able to apply, in")?;
        for region in left_behind {
            write!(f, " {region}")?;
        }
        f.write_str(": its Bedrock calls there may fail until its own administrator removes the enforcement")
    }
}
