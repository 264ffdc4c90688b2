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

/// Digests under `EMAIL_SALT`.
pub struct HmacDigest {
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
    }
}

impl HmacDigest {
    /// Digests under a secret text.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self { root: Hkdf::new(Some(b"portcullis/digests/v1"), secret), keyed: RwLock::default() }
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
        let mut mac = self.keyed(domain, realm);
        for part in parts {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        Digest::from_bytes(mac.finalize().into_bytes().into())
    }
}
