//! Counts what a revision would replace, release and abandon, before any of it is done.

use jiff::Timestamp;
use tracing::{error, info, warn};

use super::baselines::{PresentBaseline, allowance, keep_approved, present};
use super::deadline::Deadline;
use super::effect::{ChangedBaseline, Effect, Notice};
use super::listing::{ListedPage, NOT_LISTED, PAGE_SECONDS, is_too_old, page};
use super::swept::{catalog_for_counting, count};
use super::{Keeper, Stopped};
use crate::baseline::{Baseline, NamedIds, Revision};
use crate::cloud::Page;
use crate::failure::Failure;
use crate::limits::{Extent, RevisionApproval};
use crate::task::{Cause, Count, Errand, Sweep};
use crate::trigger::Regions;

/// How long one count of a revision may take before another task may begin a new one, in seconds.
const COUNTED_AGAIN_SECONDS: u64 = 900;

/// Counts page after page while there is time. A finished count is followed by a sweep.
pub(super) async fn run_count(
    keeper: &Keeper,
    mut count: Count,
    deadline: Deadline,
) -> Result<Vec<Effect>, Stopped> {
    let PresentBaseline { baseline, instead_of, unread, refused: _ } = present(keeper).await?;
    if unread {
        return Err(Stopped::NoBaseline(instead_of.unwrap_or_default()));
    }
    let before = keeper.ledger.revision_approval().await?;
    if baseline.revision != count.revision || instead_of.is_some() {
        // The baseline changed meanwhile, and that change has an event of its own.
        info!(baseline.revision = %count.revision, "stopped counting: the baseline has changed");
        return Ok(Vec::new());
    }
    if let Some(effects) = count_pages(keeper, &baseline, &mut count, deadline).await? {
        return Ok(effects);
    }
    if count.accounts == 0 {
        // A count of no account would approve the revision.
        return Err(Stopped::OrganizationUnreadable(Failure::no_accounts()));
    }
    let previous = before.map(|before| before.revision);
    let approval = record(keeper, &baseline, &count, previous.clone()).await?;
    let mut effects = Vec::new();
    let again = approval.as_ref().and_then(|approval| counted_again(&count, approval));
    let is_told_later = again.is_some();
    effects.extend(again);
    if let Some(approval) = approval.filter(|approval| !approval.told && !is_told_later) {
        let previous = previous.filter(|previous| *previous != count.revision);
        let changed = ChangedBaseline { baseline, approval, previous, cause: count.cause.clone() };
        effects.push(Effect::Tell(Notice::BaselineChanged(Box::new(changed))));
    }
    // Repairs and looks continue in both cases.
    effects.push(Effect::GoOn(Errand::Sweep(whole(keeper.clock.now(), count.cause))));
    Ok(effects)
}

/// Counts page after page. Returns the effects that continue the count, or `None` if it is finished.
async fn count_pages(
    keeper: &Keeper,
    baseline: &Baseline,
    counted: &mut Count,
    deadline: Deadline,
) -> Result<Option<Vec<Effect>>, Stopped> {
    let catalog = catalog_for_counting(keeper, baseline).await;
    if counted.page.is_none() {
        counted.unseen = Some(NamedIds::of(baseline));
    }
    loop {
        let Page { accounts, unplaced, next } = match page(keeper, counted.page.clone()).await? {
            ListedPage::Page(page) => page,
            ListedPage::TokenRefused if is_too_old(&counted.cause, keeper.clock.now()) => {
                return Ok(Some(vec![Effect::GiveUp(NOT_LISTED.to_owned())]));
            }
            ListedPage::TokenRefused => {
                let again = begun(counted.revision.clone(), counted.cause.clone().again());
                let delay = again.cause.delay_seconds();
                return Ok(Some(vec![Effect::Later(Errand::Count(again), delay)]));
            }
        };
        counted.accounts += accounts.len();
        if let Some(unseen) = &mut counted.unseen {
            unseen.found(&accounts, &unplaced);
        }
        for (account, failure) in &unplaced {
            warn!(account.id = %account, "the path of {account} could not be read: all its targets count as replaced");
            counted.unplaced = counted.unplaced.saturating_add(1);
            counted.may_pass |= failure.category.is_worth_waiting();
        }
        let extent = count(keeper, baseline, &catalog, accounts, &unplaced).await?;
        counted.extent = counted.extent.plus(extent);
        counted.page = next;
        if counted.page.is_none() {
            return Ok(None);
        }
        if !deadline.leaves(PAGE_SECONDS) {
            return Ok(Some(vec![Effect::Later(Errand::Count(counted.clone()), 0)]));
        }
    }
}

/// Records the count. A revision within its limits is approved by that. Returns what is recorded of the revision now.
/// `before` is the revision that the ledger knew when this part of the count began.
async fn record(
    keeper: &Keeper,
    baseline: &Baseline,
    Count { revision, extent, unseen, unplaced, .. }: &Count,
    before: Option<Revision>,
) -> Result<Option<RevisionApproval>, Stopped> {
    let names_nobody = unseen.clone().unwrap_or_default();
    let allowance = allowance(keeper, baseline);
    let mut recorded: Option<RevisionApproval> = None;
    let counted = keeper.ledger.change_revision_approval(|known| {
        recorded = None;
        // A later revision's, which a person may have approved while this one was counted.
        let is_later = |known: &RevisionApproval| {
            known.revision != *revision && before.as_ref().is_none_or(|before| *before != known.revision)
        };
        if known.as_ref().is_some_and(is_later) {
            return;
        }
        let approval = RevisionApproval::of(known.take(), revision);
        let mut approval = approval.count(*extent, allowance, names_nobody.clone());
        approval.unplaced = *unplaced;
        recorded = Some(approval.clone());
        *known = Some(approval);
    });
    counted.await?;
    match &recorded {
        Some(approval) if approval.approved => {
            keep_approved(keeper, revision).await;
            info!(baseline.revision = %revision, "baseline {revision} is within its limits: {extent}");
        }
        Some(approval) => log_waiting(approval),
        // A later one was counted meanwhile.
        None => {}
    }
    Ok(recorded)
}

/// A count of a revision, from the beginning.
pub(super) fn begun(revision: Revision, cause: Cause) -> Count {
    let (extent, unseen) = (Extent::default(), None);
    Count { revision, page: None, extent, accounts: 0, unseen, unplaced: 0, may_pass: false, cause }
}

/// How often a revision that waits is counted again at once, because Organizations didn't say where an account stands and
/// may say so soon. After that, sweeps count it.
const COUNTED_AGAIN: u32 = 3;

/// The next count of a revision that may wait only because accounts could not be placed for a moment.
fn counted_again(count: &Count, approval: &RevisionApproval) -> Option<Effect> {
    let is_worth_it = approval.is_to_be_counted() && count.may_pass && count.cause.attempt < COUNTED_AGAIN;
    if !is_worth_it {
        return None;
    }
    let again = begun(count.revision.clone(), count.cause.again());
    let delay = again.cause.delay_seconds();
    Some(Effect::Later(Errand::Count(again), delay))
}

/// A sweep of every account, from the beginning.
fn whole(began: Timestamp, cause: Cause) -> Sweep {
    Sweep { regions: Regions::All, guardrails: None, page: None, began, accounts: 0, cause }
}

/// Begins a count that is missing: a task has waited for it once, and nothing else may have begun it. The job that
/// heard of the change may have read the old baseline, or none.
pub(super) async fn if_nobody_counts(keeper: &Keeper, revision: &Revision, cause: &Cause) -> Option<Effect> {
    if cause.attempt == 0 {
        return None;
    }
    let now = keeper.clock.now();
    match keeper.ledger.claim_count(revision, now, COUNTED_AGAIN_SECONDS).await {
        Ok(true) => {}
        Ok(false) => return None,
        // The task waits in any case, and asks again then.
        Err(error) => {
            warn!("failed to read whether the changes of baseline {revision} are being counted: {error}");
            return None;
        }
    }
    warn!("the changes of baseline {revision} don't seem to be counted, so a count begins now");
    let event = format!("count-{revision}-{}", now.as_millisecond());
    let cause = Cause {
        sweep: true,
        revision: Some(revision.clone()),
        // Everything starts again but this: otherwise a count whose tasks ask for a count would never end.
        hops: cause.hops,
        ..Cause::new(event, "the changes of the baseline were not counted".to_owned(), now)
    };
    Some(Effect::Later(Errand::Count(begun(revision.clone(), cause)), 0))
}

/// Logs that a revision waits for approval, and why. Each sweep logs it again.
pub(super) fn log_waiting(approval: &RevisionApproval) {
    let RevisionApproval { revision, names_nobody, counted, earlier, .. } = approval;
    if let Some(refused) = approval.refused() {
        error!(
            error.kind = "ApprovalRefused",
            baseline.revision = %revision,
            "baseline {revision} is not acted on: {refused}"
        );
        return;
    }
    match counted {
        None => {
            warn!(baseline.revision = %revision, "the changes of baseline {revision} are not counted yet");
        }
        Some(extent) if names_nobody.is_empty() => error!(
            error.kind = "LimitsExceeded",
            baseline.revision = %revision,
            "baseline {revision} is not acted on, because it changes more than its limits allow ({extent}{}): read its plan, then guardrailctl approve {revision}",
            earlier.after_it()
        ),
        Some(_) => error!(
            error.kind = "NamesNobody",
            baseline.revision = %revision,
            "baseline {revision} is not acted on, because it names {names_nobody}: correct the id; or, if it is right, guardrailctl approve {revision}"
        ),
    }
}
