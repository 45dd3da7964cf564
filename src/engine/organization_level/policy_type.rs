//! Enables the policy type again, where somebody disabled it, the keeper wrote policies before, and the deployment says that
//! it may (`KEEPER_REPAIR_POLICY_TYPE`).
//!
//! Disabling detaches every policy of the type, so that no account has anything of it. Enabling attaches nothing: the look
//! after it attaches the keeper's own again. Policies of others stay detached.

use std::time::Duration;

use tokio::time::sleep;
use tracing::warn;

use super::NotLooked;
use super::looking::LevelView;
use crate::baseline::{Baseline, Mode};
use crate::cloud::EnablingAnswer;
use crate::engine::Keeper;
use crate::engine::accounts::{head, place};
use crate::failure::Failure;
use crate::ids::ParentId;
use crate::organization_level::RecordedHold;

/// How often it is asked whether the type is enabled by now: AWS calls the change asynchronous.
const ASKED: usize = 10;

/// The pause between two questions.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// What came of a type that may have to be enabled again.
pub(super) enum PolicyTypeRepair {
    /// It is enabled, or enabling it is for people to do.
    NotDue,
    /// It was enabled, on this root: another look is due.
    Enabled(ParentId),
    /// AWS refused it for good.
    Refused(Failure),
}

/// Why nothing is written where AWS refused it.
pub(super) fn refused_to_enable(failure: &Failure) -> RecordedHold {
    let text = format!(
        "Bedrock policies are not enabled in the organization, and could not be enabled again: {failure}"
    );
    RecordedHold::new("type_disabled", &text)
}

/// Enables the type, if it has to be and `may_enable` it.
pub(super) async fn enable_again(
    keeper: &Keeper,
    baseline: &Baseline,
    view: &LevelView,
    may_enable: bool,
) -> Result<PolicyTypeRepair, NotLooked> {
    let is_wanted = baseline.has_organization_level() && baseline.mode != Mode::Audit;
    // What the keeper never wrote was never enabled for it: that is for people to do.
    let was_enabled = !view.known.own.is_empty();
    let may_enable = may_enable && keeper.settings.repairs_policy_type;
    if view.is_enabled || !may_enable || !is_wanted || !was_enabled {
        return Ok(PolicyTypeRepair::NotDue);
    }
    let management = head(keeper).await?.management;
    let placed = place(keeper, &management).await?;
    let Some(root) = placed.and_then(|placed| placed.account.path.parents().first().cloned()) else {
        return Err(NotLooked::Because("the organization's root is not known".to_owned()));
    };
    warn!("somebody disabled Bedrock policies in the organization: they are enabled again on {root}");
    match keeper.cloud.policy_types(&view.session).enable(&root).await {
        Ok(EnablingAnswer::Begun) => {}
        Ok(EnablingAnswer::NeedsTrustedAccess(text)) => {
            return Ok(PolicyTypeRepair::Refused(Failure::rejected("EnablePolicyType", text)));
        }
        Err(failure) if failure.category.is_worth_waiting() => return Err(failure.into()),
        Err(failure) => return Ok(PolicyTypeRepair::Refused(failure)),
    }
    let reader = keeper.cloud.bedrock_policies(&view.session);
    for _ in 0..ASKED {
        if reader.frozen().await?.is_some() {
            return Ok(PolicyTypeRepair::Enabled(root));
        }
        sleep(ASKED_AGAIN_AFTER).await;
    }
    Err(NotLooked::Because("AWS doesn't show yet that Bedrock policies are enabled again".to_owned()))
}
