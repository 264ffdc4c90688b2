//! The keyed digests of the use cases, each with its one recipe.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::client::ClientAddress;
use crate::model::email::Email;
use crate::model::ids::UserId;
use crate::model::login_throttle::LoginSource;
use crate::model::one_time_token::Purpose;
use crate::model::otp::TypedCode;
use crate::model::realm::Realm;
use crate::model::sealed::Digest;
use crate::model::secret::OpaqueToken;
use crate::model::user::User;
use crate::ports::keyed_digest::Domain;
use crate::service::AuthService;

impl AuthService {
    /// The blind index of an address: of its canonical form.
    #[must_use]
    pub fn email_index(&self, realm: &Realm, email: &Email) -> Digest {
        self.ports.digests.digest(Domain::Email, realm, &[email.canonical().as_bytes()])
    }

    /// The index of the text typed at a login. A text that is no address gets an index of its own that no account can
    /// have, so that the rest of the login is the same.
    #[must_use]
    pub fn login_index(&self, realm: &Realm, typed: &str) -> Digest {
        match Email::parse(typed) {
            Ok(email) => self.email_index(realm, &email),
            Err(_) => self.ports.digests.digest(Domain::Email, realm, &[b"not an address", typed.as_bytes()]),
        }
    }

    /// The binding of a one-time token of a user: where it was sent, and the credentials version of that moment.
    pub(crate) fn token_binding(&self, realm: &Realm, purpose: Purpose, sent_to: &[u8], version: u64) -> Digest {
        let parts = [purpose.as_str().as_bytes(), sent_to, &version.to_be_bytes()];
        self.ports.digests.digest(Domain::TokenBinding, realm, &parts)
    }

    pub(crate) fn phone_digest(&self, realm: &Realm, e164: &str) -> Digest {
        self.ports.digests.digest(Domain::Phone, realm, &[e164.as_bytes()])
    }

    pub(crate) fn token_digest(&self, realm: &Realm, purpose: Purpose, token: &OpaqueToken) -> Digest {
        self.ports.digests.digest(Domain::OneTimeToken, realm, &[purpose.as_str().as_bytes(), token.as_bytes()])
    }

    pub(crate) fn code_digest(&self, realm: &Realm, purpose: Purpose, subject: &UserId, code: &TypedCode) -> Digest {
        let parts = [purpose.as_str().as_bytes(), &subject.as_bytes()[..], code.expose().as_bytes()];
        self.ports.digests.digest(Domain::TypedCode, realm, &parts)
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
    pub(crate) fn factor_digest(&self, realm: &Realm, user: &UserId) -> Digest {
        self.ports.digests.digest(Domain::Email, realm, &[b"second factor", user.as_bytes()])
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
    pub(crate) fn registration_salt(&self, realm: &Realm, email: &Digest) -> [u8; 16] {
        let digest = self.ports.digests.digest(Domain::RegistrationSalt, realm, &[email.as_bytes()]);
        first_half(&digest)
    }
}

/// The first sixteen bytes of a digest.
pub(crate) fn first_half(digest: &Digest) -> [u8; 16] {
    digest.as_bytes().first_chunk().copied().unwrap_or_default()
}
