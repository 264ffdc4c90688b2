//! Addresses and numbers that determine the fate of their messages, so that a test needs no control plane to see a
//! bounce. All others are delivered at once. Any text may follow a `+` in the local part.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use portcullis_core::model::email::Email;
use portcullis_core::model::ids::{JobId, UserId};
use portcullis_core::model::message::{Channel, EmailMessage, SmsMessage};
use portcullis_core::model::phone::Phone;
use portcullis_core::model::realm::Realm;
use portcullis_core::ports::mailer::{Envelope, Mailer, SendError};
use portcullis_core::ports::sms_sender::SmsSender;
use portcullis_testkit::faults::{FaultPlan, Faults};

/// The fate of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    Arrives,
    /// `bounce@example.test`, +1 … 555-0150: refused for good.
    Bounces,
    /// `slow@example.test`, +1 … 555-0151: not now, twice; then it arrives.
    ArrivesLate,
    /// `down@example.test`, +1 … 555-0152: never now.
    NeverNow,
    /// `twice@example.test`, +1 … 555-0153: it arrives, the reply is lost, and so it is sent once more.
    ArrivesTwice,
}

impl Fate {
    /// Of an address.
    #[must_use]
    pub fn of_address(address: &str) -> Self {
        let lower = address.to_ascii_lowercase();
        let Some((local, "example.test")) = lower.split_once('@') else { return Self::Arrives };
        match local.split('+').next().unwrap_or_default() {
            "bounce" => Self::Bounces,
            "slow" => Self::ArrivesLate,
            "down" => Self::NeverNow,
            "twice" => Self::ArrivesTwice,
            _ => Self::Arrives,
        }
    }

    /// Of a number in E.164 form.
    #[must_use]
    pub fn of_number(number: &str) -> Self {
        let fictional = number.starts_with("+1") && number.len() == 12;
        match number.get(5..).filter(|_| fictional) {
            Some("5550150") => Self::Bounces,
            Some("5550151") => Self::ArrivesLate,
            Some("5550152") => Self::NeverNow,
            Some("5550153") => Self::ArrivesTwice,
            _ => Self::Arrives,
        }
    }
}

/// How often each job was tried. A clone is the same count: it is put aside and taken back with everything else.
#[derive(Debug, Clone, Default)]
pub struct Tries(Arc<Mutex<BTreeMap<JobId, u32>>>);

impl Tries {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<JobId, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more of that job.
    fn count(&self, job: JobId) -> u32 {
        let mut tries = self.lock();
        let tries = tries.entry(job).or_default();
        *tries += 1;
        *tries
    }

    /// The number of tries of each job.
    #[must_use]
    pub fn all(&self) -> BTreeMap<JobId, u32> {
        self.lock().clone()
    }

    /// These instead.
    pub fn replace(&self, tries: BTreeMap<JobId, u32>) {
        *self.lock() = tries;
    }
}

/// The mailbox behind its fates, and behind what a test breaks.
pub struct Scripted<P: ?Sized> {
    inner: Arc<P>,
    faults: Faults,
    tries: Tries,
}

impl<P: ?Sized + Send + Sync> Scripted<P> {
    /// In front of a mailer or SMS sender, under that port's name.
    #[must_use]
    pub fn new(inner: Arc<P>, port: &'static str, plan: &FaultPlan, tries: &Tries) -> Self {
        Self { inner, faults: Faults::new(port, plan), tries: tries.clone() }
    }

    /// Whether it is sent at all, and whether the reply is lost afterwards.
    fn decide(&self, fate: Fate, job: JobId) -> Result<bool, SendError> {
        match (fate, self.tries.count(job)) {
            (Fate::Bounces, _) => Err(SendError::Never("nobody is there, by the name's own word".to_owned())),
            (Fate::NeverNow, _) | (Fate::ArrivesLate, ..3) => {
                Err(SendError::Later("away, by the name's own word".to_owned()))
            }
            (Fate::ArrivesTwice, 1) => Ok(true),
            _ => Ok(false),
        }
    }

    /// Sends as a test broke it and as the name says.
    async fn fare(
        &self,
        fate: Fate,
        job: JobId,
        send: impl Future<Output = Result<(), SendError>> + Send,
    ) -> Result<(), SendError> {
        let sent = self.faults.call_async("send", async {
            let lost = self.decide(fate, job)?;
            send.await?;
            if lost { Err(SendError::Later("the reply is lost, by the name's own word".to_owned())) } else { Ok(()) }
        });
        sent.await.unwrap_or_else(|error| Err(SendError::Later(error.with_cause())))
    }
}

#[async_trait]
impl Mailer for Scripted<dyn Mailer> {
    async fn send(&self, envelope: &Envelope, to: &Email, message: &EmailMessage) -> Result<(), SendError> {
        let send = self.inner.send(envelope, to, message);
        self.fare(Fate::of_address(to.as_str()), envelope.job, send).await
    }

    async fn forget(&self, realm: &Realm, subject: &UserId) {
        self.inner.forget(realm, subject).await;
    }

    async fn health(&self) -> Option<Result<(), String>> {
        self.inner.health().await
    }
}

#[async_trait]
impl SmsSender for Scripted<dyn SmsSender> {
    async fn send(
        &self,
        envelope: &Envelope,
        to: &Phone,
        channel: Channel,
        message: &SmsMessage,
    ) -> Result<(), SendError> {
        let send = self.inner.send(envelope, to, channel, message);
        self.fare(Fate::of_number(to.as_str()), envelope.job, send).await
    }

    async fn forget(&self, realm: &Realm, subject: &UserId) {
        self.inner.forget(realm, subject).await;
    }

    async fn health(&self) -> Option<Result<(), String>> {
        self.inner.health().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_becomes_of_a_message() {
        assert_eq!(Fate::of_address("Bounce+7@example.test"), Fate::Bounces);
        assert_eq!(Fate::of_address("bounce@example.com"), Fate::Arrives);
        assert_eq!(Fate::of_address("ada@example.test"), Fate::Arrives);
        assert_eq!(Fate::of_number("+12025550151"), Fate::ArrivesLate);
        assert_eq!(Fate::of_number("+442025550151"), Fate::Arrives);
        assert_eq!(Fate::of_number("+12025550100"), Fate::Arrives);
    }
}
