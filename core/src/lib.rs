//! The core of Guardrail Keeper: it decides, and does nothing else. Its functions are given what was read, and the
//! time, as values. The function and the terminal perform what it decides.
//!
//! In reading order:
//!
//! ```text
//! event ──► trigger ──► Scope                                      why we woke, never what to do
//! baseline + organization ──► desired ──► resolved                 which guardrail, then its ARN and version per target
//! resolved + observed + record ──► plan {changes, held}            pure, infallible, printable
//! plan ──► limits ──► a plan that may be applied
//! report ──► record, outcome, metrics, status                      what is kept, published, counted and judged
//! ```

pub mod baseline;
pub mod bedrock_policy;
pub mod callers;
pub mod content;
pub mod control;
pub mod copy;
pub mod desired;
pub mod doctor;
pub mod enforcement;
pub mod failure;
pub mod holes;
pub mod ids;
pub mod limits;
pub mod metrics;
pub mod observed;
pub mod organization;
pub mod organization_level;
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
pub mod simulation;
pub mod status;
pub mod task;
pub mod trigger;
pub mod trust;
mod words;
