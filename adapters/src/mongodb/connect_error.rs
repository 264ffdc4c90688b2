//! Why there is no connection to MongoDB, and what helps.

use mongodb::error::{Error, ErrorKind};

use crate::mongodb::SCHEMA_VERSION;
use crate::network_failure::NetworkFailure;

/// Why there is no connection. Says no password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address cannot be read.
    #[error("the address cannot be read: {0}")]
    Address(String),
    /// The servers of a `mongodb+srv` address can't be looked up; they may be later.
    #[error("the servers of its mongodb+srv name: {0}")]
    Srv(NetworkFailure),
    /// No server answers; it may come yet.
    #[error("no MongoDB server that takes writes answers: {0}")]
    Away(String),
    /// The connection fails for a cause that does not pass by itself.
    #[error("the server: {0}")]
    Network(NetworkFailure),
    /// The server refuses the user name or the password.
    #[error("the server refuses the user name or password")]
    Authentication,
    /// The user may not do this.
    #[error("the user has no rights on the database")]
    Authorization,
    /// The server is no member of a replica set, and so has no transactions.
    #[error("the server is not a member of a replica set, and transactions need one")]
    Standalone,
    /// The server is too old.
    #[error("the server is older than MongoDB 4.4")]
    TooOld,
    /// A later version wrote the database.
    #[error("the database is of version {found}, this program knows {SCHEMA_VERSION} at most")]
    Newer {
        /// Its version.
        found: i64,
    },
    /// The server's disk is full.
    #[error("the server's disk is full")]
    DiskFull,
    /// Anything else the server said.
    #[error("{0}")]
    Other(String),
}

/// Codes of the server: Unauthorized, `AuthenticationFailed`, `OutOfDiskSpace`.
const UNAUTHORIZED: i32 = 13;
const AUTHENTICATION_FAILED: i32 = 18;
const OUT_OF_DISK_SPACE: i32 = 14_031;

impl From<Error> for ConnectError {
    fn from(error: Error) -> Self {
        // texts of the driver name hosts, never credentials
        match &*error.kind {
            ErrorKind::Authentication { .. } => Self::Authentication,
            ErrorKind::Command(refused) => match refused.code {
                UNAUTHORIZED => Self::Authorization,
                AUTHENTICATION_FAILED => Self::Authentication,
                OUT_OF_DISK_SPACE => Self::DiskFull,
                _ => Self::Other(error.kind.to_string()),
            },
            ErrorKind::ServerSelection { message, .. } => Self::of_selection(message),
            ErrorKind::DnsResolve { message, .. } => Self::Srv(dns_failure(message)),
            ErrorKind::Io(io) => {
                Self::Away(NetworkFailure::of(&**io).map_or_else(|| io.to_string(), |f| f.to_string()))
            }
            other => Self::Other(other.to_string()),
        }
    }
}

impl ConnectError {
    /// The driver hides the cause behind a server that it cannot use.
    fn of_selection(message: &str) -> Self {
        if message.contains("AuthenticationFailed") || message.contains("SCRAM failure") {
            return Self::Authentication;
        }
        match NetworkFailure::in_text(message) {
            Some(failure @ (NetworkFailure::Certificate(_) | NetworkFailure::NotTls | NetworkFailure::Handshake)) => {
                Self::Network(failure)
            }
            Some(failure) => Self::Away(failure.to_string()),
            // a server that speaks TLS closes a plain connection
            None if ["unexpected end of file", "Connection reset", "early eof"]
                .iter()
                .any(|text| message.contains(text)) =>
            {
                Self::Away(NetworkFailure::Closed.to_string())
            }
            None => Self::Away(
                "it is no primary of a replica set, or its members are not reachable by their own names".to_owned(),
            ),
        }
    }

    /// From the reading of an address. The driver's message may quote a part of a password that was not encoded.
    pub(super) fn of_address(error: &Error) -> Self {
        match &*error.kind {
            ErrorKind::DnsResolve { message, .. } => Self::Srv(dns_failure(message)),
            _ => Self::Address("in it, user and password are percent-encoded (@ / ? : # %)".to_owned()),
        }
    }

    /// Whether the server may come yet.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Srv(_))
    }

    /// The fix.
    #[must_use]
    pub const fn fix(&self) -> &'static str {
        match self {
            Self::Address(_) => "write it as mongodb://user:password@host:27017/?tls=true",
            Self::Srv(failure) | Self::Network(failure) => failure.fix(),
            Self::Away(_) => {
                "start the server, or correct host and port; a replica set's members must be reachable by their own names; \
                 a server that expects TLS (tls=true) closes a plain connection"
            }
            Self::Authentication => "correct the user name and password in it, and authSource if they live elsewhere",
            Self::Authorization => "give the user the role readWrite on the database in MONGO_DB",
            Self::Standalone => {
                "make it a replica set of one node: start mongod with --replSet rs0, then run once: mongosh --eval 'rs.initiate()'"
            }
            Self::TooOld => "upgrade the server",
            Self::Newer { .. } => "run the version of Portcullis that last used it, or a later one",
            Self::DiskFull => "free space there",
            Self::Other(_) => "see that this user may read, write and make indexes in MONGO_DB",
        }
    }
}

/// DNS that says nothing is no name server; anything else is a name that has no servers.
fn dns_failure(message: &str) -> NetworkFailure {
    match NetworkFailure::in_text(message) {
        Some(
            NetworkFailure::NoAnswer
            | NetworkFailure::NoNameServer
            | NetworkFailure::Refused
            | NetworkFailure::Unreachable,
        ) => NetworkFailure::NoNameServer,
        _ => NetworkFailure::UnknownName,
    }
}
