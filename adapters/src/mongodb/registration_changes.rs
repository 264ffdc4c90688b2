//! Changes of pending registrations within a transaction: an address's document has all of them.

use mongodb::bson::{Document, doc};
use portcullis_core::model::ids::UserId;
use portcullis_core::model::pending_registrations::add_registration;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::RingDigest;
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::user::Registration;
use portcullis_core::ports::database::Refusal;

use crate::job_text::hex;
use crate::mongodb::compare_and_swap::REVISION;
use crate::mongodb::database::{Abort, Transaction};
use crate::mongodb::documents::key;
use crate::mongodb::registration_store;

impl Transaction<'_> {
    pub(super) async fn insert_registration(
        &mut self,
        registration: &Registration,
        limit: u32,
        now: Timestamp,
    ) -> Result<(), Abort> {
        let (realm, email) = (&registration.realm, &registration.person.email_index);
        let found = self.find(registration_store::COLLECTION, registration_store::of_address(realm, email)).await?;
        let address = found.as_ref().and_then(|found| found.get_str("_id").ok());
        let address = address.map_or_else(|| key(realm, hex(email.newest())), ToOwned::to_owned);
        let all = registration_store::waiting(&self.mongo.macs, found.as_ref())?;
        let (mut pending, expired): (Vec<_>, Vec<_>) = all.into_iter().partition(|other| other.expires_at > now);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let removed = add_registration(&mut pending, registration.clone(), limit);
        if let Some(removed) = removed {
            self.forget_registration(&registration.realm, &removed).await?;
            self.committed.registrations.push(removed);
        }
        if expired.len() < registration_store::MOST_EXPIRED {
            pending.extend(expired);
        }
        self.put_registrations(address, found.as_ref(), &pending).await
    }

    pub(super) async fn count_registration_failure(
        &mut self,
        realm: &Realm,
        id: &UserId,
        limit: u8,
    ) -> Result<(), Abort> {
        let found = self.find(registration_store::COLLECTION, doc! {"ids": key(realm, id)}).await?;
        let mut all = registration_store::waiting(&self.mongo.macs, found.as_ref())?;
        let one = all.iter_mut().find(|one| one.id == *id).ok_or(Refusal::RegistrationGone)?;
        one.failures = one.failures.saturating_add(1);
        if one.failures >= limit {
            return self.remove_registration(realm, id).await;
        }
        let address = found.as_ref().and_then(|found| found.get_str("_id").ok()).unwrap_or_default().to_owned();
        self.put_registrations(address, found.as_ref(), &all).await
    }

    pub(super) async fn remove_registration(&mut self, realm: &Realm, id: &UserId) -> Result<(), Abort> {
        self.forget_registration(realm, id).await?;
        let found = self.find(registration_store::COLLECTION, doc! {"ids": key(realm, id)}).await?;
        let Some(found) = found else { return Ok(()) };
        let mut all = registration_store::waiting(&self.mongo.macs, Some(&found))?;
        all.retain(|one| one.id != *id);
        let address = found.get_str("_id").unwrap_or_default().to_owned();
        self.put_registrations(address, Some(&found), &all).await
    }

    pub(super) async fn reindex_registration(
        &mut self,
        realm: &Realm,
        id: &UserId,
        email: RingDigest,
    ) -> Result<(), Abort> {
        let found = self.find(registration_store::COLLECTION, doc! {"ids": key(realm, id)}).await?;
        let Some(found) = found else { return Ok(()) };
        let mut all = registration_store::waiting(&self.mongo.macs, Some(&found))?;
        for one in all.iter_mut().filter(|one| one.id == *id) {
            one.person.email_index = email;
        }
        let address = found.get_str("_id").unwrap_or_default().to_owned();
        self.put_registrations(address, Some(&found), &all).await
    }

    pub(super) async fn remove_registrations(&mut self, realm: &Realm, email: &RingDigest) -> Result<(), Abort> {
        let which = registration_store::of_address(realm, email);
        let found = self.find(registration_store::COLLECTION, which.clone()).await?;
        for registration in registration_store::waiting(&self.mongo.macs, found.as_ref())? {
            self.forget_registration(realm, &registration.id).await?;
            self.committed.registrations.push(registration.id);
        }
        self.delete_many(registration_store::COLLECTION, which).await?;
        Ok(())
    }

    /// Stores the document of an address that was read in this transaction.
    pub(super) async fn put_registrations(
        &mut self,
        address: String,
        found: Option<&Document>,
        all: &[Registration],
    ) -> Result<(), Abort> {
        let swaps = found.map_or(0, |found| found.get_i64(REVISION).unwrap_or_default().wrapping_add(1));
        let which = doc! {"_id": &address};
        let Some(mut document) = registration_store::document(&self.mongo.macs, &address, all) else {
            self.delete_many(registration_store::COLLECTION, which).await?;
            return Ok(());
        };
        document.insert("_id", &address);
        document.insert(REVISION, swaps);
        let registrations = self.mongo.collection(registration_store::COLLECTION);
        registrations.replace_one(which, document).upsert(true).session(&mut *self.session).await?;
        Ok(())
    }

    /// Removes the one-time tokens and jobs of a registration.
    pub(super) async fn forget_registration(&mut self, realm: &Realm, id: &UserId) -> Result<(), Abort> {
        self.remove_tokens(realm, id).await?;
        let jobs = doc! {"about": key(realm, id)};
        self.delete_many("jobs", jobs).await?;
        Ok(())
    }
}
