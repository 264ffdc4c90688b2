//! Rows of each table as records of a data migration, and back.

use portcullis_core::model::ids::{JobId, SessionId, UserId};
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::stored_record::{
    Collection, FailureCount, LoginCounts, OrderedMessage, PendingRegistrations, Record, StoredBucket, StoredEvent,
    StoredJob,
};
use portcullis_core::model::time::Timestamp;
use rusqlite::{Connection, Row, params};

use crate::sqlite::rows::{Columns, PERSON_WITH_KEY};
use crate::sqlite::{
    one_time_token_store, registration_store, sent_message_store, session_store, undo_store, user_store,
};

const JOB: &str = "id, realm, subject, address, task, attempts, created_at, due_at, dead_at, reason";
const COUNT: &str = "realm, email, address, failures, next_at, touched_at";

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
    pub read: fn(&Row<'_>) -> rusqlite::Result<Record>,
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
        Collection::Jobs => shape("jobs", JOB, &["id"], job),
        Collection::Audit => shape("audit", "number, at, realm, kind, user_id, session_id", &["number"], event),
        Collection::LoginCounts => {
            Shape { order: ", address", ..shape("login_counts", COUNT, &["realm", "email"], login_count) }
        }
        Collection::Buckets => {
            shape("buckets", "realm, operation, who, full_at", &["realm", "operation", "who"], bucket)
        }
        Collection::SentMessages => {
            let columns = "realm, subject, job, part, wrapped, message, at, number";
            shape("outbox JOIN keys ON slot = key_slot", columns, &["number"], sent_message)
        }
    }
}

/// Rows of one key as one record.
pub fn join(into: &mut Record, row: Record) {
    match (into, row) {
        (Record::Registrations(pending), Record::Registrations(more)) => {
            pending.registrations.extend(more.registrations);
        }
        (Record::LoginCounts(counts), Record::LoginCounts(more)) => {
            counts.strangers = counts.strangers.or(more.strangers);
            counts.known.extend(more.known);
        }
        _ => {}
    }
}

fn check(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record::Check(row.get(0)?, row.get(1)?))
}

fn user(row: &Row<'_>) -> rusqlite::Result<Record> {
    user_store::read(row).map(Box::new).map(Record::User)
}

fn registration(row: &Row<'_>) -> rusqlite::Result<Record> {
    let one = registration_store::read(row)?;
    Ok(Record::Registrations(PendingRegistrations {
        realm: one.realm.clone(),
        email: one.person.email_index,
        registrations: vec![one],
    }))
}

fn session(row: &Row<'_>) -> rusqlite::Result<Record> {
    session_store::read(row).map(Box::new).map(Record::Session)
}

fn one_time_token(row: &Row<'_>) -> rusqlite::Result<Record> {
    one_time_token_store::read(row).map(Box::new).map(Record::OneTimeToken)
}

fn undo_record(row: &Row<'_>) -> rusqlite::Result<Record> {
    undo_store::read(row).map(Box::new).map(Record::Undo)
}

fn job(row: &Row<'_>) -> rusqlite::Result<Record> {
    let mut columns = Columns::of(row);
    Ok(Record::Job(StoredJob {
        id: JobId::from_bytes(columns.id()?),
        realm: columns.realm()?,
        subject: columns.value::<Option<[u8; 16]>>()?.map(UserId::from_bytes),
        address: columns.digest_if_any()?,
        task: columns.value()?,
        attempts: columns.value()?,
        created_at: columns.time()?,
        due_at: columns.time()?,
        dead_at: columns.value::<Option<i64>>()?.map(Timestamp::from_millis),
        reason: columns.value()?,
    }))
}

fn event(row: &Row<'_>) -> rusqlite::Result<Record> {
    let mut columns = Columns::of(row);
    let (number, at) = (columns.number()?, columns.time()?);
    Ok(Record::Event(StoredEvent {
        order: order_of(at, number),
        at,
        realm: columns.realm()?,
        kind: columns.value()?,
        user: columns.value::<Option<[u8; 16]>>()?.map(UserId::from_bytes),
        session: columns.value::<Option<[u8; 16]>>()?.map(SessionId::from_bytes),
    }))
}

fn login_count(row: &Row<'_>) -> rusqlite::Result<Record> {
    let mut columns = Columns::of(row);
    let (realm, email, address) = (columns.realm()?, columns.digest()?, columns.value::<Vec<u8>>()?);
    let count = FailureCount { failures: columns.value()?, next_at: columns.time()?, touched_at: columns.time()? };
    // the row without an address is the strangers'
    let address: Option<[u8; 32]> = address.try_into().ok();
    let (strangers, known) = match address {
        Some(address) => (None, vec![(Digest::from_bytes(address), count)]),
        None => (Some(count), Vec::new()),
    };
    Ok(Record::LoginCounts(LoginCounts { realm, email, strangers, known }))
}

fn bucket(row: &Row<'_>) -> rusqlite::Result<Record> {
    let mut columns = Columns::of(row);
    let (realm, operation) = (columns.realm()?, columns.value()?);
    Ok(Record::Bucket(StoredBucket { realm, operation, who: columns.digest()?, full_at: columns.value()? }))
}

fn sent_message(row: &Row<'_>) -> rusqlite::Result<Record> {
    let message = sent_message_store::read(row)?;
    let number = row.get::<_, i64>(7)?.unsigned_abs();
    Ok(Record::SentMessage(Box::new(OrderedMessage { order: order_of(message.at, number), message })))
}

/// A place in the order of time that every store can keep: seconds, then the row number.
fn order_of(at: Timestamp, number: u64) -> [u8; 12] {
    let mut order = [0; 12];
    let seconds = u32::try_from(at.as_secs().max(0)).unwrap_or(u32::MAX);
    for (to, byte) in order.iter_mut().zip(seconds.to_be_bytes().into_iter().chain(number.to_be_bytes())) {
        *to = byte;
    }
    order
}

/// Keeps a record, in the place of the one with its key.
pub fn put(db: &Connection, record: &Record) -> rusqlite::Result<()> {
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
            let sql = "DELETE FROM registrations WHERE realm = ?1 AND email_index = ?2";
            db.prepare_cached(sql)?.execute(params![realm.as_str(), email.as_bytes()])?;
            registrations.iter().try_for_each(|one| registration_store::insert(db, one))
        }
        Record::Session(session) => {
            let sql = "DELETE FROM sessions WHERE realm = ?1 AND id = ?2";
            db.prepare_cached(sql)?.execute(params![session.realm.as_str(), session.id.as_bytes()])?;
            session_store::insert(db, session)
        }
        Record::OneTimeToken(token) => one_time_token_store::put(db, token),
        Record::Undo(undo) => undo_store::put(db, undo),
        Record::Job(job) => put_job(db, job),
        Record::Event(event) => {
            let sql = "INSERT INTO audit (at, realm, kind, user_id, session_id) VALUES (?1, ?2, ?3, ?4, ?5)";
            let (user, session) = (event.user.map(|id| *id.as_bytes()), event.session.map(|id| *id.as_bytes()));
            let all = params![event.at.as_millis(), event.realm.as_str(), event.kind, user, session];
            db.prepare_cached(sql)?.execute(all).map(|_| ())
        }
        Record::LoginCounts(counts) => put_counts(db, counts),
        Record::Bucket(StoredBucket { realm, operation, who, full_at }) => {
            let sql = "REPLACE INTO buckets (realm, operation, who, full_at) VALUES (?1, ?2, ?3, ?4)";
            let all = params![realm.as_str(), operation, who.as_bytes(), full_at];
            db.prepare_cached(sql)?.execute(all).map(|_| ())
        }
        Record::SentMessage(message) => sent_message_store::insert(db, &message.message),
    }
}

fn put_job(db: &Connection, job: &StoredJob) -> rusqlite::Result<()> {
    let sql = format!("REPLACE INTO jobs ({JOB}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
    let all = params![
        job.id.as_bytes(),
        job.realm.as_str(),
        job.subject.map(|user| *user.as_bytes()),
        job.address.map(|address| *address.as_bytes()),
        job.task,
        job.attempts,
        job.created_at.as_millis(),
        job.due_at.as_millis(),
        job.dead_at.map(Timestamp::as_millis),
        job.reason,
    ];
    db.prepare_cached(&sql)?.execute(all).map(|_| ())
}

fn put_counts(db: &Connection, counts: &LoginCounts) -> rusqlite::Result<()> {
    let LoginCounts { realm, email, strangers, known } = counts;
    let sql = "DELETE FROM login_counts WHERE realm = ?1 AND email = ?2";
    db.prepare_cached(sql)?.execute(params![realm.as_str(), email.as_bytes()])?;
    let sql = format!("INSERT INTO login_counts ({COUNT}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
    let mut insert = db.prepare_cached(&sql)?;
    let strangers = strangers.iter().map(|count| (&[][..], count));
    for (address, count) in strangers.chain(known.iter().map(|(address, count)| (&address.as_bytes()[..], count))) {
        let FailureCount { failures, next_at, touched_at } = count;
        let (next_at, touched_at) = (next_at.as_millis(), touched_at.as_millis());
        insert.execute(params![realm.as_str(), email.as_bytes(), address, failures, next_at, touched_at])?;
    }
    Ok(())
}
