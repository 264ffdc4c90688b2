//! Signs records: under the ring's first key where an older one signed them, and those of a database of an older version.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, Document, doc};
use portcullis_core::model::stored_key::SignedAgain;
use portcullis_core::model::stored_record::Collection;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::field_cipher::FieldCipher;

use crate::authenticated_records::has_macs;
use crate::mongodb::compare_and_swap::CasStep;
use crate::mongodb::documents::binary;
use crate::mongodb::{MongoDb, document_mapping, registration_store};
use crate::sign_existing::{RecordCounts, SIGNED_AT_ONCE, realm_of, seal_password};

const PORT: &str = "signing";
/// How long a page may take: no request waits for it.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The length of a MAC with the id of its key. Binary values compare by length first.
const MAC_LENGTH: usize = 36;

/// The MACs under a key.
fn under(key: u32) -> Document {
    let bound = |last: u8| {
        let mut bytes = key.to_be_bytes().to_vec();
        bytes.resize(MAC_LENGTH, last);
        Binary { subtype: BinarySubtype::Generic, bytes }
    };
    doc! {"$gte": bound(0), "$lte": bound(u8::MAX)}
}

/// The documents of a collection that have such a MAC.
fn with_mac(of: Collection, mac: Document) -> Document {
    if of == Collection::Registrations {
        doc! {"waiting": {"$elemMatch": {"mac": mac}}}
    } else {
        doc! {"mac": mac}
    }
}

/// A password hash as an older version stored it, as bytes.
fn with_binary_password(document: &mut Document) {
    if let Ok(password) = document.get_str("password") {
        let password = binary(password.as_bytes());
        document.insert("password", password);
    }
    if let Ok(waiting) = document.get_array_mut("waiting") {
        waiting.iter_mut().filter_map(Bson::as_document_mut).for_each(with_binary_password);
    }
}

impl MongoDb {
    async fn some(&self, of: Collection, which: Document, limit: u32) -> Result<Vec<Document>, PortError> {
        let documents = self.collection(of.as_str());
        let page = async { documents.find(which).limit(i64::from(limit)).await?.try_collect::<Vec<Document>>().await };
        Ok(self.pool.run_within(TIMEOUT, PORT, Box::pin(page)).await?)
    }

    /// How many documents have a MAC under a key.
    pub(super) async fn count_under(&self, key: u32) -> Result<u64, PortError> {
        let mut all = 0;
        for of in Collection::ALL.into_iter().filter(|of| has_macs(*of)) {
            let documents = self.collection(of.as_str());
            let count = documents.count_documents(with_mac(of, under(key)));
            all += self.pool.run_within(TIMEOUT, PORT, count).await?;
        }
        Ok(all)
    }

    /// Signs some documents of each collection under the ring's first key.
    pub(super) async fn sign_under_newest(&self, key: u32, limit: u32) -> Result<SignedAgain, PortError> {
        let mut done = SignedAgain::default();
        if key.to_be_bytes() == self.macs.newest() {
            return Ok(done);
        }
        for of in Collection::ALL.into_iter().filter(|of| has_macs(*of)) {
            for document in self.some(of, with_mac(of, under(key)), limit).await? {
                done.found += 1;
                let signed = if of == Collection::Registrations {
                    self.sign_registrations(&document).await?
                } else {
                    self.sign_document(of, &document).await?
                };
                done.signed += u64::from(signed);
            }
        }
        Ok(done)
    }

    async fn sign_document(&self, of: Collection, document: &Document) -> Result<bool, PortError> {
        let verified = document_mapping::read(of, document).map(|stored| stored.verified(&self.macs));
        let Ok(Ok(record)) = verified else { return Ok(false) };
        let as_read = doc! {"_id": document.get("_id"), "mac": document.get("mac")};
        let change = doc! {"$set": {"mac": binary(&self.macs.sign(&record))}};
        let documents = self.collection(of.as_str());
        let done = self.pool.run_within(TIMEOUT, PORT, documents.update_one(as_read, change)).await?;
        Ok(done.matched_count == 1)
    }

    /// The registrations of an address are stored together: all of them are signed, without those that do not verify.
    async fn sign_registrations(&self, document: &Document) -> Result<bool, PortError> {
        let Ok(address) = document.get_str("_id") else { return Ok(false) };
        let sign = |found: Option<&Document>| {
            let all = registration_store::waiting(&self.macs, found)?;
            Ok(match registration_store::document(&self.macs, address, &all) {
                Some(signed) => CasStep::Replace(signed, true),
                None => CasStep::Remove(true),
            })
        };
        self.compare_and_swap(PORT, registration_store::COLLECTION, address, sign).await
    }

    /// Signs every record that has no MAC, as it is, and seals password hashes that an older version stored in the clear;
    /// how many, by realm. The caller vouches for what is in the database, and has stopped the servers.
    ///
    /// # Errors
    /// When the database fails, or a password hash cannot be sealed.
    pub async fn sign_existing(&self, cipher: &dyn FieldCipher) -> Result<RecordCounts, PortError> {
        let mut counts = RecordCounts::default();
        for of in Collection::ALL.into_iter().filter(|of| has_macs(*of)) {
            loop {
                let found = self.some(of, with_mac(of, doc! {"$exists": false}), SIGNED_AT_ONCE).await?;
                if found.is_empty() {
                    break;
                }
                for mut document in found {
                    with_binary_password(&mut document);
                    let record = seal_password(cipher, document_mapping::read(of, &document)?.unverified())?;
                    let Some((_, signed)) = document_mapping::print(&self.macs, &record) else { continue };
                    let documents = self.collection(of.as_str());
                    let replace = documents.replace_one(doc! {"_id": document.get("_id")}, signed);
                    self.pool.run_within(TIMEOUT, PORT, replace).await?;
                    counts.add(realm_of(&record));
                }
            }
        }
        Ok(counts)
    }
}
