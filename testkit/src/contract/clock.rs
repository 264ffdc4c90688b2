//! Contract cases of the clock.

use std::sync::Arc;

use super::{Case, Outcome, Setup};
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::clock::Clock;

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<dyn Clock>> {
    cases![tells_a_time_after_this_was_written, never_goes_back, never_goes_back_for_a_racing_crowd]
}

async fn tells_a_time_after_this_was_written(clock: &Setup<dyn Clock>) -> Outcome {
    let written = Timestamp::from_millis(1_767_225_600_000);
    assert!(clock.now() > written, "{:?} is before 2026: not milliseconds?", clock.now());
    assert!(clock.now().as_millis() < 100 * written.as_millis(), "{:?}: not milliseconds?", clock.now());
    Ok(())
}

async fn never_goes_back(clock: &Setup<dyn Clock>) -> Outcome {
    let times: Vec<Timestamp> = (0..10_000).map(|_| clock.now()).collect();
    assert!(times.is_sorted());
    Ok(())
}

async fn never_goes_back_for_a_racing_crowd(clock: &Setup<dyn Clock>) -> Outcome {
    let before = clock.now();
    let look = |clock: Arc<dyn Clock>, _| async move { Ok((0..1000).map(|_| clock.now()).collect::<Vec<_>>()) };
    let seen = clock.race(8, look).await?;
    let after = clock.now();
    for times in seen {
        assert!(times.is_sorted());
        assert!(times.iter().all(|time| (before..=after).contains(time)));
    }
    Ok(())
}
