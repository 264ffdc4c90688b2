//! The binary: reads its arguments and hands over.

use std::process::ExitCode;

fn main() -> ExitCode {
    portcullis_server::cli::run()
}
