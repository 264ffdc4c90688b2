//! Documents of each collection as records of a data migration, and back.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::stored_record::{Collection, OrderedMessage, PendingRegistrations, Record, StoredBucket};
use portcullis_core::model::user::Registration;
use portcullis_core::ports::error::PortError;

use crate::authenticated_records::has_macs;
use crate::crypto::record_macs::{RecordMacs, Stored};
use crate::job_text::{hex, unhex};
use crate::mongodb::compare_and_swap::REVISION;
use crate::mongodb::documents::{Fields, binary, key, signed_document};
use crate::mongodb::{
    audit_log, credential_store, job_queue, login_guard, one_time_token_store, rate_limiter, registration_store,
    sent_message_store, session_store, undo_store, user_store, webhook_store,
};

const PORT: &str = "data_migration_store";

/// A document as a record that verifies.
pub fn parse(macs: &RecordMacs, of: Collection, document: &Document) -> Result<Record, PortError> {
    let failed = |refused| PortError::new(PORT, refused);
    if of == Collection::Registrations {
        let (realm, [email]) = named(document)?;
        let email = digest(document, email)?;
        let registrations = registration_store::stored(Some(document))?.into_iter();
        let registrations =
            registrations.map(|one| one.verified(macs)).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        // a document that was made under an older index key keeps its name
        let email = registrations.first().map_or(email, |one: &Registration| *one.person.email_index.newest());
        return Ok(Record::Registrations(PendingRegistrations { realm, email, registrations }));
    }
    let stored = read(of, document)?;
    if has_macs(of) { stored.verified(macs).map_err(failed) } else { Ok(stored.unverified()) }
}

/// A document as a record, with its MAC. The registrations of an address have one each: see `parse`.
pub fn read(of: Collection, document: &Document) -> Result<Stored<Record>, PortError> {
    let fields = Fields::of(PORT, document);
    Ok(match of {
        Collection::Checks => {
            Stored::new(Record::Check(fields.text("_id")?.to_owned(), fields.bytes("value")?.to_vec()), None)
        }
        Collection::Users => user_store::parse(document)?.map(|user| Record::User(Box::new(user))),
        Collection::Registrations => {
            let (realm, [email]) = named(document)?;
            let email = digest(document, email)?;
            let registrations = registration_store::stored(Some(document))?;
            let registrations = registrations.into_iter().map(Stored::unverified).collect();
            Stored::new(Record::Registrations(PendingRegistrations { realm, email, registrations }), None)
        }
        Collection::Sessions => session_store::parse(document)?.map(|session| Record::Session(Box::new(session))),
        Collection::OneTimeTokens => {
            one_time_token_store::parse(document)?.map(|token| Record::OneTimeToken(Box::new(token)))
        }
        Collection::UndoRecords => undo_store::parse(document)?.map(|undo| Record::Undo(Box::new(undo))),
        Collection::Credentials => {
            credential_store::parse(document)?.map(|credential| Record::Credential(Box::new(credential)))
        }
        Collection::Webhooks => webhook_store::parse(document)?.map(|webhook| Record::Webhook(Box::new(webhook))),
        Collection::Jobs => job_queue::parse(document)?.map(Record::Job),
        Collection::Audit => audit_log::parse(document)?.map(Record::Event),
        Collection::LoginCounts => {
            let (realm, [email]) = named(document)?;
            login_guard::parse(&realm, &digest(document, email)?, document)?.map(Record::LoginCounts)
        }
        Collection::Buckets => {
            let (realm, [operation, who]) = named(document)?;
            let (operation, who) = (operation.to_owned(), digest(document, who)?);
            let bucket = StoredBucket { realm, operation, who, full_at: fields.integer("full_at")? };
            fields.with_mac(bucket)?.map(Record::Bucket)
        }
        Collection::SentMessages => {
            let order = document.get_object_id("order").map(|order| order.bytes());
            let order = order.map_err(|_| fields.unreadable("order"))?;
            let message = sent_message_store::parse(document)?;
            message.map(|message| Record::SentMessage(Box::new(OrderedMessage { order, message })))
        }
    })
}

/// An `_id` of a realm and `PARTS` parts; the last ones have no slash.
fn named<const PARTS: usize>(document: &Document) -> Result<(Realm, [&str; PARTS]), PortError> {
    let fields = Fields::of(PORT, document);
    let unreadable = || fields.unreadable("_id");
    let (realm, rest) = fields.text("_id")?.split_once('/').ok_or_else(unreadable)?;
    let mut parts: Vec<&str> = rest.rsplitn(PARTS, '/').collect();
    parts.reverse();
    Ok((Realm::parse(realm).map_err(|_| unreadable())?, parts.try_into().map_err(|_| unreadable())?))
}

fn digest(document: &Document, text: &str) -> Result<Digest, PortError> {
    unhex(text).ok_or_else(|| Fields::of(PORT, document).unreadable("_id"))
}

/// A record as a document of its collection; `None` where there is nothing to keep.
pub fn print(macs: &RecordMacs, record: &Record) -> Option<(Collection, Document)> {
    Some(match record {
        Record::Check(name, value) => (Collection::Checks, doc! {"_id": name, "value": binary(value)}),
        Record::User(user) => (Collection::Users, signed_document(macs, &**user, user_store::print(user))),
        Record::Registrations(PendingRegistrations { realm, email, registrations }) => {
            let id = key(realm, hex(email));
            let document = registration_store::document(macs, &id, registrations)?;
            (Collection::Registrations, swapped(document, id))
        }
        Record::Session(session) => {
            (Collection::Sessions, signed_document(macs, &**session, session_store::print(session)))
        }
        Record::OneTimeToken(token) => {
            (Collection::OneTimeTokens, signed_document(macs, &**token, one_time_token_store::print(token)))
        }
        Record::Undo(undo) => (Collection::UndoRecords, signed_document(macs, &**undo, undo_store::print(undo))),
        Record::Credential(credential) => {
            (Collection::Credentials, signed_document(macs, &**credential, credential_store::print(credential)))
        }
        Record::Webhook(webhook) => {
            (Collection::Webhooks, signed_document(macs, &**webhook, webhook_store::print(webhook)))
        }
        Record::Job(job) => (Collection::Jobs, job_queue::print(macs, job)),
        Record::Event(event) => (Collection::Audit, audit_log::print_stored(macs, event)),
        Record::LoginCounts(counts) => {
            let id = key(&counts.realm, hex(&counts.email));
            (Collection::LoginCounts, swapped(login_guard::print(macs, counts), id))
        }
        Record::Bucket(bucket) => {
            let StoredBucket { realm, operation, who, .. } = bucket;
            let id = key(realm, format_args!("{operation}/{}", hex(who)));
            (Collection::Buckets, swapped(rate_limiter::print(macs, bucket), id))
        }
        Record::SentMessage(message) => (
            Collection::SentMessages,
            sent_message_store::print(macs, &message.message, ObjectId::from_bytes(message.order)),
        ),
    })
}

/// A document that is changed by compare-and-swap.
fn swapped(mut document: Document, id: String) -> Document {
    document.insert("_id", id);
    document.insert(REVISION, 0_i64);
    document
}
