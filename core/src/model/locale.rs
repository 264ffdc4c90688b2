//! A language tag (BCP 47): the language in which a person reads mails, SMS and pages.

/// The longest tag that RFC 5646 (section 4.4.1) asks everyone to take.
const LONGEST: usize = 35;

/// Languages that are written from right to left, unless their tag names another script.
const RIGHT_TO_LEFT: [&str; 11] = ["ar", "arc", "ckb", "dv", "fa", "he", "ks", "ps", "sd", "ug", "ur"];
/// Scripts that are, whatever the language.
const RIGHT_TO_LEFT_SCRIPTS: [&str; 6] = ["Arab", "Hebr", "Nkoo", "Rohg", "Syrc", "Thaa"];

/// A well-formed language tag in its usual spelling: `de`, `pt-BR`, `zh-Hant-TW`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Locale(String);

impl Default for Locale {
    fn default() -> Self {
        Self("en".to_owned())
    }
}

impl Locale {
    /// Reads a tag of any case. `None` for what is not well-formed (RFC 5646, section 2.1).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > LONGEST {
            return None;
        }
        let mut subtags = text.split('-');
        let language = subtags.next()?;
        if !(2..=8).contains(&language.len()) || !language.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return None;
        }
        let mut tag = language.to_ascii_lowercase();
        let mut extended = false;
        for subtag in subtags {
            if !(1..=8).contains(&subtag.len()) || !subtag.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return None;
            }
            tag.push('-');
            tag.push_str(&usual_case(subtag, extended));
            extended |= subtag.len() == 1;
        }
        let ends_in_singleton = tag.rsplit('-').next().is_some_and(|last| last.len() == 1);
        (!ends_in_singleton).then_some(Self(tag))
    }

    /// A tag that a store kept.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The tag.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag and its shorter forms, the longest first: `de-AT`, `de` (RFC 4647, section 3.4).
    pub fn lookup_range(&self) -> impl Iterator<Item = &str> {
        let mut next = Some(self.0.as_str());
        std::iter::from_fn(move || {
            let current = next?;
            next = current.rfind('-').and_then(|at| current.get(..at));
            // a singleton goes with the subtag behind it
            if let Some(shorter) = next
                && shorter.rsplit('-').next().is_some_and(|last| last.len() == 1)
            {
                next = shorter.rfind('-').and_then(|at| shorter.get(..at));
            }
            Some(current)
        })
    }

    /// Whether it is written from right to left.
    #[must_use]
    pub fn is_right_to_left(&self) -> bool {
        let mut subtags = self.0.split('-');
        let language = subtags.next().unwrap_or_default();
        match subtags.next().filter(|subtag| subtag.len() == 4) {
            Some(script) => RIGHT_TO_LEFT_SCRIPTS.contains(&script),
            None => RIGHT_TO_LEFT.contains(&language),
        }
    }
}

/// RFC 5646, section 2.1.1: regions in capitals, scripts with one, everything else small.
fn usual_case(subtag: &str, extended: bool) -> String {
    let small = subtag.to_ascii_lowercase();
    match small.len() {
        2 if !extended => small.to_ascii_uppercase(),
        4 if !extended && small.starts_with(|first: char| first.is_ascii_alphabetic()) => {
            let (first, rest) = small.split_at(1);
            format!("{}{rest}", first.to_ascii_uppercase())
        }
        _ => small,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_get_their_usual_spelling() {
        let of = |text| Locale::parse(text).map(|locale| locale.as_str().to_owned());
        for (text, tag) in [
            ("de", "de"),
            (" DE-at ", "de-AT"),
            ("zh-HANT-tw", "zh-Hant-TW"),
            ("es-419", "es-419"),
            ("de-u-CO-phonebk", "de-u-co-phonebk"),
            ("en-x-AB", "en-x-ab"),
            ("sl-rozaj-1994", "sl-rozaj-1994"),
        ] {
            assert_eq!(of(text).as_deref(), Some(tag));
        }
        let long = "a".repeat(36);
        for text in ["", "d", "*", "de_DE", "de-", "-de", "de-x", "1234", "de-ä", "x-private", "de-123456789", &long] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn a_lookup_goes_from_the_special_to_the_general() {
        let of = |text| Locale::parse(text).unwrap().lookup_range().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(of("de-AT"), ["de-AT", "de"]);
        assert_eq!(of("zh-Hant-TW"), ["zh-Hant-TW", "zh-Hant", "zh"]);
        assert_eq!(of("de-u-co"), ["de-u-co", "de"]);
    }

    #[test]
    fn direction_follows_the_script() {
        for (text, expected) in [("ar", true), ("he-IL", true), ("az-Arab", true), ("ar-Latn", false), ("de", false)] {
            assert_eq!(Locale::parse(text).unwrap().is_right_to_left(), expected, "{text}");
        }
    }
}
