//! The keyed digests of the use cases, each with its one recipe.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::client::ClientAddress;
use crate::model::email::Email;
use crate::model::ids::UserId;
use crate::model::login_throttle::LoginSource;
use crate::model::one_time_token::{OneTimeToken, Purpose};
use crate::model::otp::TypedCode;
use crate::model::realm::Realm;
use crate::model::sealed::{Digest, Field, RingDigest};
use crate::model::secret::OpaqueToken;
use crate::model::time::Timestamp;
use crate::model::user::User;
use crate::ports::error::PortError;
use crate::ports::keyed_digest::Domain;
use crate::service::AuthService;

impl AuthService {
    /// The digests of one input under each key of the ring.
    pub(crate) fn ring_digest(&self, domain: Domain, realm: &Realm, parts: &[&[u8]]) -> RingDigest {
        let digests = &self.ports.digests;
        RingDigest::new(digests.digest(domain, realm, parts), digests.digest_by_other(domain, realm, parts))
    }

    /// The blind index of an address: of its canonical form.
    #[must_use]
    pub fn email_index(&self, realm: &Realm, email: &Email) -> RingDigest {
        self.ring_digest(Domain::Email, realm, &[email.canonical().as_bytes()])
    }

    /// The index of the text typed at a login. A text that is no address gets an index of its own that no account can
    /// have, so that the rest of the login is the same.
    #[must_use]
    pub fn login_index(&self, realm: &Realm, typed: &str) -> RingDigest {
        match Email::parse(typed) {
            Ok(email) => self.email_index(realm, &email),
            Err(_) => self.ring_digest(Domain::Email, realm, &[b"not an address", typed.as_bytes()]),
        }
    }

    /// The key of the failed logins with a text that was typed as an address.
    #[must_use]
    pub fn throttle_key(&self, realm: &Realm, typed: &str) -> Digest {
        let digests = &self.ports.digests;
        match Email::parse(typed) {
            Ok(email) => digests.digest(Domain::LoginThrottle, realm, &[email.canonical().as_bytes()]),
            Err(_) => digests.digest(Domain::LoginThrottle, realm, &[b"not an address", typed.as_bytes()]),
        }
    }

    /// The key of the failed logins with the address of an account.
    pub(crate) fn throttle_key_of(&self, user: &User) -> Result<Digest, PortError> {
        let email = self.record_cipher(user)?.email(Field::Email, &user.person.email)?;
        Ok(self.ports.digests.digest(Domain::LoginThrottle, &user.realm, &[email.canonical().as_bytes()]))
    }

    /// The binding of a one-time token of a user: where it was sent, and the credentials version of that moment.
    pub(crate) fn token_binding(&self, realm: &Realm, purpose: Purpose, sent_to: &[u8], version: u64) -> RingDigest {
        let parts = [purpose.as_str().as_bytes(), sent_to, &version.to_be_bytes()];
        self.ring_digest(Domain::TokenBinding, realm, &parts)
    }

    pub(crate) fn phone_digest(&self, realm: &Realm, e164: &str) -> Digest {
        self.ports.digests.digest(Domain::Phone, realm, &[e164.as_bytes()])
    }

    pub(crate) fn token_digest(&self, realm: &Realm, purpose: Purpose, token: &OpaqueToken) -> RingDigest {
        self.ring_digest(Domain::OneTimeToken, realm, &[purpose.as_str().as_bytes(), token.as_bytes()])
    }

    /// The unexpired one-time token with one of these digests.
    pub(crate) async fn find_token(
        &self,
        realm: &Realm,
        purpose: Purpose,
        token: &OpaqueToken,
        now: Timestamp,
    ) -> Result<Option<OneTimeToken>, PortError> {
        for digest in self.token_digest(realm, purpose, token).all() {
            if let Some(found) = self.ports.one_time_tokens.find_valid(realm, purpose, digest, now).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    pub(crate) fn code_digest(
        &self,
        realm: &Realm,
        purpose: Purpose,
        subject: &UserId,
        code: &TypedCode,
    ) -> RingDigest {
        let parts = [purpose.as_str().as_bytes(), &subject.as_bytes()[..], code.expose().as_bytes()];
        self.ring_digest(Domain::TypedCode, realm, &parts)
    }

    /// The key of a rate limit bucket: the client's network.
    #[must_use]
    pub fn address_digest(&self, realm: &Realm, address: &ClientAddress) -> Digest {
        self.ports.digests.digest(Domain::ClientAddress, realm, &[&address.bucket()])
    }

    /// The source of a login: the client's address and its networks.
    pub(crate) fn login_source(&self, realm: &Realm, address: &ClientAddress) -> LoginSource {
        let digest =
            |network: Vec<u8>| self.ports.digests.digest(Domain::ClientAddress, realm, &[b"networks", &network]);
        // the smallest is the address itself
        let networks = address.networks().into_iter().rev().skip(1).map(digest).collect();
        LoginSource { address: self.address_digest(realm, address), networks }
    }

    /// The client's network (/24, /48).
    pub(crate) fn network_digest(&self, realm: &Realm, address: &ClientAddress) -> Digest {
        self.ports.digests.digest(Domain::ClientAddress, realm, &[b"network", address.coarse().as_bytes()])
    }

    /// The key of the limits that count an account.
    #[must_use]
    pub fn account_digest(&self, user: &User) -> Digest {
        self.ports.digests.digest(Domain::Phone, &user.realm, &[b"account", user.id.as_bytes()])
    }

    /// The key of the count of an account's wrong second factors.
    pub(crate) fn factor_digest(&self, user: &User) -> Digest {
        self.ports.digests.digest(Domain::LoginThrottle, &user.realm, &[b"second factor", user.id.as_bytes()])
    }

    /// The subject of wrong enrolment codes, of the password that is on record: somebody with an older one has spent nothing
    /// of the owner's.
    pub(crate) fn enrolment_digest(&self, user: &User) -> Digest {
        let parts = [b"enrolment code", &user.id.as_bytes()[..], &user.credentials_version.to_be_bytes()];
        self.ports.digests.digest(Domain::LoginThrottle, &user.realm, &parts)
    }

    /// The entity tag of a profile (RFC 9110, section 8.8.3): of one account and one version, and unguessable.
    #[must_use]
    pub fn profile_tag(&self, realm: &Realm, id: &UserId, version: u64) -> String {
        let digest = self.ports.digests.digest(Domain::ProfileTag, realm, &[id.as_bytes(), &version.to_be_bytes()]);
        format!("\"{}\"", URL_SAFE_NO_PAD.encode(first_half(&digest)))
    }

    /// The key of the limits that count a service client.
    #[must_use]
    pub fn service_client_digest(&self, realm: &Realm, id: &str) -> Digest {
        self.ports.digests.digest(Domain::ClientAddress, realm, &[b"service client", id.as_bytes()])
    }

    /// All registrations of one address share a salt, so that one hash of a presented password can be compared with
    /// every one of them, and a login for an unknown address costs the same one hash.
    pub(crate) fn registration_salt(&self, realm: &Realm, email: &RingDigest) -> [u8; 16] {
        let digest = self.ports.digests.digest(Domain::RegistrationSalt, realm, &[email.newest().as_bytes()]);
        first_half(&digest)
    }
}

/// The first sixteen bytes of a digest.
pub(crate) fn first_half(digest: &Digest) -> [u8; 16] {
    digest.as_bytes().first_chunk().copied().unwrap_or_default()
}
