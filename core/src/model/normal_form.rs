//! Unicode's normal forms, by the tables that domain names need anyway: a page loads them once.

use icu_normalizer::ComposingNormalizerBorrowed;

/// NFC: one spelling for what is the same character.
pub(crate) fn nfc(text: &str) -> String {
    const { ComposingNormalizerBorrowed::new_nfc() }.normalize(text).into_owned()
}

/// NFKC: one spelling for what looks the same, too.
pub(crate) fn nfkc(text: &str) -> String {
    const { ComposingNormalizerBorrowed::new_nfkc() }.normalize(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_is_spelled_the_same() {
        assert_eq!((nfc("e\u{301}").as_str(), nfc("ﬁ").as_str()), ("é", "ﬁ"));
        assert_eq!((nfkc("e\u{301}").as_str(), nfkc("ﬁ").as_str()), ("é", "fi"));
        assert_eq!(nfc("\u{1112}\u{1161}\u{11ab}"), "한");
    }
}
