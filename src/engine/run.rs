//! What all writes of a run share.

use super::Progress;
use super::copies::Originals;
use super::notes::RecordUpdates;
use super::trials::Trials;
use crate::failure::Failure;
use crate::ledger::LedgerError;
use crate::organization::{AccountPlacement, Organization};
use crate::record::Arrivals;
use crate::task::{Cause, Handout};

/// What a task brings from its queue; empty where a terminal does the work itself.
#[derive(Clone, Copy, Default)]
pub(super) struct Queued<'a> {
    /// How SQS handed it out.
    pub(super) handout: Handout,
    /// What caused it.
    pub(super) cause: Option<&'a Cause>,
    /// Where the account stood when the task was queued. Organizations is asked again before a release.
    pub(super) placement: Option<&'a AccountPlacement>,
}

/// What the writes of all accounts share.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) trials: &'a Trials<'a>,
    pub(super) organization: &'a Organization,
    pub(super) queued: Queued<'a>,
    pub(super) originals: &'a Originals,
    pub(super) arrivals: &'a Arrivals,
    pub(super) progress: Progress<'a>,
    pub(super) updates: RecordUpdates<'a>,
}

/// The failure of a write that was not begun, because its intent could not be recorded.
pub(super) fn not_recorded(error: &LedgerError) -> Failure {
    Failure::transient("record", error.to_string())
}
