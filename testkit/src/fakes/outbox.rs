//! The sent messages, kept for a test to read: the common half of the mailer and the SMS sender.

use std::collections::VecDeque;

use crate::faults::{FaultPlan, Faults};
use crate::locked::Locked;
use portcullis_core::model::ids::{JobId, UserId};
use portcullis_core::model::locale::Locale;
use portcullis_core::model::realm::Realm;
use portcullis_core::ports::mailer::{Envelope, SendError};

/// One message as it went out.
#[derive(Debug, Clone)]
pub struct Sent<M> {
    /// The population.
    pub realm: Realm,
    /// The account that it is about.
    pub subject: UserId,
    /// The job that sent it.
    pub job: JobId,
    /// Which message of that job.
    pub part: u32,
    /// The language of the message.
    pub locale: Locale,
    /// The address or number.
    pub to: String,
    /// The content.
    pub message: M,
}

/// The kind of failure of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// [`SendError::Later`]: nothing went out.
    Later,
    /// [`SendError::After`] with that wait: nothing went out.
    After(std::time::Duration),
    /// [`SendError::Never`]: nothing went out.
    Never,
    /// [`SendError::Later`], but it did go out: the reply got lost.
    LostReply,
}

#[derive(Debug, Clone)]
pub(crate) struct Inside<M> {
    sent: Vec<Sent<M>>,
    refusals: VecDeque<Refusal>,
    tries: u64,
    healthy: Option<bool>,
}

/// Keeps the messages that it is given to send.
#[derive(Debug)]
pub struct Outbox<M> {
    pub(crate) inside: Locked<Inside<M>>,
    faults: Faults,
}

impl<M: Clone> Outbox<M> {
    pub(super) fn under(port: &'static str, plan: &FaultPlan) -> Self {
        let inside = Inside { sent: Vec::new(), refusals: VecDeque::new(), tries: 0, healthy: Some(true) };
        Self { inside: Locked::new(inside), faults: Faults::new(port, plan) }
    }

    /// The faults to inject; [`Outbox::refuse_next`] injects the refusals of a mail server or an SMS provider.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Everything sent, oldest first.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent<M>> {
        self.inside.lock().sent.clone()
    }

    /// The messages sent to an address or number, oldest first.
    #[must_use]
    pub fn sent_to(&self, address: &str) -> Vec<Sent<M>> {
        self.inside.lock().sent.iter().filter(|sent| sent.to == address).cloned().collect()
    }

    /// The newest message.
    #[must_use]
    pub fn last(&self) -> Option<Sent<M>> {
        self.inside.lock().sent.last().cloned()
    }

    /// The newest message to an address or number.
    #[must_use]
    pub fn last_to(&self, address: &str) -> Option<Sent<M>> {
        self.sent_to(address).pop()
    }

    /// How often sending was tried, refused or not.
    #[must_use]
    pub fn tries(&self) -> u64 {
        self.inside.lock().tries
    }

    /// Everything sent so far is taken out.
    pub fn take(&self) -> Vec<Sent<M>> {
        std::mem::take(&mut self.inside.lock().sent)
    }

    /// The next `n` sendings fail so.
    pub fn refuse_next(&self, n: usize, refusal: Refusal) {
        self.inside.lock().refusals.extend(std::iter::repeat_n(refusal, n));
    }

    /// Sets the health that it reports.
    pub fn set_healthy(&self, healthy: Option<bool>) {
        self.inside.lock().healthy = healthy;
    }

    pub(super) fn health(&self) -> Option<Result<(), String>> {
        self.inside.lock().healthy.map(|healthy| if healthy { Ok(()) } else { Err("told so".to_owned()) })
    }

    pub(super) fn put(&self, envelope: &Envelope, to: &str, message: M) -> Result<(), SendError> {
        let tried = self.faults.call("send", || self.try_to_put(envelope, to, message));
        tried.unwrap_or_else(|error| Err(SendError::Later(format!("{}: {}", error.port, error.source))))
    }

    fn try_to_put(&self, envelope: &Envelope, to: &str, message: M) -> Result<(), SendError> {
        let mut inside = self.inside.lock();
        inside.tries += 1;
        let refusal = inside.refusals.pop_front();
        if matches!(refusal, None | Some(Refusal::LostReply)) {
            let Envelope { realm, subject, job, part, locale } = envelope.clone();
            inside.sent.push(Sent { realm, subject, job, part, locale, to: to.to_owned(), message });
        }
        match refusal {
            None => Ok(()),
            Some(Refusal::Never) => Err(SendError::Never("refused on purpose".to_owned())),
            Some(Refusal::After(wait)) => Err(SendError::After(wait, "busy on purpose".to_owned())),
            Some(Refusal::Later | Refusal::LostReply) => Err(SendError::Later("away on purpose".to_owned())),
        }
    }

    pub(super) fn drop_about(&self, realm: &Realm, subject: &UserId) {
        self.inside.lock().sent.retain(|sent| sent.realm != *realm || sent.subject != *subject);
    }
}
