//! Audit events for forbidden attempts: at most one an hour for each address, so that a flood of refusals is not a
//! flood of events.

use std::time::Duration;

use crate::model::event::EventKind;
use crate::model::quota::{Bucket, Quota};
use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::model::user::User;
use crate::service::{AuthService, Ports};

/// Once an hour. A little less, so that limiters need not keep it beyond a restart.
const ONCE: Quota = Quota::new(1, Duration::from_secs(3599));

/// Wrong passwords of one address within the hour that make a right one suspicious: a sign of credential stuffing.
const WRONG_PASSWORDS: Quota = Quota::new(20, Duration::from_secs(3600));

impl AuthService {
    /// Counts a wrong password by client address, for any account. A failure to record it fails no login.
    pub(crate) async fn count_failed_password(&self, realm: &Realm, from: &Digest) {
        let _ = self.take(&wrong_passwords(realm, from), &WRONG_PASSWORDS).await;
    }

    /// Writes down a right password from an address that has shown many wrong ones. Nothing is refused for it: many may
    /// share an address.
    pub(crate) async fn flag_suspicious_login(&self, user: &User, from: &Digest) {
        let Ports { limiter, clock, .. } = &self.ports;
        let bucket = wrong_passwords(&user.realm, from);
        let exhausted = self.policy.limits_on
            && limiter.is_exhausted(&bucket, &WRONG_PASSWORDS, clock.now()).await.unwrap_or_default();
        if exhausted {
            self.record(&user.realm, EventKind::SuspiciousLogin, Some(user.id), None);
        }
    }

    /// Records the refusal of an address (by its digest) in the audit log. Best effort: a failure changes nothing about the refusal.
    pub async fn audit_refusal(&self, realm: &Realm, kind: EventKind, who: Digest) {
        let bucket = Bucket { realm: realm.clone(), operation: kind.as_str(), who };
        if let Ok(Some(decision)) = self.take(&bucket, &ONCE).await
            && decision.allowed
        {
            self.record(realm, kind, None, None);
        }
    }
}

fn wrong_passwords(realm: &Realm, from: &Digest) -> Bucket {
    Bucket { realm: realm.clone(), operation: "wrong_passwords", who: *from }
}
