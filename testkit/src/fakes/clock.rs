//! Time that stands still until a test moves it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::clock::Clock;

/// A clock that moves only when a test advances it, and only forward.
#[derive(Debug)]
pub struct FixedClock(AtomicI64);

impl FixedClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub const fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.as_millis()))
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let later = |at: i64| Some((Timestamp::from_millis(at) + by).as_millis());
        // The closure always answers, so there is nothing to refuse.
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, later);
    }

    /// Moves to `at` unless that has passed already.
    pub fn advance_to(&self, at: Timestamp) {
        self.0.fetch_max(at.as_millis(), Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::NOW;

    #[test]
    fn it_moves_forward_only() {
        let clock = FixedClock::new(NOW);
        clock.advance(Duration::from_millis(5));
        clock.advance_to(NOW);
        assert_eq!(clock.now(), NOW + Duration::from_millis(5));
        clock.advance_to(NOW + Duration::from_millis(9));
        assert_eq!(clock.now(), NOW + Duration::from_millis(9));
    }
}
