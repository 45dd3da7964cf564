//! A bounded load over a long time: an organization is tampered with, grows, moves and changes its baseline for a
//! simulated hour, calls fail, events come twice, and nothing may grow without bound: memory, open files, queues,
//! documents.
//!
//! The keeper runs in a process of its own, which is this program once more (`keeper.rs`); the simulator, its
//! queues and what Lambda does between them are here. `cargo test --workspace --test soak` is the small form,
//! `tests/soak/run` the one with figures (docs/soak.md).

mod figures;
mod keeper;
mod load;
mod measured;
mod options;
mod stage;

use std::process::ExitCode;
use std::time::Instant;

use peak_alloc::PeakAlloc;

use options::{Asked, NAME, Options, USAGE};
use stage::Stage;

/// Counts what is allocated and not freed yet. Memory as the system sees it goes up and down by tens of megabytes
/// with what the allocator happens to keep back.
#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

fn main() -> ExitCode {
    match options::asked(std::env::args().skip(1)) {
        Asked::Keeper(leak) => keeper::serve(leak),
        Asked::Soak(options) => soak(options),
        Asked::List => {
            println!("{NAME}: test");
            ExitCode::SUCCESS
        }
        Asked::Nothing => ExitCode::SUCCESS,
        Asked::Help(None) => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        Asked::Help(Some(wrong)) => {
            eprint!("soak: {wrong}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn soak(options: Options) -> ExitCode {
    let began = Instant::now();
    let Options { accounts, minutes, seed, leak } = options;
    println!("{accounts} accounts in {} Regions, {minutes} minutes, seed {seed}", stage::REGIONS.len());
    if let Some(leak) = leak {
        println!("leaking {} on purpose", leak.name());
    }
    println!("{}", figures::HEAD);
    let mut stage = Stage::set(options);
    let every = (minutes / 12).max(1);
    for minute in 0..minutes {
        stage.minute(minute);
        if (minute + 1) % every == 0 {
            println!("{}", stage.row());
        }
    }
    stage.last_sweep();
    println!("{}", stage.row());
    let (summary, wrong) = stage.end();
    println!("{summary}; {:.0} seconds", began.elapsed().as_secs_f64());
    for wrong in &wrong {
        println!("wrong: {wrong}");
    }
    println!("{NAME}: {}", if wrong.is_empty() { "ok" } else { "FAILED" });
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
