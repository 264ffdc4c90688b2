//! Access tokens `fake.<fields>.<mac>` by mixing: bound like the real ones, and worth nothing against an attacker.

use std::time::Duration;

use crate::fake_mac::{FakeMac, from_hex, hex};
use crate::faults::{FaultPlan, Faults};
use portcullis_core::model::ids::{AccessTokenId, SessionId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::role::Roles;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::secret::SecretString;
use portcullis_core::model::session::AuthMethods;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::token_signer::{AccessClaims, TokenSigner};

const LEEWAY: Duration = Duration::from_secs(30);

/// Signs with a key of 64 bits. A fake: anybody could forge.
#[derive(Debug)]
pub struct FakeTokenSigner {
    key: u64,
    faults: Faults,
}

impl FakeTokenSigner {
    /// A signer with that key that breaks as the plan says.
    #[must_use]
    pub fn new(key: u64, plan: &FaultPlan) -> Self {
        Self { key, faults: Faults::new("token_signer", plan) }
    }

    /// The faults to inject.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    fn mac(&self, fields: &str) -> String {
        hex(&FakeMac::new(self.key).part(b"access token").part(fields.as_bytes()).finish())
    }
}

fn seconds(at: Timestamp) -> [u8; 8] {
    at.as_secs().to_be_bytes()
}

/// Three ids, three times and the methods, of fixed lengths, then the realm, the roles and the client.
fn fields(claims: &AccessClaims) -> String {
    let ids = [*claims.user.as_bytes(), *claims.session.as_bytes(), *claims.id.as_bytes()].concat();
    let times = [claims.issued_at, claims.expires_at, claims.authenticated_at].map(seconds).concat();
    let names = format!("{}/{}/{}", claims.realm, claims.roles.to_text().unwrap_or_default(), claims.client_id);
    hex(&[&ids[..], &times, &[claims.methods.bits()], names.as_bytes()].concat())
}

fn read(fields: &str) -> Option<AccessClaims> {
    let bytes = from_hex(fields)?;
    let (user, rest) = bytes.split_first_chunk()?;
    let (session, rest) = rest.split_first_chunk()?;
    let (id, rest) = rest.split_first_chunk()?;
    let (issued_at, rest) = rest.split_first_chunk()?;
    let (expires_at, rest) = rest.split_first_chunk()?;
    let (authenticated_at, rest) = rest.split_first_chunk()?;
    let (methods, names) = rest.split_first()?;
    let (realm, names) = std::str::from_utf8(names).ok()?.split_once('/')?;
    let (roles, client_id) = names.split_once('/')?;
    let at = |seconds: &[u8; 8]| Timestamp::from_millis(i64::from_be_bytes(*seconds).saturating_mul(1000));
    Some(AccessClaims {
        realm: Realm::parse(realm).ok()?,
        user: UserId::from_bytes(*user),
        session: SessionId::from_bytes(*session),
        id: AccessTokenId::from_bytes(*id),
        issued_at: at(issued_at),
        expires_at: at(expires_at),
        authenticated_at: at(authenticated_at),
        methods: AuthMethods::from_bits(*methods)?,
        client_id: client_id.to_owned(),
        roles: if roles.is_empty() { Roles::default() } else { Roles::from_text(roles)? },
    })
}

impl TokenSigner for FakeTokenSigner {
    fn sign(&self, claims: &AccessClaims) -> Result<SecretString, PortError> {
        self.faults.call("sign", || {
            let fields = fields(claims);
            SecretString::new(format!("fake.{fields}.{}", self.mac(&fields)))
        })
    }

    fn verify(&self, realm: &Realm, token: &str, now: Timestamp) -> Option<AccessClaims> {
        let (fields, mac) = token.strip_prefix("fake.")?.split_once('.')?;
        let claims = (mac == self.mac(fields)).then(|| read(fields)).flatten()?;
        let in_time = claims.issued_at <= now + LEEWAY && now < claims.expires_at + LEEWAY;
        (claims.realm == *realm && in_time).then_some(claims)
    }

    fn refresh_proof(&self, realm: &Realm, token: &[u8]) -> Digest {
        let mac = FakeMac::new(self.key).part(b"refresh token").part(realm.as_str().as_bytes()).part(token);
        Digest::from_bytes(mac.finish())
    }

    fn verify_refresh_proof(&self, realm: &Realm, token: &[u8], proof: &Digest) -> bool {
        self.refresh_proof(realm, token) == *proof
    }

    fn issuer(&self, realm: &Realm) -> String {
        format!("https://portcullis.test/{realm}")
    }

    fn jwks(&self) -> Option<String> {
        None
    }
}
