//! What the suites of faults share: scenarios through the queues, told and judged on a stage.

pub mod kind;
pub mod scenario;
pub mod stage;
pub mod world;
