//! Accounts in a map.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::faults::{FaultPlan, Faults};
use crate::locked::Locked;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::RingDigest;
use portcullis_core::model::user::{SealedPerson, User};
use portcullis_core::ports::database::Refusal;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::user_store::{AccountPage, UserStore};

/// Accounts by realm and id.
pub(crate) type Users = BTreeMap<(Realm, UserId), User>;

/// Keeps accounts as long as it lives.
#[derive(Debug)]
pub struct FakeUserStore {
    pub(crate) users: Locked<Users>,
    faults: Faults,
}

impl FakeUserStore {
    /// An empty store that breaks as the plan says.
    #[must_use]
    pub fn new(plan: &FaultPlan) -> Self {
        Self { users: Locked::default(), faults: Faults::new("user_store", plan) }
    }

    /// The faults to inject.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Everything kept, by realm and id.
    #[must_use]
    pub fn all(&self) -> Vec<User> {
        self.users.lock().values().cloned().collect()
    }
}

impl Default for FakeUserStore {
    fn default() -> Self {
        Self::new(&FaultPlan::default())
    }
}

/// Whether another user of the realm than `user` has its e-mail.
fn email_taken(users: &Users, user: &User) -> bool {
    let same_email =
        |other: &User| other.realm == user.realm && other.person.email_index.same_input(&user.person.email_index);
    users.values().any(|other| other.id != user.id && same_email(other))
}

pub(super) fn insert(users: &mut Users, user: User) -> Result<(), Refusal> {
    let key = (user.realm.clone(), user.id);
    if users.contains_key(&key) {
        return Err(Refusal::IdTaken);
    }
    if email_taken(users, &user) {
        return Err(Refusal::EmailTaken);
    }
    users.insert(key, user);
    Ok(())
}

pub(super) fn replace(users: &mut Users, user: User, expected: u64) -> Result<(), Refusal> {
    let key = (user.realm.clone(), user.id);
    match users.get(&key) {
        None => Err(Refusal::UserGone),
        Some(stored) if stored.version != expected => Err(Refusal::UserStale),
        Some(_) if email_taken(users, &user) => Err(Refusal::EmailTaken),
        Some(stored) => {
            let kept = stored.person.key.clone();
            users.insert(key, User { person: SealedPerson { key: kept, ..user.person }, ..user });
            Ok(())
        }
    }
}

pub(super) fn delete(users: &mut Users, key: &(Realm, UserId), expected: u64) -> Result<(), Refusal> {
    match users.get(key) {
        None => Err(Refusal::UserGone),
        Some(stored) if stored.version != expected => Err(Refusal::UserStale),
        Some(_) => {
            users.remove(key);
            Ok(())
        }
    }
}

#[async_trait]
impl UserStore for FakeUserStore {
    async fn find(&self, realm: &Realm, id: &UserId) -> Result<Option<User>, PortError> {
        self.faults.call("find", || self.users.lock().get(&(realm.clone(), *id)).cloned())
    }

    async fn find_by_email(&self, realm: &Realm, email: &RingDigest) -> Result<Option<User>, PortError> {
        self.faults.call("find_by_email", || {
            let users = self.users.lock();
            users.values().find(|user| user.realm == *realm && user.person.email_index.same_input(email)).cloned()
        })
    }

    async fn list(&self, realm: &Realm, after: Option<UserId>, limit: u32) -> Result<AccountPage, PortError> {
        self.faults.call("list", || {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let users = self.users.lock();
            let of_realm = users.values().filter(|user| user.realm == *realm);
            let page: Vec<User> =
                of_realm.filter(|user| after.is_none_or(|after| user.id > after)).take(limit).cloned().collect();
            let next = page.last().filter(|_| page.len() == limit).map(|user| user.id);
            AccountPage { users: page, next }
        })
    }

    async fn has_passkeys(&self) -> Result<bool, PortError> {
        self.faults.call("has_passkeys", || self.users.lock().values().any(|user| user.factors.passkeys.is_some()))
    }

    async fn ping(&self) -> Result<(), PortError> {
        self.faults.call("ping", || ())
    }
}
