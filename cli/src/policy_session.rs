//! The credentials by which a command reads and writes Bedrock policies.

use super::Unfit;
use super::advice::FailedCall;
use guardrail_keeper::cloud::Session;
use guardrail_keeper::engine::{self, Keeper};

/// A session that reads and writes Bedrock policies: one's own, or that of the role in the management account that
/// KEEPER_ORGANIZATION_ROLE names.
///
/// # Errors
/// When nobody is to write them, or the role can't be assumed.
pub(super) async fn policy_session(keeper: &Keeper) -> anyhow::Result<Session> {
    let management = engine::management(keeper).await?;
    let session = engine::organization_session(keeper, &management).await;
    let session = session.map_err(|failure| FailedCall::new("Bedrock policies can't be reached", failure))?;
    let nobody = "KEEPER_ORGANIZATION_ROLE is none, so nobody writes Bedrock policies: unset it to use these credentials, \
                  or set it to the name of a role in the management account";
    session.ok_or_else(|| Unfit(nobody.to_owned()).into())
}
