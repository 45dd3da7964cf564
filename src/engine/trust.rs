//! Compares whom the member role of an account admits with what the template says, about once a day.

use tracing::{error, info, warn};

use super::Keeper;
use crate::failure::Failure;
use crate::ids::AccountId;
use crate::record::AccountRecord;
use crate::trust::outsiders;

/// Reads the trust policy of the account's member role if it is due, and records who may assume it besides the hub.
/// No write waits for it; what fails is tried again after some hours.
pub(super) async fn compare_trust(keeper: &Keeper, account: &AccountId, record: &AccountRecord) {
    // The account that the function is in has no member role. Without a function there is nobody to compare with.
    let Some(function) = &keeper.settings.own_roles.function else { return };
    let now = keeper.clock.now();
    if account == keeper.cloud.own_account() || !record.is_trust_due(now) {
        return;
    }
    let read = trust_of(keeper, account).await;
    let read = read.and_then(|document| {
        outsiders(&document, &function.account).map_err(|odd| Failure::rejected("GetRole", odd.to_string()))
    });
    if let Err(failure) = &read {
        info!(account.id = %account, "failed to read whom the member role of {account} admits: {failure}");
    }
    let mut news = None;
    let noted = keeper.ledger.change_account(account, |record| {
        news = record.note_trust(&read, now);
        Ok(())
    });
    match noted.await {
        Ok(()) => {
            if let Some(news) = news {
                error!(error.kind = "MemberRole", account.id = %account, "in {account}, {news}");
            }
        }
        Err(error) => {
            warn!(account.id = %account, "failed to record whom the member role of {account} admits: {error}");
        }
    }
}

async fn trust_of(keeper: &Keeper, account: &AccountId) -> Result<String, Failure> {
    let session = keeper.cloud.session(account).await?;
    let role = session.role(&keeper.settings.member_role, None).await?;
    // It was assumed just now.
    role.map(|role| role.trust)
        .ok_or_else(|| Failure::transient("GetRole", "the role that was assumed is not there"))
}
