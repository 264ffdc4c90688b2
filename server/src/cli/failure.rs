//! The failure of a command, with its exit code.

use portcullis_core::ports::error::PortError;
use portcullis_core::use_cases::shared::errors::AuthError;

/// Why a command did not do its work.
#[derive(Debug)]
pub enum Failure {
    /// Something went wrong: exit code 1.
    Failed(String),
    /// The named account, client, token, event or message does not exist: exit code 3.
    NotFound(String),
}

impl Failure {
    /// The exit code. 2 is clap's, for arguments that could not be understood.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::NotFound(_) => 3,
        }
    }

    /// The message.
    pub fn message(&self) -> &str {
        match self {
            Self::Failed(message) | Self::NotFound(message) => message,
        }
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Self {
        Self::Failed(message.to_owned())
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        Self::Failed(error.with_cause())
    }
}

impl From<AuthError> for Failure {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::NotFound => Self::NotFound("there is nothing of that name".to_owned()),
            AuthError::Port(error) => error.into(),
            AuthError::Invalid(violations) => {
                let line = |violation: &portcullis_core::model::code::Violation| {
                    format!("{}: {}", violation.field, violation.message)
                };
                Self::Failed(violations.iter().map(line).collect::<Vec<_>>().join("\n"))
            }
            error => Self::Failed(error.to_string()),
        }
    }
}
