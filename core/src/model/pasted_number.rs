//! A phone number as people type and paste it, reduced to `+` and digits.

use crate::model::invisible::is_invisible;

/// Removes what people write between digits and what a pasted text carries unseen; any plus sign becomes `+`. Bounded:
/// no number is longer.
#[must_use]
pub(crate) fn clean(text: &str) -> String {
    let plain = |c: char| match c {
        '\u{ff0b}' | '\u{fe62}' | '\u{207a}' => Some('+'),
        c if is_separator(c) => None,
        c => Some(c),
    };
    text.chars().filter_map(plain).take(32).collect()
}

/// Spaces, dashes, dots, slashes, brackets and waves of any script, and characters that show nothing.
fn is_separator(c: char) -> bool {
    let punctuation = matches!(c,
        '-' | '.' | '/' | '(' | ')' | '[' | ']' | '~' | '_' | '\u{b7}' | '\u{2010}'..='\u{2015}' | '\u{2022}' | '\u{2027}'
        | '\u{2043}' | '\u{2044}' | '\u{2053}' | '\u{2212}' | '\u{2215}' | '\u{223c}' | '\u{30fb}' | '\u{30fc}'
        | '\u{fe58}' | '\u{fe63}' | '\u{ff08}' | '\u{ff09}' | '\u{ff0d}'..='\u{ff0f}' | '\u{ff3b}' | '\u{ff3d}' | '\u{ff5e}');
    punctuation || c.is_whitespace() || is_invisible(c)
}
