//! Re-index: gives stored records the blind indexes of the ring's keys. The address is sealed beside each index, so that
//! it can be computed again. Servers may run meanwhile, whichever key their ring begins with. Ports: users, database.

use crate::model::email::Email;
use crate::model::ids::UserId;
use crate::model::realm::Realm;
use crate::model::sealed::{Field, RingDigest};
use crate::model::stored_record::{Collection, Record};
use crate::model::undo::UndoRecord;
use crate::model::user::{Registration, User};
use crate::ports::data_migration_store::MigratableStore;
use crate::ports::database::{Change, UnitOfWork};
use crate::ports::error::PortError;
use crate::service::Ports;
use crate::use_cases::operator::Operators;

/// The collections whose records have a blind index, in the order of a pass: a registration may become an account
/// meanwhile, and an account's index may become that of a reservation.
pub const INDEXED: [Collection; 3] = [Collection::Registrations, Collection::Users, Collection::UndoRecords];

/// Changes in one commit.
const BATCH_SIZE: usize = 16;

/// Whether a pass changes records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReindexMode {
    /// It counts them.
    Count,
    /// It gives them the indexes of the ring.
    Write,
}

/// Some records of a collection, by what their indexes lack.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IndexCounts {
    /// Records that have an index.
    pub indexed: u64,
    /// Those without a digest under the first key of the ring: without its other key they can't be found.
    pub behind: u64,
    /// Those with other digests than the ring gives, the ones behind included.
    pub outdated: u64,
    /// Those whose address can't be opened, so that their index stays as it is.
    pub damaged: u64,
    /// Those that were changed.
    pub reindexed: u64,
}

impl IndexCounts {
    /// Adds the counts of other records.
    pub const fn add(&mut self, other: &Self) {
        self.indexed += other.indexed;
        self.behind += other.behind;
        self.outdated += other.outdated;
        self.damaged += other.damaged;
        self.reindexed += other.reindexed;
    }
}

/// One page of a pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexPage {
    /// How many records were read.
    pub read: u64,
    /// Their indexes.
    pub counts: IndexCounts,
    /// The cursor of the next page.
    pub cursor: String,
}

/// An index as it is stored, and the change that makes it the one of the ring.
struct Examined {
    stored: RingDigest,
    of_ring: RingDigest,
}

impl Operators<'_> {
    /// Looks at the records of one page, and gives them the indexes of the ring; `None` after the last page. A record
    /// that another request changes at the same moment is left to the next pass.
    ///
    /// # Errors
    /// When a port fails, or a record does not verify.
    pub async fn reindex_page(
        self,
        store: &dyn MigratableStore,
        of: Collection,
        after: Option<String>,
        limit: usize,
        mode: ReindexMode,
    ) -> Result<Option<IndexPage>, PortError> {
        let Some(page) = store.next_page(of, after, limit).await? else { return Ok(None) };
        let mut counts = IndexCounts::default();
        let mut changes = Vec::new();
        for record in &page.records {
            match record {
                Record::User(user) => self.count_user(user, &mut counts, &mut changes),
                Record::Registrations(pending) => {
                    for one in &pending.registrations {
                        self.count_registration(one, &mut counts, &mut changes);
                    }
                }
                Record::Undo(undo) => self.count_undo(undo, &mut counts, &mut changes).await?,
                _ => {}
            }
        }
        if mode == ReindexMode::Write {
            for batch in changes.chunks(BATCH_SIZE) {
                counts.reindexed += self.commit_batch(batch).await?;
            }
        }
        Ok(Some(IndexPage { read: page.records.len() as u64, counts, cursor: page.cursor }))
    }

    /// All changes in one commit; each by itself if one of them is refused. Returns how many were stored.
    async fn commit_batch(self, batch: &[Change]) -> Result<u64, PortError> {
        let Ports { database, .. } = &self.service.ports;
        let together = UnitOfWork { changes: batch.to_vec(), ..UnitOfWork::default() };
        if database.commit(together).await?.is_ok() {
            return Ok(batch.len() as u64);
        }
        let mut stored = 0;
        for change in batch {
            stored += u64::from(database.commit(UnitOfWork::of(change.clone())).await?.is_ok());
        }
        Ok(stored)
    }

    fn count_user(self, user: &User, counts: &mut IndexCounts, changes: &mut Vec<Change>) {
        let Ok((email, pending)) = self.indexes_of(user) else {
            counts.indexed += 1;
            counts.damaged += 1;
            return;
        };
        let mut next = user.clone();
        let mut examined = vec![Examined { stored: user.person.email_index, of_ring: email }];
        next.person.email_index = email;
        if let (Some(waiting), Some(of_ring)) = (next.pending_email.as_mut(), pending) {
            examined.push(Examined { stored: waiting.index, of_ring });
            waiting.index = of_ring;
        }
        // a change of the account that is under way meets another version and is repeated with these indexes
        next.version += 1;
        if count(&examined, counts) {
            changes.push(Change::ReplaceUser { user: Box::new(next), expected: user.version });
        }
    }

    fn count_registration(self, one: &Registration, counts: &mut IndexCounts, changes: &mut Vec<Change>) {
        let cipher = self.service.registration_cipher(one);
        let Ok(email) = cipher.and_then(|cipher| cipher.email(Field::Email, &one.person.email)) else {
            counts.indexed += 1;
            counts.damaged += 1;
            return;
        };
        let of_ring = self.service.email_index(&one.realm, &email);
        if count(&[Examined { stored: one.person.email_index, of_ring }], counts) {
            let (realm, id) = (one.realm.clone(), one.id);
            changes.push(Change::ReindexRegistration { realm, id, email: of_ring });
        }
    }

    async fn count_undo(
        self,
        undo: &UndoRecord,
        counts: &mut IndexCounts,
        changes: &mut Vec<Change>,
    ) -> Result<(), PortError> {
        let Some(stored) = undo.reserved else { return Ok(()) };
        let Some(email) = self.former_address(&undo.realm, &undo.user, undo).await? else {
            counts.indexed += 1;
            counts.damaged += 1;
            return Ok(());
        };
        let of_ring = self.service.email_index(&undo.realm, &email);
        if count(&[Examined { stored, of_ring }], counts) {
            changes.push(Change::ReindexUndo { realm: undo.realm.clone(), id: undo.id, reserved: of_ring });
        }
        Ok(())
    }

    /// The indexes of an account's address, and of the one that waits.
    fn indexes_of(self, user: &User) -> Result<(RingDigest, Option<RingDigest>), PortError> {
        let cipher = self.service.record_cipher(user)?;
        let email = cipher.email(Field::Email, &user.person.email)?;
        let pending = user.pending_email.as_ref();
        let pending = pending.map(|waiting| cipher.email(Field::PendingEmail, &waiting.email)).transpose()?;
        let index = |email: &Email| self.service.email_index(&user.realm, email);
        Ok((index(&email), pending.as_ref().map(index)))
    }

    /// The address that an undo record reserves; `None` if it can't be opened.
    async fn former_address(self, realm: &Realm, user: &UserId, undo: &UndoRecord) -> Result<Option<Email>, PortError> {
        let Some(user) = self.service.ports.users.find(realm, user).await? else { return Ok(None) };
        let former = self.service.former_state(&user, undo).ok();
        Ok(former.map(|former| Email::from_stored(former.email)))
    }
}

/// Counts a record with these indexes. Whether it is to be changed.
fn count(indexes: &[Examined], counts: &mut IndexCounts) -> bool {
    let is_behind = |index: &Examined| !index.stored.has(index.of_ring.newest());
    let is_outdated = indexes.iter().any(|index| index.stored != index.of_ring);
    counts.indexed += 1;
    counts.behind += u64::from(indexes.iter().any(is_behind));
    counts.outdated += u64::from(is_outdated);
    is_outdated
}
