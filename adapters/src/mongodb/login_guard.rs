//! [`LoginGuard`] on MongoDB: a document for each e-mail.

use async_trait::async_trait;
use mongodb::bson::{Document, doc};
use portcullis_core::model::login_throttle::{Admission, FailedLogins, LoginSource};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::stored_record::LoginCounts;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::login_guard::LoginGuard;

use crate::crypto::record_macs::{RecordMacs, Stored};
use crate::failed_logins_text;
use crate::job_text::hex;
use crate::mongodb::MongoDb;
use crate::mongodb::compare_and_swap::CasStep;
use crate::mongodb::documents::{Fields, key, signed_document};

const PORT: &str = "login_guard";
pub const COLLECTION: &str = "login_counts";

/// The document of an e-mail, without its `_id`.
pub fn print(macs: &RecordMacs, counts: &LoginCounts) -> Document {
    let forgotten_at = counts.failed.forgotten_at().map(Timestamp::as_millis);
    let document = doc! {"failed": failed_logins_text::print(&counts.failed), "forgotten_at": forgotten_at};
    signed_document(macs, counts, document)
}

/// The counts in the document of an e-mail.
pub fn parse(realm: &Realm, email: &Digest, document: &Document) -> Result<Stored<LoginCounts>, PortError> {
    let fields = Fields::of(PORT, document);
    let failed = failed_logins_text::parse(fields.text("failed")?).ok_or_else(|| fields.unreadable("failed"))?;
    fields.with_mac(LoginCounts { realm: realm.clone(), email: *email, failed })
}

impl MongoDb {
    /// Changes the counts of an e-mail.
    async fn change_failed_logins<T: Send>(
        &self,
        realm: &Realm,
        email: &Digest,
        change: impl Fn(&mut FailedLogins) -> T + Send + Sync,
    ) -> Result<T, PortError> {
        let change = |found: Option<&Document>| {
            let before = match found {
                Some(found) => self.verify(PORT, parse(realm, email, found)?)?.failed,
                None => FailedLogins::default(),
            };
            let mut failed = before.clone();
            let answer = change(&mut failed);
            if failed == before {
                return Ok(CasStep::Keep(answer));
            }
            let counts = LoginCounts { realm: realm.clone(), email: *email, failed };
            Ok(CasStep::Replace(print(&self.macs, &counts), answer))
        };
        self.compare_and_swap(PORT, COLLECTION, &key(realm, hex(email)), change).await
    }
}

#[async_trait]
impl LoginGuard for MongoDb {
    async fn admit(
        &self,
        realm: &Realm,
        email: &Digest,
        from: &LoginSource,
        now: Timestamp,
    ) -> Result<Admission, PortError> {
        self.change_failed_logins(realm, email, |failed| failed.admit(from, now)).await
    }

    async fn withdraw(
        &self,
        realm: &Realm,
        email: &Digest,
        from: &LoginSource,
        now: Timestamp,
    ) -> Result<(), PortError> {
        self.change_failed_logins(realm, email, |failed| failed.withdraw(from, now)).await
    }

    async fn succeeded(
        &self,
        realm: &Realm,
        email: &Digest,
        from: &LoginSource,
        now: Timestamp,
    ) -> Result<(), PortError> {
        self.change_failed_logins(realm, email, |failed| failed.succeed(from, now)).await?;
        let idle = doc! {"forgotten_at": {"$lte": now.as_millis()}};
        self.run(PORT, self.collection(COLLECTION).delete_one(idle)).await?;
        Ok(())
    }

    async fn admit_factor(
        &self,
        realm: &Realm,
        subject: &Digest,
        now: Timestamp,
    ) -> Result<(Admission, u32), PortError> {
        self.change_failed_logins(realm, subject, |failed| failed.admit_factor(now)).await
    }

    async fn withdraw_factor(&self, realm: &Realm, subject: &Digest, now: Timestamp) -> Result<(), PortError> {
        self.change_failed_logins(realm, subject, |failed| failed.withdraw_factor(now)).await
    }

    async fn factor_succeeded(&self, realm: &Realm, subject: &Digest, now: Timestamp) -> Result<(), PortError> {
        self.change_failed_logins(realm, subject, |failed| failed.succeed_factor(now)).await
    }
}
