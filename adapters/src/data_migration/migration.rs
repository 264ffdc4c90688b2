//! The move itself: batches of records from one store to another, a note in the target of how far it came, and a proof
//! by reading both again.

use std::time::Duration;

use futures_util::StreamExt as _;
use portcullis_core::ports::error::PortError;
use serde::{Deserialize, Serialize};

use crate::data_migration::{Collection, MigratableStore, NOTE, Page, Pages, Tally};

/// How long a store may take for a batch.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What is moved from.
    Source,
    /// What is moved to.
    Target,
}

impl Side {
    /// As the command line calls it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Source => "--from",
            Self::Target => "--to",
        }
    }
}

/// Why it did not come to its end. Names no password.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// A store failed.
    #[error("{}: {error}: {}. Fix: see that it can be reached, then call the same again: it goes on where it stopped", side.as_str(), error.source)]
    Store {
        /// Which one.
        side: Side,
        /// What it said.
        error: PortError,
    },
    /// The target is somebody's.
    #[error("--to: it holds data already ({count} in {}). Fix: name an empty database, or empty that one", collection.as_str())]
    Occupied {
        /// Where.
        collection: Collection,
        /// How many.
        count: u64,
    },
    /// The target is half filled from elsewhere.
    #[error(
        "--to: it is the target of an unfinished move from {from}. Fix: finish that one, or call this with --again to empty the target first"
    )]
    OtherMove {
        /// From where.
        from: String,
    },
    /// The source is half filled itself.
    #[error(
        "--from: it is the target of an unfinished move from {from}, so that something may be missing in it. Fix: finish that one first"
    )]
    Unfinished {
        /// From where.
        from: String,
    },
    /// The proof failed.
    #[error("the proof failed: {}. Fix: see that no server uses either database, then call the same with --again", told(.0))]
    Differs(Vec<Proof>),
}

fn told(proofs: &[Proof]) -> String {
    let one = |proof: &Proof| {
        let Proof { of, from, to } = proof;
        format!("{} has {} ({}) here and {} ({}) there", of.as_str(), from.count, from.short(), to.count, to.short())
    };
    proofs.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A collection, read on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// Which.
    pub of: Collection,
    /// Of the source.
    pub from: Tally,
    /// Of the target.
    pub to: Tally,
}

/// What is being done, for whoever waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It goes on in this collection, where an earlier call stopped.
    Resumed(Collection),
    /// So many of so many are in the target.
    Copied {
        /// Of which.
        of: Collection,
        /// How many.
        done: u64,
        /// Of how many.
        all: u64,
    },
    /// So many of so many have been read again, on one side.
    Read {
        /// Of which.
        of: Collection,
        /// How many.
        done: u64,
        /// Of how many.
        all: u64,
    },
}

/// How far it came, as the target keeps it.
#[derive(Serialize, Deserialize)]
struct Note {
    from: String,
    collection: String,
    behind: Option<String>,
}

/// A move.
pub struct Mover<'a> {
    /// What is moved from.
    pub from: &'a dyn MigratableStore,
    /// What is moved to.
    pub to: &'a dyn MigratableStore,
    /// What the source is called, without a password.
    pub place: &'a str,
    /// Hears of every step.
    pub told: &'a (dyn Fn(Step) + Send + Sync),
}

fn of(side: Side) -> impl Fn(PortError) -> MoveError {
    move |error| MoveError::Store { side, error }
}

/// The note of an unfinished move into a store, if there is one; what cannot be read is of a later version.
async fn note(store: &dyn MigratableStore, side: Side) -> Result<Option<Note>, MoveError> {
    let kept = store.check_value(NOTE).await.map_err(of(side))?;
    let unknown = || Note { from: "somewhere".to_owned(), collection: String::new(), behind: None };
    Ok(kept.map(|kept| serde_json::from_slice(&kept).unwrap_or_else(|_| unknown())))
}

/// Where an unfinished move into a store comes from, if there is one.
///
/// # Errors
/// When the store fails.
pub async fn unfinished(store: &dyn MigratableStore) -> Result<Option<String>, PortError> {
    match note(store, Side::Target).await {
        Ok(note) => Ok(note.map(|note| note.from)),
        Err(MoveError::Store { error, .. }) => Err(error),
        Err(_) => Ok(None),
    }
}

/// How many records a source has.
///
/// # Errors
/// When it fails, or is no whole one.
pub async fn survey(from: &dyn MigratableStore) -> Result<Vec<(Collection, u64)>, MoveError> {
    if let Some(note) = note(from, Side::Source).await? {
        return Err(MoveError::Unfinished { from: note.from });
    }
    let mut counts = Vec::new();
    for collection in Collection::ALL {
        counts.push((collection, from.count(collection).await.map_err(of(Side::Source))?));
    }
    Ok(counts)
}

impl Mover<'_> {
    /// Whether the target may be filled: it is empty, or half filled from the same source.
    ///
    /// # Errors
    /// When it may not.
    pub async fn admit(&self) -> Result<bool, MoveError> {
        match note(self.to, Side::Target).await? {
            Some(note) if note.from == self.place => return Ok(true),
            Some(note) => return Err(MoveError::OtherMove { from: note.from }),
            None => {}
        }
        for collection in Collection::ALL.into_iter().filter(|of| *of != Collection::Checks) {
            let count = self.to.count(collection).await.map_err(of(Side::Target))?;
            if count > 0 {
                return Err(MoveError::Occupied { collection, count });
            }
        }
        Ok(false)
    }

    /// Empties a target that an unfinished move has begun to fill; any other one stays as it is.
    ///
    /// # Errors
    /// When the target fails.
    pub async fn empty(&self) -> Result<(), MoveError> {
        if note(self.to, Side::Target).await?.is_none() {
            return Ok(());
        }
        for collection in Collection::ALL {
            self.to.clear(collection).await.map_err(of(Side::Target))?;
        }
        // last: until then the target is known for what it is
        self.to.remove_note().await.map_err(of(Side::Target))
    }

    /// Copies everything and proves it. Stopped anywhere, the next call goes on.
    ///
    /// # Errors
    /// Why it stopped.
    pub async fn run(&self) -> Result<Vec<Proof>, MoveError> {
        let counts = survey(self.from).await?;
        let (mut from_here, mut behind) = (Collection::Checks, None);
        if self.admit().await?
            && let Some(note) = note(self.to, Side::Target).await?
            && let Some(collection) = Collection::parse(&note.collection)
        {
            (from_here, behind) = (collection, note.behind);
            (self.told)(Step::Resumed(collection));
        }
        for (collection, all) in counts.into_iter().skip_while(|(collection, _)| *collection != from_here) {
            self.copy(collection, all, behind.take()).await?;
        }
        let proofs = self.prove().await?;
        let differ: Vec<Proof> = proofs.iter().filter(|proof| proof.from != proof.to).copied().collect();
        if !differ.is_empty() {
            return Err(MoveError::Differs(differ));
        }
        self.to.remove_note().await.map_err(of(Side::Target))?;
        Ok(proofs)
    }

    async fn copy(&self, collection: Collection, all: u64, behind: Option<String>) -> Result<(), MoveError> {
        let mut done = match &behind {
            Some(_) => self.to.count(collection).await.map_err(of(Side::Target))?,
            None => 0,
        };
        let note = |behind: Option<String>| {
            let note = Note { from: self.place.to_owned(), collection: collection.as_str().to_owned(), behind };
            serde_json::to_vec(&note).map_err(|error| of(Side::Target)(PortError::new("move", error)))
        };
        // the note comes before the first record
        self.to.put_all(Vec::new(), &note(behind.clone())?).await.map_err(of(Side::Target))?;
        if behind.is_none() {
            // what the target began with, as an empty database of the same secrets
            self.to.clear(collection).await.map_err(of(Side::Target))?;
        }
        let mut pages = self.from.pages(collection, behind.as_deref());
        while let Some(Page { records, behind }) = next(&mut pages, Side::Source).await? {
            done += records.len() as u64;
            let put = tokio::time::timeout(PATIENCE, self.to.put_all(records, &note(behind)?)).await;
            put.unwrap_or_else(|_| Err(slow())).map_err(of(Side::Target))?;
            (self.told)(Step::Copied { of: collection, done, all: all.max(done) });
        }
        Ok(())
    }

    /// Reads everything on both sides.
    ///
    /// # Errors
    /// When a store fails.
    pub async fn prove(&self) -> Result<Vec<Proof>, MoveError> {
        let mut proofs = Vec::new();
        for collection in Collection::ALL {
            let from = self.tally(Side::Source, collection).await?;
            let to = self.tally(Side::Target, collection).await?;
            proofs.push(Proof { of: collection, from, to });
        }
        Ok(proofs)
    }

    async fn tally(&self, side: Side, collection: Collection) -> Result<Tally, MoveError> {
        let store = match side {
            Side::Source => self.from,
            Side::Target => self.to,
        };
        let all = store.count(collection).await.map_err(of(side))?;
        let mut tally = Tally::default();
        let mut pages = store.pages(collection, None);
        while let Some(page) = next(&mut pages, side).await? {
            page.records.iter().for_each(|record| tally.add(record));
            (self.told)(Step::Read { of: collection, done: tally.count, all: all.max(tally.count) });
        }
        Ok(tally)
    }
}

async fn next(pages: &mut Pages<'_>, side: Side) -> Result<Option<Page>, MoveError> {
    match tokio::time::timeout(PATIENCE, pages.next()).await {
        Ok(page) => page.transpose().map_err(of(side)),
        Err(_) => Err(of(side)(slow())),
    }
}

fn slow() -> PortError {
    PortError::new("move", "no answer in time")
}
