//! Why an operation of the driver failed.

use mongodb::error::{Error, ErrorKind, WriteFailure};
use portcullis_core::ports::error::PortError;

/// Why an operation failed.
#[derive(Debug)]
pub enum Failure {
    /// A unique index has the value already.
    Taken(PortError),
    /// Anything else.
    Port(PortError),
}

impl From<Failure> for PortError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Taken(error) | Failure::Port(error) => error,
        }
    }
}

pub fn is_duplicate(error: &Error) -> bool {
    const DUPLICATE_KEY: i32 = 11_000;
    match &*error.kind {
        ErrorKind::Write(WriteFailure::WriteError(refused)) => refused.code == DUPLICATE_KEY,
        ErrorKind::Command(refused) => refused.code == DUPLICATE_KEY,
        _ => false,
    }
}
