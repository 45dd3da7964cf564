//! The progress of a run.

use std::fmt;

use crate::failure::Failure;
use crate::plan::{Change, CleanUp, GrantChange, ReviewedPlan};

/// A step of a run, for a progress display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// The run begins to look at accounts.
    Looking {
        /// How many.
        accounts: usize,
    },
    /// One account was looked at.
    Looked,
    /// The run begins to write.
    Writing {
        /// How many.
        changes: usize,
    },
    /// A write begins.
    Begins(Write<'a>),
    /// A write turned out to be needless.
    Needless(&'a Change),
    /// A write ended, with this result.
    Ended(Write<'a>, &'a Result<(), Failure>),
    /// One change is finished.
    Wrote,
}

/// One write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write<'a> {
    /// Of a target.
    Change(&'a Change),
    /// Of a resource policy.
    Grant(&'a GrantChange),
    /// Of what earlier copies left behind.
    CleanUp(&'a CleanUp),
}

impl fmt::Display for Write<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Write::Change(change) => change.fmt(f),
            Write::Grant(change) => change.fmt(f),
            Write::CleanUp(clean_up) => clean_up.fmt(f),
        }
    }
}

/// Called with every [`Step`].
pub type Progress<'a> = &'a (dyn Fn(Step<'_>) + Send + Sync);

/// For runs without a progress display.
pub fn unwatched(_: Step<'_>) {}

/// The person at a terminal who has jobs done.
#[derive(Clone, Copy)]
pub struct Reviewer<'a> {
    /// Follows the writes.
    pub progress: Progress<'a>,
    /// The plan that the person read; `None` where no plan was shown, as in the function.
    pub plan: Option<&'a ReviewedPlan>,
}

impl Reviewer<'_> {
    /// Nobody: nothing is watched, and nothing is compared with a plan.
    pub const NOBODY: Reviewer<'static> = Reviewer { progress: &unwatched, plan: None };
}

impl fmt::Debug for Reviewer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reviewer").field("plan", &self.plan).finish_non_exhaustive()
    }
}
