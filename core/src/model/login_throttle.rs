//! The login throttle: how failed logins in a row slow the next ones down. One pure function, used by every store.

use std::time::Duration;

use crate::model::time::Timestamp;

/// Failures in a row that are not slowed down.
pub const FREE_FAILURES: u32 = 10;
/// After them, one attempt is admitted per this time.
pub const THROTTLE: Duration = Duration::from_secs(60);

/// Whether an attempt may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may; it counts as a failure until the login succeeds.
    Admitted,
    /// Not before that time has passed.
    Throttled(Duration),
}

/// Failed logins in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FailedLogins {
    /// How many.
    pub failures: u32,
    /// When the next attempt is admitted.
    pub next_at: Timestamp,
}

/// Decides about an attempt, and what to store instead of `counted` when it is admitted. `None` is an address without a
/// failure.
///
/// ```
/// use portcullis_core::model::login_throttle::{Admission, FREE_FAILURES, THROTTLE, check_login_throttle};
/// use portcullis_core::model::time::Timestamp;
///
/// let now = Timestamp::from_millis(0);
/// let mut counted = None;
/// for _ in 0..FREE_FAILURES {
///     let (admission, next) = check_login_throttle(counted, now);
///     assert_eq!(admission, Admission::Admitted);
///     counted = Some(next);
/// }
/// assert_eq!(check_login_throttle(counted, now).0, Admission::Throttled(THROTTLE));
/// assert_eq!(check_login_throttle(counted, now + THROTTLE).0, Admission::Admitted);
/// ```
#[must_use]
pub fn check_login_throttle(counted: Option<FailedLogins>, now: Timestamp) -> (Admission, FailedLogins) {
    let counted = counted.unwrap_or_default();
    if counted.failures >= FREE_FAILURES && now < counted.next_at {
        return (Admission::Throttled(counted.next_at.since(now)), counted);
    }
    let failures = counted.failures.saturating_add(1);
    let next_at = if failures >= FREE_FAILURES { now + THROTTLE } else { now };
    (Admission::Admitted, FailedLogins { failures, next_at })
}

/// What to store when an attempt turned out to be none: no password was compared, or the address has no account yet.
#[must_use]
pub fn withdraw_attempt(counted: FailedLogins, now: Timestamp) -> FailedLogins {
    let failures = counted.failures.saturating_sub(1);
    let next_at = if failures >= FREE_FAILURES { counted.next_at } else { counted.next_at.min(now) };
    FailedLogins { failures, next_at }
}
