//! Unicode normal forms (UAX 15): by ICU4X in the server, by compact tables in the browser build (docs/adr/0009). CI
//! checks that both give the same answer for every code point.

#[cfg(feature = "compact-unicode")]
pub(crate) use idna_adapter::{nfc, nfkc};

#[cfg(not(any(feature = "icu", feature = "compact-unicode")))]
compile_error!("enable the feature `icu` or `compact-unicode` of portcullis-core");

/// NFC: one spelling for texts that are canonically equivalent.
#[cfg(all(feature = "icu", not(feature = "compact-unicode")))]
pub(crate) fn nfc(text: &str) -> String {
    icu_normalizer::ComposingNormalizerBorrowed::new_nfc().normalize(text).into_owned()
}

/// NFKC: one spelling for texts that are compatibility equivalents, too.
#[cfg(all(feature = "icu", not(feature = "compact-unicode")))]
pub(crate) fn nfkc(text: &str) -> String {
    icu_normalizer::ComposingNormalizerBorrowed::new_nfkc().normalize(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equivalent_texts_get_the_same_spelling() {
        assert_eq!((nfc("e\u{301}").as_str(), nfc("ﬁ").as_str()), ("é", "ﬁ"));
        assert_eq!((nfkc("e\u{301}").as_str(), nfkc("ﬁ").as_str()), ("é", "fi"));
        assert_eq!(nfc("\u{1112}\u{1161}\u{11ab}"), "한");
    }
}
