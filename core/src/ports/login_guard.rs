//! Slows down guessing at one account from many addresses, without letting a stranger lock its owner out.

use async_trait::async_trait;

use crate::model::login_throttle::Admission;
use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::model::time::Timestamp;
use crate::ports::error::PortError;

/// Counts failed logins in a row per e-mail, known or not. Addresses that never logged in to it share one count;
/// each address that did has one of its own. Durable, and equal work for every e-mail.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait LoginGuard: Send + Sync {
    /// Before a password is looked at: counts a failure, in one atomic step. With `FREE_FAILURES` counted, one try
    /// per `THROTTLE` is admitted.
    async fn admit(&self, realm: &Realm, email: &Digest, from: &Digest, now: Timestamp)
    -> Result<Admission, PortError>;

    /// Before a second factor of an account is looked at: counts a failure in one atomic step, by
    /// [`crate::model::login_throttle::check_factor_throttle`] and in one count for all addresses, and says how many in a
    /// row are counted now. `subject` is a digest that stands for the account in place of an e-mail and an address:
    /// `withdraw` and `succeeded` take it as both.
    async fn admit_factor(
        &self,
        realm: &Realm,
        subject: &Digest,
        now: Timestamp,
    ) -> Result<(Admission, u32), PortError>;

    /// The try was none: takes the failure back that `admit` counted, if one is still counted.
    async fn withdraw(&self, realm: &Realm, email: &Digest, from: &Digest, now: Timestamp) -> Result<(), PortError>;

    /// The try succeeded: its count starts anew, and `from` is an address that did.
    async fn succeeded(&self, realm: &Realm, email: &Digest, from: &Digest, now: Timestamp) -> Result<(), PortError>;
}
