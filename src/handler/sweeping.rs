//! Long work over the whole organization, a page of accounts at a time: counting what a revision would
//! change, queueing a look at everybody, and seeing when that has come to its end.
//!
//! Each page is done before it is asked whether there is time for another; what is left is sent on.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tracing::{debug, error, info, warn};

use super::HandlerError;
use super::planner::{Planner, regions};
use crate::baseline::{Baseline, GuardrailKey, NamedIds};
use crate::cloud::Page;
use crate::engine;
use crate::engine::{PresentBaseline, Stopped, not_placed};
use crate::failure::{Category, Failure};
use crate::limits::{Extent, RevisionApproval};
use crate::organization::{Account, Placement};
use crate::task::{AccountTask, Cause, Count, Errand, OwnerTask, Settle, Sweep, Task, Then};
use crate::trigger::Regions;

/// How much time has to be left for another page of accounts: one call to Organizations with all its
/// attempts, and the messages of its accounts.
pub(super) const PAGE_SECONDS: u64 = 40;

/// How often a sweep's end is looked for before it is told as it is.
const LOOKS_FOR_AN_END: u32 = 10;

impl Planner<'_> {
    pub(super) async fn count(self, mut count: Count) -> Result<(), HandlerError> {
        let PresentBaseline { baseline, instead_of, unread, refused: _ } =
            engine::present(self.keeper).await?;
        if unread {
            return Err(HandlerError::NoBaseline(instead_of.unwrap_or_default()));
        }
        let before = self.keeper.ledger().revision_approval().await.map_err(Stopped::Ledger)?;
        if baseline.revision != count.revision || instead_of.is_some() {
            // The baseline changed meanwhile, and that change has an event of its own.
            info!(baseline.revision = %count.revision, "not counted further: the baseline is another one now");
            return Ok(());
        }
        let catalog = engine::catalog_for_counting(self.keeper, &baseline).await;
        if count.page.is_none() {
            count.unseen = Some(NamedIds::of(&baseline));
        }
        loop {
            let Page { accounts, unplaced, next } = match self.page(count.page.clone()).await? {
                Listed::Page(page) => page,
                Listed::TokenRefused if is_too_old(&count.cause, self.keeper.clock().now()) => return Ok(()),
                Listed::TokenRefused => {
                    let Count { revision, cause, .. } = count;
                    let extent = Extent::default();
                    let count = Count {
                        revision,
                        page: None,
                        extent,
                        accounts: 0,
                        unseen: None,
                        cause: cause.again(),
                    };
                    let delay = count.cause.delay_seconds();
                    return self.later(&Errand::Count(count), delay).await;
                }
            };
            count.accounts += accounts.len();
            if let Some(unseen) = &mut count.unseen {
                unseen.found(&accounts, &unplaced);
            }
            for account in unplaced.keys() {
                warn!(account.id = %account, "{account} can't be placed: all of it counts as replaced");
            }
            let extent = engine::count(self.keeper, &baseline, &catalog, accounts, &unplaced).await?;
            count.extent = count.extent.plus(extent);
            count.page = next;
            if count.page.is_none() {
                break;
            }
            if !self.deadline.leaves(PAGE_SECONDS) {
                return self.later(&Errand::Count(count), 0).await;
            }
        }
        if count.accounts == 0 {
            // Nothing would be replaced or released by what was counted, and so it would be approved.
            return Err(Stopped::OrganizationUnreadable(Failure::no_accounts()).into());
        }
        let Count { revision, extent, cause, unseen, page: _, accounts: _ } = count;
        let names_nobody = unseen.unwrap_or_default();
        let (mut approved, mut waiting) = (false, None);
        let counted = self
            .keeper
            .ledger()
            .change_revision_approval(|known| {
                // A later revision's, which somebody may have approved while this one was counted.
                let is_later = |known: &RevisionApproval| {
                    known.revision != revision
                        && before.as_ref().is_none_or(|before| before.revision != known.revision)
                };
                if known.as_ref().is_some_and(is_later) {
                    return;
                }
                let approval = known.take().filter(|known| known.revision == revision);
                let approval = approval.unwrap_or_else(|| RevisionApproval::new(revision.clone()));
                let approval = approval.count(extent, baseline.limits, names_nobody.clone());
                approved = approval.approved;
                waiting = (!approved).then(|| approval.clone());
                *known = Some(approval);
            })
            .await;
        counted.map_err(Stopped::Ledger)?;
        if approved {
            engine::keep_approved(self.keeper, &revision).await;
            info!(baseline.revision = %revision, "baseline {revision} is within its limits: {extent}");
        } else if let Some(approval) = waiting {
            log_waiting(&approval);
        }
        // Repairs and looks go on either way.
        let now = self.keeper.clock().now();
        let sweep =
            Sweep { regions: Regions::All, guardrails: None, page: None, began: now, accounts: 0, cause };
        self.sweep(sweep).await
    }

    pub(super) async fn sweep(self, mut sweep: Sweep) -> Result<(), HandlerError> {
        let PresentBaseline { baseline, .. } =
            engine::present_for(self.keeper, sweep.cause.revision.as_ref(), sweep.cause.first_seen).await?;
        let followed = self.followed(&baseline).await;
        if sweep.page.is_none() && sweep.guardrails.is_none() {
            // The owner's side first: accounts find what it recorded, and wait where it has work to do.
            let here = regions(&baseline, followed.as_ref());
            let here = here.into_iter().filter(|region| sweep.regions.contain(region));
            let owner = here.map(|region| {
                let cause = sweep.cause.clone();
                Task::Owner(OwnerTask { region, then: Then::Nothing, swept_since: None, cause })
            });
            self.send(owner.collect()).await?;
        }
        loop {
            let Page { accounts, unplaced, next } = match self.page(sweep.page.clone()).await? {
                Listed::Page(page) => page,
                Listed::TokenRefused if is_too_old(&sweep.cause, self.keeper.clock().now()) => return Ok(()),
                Listed::TokenRefused => {
                    let cause = sweep.cause.again();
                    let delay = cause.delay_seconds();
                    let sweep = Sweep { page: None, accounts: 0, cause, ..sweep };
                    return self.later(&Errand::Sweep(sweep), delay).await;
                }
            };
            let placed_at = self.keeper.clock().now();
            unplaced.iter().for_each(|(account, failure)| not_placed(account, failure));
            // Whoever works on such an account asks for it once more, and alone. One whose id can't be one is only
            // counted, so that the sweep doesn't pass for a look at everybody.
            let (odd, nameless): (Vec<_>, Vec<_>) =
                unplaced.keys().map(|id| id.parse()).partition(Result::is_ok);
            let odd = odd.into_iter().flatten().map(|account| {
                Task::Account(AccountTask {
                    account,
                    placement: None,
                    regions: sweep.regions.clone(),
                    cause: sweep.cause.clone(),
                })
            });
            let tasks: Vec<Task> = accounts
                .into_iter()
                .filter(|account| account.state.admits_work())
                .filter(|account| {
                    let baselines = followed.iter().map(|followed| &followed.baseline).chain([&baseline]);
                    let guardrails = sweep.guardrails.as_ref();
                    baselines.into_iter().any(|baseline| should_enforce(baseline, account, guardrails))
                })
                .map(|account| {
                    Task::Account(AccountTask {
                        account: account.id.clone(),
                        placement: Some(Placement { account, placed_at }),
                        regions: sweep.regions.clone(),
                        cause: sweep.cause.clone(),
                    })
                })
                .chain(odd)
                .collect();
            sweep.accounts += tasks.len() + nameless.len();
            self.send(tasks).await?;
            sweep.page = next;
            if sweep.page.is_none() {
                break;
            }
            if !self.deadline.leaves(PAGE_SECONDS) {
                return self.later(&Errand::Sweep(sweep), 0).await;
            }
        }
        if sweep.accounts == 0 && sweep.guardrails.is_none() {
            // A look at nobody says nothing of anybody, so it doesn't count as a sweep that was completed.
            return Err(Stopped::OrganizationUnreadable(Failure::no_accounts()).into());
        }
        info!(accounts = sweep.accounts, "queued {} accounts: {}", sweep.accounts, sweep.cause.reason);
        if !sweep.is_whole() {
            return Ok(());
        }
        let Sweep { began, accounts, cause, .. } = sweep;
        let cause = Cause { attempt: 0, ..cause };
        let delay = cause.delay_seconds();
        self.later(&Errand::Settle(Settle { began, accounts, cause }), delay).await
    }

    /// Sees whether every account that a sweep queued was looked at, and ends it if so.
    pub(super) async fn settle(self, settle: Settle) -> Result<(), HandlerError> {
        let Settle { began, accounts, cause } = settle;
        let PresentBaseline { baseline, .. } =
            engine::present_for(self.keeper, cause.revision.as_ref(), cause.first_seen).await?;
        let followed = engine::effective(self.keeper, &baseline).await.map_err(Stopped::Ledger)?;
        let tally = engine::tally(self.keeper, &followed.baseline, began).await.map_err(Stopped::Ledger)?;
        let missing = accounts.saturating_sub(tally.looked_at);
        if missing > 0 && cause.attempt < LOOKS_FOR_AN_END {
            debug!(missing, "the sweep is still under way");
            let cause = cause.again();
            let delay = cause.delay_seconds();
            return self.later(&Errand::Settle(Settle { began, accounts, cause }), delay).await;
        }
        // Accounts that the record knows and that no list names any more: they may be gone. Of some of those that
        // are gone nobody was told yet.
        let lost: Vec<Task> = tally
            .not_looked_at
            .union(&tally.untold)
            .map(|account| {
                Task::Account(AccountTask {
                    account: account.clone(),
                    placement: None,
                    regions: Regions::All,
                    cause: cause.clone(),
                })
            })
            .collect();
        self.send(lost).await?;
        // What nobody uses any more is taken back, now that everybody was seen.
        let grants = self.keeper.ledger().grants().await.map_err(Stopped::Ledger)?;
        let regions: BTreeSet<_> = grants.keys().map(|resource| resource.region().clone()).collect();
        let owner = regions.into_iter().map(|region| {
            let (then, cause) = (Then::Nothing, cause.clone());
            Task::Owner(OwnerTask { region, then, swept_since: Some(began), cause })
        });
        self.send(owner.collect()).await?;
        if let Some(candidate) = &followed.candidate {
            log_waiting(candidate);
        }
        super::telling::sweep_completed(self.keeper, &tally, accounts, began, &followed, &cause).await;
        Ok(())
    }

    async fn page(self, from: Option<String>) -> Result<Listed, HandlerError> {
        let goes_on = from.is_some();
        match engine::page_of_accounts(self.keeper, from).await {
            Ok(page) => Ok(Listed::Page(page)),
            // How long a token lasts is not documented. Nothing is lost by beginning again.
            Err(Stopped::OrganizationUnreadable(failure))
                if goes_on && failure.category == Category::Rejected =>
            {
                info!("the list of accounts is begun again: {failure}");
                Ok(Listed::TokenRefused)
            }
            Err(stopped) => Err(stopped.into()),
        }
    }
}

/// Logs that a revision waits for its approval, and why. Each sweep logs it again.
fn log_waiting(approval: &RevisionApproval) {
    let RevisionApproval { revision, names_nobody, counted, .. } = approval;
    match counted {
        None => warn!(baseline.revision = %revision, "what baseline {revision} changes is not counted yet"),
        Some(extent) if names_nobody.is_empty() => error!(
            error.kind = "LimitsExceeded",
            baseline.revision = %revision,
            "baseline {revision} is not acted on, because it changes more than its limits allow ({extent}): read its plan, then guardrailctl approve {revision}"
        ),
        Some(_) => error!(
            error.kind = "NamesNobody",
            baseline.revision = %revision,
            "baseline {revision} is not acted on, because it names {names_nobody}: correct the id; or, if it is right, guardrailctl approve {revision}"
        ),
    }
}

/// How long a list that can't be read to its end is begun again, in seconds.
const LISTING_SECONDS: i64 = 3 * 3600;

/// Whether a list of accounts was begun again for long enough.
fn is_too_old(cause: &Cause, now: Timestamp) -> bool {
    let old = cause.age_seconds(now) > LISTING_SECONDS;
    if old {
        error!(
            error.kind = "GivenUp",
            "the accounts can't be listed to the end, so this is left to the next sweep: {}", cause.reason
        );
    }
    old
}

enum Listed {
    Page(Page),
    TokenRefused,
}

/// Whether an account should enforce one of these guardrails. Where that isn't asked, every account counts.
fn should_enforce(
    baseline: &Baseline,
    account: &Account,
    guardrails: Option<&BTreeSet<GuardrailKey>>,
) -> bool {
    guardrails.is_none_or(|guardrails| {
        let assignment = baseline.assignment(&account.id, &account.path);
        assignment.and_then(|it| it.guardrail.as_ref()).is_some_and(|key| guardrails.contains(key))
    })
}
