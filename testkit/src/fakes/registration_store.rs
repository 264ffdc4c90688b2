//! Pending registrations in a map.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::faults::{FaultPlan, Faults};
use crate::locked::Locked;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::pending_registrations::add_registration;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::RingDigest;
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::user::Registration;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::registration_store::RegistrationStore;

/// Registrations by realm and id.
pub(crate) type Registrations = BTreeMap<(Realm, UserId), Registration>;

/// Keeps registrations as long as it lives.
#[derive(Debug)]
pub struct FakeRegistrationStore {
    pub(crate) pending: Locked<Registrations>,
    faults: Faults,
}

impl FakeRegistrationStore {
    /// An empty store that breaks as the plan says.
    #[must_use]
    pub fn new(plan: &FaultPlan) -> Self {
        Self { pending: Locked::default(), faults: Faults::new("registration_store", plan) }
    }

    /// The faults to inject.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Everything kept, expired or not, by realm and id.
    #[must_use]
    pub fn all(&self) -> Vec<Registration> {
        self.pending.lock().values().cloned().collect()
    }
}

impl Default for FakeRegistrationStore {
    fn default() -> Self {
        Self::new(&FaultPlan::default())
    }
}

pub(super) fn is_of(registration: &Registration, realm: &Realm, email: &RingDigest) -> bool {
    registration.realm == *realm && registration.person.email_index.same_input(email)
}

fn waits(registration: &Registration, now: Timestamp) -> bool {
    now < registration.expires_at
}

/// Inserts a registration; the one that gives way.
pub(super) fn insert(
    stored: &mut Registrations,
    registration: Registration,
    limit: u32,
    now: Timestamp,
) -> Option<UserId> {
    let (realm, email) = (registration.realm.clone(), registration.person.email_index);
    let pending = stored.extract_if(.., |_, other| is_of(other, &realm, &email) && waits(other, now));
    let mut pending: Vec<Registration> = pending.map(|(_, registration)| registration).collect();
    let removed = add_registration(&mut pending, registration, usize::try_from(limit).unwrap_or(usize::MAX));
    stored.extend(pending.into_iter().map(|one| ((one.realm.clone(), one.id), one)));
    removed
}

#[async_trait]
impl RegistrationStore for FakeRegistrationStore {
    async fn find(&self, realm: &Realm, id: &UserId, now: Timestamp) -> Result<Option<Registration>, PortError> {
        self.faults.call("find", || {
            let pending = self.pending.lock();
            pending.get(&(realm.clone(), *id)).filter(|registration| waits(registration, now)).cloned()
        })
    }

    async fn find_by_email(
        &self,
        realm: &Realm,
        email: &RingDigest,
        now: Timestamp,
    ) -> Result<Vec<Registration>, PortError> {
        self.faults.call("find_by_email", || {
            let pending = self.pending.lock();
            let found = pending.values().filter(|other| is_of(other, realm, email) && waits(other, now));
            let mut found: Vec<Registration> = found.cloned().collect();
            found.sort_by_key(|registration| registration.created_at);
            found
        })
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        self.faults.call("purge_expired", || {
            let mut pending = self.pending.lock();
            let before = pending.len();
            pending.retain(|_, registration| waits(registration, now));
            (before - pending.len()) as u64
        })
    }
}
