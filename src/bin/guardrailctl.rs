//! `guardrailctl`: arguments → the same functions that the Lambda function runs.

use std::process::ExitCode;

fn main() -> ExitCode {
    guardrail_keeper::cli::main()
}
