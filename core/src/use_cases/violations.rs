//! What somebody tried and must not: written down once an hour for each address, so that a flood of refusals is not a
//! flood of evidence.

use std::time::Duration;

use crate::model::event::EventKind;
use crate::model::quota::{Bucket, Quota};
use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::service::AuthService;

/// Once an hour. A little less, so that limiters need not keep it beyond a restart.
const ONCE: Quota = Quota::new(1, Duration::from_secs(3599));

impl AuthService {
    /// Writes down that an address (by its digest) was refused something. Never fails: the refusal stands anyway.
    pub async fn note_violation(&self, realm: &Realm, kind: EventKind, who: Digest) {
        let bucket = Bucket { realm: realm.clone(), operation: kind.as_str(), who };
        if let Ok(Some(decision)) = self.take(&bucket, &ONCE).await
            && decision.allowed
        {
            self.record(realm, kind, None, None);
        }
    }
}
