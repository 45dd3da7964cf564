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

pub mod baseline;
#[cfg(feature = "cli")]
pub mod callers;
#[cfg(feature = "cli")]
pub mod cli;
pub mod clock;
pub mod cloud;
pub mod content;
pub mod copy;
pub mod desired;
#[cfg(feature = "cli")]
pub mod doctor;
pub mod enforcement;
pub mod engine;
pub mod failure;
pub mod handler;
pub mod ids;
pub mod ledger;
pub mod limits;
pub mod metrics;
pub mod observed;
pub mod organization;
pub mod outcome;
pub mod own_roles;
pub mod placement;
pub mod plan;
mod reasons;
pub mod record;
pub mod report;
pub mod resolved;
pub mod resource_policy;
pub mod settings;
#[cfg(feature = "cli")]
pub mod simulation;
pub mod status;
pub mod task;
pub mod trigger;
