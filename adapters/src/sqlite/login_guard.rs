//! [`LoginGuard`] on SQLite: a row for each e-mail.

use async_trait::async_trait;
use portcullis_core::model::login_throttle::{Admission, FailedLogins, LoginSource};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::stored_record::LoginCounts;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::login_guard::LoginGuard;
use rusqlite::{Row, params};

use crate::crypto::record_macs::Stored;
use crate::failed_logins_text;
use crate::sqlite::Sqlite;
use crate::sqlite::db::Db;
use crate::sqlite::rows::{Columns, unreadable};

const PORT: &str = "login_guard";
pub const COLUMNS: &str = "realm, email, failed, forgotten_at, mac";

pub fn read(row: &Row<'_>) -> rusqlite::Result<Stored<LoginCounts>> {
    let mut columns = Columns::of(row);
    let (realm, email) = (columns.realm()?, columns.digest()?);
    let failed = failed_logins_text::parse(&columns.value::<String>()?);
    let failed = failed.ok_or_else(|| unreadable(2, "failed logins cannot be read"))?;
    // only removes the row
    columns.value::<Option<i64>>()?;
    columns.with_mac(LoginCounts { realm, email, failed })
}

/// Stores the counts of an e-mail in the place of the older ones.
pub fn put(db: &Db, counts: &LoginCounts) -> rusqlite::Result<()> {
    let sql = format!("REPLACE INTO login_counts ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5)");
    let LoginCounts { realm, email, failed } = counts;
    let forgotten_at = failed.forgotten_at().map(Timestamp::as_millis);
    let text = failed_logins_text::print(failed);
    let all = params![realm.as_str(), email.as_bytes(), text, forgotten_at, db.sign(counts)];
    db.prepare_cached(&sql)?.execute(all).map(|_| ())
}

fn find(db: &Db, realm: &Realm, email: &Digest) -> rusqlite::Result<Option<FailedLogins>> {
    let sql = format!("SELECT {COLUMNS} FROM login_counts WHERE realm = ?1 AND email = ?2");
    let which = params![realm.as_str(), email.as_bytes()];
    let found =
        db.find_named(&sql, which, read, |found: &LoginCounts| found.realm == *realm && found.email == *email)?;
    Ok(found.map(|found| found.failed))
}

/// Removes a few idle counts: those of guessed e-mails have no owner who would reset them.
fn purge_idle_counts(db: &Db, now: Timestamp) -> rusqlite::Result<()> {
    let sql = "DELETE FROM login_counts WHERE (realm, email) IN \
               (SELECT realm, email FROM login_counts WHERE forgotten_at <= ?1 LIMIT 8)";
    db.prepare_cached(sql)?.execute([now.as_millis()]).map(|_| ())
}

/// Removes the counts of an address.
pub fn forget(db: &Db, realm: &Realm, email: &Digest) -> rusqlite::Result<()> {
    let mut statement = db.prepare_cached("DELETE FROM login_counts WHERE realm = ?1 AND email = ?2")?;
    statement.execute(params![realm.as_str(), email.as_bytes()]).map(|_| ())
}

impl Sqlite {
    /// Changes the counts of an e-mail.
    async fn change_failed_logins<T: Send + 'static>(
        &self,
        realm: &Realm,
        email: &Digest,
        now: Timestamp,
        change: impl FnOnce(&mut FailedLogins) -> T + Send + 'static,
    ) -> Result<T, PortError> {
        let (realm, email) = (realm.clone(), *email);
        let write = move |db: &Db| {
            let before = find(db, &realm, &email)?.unwrap_or_default();
            let mut failed = before.clone();
            let answer = change(&mut failed);
            if failed != before {
                put(db, &LoginCounts { realm, email, failed })?;
                purge_idle_counts(db, now)?;
            }
            Ok(answer)
        };
        self.writer.write(PORT, write).await
    }
}

#[async_trait]
impl LoginGuard for Sqlite {
    async fn admit(
        &self,
        realm: &Realm,
        email: &Digest,
        from: &LoginSource,
        now: Timestamp,
    ) -> Result<Admission, PortError> {
        let from = from.clone();
        self.change_failed_logins(realm, email, now, move |failed| failed.admit(&from, now)).await
    }

    async fn withdraw(
        &self,
        realm: &Realm,
        email: &Digest,
        from: &LoginSource,
        now: Timestamp,
    ) -> Result<(), PortError> {
        let from = from.clone();
        self.change_failed_logins(realm, email, now, move |failed| failed.withdraw(&from, now)).await
    }

    async fn succeeded(
        &self,
        realm: &Realm,
        email: &Digest,
        from: &LoginSource,
        now: Timestamp,
    ) -> Result<(), PortError> {
        let from = from.clone();
        self.change_failed_logins(realm, email, now, move |failed| failed.succeed(&from, now)).await
    }

    async fn admit_factor(
        &self,
        realm: &Realm,
        subject: &Digest,
        now: Timestamp,
    ) -> Result<(Admission, u32), PortError> {
        self.change_failed_logins(realm, subject, now, move |failed| failed.admit_factor(now)).await
    }

    async fn withdraw_factor(&self, realm: &Realm, subject: &Digest, now: Timestamp) -> Result<(), PortError> {
        self.change_failed_logins(realm, subject, now, move |failed| failed.withdraw_factor(now)).await
    }

    async fn factor_succeeded(&self, realm: &Realm, subject: &Digest, now: Timestamp) -> Result<(), PortError> {
        self.change_failed_logins(realm, subject, now, move |failed| failed.succeed_factor(now)).await
    }
}
