//! Where accounts live. Sees sealed values only.

use async_trait::async_trait;

use crate::model::held_key::{KeyPage, KeySwap};
use crate::model::ids::UserId;
use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::model::user::User;
use crate::ports::error::PortError;

/// What became of an insert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsertUser {
    /// Stored, durably.
    Inserted,
    /// Another user of the realm has the e-mail; nothing changed.
    EmailTaken,
    /// The id exists already; nothing changed.
    IdTaken,
}

/// What became of a replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplaceUser {
    /// Stored, durably.
    Replaced,
    /// The stored version is another one; nothing changed.
    Stale,
    /// Another user of the realm has the new e-mail; nothing changed.
    EmailTaken,
    /// There is no such user.
    Gone,
}

/// Accounts by id and by blind index; both are unique within a realm, decided by the store itself.
/// What is answered with success survives the death of the process.
#[async_trait]
pub trait UserStore: Send + Sync {
    /// Stores a new account. Of many racing inserts of one id or one e-mail, one is `Inserted`.
    async fn insert(&self, user: User) -> Result<InsertUser, PortError>;

    /// The account of that id in that realm.
    async fn find(&self, realm: &Realm, id: &UserId) -> Result<Option<User>, PortError>;

    /// The same, and never from a copy: it takes as long for an id that exists as for one that does not.
    async fn find_at_source(&self, realm: &Realm, id: &UserId) -> Result<Option<User>, PortError> {
        self.find(realm, id).await
    }

    /// The account of that e-mail in that realm.
    async fn find_by_email(&self, realm: &Realm, email: &Digest) -> Result<Option<User>, PortError>;

    /// A hint that may save a look: `false` only if certainly no account of that realm has the e-mail. For work outside
    /// of requests, where no answer's time can tell.
    async fn may_have_email(&self, _realm: &Realm, _email: &Digest) -> Result<bool, PortError> {
        Ok(true)
    }

    /// Compare-and-swap: stores `user` (which carries its new version) if the stored version is `expected`, all of it but
    /// the wrapped key: a data key is for life, and who read the account before its key was wrapped anew must not put the
    /// old wrapping back. Of many racing replacements of one version, one is `Replaced`.
    async fn replace(&self, user: User, expected: u64) -> Result<ReplaceUser, PortError>;

    /// The wrapped keys of all accounts, some `limit` at a time, those behind a place that an earlier page named. What is
    /// there all the while comes once; what comes or goes meanwhile may be missed.
    async fn keys(&self, behind: Option<&str>, limit: u32) -> Result<KeyPage, PortError>;

    /// Compare-and-swap of wrapped keys, one by one: puts the fresh one where the one that was seen still is, and changes
    /// nothing else, not the version either. Where the account has gone, or its key is another one by now, nothing
    /// happens. How many were put.
    async fn swap_keys(&self, swaps: Vec<KeySwap>) -> Result<u64, PortError>;

    /// Removes the account. Its wrapped key is in no file of the store any more when this answers, so that whatever
    /// else of the record a file may still have is noise. Whether there was one; of many racing deletions one
    /// answers `true`.
    async fn delete(&self, realm: &Realm, id: &UserId) -> Result<bool, PortError>;

    /// Whether the store answers at all. For health checks: quick, changes nothing.
    async fn ping(&self) -> Result<(), PortError>;
}
