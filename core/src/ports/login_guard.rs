//! Slows down guessing at one account from many addresses, without letting a stranger lock its owner out.

use std::time::Duration;

use async_trait::async_trait;

use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::model::time::Timestamp;
use crate::ports::error::PortError;

/// Failures in a row that pass freely.
pub const FREE_FAILURES: u32 = 10;
/// After them, one try per this long.
pub const THROTTLE: Duration = Duration::from_secs(60);

/// What a try may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Go on; the try is counted as a failure until `succeeded` says otherwise.
    Admitted,
    /// Not before that long.
    Throttled(Duration),
}

/// Counts failed logins in a row per e-mail, known or not. Addresses that never logged in to it share one count;
/// each address that did has one of its own. Durable, and equal work for every e-mail.
#[async_trait]
pub trait LoginGuard: Send + Sync {
    /// Before a password is looked at: counts a failure, in one atomic step. With `FREE_FAILURES` counted, one try
    /// per `THROTTLE` is admitted.
    async fn admit(&self, realm: &Realm, email: &Digest, from: &Digest, now: Timestamp)
    -> Result<Admission, PortError>;

    /// The try succeeded: its count starts anew, and `from` is an address that did.
    async fn succeeded(&self, realm: &Realm, email: &Digest, from: &Digest, now: Timestamp) -> Result<(), PortError>;
}
