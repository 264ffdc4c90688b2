//! Links and notes beside the fake audit log.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use crate::fakes::audit_log::{FakeAuditLog, position};
use crate::faults::{FaultPlan, Faults};
use portcullis_core::model::audit::AuditPosition;
use portcullis_core::model::audit_chain::{ChainEntry, ChainLink, NewLink, SignedNote};
use portcullis_core::model::ids::ChainId;
use portcullis_core::model::stored_record::StoredEvent;
use portcullis_core::ports::audit_chain_store::AuditChainStore;
use portcullis_core::ports::error::PortError;

/// The links of a fake audit log's events.
#[derive(Debug)]
pub struct FakeAuditChainStore {
    log: Arc<FakeAuditLog>,
    faults: Faults,
}

impl FakeAuditChainStore {
    /// The links of that log, in a store that breaks as the plan says.
    #[must_use]
    pub fn new(log: Arc<FakeAuditLog>, plan: &FaultPlan) -> Self {
        Self { log, faults: Faults::new("audit_chain_store", plan) }
    }

    /// The faults to inject.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Every event, in the order of the log.
    fn entries(&self) -> Vec<ChainEntry> {
        let (events, chains) = (self.log.events.lock(), self.log.chains.lock());
        let entry = |(number, event)| {
            let position = position(number);
            let event = StoredEvent { order: *position.as_bytes(), ..StoredEvent::of(event) };
            ChainEntry { position, event: Some(event), genuine: true, link: chains.links.get(&position).copied() }
        };
        (0..).zip(events.iter()).map(entry).collect()
    }

    fn of_chain(&self, chain: &ChainId) -> BTreeMap<(u64, AuditPosition), ChainEntry> {
        let linked = self.entries().into_iter().filter_map(|entry| Some((entry.link?, entry)));
        let of_chain = linked.filter(|(link, _)| link.chain == *chain);
        of_chain.map(|(link, entry)| ((link.number, entry.position), entry)).collect()
    }
}

fn size(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

#[async_trait]
impl AuditChainStore for FakeAuditChainStore {
    async fn unlinked(&self, after: Option<AuditPosition>, limit: u32) -> Result<Vec<ChainEntry>, PortError> {
        self.faults.call("unlinked", || {
            let all = self.entries().into_iter().filter(|entry| entry.link.is_none());
            all.filter(|entry| after.is_none_or(|after| entry.position > after)).take(size(limit)).collect()
        })
    }

    async fn link(&self, links: Vec<NewLink>) -> Result<bool, PortError> {
        self.faults.call("link", || {
            let count = self.log.events.lock().len() as u64;
            let mut chains = self.log.chains.lock();
            let mut linked = chains.links.clone();
            for NewLink { position, link } in links {
                if !(0..count).any(|number| super::audit_log::position(number) == position)
                    || linked.insert(position, link).is_some()
                {
                    return false;
                }
            }
            chains.links = linked;
            true
        })
    }

    async fn linked(
        &self,
        chain: &ChainId,
        after: Option<(u64, AuditPosition)>,
        limit: u32,
    ) -> Result<Vec<ChainEntry>, PortError> {
        self.faults.call("linked", || {
            let all = self.of_chain(chain).into_iter();
            let later = all.filter(|(place, _)| after.is_none_or(|after| *place > after));
            later.map(|(_, entry)| entry).take(size(limit)).collect()
        })
    }

    async fn newest_link(&self, chain: &ChainId) -> Result<Option<ChainLink>, PortError> {
        self.faults.call("newest_link", || self.of_chain(chain).into_values().next_back().and_then(|entry| entry.link))
    }

    async fn linked_chains(&self) -> Result<Vec<ChainId>, PortError> {
        self.faults.call("linked_chains", || {
            let mut chains: Vec<ChainId> = self.log.chains.lock().links.values().map(|link| link.chain).collect();
            chains.sort_unstable();
            chains.dedup();
            chains
        })
    }

    async fn count_damaged(&self) -> Result<u64, PortError> {
        self.faults.call("count_damaged", || 0)
    }

    async fn notes(&self) -> Result<Vec<SignedNote>, PortError> {
        self.faults.call("notes", || self.log.chains.lock().notes.values().cloned().collect())
    }

    async fn put_note(&self, note: SignedNote) -> Result<(), PortError> {
        self.faults.call("put_note", || {
            self.log.chains.lock().notes.insert((note.chain, note.kind), note);
        })
    }
}
