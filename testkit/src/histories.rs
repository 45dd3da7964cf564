//! What the random histories share with other suites: settings and steps from dice, and the judge.

pub mod baseline;
pub mod check;
pub mod dice;
mod edit;
pub mod model;
pub mod setting;
pub mod standing;
pub mod step;
pub mod told;
