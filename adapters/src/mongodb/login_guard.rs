//! [`LoginGuard`] on MongoDB: one document per e-mail, with a count for unknown addresses and one for each address that
//! has logged in before.

use std::time::Duration;

use async_trait::async_trait;
use mongodb::bson::{Bson, Document, doc};
use portcullis_core::model::login_throttle::{
    Admission, FailedLogins, check_factor_throttle, check_login_throttle, withdraw_attempt,
};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::stored_record::FailureCount;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::login_guard::LoginGuard;

use crate::job_text::hex;
use crate::mongodb::MongoDb;
use crate::mongodb::compare_and_swap::CasStep;
use crate::mongodb::documents::{Fields, digest, key};

const PORT: &str = "login_guard";
pub const COLLECTION: &str = "login_counts";
/// Known addresses per e-mail; the ones that were not used for longest are removed.
const KNOWN_ADDRESSES: usize = 32;
/// A document without known addresses that did not change for this long is removed.
const IDLE: Duration = Duration::from_hours(30 * 24);

const fn fresh(now: Timestamp) -> FailureCount {
    FailureCount { failures: 0, next_at: now, touched_at: now }
}

fn parse(document: &Document) -> Result<FailureCount, PortError> {
    let fields = Fields::of(PORT, document);
    Ok(FailureCount {
        failures: fields.number("failures")?,
        next_at: fields.time("next_at")?,
        touched_at: fields.time("touched_at")?,
    })
}

fn print(count: FailureCount) -> Document {
    doc! {
        "failures": i64::from(count.failures),
        "next_at": count.next_at.as_millis(),
        "touched_at": count.touched_at.as_millis(),
    }
}

/// The counts of an e-mail's document.
pub struct Counts {
    pub strangers: Option<FailureCount>,
    pub known: Vec<(Digest, FailureCount)>,
}

impl Counts {
    pub fn parse(document: Option<&Document>) -> Result<Self, PortError> {
        let Some(document) = document else { return Ok(Self { strangers: None, known: Vec::new() }) };
        let strangers = document.get_document("strangers").ok().map(parse).transpose()?;
        let known = document.get_array("known").map(Vec::as_slice).unwrap_or_default();
        let one = |entry: &Bson| {
            let entry = entry.as_document().ok_or_else(|| Fields::of(PORT, document).unreadable("known"))?;
            Ok((Fields::of(PORT, entry).digest("address")?, parse(entry)?))
        };
        Ok(Self { strangers, known: known.iter().map(one).collect::<Result<_, PortError>>()? })
    }

    pub fn print(&self, now: Timestamp) -> Document {
        let known: Vec<Document> = self
            .known
            .iter()
            .map(|(address, count)| {
                let mut entry = print(*count);
                entry.insert("address", digest(address));
                entry
            })
            .collect();
        // documents with a known address stay; the others are removed when they are idle
        let touched_at = known.is_empty().then(|| now.as_millis());
        doc! {"strangers": self.strangers.map(print), "known": known, "touched_at": touched_at}
    }
}

impl MongoDb {
    /// Counts an attempt by a schedule; with how many in a row are counted then.
    async fn count_attempt(
        &self,
        (realm, email, from): (&Realm, &Digest, &Digest),
        now: Timestamp,
        schedule: fn(Option<FailedLogins>, Timestamp) -> (Admission, FailedLogins),
    ) -> Result<(Admission, u32), PortError> {
        let change = |found: Option<&Document>| {
            let mut counts = Counts::parse(found)?;
            let own = counts.known.iter_mut().find(|(address, _)| address == from).map(|(_, count)| count);
            let count = own.unwrap_or_else(|| counts.strangers.get_or_insert(fresh(now)));
            let counted = FailedLogins { failures: count.failures, next_at: count.next_at };
            let (admission, next) = schedule(Some(counted), now);
            if admission != Admission::Admitted {
                return Ok(CasStep::Keep((admission, next.failures)));
            }
            *count = FailureCount { failures: next.failures, next_at: next.next_at, touched_at: now };
            Ok(CasStep::Replace(counts.print(now), (admission, next.failures)))
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
        from: &Digest,
        now: Timestamp,
    ) -> Result<Admission, PortError> {
        self.count_attempt((realm, email, from), now, check_login_throttle).await.map(|(admission, _)| admission)
    }

    async fn admit_factor(
        &self,
        realm: &Realm,
        subject: &Digest,
        now: Timestamp,
    ) -> Result<(Admission, u32), PortError> {
        self.count_attempt((realm, subject, subject), now, check_factor_throttle).await
    }

    async fn withdraw(&self, realm: &Realm, email: &Digest, from: &Digest, now: Timestamp) -> Result<(), PortError> {
        let change = |found: Option<&Document>| {
            let mut counts = Counts::parse(found)?;
            let own = counts.known.iter_mut().find(|(address, _)| address == from).map(|(_, count)| count);
            let Some(count) = own.or(counts.strangers.as_mut()) else { return Ok(CasStep::Keep(())) };
            let next = withdraw_attempt(FailedLogins { failures: count.failures, next_at: count.next_at }, now);
            *count = FailureCount { failures: next.failures, next_at: next.next_at, touched_at: now };
            Ok(CasStep::Replace(counts.print(now), ()))
        };
        self.compare_and_swap(PORT, COLLECTION, &key(realm, hex(email)), change).await
    }

    async fn succeeded(&self, realm: &Realm, email: &Digest, from: &Digest, now: Timestamp) -> Result<(), PortError> {
        let change = |found: Option<&Document>| {
            let mut counts = Counts::parse(found)?;
            if let Some((_, count)) = counts.known.iter_mut().find(|(address, _)| address == from) {
                *count = fresh(now);
            } else {
                counts.strangers = None;
                counts.known.push((*from, fresh(now)));
            }
            counts.known.sort_by_key(|(_, count)| std::cmp::Reverse(count.touched_at));
            counts.known.truncate(KNOWN_ADDRESSES);
            Ok(CasStep::Replace(counts.print(now), ()))
        };
        self.compare_and_swap(PORT, COLLECTION, &key(realm, hex(email)), change).await?;
        let idle = doc! {"touched_at": {"$lt": (now - IDLE).as_millis()}};
        self.run(PORT, self.collection(COLLECTION).delete_one(idle)).await?;
        Ok(())
    }
}
