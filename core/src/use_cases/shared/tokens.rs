//! Making and recognising tokens: one-time rights, refresh tokens, and the pair a login answers with.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::model::ids::{AccessTokenId, SessionId, UserId};
use crate::model::one_time_token::{OneTimeToken, Purpose, TokenOwner};
use crate::model::realm::Realm;
use crate::model::role::Roles;
use crate::model::sealed::{Digest, RingDigest};
use crate::model::secret::{OpaqueToken, SecretString};
use crate::model::session::{AuthMethods, Session};
use crate::model::time::Timestamp;
use crate::ports::error::PortError;
use crate::ports::keyed_digest::Domain;
use crate::ports::token_signer::AccessClaims;
use crate::service::{AuthService, Ports};
use crate::use_cases::shared::caller::Caller;
use crate::use_cases::shared::digests::first_half;

/// The answer to a login or a refresh.
#[derive(Debug, Clone)]
pub struct TokenPair {
    /// The access token, for the `Authorization` header.
    pub access: SecretString,
    /// The refresh token, for the next refresh.
    pub refresh: SecretString,
    /// How long the access token lives, in seconds.
    pub expires_in: u64,
    /// Whose.
    pub user: UserId,
    /// The session that they belong to.
    pub session: SessionId,
}

/// A refresh token taken apart: which session, and which of its tokens.
pub(crate) struct RefreshToken {
    pub session: SessionId,
    pub nonce: [u8; 16],
}

impl RefreshToken {
    fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let parts = self.session.as_bytes().iter().chain(&self.nonce);
        bytes.iter_mut().zip(parts).for_each(|(byte, part)| *byte = *part);
        bytes
    }
}

impl AuthService {
    /// The text of a refresh token: session, nonce and the proof that we made it.
    fn print_refresh(&self, realm: &Realm, token: &RefreshToken) -> SecretString {
        let mut bytes = Zeroizing::new([0u8; 64]);
        let proof = self.ports.signer.refresh_proof(realm, &token.bytes());
        let parts = token.session.as_bytes().iter().chain(&token.nonce).chain(proof.as_bytes());
        bytes.iter_mut().zip(parts).for_each(|(byte, part)| *byte = *part);
        SecretString::new(URL_SAFE_NO_PAD.encode(*bytes))
    }

    /// Parses a refresh token; `None` if this server did not make it for that realm.
    pub(crate) fn parse_refresh(&self, realm: &Realm, text: &str) -> Option<RefreshToken> {
        if text.len() != 86 {
            return None;
        }
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        let (session, rest) = bytes.split_first_chunk::<16>()?;
        let (nonce, proof) = rest.split_first_chunk::<16>()?;
        let token = RefreshToken { session: SessionId::from_bytes(*session), nonce: *nonce };
        let proof = Digest::from_bytes(proof.try_into().ok()?);
        self.ports.signer.verify_refresh_proof(realm, &token.bytes(), &proof).then_some(token)
    }

    /// The digest of a refresh token that a session stores.
    pub(crate) fn refresh_digest(&self, realm: &Realm, token: &RefreshToken) -> RingDigest {
        self.ring_digest(Domain::RefreshToken, realm, &[token.session.as_bytes(), &token.nonce])
    }

    /// Covers or uncovers a successor's nonce with a mask that only its predecessor gives. The mask is under the key that
    /// gave the predecessor its stored digest.
    pub(crate) fn mask_successor(
        &self,
        realm: &Realm,
        predecessor: &RefreshToken,
        stored: &Digest,
        nonce: [u8; 16],
    ) -> [u8; 16] {
        let parts = [&predecessor.session.as_bytes()[..], &predecessor.nonce[..]];
        let masks = self.ring_digest(Domain::RefreshSuccessor, realm, &parts);
        let by_other = masks.other().filter(|_| !self.refresh_digest(realm, predecessor).newest().matches(stored));
        let mut masked = first_half(by_other.unwrap_or(masks.newest()));
        masked.iter_mut().zip(nonce).for_each(|(mask, byte)| *mask ^= byte);
        masked
    }

    /// A fresh refresh token of a session.
    pub(crate) fn new_refresh(&self, session: SessionId) -> RefreshToken {
        let mut nonce = [0; 16];
        self.ports.randomness.fill(&mut nonce);
        RefreshToken { session, nonce }
    }

    /// The answer to a login or refresh of a session of an account with these roles by an OAuth client, if one authenticated itself.
    pub(crate) fn issue(
        &self,
        (session, roles): (&Session, &Roles),
        refresh: &RefreshToken,
        oauth_client: Option<&str>,
        now: Timestamp,
    ) -> Result<TokenPair, PortError> {
        let claims = AccessClaims {
            realm: session.realm.clone(),
            user: session.user,
            session: session.id,
            id: AccessTokenId::random(|bytes| self.ports.randomness.fill(bytes)),
            issued_at: now,
            expires_at: now + self.policy.lifetimes.access,
            authenticated_at: session.authenticated_at,
            methods: session.methods,
            client_id: oauth_client.unwrap_or(session.realm.as_str()).to_owned(),
            roles: roles.clone(),
        };
        Ok(TokenPair {
            access: self.ports.signer.sign(&claims)?,
            refresh: self.print_refresh(&session.realm, refresh),
            expires_in: self.policy.lifetimes.access.as_secs(),
            user: session.user,
            session: session.id,
        })
    }

    /// An access token of a session for a caller who has just shown `methods`. The session and its refresh token keep
    /// the time and the methods of the login.
    pub(crate) fn issue_after_step_up(
        &self,
        Caller { user, session, claims }: &Caller,
        methods: AuthMethods,
        now: Timestamp,
    ) -> Result<SecretString, PortError> {
        self.ports.signer.sign(&AccessClaims {
            realm: session.realm.clone(),
            user: session.user,
            session: session.id,
            id: AccessTokenId::random(|bytes| self.ports.randomness.fill(bytes)),
            issued_at: now,
            expires_at: (now + self.policy.lifetimes.access).min(session.expires_at),
            authenticated_at: now,
            methods,
            client_id: claims.client_id.clone(),
            roles: user.roles.clone(),
        })
    }

    /// The owner of one-time tokens of a purpose.
    pub(crate) fn holder(realm: &Realm, purpose: Purpose, subject: UserId) -> TokenOwner {
        TokenOwner { realm: realm.clone(), purpose, subject }
    }

    /// A new one-time token, and its record without a code. Nothing is stored yet.
    pub(crate) fn new_one_time_token(
        &self,
        holder: TokenOwner,
        binding: Option<Digest>,
        lifetime: Duration,
    ) -> (OpaqueToken, OneTimeToken) {
        let Ports { clock, randomness, .. } = &self.ports;
        let (token, now) = (OpaqueToken::random(|bytes| randomness.fill(bytes)), clock.now());
        let stored = OneTimeToken {
            token: *self.token_digest(&holder.realm, holder.purpose, &token).newest(),
            holder,
            code: None,
            tries_left: 0,
            binding,
            created_at: now,
            expires_at: now + lifetime,
        };
        (token, stored)
    }
}
