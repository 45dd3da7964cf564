//! The store, the queues and the bus against other people's emulators of DynamoDB, SQS and
//! EventBridge. What each test finds there, it made itself.
//!
//! `tests/emulated/run` starts the emulators and tells this program where they are.

mod between;
mod bus;
mod inspection;
mod permissions;
mod place;
mod queues;
mod table;
