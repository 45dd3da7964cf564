//! Guardrail Keeper makes every account and Region of an AWS Organization agree with a baseline
//! of Amazon Bedrock guardrails, and keeps it so.
//!
//! ```text
//! event ──► Trigger ──► Scope                              why we woke, never what to do
//! Baseline + Organization ──► Desired ──► Resolved         which guardrail, then its ARN and version per target
//! Resolved + Observed + Record ──► Plan {changes, held}    pure, infallible, printable
//! Plan ──► apply, one attempt each, in a safe order ──► Report
//! Report ──► ledger, metrics, outcome events               nothing is silent
//! ```

pub mod clock;
pub mod cloud;
pub mod engine;
pub mod handler;
pub mod ledger;

pub use keeper_core::{
    baseline, callers, content, copy, desired, doctor, enforcement, failure, ids, limits, metrics, observed,
    organization, outcome, own_roles, placement, plan, record, report, resolved, resource_policy, settings,
    simulation, status, task, trigger,
};
