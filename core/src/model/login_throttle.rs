//! The login throttle: how failed logins for an e-mail slow the next ones down. The rules are pure functions over the
//! counts of one e-mail, which every store stores unchanged.

use std::time::Duration;

use crate::model::sealed::Digest;
use crate::model::time::Timestamp;

/// Failures in a row that are not slowed down.
pub const FREE_FAILURES: u32 = 10;
/// After them, a known address is admitted once per this time. No stranger waits longer for its own failures.
pub const THROTTLE: Duration = Duration::from_secs(60);
/// Own failures before a stranger waits.
pub const FREE_OWN_FAILURES: u32 = 2;
/// After the free failures, all strangers together are admitted so often in an hour.
pub const STRANGERS_PER_HOUR: u32 = 100;
/// The longest pause between two attempts at a second factor.
const MAX_FACTOR_PAUSE: Duration = Duration::from_hours(1);
/// The part of it that is reserved for strangers without a failure.
const RESERVED_PER_HOUR: u32 = STRANGERS_PER_HOUR / 2;
const STRANGERS_INTERVAL: Duration = Duration::from_secs(3600 / STRANGERS_PER_HOUR as u64);

/// Known addresses of an e-mail; the ones that were not used for longest are forgotten.
const MAX_KNOWN: usize = 32;
/// Strangers of an e-mail, by address and network.
const MAX_STRANGERS: usize = 128;
/// A stranger that did not try for this long is forgotten.
const STRANGER_IDLE: Duration = Duration::from_hours(24);
/// Counts without a known address that did not change for this long are forgotten.
const IDLE: Duration = Duration::from_hours(30 * 24);

/// The source of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginSource {
    /// Digest of the client's address.
    pub address: Digest,
    /// Digests of the networks around it, each larger than the one before.
    pub networks: Vec<Digest>,
}

impl LoginSource {
    fn all(&self) -> impl Iterator<Item = &Digest> {
        std::iter::once(&self.address).chain(&self.networks)
    }
}

/// Whether an attempt may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may; it counts as a failure until the login succeeds.
    Admitted,
    /// Not before that time has passed.
    Throttled(Duration),
}

/// Failed logins in a row from one address or network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FailureCount {
    /// The number of failures.
    pub failures: u32,
    /// When the next attempt is admitted.
    pub next_at: Timestamp,
    /// When it was last changed.
    pub touched_at: Timestamp,
}

impl FailureCount {
    const fn new(now: Timestamp) -> Self {
        Self { failures: 0, next_at: now, touched_at: now }
    }

    fn count(&mut self, wait: impl FnOnce(u32) -> Duration, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        (self.next_at, self.touched_at) = (now + wait(self.failures), now);
    }

    /// Takes a failure back. Below the free failures there is no wait.
    fn take_back(&mut self, free: u32, now: Timestamp) {
        self.failures = self.failures.saturating_sub(1);
        if self.failures < free {
            self.next_at = self.next_at.min(now);
        }
    }
}

/// All failed logins in a row of one e-mail, whether or not it has an account.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct FailedLogins {
    /// From all addresses that never logged in together.
    pub failures: u32,
    /// When the hourly limit of these addresses is all there again (the theoretical arrival time of GCRA).
    pub full_at: Timestamp,
    /// When anything last changed.
    pub touched_at: Timestamp,
    /// From each of these addresses and its networks.
    pub strangers: Vec<(Digest, FailureCount)>,
    /// From each address that has logged in.
    pub known: Vec<(Digest, FailureCount)>,
}

impl FailedLogins {
    /// Decides about an attempt. An admitted one counts as a failure until `succeed` or `withdraw`.
    ///
    /// A known address has a count of its own. Strangers are free for [`FREE_FAILURES`]; then each waits for its own
    /// failures, by address and network, and all of them share [`STRANGERS_PER_HOUR`], of which half is kept for those
    /// without a failure: an attacker with one network does not keep the owner off a new device.
    ///
    /// ```
    /// use portcullis_core::model::login_throttle::{Admission, FREE_FAILURES, FailedLogins, LoginSource, THROTTLE};
    /// use portcullis_core::model::sealed::Digest;
    /// use portcullis_core::model::time::Timestamp;
    ///
    /// let from = |n| LoginSource { address: Digest::from_bytes([n; 32]), networks: Vec::new() };
    /// let (mut failed, now) = (FailedLogins::default(), Timestamp::from_millis(0));
    /// for _ in 0..FREE_FAILURES {
    ///     assert_eq!(failed.admit(&from(1), now), Admission::Admitted);
    /// }
    /// assert_eq!(failed.admit(&from(1), now), Admission::Throttled(THROTTLE));
    /// assert_eq!(failed.admit(&from(2), now), Admission::Admitted);
    /// ```
    pub fn admit(&mut self, from: &LoginSource, now: Timestamp) -> Admission {
        if let Some((_, own)) = self.known.iter_mut().find(|(address, _)| *address == from.address) {
            if own.failures >= FREE_FAILURES && now < own.next_at {
                return Admission::Throttled(own.next_at.since(now));
            }
            self.touched_at = now;
            own.count(|failures| if failures >= FREE_FAILURES { THROTTLE } else { Duration::ZERO }, now);
            return Admission::Admitted;
        }
        if self.failures >= FREE_FAILURES {
            let wait = self.wait_of(from, now);
            if !wait.is_zero() {
                return Admission::Throttled(wait);
            }
            self.full_at = self.full_at.max(now) + STRANGERS_INTERVAL;
        }
        self.touched_at = now;
        self.failures = self.failures.saturating_add(1);
        for place in from.all() {
            self.stranger(place, now).count(own_wait, now);
        }
        self.forget_old_strangers(now);
        Admission::Admitted
    }

    /// How long a stranger waits: for its own failures, then for those of all strangers.
    fn wait_of(&self, from: &LoginSource, now: Timestamp) -> Duration {
        let own = from.all().filter_map(|place| self.strangers.iter().find(|(other, _)| other == place));
        let own: Vec<&FailureCount> = own.map(|(_, count)| count).collect();
        let longest = own.iter().map(|count| count.next_at.since(now)).max().unwrap_or_default();
        let has_failed = own.iter().any(|count| count.failures > 0);
        let burst = if has_failed { STRANGERS_PER_HOUR - RESERVED_PER_HOUR } else { STRANGERS_PER_HOUR };
        let free_from = self.full_at - STRANGERS_INTERVAL * (burst - 1);
        longest.max(free_from.since(now))
    }

    fn stranger(&mut self, place: &Digest, now: Timestamp) -> &mut FailureCount {
        let found = self.strangers.iter().position(|(other, _)| other == place);
        let at = found.unwrap_or_else(|| {
            self.strangers.push((*place, FailureCount::new(now)));
            self.strangers.len() - 1
        });
        // the place was found or made just now
        #[expect(clippy::indexing_slicing, reason = "the index is of this vector")]
        &mut self.strangers[at].1
    }

    fn forget_old_strangers(&mut self, now: Timestamp) {
        self.strangers.retain(|(_, count)| now.since(count.touched_at) < STRANGER_IDLE);
        keep_newest(&mut self.strangers, MAX_STRANGERS);
    }

    /// The attempt was none: no password was compared, or the address has no account yet.
    pub fn withdraw(&mut self, from: &LoginSource, now: Timestamp) {
        if let Some((_, own)) = self.known.iter_mut().find(|(address, _)| *address == from.address) {
            own.take_back(FREE_FAILURES, now);
            return;
        }
        if self.failures > FREE_FAILURES {
            self.full_at = self.full_at - STRANGERS_INTERVAL;
        }
        self.failures = self.failures.saturating_sub(1);
        for place in from.all() {
            if let Some((_, count)) = self.strangers.iter_mut().find(|(other, _)| other == place) {
                count.take_back(FREE_OWN_FAILURES + 1, now);
            }
        }
        self.strangers.retain(|(_, count)| count.failures > 0);
    }

    /// The attempt succeeded: the address is known from now on, and its count starts again. One that was not known ends
    /// the row of failures of all strangers, and its own and those of its networks.
    pub fn succeed(&mut self, from: &LoginSource, now: Timestamp) {
        self.touched_at = now;
        if let Some((_, own)) = self.known.iter_mut().find(|(address, _)| *address == from.address) {
            *own = FailureCount::new(now);
        } else {
            (self.failures, self.full_at) = (0, now);
            self.strangers.retain(|(place, _)| from.all().all(|own| own != place));
            self.known.push((from.address, FailureCount::new(now)));
        }
        keep_newest(&mut self.known, MAX_KNOWN);
    }

    /// Decides about an attempt at the second factor of an account, whose counts these are, and says how many failures in
    /// a row are counted then. All addresses count together. After [`FREE_FAILURES`] one attempt a minute is admitted, ten
    /// times; then the pause doubles after each ten, to an hour.
    ///
    /// ```
    /// use portcullis_core::model::login_throttle::{Admission, FREE_FAILURES, FailedLogins, THROTTLE};
    /// use portcullis_core::model::time::Timestamp;
    ///
    /// let now = Timestamp::from_millis(0);
    /// let pause_after = |failures| {
    ///     let mut failed = FailedLogins { failures: failures - 1, ..FailedLogins::default() };
    ///     assert_eq!(failed.admit_factor(now), (Admission::Admitted, failures));
    ///     failed.full_at.since(now)
    /// };
    /// assert!(pause_after(FREE_FAILURES - 1).is_zero());
    /// assert_eq!([10, 19, 20, 30, 60, 1000].map(pause_after), [1, 1, 2, 4, 32, 60].map(|minutes| THROTTLE * minutes));
    /// ```
    pub fn admit_factor(&mut self, now: Timestamp) -> (Admission, u32) {
        if self.failures >= FREE_FAILURES && now < self.full_at {
            return (Admission::Throttled(self.full_at.since(now)), self.failures);
        }
        self.failures = self.failures.saturating_add(1);
        self.touched_at = now;
        if let Some(throttled) = self.failures.checked_sub(FREE_FAILURES) {
            let pause = THROTTLE.saturating_mul(2u32.saturating_pow(throttled / FREE_FAILURES));
            self.full_at = now + pause.min(MAX_FACTOR_PAUSE);
        }
        (Admission::Admitted, self.failures)
    }

    /// The attempt at the second factor was none: no code was compared.
    pub fn withdraw_factor(&mut self, now: Timestamp) {
        self.failures = self.failures.saturating_sub(1);
        self.full_at = self.full_at.min(now);
    }

    /// The second factor was right.
    pub fn succeed_factor(&mut self, now: Timestamp) {
        *self = Self { touched_at: now, ..Self::default() };
    }

    /// When these counts may be removed; never while an address is known.
    #[must_use]
    pub fn forgotten_at(&self) -> Option<Timestamp> {
        self.known.is_empty().then(|| self.touched_at + IDLE)
    }
}

/// How long a stranger waits after so many own failures: from the third on 1, 2, 4 … 60 s.
fn own_wait(failures: u32) -> Duration {
    let Some(doublings) = failures.checked_sub(FREE_OWN_FAILURES + 1) else { return Duration::ZERO };
    Duration::from_secs(1_u64.checked_shl(doublings).unwrap_or(u64::MAX)).min(THROTTLE)
}

fn keep_newest(counts: &mut Vec<(Digest, FailureCount)>, limit: usize) {
    if counts.len() > limit {
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(count.touched_at));
        counts.truncate(limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000_000_000);

    /// The n-th address, in the network of that number.
    fn source(n: u8, network: u8) -> LoginSource {
        LoginSource { address: Digest::from_bytes([n; 32]), networks: vec![Digest::from_bytes([network ^ 0x80; 32])] }
    }

    fn used_up() -> FailedLogins {
        let mut failed = FailedLogins::default();
        for n in 0..10 {
            assert_eq!(failed.admit(&source(n, n), NOW), Admission::Admitted);
        }
        failed
    }

    #[test]
    fn a_stranger_waits_for_its_own_failures_alone() {
        let mut failed = used_up();
        let mut now = NOW;
        for wait in [0, 0, 1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(failed.admit(&source(50, 50), now), Admission::Admitted, "the failure before {wait}");
            let expected = Duration::from_secs(wait);
            if wait > 0 {
                assert_eq!(failed.admit(&source(50, 50), now), Admission::Throttled(expected));
                let before = now + expected - Duration::from_millis(1);
                assert_eq!(failed.admit(&source(50, 50), before), Admission::Throttled(Duration::from_millis(1)));
            }
            assert_eq!(failed.clone().admit(&source(60, 60), now), Admission::Admitted, "another one need not wait");
            now = now + expected;
        }
    }

    #[test]
    fn a_network_waits_for_the_failures_of_all_its_addresses() {
        let mut failed = used_up();
        for n in 20..23 {
            assert_eq!(failed.admit(&source(n, 99), NOW), Admission::Admitted);
        }
        assert_eq!(failed.admit(&source(30, 99), NOW), Admission::Throttled(Duration::from_secs(1)));
        assert_eq!(failed.admit(&source(30, 98), NOW), Admission::Admitted);
    }

    #[test]
    fn one_attacker_leaves_half_of_the_hour_to_new_devices() {
        let mut failed = used_up();
        let mut guesses = 0;
        for second in 0..3600 {
            let now = NOW + Duration::from_secs(second);
            for n in 20..40 {
                guesses += u32::from(failed.admit(&source(n, n), now) == Admission::Admitted);
            }
            assert_eq!(failed.clone().admit(&source(200, 200), now), Admission::Admitted, "a new device at {second} s");
        }
        assert!((50..=200).contains(&guesses), "{guesses}");
    }

    #[test]
    fn many_attackers_share_a_hundred_an_hour() {
        let (mut failed, mut guesses) = (used_up(), 0_u32);
        for second in 0..3600_u32 {
            let mut bytes = [7; 32];
            bytes[..4].copy_from_slice(&second.to_be_bytes());
            let one = LoginSource { address: Digest::from_bytes(bytes), networks: Vec::new() };
            let now = NOW + Duration::from_secs(second.into());
            guesses += u32::from(failed.admit(&one, now) == Admission::Admitted);
        }
        assert!((100..=200).contains(&guesses), "{guesses}");
        assert!(failed.strangers.len() <= MAX_STRANGERS);
    }

    #[test]
    fn a_withdrawn_attempt_leaves_no_trace() {
        let mut failed = used_up();
        let before = failed.clone();
        failed.admit(&source(50, 50), NOW);
        failed.withdraw(&source(50, 50), NOW);
        assert_eq!((failed.failures, failed.strangers.len()), (before.failures, before.strangers.len()));
        assert_eq!(failed.full_at, NOW);
    }

    #[test]
    fn the_counts_are_bounded_and_known_addresses_stay() {
        let mut failed = FailedLogins::default();
        for n in 0..100 {
            failed.succeed(&source(n, n), NOW + Duration::from_secs(n.into()));
        }
        assert_eq!(failed.known.len(), MAX_KNOWN);
        assert!(failed.known.iter().any(|(address, _)| *address == source(99, 99).address));
        assert_eq!((failed.forgotten_at(), used_up().forgotten_at()), (None, Some(NOW + IDLE)));
    }
}
