//! The budget of mails that strangers can cause to one address.

use std::time::Duration;

use super::Failure;
use crate::model::job::{Job, Task};
use crate::model::quota::{Bucket, Quota};
use crate::model::realm::Realm;
use crate::model::sealed::{Digest, RingDigest};
use crate::model::user::User;
use crate::ports::database::UnitOfWork;
use crate::ports::keyed_digest::Domain;
use crate::use_cases::deliver::Deliveries;

/// How often a request may wait for an address whose mails are spent.
const POSTPONED: Quota = Quota::new(1, Duration::from_secs(3600));

/// A mail that a stranger can cause.
#[derive(Debug, Clone, Copy)]
pub(super) struct CausedMail<'a> {
    /// Its template.
    pub kind: &'static str,
    /// The record that it is about.
    pub subject: &'a [u8],
    /// The blind index of its address.
    pub address: &'a RingDigest,
    /// Digest of the network that caused it; `None` where an account did.
    pub network: Option<Digest>,
}

impl Deliveries<'_> {
    /// Whether an address may get this mail now. A retry has been counted already. If the budget is spent, `later` is
    /// queued for the time when the next mail may go out, at most once an hour.
    pub(super) async fn may_mail(self, job: &Job, mail: CausedMail<'_>, later: Option<Task>) -> Result<bool, Failure> {
        if job.attempts > 1 {
            return Ok(true);
        }
        let (realm, quotas) = (&job.realm, &self.service.policy.mail);
        let of_a_kind = self.mail_bucket(realm, "mail_of_a_kind", &[mail.kind.as_bytes(), mail.subject]);
        if self.denied(&of_a_kind, &quotas.of_a_kind).await?.is_some() {
            return Ok(false);
        }
        let address = mail.address.newest().as_bytes();
        let from_a_network =
            mail.network.map(|network| self.mail_bucket(realm, "mail_from_network", &[address, network.as_bytes()]));
        if let Some(bucket) = &from_a_network
            && let Some(wait) = self.denied(bucket, &quotas.from_a_network).await?
        {
            self.postpone(job, mail, later, wait).await?;
            return Ok(false);
        }
        let to_an_address = self.mail_bucket(realm, "mail_to_an_address", &[address]);
        if let Some(wait) = self.denied(&to_an_address, &quotas.to_an_address).await? {
            if let Some(bucket) = &from_a_network {
                self.service.give_back(bucket, &quotas.from_a_network).await?;
            }
            self.postpone(job, mail, later, wait).await?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Whether an account may get another code for its first factor. A retry has been counted already.
    pub(super) async fn may_mail_enrolment_code(self, job: &Job, user: &User) -> Result<bool, Failure> {
        if job.attempts > 1 {
            return Ok(true);
        }
        // those of a stolen password do not count after a reset
        let parts = [&user.id.as_bytes()[..], &user.credentials_version.to_be_bytes()];
        let bucket = self.mail_bucket(&job.realm, "mail_enrolment_code", &parts);
        Ok(self.denied(&bucket, &self.service.policy.mail.enrolment_codes).await?.is_none())
    }

    /// The pause after which the bucket has one again, if it has none now.
    async fn denied(self, bucket: &Bucket, quota: &Quota) -> Result<Option<Duration>, Failure> {
        let decision = self.service.take(bucket, quota).await?;
        Ok(decision.filter(|decision| !decision.allowed).map(|decision| decision.retry_after))
    }

    /// A job is due from its creation on: this one is created in the future.
    async fn postpone(
        self,
        job: &Job,
        mail: CausedMail<'_>,
        later: Option<Task>,
        wait: Duration,
    ) -> Result<(), Failure> {
        let Some(later) = later else { return Ok(()) };
        let parts = [mail.kind.as_bytes(), mail.address.newest().as_bytes()];
        if self.denied(&self.mail_bucket(&job.realm, "mail_postponed", &parts), &POSTPONED).await?.is_some() {
            return Ok(());
        }
        let mut postponed = self.service.job(&job.realm, later);
        postponed.created_at = postponed.created_at + wait;
        self.service.commit(UnitOfWork { jobs: vec![postponed], ..UnitOfWork::default() }).await?;
        Ok(())
    }

    fn mail_bucket(self, realm: &Realm, operation: &'static str, parts: &[&[u8]]) -> Bucket {
        let who = self.service.ports.digests.digest(Domain::MailQuota, realm, parts);
        Bucket { realm: realm.clone(), operation, who }
    }
}
