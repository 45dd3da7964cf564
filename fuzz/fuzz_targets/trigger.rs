//! Feeds arbitrary bytes to the trigger: no panic, always a decision, within libFuzzer's bounds.
#![no_main]

#[path = "../harness.rs"]
mod harness;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| harness::check(bytes));
