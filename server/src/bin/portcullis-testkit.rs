//! The server in memory for tests, in a binary that can be nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    portcullis_server::cli::run_testkit()
}
