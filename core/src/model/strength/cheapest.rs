//! Of all ways to put a password together from patterns and plain characters, the one that takes the fewest guesses.
//!
//! A way of n pieces costs n! times the product of its pieces' guesses, plus 10,000 for every piece after the first:
//! who guesses does not know n, and tries short ways first (Wheeler, "zxcvbn", USENIX Security 2016).

use super::guesses;
use super::patterns::{Match, Pattern, number};

/// The guesses that each further piece adds.
const ANOTHER_PIECE: f64 = 10_000.0;

/// The best way of so many pieces up to some character.
#[derive(Debug, Clone, Copy)]
struct Way {
    pieces: usize,
    product: f64,
    guesses: f64,
    /// Where its last piece begins.
    start: usize,
    /// Which match that is; none is brute force.
    last: Option<usize>,
}

/// The fewest guesses, and the pieces that take them.
pub(super) fn way(password: &[char], matches: &[Match], current_year: i32) -> (f64, Vec<Match>) {
    let mut ways: Vec<Vec<Way>> = vec![Vec::new(); password.len() + 1];
    for end in 1..=password.len() {
        let (before, after) = ways.split_at_mut(end);
        let Some(here) = after.first_mut() else { break };
        for (which, found) in matches.iter().enumerate().filter(|(_, found)| found.end == end) {
            extend(before, here, (found.start, Some(which)), guesses::of(found, password, current_year));
        }
        for start in 0..end {
            extend(before, here, (start, None), guesses::brute_force(end - start));
        }
    }
    let last = ways.last().and_then(|ways| ways.iter().min_by(|a, b| a.guesses.total_cmp(&b.guesses)));
    let Some(last) = last.copied() else { return (1.0, Vec::new()) };
    (last.guesses, unwind(&ways, last, password.len(), matches))
}

/// Adds a piece to every way that ends where it begins.
fn extend(before: &[Vec<Way>], here: &mut Vec<Way>, piece: (usize, Option<usize>), guesses: f64) {
    let (start, last) = piece;
    if start == 0 {
        offer(here, Way { pieces: 1, product: guesses, guesses: guesses + 1.0, start, last });
        return;
    }
    for way in before.get(start).into_iter().flatten() {
        // two stretches of brute force are one
        if last.is_none() && way.last.is_none() {
            continue;
        }
        let pieces = way.pieces + 1;
        let product = guesses * way.product;
        let orders: f64 = (1..=pieces).map(number).product();
        let exponent = i32::try_from(way.pieces).unwrap_or(i32::MAX);
        let guesses = orders * product + ANOTHER_PIECE.powi(exponent);
        offer(here, Way { pieces, product, guesses, start, last });
    }
}

/// Keeps a way that is cheaper than all of as many pieces or fewer.
fn offer(here: &mut Vec<Way>, way: Way) {
    if here.iter().any(|other| other.pieces <= way.pieces && other.guesses <= way.guesses) {
        return;
    }
    match here.iter_mut().find(|other| other.pieces == way.pieces) {
        Some(other) => *other = way,
        None => here.push(way),
    }
}

/// The pieces of a way, first to last.
fn unwind(ways: &[Vec<Way>], last: Way, end: usize, matches: &[Match]) -> Vec<Match> {
    let mut pieces = Vec::new();
    let (mut way, mut end) = (Some(last), end);
    while let Some(Way { pieces: count, start, last, .. }) = way {
        let brute_force = Match { start, end, pattern: Pattern::BruteForce };
        pieces.push(last.and_then(|which| matches.get(which)).cloned().unwrap_or(brute_force));
        way = ways.get(start).and_then(|ways| ways.iter().find(|way| way.pieces + 1 == count)).copied();
        end = start;
    }
    pieces.reverse();
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brute_force_is_one_piece() {
        let password: Vec<char> = "kq7zp2".chars().collect();
        let (guesses, pieces) = way(&password, &[], 2026);
        assert!((guesses - 1_000_001.0).abs() < 1e-6);
        assert_eq!(pieces, [Match { start: 0, end: 6, pattern: Pattern::BruteForce }]);
        assert_eq!(way(&[], &[], 2026), (1.0, Vec::new()));
    }

    #[test]
    fn a_pattern_is_taken_where_it_is_cheaper() {
        let password: Vec<char> = "xxxx1991xxxx".chars().collect();
        let year = Match { start: 4, end: 8, pattern: Pattern::RecentYear { year: 1991 } };
        let (_, pieces) = way(&password, std::slice::from_ref(&year), 2026);
        assert_eq!(pieces.len(), 3);
        assert_eq!(pieces[1], year);
    }
}
