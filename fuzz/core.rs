//! The part of the core that the trigger needs, compiled by itself: no SDK, so that a build for
//! fuzzing takes a minute and not twenty.
//!
//! The same files as `src/lib.rs` names, under the same paths.

#[path = "../src"]
mod src {
    pub mod baseline;
    pub mod enforcement;
    pub mod failure;
    pub mod ids;
    pub mod organization;
    pub mod own_roles;
    pub mod trigger;
}

pub use src::{baseline, enforcement, failure, ids, organization, own_roles, trigger};
