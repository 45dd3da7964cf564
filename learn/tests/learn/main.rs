//! The program against the simulator, which knows the answers.

mod cleaning;
mod positions;
mod program;
mod refusals;
mod stage;
