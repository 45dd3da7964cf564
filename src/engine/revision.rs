//! How far a revision is approved, and whether the organization has the ids that it names.

use tracing::warn;

use super::accounts::whole_organization;
use super::{Keeper, Stopped};
use crate::baseline::{Baseline, NamedIds, Revision};
use crate::limits::RevisionApproval;
use crate::organization::Organization;
use crate::settings::Purpose;

/// How far the revision is approved, and why that is not known, if so.
pub(super) async fn revision_approval(
    keeper: &Keeper,
    baseline: &Baseline,
) -> (RevisionApproval, Option<String>) {
    match keeper.ledger.revision_approval().await {
        Ok(known) => (RevisionApproval::of(known, &baseline.revision), None),
        Err(error) => (
            RevisionApproval::new(baseline.revision.clone()),
            Some(format!("failed to read the approval of the revision: {error}")),
        ),
    }
}

/// Records the ids in the baseline for which the organization has no account, and returns the problems in words. Only
/// the whole organization can show this. A terminal that looks at a part of it lists the accounts as well, as long as
/// nobody approved the revision; the function uses what was counted.
///
/// # Errors
/// When the accounts can't be listed.
pub(super) async fn look_for_names(
    keeper: &Keeper,
    baseline: &Baseline,
    organization: &Organization,
    approval: &mut RevisionApproval,
) -> Result<Vec<String>, Stopped> {
    let read;
    let organization = if organization.complete {
        organization
    } else if keeper.settings.purpose == Purpose::Terminal && !approval.approved {
        read = whole_organization(keeper).await?;
        &read
    } else {
        return Ok(Vec::new());
    };
    approval.names_nobody = NamedIds::missing_in(baseline, organization);
    let problems = baseline.check_organization(organization);
    Ok(problems
        .iter()
        .map(|problem| format!("{}:{}", keeper.settings.baseline, problem.in_words()))
        .collect())
}

/// Takes note that others were told of a revision. Where that fails, they are told once more.
pub async fn note_baseline_told(keeper: &Keeper, revision: &Revision) {
    let told = keeper.ledger.change_revision_approval(|known| {
        if let Some(approval) = known.as_mut().filter(|approval| approval.revision == *revision) {
            approval.told = true;
        }
    });
    if let Err(error) = told.await {
        warn!(
            "failed to record that the change of the baseline was published, so it is published again: {error}"
        );
    }
}
