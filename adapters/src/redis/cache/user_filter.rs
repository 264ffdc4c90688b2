//! [`UserStore`] with a filter of the registered addresses in front.

use async_trait::async_trait;
use portcullis_core::model::held_key::{KeyPage, KeySwap};
use portcullis_core::model::ids::UserId;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::user::User;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::user_store::{InsertUser, ReplaceUser, UserStore};
use std::sync::Arc;

use crate::redis::cache::SharedFilter;

/// Accounts whose addresses are in a filter.
pub struct FilteredUsers {
    filter: SharedFilter,
    store: Arc<dyn UserStore>,
}

impl FilteredUsers {
    /// `store`, with a filter in front.
    #[must_use]
    pub fn new(filter: SharedFilter, store: Arc<dyn UserStore>) -> Self {
        Self { filter, store }
    }
}

#[async_trait]
impl UserStore for FilteredUsers {
    async fn insert(&self, user: User) -> Result<InsertUser, PortError> {
        let email = user.person.email_index;
        self.filter.around(&email, self.store.insert(user)).await
    }

    async fn find(&self, realm: &Realm, id: &UserId) -> Result<Option<User>, PortError> {
        self.store.find(realm, id).await
    }

    async fn find_at_source(&self, realm: &Realm, id: &UserId) -> Result<Option<User>, PortError> {
        self.store.find_at_source(realm, id).await
    }

    async fn find_by_email(&self, realm: &Realm, email: &Digest) -> Result<Option<User>, PortError> {
        self.store.find_by_email(realm, email).await
    }

    async fn may_have_email(&self, realm: &Realm, email: &Digest) -> Result<bool, PortError> {
        Ok(!self.filter.certainly_absent(email).await && self.store.may_have_email(realm, email).await?)
    }

    async fn replace(&self, user: User, expected: u64) -> Result<ReplaceUser, PortError> {
        let email = user.person.email_index;
        self.filter.around(&email, self.store.replace(user, expected)).await
    }

    async fn keys(&self, behind: Option<&str>, limit: u32) -> Result<KeyPage, PortError> {
        self.store.keys(behind, limit).await
    }

    async fn swap_keys(&self, swaps: Vec<KeySwap>) -> Result<u64, PortError> {
        self.store.swap_keys(swaps).await
    }

    async fn delete(&self, realm: &Realm, id: &UserId) -> Result<bool, PortError> {
        self.store.delete(realm, id).await
    }

    async fn ping(&self) -> Result<(), PortError> {
        self.store.ping().await
    }
}
