//! Limits, where the operator has not switched them off.

use std::time::Duration;

use crate::model::event::EventKind;
use crate::model::login_throttle::{Admission, LoginSource};
use crate::model::quota::{Bucket, Decision, Quota};
use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::ports::error::PortError;
use crate::service::AuthService;
use crate::use_cases::shared::errors::AuthError;

impl AuthService {
    /// Takes one from the bucket of an operation; `None` where limits are off.
    ///
    /// # Errors
    /// When the limiter fails.
    pub async fn take(&self, bucket: &Bucket, quota: &Quota) -> Result<Option<Decision>, PortError> {
        if !self.policy.limits_on {
            return Ok(None);
        }
        self.ports.limiter.take(bucket, quota, self.ports.clock.now()).await.map(Some)
    }

    /// Puts one back.
    ///
    /// # Errors
    /// When the limiter fails.
    pub async fn give_back(&self, bucket: &Bucket, quota: &Quota) -> Result<(), PortError> {
        if !self.policy.limits_on {
            return Ok(());
        }
        self.ports.limiter.give_back(bucket, quota, self.ports.clock.now()).await
    }

    /// Spends a login try for an e-mail before any password is looked at. The first refusal of an hour and client address
    /// is recorded.
    pub(crate) async fn check_login_throttle(
        &self,
        realm: &Realm,
        email: &Digest,
        from: &LoginSource,
    ) -> Result<(), AuthError> {
        if !self.policy.limits_on {
            return Ok(());
        }
        match self.ports.guard.admit(realm, email, from, self.ports.clock.now()).await? {
            Admission::Admitted => Ok(()),
            Admission::Throttled(wait) => {
                let event = self.refusal(realm, EventKind::LoginThrottled, None);
                self.audit_refusal(event, from.address).await;
                Err(AuthError::TooMany(wait.max(Duration::from_secs(1))))
            }
        }
    }

    /// A try was none: it was shed before any password was compared, or the address has no account yet.
    pub(crate) async fn withdraw_login_attempt(
        &self,
        realm: &Realm,
        email: &Digest,
        from: &LoginSource,
    ) -> Result<(), AuthError> {
        if self.policy.limits_on {
            self.ports.guard.withdraw(realm, email, from, self.ports.clock.now()).await?;
        }
        Ok(())
    }

    /// A try was right: resets the count.
    pub(crate) async fn record_login_success(
        &self,
        realm: &Realm,
        email: &Digest,
        from: &LoginSource,
    ) -> Result<(), AuthError> {
        if self.policy.limits_on {
            self.ports.guard.succeeded(realm, email, from, self.ports.clock.now()).await?;
        }
        Ok(())
    }
}
