//! The program against the simulator, which knows the answers.

mod cleaning;
mod permissions;
mod positions;
mod program;
mod refusals;
mod stage;
