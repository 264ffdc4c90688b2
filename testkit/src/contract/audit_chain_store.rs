//! Contract cases of the links of audit events.

use std::sync::Arc;
use std::time::Duration;

use super::{Backend, Case, Outcome, Setup, count};
use crate::samples::{NOW, realm, user_id};
use portcullis_core::model::audit::AuditPosition;
use portcullis_core::model::audit_chain::{ChainEntry, ChainLink, NewLink, NoteKind, SignedNote};
use portcullis_core::model::event::{Event, EventKind};
use portcullis_core::model::ids::ChainId;
use portcullis_core::ports::audit_chain_store::AuditChainStore;
use portcullis_core::ports::audit_log::AuditLog;
use portcullis_core::ports::error::PortError;

/// The port and the log whose events it links.
pub struct ChainedLog {
    log: Arc<dyn AuditLog>,
    chains: Arc<dyn AuditChainStore>,
}

impl ChainedLog {
    /// Those of a backend that offers both.
    pub(super) fn of(backend: &Backend) -> Option<Self> {
        Some(Self { log: backend.audit_log.clone()?, chains: backend.audit_chain_store.clone()? })
    }

    /// Records `n` events.
    fn record(&self, n: u64) {
        for number in 0..n {
            let at = NOW + Duration::from_secs(number);
            let (realm, user) = (realm("User1"), Some(user_id(number)));
            self.log.record(Event {
                at,
                realm,
                kind: EventKind::LoggedIn,
                user,
                session: None,
                operator: None,
                detail: None,
            });
        }
    }

    /// Links every event that has no link, in the order of the log.
    async fn link_all(&self, chain: ChainId, first: u64) -> Result<Vec<NewLink>, PortError> {
        let unlinked = self.chains.unlinked(None, 1000).await?;
        let links: Vec<NewLink> = (first..).zip(&unlinked).map(|(n, entry)| new_link(chain, n, entry)).collect();
        assert!(self.chains.link(links.clone()).await?);
        Ok(links)
    }
}

type Log = Setup<ChainedLog>;

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<ChainedLog>> {
    cases![
        new_events_have_no_link,
        unlinked_events_are_returned_page_by_page,
        a_link_is_returned_as_it_was_set,
        a_chain_is_returned_by_number_page_by_page,
        all_links_are_set_or_none,
        of_racing_writers_one_links_an_event,
        chains_are_listed,
        a_note_takes_the_place_of_the_older_one,
    ]
}

fn chain(n: u8) -> ChainId {
    ChainId::from_bytes([n; 16])
}

fn new_link(chain: ChainId, number: u64, entry: &ChainEntry) -> NewLink {
    NewLink { position: entry.position, link: ChainLink { chain, number, tag: [number.to_le_bytes()[0]; 32] } }
}

fn positions(entries: &[ChainEntry]) -> Vec<AuditPosition> {
    entries.iter().map(|entry| entry.position).collect()
}

async fn new_events_have_no_link(log: &Log) -> Outcome {
    log.record(3);
    let found = log.chains.unlinked(None, 10).await?;
    let users: Vec<_> = found.iter().map(|entry| entry.event.as_ref().and_then(|event| event.user)).collect();
    assert_eq!(users, (0..3).map(|n| Some(user_id(n))).collect::<Vec<_>>());
    assert!(found.iter().all(|entry| entry.genuine && entry.link.is_none()));
    assert_eq!(log.chains.linked(&chain(1), None, 10).await?, Vec::new());
    assert_eq!(log.chains.linked_chains().await?, Vec::new());
    assert_eq!(log.chains.newest_link(&chain(1)).await?, None);
    Ok(())
}

async fn unlinked_events_are_returned_page_by_page(log: &Log) -> Outcome {
    log.record(7);
    let all = positions(&log.chains.unlinked(None, 100).await?);
    assert_eq!(all.len(), 7);
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let page = log.chains.unlinked(after, 3).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.position);
        pages.extend(positions(&page));
    }
    assert_eq!(pages, all);
    assert_eq!(log.chains.unlinked(None, 0).await?, Vec::new());
    Ok(())
}

async fn a_link_is_returned_as_it_was_set(log: &Log) -> Outcome {
    log.record(2);
    let links = log.link_all(chain(1), 1).await?;
    assert_eq!(log.chains.unlinked(None, 10).await?, Vec::new());
    let found = log.chains.linked(&chain(1), None, 10).await?;
    let stored: Vec<_> = found.iter().map(|entry| (entry.position, entry.link)).collect();
    assert_eq!(stored, links.iter().map(|one| (one.position, Some(one.link))).collect::<Vec<_>>());
    assert!(found.iter().all(|entry| entry.genuine), "the link is not part of the event");
    assert_eq!(log.chains.newest_link(&chain(1)).await?, links.last().map(|last| last.link));
    assert_eq!(log.chains.count_damaged().await?, 0);
    Ok(())
}

async fn a_chain_is_returned_by_number_page_by_page(log: &Log) -> Outcome {
    log.record(5);
    log.link_all(chain(1), 1).await?;
    log.record(5);
    log.link_all(chain(2), 1).await?;
    log.record(5);
    log.link_all(chain(1), 6).await?;
    let (mut numbers, mut after) = (Vec::new(), None);
    loop {
        let page = log.chains.linked(&chain(1), after, 4).await?;
        let Some((last, link)) = page.last().and_then(|last| Some((last.position, last.link?))) else { break };
        after = Some((link.number, last));
        numbers.extend(page.into_iter().filter_map(|entry| entry.link).map(|link| link.number));
    }
    assert_eq!(numbers, (1..=10).collect::<Vec<u64>>());
    Ok(())
}

async fn all_links_are_set_or_none(log: &Log) -> Outcome {
    log.record(3);
    let unlinked = log.chains.unlinked(None, 10).await?;
    let links: Vec<NewLink> = (1..).zip(&unlinked).map(|(n, entry)| new_link(chain(1), n, entry)).collect();
    assert!(log.chains.link(links.iter().skip(1).take(1).copied().collect()).await?);
    assert!(!log.chains.link(links).await?, "the second one has a link already");
    assert_eq!(log.chains.unlinked(None, 10).await?.len(), 2);
    let link = ChainLink { chain: chain(1), number: 9, tag: [9; 32] };
    let nowhere = NewLink { position: AuditPosition::from_bytes([7; 12]), link };
    assert!(!log.chains.link(vec![nowhere]).await?);
    assert!(log.chains.link(Vec::new()).await?);
    Ok(())
}

async fn of_racing_writers_one_links_an_event(log: &Log) -> Outcome {
    log.record(20);
    let link = |log: Arc<ChainedLog>, writer: u64| async move {
        let unlinked = log.chains.unlinked(None, 100).await?;
        let chain = chain(u8::try_from(writer).unwrap_or_default());
        let links: Vec<NewLink> = (1..).zip(&unlinked).map(|(n, entry)| new_link(chain, n, entry)).collect();
        Ok(!links.is_empty() && log.chains.link(links).await?)
    };
    let done = log.race(8, link).await?;
    assert_eq!(count(&done, &true), 1, "{done:?}");
    let chains = log.chains.linked_chains().await?;
    assert_eq!(chains.len(), 1);
    for winner in chains {
        assert_eq!(log.chains.linked(&winner, None, 100).await?.len(), 20);
    }
    Ok(())
}

async fn chains_are_listed(log: &Log) -> Outcome {
    for n in [3, 1, 2] {
        log.record(2);
        log.link_all(chain(n), 1).await?;
    }
    assert_eq!(log.chains.linked_chains().await?, vec![chain(1), chain(2), chain(3)]);
    Ok(())
}

async fn a_note_takes_the_place_of_the_older_one(log: &Log) -> Outcome {
    let note = |chain, kind, text: &str| SignedNote { chain, kind, text: text.to_owned(), signature: vec![7; 64] };
    let (start, other) = (note(chain(1), NoteKind::Start, "a"), note(chain(2), NoteKind::Start, "b"));
    for one in [&start, &other, &note(chain(1), NoteKind::Checkpoint, "1"), &note(chain(1), NoteKind::Checkpoint, "2")]
    {
        log.chains.put_note(one.clone()).await?;
    }
    let mut notes = log.chains.notes().await?;
    notes.sort_by_key(|note| (note.chain, note.kind));
    assert_eq!(notes, vec![start, note(chain(1), NoteKind::Checkpoint, "2"), other]);
    Ok(())
}
