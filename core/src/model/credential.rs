//! Credentials that operators issue: service clients and operator tokens. A store has a hash of the secret, which is 256
//! random bits.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::model::secret::{OpaqueToken, SecretString};
use crate::model::time::Timestamp;

/// The prefix of an operator token's name. A service client's name has another one.
const TOKEN_PREFIX: &str = "opt_";

/// The name of a credential within its realm.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CredentialName(String);

impl CredentialName {
    /// Reads 1 to 64 letters, digits, `.`, `_` and `-` of ASCII that begin with a letter or digit.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let begins = text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
        let rest = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        (begins && rest && text.len() <= 64).then(|| Self(text.to_owned()))
    }

    /// A new name for an operator token, of bytes that `fill` draws at random.
    #[must_use]
    pub fn of_new_token(fill: impl Fn(&mut [u8])) -> Self {
        let mut bytes = [0; 16];
        fill(&mut bytes);
        Self(format!("{TOKEN_PREFIX}{:032x}", u128::from_be_bytes(bytes)))
    }

    /// Whether it names an operator token rather than a service client.
    #[must_use]
    pub fn is_operator_token(&self) -> bool {
        self.0.starts_with(TOKEN_PREFIX)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CredentialName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A right of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// `/metrics` and `/health/detailed`.
    Observe,
    /// Token introspection in the credential's realm.
    Introspect,
    /// Admin API: to find accounts, and to read their state.
    UsersRead,
    /// Admin API: to read the fields of an account's owner.
    ProfilesRead,
    /// Admin API: to disable and enable accounts, to end sessions, and to require new passwords.
    UsersWrite,
    /// Admin API: to delete accounts.
    UsersDelete,
    /// Admin API: to remove the second factors of accounts.
    FactorsWrite,
    /// Admin API: to set the roles of accounts.
    RolesWrite,
    /// Admin API: to read the audit log.
    AuditRead,
    /// Admin API: to list dead letters, and to send them again.
    DeadLetters,
    /// Admin API: to manage webhooks.
    Webhooks,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Observe,
        Self::Introspect,
        Self::UsersRead,
        Self::ProfilesRead,
        Self::UsersWrite,
        Self::UsersDelete,
        Self::FactorsWrite,
        Self::RolesWrite,
        Self::AuditRead,
        Self::DeadLetters,
        Self::Webhooks,
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Introspect => "introspect",
            Self::UsersRead => "users:read",
            Self::ProfilesRead => "profiles:read",
            Self::UsersWrite => "users:write",
            Self::UsersDelete => "users:delete",
            Self::FactorsWrite => "factors:write",
            Self::RolesWrite => "roles:write",
            Self::AuditRead => "audit:read",
            Self::DeadLetters => "dead-letters",
            Self::Webhooks => "webhooks",
        }
    }

    /// The scope of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }

    const fn bit(self) -> u32 {
        match self {
            Self::Observe => 1,
            Self::Introspect => 2,
            Self::UsersRead => 4,
            Self::ProfilesRead => 8,
            Self::UsersWrite => 16,
            Self::RolesWrite => 32,
            Self::AuditRead => 64,
            Self::DeadLetters => 128,
            Self::UsersDelete => 256,
            Self::FactorsWrite => 512,
            Self::Webhooks => 1024,
        }
    }
}

/// A set of rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Scopes(u32);

impl Scopes {
    /// The set of these.
    #[must_use]
    pub fn of(scopes: &[Scope]) -> Self {
        Self(scopes.iter().fold(0, |bits, scope| bits | scope.bit()))
    }

    /// As stores keep it. Bits of a later version stay.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// From a store.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Whether a right is in the set.
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// The names of the rights.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        Scope::ALL.into_iter().filter(|scope| self.contains(*scope)).map(Scope::as_str).collect()
    }
}

/// A credential, as stores keep it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Credential {
    /// The realm that it is for.
    pub realm: Realm,
    /// Its name, unique within the realm.
    pub name: CredentialName,
    /// The hash of realm, name and secret.
    pub secret: Digest,
    /// Its rights.
    pub scopes: Scopes,
    /// When it was issued, or got its newest secret.
    pub created_at: Timestamp,
    /// Dead from here on.
    pub expires_at: Option<Timestamp>,
}

impl Credential {
    /// Whether it has expired.
    #[must_use]
    pub fn expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| now >= end)
    }

    /// Whether that is its secret, in constant time.
    #[must_use]
    pub fn has_secret(&self, secret: &OpaqueToken) -> bool {
        self.secret.matches(&hash(&self.realm, &self.name, secret))
    }
}

/// The stored hash of a secret. The secret is random, so that no key and no cost is needed; a rotated key does not end it.
#[must_use]
pub fn hash(realm: &Realm, name: &CredentialName, secret: &OpaqueToken) -> Digest {
    let mut sha = Sha256::new();
    for part in [realm.as_str().as_bytes(), name.as_str().as_bytes(), secret.as_bytes()] {
        sha.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        sha.update(part);
    }
    Digest::from_bytes(sha.finalize().into())
}

/// The text of an operator token: realm, name and secret.
#[must_use]
pub fn print_token(realm: &Realm, name: &CredentialName, secret: &OpaqueToken) -> SecretString {
    SecretString::new(format!("{realm}.{name}.{}", secret.expose()))
}

/// The parts of an operator token's text.
#[must_use]
pub fn parse_token(text: &str) -> Option<(Realm, CredentialName, OpaqueToken)> {
    let (realm, rest) = text.split_once('.')?;
    let (name, secret) = rest.split_once('.')?;
    let name = CredentialName::parse(name).filter(CredentialName::is_operator_token)?;
    Some((Realm::parse(realm).ok()?, name, OpaqueToken::parse(secret)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token() -> OpaqueToken {
        OpaqueToken::random(|bytes| bytes.fill(7))
    }

    proptest! {
        #[test]
        fn no_text_breaks_a_token(text in any::<String>()) {
            if let Some((realm, name, secret)) = parse_token(&text) {
                let printed = print_token(&realm, &name, &secret);
                prop_assert_eq!(printed.expose(), text);
            }
        }

        #[test]
        fn a_token_is_printed_and_parsed(bytes in any::<[u8; 16]>()) {
            let realm = Realm::parse("User1").unwrap();
            let name = CredentialName::of_new_token(|to| to.copy_from_slice(&bytes));
            let text = print_token(&realm, &name, &token());
            prop_assert_eq!(parse_token(text.expose()), Some((realm, name, token())));
        }
    }

    #[test]
    fn names_are_short_and_plain() {
        for good in ["billing", "billing-api.2", "7"] {
            assert!(CredentialName::parse(good).is_some_and(|name| !name.is_operator_token()), "{good}");
        }
        for bad in ["", "-a", ".a", "a b", "a:b", "a/b", "ä", &"x".repeat(65)] {
            assert_eq!(CredentialName::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_secret_is_of_one_realm_and_one_name() {
        let (here, there) = (Realm::parse("User1").unwrap(), Realm::parse("User2").unwrap());
        let (one, two) = (CredentialName::parse("a").unwrap(), CredentialName::parse("b").unwrap());
        let hashes = [hash(&here, &one, &token()), hash(&there, &one, &token()), hash(&here, &two, &token())];
        assert!(hashes[0] != hashes[1] && hashes[0] != hashes[2]);
    }

    #[test]
    fn scopes_have_names_and_bits_of_their_own() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.as_str()), Some(scope));
            let one = Scopes::of(&[scope]);
            assert_eq!(Scope::ALL.into_iter().filter(|other| one.contains(*other)).collect::<Vec<_>>(), [scope]);
            assert_eq!(Scopes::from_bits(one.bits()), one);
        }
        assert_eq!(Scopes::of(&Scope::ALL).names(), Scope::ALL.map(Scope::as_str));
        assert_eq!(Scopes::of(&[Scope::AuditRead, Scope::Observe]).names(), ["observe", "audit:read"]);
    }
}
