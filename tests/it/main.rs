//! The whole keeper against a simulated AWS: over HTTP, with the AWS SDK, from an event to the state
//! that the organization ends in. And the binaries, as they are built.

#![expect(
    clippy::needless_pass_by_value,
    reason = "`expect!` is handed over where it is written, as its authors do"
)]

mod abandoning;
mod account_states;
mod adopting;
mod adopting_policies;
mod approving;
mod arrivals;
mod asking_aws;
mod bootstrap;
mod busy;
mod by_record;
mod callers;
mod callers_many;
mod controls;
mod converging;
mod copies;
mod copying;
mod crashes;
mod deployed;
mod doctor;
mod doctor_organization_level;
mod effective_policy;
mod enabling_policies;
mod endings;
mod faults;
mod flood_in_figures;
mod following;
mod foreign;
mod foreseen;
mod giving_up;
mod guardrailctl;
mod handler;
mod holding_back;
mod holes;
mod hub;
mod in_our_name;
mod keys;
mod leaving;
mod ledger;
mod loops;
mod member_roles;
mod names;
mod names_nobody;
mod news;
mod odd_answers;
mod organization;
mod organization_level;
mod organization_level_apply;
mod organization_level_faults;
mod organization_level_histories;
mod organization_level_large;
mod organization_level_many;
mod outcomes;
mod owners;
mod owners_histories;
mod placing;
mod policies;
mod policy_text;
mod preview_policy;
mod probing;
mod pushing;
mod queued;
mod queued_faults;
mod races;
mod read_back;
mod reading;
mod regions;
mod reviewed;
mod security;
mod status;
mod terminal;
mod told;
mod triggering;
mod two_levels;
mod unplaced;
mod unrecorded;
mod unusable;
mod ways_back;
mod whole_looks;
