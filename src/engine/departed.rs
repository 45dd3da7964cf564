//! Accounts that get no calls any more: departed or closed ones.

use std::collections::BTreeSet;

use tracing::{info, warn};

use super::owed::tells;
use super::{Keeper, Stopped};
use crate::ids::{AccountId, Region};
use crate::ledger::LedgerError;
use crate::organization::AccountState;
use crate::record::{Closed, Sequence};

/// Why an account gets no calls any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It is not a member of the organization.
    Left,
    /// It is a member, and no call can work there.
    Inactive(AccountState),
}

impl std::fmt::Display for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Gone::Left => f.write_str("it is no member of the organization"),
            Gone::Inactive(state) => write!(f, "it is {state}"),
        }
    }
}

/// An account that gets no calls any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departed {
    /// The account.
    pub account: AccountId,
    /// The reason, in words.
    pub reason: String,
    /// The Regions in which an enforcement of ours stays, as far as the record knows. Outside the organization the
    /// account may not apply the guardrail, so its calls there fail.
    pub left_behind: BTreeSet<Region>,
    /// Whether its departure was recorded and published before.
    pub known: bool,
    /// Whether the account's record has any Region.
    pub recorded: bool,
}

/// Records that an account gets no calls any more.
///
/// # Errors
/// When the ledger can't be used.
pub async fn close(
    keeper: &Keeper,
    account: &AccountId,
    gone: &Gone,
    sequence: Option<Sequence>,
) -> Result<Departed, Stopped> {
    let reason = gone.to_string();
    let at = keeper.clock.now();
    let known = keeper.ledger.account(account).await?;
    let departed = Departed {
        account: account.clone(),
        left_behind: known.regions_of_ours().cloned().collect(),
        known: known.closed.as_ref().is_some_and(|closed| !closed.untold),
        recorded: !known.regions.is_empty(),
        reason: reason.clone(),
    };
    // No record is made for an account that the ledger doesn't know: an event can name any id.
    if !known.regions.is_empty() && known.closed.is_none() {
        let untold = tells(keeper, true).is_some();
        let closed = keeper
            .ledger
            .change_account(account, |record| {
                record.advance(sequence)?;
                if *gone == Gone::Left {
                    // The offboarding ends with the departure: if the account comes back, it is guarded.
                    record.offboarding = None;
                }
                record.closed.get_or_insert_with(|| Closed { at, reason: reason.clone(), untold });
                Ok(())
            })
            .await;
        match closed {
            Ok(()) | Err(LedgerError::Superseded(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    info!(account.id = %account, "no calls are made in {account}: {reason}");
    if !departed.left_behind.is_empty() && !departed.known {
        warn!(account.id = %account, "{departed}");
    }
    Ok(departed)
}

impl std::fmt::Display for Departed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Departed { account, reason, left_behind, known: _, recorded: _ } = self;
        write!(f, "no more calls are made in {account}: {reason}")?;
        if left_behind.is_empty() {
            return Ok(());
        }
        write!(f, "; it still enforces a guardrail that it may no longer be able to apply, in")?;
        for region in left_behind {
            write!(f, " {region}")?;
        }
        f.write_str(": its Bedrock calls there may fail until its own administrator removes the enforcement")
    }
}
