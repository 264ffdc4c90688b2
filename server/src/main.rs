//! The binary: reads its arguments and hands over.

use std::process::ExitCode;

/// A request takes a hundred small pieces of memory and gives them back: the system's allocator was an eighth of a read.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    portcullis_server::cli::run()
}
