//! Copies of one kind of record, with the store behind them.

use std::sync::Arc;

use portcullis_core::ports::error::PortError;

use crate::redis::cache::known::{Kept, Known, Stamp};
use crate::redis::cache::looks::{Look, Wanted};
use crate::redis::cache::{Cache, copy};

/// How a record is written into a copy, and read; `None` for what another version of this program wrote.
pub struct Written<T> {
    pub read: fn(&[u8]) -> Option<T>,
    pub write: fn(&T) -> Option<Vec<u8>>,
}

/// The copies.
pub struct Copies<T> {
    cache: Arc<Cache>,
    known: Known<T>,
    written: Written<T>,
}

impl<T: Clone> Copies<T> {
    pub fn new(cache: Arc<Cache>, written: Written<T>) -> Self {
        Self { cache, known: Known::default(), written }
    }

    /// What to look for, and the copy that is known.
    pub fn wanted(&self, place: String, ended: Option<[u8; 16]>) -> (Wanted, Option<Arc<Kept<T>>>) {
        let view = self.cache.server.views.now();
        let kept = view.and_then(|view| self.known.get(view.epoch.copies, &place));
        (Wanted { place, ended, known: kept.as_ref().map(|kept| kept.stamp()) }, kept)
    }

    /// What a look found, or what the store says, which is kept where it may be.
    pub async fn answer(
        &self,
        look: Look,
        kept: Option<Arc<Kept<T>>>,
        store: impl AsyncFnOnce() -> Result<Option<T>, PortError>,
    ) -> Result<Option<T>, PortError> {
        let lease = match look {
            Look::Same(seen) if let Some(kept) = kept => {
                if let Some(seen) = seen {
                    kept.seen(seen);
                }
                self.cache.looks.count(true);
                return Ok(Some(kept.copy.clone()));
            }
            Look::Hit { view, place, value, seen } => {
                let opened = copy::open(&view.epoch.key, &view.header, &place, &value);
                if let Some((nonce, record)) =
                    opened.and_then(|(nonce, copy)| Some((nonce, (self.written.read)(&copy)?)))
                {
                    let stamp = Stamp { epoch: view.epoch.copies, nonce, seen };
                    self.known.keep(place, Kept::new(stamp, record.clone()));
                    self.cache.looks.count(true);
                    return Ok(Some(record));
                }
                None
            }
            Look::Miss(lease) => Some(lease),
            Look::Same(_) | Look::Closed => None,
        };
        self.cache.looks.count(false);
        let found = store().await?;
        if let Some((lease, copy)) = lease.zip(found.as_ref().and_then(self.written.write)) {
            self.cache.fill(&lease, &copy).await;
        }
        Ok(found)
    }

    /// Looks for one.
    pub async fn find(
        &self,
        place: String,
        ended: Option<[u8; 16]>,
        store: impl AsyncFnOnce() -> Result<Option<T>, PortError>,
    ) -> Result<Option<T>, PortError> {
        let (wanted, kept) = self.wanted(place, ended);
        let [look] = self.cache.looks.look([wanted]).await;
        self.answer(look, kept, store).await
    }
}
