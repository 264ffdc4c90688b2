//! Codes a person types: the six digits of a text or an app, the six characters of a verification mail, the ten of a
//! backup code.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// A code's text. Wiped when dropped, never printed by accident.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct TypedCode(String);

/// No look-alikes: without 0 O, 1 I L, 2 Z, 5 S, 8 B, U V.
const ALPHABET: &[u8; 23] = b"34679ACDEFGHJKMNPQRTWXY";
/// Crockford's base32: five bits a character. I and L are read as 1, O as 0.
const BACKUP_ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const BACKUP_LENGTH: usize = 10;

impl TypedCode {
    /// Six decimal digits, evenly drawn from the random bytes of `fill`.
    #[must_use]
    pub fn digits(fill: impl Fn(&mut [u8])) -> Self {
        Self((0..6).map(|_| char::from(b'0' + draw(&fill, 10))).collect())
    }

    /// Six characters that cannot be mistaken for each other, evenly drawn from the random bytes of `fill`.
    #[must_use]
    pub fn letters(fill: impl Fn(&mut [u8])) -> Self {
        let letter = |_| ALPHABET.get(usize::from(draw(&fill, 23))).map_or('3', |byte| char::from(*byte));
        Self((0..6).map(letter).collect())
    }

    /// Ten characters with five random bits each, drawn from the random bytes of `fill`.
    #[must_use]
    pub fn backup(fill: impl Fn(&mut [u8])) -> Self {
        let mut bytes = [0; BACKUP_LENGTH];
        fill(&mut bytes);
        let letter = |byte: &u8| BACKUP_ALPHABET.get(usize::from(byte % 32)).map_or('0', |byte| char::from(*byte));
        Self(bytes.iter().map(letter).collect())
    }

    /// Reads ten characters of a backup code in either case; spaces, hyphens and look-alikes are forgiven.
    #[must_use]
    pub fn parse_backup(text: &str) -> Option<Self> {
        let code = compact(text, BACKUP_LENGTH)?.to_ascii_uppercase().replace(['I', 'L'], "1").replace('O', "0");
        code.bytes().all(|b| BACKUP_ALPHABET.contains(&b)).then_some(Self(code))
    }

    /// In two groups, as a person reads and writes a backup code.
    #[must_use]
    pub fn grouped(&self) -> String {
        let (first, second) = self.0.split_at_checked(self.0.len() / 2).unwrap_or((&self.0, ""));
        format!("{first}-{second}")
    }

    /// Reads six digits; spaces around and between are forgiven, anything else is `None`.
    #[must_use]
    pub fn parse_digits(text: &str) -> Option<Self> {
        compact(text, 6).filter(|code| code.bytes().all(|b| b.is_ascii_digit())).map(Self)
    }

    /// Reads six characters of the alphabet in either case; spaces and hyphens are forgiven.
    #[must_use]
    pub fn parse_letters(text: &str) -> Option<Self> {
        let code = compact(text, 6)?.to_ascii_uppercase();
        code.bytes().all(|b| ALPHABET.contains(&b)).then_some(Self(code))
    }

    /// The text, for the message and for hashing.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TypedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TypedCode(redacted)")
    }
}

/// So many characters once the separators people add are gone. Long texts are refused before they are looked at.
fn compact(text: &str, length: usize) -> Option<String> {
    if text.len() > 32 {
        return None;
    }
    let code: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '\u{a0}')).collect();
    (code.len() == length && code.is_ascii()).then_some(code)
}

/// An even draw from `0..sides`: bytes past the last whole multiple are thrown away.
fn draw(fill: &impl Fn(&mut [u8]), sides: u8) -> u8 {
    let limit = u8::MAX - u8::MAX % sides;
    loop {
        let mut byte = [0];
        fill(&mut byte);
        if byte[0] < limit {
            return byte[0] % sides;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicU8, Ordering};

    /// Bytes that count up.
    fn counting(start: u8) -> impl Fn(&mut [u8]) {
        let next = AtomicU8::new(start);
        move |bytes| bytes.iter_mut().for_each(|byte| *byte = next.fetch_add(1, Ordering::Relaxed))
    }

    #[test]
    fn every_letter_is_drawn_equally_often() {
        let mut seen = [0u32; 23];
        let fill = counting(0);
        for _ in 0..23 * 11 {
            seen[usize::from(draw(&fill, 23))] += 1;
        }
        assert_eq!(seen, [11; 23]);
        let distinct: std::collections::BTreeSet<u8> = ALPHABET.iter().copied().collect();
        assert_eq!(distinct.len(), 23);
    }

    #[test]
    fn people_may_type_as_they_like() {
        assert_eq!(TypedCode::parse_digits(" 123 456 ").unwrap().expose(), "123456");
        assert_eq!(TypedCode::parse_letters("acd-efg").unwrap().expose(), "ACDEFG");
        for wrong in ["", "12345", "1234567", "12345a", "１２３４５６", "-1234"] {
            assert!(TypedCode::parse_digits(wrong).is_none(), "{wrong}");
        }
        assert!(TypedCode::parse_letters("O00000").is_none());
        assert_eq!(TypedCode::parse_backup("ab1lo-0i xyz").unwrap().expose(), "AB11001XYZ");
        assert_eq!(TypedCode::parse_backup("AB11001XYZ").unwrap().grouped(), "AB110-01XYZ");
        for wrong in ["", "AB11001XY", "AB11001XYZ0", "AB11001XYU", "AB11001XY\u{1d7d8}"] {
            assert!(TypedCode::parse_backup(wrong).is_none(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn printing_and_parsing_is_the_identity(start in any::<u8>()) {
            let fill = counting(start);
            let code = TypedCode::letters(&fill);
            prop_assert_eq!(TypedCode::parse_letters(code.expose()), Some(code));
            let digits = TypedCode::digits(&fill);
            prop_assert_eq!(TypedCode::parse_digits(digits.expose()), Some(digits));
            let backup = TypedCode::backup(&fill);
            prop_assert_eq!(TypedCode::parse_backup(&backup.grouped().to_lowercase()), Some(backup));
        }

        #[test]
        fn no_text_breaks_it(text in any::<String>()) {
            let _ = TypedCode::parse_digits(&text);
            let _ = TypedCode::parse_letters(&text);
            let _ = TypedCode::parse_backup(&text);
        }
    }
}
