//! [`LoginGuard`] on SQLite. The row with the empty address counts unknown addresses; an address that has logged in before
//! has a row of its own.

use std::time::Duration;

use async_trait::async_trait;
use portcullis_core::model::login_throttle::{
    Admission, FailedLogins, check_factor_throttle, check_login_throttle, withdraw_attempt,
};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::login_guard::LoginGuard;
use rusqlite::{OptionalExtension as _, params};

use crate::sqlite::Sqlite;
use crate::sqlite::db::Db;

const PORT: &str = "login_guard";
/// Known addresses per e-mail; the ones that were not used for longest are removed.
const KNOWN_ADDRESSES: i64 = 32;
const STRANGERS: &[u8] = &[];
/// A count of unknown addresses that did not change for this long is removed.
const IDLE: Duration = Duration::from_hours(30 * 24);

fn count(db: &Db, realm: &Realm, email: &Digest, address: &[u8]) -> rusqlite::Result<Option<FailedLogins>> {
    let sql = "SELECT failures, next_at FROM login_counts WHERE realm = ?1 AND email = ?2 AND address = ?3";
    let read = |row: &rusqlite::Row<'_>| {
        Ok(FailedLogins { failures: row.get(0)?, next_at: Timestamp::from_millis(row.get(1)?) })
    };
    db.prepare_cached(sql)?.query_row(params![realm.as_str(), email.as_bytes(), address], read).optional()
}

fn keep(
    db: &Db,
    realm: &Realm,
    email: &Digest,
    address: &[u8],
    kept: (&FailedLogins, Timestamp),
) -> rusqlite::Result<()> {
    let sql = "REPLACE INTO login_counts (realm, email, address, failures, next_at, touched_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let (count, now) = kept;
    let (next_at, now) = (count.next_at.as_millis(), now.as_millis());
    let which = params![realm.as_str(), email.as_bytes(), address, count.failures, next_at, now];
    db.prepare_cached(sql)?.execute(which).map(|_| ())
}

/// Counts an attempt by a schedule; with how many in a row are counted then.
fn count_attempt(
    db: &Db,
    (realm, email, from): (&Realm, &Digest, &Digest),
    now: Timestamp,
    schedule: fn(Option<FailedLogins>, Timestamp) -> (Admission, FailedLogins),
) -> rusqlite::Result<(Admission, u32)> {
    let own = count(db, realm, email, from.as_bytes())?;
    let address: &[u8] = if own.is_some() { from.as_bytes() } else { STRANGERS };
    let counted = match own {
        Some(own) => Some(own),
        None => count(db, realm, email, STRANGERS)?,
    };
    let (admission, next) = schedule(counted, now);
    if admission == Admission::Admitted {
        keep(db, realm, email, address, (&next, now))?;
        purge_idle_counts(db, now)?;
    }
    Ok((admission, next.failures))
}

/// Removes a few idle counts: those of guessed e-mails have no owner who would reset them.
fn purge_idle_counts(db: &Db, now: Timestamp) -> rusqlite::Result<()> {
    let sql = "DELETE FROM login_counts WHERE (realm, email, address) IN \
               (SELECT realm, email, address FROM login_counts WHERE address = x'' AND touched_at < ?1 LIMIT 8)";
    db.prepare_cached(sql)?.execute([(now - IDLE).as_millis()]).map(|_| ())
}

/// Removes what is counted about an address.
pub fn forget(db: &Db, realm: &Realm, email: &Digest) -> rusqlite::Result<()> {
    let mut statement = db.prepare_cached("DELETE FROM login_counts WHERE realm = ?1 AND email = ?2")?;
    statement.execute(params![realm.as_str(), email.as_bytes()]).map(|_| ())
}

#[async_trait]
impl LoginGuard for Sqlite {
    async fn admit(
        &self,
        realm: &Realm,
        email: &Digest,
        from: &Digest,
        now: Timestamp,
    ) -> Result<Admission, PortError> {
        let (realm, email, from) = (realm.clone(), *email, *from);
        let write = move |db: &Db| count_attempt(db, (&realm, &email, &from), now, check_login_throttle);
        self.writer.write(PORT, write).await.map(|(admission, _)| admission)
    }

    async fn admit_factor(
        &self,
        realm: &Realm,
        subject: &Digest,
        now: Timestamp,
    ) -> Result<(Admission, u32), PortError> {
        let (realm, subject) = (realm.clone(), *subject);
        let write = move |db: &Db| count_attempt(db, (&realm, &subject, &subject), now, check_factor_throttle);
        self.writer.write(PORT, write).await
    }

    async fn withdraw(&self, realm: &Realm, email: &Digest, from: &Digest, now: Timestamp) -> Result<(), PortError> {
        let (realm, email, from) = (realm.clone(), *email, *from);
        let write = move |db: &Db| {
            for address in [from.as_bytes(), STRANGERS] {
                if let Some(counted) = count(db, &realm, &email, address)? {
                    return keep(db, &realm, &email, address, (&withdraw_attempt(counted, now), now));
                }
            }
            Ok(())
        };
        self.writer.write(PORT, write).await
    }

    async fn succeeded(&self, realm: &Realm, email: &Digest, from: &Digest, now: Timestamp) -> Result<(), PortError> {
        let (realm, email, from) = (realm.clone(), *email, *from);
        let write = move |db: &Db| {
            let fresh = FailedLogins { failures: 0, next_at: now };
            if count(db, &realm, &email, from.as_bytes())?.is_none() {
                keep(db, &realm, &email, STRANGERS, (&fresh, now))?;
            }
            keep(db, &realm, &email, from.as_bytes(), (&fresh, now))?;
            let sql = "DELETE FROM login_counts WHERE realm = ?1 AND email = ?2 AND length(address) > 0 AND address NOT IN \
                       (SELECT address FROM login_counts WHERE realm = ?1 AND email = ?2 AND length(address) > 0 \
                        ORDER BY touched_at DESC LIMIT ?3)";
            let which = params![realm.as_str(), email.as_bytes(), KNOWN_ADDRESSES];
            db.prepare_cached(sql)?.execute(which).map(|_| ())
        };
        self.writer.write(PORT, write).await
    }
}
