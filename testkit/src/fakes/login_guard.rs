//! Failures in a row, in a map.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::faults::{FaultPlan, Faults};
use crate::locked::Locked;
use portcullis_core::model::login_throttle::{Admission, FailedLogins, LoginSource};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::login_guard::LoginGuard;

/// Keeps counts as long as it lives.
#[derive(Debug)]
pub struct FakeLoginGuard {
    pub(crate) emails: Locked<BTreeMap<(Realm, Digest), FailedLogins>>,
    faults: Faults,
}

impl FakeLoginGuard {
    /// A guard without counts that fails as the plan says.
    #[must_use]
    pub fn new(plan: &FaultPlan) -> Self {
        Self { emails: Locked::default(), faults: Faults::new("login_guard", plan) }
    }

    /// The faults to inject.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Whether nothing is kept at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.emails.lock().is_empty()
    }

    /// Whether anything is kept about an e-mail.
    #[must_use]
    pub fn remembers(&self, realm: &Realm, email: &Digest) -> bool {
        self.emails.lock().contains_key(&(realm.clone(), *email))
    }
}

impl Default for FakeLoginGuard {
    fn default() -> Self {
        Self::new(&FaultPlan::default())
    }
}

#[async_trait]
impl LoginGuard for FakeLoginGuard {
    async fn admit(
        &self,
        realm: &Realm,
        email: &Digest,
        from: &LoginSource,
        now: Timestamp,
    ) -> Result<Admission, PortError> {
        self.faults.call("admit", || self.emails.lock().entry((realm.clone(), *email)).or_default().admit(from, now))
    }

    async fn withdraw(
        &self,
        realm: &Realm,
        email: &Digest,
        from: &LoginSource,
        now: Timestamp,
    ) -> Result<(), PortError> {
        self.faults.call("withdraw", || {
            if let Some(failed) = self.emails.lock().get_mut(&(realm.clone(), *email)) {
                failed.withdraw(from, now);
            }
        })
    }

    async fn succeeded(
        &self,
        realm: &Realm,
        email: &Digest,
        from: &LoginSource,
        now: Timestamp,
    ) -> Result<(), PortError> {
        self.faults
            .call("succeeded", || self.emails.lock().entry((realm.clone(), *email)).or_default().succeed(from, now))
    }

    async fn admit_factor(
        &self,
        realm: &Realm,
        subject: &Digest,
        now: Timestamp,
    ) -> Result<(Admission, u32), PortError> {
        self.faults
            .call("admit_factor", || self.emails.lock().entry((realm.clone(), *subject)).or_default().admit_factor(now))
    }

    async fn withdraw_factor(&self, realm: &Realm, subject: &Digest, now: Timestamp) -> Result<(), PortError> {
        self.faults.call("withdraw_factor", || {
            self.emails.lock().entry((realm.clone(), *subject)).or_default().withdraw_factor(now);
        })
    }

    async fn factor_succeeded(&self, realm: &Realm, subject: &Digest, now: Timestamp) -> Result<(), PortError> {
        self.faults.call("factor_succeeded", || {
            self.emails.lock().entry((realm.clone(), *subject)).or_default().succeed_factor(now);
        })
    }
}
