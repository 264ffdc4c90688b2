//! [`RegistrationStore`] on MongoDB: a document an address, with the few that wait for it.

use std::collections::BTreeSet;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::{Bson, Document, doc};
use portcullis_core::model::ids::UserId;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::{Digest, RingDigest};
use portcullis_core::model::stored_key::{KeyReplacement, StoredDataKey};
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::user::Registration;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::registration_store::RegistrationStore;

use crate::crypto::record_macs::{RecordMacs, Stored};
use crate::job_text::hex;
use crate::mongodb::MongoDb;
use crate::mongodb::compare_and_swap::CasStep;
use crate::mongodb::documents::{Fields, binary, digest, key, person, sealed, signed_document};

const PORT: &str = "registration_store";
pub const COLLECTION: &str = "registrations";
/// Expired ones are left to housekeeping, unless an address has this many: a document stays small.
pub const MOST_EXPIRED: usize = 32;
/// Addresses a step of housekeeping looks at.
const SWEPT: i64 = 500;

fn print(macs: &RecordMacs, registration: &Registration) -> Document {
    let mut document = doc! {
        "realm": registration.realm.as_str(),
        "id": binary(registration.id.as_bytes()),
        "password": sealed(&registration.password),
        "created_at": registration.created_at.as_millis(),
        "expires_at": registration.expires_at.as_millis(),
        "network": digest(&registration.network),
        "contested": registration.contested,
        "failures": i32::from(registration.failures),
    };
    document.extend(person(&registration.person));
    signed_document(macs, registration, document)
}

fn parse(document: &Document) -> Result<Stored<Registration>, PortError> {
    let fields = Fields::of(PORT, document);
    let registration = Registration {
        realm: fields.realm()?,
        id: fields.user()?,
        person: fields.person()?,
        password: fields.sealed("password")?,
        created_at: fields.time("created_at")?,
        expires_at: fields.time("expires_at")?,
        network: fields.any("network", Fields::digest)?.unwrap_or_else(|| Digest::from_bytes([0; 32])),
        contested: fields.any("contested", Fields::flag)?.unwrap_or_default(),
        failures: fields.any("failures", Fields::number)?.unwrap_or_default(),
    };
    fields.with_mac(registration)
}

/// Those of an address's document that verify, oldest first.
pub fn waiting(macs: &RecordMacs, document: Option<&Document>) -> Result<Vec<Registration>, PortError> {
    let all = stored(document)?.into_iter();
    let mut all: Vec<Registration> = all.filter_map(|one| one.verified(macs).ok()).collect();
    all.sort_by_key(|registration| (registration.created_at, registration.id));
    Ok(all)
}

/// Those of an address's document, as they are.
pub fn stored(document: Option<&Document>) -> Result<Vec<Stored<Registration>>, PortError> {
    let Some(document) = document else { return Ok(Vec::new()) };
    let unreadable = || Fields::of(PORT, document).unreadable("waiting");
    let all = document.get_array("waiting").map_err(|_| unreadable())?;
    let one = |entry: &Bson| parse(entry.as_document().ok_or_else(unreadable)?);
    all.iter().map(one).collect()
}

/// The address's document of this `_id` with its pending registrations; `None` if there are none. While the ring of index
/// keys has two keys, `names` has the document's name under each, for a unique index that keeps a second document of the
/// address out. It stays where the `_id` is a name under an older key.
pub fn document(macs: &RecordMacs, id: &str, all: &[Registration]) -> Option<Document> {
    let first_expiry = all.iter().map(|one| one.expires_at.as_millis()).min()?;
    let ids: Vec<String> = all.iter().map(|one| key(&one.realm, one.id)).collect();
    let waiting: Vec<Document> = all.iter().map(|one| print(macs, one)).collect();
    let mut document = doc! {"ids": ids, "first_expiry": first_expiry, "waiting": waiting};
    let names: BTreeSet<String> = all.iter().flat_map(|one| names(&one.realm, &one.person.email_index)).collect();
    if names.iter().any(|name| name != id) {
        document.insert("names", names.into_iter().collect::<Vec<String>>());
    }
    Some(document)
}

/// The names that the document of an address may have.
fn names(realm: &Realm, email: &RingDigest) -> Vec<String> {
    email.all().map(|digest| key(realm, hex(digest))).collect()
}

/// The document of an address.
pub fn of_address(realm: &Realm, email: &RingDigest) -> Document {
    let names = names(realm, email);
    doc! {"$or": [{"_id": {"$in": &names}}, {"names": {"$in": &names}}]}
}

/// The address's document with its pending registrations, or none at all.
fn with<T>(macs: &RecordMacs, id: &str, all: &[Registration], answer: T) -> CasStep<T> {
    match document(macs, id, all) {
        Some(document) => CasStep::Replace(document, answer),
        None => CasStep::Remove(answer),
    }
}

/// The keys of an address's document.
pub fn keys(document: &Document) -> Result<impl Iterator<Item = StoredDataKey>, PortError> {
    // whether a key is the record's, unwrapping it shows
    Ok(stored(Some(document))?.into_iter().map(Stored::unverified).map(|one| StoredDataKey {
        record: *one.id.as_bytes(),
        realm: one.realm,
        part: 0,
        key: one.person.key,
    }))
}

impl MongoDb {
    /// Replaces the key of a registration, if it still is the expected one. How many: 1 or 0.
    pub(super) async fn replace_registration_key(&self, replacement: KeyReplacement) -> Result<u64, PortError> {
        let KeyReplacement { expected, new } = replacement;
        let id = UserId::from_bytes(expected.record);
        let Some(address) = self.address_of(&expected.realm, &id).await? else { return Ok(0) };
        let change = |found: Option<&Document>| {
            let mut all = waiting(&self.macs, found)?;
            let one = all.iter_mut().find(|one| one.id == id && one.person.key == expected.key);
            let Some(one) = one else { return Ok(CasStep::Keep(0)) };
            one.person.key = new.clone();
            Ok(with(&self.macs, &address, &all, 1))
        };
        self.compare_and_swap(PORT, COLLECTION, &address, change).await
    }

    /// The `_id` of the address's document that holds this registration.
    async fn address_of(&self, realm: &Realm, id: &UserId) -> Result<Option<String>, PortError> {
        let found = self.run(PORT, self.collection(COLLECTION).find_one(doc! {"ids": key(realm, id)})).await?;
        Ok(found.and_then(|found| found.get_str("_id").ok().map(ToOwned::to_owned)))
    }
}

#[async_trait]
impl RegistrationStore for MongoDb {
    async fn find(&self, realm: &Realm, id: &UserId, now: Timestamp) -> Result<Option<Registration>, PortError> {
        let found = self.run(PORT, self.collection(COLLECTION).find_one(doc! {"ids": key(realm, id)})).await?;
        let mut all = waiting(&self.macs, found.as_ref())?.into_iter();
        Ok(all.find(|one| one.realm == *realm && one.id == *id && one.expires_at > now))
    }

    async fn find_by_email(
        &self,
        realm: &Realm,
        email: &RingDigest,
        now: Timestamp,
    ) -> Result<Vec<Registration>, PortError> {
        let found = self.run(PORT, self.collection(COLLECTION).find_one(of_address(realm, email))).await?;
        let mut all = waiting(&self.macs, found.as_ref())?;
        all.retain(|one| one.expires_at > now && one.realm == *realm && one.person.email_index.same_input(email));
        Ok(all)
    }

    async fn purge_expired(&self, now: Timestamp) -> Result<u64, PortError> {
        let mut purged = 0;
        loop {
            let documents = self.collection(COLLECTION);
            let some = async {
                let expired = doc! {"first_expiry": {"$lte": now.as_millis()}};
                documents.find(expired).limit(SWEPT).await?.try_collect::<Vec<Document>>().await
            };
            let found = self.run(PORT, Box::pin(some)).await?;
            for address in found.iter().filter_map(|found| found.get_str("_id").ok()) {
                let change = |found: Option<&Document>| {
                    let mut all = waiting(&self.macs, found)?;
                    let before = all.len();
                    all.retain(|one| one.expires_at > now);
                    let gone = (before - all.len()) as u64;
                    Ok(if gone == 0 { CasStep::Keep(0) } else { with(&self.macs, address, &all, gone) })
                };
                purged += self.compare_and_swap(PORT, COLLECTION, address, change).await?;
            }
            if found.len() < usize::try_from(SWEPT).unwrap_or(usize::MAX) {
                return Ok(purged);
            }
        }
    }
}
