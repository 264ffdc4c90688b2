//! Rows of each table as records of a data migration, and back.

use crate::sqlite::rows::order_of;
use portcullis_core::model::stored_record::{Collection, OrderedMessage, PendingRegistrations, Record};
use rusqlite::{Row, params};

use crate::crypto::record_macs::Stored;
use crate::sqlite::db::Db;
use crate::sqlite::rows::{PERSON_WITH_KEY, has_digest};
use crate::sqlite::{
    audit_log, credential_store, job_queue, login_guard, one_time_token_store, rate_limiter, registration_store,
    sent_message_store, session_store, undo_store, user_store, webhook_store,
};

/// How a collection is read: rows with the same key, which follow one another, are one record.
pub struct Shape {
    /// Tables.
    pub from: &'static str,
    /// The columns that `read` reads, in its order.
    pub columns: String,
    /// The columns of the record's key.
    pub key: &'static [&'static str],
    /// How rows of one key are sorted.
    pub order: &'static str,
    pub read: fn(&Row<'_>) -> rusqlite::Result<Stored<Record>>,
}

/// How a collection is read.
pub fn of(collection: Collection) -> Shape {
    let shape = |from, columns: &str, key, read| Shape { from, columns: columns.to_owned(), key, order: "", read };
    let owned: &[&str] = &["realm", "id"];
    match collection {
        // without `PROGRESS_KEY`
        Collection::Checks => {
            shape("(SELECT name, value FROM checks WHERE name <> 'move')", "name, value", &["name"], check)
        }
        Collection::Users => shape("users JOIN keys ON slot = key_slot", &user_store::columns(), owned, user),
        Collection::Registrations => {
            let columns = format!("realm, id, {PERSON_WITH_KEY}, {}", registration_store::REST);
            let from = "registrations JOIN keys ON slot = key_slot";
            Shape { order: ", created_at, id", ..shape(from, &columns, &["realm", "email_index"], registration) }
        }
        Collection::Sessions => shape("sessions", &format!("realm, id, {}", session_store::COLUMNS), owned, session),
        Collection::OneTimeTokens => {
            let key = &["realm", "subject", "purpose"];
            shape("one_time_tokens", one_time_token_store::COLUMNS, key, one_time_token)
        }
        Collection::UndoRecords => shape("undo_records", undo_store::COLUMNS, owned, undo_record),
        Collection::Credentials => shape("credentials", credential_store::COLUMNS, &["realm", "name"], credential),
        Collection::Webhooks => shape("webhooks JOIN keys ON slot = key_slot", webhook_store::COLUMNS, owned, webhook),
        Collection::Jobs => shape("jobs", job_queue::COLUMNS, &["id"], job),
        Collection::Audit => shape("audit", audit_log::COLUMNS, &["number"], event),
        Collection::LoginCounts => shape("login_counts", login_guard::COLUMNS, &["realm", "email"], login_counts),
        Collection::Buckets => shape("buckets", rate_limiter::COLUMNS, &["realm", "operation", "who"], bucket),
        Collection::SentMessages => {
            let columns = format!("{}, number", sent_message_store::COLUMNS);
            shape("outbox JOIN keys ON slot = key_slot", &columns, &["number"], sent_message)
        }
    }
}

/// Rows of one key as one record.
pub fn join(into: &mut Record, row: Record) {
    if let (Record::Registrations(pending), Record::Registrations(more)) = (into, row) {
        pending.registrations.extend(more.registrations);
    }
}

fn check(row: &Row<'_>) -> rusqlite::Result<Stored<Record>> {
    Ok(Stored::new(Record::Check(row.get(0)?, row.get(1)?), None))
}

fn user(row: &Row<'_>) -> rusqlite::Result<Stored<Record>> {
    Ok(user_store::read(row)?.map(|user| Record::User(Box::new(user))))
}

fn registration(row: &Row<'_>) -> rusqlite::Result<Stored<Record>> {
    Ok(registration_store::read(row)?.map(|one| {
        let (realm, email) = (one.realm.clone(), *one.person.email_index.newest());
        Record::Registrations(PendingRegistrations { realm, email, registrations: vec![one] })
    }))
}

fn session(row: &Row<'_>) -> rusqlite::Result<Stored<Record>> {
    Ok(session_store::read(row)?.map(|session| Record::Session(Box::new(session))))
}

fn one_time_token(row: &Row<'_>) -> rusqlite::Result<Stored<Record>> {
    Ok(one_time_token_store::read(row)?.map(|token| Record::OneTimeToken(Box::new(token))))
}

fn undo_record(row: &Row<'_>) -> rusqlite::Result<Stored<Record>> {
    Ok(undo_store::read(row)?.map(|undo| Record::Undo(Box::new(undo))))
}

fn credential(row: &Row<'_>) -> rusqlite::Result<Stored<Record>> {
    Ok(credential_store::read(row)?.map(|credential| Record::Credential(Box::new(credential))))
}

fn webhook(row: &Row<'_>) -> rusqlite::Result<Stored<Record>> {
    Ok(webhook_store::read(row)?.map(|webhook| Record::Webhook(Box::new(webhook))))
}

fn job(row: &Row<'_>) -> rusqlite::Result<Stored<Record>> {
    Ok(job_queue::read(row)?.map(Record::Job))
}

fn event(row: &Row<'_>) -> rusqlite::Result<Stored<Record>> {
    Ok(audit_log::read(row)?.map(Record::Event))
}

fn login_counts(row: &Row<'_>) -> rusqlite::Result<Stored<Record>> {
    Ok(login_guard::read(row)?.map(Record::LoginCounts))
}

fn bucket(row: &Row<'_>) -> rusqlite::Result<Stored<Record>> {
    Ok(rate_limiter::read(row)?.map(Record::Bucket))
}

fn sent_message(row: &Row<'_>) -> rusqlite::Result<Stored<Record>> {
    let number = row.get::<_, i64>(8)?.unsigned_abs();
    Ok(sent_message_store::read(row)?
        .map(|message| Record::SentMessage(Box::new(OrderedMessage { order: order_of(message.at, number), message }))))
}

/// Keeps a record, in the place of the one with its key.
pub fn put(db: &Db, record: &Record) -> rusqlite::Result<()> {
    match record {
        Record::Check(name, value) => {
            db.prepare_cached("REPLACE INTO checks (name, value) VALUES (?1, ?2)")?.execute((name, value)).map(|_| ())
        }
        Record::User(user) => {
            let sql = "DELETE FROM users WHERE realm = ?1 AND id = ?2";
            db.prepare_cached(sql)?.execute(params![user.realm.as_str(), user.id.as_bytes()])?;
            user_store::insert(db, user)
        }
        Record::Registrations(PendingRegistrations { realm, email, registrations }) => {
            let condition = has_digest("email_index", [2, 2]);
            let sql = format!("DELETE FROM registrations WHERE realm = ?1 AND {condition}");
            db.prepare_cached(&sql)?.execute(params![realm.as_str(), email.as_bytes()])?;
            registrations.iter().try_for_each(|one| registration_store::insert(db, one))
        }
        Record::Session(session) => {
            let sql = "DELETE FROM sessions WHERE realm = ?1 AND id = ?2";
            db.prepare_cached(sql)?.execute(params![session.realm.as_str(), session.id.as_bytes()])?;
            session_store::insert(db, session)
        }
        Record::OneTimeToken(token) => one_time_token_store::put(db, token),
        Record::Undo(undo) => undo_store::put(db, undo),
        Record::Credential(credential) => credential_store::put(db, credential),
        Record::Webhook(webhook) => webhook_store::put(db, webhook),
        Record::Job(job) => job_queue::put(db, job),
        Record::Event(event) => audit_log::append(db, event),
        Record::LoginCounts(counts) => login_guard::put(db, counts),
        Record::Bucket(bucket) => rate_limiter::put(db, bucket),
        Record::SentMessage(message) => sent_message_store::insert(db, &message.message),
    }
}
