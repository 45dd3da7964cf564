//! Why a run stopped.

use crate::baseline::{InvalidBaseline, Revision};
use crate::failure::{Category, Failure};
use crate::ids::{AccountId, OrganizationId};
use crate::ledger::LedgerError;
use crate::organization::not_looked_at;
use crate::settings::BaselineSource;

/// Why a run stopped before anything was written. Failures of single targets are in the report instead.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The baseline could not be read. Nothing is released because of that.
    #[error("the baseline {origin} could not be read: {reason}")]
    BaselineUnreadable {
        /// Where it should be.
        origin: BaselineSource,
        /// Why not.
        reason: String,
        /// What the failure means.
        category: Category,
        /// The call that failed, where it was one.
        failure: Option<Box<Failure>>,
    },
    /// The baseline has problems.
    #[error(transparent)]
    BaselineInvalid(#[from] InvalidBaseline),
    /// The ledger knows another text of the same revision.
    #[error(
        "the baseline has the revision {revision} of another text, which happens on purpose only: change a comment in it, \
         and look who wrote it"
    )]
    RevisionTaken {
        /// The revision.
        revision: Revision,
    },
    /// The organization could not be read.
    #[error("the organization could not be read: {0}")]
    OrganizationUnreadable(Failure),
    /// Organizations doesn't say where the account stands.
    #[error("{}", not_looked_at(account.as_str(), failure))]
    AccountNotPlaced {
        /// The account.
        account: AccountId,
        /// Why not.
        failure: Failure,
    },
    /// The baseline is for another organization than this one.
    #[error("the baseline is for organization {baseline}, but this is {actual}: nothing is written")]
    WrongOrganization {
        /// The one it names.
        baseline: OrganizationId,
        /// The one we are in.
        actual: OrganizationId,
    },
    /// There is no baseline to follow; the reason, in words.
    #[error("{0}")]
    NoBaseline(String),
    /// AWS doesn't say whose credentials these are.
    #[error("the caller's account is not known: {0}")]
    NoIdentity(Failure),
    /// A control could not be written into its parameter, or not be taken over.
    #[error("what was said could not be put into its parameter, or not be taken over from there: {failure}")]
    NotControlled {
        /// Why not.
        failure: Failure,
    },
    /// The approval could not be written into its parameter, or not be judged.
    #[error("the approval could not be given in {parameter}: {failure}")]
    NotApproved {
        /// The parameter.
        parameter: String,
        /// Why not.
        failure: Failure,
    },
    /// The ledger could not be read or written.
    #[error("the ledger could not be used: {0}")]
    Ledger(#[from] LedgerError),
}

impl Stopped {
    /// A stable name, for alarms and for Lambda's `errorType`.
    pub fn name(&self) -> &'static str {
        match self {
            Stopped::BaselineUnreadable { .. } => "BaselineUnreadable",
            Stopped::BaselineInvalid(_) => "BaselineInvalid",
            Stopped::RevisionTaken { .. } => "RevisionTaken",
            Stopped::OrganizationUnreadable(_) => "OrganizationUnreadable",
            Stopped::AccountNotPlaced { .. } => "AccountNotPlaced",
            Stopped::WrongOrganization { .. } => "WrongOrganization",
            Stopped::NoBaseline(_) => "NoBaseline",
            Stopped::NoIdentity(_) => "NoIdentity",
            Stopped::NotApproved { .. } => "NotApproved",
            Stopped::NotControlled { .. } => "NotControlled",
            Stopped::Ledger(_) => "LedgerUnusable",
        }
    }

    /// The call that failed, where one did.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Stopped::OrganizationUnreadable(failure)
            | Stopped::AccountNotPlaced { failure, .. }
            | Stopped::NoIdentity(failure)
            | Stopped::NotApproved { failure, .. }
            | Stopped::NotControlled { failure }
            | Stopped::Ledger(LedgerError::Table(failure)) => Some(failure),
            Stopped::BaselineUnreadable { failure, .. } => failure.as_deref(),
            Stopped::BaselineInvalid(_)
            | Stopped::RevisionTaken { .. }
            | Stopped::WrongOrganization { .. }
            | Stopped::NoBaseline(_)
            | Stopped::Ledger(_) => None,
        }
    }
}
