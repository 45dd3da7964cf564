//! Tells what came of the work: to the log, to whoever listens on the bus, and in figures.

use jiff::Timestamp;
use serde_json::json;
use tracing::info;

use crate::reconcile::{Departed, Keeper, Tally};
use crate::report::Report;
use crate::task::Cause;

/// A run's report.
pub(super) async fn report(_keeper: &Keeper, report: &Report, _cause: &Cause) {
    info!(counts = %json!(report.counts()), "{}", report.summary());
}

/// An account that gets no calls any more.
pub(super) async fn departed(_keeper: &Keeper, departed: &Departed, _cause: &Cause) {
    info!(account.id = %departed.account, "{departed}");
}

/// A sweep that came to its end.
pub(super) async fn sweep_completed(
    _keeper: &Keeper,
    tally: &Tally,
    accounts: usize,
    began: Timestamp,
    cause: &Cause,
) {
    info!(counts = %json!(tally.states), accounts, began = %began, "the sweep is completed: {}", cause.reason);
}
