//! Years near the current one, and dates in every order of day, month and year.

use super::patterns::{Match, Pattern};

const FIRST_YEAR: u32 = 1000;
const LAST_YEAR: u32 = 2050;

/// Where digits without separators may be cut in three, by their number.
const CUTS: [&[(usize, usize)]; 5] = [
    &[(1, 2), (2, 3)],
    &[(1, 3), (2, 3)],
    &[(1, 2), (2, 4), (4, 5)],
    &[(1, 3), (2, 3), (4, 5), (4, 6)],
    &[(2, 4), (4, 6)],
];

/// Years of the last and this century.
pub(super) fn recent_years(password: &[char]) -> Vec<Match> {
    let mut matches = Vec::new();
    let mut start = 0;
    while let Some(four) = password.get(start..start + 4) {
        let year = value(four).filter(|year| (1900..2100).contains(year)).and_then(|year| i32::try_from(year).ok());
        if let Some(year) = year {
            matches.push(Match { start, end: start + 4, pattern: Pattern::RecentYear { year } });
        }
        start += if year.is_some() { 4 } else { 1 };
    }
    matches
}

/// Dates, those within other dates aside.
pub(super) fn dates(password: &[char], current_year: i32) -> Vec<Match> {
    let mut matches = Vec::new();
    for start in 0..password.len() {
        for length in 4..=10 {
            let Some(token) = password.get(start..start + length) else { break };
            let date =
                unseparated(token, current_year).map(|year| (year, false)).or_else(|| Some((separated(token)?, true)));
            if let Some((year, separated)) = date {
                matches.push(Match { start, end: start + length, pattern: Pattern::Date { year, separated } });
            }
        }
    }
    let whole = |inner: &Match| {
        !matches.iter().any(|outer| outer != inner && outer.start <= inner.start && outer.end >= inner.end)
    };
    matches.iter().filter(|found| whole(found)).cloned().collect()
}

/// Digits as a number.
fn value(digits: &[char]) -> Option<u32> {
    let one = |sum: u32, digit: &char| Some(sum * 10 + digit.to_digit(10)?);
    if digits.is_empty() || digits.len() > 8 { None } else { digits.iter().try_fold(0, one) }
}

/// The year of four to eight digits that are a date; of several readings the one nearest to the current year.
fn unseparated(token: &[char], current_year: i32) -> Option<i32> {
    value(token)?;
    let cuts = CUTS.get(token.len().checked_sub(4)?)?;
    let read = |(first, second): &(usize, usize)| {
        year_of(value(token.get(..*first)?)?, value(token.get(*first..*second)?)?, value(token.get(*second..)?)?)
    };
    cuts.iter().filter_map(read).min_by_key(|year| year.abs_diff(current_year))
}

/// The year of three numbers with the same separator twice.
fn separated(token: &[char]) -> Option<i32> {
    let is_separator = |c: &char| c.is_whitespace() || matches!(c, '/' | '\\' | '_' | '.' | '-');
    let first = token.iter().position(is_separator)?;
    let separator = token.get(first)?;
    let second = first + 1 + token.get(first + 1..)?.iter().position(is_separator)?;
    let (one, two, three) = (token.get(..first)?, token.get(first + 1..second)?, token.get(second + 1..)?);
    let shaped = token.get(second) == Some(separator) && one.len() <= 4 && two.len() <= 2 && three.len() <= 4;
    if !shaped || token.len() < 6 {
        return None;
    }
    year_of(value(one)?, value(two)?, value(three)?)
}

/// The year, if these three can be a date: it is first or last, and day and month are the rest.
fn year_of(first: u32, second: u32, third: u32) -> Option<i32> {
    let all = [first, second, third];
    let impossible = |number: &u32| (100..FIRST_YEAR).contains(number) || *number > LAST_YEAR;
    let count = |test: fn(&u32) -> bool| all.iter().filter(|number| test(number)).count();
    if second > 31 || second == 0 || all.iter().any(impossible) {
        return None;
    }
    if count(|number| *number > 31) >= 2 || count(|number| *number > 12) == 3 || count(|number| *number == 0) >= 2 {
        return None;
    }
    let orders = [(third, first, second), (first, second, third)];
    if let Some((year, one, other)) = orders.iter().find(|(year, ..)| (FIRST_YEAR..=LAST_YEAR).contains(year)) {
        return day_and_month(*one, *other).then(|| i32::try_from(*year).ok()).flatten();
    }
    let (year, ..) = orders.iter().find(|(_, one, other)| day_and_month(*one, *other))?;
    let century = match year {
        100.. => 0,
        51.. => 1900,
        _ => 2000,
    };
    i32::try_from(year + century).ok()
}

fn day_and_month(one: u32, other: u32) -> bool {
    let fits = |day: u32, month: u32| (1..=31).contains(&day) && (1..=12).contains(&month);
    fits(one, other) || fits(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn years(password: &str) -> Vec<(usize, usize, i32)> {
        let chars: Vec<char> = password.chars().collect();
        let row = |found: Match| match found.pattern {
            Pattern::Date { year, .. } => (found.start, found.end, year),
            _ => unreachable!(),
        };
        dates(&chars, 2026).into_iter().map(row).collect()
    }

    #[test]
    fn dates_in_every_order() {
        assert_eq!(years("13.12.1991"), [(0, 10, 1991)]);
        assert_eq!(years("1991-12-13"), [(0, 10, 1991)]);
        assert_eq!(years("x13121991"), [(1, 9, 1991)]);
        assert_eq!(years("1191"), [(0, 4, 2001)]);
        assert_eq!(years("111504"), [(0, 6, 2004)]);
        assert_eq!(years("1/1.91"), []);
        assert_eq!(years("99/99/99"), []);
        assert_eq!(years("0/0/0000"), []);
    }

    #[test]
    fn of_several_readings_the_nearest_to_the_current_year_counts() {
        let year = |current_year| match dates(&['1', '1', '9', '1'], current_year)[0].pattern {
            Pattern::Date { year, .. } => year,
            _ => unreachable!(),
        };
        // 1/1/91, or 1/19/1
        assert_eq!((year(1990), year(2026)), (1991, 2001));
    }

    #[test]
    fn years_of_two_centuries() {
        let found = |password: &str| recent_years(&password.chars().collect::<Vec<_>>()).len();
        assert_eq!((found("1999"), found("a2031b1950"), found("2199"), found("19")), (1, 2, 0, 0));
    }
}
