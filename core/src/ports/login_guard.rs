//! Slows down guessing at one account from many addresses, without letting a stranger lock its owner out.

use async_trait::async_trait;

use crate::model::login_throttle::{Admission, LoginSource};
use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::model::time::Timestamp;
use crate::ports::error::PortError;

/// Keeps the failed logins of each e-mail, known or not, by the rules of [`FailedLogins`]. Durable, and equal work for every
/// e-mail.
///
/// [`FailedLogins`]: crate::model::login_throttle::FailedLogins
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait LoginGuard: Send + Sync {
    /// Before a password is looked at: decides, and counts a failure where the attempt is admitted, in one atomic step.
    async fn admit(
        &self,
        realm: &Realm,
        email: &Digest,
        from: &LoginSource,
        now: Timestamp,
    ) -> Result<Admission, PortError>;

    /// The attempt was none: takes the failure back that `admit` counted, if one is still counted.
    async fn withdraw(
        &self,
        realm: &Realm,
        email: &Digest,
        from: &LoginSource,
        now: Timestamp,
    ) -> Result<(), PortError>;

    /// The attempt succeeded: its count starts again, and the address of `from` is one that logged in.
    async fn succeeded(
        &self,
        realm: &Realm,
        email: &Digest,
        from: &LoginSource,
        now: Timestamp,
    ) -> Result<(), PortError>;

    /// Before a second factor of an account is looked at: decides, and counts a failure where the attempt is admitted, in
    /// one atomic step; with how many in a row are counted then. `subject` is a digest that stands for the account.
    async fn admit_factor(
        &self,
        realm: &Realm,
        subject: &Digest,
        now: Timestamp,
    ) -> Result<(Admission, u32), PortError>;

    /// The attempt at the second factor was none: takes its failure back.
    async fn withdraw_factor(&self, realm: &Realm, subject: &Digest, now: Timestamp) -> Result<(), PortError>;

    /// The second factor was right: its count starts again.
    async fn factor_succeeded(&self, realm: &Realm, subject: &Digest, now: Timestamp) -> Result<(), PortError>;
}
