//! `guardrail-learn`: arguments and environment. What it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    guardrail_learn::main()
}
