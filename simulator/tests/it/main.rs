//! The simulator over HTTP, and its model without HTTP.

mod client;
mod control;
mod enforcement;
mod events;
mod faults;
mod joining;
mod mapping;
mod model;
mod put_events;
mod queues;
mod refusals;
mod sessions;
mod sharing;
mod walk;
