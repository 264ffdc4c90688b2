//! Digests by mixing: as separate as the real ones, and worth nothing against an attacker.

use crate::fake_mac::FakeMac;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::ports::keyed_digest::{Domain, KeyedDigest};

/// Digests under a key of 64 bits. A fake: anybody could turn it round.
#[derive(Debug, Clone, Copy)]
pub struct FakeKeyedDigest {
    key: u64,
}

impl FakeKeyedDigest {
    /// Digests under that key.
    #[must_use]
    pub const fn new(key: u64) -> Self {
        Self { key }
    }
}

/// A name for a domain, of its own: `Debug` is for people.
const fn name(domain: Domain) -> &'static [u8] {
    match domain {
        Domain::Email => b"email",
        Domain::Phone => b"phone",
        Domain::OneTimeToken => b"one-time token",
        Domain::TypedCode => b"typed code",
        Domain::TokenBinding => b"token binding",
        Domain::RefreshToken => b"refresh token",
        Domain::RefreshSuccessor => b"refresh successor",
        Domain::RegistrationSalt => b"registration salt",
        Domain::ClientAddress => b"client address",
        Domain::SessionCache => b"session cache",
        Domain::MailQuota => b"mail quota",
        Domain::ProfileTag => b"profile tag",
    }
}

impl KeyedDigest for FakeKeyedDigest {
    fn digest(&self, domain: Domain, realm: &Realm, parts: &[&[u8]]) -> Digest {
        let start = FakeMac::new(self.key).part(name(domain)).part(realm.as_str().as_bytes());
        Digest::from_bytes(parts.iter().fold(start, |mixer, part| mixer.part(part)).finish())
    }
}
