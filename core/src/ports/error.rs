//! The one error of every port.

use std::error::Error;

/// A port could not do its work. Logged once at the edge, never shown to a client.
#[derive(Debug, thiserror::Error)]
#[error("{port} failed")]
pub struct PortError {
    /// The name of the port, e.g. `user_store`.
    pub port: &'static str,
    /// The cause.
    #[source]
    pub source: Box<dyn Error + Send + Sync>,
}

impl PortError {
    /// An error of `port` with its cause.
    pub fn new(port: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { port, source: source.into() }
    }

    /// The error and its cause, for the operator.
    #[must_use]
    pub fn with_cause(&self) -> String {
        format!("{self}: {}", self.source)
    }
}
