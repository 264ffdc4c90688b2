//! Characters that show nothing: Unicode's default-ignorable ones, and those that are drawn as a blank. A pasted text
//! carries them unseen.

/// Whether a character has the Unicode property `Default_Ignorable_Code_Point`, which says to draw nothing for it.
#[must_use]
pub const fn is_default_ignorable(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a character shows nothing where it stands: default-ignorable ones, the braille blank, the null notehead of
/// musical notation and the Khitan filler.
#[must_use]
pub const fn is_invisible(c: char) -> bool {
    is_default_ignorable(c) || matches!(c, '\u{2800}' | '\u{1d159}' | '\u{16fe4}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use icu_properties::CodePointSetData;
    use icu_properties::props::DefaultIgnorableCodePoint;

    #[test]
    fn default_ignorable_is_what_unicode_says() {
        let data = CodePointSetData::new::<DefaultIgnorableCodePoint>();
        for c in '\0'..=char::MAX {
            assert_eq!(is_default_ignorable(c), data.contains(c), "{c:?}");
        }
    }

    #[test]
    fn blanks_are_invisible_too() {
        assert!(['\u{2800}', '\u{200b}', '\u{ad}', '\u{3164}'].into_iter().all(is_invisible));
        assert!(!['a', 'é', '龍', ' ', '-'].into_iter().any(is_invisible));
    }
}
