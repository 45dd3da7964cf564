//! The simulator over HTTP, and its model without HTTP.

mod client;
mod compatible;
mod control;
mod delegated;
mod effective;
mod enforcement;
mod events;
mod faults;
mod joining;
mod mapping;
mod model;
mod organization_guardrails;
mod organized;
mod policies;
mod policy_events;
mod put_events;
mod queues;
mod refusals;
mod sessions;
mod sharing;
mod walk;
