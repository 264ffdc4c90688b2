//! Audit events for forbidden attempts: at most one an hour for each address, and some of each kind a minute, so that a
//! flood of refusals is not a flood of events. The others are counted.

use std::time::Duration;

use crate::model::event::{Event, EventKind};
use crate::model::event_detail::EventDetail;
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

    /// An audit event about a refused request.
    #[must_use]
    pub fn refusal(&self, realm: &Realm, kind: EventKind, detail: Option<EventDetail>) -> Event {
        Event { detail, ..self.event(realm, kind, None, None) }
    }

    /// Records a refusal in the audit log: the first one of an hour for each address or caller (by its digest), and not
    /// more than 60 a minute. The others are counted. Best effort: a failure changes nothing about the refusal.
    pub async fn audit_refusal(&self, event: Event, who: Digest) {
        let bucket = Bucket { realm: event.realm.clone(), operation: event.kind.as_str(), who };
        // where limits are off, the bound of each minute is the only one
        let first = self.take(&bucket, &ONCE).await.is_ok_and(|taken| taken.is_none_or(|decision| decision.allowed));
        if self.refusals.admit(&event, first) {
            self.ports.audit.record(event);
        }
    }

    /// Records how many refusals of each kind were counted since the last call.
    pub fn record_counted_refusals(&self) {
        for (realm, kind, count) in self.refusals.drain() {
            self.ports.audit.record(self.refusal(&realm, kind, Some(EventDetail::more(count))));
        }
    }
}

fn wrong_passwords(realm: &Realm, from: &Digest) -> Bucket {
    Bucket { realm: realm.clone(), operation: "wrong_passwords", who: *from }
}
