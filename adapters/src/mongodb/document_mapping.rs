//! Documents of each collection as records of a data migration, and back.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, doc};
use portcullis_core::model::ids::{JobId, SessionId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::stored_record::{
    Collection, LoginCounts, OrderedMessage, PendingRegistrations, Record, StoredBucket, StoredEvent, StoredJob,
};
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;

use crate::job_text::{hex, unhex};
use crate::mongodb::compare_and_swap::REVISION;
use crate::mongodb::documents::{Fields, binary, key};
use crate::mongodb::login_guard::Counts;
use crate::mongodb::{
    one_time_token_store, registration_store, sent_message_store, session_store, undo_store, user_store,
};

const PORT: &str = "data_migration_store";

/// A document as a record.
pub fn parse(of: Collection, document: &Document) -> Result<Record, PortError> {
    match of {
        Collection::Checks => {
            let fields = Fields::of(PORT, document);
            Ok(Record::Check(fields.text("_id")?.to_owned(), fields.bytes("value")?.to_vec()))
        }
        Collection::Users => user_store::parse(document).map(Box::new).map(Record::User),
        Collection::Registrations => {
            let (realm, [email]) = named(document)?;
            let email = digest(document, email)?;
            let registrations = registration_store::waiting(Some(document))?;
            Ok(Record::Registrations(PendingRegistrations { realm, email, registrations }))
        }
        Collection::Sessions => session_store::parse(document).map(Box::new).map(Record::Session),
        Collection::OneTimeTokens => one_time_token_store::parse(document).map(Box::new).map(Record::OneTimeToken),
        Collection::UndoRecords => undo_store::parse(document).map(Box::new).map(Record::Undo),
        Collection::Jobs => job(document).map(Record::Job),
        Collection::Audit => event(document).map(Record::Event),
        Collection::LoginCounts => {
            let (realm, [email]) = named(document)?;
            let (email, Counts { strangers, known }) = (digest(document, email)?, Counts::parse(Some(document))?);
            Ok(Record::LoginCounts(LoginCounts { realm, email, strangers, known }))
        }
        Collection::Buckets => {
            let (realm, [operation, who]) = named(document)?;
            let (operation, who) = (operation.to_owned(), digest(document, who)?);
            let full_at = Fields::of(PORT, document).integer("full_at")?;
            Ok(Record::Bucket(StoredBucket { realm, operation, who, full_at }))
        }
        Collection::SentMessages => {
            let order = document.get_object_id("order").map(|order| order.bytes());
            let order = order.map_err(|_| Fields::of(PORT, document).unreadable("order"))?;
            let message = sent_message_store::parse(document)?;
            Ok(Record::SentMessage(Box::new(OrderedMessage { order, message })))
        }
    }
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

fn job(document: &Document) -> Result<StoredJob, PortError> {
    let fields = Fields::of(PORT, document);
    let about = fields.text("about")?;
    let (_, name) = about.split_once('/').ok_or_else(|| fields.unreadable("about"))?;
    Ok(StoredJob {
        id: fields.id("id").map(JobId::from_bytes)?,
        realm: fields.realm()?,
        subject: UserId::parse(name),
        address: unhex(name),
        task: fields.text("task")?.to_owned(),
        attempts: fields.number("attempts")?,
        created_at: fields.time("created_at")?,
        due_at: fields.time("due_at")?,
        dead_at: fields.any("dead_at", Fields::time)?,
        reason: fields.any("reason", Fields::text)?.map(ToOwned::to_owned),
    })
}

fn event(document: &Document) -> Result<StoredEvent, PortError> {
    let fields = Fields::of(PORT, document);
    let order = document.get_object_id("_id").map_err(|_| fields.unreadable("_id"))?;
    Ok(StoredEvent {
        order: order.bytes(),
        at: fields.time("at")?,
        realm: fields.realm()?,
        kind: fields.text("kind")?.to_owned(),
        user: fields.any("user_id", Fields::id)?.map(UserId::from_bytes),
        session: fields.any("session_id", Fields::id)?.map(SessionId::from_bytes),
    })
}

/// A record as a document of its collection; `None` where there is nothing to keep.
pub fn print(record: &Record) -> Option<(Collection, Document)> {
    Some(match record {
        Record::Check(name, value) => (Collection::Checks, doc! {"_id": name, "value": binary(value)}),
        Record::User(user) => (Collection::Users, user_store::print(user)),
        Record::Registrations(PendingRegistrations { realm, email, registrations }) => {
            let document = registration_store::document(registrations)?;
            (Collection::Registrations, swapped(document, key(realm, hex(email))))
        }
        Record::Session(session) => (Collection::Sessions, session_store::print(session)),
        Record::OneTimeToken(token) => (Collection::OneTimeTokens, one_time_token_store::print(token)),
        Record::Undo(undo) => (Collection::UndoRecords, undo_store::print(undo)),
        Record::Job(job) => (Collection::Jobs, print_job(job)),
        Record::Event(event) => (Collection::Audit, print_event(event)),
        Record::LoginCounts(LoginCounts { realm, email, strangers, known }) => {
            let counts = Counts { strangers: *strangers, known: known.clone() };
            let touched_at = strangers.map_or(Timestamp::from_millis(0), |count| count.touched_at);
            (Collection::LoginCounts, swapped(counts.print(touched_at), key(realm, hex(email))))
        }
        Record::Bucket(StoredBucket { realm, operation, who, full_at }) => {
            let id = key(realm, format_args!("{operation}/{}", hex(who)));
            (Collection::Buckets, swapped(doc! {"full_at": full_at}, id))
        }
        Record::SentMessage(message) => {
            (Collection::SentMessages, sent_message_store::print(&message.message, ObjectId::from_bytes(message.order)))
        }
    })
}

/// A document that is changed by compare-and-swap.
fn swapped(mut document: Document, id: String) -> Document {
    document.insert("_id", id);
    document.insert(REVISION, 0_i64);
    document
}

fn print_job(job: &StoredJob) -> Document {
    let about = match (&job.subject, &job.address) {
        (Some(user), _) => key(&job.realm, user),
        (None, Some(address)) => key(&job.realm, hex(address)),
        // a task of a later version
        (None, None) => key(&job.realm, ""),
    };
    let mut document = doc! {
        "_id": job.id.to_string(),
        "id": binary(job.id.as_bytes()),
        "realm": job.realm.as_str(),
        "about": about,
        "task": &job.task,
        "attempts": i64::from(job.attempts),
        "created_at": job.created_at.as_millis(),
        "due_at": job.due_at.as_millis(),
        "dead_at": job.dead_at.map_or(Bson::Null, |at| Bson::Int64(at.as_millis())),
    };
    if let Some(reason) = &job.reason {
        document.insert("reason", reason);
    }
    document
}

fn print_event(event: &StoredEvent) -> Document {
    doc! {
        "_id": ObjectId::from_bytes(event.order),
        "at": event.at.as_millis(),
        "realm": event.realm.as_str(),
        "kind": &event.kind,
        "user": event.user.map(|user| key(&event.realm, user)),
        "user_id": event.user.map(|user| binary(user.as_bytes())),
        "session_id": event.session.map(|session| binary(session.as_bytes())),
    }
}
