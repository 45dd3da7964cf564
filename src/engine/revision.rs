//! How far a revision of the baseline has come, and whether the organization has what it names.

use super::{Keeper, Manner, Part, Stopped};
use crate::baseline::{Baseline, NamedIds};
use crate::limits::RevisionApproval;
use crate::organization::Organization;
use crate::settings::Purpose;
use crate::trigger::{Accounts, Scope};

impl Keeper {
    /// How far the baseline has come, and why that isn't known, if so.
    pub(super) async fn revision_approval(&self, baseline: &Baseline) -> (RevisionApproval, Option<String>) {
        let unseen = || RevisionApproval::new(baseline.revision.clone());
        match self.ledger.revision_approval().await {
            Ok(Some(approval)) if approval.revision == baseline.revision => (approval, None),
            Ok(Some(_) | None) => (unseen(), None),
            Err(error) => (unseen(), Some(format!("how far the baseline has come is not known: {error}"))),
        }
    }

    /// Takes note of the ids that the baseline names and for which the organization has no account, and warns of
    /// them. Only the whole organization can tell. A terminal that looks at a part of it reads the list of
    /// accounts besides, as long as nobody approved the revision; the function goes by what was counted.
    ///
    /// # Errors
    /// When the accounts can't be listed.
    pub(super) async fn look_for_names(
        &self,
        baseline: &Baseline,
        organization: &Organization,
        scope: &Scope,
        manner: &Manner,
        approval: &mut RevisionApproval,
        warnings: &mut Vec<String>,
    ) -> Result<(), Stopped> {
        let read;
        let organization = if organization.complete {
            organization
        } else if manner.part == Part::Everything
            && self.settings.purpose == Purpose::Terminal
            && matches!(scope.accounts, Accounts::Only(_))
            && !approval.approved
        {
            read = self.whole_organization().await?;
            &read
        } else {
            return Ok(());
        };
        approval.names_nobody = NamedIds::missing_in(baseline, organization);
        if !manner.again {
            let problems = baseline.check_organization(organization);
            warnings.extend(
                problems.iter().map(|problem| format!("{}:{}", self.settings.baseline, problem.in_words())),
            );
        }
        Ok(())
    }
}
