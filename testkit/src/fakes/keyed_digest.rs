//! Digests by mixing: as separate as the real ones, and worth nothing against an attacker.

use crate::fake_mac::FakeMac;
use crate::locked::Locked;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::ports::keyed_digest::{Domain, KeyedDigest};

/// Digests under a ring of keys of 64 bits. A fake: anybody could turn it round.
#[derive(Debug)]
pub struct FakeKeyedDigest {
    ring: Locked<(u64, Option<u64>)>,
}

impl FakeKeyedDigest {
    /// Digests under that key.
    #[must_use]
    pub fn new(key: u64) -> Self {
        Self { ring: Locked::new((key, None)) }
    }

    /// From now on, the ring has these keys. Each key is its own id.
    pub fn set_ring(&self, newest: u64, other: Option<u64>) {
        *self.ring.lock() = (newest, other);
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
        Domain::LoginThrottle => b"login throttle",
    }
}

fn digest(key: u64, domain: Domain, realm: &Realm, parts: &[&[u8]]) -> Digest {
    let start = FakeMac::new(key).part(name(domain)).part(realm.as_str().as_bytes());
    Digest::from_bytes(parts.iter().fold(start, |mixer, part| mixer.part(part)).finish())
}

impl KeyedDigest for FakeKeyedDigest {
    fn digest(&self, domain: Domain, realm: &Realm, parts: &[&[u8]]) -> Digest {
        let (newest, other) = *self.ring.lock();
        let key = if domain.is_lasting() { newest } else { other.map_or(newest, |other| other.min(newest)) };
        digest(key, domain, realm, parts)
    }

    fn digest_by_other(&self, domain: Domain, realm: &Realm, parts: &[&[u8]]) -> Option<Digest> {
        let (_, other) = *self.ring.lock();
        other.map(|other| digest(other, domain, realm, parts))
    }
}
