//! How far a revision of the baseline has come, and whether the organization has what it names.

use super::{Keeper, Manner, Part, Stopped};
use crate::baseline::{Baseline, NamedIds};
use crate::limits::Rollout;
use crate::organization::Organization;
use crate::settings::Purpose;
use crate::trigger::{Accounts, Scope};

impl Keeper {
    /// How far the baseline has come, and why that isn't known, if so.
    pub(super) async fn rollout(&self, baseline: &Baseline) -> (Rollout, Option<String>) {
        let unseen = || Rollout::new(baseline.revision.clone());
        match self.ledger.rollout().await {
            Ok(Some(rollout)) if rollout.revision == baseline.revision => (rollout, None),
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
        rollout: &mut Rollout,
        warnings: &mut Vec<String>,
    ) -> Result<(), Stopped> {
        let read;
        let organization = if organization.complete {
            organization
        } else if manner.part == Part::Everything
            && self.settings.purpose == Purpose::Terminal
            && matches!(scope.accounts, Accounts::Only(_))
            && !rollout.approved
        {
            read = self.whole_organization().await?;
            &read
        } else {
            return Ok(());
        };
        rollout.names_nobody = NamedIds::missing_in(baseline, organization);
        if !manner.again {
            let problems = baseline.check_organization(organization);
            warnings.extend(
                problems.iter().map(|problem| format!("{}:{}", self.settings.baseline, problem.in_words())),
            );
        }
        Ok(())
    }
}
