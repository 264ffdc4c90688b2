//! The binary `portcullis`. `cli` has the commands.

use std::process::ExitCode;

/// A request allocates some hundred small blocks. The system's allocator took an eighth of the time of a profile read.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    portcullis_server::cli::run()
}
