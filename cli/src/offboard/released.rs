//! What became of an account's Regions, and how that is printed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::output::{self, ADDED, paint};
use crate::{OK, Output, UNFINISHED};
use keeper_core::ids::{AccountId, Region};

/// What became of one Region.
pub(super) struct Released {
    /// Whether nothing is left in it that would break calls.
    pub(super) done: bool,
    pub(super) text: String,
}

/// Prints what became of each Region, and returns the exit code.
pub(super) fn print(account: &AccountId, regions: &BTreeMap<Region, Released>, output: Output) -> u8 {
    let done = regions.values().all(|region| region.done);
    match output {
        Output::Json => output::print_done_json(&json!({
            "account": account,
            "leaving": true,
            "released": done,
            "regions": in_json(regions),
        })),
        Output::Text => {
            for (region, Released { text, .. }) in regions {
                output::print_done(format_args!("{account}/{region} {text}"));
            }
            if done {
                output::print_done(format_args!(
                    "{} nothing of ours is enforced in {account}",
                    paint(ADDED, "ok:")
                ));
            }
        }
    }
    let left: Vec<&str> =
        regions.iter().filter(|(_, region)| !region.done).map(|(region, _)| region.as_str()).collect();
    if !left.is_empty() {
        output::warning(format_args!(
            "{account} may lose its Bedrock calls in {} once it has left: the lines above name what is still \
             enforced in each Region",
            left.join(", ")
        ));
    }
    if done { OK } else { UNFINISHED }
}

/// Prints what stays in an account whose control waits: nothing is released before it is taken over. Returns the exit code.
pub(super) fn print_waiting<'a>(
    account: &AccountId,
    regions: impl Iterator<Item = &'a Region>,
    output: Output,
) -> u8 {
    let text = "stays guarded: its control waits";
    let regions: BTreeMap<Region, Released> =
        regions.map(|region| (region.clone(), Released { done: false, text: text.to_owned() })).collect();
    match output {
        Output::Json => output::print_done_json(&json!({
            "account": account,
            "leaving": false,
            "released": false,
            "regions": in_json(&regions),
        })),
        Output::Text => {
            for region in regions.keys() {
                output::print_done(format_args!("{account}/{region} {text}"));
            }
        }
    }
    UNFINISHED
}

/// The Regions for programs.
pub(super) fn in_json(regions: &BTreeMap<Region, Released>) -> Value {
    let told = regions
        .iter()
        .map(|(region, Released { done, text })| json!({ "region": region, "released": done, "text": text }));
    told.collect()
}
