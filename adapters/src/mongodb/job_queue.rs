//! [`JobQueue`] on MongoDB. A job that a later version wrote stays where it is.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::ReturnDocument;
use portcullis_core::model::ids::{JobId, UserId};
use portcullis_core::model::job::{DeadLetter, Job, JobSubject, QueuedJob};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::stored_record::StoredJob;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::job_queue::{JobQueue, QueueDepth};

use crate::crypto::record_macs::{RecordMacs, Stored};
use crate::job_text::{self, POSTPONE_UNKNOWN, REFUSED, hex, unhex};
use crate::mongodb::MongoDb;
use crate::mongodb::documents::{Fields, binary, key, signed_document};

const PORT: &str = "job_queue";

/// The names under which jobs about a person or an address may be stored.
pub fn all_about(realm: &Realm, about: &JobSubject) -> Vec<String> {
    match about {
        JobSubject::Subject(_) | JobSubject::Webhook(_) => {
            about.record().map(|record| key(realm, record)).into_iter().collect()
        }
        JobSubject::Address(index) => index.all().map(|address| key(realm, hex(address))).collect(),
    }
}

pub fn parse(document: &Document) -> Result<Stored<StoredJob>, PortError> {
    let fields = Fields::of(PORT, document);
    let about = fields.text("about")?;
    let (_, name) = about.split_once('/').ok_or_else(|| fields.unreadable("about"))?;
    let job = StoredJob {
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
    };
    // a copy under another name would be done twice, and one about another account outlive its own
    if fields.text("_id")? != job.id.to_string() || about != about_of(&job) {
        return Err(fields.unreadable("_id"));
    }
    fields.with_mac(job)
}

fn which(id: &JobId) -> Document {
    doc! {"_id": id.to_string()}
}

/// The dead letter of an id.
pub fn dead(id: &JobId) -> Document {
    let mut dead = which(id);
    dead.insert("dead_at", doc! {"$ne": Bson::Null});
    dead
}

/// A job that is due for the first time again.
pub fn queued_again(now: Timestamp) -> Document {
    let again = doc! {"dead_at": Bson::Null, "reason": Bson::Null, "attempts": 0_i64, "due_at": now.as_millis()};
    doc! {"$set": again}
}

fn about_of(job: &StoredJob) -> String {
    match (&job.subject, &job.address) {
        (Some(user), _) => key(&job.realm, user),
        (None, Some(address)) => key(&job.realm, hex(address)),
        (None, None) => key(&job.realm, ""),
    }
}

/// A job's document.
pub fn print(macs: &RecordMacs, job: &StoredJob) -> Document {
    let mut document = doc! {
        "_id": job.id.to_string(),
        "id": binary(job.id.as_bytes()),
        "realm": job.realm.as_str(),
        "about": about_of(job),
        "task": &job.task,
        "attempts": i64::from(job.attempts),
        "created_at": job.created_at.as_millis(),
        "due_at": job.due_at.as_millis(),
        "dead_at": job.dead_at.map_or(Bson::Null, |at| Bson::Int64(at.as_millis())),
    };
    if let Some(reason) = &job.reason {
        document.insert("reason", reason);
    }
    signed_document(macs, job, document)
}

impl MongoDb {
    /// Tells this process's workers that there is work: another process has some for them.
    pub fn wake(&self) {
        self.enqueued.notify_one();
    }

    /// The dead letters that a query finds. Those that do not verify are among them: nothing is decided by them, and a
    /// worker refuses them again.
    async fn dead_letters(&self, which: Document, limit: i64) -> Result<Vec<DeadLetter>, PortError> {
        let jobs = self.collection("jobs");
        let all = async {
            let newest = doc! {"dead_at": -1, "created_at": -1};
            jobs.find(which).sort(newest).limit(limit).await?.try_collect::<Vec<Document>>().await
        };
        let found = self.run(PORT, Box::pin(all)).await?;
        let letter = |document: &Document| parse(document).map(|stored| job_text::dead_letter(stored.unverified()));
        found.iter().filter_map(|document| letter(document).transpose()).collect()
    }

    async fn count(&self, dead: Bson) -> Result<u64, PortError> {
        Ok(self.run(PORT, self.collection("jobs").count_documents(doc! {"dead_at": dead})).await?)
    }
}

#[async_trait]
impl JobQueue for MongoDb {
    async fn claim(&self, now: Timestamp, lease: Duration) -> Result<Option<Job>, PortError> {
        let jobs = self.collection("jobs");
        loop {
            let due = doc! {"dead_at": Bson::Null, "due_at": {"$lte": now.as_millis()}};
            let lease = doc! {"$inc": {"attempts": 1_i64}, "$set": {"due_at": (now + lease).as_millis()}};
            let oldest = doc! {"due_at": 1, "created_at": 1};
            let claim = jobs.find_one_and_update(due, lease).sort(oldest).return_document(ReturnDocument::After);
            let Some(claimed) = self.run(PORT, claim).await? else { return Ok(None) };
            let verified = parse(&claimed).and_then(|stored| self.verify(PORT, stored));
            let Ok(verified) = verified else {
                let dead = doc! {"$set": {"dead_at": now.as_millis(), "reason": REFUSED}};
                self.run(PORT, jobs.update_one(doc! {"_id": claimed.get("_id")}, dead)).await?;
                continue;
            };
            if let Some(job) = job_text::job(verified) {
                return Ok(Some(job));
            }
            job_text::warn_of_unknown();
            let off = doc! {"$inc": {"attempts": -1_i64}, "$set": {"due_at": (now + POSTPONE_UNKNOWN).as_millis()}};
            self.run(PORT, jobs.update_one(doc! {"_id": claimed.get("_id")}, off)).await?;
        }
    }

    async fn complete(&self, id: &JobId) -> Result<(), PortError> {
        self.run(PORT, self.collection("jobs").delete_one(which(id))).await?;
        Ok(())
    }

    async fn retry_at(&self, id: &JobId, at: Timestamp) -> Result<(), PortError> {
        let mut living = which(id);
        living.insert("dead_at", Bson::Null);
        self.run(PORT, self.collection("jobs").update_one(living, doc! {"$set": {"due_at": at.as_millis()}})).await?;
        Ok(())
    }

    async fn dead_letter(&self, id: &JobId, reason: &str, now: Timestamp) -> Result<(), PortError> {
        let dead = doc! {"$set": {"dead_at": now.as_millis(), "reason": reason}};
        self.run(PORT, self.collection("jobs").update_one(which(id), dead)).await?;
        Ok(())
    }

    async fn list_dead_letters(&self, realm: Option<Realm>, limit: u32) -> Result<Vec<DeadLetter>, PortError> {
        let mut dead = doc! {"dead_at": {"$ne": Bson::Null}};
        dead.extend(realm.map(|realm| ("realm".to_owned(), realm.as_str().into())));
        if limit == 0 { Ok(Vec::new()) } else { self.dead_letters(dead, i64::from(limit)).await }
    }

    async fn find_dead_letter(&self, id: &JobId) -> Result<Option<DeadLetter>, PortError> {
        Ok(self.dead_letters(dead(id), 1).await?.pop())
    }

    async fn list_about(
        &self,
        realm: &Realm,
        subject: &JobSubject,
        before: Option<(Timestamp, JobId)>,
        limit: u32,
    ) -> Result<Vec<QueuedJob>, PortError> {
        // MongoDB takes 0 for no limit
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut which = doc! {"about": {"$in": all_about(realm, subject)}};
        if let Some((at, id)) = before {
            let at = at.as_millis();
            let same = doc! {"created_at": at, "_id": {"$lt": id.to_string()}};
            which.insert("$or", vec![doc! {"created_at": {"$lt": at}}, same]);
        }
        let jobs = self.collection("jobs");
        let page = async {
            let newest = doc! {"created_at": -1, "_id": -1};
            jobs.find(which).sort(newest).limit(i64::from(limit)).await?.try_collect::<Vec<Document>>().await
        };
        let found = self.run(PORT, Box::pin(page)).await?;
        let queued = |document: &Document| parse(document).map(|stored| job_text::queued(stored.unverified()));
        found.iter().filter_map(|document| queued(document).transpose()).collect()
    }

    async fn depth(&self) -> Result<QueueDepth, PortError> {
        let waiting = self.count(Bson::Null).await?;
        Ok(QueueDepth { waiting, dead: self.count(Bson::Document(doc! {"$ne": Bson::Null})).await? })
    }

    async fn wait(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.enqueued.notified()).await;
    }
}
