//! Failures in a row, in a map.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::faults::{FaultPlan, Faults};
use crate::locked::Locked;
use portcullis_core::model::login_throttle::{
    Admission, FailedLogins, check_factor_throttle, check_login_throttle, withdraw_attempt,
};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::login_guard::LoginGuard;

/// One e-mail's counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guarded {
    strangers: FailedLogins,
    known: BTreeMap<Digest, FailedLogins>,
}

/// Keeps counts as long as it lives.
#[derive(Debug)]
pub struct FakeLoginGuard {
    pub(crate) emails: Locked<BTreeMap<(Realm, Digest), Guarded>>,
    faults: Faults,
}

impl FakeLoginGuard {
    /// A guard that has seen nobody and breaks as the plan says.
    #[must_use]
    pub fn new(plan: &FaultPlan) -> Self {
        Self { emails: Locked::default(), faults: Faults::new("login_guard", plan) }
    }

    /// What breaks.
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
        from: &Digest,
        now: Timestamp,
    ) -> Result<Admission, PortError> {
        self.faults.call("admit", || {
            let mut emails = self.emails.lock();
            let guarded = emails.entry((realm.clone(), *email)).or_default();
            let counted = guarded.known.get_mut(from).unwrap_or(&mut guarded.strangers);
            let (admission, next) = check_login_throttle(Some(*counted), now);
            *counted = next;
            admission
        })
    }

    async fn admit_factor(
        &self,
        realm: &Realm,
        subject: &Digest,
        now: Timestamp,
    ) -> Result<(Admission, u32), PortError> {
        self.faults.call("admit_factor", || {
            let mut emails = self.emails.lock();
            let guarded = emails.entry((realm.clone(), *subject)).or_default();
            let counted = guarded.known.get_mut(subject).unwrap_or(&mut guarded.strangers);
            let (admission, next) = check_factor_throttle(Some(*counted), now);
            *counted = next;
            (admission, next.failures)
        })
    }

    async fn withdraw(&self, realm: &Realm, email: &Digest, from: &Digest, now: Timestamp) -> Result<(), PortError> {
        self.faults.call("withdraw", || {
            let mut emails = self.emails.lock();
            if let Some(guarded) = emails.get_mut(&(realm.clone(), *email)) {
                let counted = guarded.known.get_mut(from).unwrap_or(&mut guarded.strangers);
                *counted = withdraw_attempt(*counted, now);
            }
        })
    }

    async fn succeeded(&self, realm: &Realm, email: &Digest, from: &Digest, _now: Timestamp) -> Result<(), PortError> {
        self.faults.call("succeeded", || {
            let mut emails = self.emails.lock();
            let guarded = emails.entry((realm.clone(), *email)).or_default();
            if guarded.known.insert(*from, FailedLogins::default()).is_none() {
                guarded.strangers = FailedLogins::default();
            }
        })
    }
}
