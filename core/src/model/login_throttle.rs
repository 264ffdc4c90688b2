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

/// The longest pause between two attempts at a second factor.
const LONGEST_FACTOR_PAUSE: Duration = Duration::from_secs(3600);

/// The same for the second factor of an account. After [`FREE_FAILURES`] wrong ones in a row one attempt a minute is
/// admitted, ten times; then the pause doubles after each ten, to an hour.
///
/// ```
/// use portcullis_core::model::login_throttle::{Admission, FREE_FAILURES, FailedLogins, THROTTLE, check_factor_throttle};
/// use portcullis_core::model::time::Timestamp;
///
/// let now = Timestamp::from_millis(0);
/// let pause_after = |failures| {
///     let (_, next) = check_factor_throttle(Some(FailedLogins { failures: failures - 1, next_at: now }), now);
///     next.next_at.since(now)
/// };
/// assert!(pause_after(FREE_FAILURES - 1).is_zero());
/// assert_eq!([10, 19, 20, 30, 60, 1000].map(pause_after), [1, 1, 2, 4, 32, 60].map(|minutes| THROTTLE * minutes));
/// ```
#[must_use]
pub fn check_factor_throttle(counted: Option<FailedLogins>, now: Timestamp) -> (Admission, FailedLogins) {
    let (admission, next) = check_login_throttle(counted, now);
    if admission != Admission::Admitted || next.failures < FREE_FAILURES {
        return (admission, next);
    }
    let doublings = (next.failures - FREE_FAILURES) / FREE_FAILURES;
    let pause = THROTTLE.saturating_mul(2u32.saturating_pow(doublings)).min(LONGEST_FACTOR_PAUSE);
    (admission, FailedLogins { next_at: now + pause, ..next })
}

/// What to store when an attempt turned out to be none: no password was compared, or the address has no account yet.
#[must_use]
pub fn withdraw_attempt(counted: FailedLogins, now: Timestamp) -> FailedLogins {
    let failures = counted.failures.saturating_sub(1);
    let next_at = if failures >= FREE_FAILURES { counted.next_at } else { counted.next_at.min(now) };
    FailedLogins { failures, next_at }
}
