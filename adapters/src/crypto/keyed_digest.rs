//! HMAC-SHA-256 for [`KeyedDigest`], with a key of its own for every realm and domain.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Digest;
use portcullis_core::ports::keyed_digest::{Domain, KeyedDigest};
use sha2::Sha256;

type HmacSha256 = Hmac<Sha256>;

/// Digests under the ring of `INDEX_KEY`.
pub struct HmacDigest {
    newest: RingKey,
    other: Option<RingKey>,
}

/// One key of the ring.
struct RingKey {
    id: u32,
    root: Hkdf<Sha256>,
    /// Keyed states, made at first use: every request needs some.
    keyed: RwLock<HashMap<(Realm, Domain), HmacSha256>>,
}

const fn name(domain: Domain) -> &'static str {
    match domain {
        Domain::Email => "email",
        Domain::Phone => "phone",
        Domain::OneTimeToken => "one-time-token",
        Domain::TypedCode => "typed-code",
        Domain::TokenBinding => "token-binding",
        Domain::RefreshToken => "refresh-token",
        Domain::RefreshSuccessor => "refresh-successor",
        Domain::RegistrationSalt => "registration-salt",
        Domain::ClientAddress => "client-address",
        Domain::SessionCache => "session-cache",
        Domain::MailQuota => "mail-quota",
        Domain::ProfileTag => "profile-tag",
        Domain::LoginThrottle => "login-throttle",
    }
}

impl HmacDigest {
    /// Digests under one secret text.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self { newest: RingKey::new(1, secret), other: None }
    }

    /// Digests under the secret texts of a ring, each with its id: the first one, and a second one where there is one.
    /// Settings have no longer ring.
    #[must_use]
    pub fn of_ring(newest: (u32, &[u8]), other: Option<(u32, &[u8])>) -> Self {
        let key = |(id, secret)| RingKey::new(id, secret);
        Self { newest: key(newest), other: other.map(key) }
    }
}

impl RingKey {
    fn new(id: u32, secret: &[u8]) -> Self {
        Self { id, root: Hkdf::new(Some(b"portcullis/digests/v1"), secret), keyed: RwLock::default() }
    }

    fn digest(&self, domain: Domain, realm: &Realm, parts: &[&[u8]]) -> Digest {
        let mut mac = self.keyed(domain, realm);
        for part in parts {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        Digest::from_bytes(mac.finalize().into_bytes().into())
    }

    fn keyed(&self, domain: Domain, realm: &Realm) -> HmacSha256 {
        let place = (realm.clone(), domain);
        if let Some(state) = self.keyed.read().unwrap_or_else(PoisonError::into_inner).get(&place) {
            return state.clone();
        }
        let mut key = zeroize::Zeroizing::new([0u8; 64]);
        let purpose = format!("{}/{realm}", name(domain));
        // 64 bytes are within HKDF's output limit and HMAC's block size: neither can refuse
        let _ = self.root.expand(purpose.as_bytes(), &mut *key);
        let state = HmacSha256::new(&(*key).into());
        self.keyed.write().unwrap_or_else(PoisonError::into_inner).insert(place, state.clone());
        state
    }
}

impl KeyedDigest for HmacDigest {
    fn digest(&self, domain: Domain, realm: &Realm, parts: &[&[u8]]) -> Digest {
        let other = self.other.as_ref().filter(|other| !domain.is_lasting() && other.id < self.newest.id);
        other.unwrap_or(&self.newest).digest(domain, realm, parts)
    }

    fn digest_by_other(&self, domain: Domain, realm: &Realm, parts: &[&[u8]]) -> Option<Digest> {
        self.other.as_ref().map(|other| other.digest(domain, realm, parts))
    }
}
