//! `guardrailctl`: arguments and environment. What it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    guardrailctl::main()
}
