//! Guardrail Keeper makes every account and Region of an AWS Organization agree with a baseline
//! of Amazon Bedrock guardrails, and keeps it so.
//!
//! What it decides is in the crate `core`; this one acts on it, as the Lambda function does:
//!
//! ```text
//! handler   one invocation: a payload in, an answer out; queues and publishes what jobs answer
//! engine    the jobs: look, plan (core), limits, probe, write, record
//! ledger    what was done, and what accounts follow
//! cloud     AWS, one file per service
//! ```

pub mod clock;
pub mod cloud;
pub mod engine;
pub mod handler;
pub mod ledger;

pub use keeper_core::{
    baseline, bedrock_policy, callers, content, control, copy, desired, doctor, enforcement, failure, ids,
    limits, metrics, observed, organization, organization_level, outcome, own_roles, placement, plan, record,
    report, resolved, resource_policy, settings, simulation, status, task, trigger, trust,
};
