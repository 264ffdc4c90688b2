//! Credentials in a map.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::faults::{FaultPlan, Faults};
use crate::locked::Locked;
use portcullis_core::model::credential::{Credential, CredentialName};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::credential_store::CredentialStore;
use portcullis_core::ports::database::{Change, Refusal};
use portcullis_core::ports::error::PortError;

/// Credentials by realm and name.
pub(crate) type Credentials = BTreeMap<(Realm, CredentialName), Credential>;

/// Keeps credentials as long as it lives.
#[derive(Debug)]
pub struct FakeCredentialStore {
    pub(crate) credentials: Locked<Credentials>,
    faults: Faults,
}

impl FakeCredentialStore {
    /// An empty store that breaks as the plan says.
    #[must_use]
    pub fn new(plan: &FaultPlan) -> Self {
        Self { credentials: Locked::default(), faults: Faults::new("credential_store", plan) }
    }

    /// The faults to inject.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Everything kept, by realm and name.
    #[must_use]
    pub fn all(&self) -> Vec<Credential> {
        self.credentials.lock().values().cloned().collect()
    }
}

impl Default for FakeCredentialStore {
    fn default() -> Self {
        Self::new(&FaultPlan::default())
    }
}

/// Applies the changes of credentials; `Ok` for a change of anything else.
pub(super) fn apply(credentials: &mut Credentials, change: &Change) -> Result<(), Refusal> {
    let key = |credential: &Credential| (credential.realm.clone(), credential.name.clone());
    match change {
        Change::InsertCredential(credential) => {
            if credentials.contains_key(&key(credential)) {
                return Err(Refusal::IdTaken);
            }
            credentials.insert(key(credential), (**credential).clone());
            Ok(())
        }
        Change::ReplaceCredential { credential, expected } => {
            let stored = credentials.get_mut(&key(credential)).filter(|stored| stored.secret == *expected);
            *stored.ok_or(Refusal::CredentialGone)? = (**credential).clone();
            Ok(())
        }
        Change::RemoveCredential { realm, name } => {
            let removed = credentials.remove(&(realm.clone(), name.clone()));
            removed.map(|_| ()).ok_or(Refusal::CredentialGone)
        }
        _ => Ok(()),
    }
}

#[async_trait]
impl CredentialStore for FakeCredentialStore {
    async fn find(&self, realm: &Realm, name: &CredentialName) -> Result<Option<Credential>, PortError> {
        self.faults.call("find", || self.credentials.lock().get(&(realm.clone(), name.clone())).cloned())
    }

    async fn list(&self, realm: &Realm) -> Result<Vec<Credential>, PortError> {
        self.faults.call("list", || {
            let credentials = self.credentials.lock();
            credentials.values().filter(|credential| credential.realm == *realm).cloned().collect()
        })
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        self.faults.call("purge_expired", || {
            let mut credentials = self.credentials.lock();
            credentials.extract_if(.., |_, credential| credential.expired(now)).count() as u64
        })
    }
}
