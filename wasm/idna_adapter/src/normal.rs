//! Normal forms (UAX 15) and the mapping of domain names (UTS 46): decompose, order, compose.

use zeroize::Zeroizing;

use crate::tables::{Status, Tables};

/// Korean syllables are composed of letters by arithmetic.
mod hangul {
    pub const SYLLABLE: u32 = 0xac00;
    pub const LEADING: u32 = 0x1100;
    pub const VOWEL: u32 = 0x1161;
    pub const TRAILING: u32 = 0x11a7;
    pub const LEADINGS: u32 = 19;
    pub const VOWELS: u32 = 21;
    pub const TRAILINGS: u32 = 28;
}

/// How far a character is taken apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// NFD.
    Canonical,
    /// NFKD.
    Compatible,
    /// NFKD, and what UTS 46 maps.
    Mapped,
}

/// NFC: one spelling for what is the same character.
#[must_use]
pub fn nfc(text: &str) -> String {
    // below the first combining mark nothing changes
    if text.chars().all(|c| c < '\u{300}') {
        return text.to_owned();
    }
    normalized(text, Form::Canonical)
}

/// NFKC: one spelling for what looks the same, too.
#[must_use]
pub fn nfkc(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    normalized(text, Form::Compatible)
}

/// The text may be a password: what it was on the way is wiped.
fn normalized(text: &str, form: Form) -> String {
    let tables = Tables::get();
    let mut pieces = Zeroizing::new(Vec::with_capacity(text.len()));
    for c in text.chars() {
        decompose(tables, c, form, &mut pieces);
    }
    order(&mut pieces);
    Zeroizing::new(composed(tables, &pieces)).iter().collect()
}

/// Maps characters by UTS 46, in NFC; U+FFFD for what is disallowed, and for what is ignored where that is
/// `strict`.
pub fn uts46(text: impl Iterator<Item = char>, strict: bool) -> Vec<char> {
    let tables = Tables::get();
    let mut pieces = Vec::new();
    for c in text {
        match tables.kind(c).status() {
            Status::Taken => decompose(tables, c, Form::Mapped, &mut pieces),
            Status::Ignored if !strict => {}
            Status::Ignored | Status::Disallowed => pieces.push((0, char::REPLACEMENT_CHARACTER)),
        }
    }
    order(&mut pieces);
    composed(tables, &pieces)
}

/// A character as those it is made of, each after its combining class.
fn decompose(tables: &Tables, c: char, form: Form, pieces: &mut Vec<(u8, char)>) {
    let mut take = |c: char| pieces.push((tables.kind(c).combining_class(), c));
    if c.is_ascii() && form != Form::Mapped {
        return pieces.push((0, c));
    }
    if let Some(mapped) = tables.mapped.get(c).filter(|_| form == Form::Mapped) {
        return mapped.iter().copied().for_each(take);
    }
    if let Some(compatible) = tables.compatible.get(c).filter(|_| form != Form::Canonical) {
        for c in compatible {
            match tables.mapped.get(*c).filter(|_| form == Form::Mapped) {
                Some(mapped) => mapped.iter().copied().for_each(&mut take),
                None => take(*c),
            }
        }
        return;
    }
    if let Some(canonical) = tables.canonical.get(c) {
        for c in canonical {
            decompose(tables, *c, form, pieces);
        }
        return;
    }
    let syllable = u32::from(c).wrapping_sub(hangul::SYLLABLE);
    if syllable >= hangul::LEADINGS * hangul::VOWELS * hangul::TRAILINGS {
        return take(c);
    }
    let (pair, trailing) = (syllable / hangul::TRAILINGS, syllable % hangul::TRAILINGS);
    let letters = [hangul::LEADING + pair / hangul::VOWELS, hangul::VOWEL + pair % hangul::VOWELS];
    let trailing = (trailing != 0).then_some(hangul::TRAILING + trailing);
    letters.into_iter().chain(trailing).filter_map(char::from_u32).for_each(take);
}

/// Sorts each run of marks by their classes, those of one class as they were. However many marks someone sends, it takes
/// no more than a step for each and each class.
fn order(pieces: &mut [(u8, char)]) {
    for marks in pieces.split_mut(|(class, _)| *class == 0) {
        if marks.is_sorted_by_key(|(class, _)| *class) {
            continue;
        }
        let before = Zeroizing::new(marks.to_vec());
        let sorted = (1..=u8::MAX).flat_map(|class| before.iter().filter(move |mark| mark.0 == class));
        for (mark, sorted) in marks.iter_mut().zip(sorted) {
            *mark = *sorted;
        }
    }
}

/// Pieces in order, put together again.
fn composed(tables: &Tables, pieces: &[(u8, char)]) -> Vec<char> {
    let mut text: Vec<char> = Vec::with_capacity(pieces.len());
    let mut starter = None;
    let mut last_class = 0;
    for (class, c) in pieces {
        if let Some(at) = starter {
            // nothing stands between the two, or nothing that keeps them apart
            let meets = text.len() == at + 1 || last_class < *class;
            let together = text.get_mut(at).filter(|_| meets);
            if let Some((first, both)) =
                together.and_then(|first| compose(tables, *first, *c).map(|both| (first, both)))
            {
                *first = both;
                continue;
            }
        }
        if *class == 0 {
            starter = Some(text.len());
        }
        last_class = *class;
        text.push(*c);
    }
    text
}

fn compose(tables: &Tables, first: char, second: char) -> Option<char> {
    let leading = u32::from(first).wrapping_sub(hangul::LEADING);
    let vowel = u32::from(second).wrapping_sub(hangul::VOWEL);
    if leading < hangul::LEADINGS && vowel < hangul::VOWELS {
        return char::from_u32(hangul::SYLLABLE + (leading * hangul::VOWELS + vowel) * hangul::TRAILINGS);
    }
    let syllable = u32::from(first).wrapping_sub(hangul::SYLLABLE);
    let trailing = u32::from(second).wrapping_sub(hangul::TRAILING);
    let open = syllable < hangul::LEADINGS * hangul::VOWELS * hangul::TRAILINGS && syllable % hangul::TRAILINGS == 0;
    if open && (1..hangul::TRAILINGS).contains(&trailing) {
        return char::from_u32(u32::from(first) + trailing);
    }
    tables.compose(first, second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equivalent_sequences_have_one_normal_form() {
        assert_eq!((nfc("e\u{301}").as_str(), nfc("ﬁ").as_str()), ("é", "ﬁ"));
        assert_eq!((nfkc("e\u{301}").as_str(), nfkc("ﬁ").as_str()), ("é", "fi"));
        assert_eq!(nfc("\u{1112}\u{1161}\u{11ab}"), "한");
        // classes 230, 220, 230: the lower one goes first, those of one class stay as they were
        assert_eq!(nfc("q\u{307}\u{323}\u{301}"), "q\u{323}\u{307}\u{301}");
        // a mark of a lower class does not keep two apart, one of the same does
        assert_eq!(nfc("a\u{35c}\u{338}\u{301}"), "\u{e1}\u{338}\u{35c}");
        assert_eq!(nfc("a\u{346}\u{301}"), "a\u{346}\u{301}");
    }

    #[test]
    fn domain_names_are_folded() {
        let mapped = |text: &str, strict| uts46(text.chars(), strict).into_iter().collect::<String>();
        assert_eq!(mapped("ÄẞΣ\u{ad}Ⓐ。", false), "äßσa.");
        assert_eq!(mapped("a\u{ad}b", true), "a\u{fffd}b");
        assert_eq!(mapped("a\u{2f00}\u{378}", false), "a一\u{fffd}");
    }

    #[test]
    fn marks_without_end_take_no_time() {
        let began = std::time::Instant::now();
        let many: String = "\u{301}\u{323}".repeat(100_000);
        assert!(nfc(&format!("a{many}")).starts_with("\u{1ea1}"));
        assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    }
}
