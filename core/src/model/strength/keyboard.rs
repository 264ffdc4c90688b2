//! Walks over neighbouring keys of four keyboards.

use std::sync::OnceLock;

use super::patterns::{Match, Pattern};

/// Rows of keys, each key its plain and its shifted sign; a blank is a place without a key.
struct Layout {
    rows: &'static [&'static [&'static str]],
    keypad: bool,
}

#[rustfmt::skip]
const LAYOUTS: [Layout; 4] = [
    Layout { keypad: false, rows: &[
        &["`~", "1!", "2@", "3#", "4$", "5%", "6^", "7&", "8*", "9(", "0)", "-_", "=+"],
        &["", "qQ", "wW", "eE", "rR", "tT", "yY", "uU", "iI", "oO", "pP", "[{", "]}", "\\|"],
        &["", "aA", "sS", "dD", "fF", "gG", "hH", "jJ", "kK", "lL", ";:", "'\""],
        &["", "zZ", "xX", "cC", "vV", "bB", "nN", "mM", ",<", ".>", "/?"],
    ] },
    Layout { keypad: false, rows: &[
        &["`~", "1!", "2@", "3#", "4$", "5%", "6^", "7&", "8*", "9(", "0)", "[{", "]}"],
        &["", "'\"", ",<", ".>", "pP", "yY", "fF", "gG", "cC", "rR", "lL", "/?", "=+", "\\|"],
        &["", "aA", "oO", "eE", "uU", "iI", "dD", "hH", "tT", "nN", "sS", "-_"],
        &["", ";:", "qQ", "jJ", "kK", "xX", "bB", "mM", "wW", "vV", "zZ"],
    ] },
    Layout { keypad: true, rows: &[&["", "/", "*", "-"], &["7", "8", "9", "+"], &["4", "5", "6"], &["1", "2", "3"], &["", "0", "."]] },
    Layout { keypad: true, rows: &[&["", "=", "/", "*"], &["7", "8", "9", "-"], &["4", "5", "6", "+"], &["1", "2", "3"], &["", "0", "."]] },
];

/// Signs that need shift. The brackets are among them because the server's scores always had it so.
const SHIFTED: &str = "[~!@#$%^&*()_+QWERTYUIOP{}|ASDFGHJKL:\"ZXCVBNM<>?]";

/// Where neighbours are, from the left and clockwise: half a key apart on keyboards, in columns on keypads.
const SLANTED: [(isize, isize); 6] = [(-1, 0), (0, -1), (1, -1), (1, 0), (0, 1), (-1, 1)];
const ALIGNED: [(isize, isize); 8] = [(-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1), (0, 1), (-1, 1)];

/// For each ASCII sign the sign pairs of its neighbours by direction; the whole of one layout.
struct Keyboard {
    keypad: bool,
    neighbours: Vec<Vec<&'static str>>,
}

impl Keyboard {
    fn all() -> &'static [Self] {
        static ALL: OnceLock<Vec<Keyboard>> = OnceLock::new();
        ALL.get_or_init(|| LAYOUTS.iter().map(Self::of).collect())
    }

    fn of(layout: &Layout) -> Self {
        let key = |x: Option<usize>, y: Option<usize>| -> &'static str {
            x.zip(y).and_then(|(x, y)| layout.rows.get(y)?.get(x)).copied().unwrap_or_default()
        };
        let directions: &[(isize, isize)] = if layout.keypad { &ALIGNED } else { &SLANTED };
        let mut neighbours = vec![Vec::new(); 128];
        for (y, row) in layout.rows.iter().enumerate() {
            for (x, signs) in row.iter().enumerate() {
                let around =
                    directions.iter().map(|(dx, dy)| key(x.checked_add_signed(*dx), y.checked_add_signed(*dy)));
                let around: Vec<&'static str> = around.collect();
                for sign in signs.bytes() {
                    if let Some(place) = neighbours.get_mut(usize::from(sign)) {
                        place.clone_from(&around);
                    }
                }
            }
        }
        Self { keypad: layout.keypad, neighbours }
    }

    /// In which direction one sign is from another, and whether it needs shift.
    fn step(&self, from: char, to: char) -> Option<(usize, bool)> {
        let around = self.neighbours.get(usize::try_from(u32::from(from)).ok()?)?;
        let mut directions = around.iter().enumerate();
        directions.find_map(|(direction, signs)| Some((direction, signs.find(to)? == 1)))
    }

    fn walks(&self, password: &[char], matches: &mut Vec<Match>) {
        let mut start = 0;
        while let Some(first) = password.get(start) {
            let mut shifted = usize::from(!self.keypad && SHIFTED.contains(*first));
            let (mut turns, mut last, mut end) = (0, None, start + 1);
            let mut previous = *first;
            while let Some(sign) = password.get(end) {
                let Some((direction, with_shift)) = self.step(previous, *sign) else { break };
                shifted += usize::from(with_shift);
                turns += usize::from(last != Some(direction));
                (last, previous) = (Some(direction), *sign);
                end += 1;
            }
            if end - start > 2 {
                matches.push(Match { start, end, pattern: Pattern::Keys { keypad: self.keypad, turns, shifted } });
            }
            start = end;
        }
    }
}

/// All walks of three keys and more.
pub(super) fn matches(password: &[char]) -> Vec<Match> {
    let mut matches = Vec::new();
    for keyboard in Keyboard::all() {
        keyboard.walks(password, &mut matches);
    }
    matches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walks(password: &str) -> Vec<(usize, usize, Pattern)> {
        let chars: Vec<char> = password.chars().collect();
        matches(&chars).into_iter().map(|found| (found.start, found.end, found.pattern)).collect()
    }

    #[test]
    fn walks_turn_and_shift() {
        let keys = |turns, shifted| Pattern::Keys { keypad: false, turns, shifted };
        assert!(walks("qwerty").contains(&(0, 6, keys(1, 0))));
        assert!(walks("xxqWeDc").contains(&(2, 7, keys(2, 2))));
        assert!(walks("7410").contains(&(0, 4, Pattern::Keys { keypad: true, turns: 2, shifted: 0 })));
        assert_eq!(walks("qz"), []);
        assert_eq!(walks("ünï"), []);
    }
}
