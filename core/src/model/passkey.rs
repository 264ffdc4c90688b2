//! Passkeys of an account (WebAuthn Level 3): credentials whose private key an authenticator holds. A store gets them sealed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::ids::{PasskeyId, UserId};
use crate::model::name::{NameError, PersonName};
use crate::model::time::Timestamp;

/// How many passkeys an account may have.
pub const MAX_PASSKEYS: usize = 10;

/// Separates passkeys in the text for sealing.
const SEPARATOR: char = ';';

/// The name that an owner gives a passkey, by the rules of a person's name.
#[derive(Clone, PartialEq, Eq)]
pub struct PasskeyName(String);

impl PasskeyName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`NameError`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        PersonName::parse(text).map(|name| Self(name.as_str().to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A public key credential as the verifier needs it again.
#[derive(Clone, PartialEq, Eq)]
pub struct PasskeyCredential {
    /// The id that the authenticator gave it.
    pub id: Vec<u8>,
    /// Public key, signature counter and flags, in the verifier's own format.
    pub data: Vec<u8>,
    /// Whether the private key may be on more than one device.
    pub synced: bool,
}

/// A passkey of an account.
#[derive(Clone, PartialEq, Eq)]
pub struct Passkey {
    /// Its id in the API.
    pub id: PasskeyId,
    /// The name that its owner gave it.
    pub name: PasskeyName,
    /// The credential.
    pub credential: PasskeyCredential,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it last opened a session or confirmed a step-up.
    pub last_used_at: Option<Timestamp>,
}

/// The passkeys of an account, the oldest first.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Passkeys(pub Vec<Passkey>);

/// A browser's response to a request for a signature. Nothing of it is verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentedPasskey {
    /// The credential that signed.
    pub credential_id: Vec<u8>,
    /// The account for which the authenticator stored the credential, where it says so.
    pub user: Option<UserId>,
}

impl Passkeys {
    /// The passkey with that credential.
    #[must_use]
    pub fn find_credential(&self, credential: &[u8]) -> Option<&Passkey> {
        self.0.iter().find(|passkey| passkey.credential.id == credential)
    }

    /// The passkey of that id.
    pub fn find_mut(&mut self, id: PasskeyId) -> Option<&mut Passkey> {
        self.0.iter_mut().find(|passkey| passkey.id == id)
    }

    /// These passkeys, each in its state in `current` where it still is there. A restored passkey must not get an older
    /// signature counter.
    #[must_use]
    pub fn in_state_of(mut self, current: &Self) -> Self {
        for passkey in &mut self.0 {
            if let Some(newer) = current.0.iter().find(|newer| newer.id == passkey.id) {
                passkey.clone_from(newer);
            }
        }
        self
    }

    /// As text for sealing, in one line.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.0.iter().map(Passkey::to_text).collect::<Vec<_>>().join(&SEPARATOR.to_string())
    }

    /// Reads that text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        text.split(SEPARATOR).map(Passkey::parse).collect::<Option<_>>().map(Self)
    }
}

impl Passkey {
    fn to_text(&self) -> String {
        let Self { id, name, credential, created_at, last_used_at } = self;
        let PasskeyCredential { id: credential_id, data, synced } = credential;
        let used = last_used_at.map_or_else(|| "-".to_owned(), |at| at.as_millis().to_string());
        let [name, credential_id, data] =
            [name.as_str().as_bytes(), credential_id, data].map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        format!("{id} {} {used} {synced} {name} {credential_id} {data}", created_at.as_millis())
    }

    fn parse(text: &str) -> Option<Self> {
        let words: [&str; 7] = text.split(' ').collect::<Vec<_>>().try_into().ok()?;
        let [id, created_at, used, synced, name, credential_id, data] = words;
        let millis = |text: &str| text.parse().ok().map(Timestamp::from_millis);
        let last_used_at = if used == "-" { None } else { Some(millis(used)?) };
        Some(Self {
            id: PasskeyId::parse(id)?,
            name: PasskeyName(String::from_utf8(URL_SAFE_NO_PAD.decode(name).ok()?).ok()?),
            credential: PasskeyCredential {
                id: URL_SAFE_NO_PAD.decode(credential_id).ok()?,
                data: URL_SAFE_NO_PAD.decode(data).ok()?,
                synced: synced.parse().ok()?,
            },
            created_at: millis(created_at)?,
            last_used_at,
        })
    }
}

impl fmt::Debug for PasskeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasskeyName(redacted)")
    }
}

impl fmt::Debug for PasskeyCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasskeyCredential(redacted)")
    }
}

impl fmt::Debug for Passkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Passkey({})", self.id)
    }
}

impl fmt::Debug for Passkeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passkey(n: u8, used: Option<i64>) -> Passkey {
        Passkey {
            id: PasskeyId::from_bytes([n; 16]),
            name: PasskeyName::parse("Ada; her phone").unwrap(),
            credential: PasskeyCredential { id: vec![n, 0, 255], data: b"{\"a\": 1}".to_vec(), synced: n == 1 },
            created_at: Timestamp::from_millis(7),
            last_used_at: used.map(Timestamp::from_millis),
        }
    }

    #[test]
    fn sealed_passkeys_are_read_as_they_were_written() {
        for passkeys in [vec![], vec![passkey(1, None)], vec![passkey(1, Some(9)), passkey(2, None)]] {
            let passkeys = Passkeys(passkeys);
            assert_eq!(Passkeys::parse(&passkeys.to_text()), Some(passkeys.clone()));
            assert!(!passkeys.to_text().contains('\n'));
        }
        let text = passkey(1, None).to_text();
        for wrong in ["-", &format!("{text};"), &format!("{text} x"), &text.replace(" true ", " yes ")] {
            assert_eq!(Passkeys::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_restored_passkey_keeps_its_newer_state_and_a_removed_one_comes_back() {
        let former = Passkeys(vec![passkey(1, None), passkey(2, None)]);
        let current = Passkeys(vec![passkey(2, Some(9)), passkey(3, None)]);
        assert_eq!(former.in_state_of(&current), Passkeys(vec![passkey(1, None), passkey(2, Some(9))]));
    }

    #[test]
    fn names_follow_the_rules_of_names() {
        assert_eq!(PasskeyName::parse(" Laptop ").unwrap().as_str(), "Laptop");
        assert_eq!(PasskeyName::parse(" "), Err(NameError::Empty));
        assert_eq!(PasskeyName::parse("a\nb"), Err(NameError::ForbiddenCharacter));
        assert_eq!(PasskeyName::parse(&"x".repeat(101)), Err(NameError::TooLong));
    }
}
