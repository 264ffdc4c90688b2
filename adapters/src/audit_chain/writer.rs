//! The writer of an instance: numbers the events that have no link, also those of other processes, in a chain of its own.

use std::fmt;
use std::sync::Arc;

use portcullis_core::model::audit_chain::{ChainEntry, NewLink, NoteKind, SignedNote};
use portcullis_core::model::ids::ChainId;
use portcullis_core::ports::audit_chain_store::AuditChainStore;
use portcullis_core::ports::clock::Clock;
use portcullis_core::ports::error::PortError;
use zeroize::Zeroizing;

use crate::audit_chain::chain_key::{ChainKey, FIRST_HEAD, Tagged, next_head};
use crate::audit_chain::checkpoint_file::CheckpointFile;
use crate::audit_chain::notes::{End, Statement, encode, time};
use crate::crypto::note_signer::NoteSigner;
use crate::crypto::sealed_box::BoxPublicKey;

/// Events that are numbered in one commit.
const BATCH_SIZE: u32 = 200;

/// The parts of a writer.
pub struct WriterParts {
    /// The store.
    pub store: Arc<dyn AuditChainStore>,
    /// The key that first keys are sealed to.
    pub verify_key: BoxPublicKey,
    /// Signs notes.
    pub signer: NoteSigner,
    /// Where notes are exported.
    pub file: Option<CheckpointFile>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// A chain that is being written.
#[derive(Clone)]
struct Chain {
    id: ChainId,
    key: ChainKey,
    head: [u8; 32],
    /// The last number that a checkpoint covers.
    covered: u64,
}

impl Chain {
    /// The last number of it.
    const fn last(&self) -> u64 {
        self.key.number() - 1
    }

    fn link(&mut self, entry: &ChainEntry) -> NewLink {
        let tagged = Tagged { position: entry.position, event: entry.event.as_ref(), genuine: entry.genuine };
        let link = self.key.link(tagged);
        self.head = next_head(&self.head, &link.tag);
        self.key.step();
        NewLink { position: entry.position, link }
    }
}

/// Numbers events. One for each run of an instance.
pub struct ChainWriter {
    parts: WriterParts,
    chain: Option<Chain>,
    /// Notes that the file does not have yet.
    waiting: Vec<SignedNote>,
}

impl fmt::Debug for ChainWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChainWriter")
    }
}

impl ChainWriter {
    /// A writer. Its chain begins with the first event.
    #[must_use]
    pub const fn new(parts: WriterParts) -> Self {
        Self { parts, chain: None, waiting: Vec::new() }
    }

    /// Numbers every event that has no link yet. Returns how many.
    ///
    /// # Errors
    /// When the store fails. The next call goes on.
    pub async fn link_pending(&mut self) -> Result<u64, PortError> {
        let mut count = 0;
        loop {
            let pending = self.parts.store.unlinked(None, BATCH_SIZE).await?;
            if pending.is_empty() {
                return Ok(count);
            }
            let mut chain = match &self.chain {
                Some(chain) => chain.clone(),
                None => self.begin().await?,
            };
            let links: Vec<NewLink> = pending.iter().map(|entry| chain.link(entry)).collect();
            match self.parts.store.link(links).await {
                Ok(true) => {
                    count += pending.len() as u64;
                    self.chain = Some(chain);
                }
                // another instance was faster: its events are out of the next page
                Ok(false) => return Ok(count),
                Err(error) => {
                    // the links may be stored or not: their numbers are not used again
                    self.chain = None;
                    return Err(error);
                }
            }
        }
    }

    /// Signs, stores and exports how far the chain is, if it has moved on since. A file that can't be written gets the note
    /// at a later call.
    ///
    /// # Errors
    /// When the store fails. The next call tries again.
    pub async fn checkpoint(&mut self) -> Result<(), PortError> {
        self.export().await;
        let Some(chain) = self.chain.as_ref().filter(|chain| chain.last() > chain.covered) else { return Ok(()) };
        let (number, head, at) = (chain.last(), encode(&chain.head), time(self.parts.clock.now()));
        let statement = Statement::Checkpoint { chain: chain.id.to_string(), at, number, head };
        self.publish(statement.sign(&self.parts.signer)?).await?;
        if let Some(chain) = &mut self.chain {
            chain.covered = number;
        }
        Ok(())
    }

    /// Begins a chain: its first key is drawn, sealed and stored before anything is numbered with it.
    async fn begin(&mut self) -> Result<Chain, PortError> {
        let mut key = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(&mut *key).map_err(|error| PortError::new("audit_chain", error.to_string()))?;
        let id = ChainId::from_bytes(rand::random());
        let sealed = self.parts.verify_key.seal(id.as_bytes(), &*key)?;
        let start = Statement::Start {
            chain: id.to_string(),
            at: time(self.parts.clock.now()),
            sealed_key: encode(&sealed),
            ends: self.ends().await?,
        };
        self.publish(start.sign(&self.parts.signer)?).await?;
        let chain = Chain { id, key: ChainKey::first(id, key), head: FIRST_HEAD, covered: 0 };
        self.chain = Some(chain.clone());
        Ok(chain)
    }

    /// The ends of the chains before, where no earlier note tells the same: a chain that is removed later is missed.
    async fn ends(&self) -> Result<Vec<End>, PortError> {
        let notes = self.parts.store.notes().await?;
        let told: Vec<End> = notes.iter().flat_map(|note| ends_in(note, &self.parts.signer)).collect();
        let mut ends = Vec::new();
        for note in notes.iter().filter(|note| note.kind == NoteKind::Start) {
            if let Some(link) = self.parts.store.newest_link(&note.chain).await? {
                let end = End { chain: note.chain.to_string(), number: link.number, tag: encode(&link.tag) };
                if !told.contains(&end) {
                    ends.push(end);
                }
            }
        }
        Ok(ends)
    }

    async fn publish(&mut self, note: SignedNote) -> Result<(), PortError> {
        self.parts.store.put_note(note.clone()).await?;
        tracing::info!(chain = %note.chain, note = note.text, signature = encode(&note.signature), "audit log");
        if self.parts.file.is_some() {
            // a newer checkpoint says more than the older one
            self.waiting.retain(|older| older.chain != note.chain || older.kind != note.kind);
            self.waiting.push(note);
            self.export().await;
        }
        Ok(())
    }

    /// Appends the notes that wait to the file.
    async fn export(&mut self) {
        let Some(file) = self.parts.file.clone().filter(|_| !self.waiting.is_empty()) else { return };
        let (shown, waiting) = (file.0.display().to_string(), std::mem::take(&mut self.waiting));
        let append = move || {
            let done = waiting.iter().try_for_each(|note| file.append(note));
            (waiting, done)
        };
        match tokio::task::spawn_blocking(append).await {
            Ok((_, Ok(()))) => {}
            Ok((waiting, Err(error))) => {
                tracing::error!("AUDIT_CHECKPOINT_FILE: {shown}: {error}; it is tried again");
                self.waiting = waiting;
            }
            Err(error) => tracing::error!("AUDIT_CHECKPOINT_FILE: {shown}: {error}"),
        }
    }
}

/// The ends that a note of ours tells.
fn ends_in(note: &SignedNote, signer: &NoteSigner) -> Vec<End> {
    match Statement::verified(note, &[signer.public()]) {
        Some(Statement::Start { ends, .. }) => ends,
        _ => Vec::new(),
    }
}
