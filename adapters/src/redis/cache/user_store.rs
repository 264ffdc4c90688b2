//! [`UserStore`] with copies in front: an account that was read a moment ago is not read again.

use std::sync::Arc;

use async_trait::async_trait;
use portcullis_core::model::held_key::{KeyPage, KeySwap};
use portcullis_core::model::ids::UserId;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::user::User;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::user_store::{InsertUser, ReplaceUser, UserStore};

use crate::mongo::stored;
use crate::redis::cache::copies::{Copies, Written};
use crate::redis::cache::{Advance, Cache};

/// Accounts with copies of them in Redis.
pub struct CachedUsers {
    cache: Arc<Cache>,
    pub(super) store: Arc<dyn UserStore>,
    pub(super) copies: Copies<User>,
}

impl CachedUsers {
    /// Copies of what `store` has.
    #[must_use]
    pub fn new(cache: Arc<Cache>, store: Arc<dyn UserStore>) -> Self {
        let written = Written { read: stored::read_user, write: stored::write_user };
        Self { copies: Copies::new(cache.clone(), written), cache, store }
    }

    pub(super) fn place(realm: &Realm, id: &UserId) -> String {
        format!("user:{realm}:{id}")
    }
}

#[async_trait]
impl UserStore for CachedUsers {
    async fn insert(&self, user: User) -> Result<InsertUser, PortError> {
        // absence is never kept, so that there is nothing to take back
        self.store.insert(user).await
    }

    async fn find(&self, realm: &Realm, id: &UserId) -> Result<Option<User>, PortError> {
        self.copies.find(Self::place(realm, id), None, async || self.store.find(realm, id).await).await
    }

    async fn find_at_source(&self, realm: &Realm, id: &UserId) -> Result<Option<User>, PortError> {
        self.store.find_at_source(realm, id).await
    }

    async fn find_by_email(&self, realm: &Realm, email: &Digest) -> Result<Option<User>, PortError> {
        // a login must cost the same for everyone
        self.store.find_by_email(realm, email).await
    }

    async fn may_have_email(&self, realm: &Realm, email: &Digest) -> Result<bool, PortError> {
        self.store.may_have_email(realm, email).await
    }

    async fn replace(&self, user: User, expected: u64) -> Result<ReplaceUser, PortError> {
        let place = Self::place(&user.realm, &user.id);
        self.cache.around(&[place], &[], self.store.replace(user, expected)).await
    }

    async fn keys(&self, behind: Option<&str>, limit: u32) -> Result<KeyPage, PortError> {
        self.store.keys(behind, limit).await
    }

    async fn swap_keys(&self, swaps: Vec<KeySwap>) -> Result<u64, PortError> {
        let place = |swap: &KeySwap| Self::place(&swap.seen.realm, &UserId::from_bytes(swap.seen.record));
        let places: Vec<String> = swaps.iter().map(place).collect();
        self.cache.around(&places, &[], self.store.swap_keys(swaps)).await
    }

    async fn delete(&self, realm: &Realm, id: &UserId) -> Result<bool, PortError> {
        let deleted = self.cache.around(&[Self::place(realm, id)], &[], self.store.delete(realm, id)).await?;
        if deleted {
            // another key of all copies: what files of Redis' have of this person is noise
            self.cache.distrust(Advance::Copies).await?;
        }
        Ok(deleted)
    }

    async fn ping(&self) -> Result<(), PortError> {
        self.store.ping().await
    }
}
