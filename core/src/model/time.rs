//! Points in time. The domain never reads a clock: every `now` is a parameter.

use std::ops::{Add, Sub};
use std::time::Duration;

/// Milliseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The point `millis` milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down, as JWTs count.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The calendar year, UTC.
    #[must_use]
    pub fn year(self) -> i32 {
        // Counted from 1 March 0000, so that a leap day is the last day of its year; 400 years have 146,097 days.
        let days = self.0.div_euclid(86_400_000) + 719_468;
        let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // January and February, after 306 days, belong to the next calendar year
        let year = era * 400 + year_of_era + i64::from(day_of_year >= 306);
        i32::try_from(year).unwrap_or(i32::MAX)
    }

    /// How long from `earlier` until this point; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_year_changes_at_midnight_utc_of_new_years_day() {
        let year = |seconds: i64| Timestamp::from_millis(seconds * 1000).year();
        // first seconds of 1970, 2000, 2001, 2025, 2027, 2100 and 9999, as GNU date has them
        let first_seconds = [
            (0, 1970),
            (946_684_800, 2000),
            (978_307_200, 2001),
            (1_735_689_600, 2025),
            (1_798_761_600, 2027),
            (4_102_444_800, 2100),
            (253_370_764_800, 9999),
        ];
        for (first, expected) in first_seconds {
            assert_eq!((year(first - 1), year(first)), (expected - 1, expected));
        }
        // 29 February 2024 and 1 March 2024
        assert_eq!((year(1_709_164_800), year(1_709_251_200)), (2024, 2024));
    }
}
