//! What the ledger holds of the whole deployment, beside the records of accounts.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::why_it_waits;
use crate::output;
use guardrail_keeper::engine::{Keeper, Stopped};
use keeper_core::baseline::{Baseline, Revision};
use keeper_core::limits::{EffectiveBaseline, RevisionApproval};
use keeper_core::placement::PlacementRecord;
use keeper_core::resolved::Openings;

/// What was read.
pub(super) struct DeploymentDocuments {
    /// The present revision, where it waits and accounts follow the one approved before it.
    candidate: Option<RevisionApproval>,
    /// How far the present revision may go.
    pub(super) approval: Option<RevisionApproval>,
    /// What AWS said of `placement: auto`, where the baseline has that.
    placement: Option<PlacementRecord>,
    /// What opens the guardrails of the baseline beyond the organization, by the last look at the owner's side.
    openings: Openings,
}

impl DeploymentDocuments {
    /// Reads them. `present` is the revision of the present baseline. An owner snapshot that can't be read is a problem.
    pub(super) async fn read(
        keeper: &Keeper,
        present: &Revision,
        effective: &EffectiveBaseline,
        problems: &mut Vec<String>,
    ) -> Result<DeploymentDocuments, Stopped> {
        let EffectiveBaseline { baseline, candidate, .. } = effective;
        let approval = keeper.ledger().revision_approval().await.map_err(Stopped::Ledger)?;
        let placement = if baseline.has_auto() {
            Some(keeper.ledger().placement().await.map_err(Stopped::Ledger)?)
        } else {
            None
        };
        Ok(DeploymentDocuments {
            candidate: candidate.clone(),
            approval: approval.filter(|approval| approval.revision == *present),
            placement,
            openings: openings(keeper, baseline, problems).await,
        })
    }

    /// The present revision, where it isn't acted on.
    pub(super) fn waiting(&self) -> Option<&RevisionApproval> {
        let over_its_limits = |approval: &&RevisionApproval| approval.counted.is_some() && !approval.approved;
        self.candidate.as_ref().or(self.approval.as_ref().filter(over_its_limits))
    }

    /// Prints what belongs to the text.
    pub(super) fn print(&self) {
        if let Some(placement) = &self.placement {
            output::print(output::paint(output::QUIET, format_args!("placement auto: {placement}")));
        }
    }

    /// Adds it to a summary for programs.
    pub(super) fn add_to(&self, summary: &mut Value) {
        summary["waiting"] = json!(self.candidate.as_ref().map(|candidate| &candidate.revision));
        summary["placement"] = json!(self.placement);
        let listed = self.openings.iter().map(|(resource, found)| (resource.to_string(), found));
        summary["openings"] = json!(listed.collect::<BTreeMap<_, _>>());
    }

    /// Warns of guardrails that are open.
    pub(super) fn warn_of_openings(&self) {
        for (resource, found) in &self.openings {
            for words in found {
                output::warning(format_args!(
                    "{resource} is open beyond the organization: its policy {words}"
                ));
            }
        }
    }

    /// Warns that the present revision isn't acted on; accounts follow `baseline`.
    pub(super) fn warn_of_waiting(&self, baseline: &Baseline) {
        if let Some(waiting) = self.waiting() {
            let followed = self.candidate.as_ref().map(|_| &baseline.revision);
            output::warning(why_it_waits(waiting, followed));
        }
    }
}

/// What opens the guardrails of the baseline beyond the organization, by the last look at the owner's side. Where a
/// Region's isn't known, that is a problem of its own.
async fn openings(keeper: &Keeper, baseline: &Baseline, problems: &mut Vec<String>) -> Openings {
    let mut openings = Openings::new();
    for owner in baseline.owner_targets() {
        match keeper.ledger().owner_snapshot(&owner).await {
            Ok(seen) => openings.extend(seen.into_iter().flat_map(|seen| seen.openings(&baseline.organization))),
            Err(error) => problems.push(format!(
                "failed to read the owner snapshot of {owner}, so it isn't known whether a guardrail there is open \
                 beyond the organization: {error}"
            )),
        }
    }
    openings
}
