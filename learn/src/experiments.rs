//! The experiments, in the order in which they are made: what only reads first, what breaks calls of models last.

mod account;
mod across;
mod enforcing;
mod organization;
mod publication;
mod runtime;

use crate::experiment::Experiment;
pub(crate) use organization::root;

/// Every experiment.
pub fn all() -> impl Iterator<Item = &'static Experiment> {
    [
        organization::EXPERIMENTS,
        account::EXPERIMENTS,
        runtime::EXPERIMENTS,
        across::EXPERIMENTS,
        publication::EXPERIMENTS,
        enforcing::EXPERIMENTS,
    ]
    .into_iter()
    .flatten()
}

/// The base model of an inference profile, as lists of models name it.
fn base_model(model: &str) -> &str {
    let places = ["us.", "eu.", "apac.", "global.", "us-gov.", "jp.", "au.", "ca."];
    places.iter().find_map(|place| model.strip_prefix(place)).unwrap_or(model)
}
