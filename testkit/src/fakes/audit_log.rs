//! Events in a list.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::faults::{FaultPlan, Faults};
use crate::locked::Locked;
use portcullis_core::model::audit::{AuditPosition, AuditQuery, LoggedEvent};
use portcullis_core::model::audit_chain::{ChainLink, NoteKind, SignedNote};
use portcullis_core::model::event::{Event, EventKind};
use portcullis_core::model::ids::{ChainId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::ports::audit_log::AuditLog;
use portcullis_core::ports::error::PortError;

/// The links of events by their place, and the notes.
#[derive(Debug, Default)]
pub(crate) struct Chains {
    pub(crate) links: BTreeMap<AuditPosition, ChainLink>,
    pub(crate) notes: BTreeMap<(ChainId, NoteKind), SignedNote>,
}

/// Keeps events as long as it lives.
#[derive(Debug)]
pub struct FakeAuditLog {
    pub(crate) events: Locked<Vec<Event>>,
    pub(crate) chains: Locked<Chains>,
    faults: Faults,
}

impl FakeAuditLog {
    /// An empty log whose reading breaks as the plan says; writing never does.
    #[must_use]
    pub fn new(plan: &FaultPlan) -> Self {
        Self { events: Locked::default(), chains: Locked::default(), faults: Faults::new("audit_log", plan) }
    }

    /// The faults to inject.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Everything recorded, in order.
    #[must_use]
    pub fn all(&self) -> Vec<Event> {
        self.events.lock().clone()
    }

    /// The kinds of the recorded events, in order.
    #[must_use]
    pub fn kinds(&self) -> Vec<EventKind> {
        self.events.lock().iter().map(|event| event.kind).collect()
    }
}

impl Default for FakeAuditLog {
    fn default() -> Self {
        Self::new(&FaultPlan::default())
    }
}

/// The place of the n-th event.
pub(crate) fn position(number: u64) -> AuditPosition {
    let mut bytes = [0; 12];
    for (to, byte) in bytes.iter_mut().skip(4).zip(number.to_be_bytes()) {
        *to = byte;
    }
    AuditPosition::from_bytes(bytes)
}

#[async_trait]
impl AuditLog for FakeAuditLog {
    fn record(&self, event: Event) {
        self.events.lock().push(event);
    }

    async fn of_user(&self, realm: &Realm, user: &UserId, limit: u32) -> Result<Vec<Event>, PortError> {
        self.faults.call("of_user", || {
            let events = self.events.lock();
            let of_user = events.iter().rev().filter(|event| event.realm == *realm && event.user == Some(*user));
            let mut of_user: Vec<Event> = of_user.cloned().collect();
            of_user.sort_by_key(|event| std::cmp::Reverse(event.at));
            of_user.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            of_user
        })
    }

    async fn list(
        &self,
        query: &AuditQuery,
        before: Option<AuditPosition>,
        limit: u32,
    ) -> Result<Vec<LoggedEvent>, PortError> {
        self.faults.call("list", || {
            let events = self.events.lock();
            let logged = (0_u64..)
                .zip(events.iter())
                .map(|(number, event)| LoggedEvent { position: position(number), event: event.clone() });
            let mut listed: Vec<LoggedEvent> = logged
                .filter(|one| query.matches(&one.event) && before.is_none_or(|before| one.position < before))
                .collect();
            listed.reverse();
            listed.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            listed
        })
    }
}
