//! What the test suites share: organizations to act in, the queues and what Lambda does with them, the programs as
//! they are built, and the judge of random histories.
#![expect(missing_docs, reason = "for the tests of this repository, which say what they mean by it")]

pub mod document;
pub mod faults;
pub mod figures_line;
pub mod histories;
pub mod lambda;
pub mod log;
pub mod permissions;
pub mod program;
pub mod queues;
pub mod stack;
pub mod whole;
pub mod world;
