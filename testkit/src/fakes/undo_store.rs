//! Undo records in a map.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::faults::{FaultPlan, Faults};
use crate::locked::Locked;
use portcullis_core::model::ids::{UndoId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::{Digest, RingDigest};
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::undo::{UNDO_TRIES, UndoRecord};
use portcullis_core::ports::database::{Change, Refusal};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::undo_store::UndoStore;

/// Undo records by realm and id.
pub(crate) type Undos = BTreeMap<(Realm, UndoId), UndoRecord>;

/// Keeps undo records as long as it lives.
#[derive(Debug)]
pub struct FakeUndoStore {
    pub(crate) undos: Locked<Undos>,
    faults: Faults,
}

impl FakeUndoStore {
    /// An empty store that breaks as the plan says.
    #[must_use]
    pub fn new(plan: &FaultPlan) -> Self {
        Self { undos: Locked::default(), faults: Faults::new("undo_store", plan) }
    }

    /// The faults to inject.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Everything kept, used and expired or not, the oldest change first.
    #[must_use]
    pub fn all(&self) -> Vec<UndoRecord> {
        let mut all: Vec<UndoRecord> = self.undos.lock().values().cloned().collect();
        all.sort_by_key(|undo| (undo.created_at, undo.version));
        all
    }
}

impl Default for FakeUndoStore {
    fn default() -> Self {
        Self::new(&FaultPlan::default())
    }
}

fn is_live(undo: &UndoRecord, now: Timestamp) -> bool {
    now < undo.expires_at
}

/// The youngest unexpired record that reserves an address.
fn reservation(undos: &Undos, realm: &Realm, email: &RingDigest, now: Timestamp) -> Option<UndoRecord> {
    let is_it = |undo: &UndoRecord| undo.reserved.is_some_and(|reserved| reserved.same_input(email));
    let reserves = |undo: &&UndoRecord| undo.realm == *realm && is_it(undo) && is_live(undo, now);
    undos.values().filter(reserves).max_by_key(|undo| (undo.expires_at, undo.version)).cloned()
}

/// Applies the changes of undo records; `Ok` for a change of anything else.
pub(super) fn apply(undos: &mut Undos, change: &Change) -> Result<(), Refusal> {
    match change {
        Change::CheckReservation { realm, email, user, now } => match reservation(undos, realm, email, *now) {
            Some(undo) if undo.user != *user => Err(Refusal::EmailTaken),
            _ => Ok(()),
        },
        Change::LimitUndos { realm, user, limit, now } => {
            let counts =
                |undo: &&UndoRecord| undo.realm == *realm && undo.user == *user && !undo.used && is_live(undo, *now);
            let stored = undos.values().filter(counts).count();
            if stored >= usize::try_from(*limit).unwrap_or(usize::MAX) { Err(Refusal::UndoLimit) } else { Ok(()) }
        }
        Change::InsertUndo(undo) => {
            undos.insert((undo.realm.clone(), undo.id), (**undo).clone());
            Ok(())
        }
        Change::SetUndoToken { realm, id, token, now } => {
            let undo = undos.get_mut(&(realm.clone(), *id)).filter(|undo| is_live(undo, *now) && !undo.used);
            undo.ok_or(Refusal::UndoGone)?.token = Some(*token);
            Ok(())
        }
        Change::UseUndo { realm, id, token, now } => {
            let is_it = |undo: &&UndoRecord| undo.token == Some(*token) && is_live(undo, *now) && !undo.used;
            let used = undos.get(&(realm.clone(), *id)).filter(is_it).cloned().ok_or(Refusal::UndoGone)?;
            let of_user = |undo: &&mut UndoRecord| undo.realm == *realm && undo.user == used.user;
            for undo in undos.values_mut().filter(of_user).filter(|undo| undo.version >= used.version) {
                undo.used = true;
            }
            Ok(())
        }
        Change::ReindexUndo { realm, id, reserved } => {
            let undo = undos.get_mut(&(realm.clone(), *id)).filter(|undo| undo.reserved.is_some());
            if let Some(undo) = undo {
                undo.reserved = Some(*reserved);
            }
            Ok(())
        }
        Change::RemoveUndos { realm, user } => {
            undos.retain(|_, undo| undo.realm != *realm || undo.user != *user);
            Ok(())
        }
        _ => Ok(()),
    }
}

#[async_trait]
impl UndoStore for FakeUndoStore {
    async fn find(&self, realm: &Realm, id: &UndoId, now: Timestamp) -> Result<Option<UndoRecord>, PortError> {
        self.faults
            .call("find", || self.undos.lock().get(&(realm.clone(), *id)).filter(|undo| is_live(undo, now)).cloned())
    }

    async fn find_by_token(
        &self,
        realm: &Realm,
        token: &Digest,
        now: Timestamp,
    ) -> Result<Option<UndoRecord>, PortError> {
        self.faults.call("find_by_token", || {
            let is_it = |undo: &&UndoRecord| {
                undo.realm == *realm && undo.token == Some(*token) && is_live(undo, now) && !undo.used
            };
            self.undos.lock().values().find(is_it).cloned()
        })
    }

    async fn find_reservation(
        &self,
        realm: &Realm,
        email: &RingDigest,
        now: Timestamp,
    ) -> Result<Option<UndoRecord>, PortError> {
        self.faults.call("find_reservation", || reservation(&self.undos.lock(), realm, email, now))
    }

    async fn list(&self, realm: &Realm, user: &UserId) -> Result<Vec<UndoRecord>, PortError> {
        self.faults.call("list", || {
            let mut all = self.all();
            all.retain(|undo| undo.realm == *realm && undo.user == *user);
            all.sort_by_key(|undo| undo.version);
            all
        })
    }

    async fn take_try(&self, realm: &Realm, id: &UndoId, now: Timestamp) -> Result<bool, PortError> {
        self.faults.call("take_try", || {
            let mut undos = self.undos.lock();
            let undo = undos.get_mut(&(realm.clone(), *id)).filter(|undo| is_live(undo, now) && !undo.used);
            let Some(undo) = undo.filter(|undo| undo.tries_left > 0) else { return false };
            undo.tries_left -= 1;
            true
        })
    }

    async fn give_try_back(&self, realm: &Realm, id: &UndoId) -> Result<(), PortError> {
        self.faults.call("give_try_back", || {
            if let Some(undo) = self.undos.lock().get_mut(&(realm.clone(), *id)) {
                undo.tries_left = undo.tries_left.saturating_add(1).min(UNDO_TRIES);
            }
        })
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        self.faults.call("purge_expired", || {
            let mut undos = self.undos.lock();
            let before = undos.len();
            undos.retain(|_, undo| is_live(undo, now));
            (before - undos.len()) as u64
        })
    }
}
