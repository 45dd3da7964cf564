//! Figures that gather while a process works, until somebody writes them down.

use std::sync::{Mutex, PoisonError};

use super::Keeper;
use crate::metrics::{Calls, Metrics};

/// The figures, and how far calls were counted when they were written last.
#[derive(Debug, Default)]
pub(super) struct Figures(Mutex<(Metrics, Calls)>);

impl Keeper {
    /// The requests to AWS that this process has sent so far.
    pub fn calls(&self) -> Calls {
        self.cloud.calls()
    }

    /// Adds to the figures.
    pub fn measure(&self, add: impl FnOnce(&mut Metrics)) {
        add(&mut self.figures.0.lock().unwrap_or_else(PoisonError::into_inner).0);
    }

    /// The figures since the last time, as lines for the log.
    pub fn metrics(&self) -> Vec<String> {
        let mut figures = self.figures.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (metrics, counted) = &mut *figures;
        let mut metrics = std::mem::take(metrics);
        let calls = self.calls();
        metrics.calls(calls.since(*counted));
        *counted = calls;
        metrics.lines(self.clock.now(), self.settings.stack.as_deref())
    }
}
