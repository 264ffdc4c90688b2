//! Signing the records of a database that an older version wrote, by `portcullis migrate --sign-existing`.

use std::collections::BTreeMap;

use portcullis_core::model::ids::UserId;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::{AadContext, Field, Sealed, WrappedKey};
use portcullis_core::model::stored_record::Record;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::field_cipher::FieldCipher;

/// Records that are signed in one write.
pub(crate) const SIGNED_AT_ONCE: u32 = 200;

/// How many records were signed, by realm.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct RecordCounts(pub BTreeMap<Realm, u64>);

impl RecordCounts {
    /// Counts a record of a realm.
    pub(crate) fn add(&mut self, realm: Option<&Realm>) {
        if let Some(realm) = realm {
            *self.0.entry(realm.clone()).or_default() += 1;
        }
    }
}

/// The realm of a record.
#[must_use]
pub(crate) fn realm_of(record: &Record) -> Option<&Realm> {
    match record {
        Record::User(user) => Some(&user.realm),
        Record::Registrations(pending) => Some(&pending.realm),
        Record::Session(session) => Some(&session.realm),
        Record::OneTimeToken(token) => Some(&token.holder.realm),
        Record::Undo(undo) => Some(&undo.realm),
        Record::Credential(credential) => Some(&credential.realm),
        Record::Webhook(webhook) => Some(&webhook.realm),
        Record::Job(job) => Some(&job.realm),
        Record::Event(event) => Some(&event.realm),
        Record::LoginCounts(counts) => Some(&counts.realm),
        Record::Bucket(bucket) => Some(&bucket.realm),
        Record::SentMessage(message) => Some(&message.message.realm),
        Record::Check(..) => None,
    }
}

/// Seals the password hash of a record that still has it in the clear.
pub(crate) fn seal_password(cipher: &dyn FieldCipher, mut record: Record) -> Result<Record, PortError> {
    match &mut record {
        Record::User(user) => {
            user.password = sealed(cipher, &user.realm, &user.id, &user.person.key, &user.password)?;
        }
        Record::Registrations(pending) => {
            for one in &mut pending.registrations {
                one.password = sealed(cipher, &one.realm, &one.id, &one.person.key, &one.password)?;
            }
        }
        _ => {}
    }
    Ok(record)
}

fn sealed(
    cipher: &dyn FieldCipher,
    realm: &Realm,
    id: &UserId,
    key: &WrappedKey,
    password: &Sealed,
) -> Result<Sealed, PortError> {
    // a PHC string, which nothing that is sealed begins like
    if !password.as_bytes().starts_with(b"$argon2") {
        return Ok(password.clone());
    }
    let place = |field| AadContext { realm, record: id.as_bytes(), field };
    let key = cipher.unwrap(key, place(Field::Key))?;
    cipher.seal(&key, place(Field::Password), password.as_bytes())
}
