//! Wrong second factors: counted over all methods, challenges and addresses of an account.

use std::time::Duration;

use crate::model::event::EventKind;
use crate::model::job::Task;
use crate::model::login_throttle::{Admission, FREE_FAILURES};
use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::model::user::User;
use crate::ports::database::UnitOfWork;
use crate::service::AuthService;
use crate::use_cases::shared::errors::AuthError;

/// The result of comparing a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FactorOutcome {
    Right,
    Wrong,
    /// It is not known whether it is right.
    NotCompared,
}

impl AuthService {
    /// Counts a second factor as wrong before it is compared: over all challenges and addresses of the account.
    /// Returns how many in a row are counted.
    pub(crate) async fn admit_factor(&self, realm: &Realm, subject: &Digest) -> Result<u32, AuthError> {
        if !self.policy.limits_on {
            return Ok(0);
        }
        match self.ports.guard.admit_factor(realm, subject, self.ports.clock.now()).await? {
            (Admission::Admitted, counted) => Ok(counted),
            (Admission::Throttled(wait), _) => Err(AuthError::TooMany(wait.max(Duration::from_secs(1)))),
        }
    }

    /// A right factor resets the count, and a code that was not compared does not count. The owner gets a mail when the
    /// throttle begins.
    pub(crate) async fn settle_factor(
        &self,
        user: &User,
        subject: &Digest,
        counted: u32,
        outcome: FactorOutcome,
    ) -> Result<(), AuthError> {
        if !self.policy.limits_on {
            return Ok(());
        }
        let (realm, now) = (&user.realm, self.ports.clock.now());
        match outcome {
            FactorOutcome::Right => self.ports.guard.factor_succeeded(realm, subject, now).await?,
            FactorOutcome::Wrong if counted == FREE_FAILURES => {
                let work = UnitOfWork {
                    jobs: vec![self.job(realm, Task::FactorsThrottled { user: user.id, at: now })],
                    events: vec![self.event(realm, EventKind::LoginThrottled, Some(user.id), None)],
                    ..UnitOfWork::default()
                };
                self.commit(work).await?;
            }
            FactorOutcome::Wrong => {}
            FactorOutcome::NotCompared => self.ports.guard.withdraw_factor(realm, subject, now).await?,
        }
        Ok(())
    }
}
