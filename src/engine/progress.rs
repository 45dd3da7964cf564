//! How far a run has come.

use std::fmt;

use crate::failure::Failure;
use crate::plan::{Change, CleanUp, GrantChange};

/// How far a run has come, for whoever shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// So many accounts are going to be looked at.
    Looking {
        /// How many.
        accounts: usize,
    },
    /// One account was looked at.
    Looked,
    /// So many changes are going to be made.
    Writing {
        /// How many.
        changes: usize,
    },
    /// One write is about to be attempted.
    Begins(Write<'a>),
    /// There was nothing left to write.
    Needless(&'a Change),
    /// It came to this.
    Ended(Write<'a>, &'a Result<(), Failure>),
    /// One change was dealt with.
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

/// Told of every [`Step`].
pub type Progress<'a> = &'a (dyn Fn(Step<'_>) + Send + Sync);

/// Progress that nobody watches.
pub fn unwatched(_: Step<'_>) {}
