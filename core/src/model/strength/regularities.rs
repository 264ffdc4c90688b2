//! Repeats, and sequences that go up or down in even steps.

use super::patterns::{Match, Pattern};

/// The largest step from one character to the next that still reads as a sequence.
const LARGEST_STEP: i64 = 5;

/// Something that is there twice or more in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Repeated {
    start: usize,
    base: usize,
    count: usize,
}

impl Repeated {
    const fn length(self) -> usize {
        self.base * self.count
    }
}

/// Repeats from left to right; `guesses` tells how hard a text by itself is.
pub(super) fn repeats(password: &[char], guesses: &mut dyn FnMut(&[char]) -> f64) -> Vec<Match> {
    let mut matches = Vec::new();
    let mut from = 0;
    while let Some(found) = (from..password.len()).find_map(|start| repeated(password, start)) {
        let base = password.get(found.start..found.start + found.base).unwrap_or_default();
        let base_guesses = guesses(base);
        let end = found.start + found.length();
        let pattern = Pattern::Repeat { base: found.base, base_guesses, count: found.count };
        matches.push(Match { start: found.start, end, pattern });
        from = end;
    }
    matches
}

/// The repeat at the start position: the longer of the repeat with the shortest base and that with the longest; of
/// the longest base only what it is itself made of.
fn repeated(password: &[char], start: usize) -> Option<Repeated> {
    let rest = password.get(start..)?;
    let line = rest.iter().position(|c| *c == '\n').unwrap_or(rest.len());
    let times = |base: usize| {
        let first = rest.get(..base)?;
        let count = rest.chunks_exact(base).take_while(|chunk| *chunk == first).count();
        (count >= 2).then_some(Repeated { start, base, count })
    };
    let longest_base = line.min(rest.len() / 2);
    let short = (1..=longest_base).find_map(times)?;
    let long = (1..=longest_base).rev().find_map(times)?;
    if long.length() <= short.length() {
        return Some(short);
    }
    let whole = long.length();
    let made_of = |base: usize| times(base).filter(|found| whole % base == 0 && found.length() >= whole);
    let base = (1..=long.base).find_map(made_of).map_or(long.base, |found| found.base);
    Some(Repeated { start, base, count: whole / base })
}

/// Runs like `abcd`, `9753` and `гдеж`.
pub(super) fn sequences(password: &[char]) -> Vec<Match> {
    let mut matches = Vec::new();
    let mut push = |start: usize, last: usize, step: i64| {
        let size = step.abs();
        if (last - start > 1 || size == 1) && (1..=LARGEST_STEP).contains(&size) {
            matches.push(Match { start, end: last + 1, pattern: Pattern::Sequence { ascending: step > 0 } });
        }
    };
    let steps = password.iter().zip(password.iter().skip(1));
    let steps = steps.map(|(from, to)| i64::from(u32::from(*to)) - i64::from(u32::from(*from)));
    let (mut start, mut last_step) = (0, 0);
    for (at, step) in steps.enumerate() {
        if last_step == 0 {
            // equal characters before a run are counted in, as the server's scores always did
            last_step = step;
        }
        if step != last_step {
            push(start, at, last_step);
            (start, last_step) = (at, step);
        }
    }
    if password.len() > 1 {
        push(start, password.len() - 1, last_step);
    }
    matches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeated_in(password: &str) -> Vec<(usize, usize, usize)> {
        let chars: Vec<char> = password.chars().collect();
        let row = |found: Match| match found.pattern {
            Pattern::Repeat { base, count, .. } => (found.start, base, count),
            _ => unreachable!(),
        };
        repeats(&chars, &mut |_| 1.0).into_iter().map(row).collect()
    }

    #[test]
    fn the_shortest_base_of_the_longest_repeat_counts() {
        assert_eq!(repeated_in("aaaaa"), [(0, 1, 5)]);
        assert_eq!(repeated_in("aabaab"), [(0, 3, 2)]);
        assert_eq!(repeated_in("xaabaabaabaab"), [(1, 3, 4)]);
        assert_eq!(repeated_in("abab-cc"), [(0, 2, 2), (5, 1, 2)]);
        assert_eq!(repeated_in("abc"), []);
        assert_eq!(repeated_in("\n\n\n"), []);
    }

    #[test]
    fn sequences_step_evenly() {
        let found = |password: &str| {
            let chars: Vec<char> = password.chars().collect();
            sequences(&chars).into_iter().map(|found| (found.start, found.end)).collect::<Vec<_>>()
        };
        assert_eq!(found("abcdb975zy"), [(0, 4), (5, 8), (8, 10)]);
        assert_eq!(found("гдеж"), [(0, 4)]);
        assert_eq!(found("a"), []);
        assert_eq!(found(""), []);
    }
}
