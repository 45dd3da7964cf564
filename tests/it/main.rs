//! The whole keeper against a simulated AWS: over HTTP, with the AWS SDK, from an event to the state
//! that the organization ends in. And the binaries, as they are built.

mod bootstrap;
mod converging;
mod crashes;
mod faults;
mod foreign;
mod guardrailctl;
mod handler;
mod holding_back;
mod ledger;
mod organization;
mod races;
mod support;
mod unusable;
