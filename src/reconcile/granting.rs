//! Writes the resource policies that everything else rests on.

use tracing::{Instrument, info_span, warn};

use super::apply::not_recorded;
use super::{Keeper, Progress, Step};
use crate::baseline::Baseline;
use crate::cloud::PolicyWriter;
use crate::failure::{Category, Failure};
use crate::ledger::LedgerError;
use crate::plan::{Change, HoldReason, Plan, PolicyAction, PolicyChange, PolicyDecision, Purpose};
use crate::record::Granted;
use crate::report::PolicyReport;
use crate::resource_policy::{Document, PolicyHold, Resource};

impl Keeper {
    /// Puts the grants in place that everything else rests on, one Region's after another.
    pub(super) async fn write_policies(
        &self,
        baseline: &Baseline,
        plan: &Plan,
        progress: Progress<'_>,
    ) -> Vec<(Resource, PolicyReport)> {
        let mut written = Vec::new();
        for change in plan.policy_changes() {
            let resource = change.grant.resource.clone();
            let span = info_span!("apply", account.id = %resource.account(), region = %resource.region());
            if self.is_stopping() {
                written.push((resource, not_begun(change)));
                continue;
            }
            let as_change = Change::Policy(change.clone());
            progress(Step::Begins(&as_change));
            let result = self.write_policy(baseline, change).instrument(span).await;
            progress(Step::Ended(&as_change, &result));
            progress(Step::Wrote);
            written.push((resource, PolicyReport::Attempted { change: change.clone(), result }));
        }
        written
    }

    async fn write_policy(&self, baseline: &Baseline, change: &PolicyChange) -> Result<(), Failure> {
        let resource = &change.grant.resource;
        // Recorded before it is written: a Put whose answer is lost is ours all the same, and a record of what
        // never arrived is forgotten at the next look. Without the record it would never be taken back.
        if is_all_ours(change) {
            let granted = Granted { at: self.clock.now(), revision: baseline.revision.clone() };
            self.record_grant(resource, Some(granted)).await.map_err(|error| not_recorded(&error))?;
        }
        let session = self.cloud.session(&baseline.owner).await?;
        let written = PolicyWriter::new(&session, resource.region()).write(change).await;
        written.map_err(|failure| in_words(failure, change))?;
        if change.purpose == Purpose::Withdraw
            && let Err(error) = self.record_grant(resource, None).await
        {
            // The next look finds that it isn't there.
            warn!(guardrail.arn = %resource, error = %error, "that the grant was taken back could not be recorded");
        }
        Ok(())
    }

    pub(super) async fn record_grant(
        &self,
        resource: &Resource,
        granted: Option<Granted>,
    ) -> Result<(), LedgerError> {
        self.ledger.set_grant(resource.clone(), granted).await
    }
}

fn not_begun(change: &PolicyChange) -> PolicyReport {
    let action = PolicyAction::Held(HoldReason::Interrupted);
    PolicyReport::Decided(PolicyDecision {
        action,
        openings: Vec::new(),
        instead: Document::granting(&change.grant),
    })
}

/// A policy that Bedrock refuses, told with what may be the cause.
fn in_words(failure: Failure, change: &PolicyChange) -> Failure {
    match (failure.category, &change.to) {
        (Category::Rejected, Some(document)) => {
            let statements = document.statement_count();
            let hold = PolicyHold::RefusedByBedrock { statements, message: failure.message.clone() };
            failure.in_words(hold.to_string())
        }
        (_, Some(_) | None) => failure,
    }
}

/// Whether a change adds a statement of ours. One that completes somebody else's leaves it theirs: it
/// isn't to be taken back whole later.
fn is_all_ours(change: &PolicyChange) -> bool {
    let statements = |document: &Option<Document>| document.as_ref().map_or(0, Document::statement_count);
    change.purpose == Purpose::Grant && statements(&change.to) > statements(&change.from)
}
