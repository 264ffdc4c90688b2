//! Failures in a row, in a map.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::model::time::Timestamp;
use crate::ports::error::PortError;
use crate::ports::login_guard::{Admission, FREE_FAILURES, LoginGuard, THROTTLE};
use crate::testing::faults::{FaultPlan, Faults};
use crate::testing::locked::Locked;

/// Failures in a row, and when the last of them was let through.
#[derive(Debug, Clone, Default)]
pub(crate) struct Count {
    failures: u32,
    last: Timestamp,
}

impl Count {
    fn admit(&mut self, now: Timestamp) -> Admission {
        let waited = now.since(self.last);
        if self.failures >= FREE_FAILURES && waited < THROTTLE {
            return Admission::Throttled(THROTTLE.saturating_sub(waited));
        }
        self.failures = self.failures.saturating_add(1);
        self.last = now;
        Admission::Admitted
    }
}

/// One e-mail's counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guarded {
    strangers: Count,
    known: BTreeMap<Digest, Count>,
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
            guarded.known.get_mut(from).unwrap_or(&mut guarded.strangers).admit(now)
        })
    }

    async fn succeeded(&self, realm: &Realm, email: &Digest, from: &Digest, _now: Timestamp) -> Result<(), PortError> {
        self.faults.call("succeeded", || {
            let mut emails = self.emails.lock();
            let guarded = emails.entry((realm.clone(), *email)).or_default();
            if guarded.known.insert(*from, Count::default()).is_none() {
                guarded.strangers = Count::default();
            }
        })
    }
}
