//! Tokens that were verified a moment ago: a client sends the same one with every request, and a signature that was good
//! once stays good. What has an end is compared with `now` each time; whether a session still lives is not asked here.
//! Tokens themselves are not kept, only what they say, by their SHA-256.

use std::sync::{PoisonError, RwLock};

use portcullis_core::model::realm::Realm;
use portcullis_core::model::secret::SecretString;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::token_signer::{AccessClaims, TokenSigner};
use sha2::{Digest as _, Sha256};

use crate::generations::Generations;

/// Most tokens of a generation; there are two.
const MOST: usize = 8192;

/// A signer that remembers what it has verified.
pub struct VerifiedTokens<S> {
    signer: S,
    kept: RwLock<Generations<[u8; 32], Kept>>,
}

struct Kept {
    claims: AccessClaims,
    /// When it was verified. Should the clock stand before that, it is verified anew.
    at: Timestamp,
}

impl<S: TokenSigner> VerifiedTokens<S> {
    /// In front of a signer.
    #[must_use]
    pub fn new(signer: S) -> Self {
        Self { signer, kept: RwLock::new(Generations::of(MOST)) }
    }

    fn kept(&self, digest: &[u8; 32], now: Timestamp) -> Option<AccessClaims> {
        let generations = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let kept = generations.get(digest)?;
        (kept.at <= now && now.as_secs() < kept.claims.expires_at.as_secs()).then(|| kept.claims.clone())
    }

    fn keep(&self, digest: [u8; 32], kept: Kept) {
        self.kept.write().unwrap_or_else(PoisonError::into_inner).keep(digest, kept);
    }
}

impl<S: TokenSigner> TokenSigner for VerifiedTokens<S> {
    fn sign(&self, claims: &AccessClaims) -> Result<SecretString, PortError> {
        self.signer.sign(claims)
    }

    fn verify(&self, realm: &Realm, token: &str, now: Timestamp) -> Option<AccessClaims> {
        // a realm's name has no zero octet, so that no two pairs read the same
        let digest = Sha256::new().chain_update(realm.as_str()).chain_update([0]).chain_update(token).finalize().into();
        if let Some(claims) = self.kept(&digest, now) {
            return Some(claims);
        }
        let claims = self.signer.verify(realm, token, now)?;
        self.keep(digest, Kept { claims: claims.clone(), at: now });
        Some(claims)
    }

    fn issuer(&self) -> &str {
        self.signer.issuer()
    }

    fn jwks(&self) -> Option<String> {
        self.signer.jwks()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_core::testing::fakes::token_signer::FakeTokenSigner;
    use portcullis_core::testing::faults::FaultPlan;
    use portcullis_core::testing::samples::{self, NOW, realm};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    /// Counts how often it is really asked.
    struct Counted(FakeTokenSigner, AtomicUsize);

    impl TokenSigner for Counted {
        fn sign(&self, claims: &AccessClaims) -> Result<SecretString, PortError> {
            self.0.sign(claims)
        }

        fn verify(&self, realm: &Realm, token: &str, now: Timestamp) -> Option<AccessClaims> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.verify(realm, token, now)
        }

        fn issuer(&self) -> &str {
            self.0.issuer()
        }

        fn jwks(&self) -> Option<String> {
            self.0.jwks()
        }
    }

    fn signer() -> VerifiedTokens<Counted> {
        VerifiedTokens::new(Counted(FakeTokenSigner::new(1, &FaultPlan::default()), AtomicUsize::new(0)))
    }

    fn asked(signer: &VerifiedTokens<Counted>) -> usize {
        signer.signer.1.load(Ordering::Relaxed)
    }

    #[test]
    fn is_verified_once_and_ends_to_the_second() {
        let (signer, realm) = (signer(), realm("User1"));
        let claims = samples::claims(&realm, 1);
        let token = signer.sign(&claims).unwrap();
        for _ in 0..3 {
            assert_eq!(signer.verify(&realm, token.expose(), claims.issued_at), Some(claims.clone()));
        }
        assert_eq!(asked(&signer), 1);
        let last = Timestamp::from_millis(claims.expires_at.as_millis() - 1);
        assert_eq!(signer.verify(&realm, token.expose(), last), Some(claims.clone()));
        assert_eq!(asked(&signer), 1);
        // what is past its end is the signer's to say, who may have some leeway
        signer.verify(&realm, token.expose(), claims.expires_at);
        assert_eq!(asked(&signer), 2);
        assert_eq!(signer.verify(&realm, token.expose(), claims.expires_at + Duration::from_mins(1)), None);
    }

    #[test]
    fn knows_realms_and_spellings_apart_and_keeps_no_refusal() {
        let (signer, here) = (signer(), realm("User1"));
        let claims = samples::claims(&here, 1);
        let token = signer.sign(&claims).unwrap();
        let (token, at) = (token.expose(), claims.issued_at);
        assert!(signer.verify(&here, token, at).is_some());
        assert_eq!(signer.verify(&realm("User2"), token, at), None);
        assert_eq!(signer.verify(&here, &token[..token.len() - 1], at), None);
        assert_eq!(signer.verify(&here, &format!("{token} "), at), None);
        assert_eq!(asked(&signer), 4);
    }

    #[test]
    fn a_clock_that_went_back_is_asked_again() {
        let (signer, realm) = (signer(), realm("User1"));
        let claims = samples::claims(&realm, 1);
        let token = signer.sign(&claims).unwrap();
        assert!(signer.verify(&realm, token.expose(), claims.issued_at + Duration::from_mins(1)).is_some());
        let before = Timestamp::from_millis(claims.issued_at.as_millis() - 3_600_000);
        assert_eq!(signer.verify(&realm, token.expose(), before), None);
    }

    #[test]
    fn never_holds_more_than_two_generations() {
        let (signer, realm) = (signer(), realm("User1"));
        for n in 0..(MOST as u64 * 3) {
            let token = signer.sign(&samples::claims(&realm, n)).unwrap();
            assert!(signer.verify(&realm, token.expose(), NOW).is_some(), "{n}");
        }
        assert!(signer.kept.read().unwrap().sizes().iter().all(|size| *size <= MOST));
    }
}
