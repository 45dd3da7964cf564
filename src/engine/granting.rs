//! Writes resource policies of guardrails: the grants that every enforcement needs.

use tracing::{Instrument, info_span, warn};

use super::run::not_recorded;
use super::{Keeper, Progress, Step, Write};
use crate::baseline::Baseline;
use crate::cloud::GrantWriter;
use crate::failure::{Category, Failure};
use crate::ledger::LedgerError;
use crate::plan::{GrantAction, GrantChange, GrantDecision, GrantPurpose, HoldReason, Plan};
use crate::record::Granted;
use crate::report::GrantReport;
use crate::resource_policy::{Document, GrantHold, Resource};

/// Writes the grants of a plan, one Region after another.
pub(super) async fn write_grants(
    keeper: &Keeper,
    baseline: &Baseline,
    plan: &Plan,
    progress: Progress<'_>,
) -> Vec<(Resource, GrantReport)> {
    let mut written = Vec::new();
    for change in plan.grant_changes() {
        let resource = change.grant.resource.clone();
        let span = info_span!("apply", account.id = %resource.account(), region = %resource.region());
        if keeper.is_stopping() {
            written.push((resource, not_begun(change)));
            continue;
        }
        progress(Step::Begins(Write::Grant(change)));
        let result = write_grant(keeper, baseline, change).instrument(span).await;
        progress(Step::Ended(Write::Grant(change), &result));
        progress(Step::Wrote);
        written.push((resource, GrantReport::Attempted { change: change.clone(), result }));
    }
    written
}

async fn write_grant(keeper: &Keeper, baseline: &Baseline, change: &GrantChange) -> Result<(), Failure> {
    let resource = &change.grant.resource;
    // The grant is recorded before it is written. If the answer to the Put is lost, the grant is ours all the same; if
    // the Put never arrived, the next look forgets the record. Without a record the grant would never be taken back.
    if is_all_ours(change) {
        let granted = Granted { at: keeper.clock.now(), revision: baseline.revision.clone() };
        record_grant(keeper, resource, Some(granted)).await.map_err(|error| not_recorded(&error))?;
    }
    let session = keeper.cloud.session(resource.account()).await?;
    let written = GrantWriter::new(&session, resource.region()).write(change).await;
    written.map_err(|failure| in_words(failure, change))?;
    if change.purpose == GrantPurpose::Withdraw
        && let Err(error) = record_grant(keeper, resource, None).await
    {
        // The next look finds that the grant is gone.
        warn!(guardrail.arn = %resource, error = %error, "failed to record that the grant was taken back");
    }
    Ok(())
}

pub(super) async fn record_grant(
    keeper: &Keeper,
    resource: &Resource,
    granted: Option<Granted>,
) -> Result<(), LedgerError> {
    keeper.ledger.set_grant(resource.clone(), granted).await
}

fn not_begun(change: &GrantChange) -> GrantReport {
    let action = GrantAction::Held(HoldReason::Interrupted);
    GrantReport::Decided(GrantDecision {
        action,
        openings: Vec::new(),
        instead: Document::granting(&change.grant),
    })
}

/// A resource policy that Bedrock refuses, with the likely cause.
fn in_words(failure: Failure, change: &GrantChange) -> Failure {
    match (failure.category, &change.to) {
        (Category::Rejected, Some(document)) => {
            let statements = document.statement_count();
            let hold = GrantHold::RefusedByBedrock { statements, message: failure.message.clone() };
            failure.in_words(hold.to_string())
        }
        (_, Some(_) | None) => failure,
    }
}

/// Whether a change adds a statement of ours. A statement of somebody else that we complete stays theirs: it must not
/// be removed as a whole later.
fn is_all_ours(change: &GrantChange) -> bool {
    let statements = |document: &Option<Document>| document.as_ref().map_or(0, Document::statement_count);
    change.purpose == GrantPurpose::Grant && statements(&change.to) > statements(&change.from)
}
