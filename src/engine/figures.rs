//! Figures that a process collects until they are written to the log.

use std::sync::{Mutex, PoisonError};

use super::Keeper;
use crate::metrics::{Calls, Metrics};

/// The figures, and the count of calls when they were written last.
#[derive(Debug, Default)]
pub(super) struct Figures(Mutex<(Metrics, Calls)>);

/// Adds to the figures.
pub fn measure(keeper: &Keeper, add: impl FnOnce(&mut Metrics)) {
    add(&mut keeper.figures.0.lock().unwrap_or_else(PoisonError::into_inner).0);
}

/// The figures since the last time, as lines of the log.
pub fn metrics(keeper: &Keeper) -> Vec<String> {
    let mut figures = keeper.figures.0.lock().unwrap_or_else(PoisonError::into_inner);
    let (metrics, counted) = &mut *figures;
    let mut metrics = std::mem::take(metrics);
    let calls = keeper.calls();
    metrics.calls(calls.since(*counted));
    *counted = calls;
    metrics.lines(keeper.clock.now(), keeper.settings.stack.as_deref())
}
