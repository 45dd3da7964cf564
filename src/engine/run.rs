//! What every write of a run shares.

use super::Progress;
use super::copies::Originals;
use super::notes::Notebook;
use super::trials::Trials;
use crate::failure::Failure;
use crate::ledger::LedgerError;
use crate::organization::{Organization, Placement};
use crate::record::{Arrivals, Sequence};

/// What a task brings along from its queue; nothing where a person has the work done directly.
#[derive(Clone, Copy, Default)]
pub(super) struct Queued<'a> {
    /// Its place in the queue.
    pub(super) sequence: Option<Sequence>,
    /// The event that caused it.
    pub(super) event: Option<&'a str>,
    /// Where the account stood when it was queued. It is asked again before anything is released.
    pub(super) placement: Option<&'a Placement>,
}

/// What every account's part of a run shares.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) trials: &'a Trials<'a>,
    pub(super) organization: &'a Organization,
    pub(super) queued: Queued<'a>,
    pub(super) originals: &'a Originals,
    pub(super) arrivals: &'a Arrivals,
    pub(super) progress: Progress<'a>,
    pub(super) notebook: Notebook<'a>,
}

/// A write that was not begun, because the ledger could not be told of it.
pub(super) fn not_recorded(error: &LedgerError) -> Failure {
    Failure::transient("record", error.to_string())
}
