//! E-mail addresses: what a mail server accepts (RFC 5321/5322 dot-atom or quoted local part, RFC 6531 for other
//! scripts, IDN domains), shown as typed, compared by a canonical form, written to by an envelope. An address is valid
//! exactly if it has an envelope.

use std::fmt;
use std::sync::OnceLock;

use crate::model::code::Code;
use crate::model::invisible::is_invisible;
use crate::model::normal_form::nfc;

/// The longest local part, in bytes (RFC 5321, 4.5.3.1.1).
const LOCAL_MAX: usize = 64;
/// The longest address, in bytes (RFC 5321, 4.5.3.1.3, without the angle brackets).
const ADDRESS_MAX: usize = 254;

/// An address. Two are equal if their canonical forms are: NFC, local part lower-cased in ASCII only, domain by
/// IDNA (UTS 46). Personal: `Debug` shows nothing.
#[derive(Clone)]
pub struct Email {
    typed: String,
    /// Computed at the first call, where the address comes from a store.
    canonical: OnceLock<String>,
}

/// An address as SMTP writes it. Personal: no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvelopeAddress {
    /// The local part, in quotes where it needs them.
    pub local: String,
    /// The domain in A-labels (RFC 5890).
    pub domain: String,
}

impl EnvelopeAddress {
    /// Whether it can be sent only with SMTPUTF8 (RFC 6531).
    #[must_use]
    pub fn needs_smtputf8(&self) -> bool {
        !self.local.is_ascii()
    }
}

/// Why a text is no address we could write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// Not the syntax of an address.
    #[error("not an e-mail address")]
    Invalid,
    /// Longer than mail servers accept: 64 bytes before the @, 254 in all.
    #[error("the e-mail address is too long")]
    TooLong,
    /// Has characters beyond ASCII before the @, which the mail server does not take.
    #[error("the mail server takes ASCII only before the @")]
    NeedsSmtpUtf8,
}

impl EmailError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> Code {
        match self {
            Self::Invalid | Self::NeedsSmtpUtf8 => Code::EmailInvalid,
            Self::TooLong => Code::EmailTooLong,
        }
    }
}

impl Email {
    /// Reads an address; spaces around it are forgiven.
    ///
    /// # Errors
    /// [`EmailError`].
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        // four times the limit leaves room for what normalising shortens, and bounds the work
        if text.len() > ADDRESS_MAX * 4 {
            return Err(EmailError::TooLong);
        }
        let typed = nfc(text.trim_matches(' '));
        let EnvelopeAddress { local, domain } = envelope_of(&typed)?;
        let canonical = format!("{}@{domain}", local.to_ascii_lowercase());
        Ok(Self { canonical: OnceLock::from(canonical), typed })
    }

    /// Reads an address that a person wants to be written to.
    ///
    /// # Errors
    /// [`EmailError`]; without `smtputf8` also for a local part beyond ASCII.
    pub fn parse_recipient(text: &str, smtputf8: bool) -> Result<Self, EmailError> {
        let email = Self::parse(text)?;
        let beyond_ascii = email.envelope().is_none_or(|envelope| envelope.needs_smtputf8());
        if beyond_ascii && !smtputf8 { Err(EmailError::NeedsSmtpUtf8) } else { Ok(email) }
    }

    /// An address that was read before it was sealed. Not read again: a rule that has become stricter since must not keep
    /// anyone from their own address; such a one is compared as it was typed.
    pub(crate) const fn from_stored(typed: String) -> Self {
        Self { typed, canonical: OnceLock::new() }
    }

    /// As typed, in NFC. Mail is sent to this form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.typed
    }

    /// The address for the envelope and the head of a message; `None` for one from a store that no longer parses.
    #[must_use]
    pub fn envelope(&self) -> Option<EnvelopeAddress> {
        envelope_of(&self.typed).ok()
    }

    /// The form by which addresses are compared.
    #[must_use]
    pub fn canonical(&self) -> &str {
        self.canonical.get_or_init(|| match Self::parse(&self.typed) {
            Ok(read) => read.canonical().to_owned(),
            Err(_) => self.typed.clone(),
        })
    }
}

/// Where the @ is that ends the local part: the last one, for a quoted local part may have others.
fn split(text: &str) -> Option<usize> {
    text.rfind('@').filter(|at| *at > 0)
}

/// Atext of RFC 5322, and of RFC 6531 what is no ASCII and can be seen.
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || (!c.is_ascii() && is_visible(c))
}

/// Neither a control, a space, a line break, nor one that shows nothing or turns the direction of the text.
fn is_visible(c: char) -> bool {
    !c.is_control() && !c.is_whitespace() && !is_invisible(c)
}

/// The address as SMTP writes it.
fn envelope_of(typed: &str) -> Result<EnvelopeAddress, EmailError> {
    let at = split(typed).ok_or(EmailError::Invalid)?;
    let (local, domain) = (typed.get(..at).unwrap_or_default(), typed.get(at + 1..).unwrap_or_default());
    let local = envelope_local(local).ok_or(EmailError::Invalid)?;
    let domain = ascii_domain(domain).ok_or(EmailError::Invalid)?;
    let length = local.len() + 1 + domain.len();
    if at > LOCAL_MAX || typed.len() > ADDRESS_MAX || local.len() > LOCAL_MAX || length > ADDRESS_MAX {
        return Err(EmailError::TooLong);
    }
    Ok(EnvelopeAddress { local, domain })
}

/// The local part, without quotes that it does not need.
fn envelope_local(local: &str) -> Option<String> {
    let inner = match local.strip_prefix('"') {
        Some(rest) => unquote(rest.strip_suffix('"')?)?,
        None => local.to_owned(),
    };
    let plain = inner.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext));
    if plain {
        return Some(inner);
    }
    let needed = local.starts_with('"') && !inner.is_empty();
    needed.then(|| format!("\"{}\"", inner.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// The text between quotes, without its escapes (RFC 5321 qcontent).
fn unquote(quoted: &str) -> Option<String> {
    let mut inner = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '\\' => chars.next()?,
            '"' => return None,
            c => c,
        };
        if c != ' ' && !is_visible(c) {
            return None;
        }
        inner.push(c);
    }
    Some(inner)
}

/// The domain as DNS has it: at least two labels of letters, digits and hyphens, the last not a number.
fn ascii_domain(domain: &str) -> Option<String> {
    // UTS 46 drops what shows nothing; IDNA keeps the two joiners, where their context allows them
    let dropped = |c: char| is_invisible(c) && !matches!(c, '\u{200c}' | '\u{200d}');
    if domain.is_empty() || domain.ends_with('.') || domain.chars().any(dropped) {
        return None;
    }
    let ascii = idna::domain_to_ascii_strict(domain).ok()?;
    let labels: Vec<&str> = ascii.split('.').collect();
    let good = |label: &&str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let numeric = labels.last().is_none_or(|last| last.bytes().all(|b| b.is_ascii_digit()));
    (labels.len() >= 2 && labels.iter().all(good) && !numeric).then_some(ascii)
}

impl PartialEq for Email {
    fn eq(&self, other: &Self) -> bool {
        self.canonical() == other.canonical()
    }
}

impl Eq for Email {}

impl std::hash::Hash for Email {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.canonical().hash(state);
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn accepts_addresses_that_mail_servers_accept() {
        for good in [
            "john.doe@example.com",
            "o'brien+tag@sub.example.co.uk",
            "\"a b\"@example.org",
            "用户@例子.公司",
            "a@münchen.de",
            "x@a-b.de",
            " padded@example.com ",
            "\"a@b\"@example.org",
            "\"q\\\"uote\"@example.org",
        ] {
            assert!(Email::parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for bad in [
            "",
            "@",
            "a@",
            "@example.com",
            "user@localhost",
            "a@[127.0.0.1]",
            "Bob <b@x.org>",
            "a@x_y.org",
            "a@1.2.3.4",
            "a b@example.com",
            ".a@example.com",
            "a.@example.com",
            "a..b@example.com",
            "a@-x.org",
            "a@x..org",
            "a@x.org.",
            "a@ex\nample.com",
            "a\u{202e}@example.com",
            "\"a\"b\"@example.org",
            "a@b@example.org",
            "a@exam ple.com",
            "a\r\nBcc: x@example.com",
            "\"\"@example.org",
            "victim@example.com,attacker@example.com",
            "a\u{200b}b@example.com",
            "a\u{ad}b@example.com",
            "a\u{2800}b@example.com",
            "a\u{200d}b@example.com",
            "\"a\u{200b}\"@example.com",
            "a@exam\u{200b}ple.com",
            "a@exam\u{ad}ple.com",
            "a@exam\u{2800}ple.com",
            "a@exam\u{200d}ple.com",
            "a@exam\u{2060}ple.com",
            "a@example\u{fe0f}.com",
        ] {
            assert_eq!(Email::parse(bad).err(), Some(EmailError::Invalid), "{bad:?}");
        }
    }

    #[test]
    fn an_envelope_has_a_labels_and_the_quotes_it_needs() {
        for (typed, envelope) in [
            ("x@bücher.example", "x@xn--bcher-kva.example"),
            ("John.Doe@EXAMPLE.com", "John.Doe@example.com"),
            ("\"abc\"@example.org", "abc@example.org"),
            ("\"a..b\"@docomo.ne.jp", "\"a..b\"@docomo.ne.jp"),
            ("\"x y\"@example.com", "\"x y\"@example.com"),
            ("\"a\\b\"@example.com", "ab@example.com"),
            ("\"q\\\"\\\\\"@example.org", "\"q\\\"\\\\\"@example.org"),
            ("नमस्ते@example.com", "नमस्ते@example.com"),
        ] {
            let EnvelopeAddress { local, domain } = Email::parse(typed).unwrap().envelope().unwrap();
            assert_eq!(format!("{local}@{domain}"), envelope);
        }
    }

    #[test]
    fn a_local_part_beyond_ascii_needs_smtputf8() {
        for (typed, needs) in [("नमस्ते@example.com", true), ("é@example.com", true), ("x@bücher.example", false)]
        {
            assert!(Email::parse_recipient(typed, true).is_ok(), "{typed}");
            let without = Email::parse_recipient(typed, false).err();
            assert_eq!(without, needs.then_some(EmailError::NeedsSmtpUtf8), "{typed}");
        }
    }

    #[test]
    fn length_is_counted_in_octets() {
        let local = |n: usize| format!("{}@example.com", "a".repeat(n));
        assert!(Email::parse(&local(64)).is_ok());
        assert_eq!(Email::parse(&local(65)).err(), Some(EmailError::TooLong));
        let domain =
            |n: usize| format!("a@{}.{}.{}.{}.com", "b".repeat(60), "c".repeat(60), "d".repeat(60), "e".repeat(n));
        assert_eq!(domain(63 - 4).len() - 1, 247);
        assert!(Email::parse(&domain(59)).is_ok());
        assert_eq!(Email::parse(&"x".repeat(10_000_000)).err(), Some(EmailError::TooLong));
    }

    #[test]
    fn comparison_folds_case_and_scripts_and_nothing_else() {
        let canonical = |text: &str| Email::parse(text).unwrap().canonical().to_owned();
        assert_eq!(canonical("John.Doe@EXAMPLE.com"), "john.doe@example.com");
        assert_eq!(canonical("a@MÜNCHEN.de"), canonical("a@xn--mnchen-3ya.de"));
        assert_eq!(canonical("\"abc\"@example.org"), canonical("abc@example.org"));
        assert_eq!(canonical("e\u{301}@example.org"), canonical("é@example.org"));
        assert_ne!(canonical("a+b@example.org"), canonical("a@example.org"));
        assert_ne!(canonical("a.b@example.org"), canonical("ab@example.org"));
        // only ASCII is folded: these may be two mailboxes
        assert_ne!(canonical("É@example.org"), canonical("é@example.org"));
        assert_ne!(canonical("\u{212a}@example.org"), canonical("kk@example.org"));
    }

    proptest! {
        #[test]
        fn printing_and_parsing_is_the_identity(text in "[a-zA-Z0-9.\"@ é-]{1,20}@[a-z0-9ü.-]{1,12}\\.[a-z]{2,4}") {
            if let Ok(email) = Email::parse(&text) {
                let again = Email::parse(email.as_str()).unwrap();
                prop_assert_eq!(again.as_str(), email.as_str());
                prop_assert_eq!(again.canonical(), email.canonical());
                let stored = Email::from_stored(email.as_str().to_owned());
                prop_assert_eq!((stored.as_str(), stored.canonical()), (email.as_str(), email.canonical()));
                let canonical = Email::parse(email.canonical()).unwrap();
                prop_assert_eq!(canonical.canonical(), email.canonical());
                prop_assert!(email.envelope().is_some());
            }
        }

        #[test]
        fn no_text_breaks_it(text in any::<String>()) {
            let _ = Email::parse(&text);
            let _ = Email::parse(&format!("{text}@example.com"));
            let _ = Email::parse(&format!("a@{text}.com"));
        }
    }
}
