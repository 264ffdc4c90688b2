//! Counts refusals, so that a flood of them is a few events of the audit log and a number.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::model::event::{Event, EventKind};
use crate::model::realm::Realm;
use crate::model::time::Timestamp;

/// Events of one kind that an instance writes in a minute and realm.
const WRITTEN: u32 = 60;
const MINUTE: Duration = Duration::from_secs(60);

/// The refusals of one kind in a realm.
#[derive(Debug)]
struct Window {
    kind: EventKind,
    began: Timestamp,
    written: u32,
    /// Those that were not written, since the last [`Refusals::drain`].
    counted: u64,
}

/// Refusals of this instance since the last count, shared by all copies of a service.
#[derive(Debug, Clone, Default)]
pub struct Refusals(Arc<Mutex<BTreeMap<(Realm, &'static str), Window>>>);

impl Refusals {
    /// Whether an event is written. One that is not is counted.
    pub fn admit(&self, event: &Event, first: bool) -> bool {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Window { kind: event.kind, began: event.at, written: 0, counted: 0 };
        let window = windows.entry((event.realm.clone(), event.kind.as_str())).or_insert_with(new);
        if event.at >= window.began + MINUTE {
            (window.began, window.written) = (event.at, 0);
        }
        let written = first && window.written < WRITTEN;
        if written {
            window.written += 1;
        } else {
            window.counted += 1;
        }
        written
    }

    /// Takes the counts.
    #[must_use]
    pub fn drain(&self) -> Vec<(Realm, EventKind, u64)> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = windows.iter_mut().filter(|(_, window)| window.counted > 0);
        counted.map(|((realm, _), window)| (realm.clone(), window.kind, std::mem::take(&mut window.counted))).collect()
    }
}
