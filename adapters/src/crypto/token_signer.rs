//! JWTs for [`TokenSigner`]: one algorithm and a ring of keys from the operator's settings. A token's own header chooses no
//! algorithm, and no key that is not in the ring.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, TokenData, Validation, decode, encode};
use portcullis_core::model::ids::{AccessTokenId, SessionId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::role::Roles;
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::secret::SecretString;
use portcullis_core::model::session::AuthMethods;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::token_signer::{AccessClaims, BACKDATED_SECONDS, EARLY_SECONDS, TokenSigner};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::crypto::signing_keys::{KeyKind, PrivateKey};

type HmacSha256 = Hmac<Sha256>;

const PORT: &str = "token_signer";
/// The longest token that is parsed.
const LONGEST: usize = 4096;
/// Clocks of instances may differ by this much, in seconds.
const LEEWAY: i64 = 30;
/// RFC 9068.
const TYPE: &str = "at+jwt";

/// One key of the ring.
struct SigningKey {
    header: Header,
    signing: EncodingKey,
    verifying: DecodingKey,
}

/// Signs with the first key, verifies with all of them.
pub struct JwtSigner {
    keys: Vec<SigningKey>,
    /// For refresh tokens, in the order of the ring of secrets.
    refresh_keys: Vec<HmacSha256>,
    validation: Validation,
    /// The server's address.
    base: String,
    jwks: Option<String>,
}

/// The claims on the wire. Every one but `roles` is required, of this very type.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    sub: String,
    jti: String,
    sid: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    auth_time: i64,
    amr: Vec<String>,
    acr: String,
    client_id: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    roles: Vec<String>,
}

/// RFC 7519: a text, or an array of texts.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn has(&self, realm: &Realm) -> bool {
        match self {
            Self::One(name) => name == realm.as_str(),
            Self::Many(names) => names.iter().any(|name| name == realm.as_str()),
        }
    }
}

fn failed(error: impl std::fmt::Display) -> PortError {
    PortError::new(PORT, error.to_string())
}

impl JwtSigner {
    /// HMAC-SHA-256 under the UTF-8 texts of a ring of secrets.
    ///
    /// # Errors
    /// For an empty ring.
    pub fn hs256(ring: &[(u32, &str)], base: &str) -> Result<Self, PortError> {
        let key = |(id, secret): &(u32, &str)| SigningKey {
            header: header(Algorithm::HS256, *id),
            signing: EncodingKey::from_secret(secret.as_bytes()),
            verifying: DecodingKey::from_secret(secret.as_bytes()),
        };
        Self::of(ring.iter().map(key).collect(), Algorithm::HS256, ring, base, None)
    }

    /// P-256 with keys derived from a ring of secrets.
    ///
    /// # Errors
    /// For an empty ring, or when the library refuses a key.
    pub fn es256(ring: &[(u32, &str)], base: &str) -> Result<Self, PortError> {
        Self::derived(KeyKind::P256, ring, base)
    }

    /// Ed25519 with keys derived from a ring of secrets.
    ///
    /// # Errors
    /// For an empty ring, or when the library refuses a key.
    pub fn eddsa(ring: &[(u32, &str)], base: &str) -> Result<Self, PortError> {
        Self::derived(KeyKind::Ed25519, ring, base)
    }

    fn derived(kind: KeyKind, ring: &[(u32, &str)], base: &str) -> Result<Self, PortError> {
        let key = |(id, secret): &(u32, &str)| Ok((*id, PrivateKey::derived(kind, secret)?));
        let keys = ring.iter().map(key).collect::<Result<Vec<_>, PortError>>()?;
        Self::with_keys(kind, &keys, ring, base)
    }

    /// Signs access tokens with a ring of private keys. The ring of secrets is for refresh tokens.
    ///
    /// # Errors
    /// For an empty ring, or when the library refuses a key.
    pub fn with_keys(
        kind: KeyKind,
        keys: &[(u32, PrivateKey)],
        secrets: &[(u32, &str)],
        base: &str,
    ) -> Result<Self, PortError> {
        let (mut ring, mut public) = (Vec::new(), Vec::new());
        for (id, key) in keys {
            let jwk = key.public_key(*id)?;
            ring.push(SigningKey {
                header: header(kind.algorithm(), *id),
                verifying: DecodingKey::from_jwk(&jwk).map_err(failed)?,
                signing: key.encoding_key(),
            });
            public.push(jwk);
        }
        let jwks = serde_json::to_string(&JwkSet { keys: public }).map_err(failed)?;
        Self::of(ring, kind.algorithm(), secrets, base, Some(jwks))
    }

    fn of(
        keys: Vec<SigningKey>,
        algorithm: Algorithm,
        secrets: &[(u32, &str)],
        base: &str,
        jwks: Option<String>,
    ) -> Result<Self, PortError> {
        if keys.is_empty() || secrets.is_empty() {
            return Err(failed("the ring is empty"));
        }
        let refresh_keys = secrets.iter().map(|(_, secret)| refresh_key(secret)).collect::<Result<_, _>>()?;
        Ok(Self { keys, refresh_keys, validation: validation(algorithm), base: base.to_owned(), jwks })
    }

    fn newest(&self) -> Result<&SigningKey, PortError> {
        self.keys.first().ok_or_else(|| failed("the ring is empty"))
    }

    /// The token, if a key of the ring signed it and it names no other one.
    fn decode(&self, token: &str) -> Option<TokenData<Claims>> {
        self.keys.iter().find_map(|key| {
            let decoded = decode::<Claims>(token, &key.verifying, &self.validation).ok()?;
            (decoded.header.kid.is_none() || decoded.header.kid == key.header.kid).then_some(decoded)
        })
    }

    fn accepts(&self, claims: &Claims, realm: &Realm, now: i64) -> bool {
        claims.iss == self.issuer(realm)
            && claims.aud.has(realm)
            && now < claims.exp.saturating_add(EARLY_SECONDS)
            && claims.nbf <= now + LEEWAY
            && claims.iat.saturating_add(EARLY_SECONDS) <= now + LEEWAY
    }
}

fn header(algorithm: Algorithm, key: u32) -> Header {
    Header { typ: Some(TYPE.to_owned()), kid: Some(key.to_string()), ..Header::new(algorithm) }
}

fn refresh_key(secret: &str) -> Result<HmacSha256, PortError> {
    let mut key = Zeroizing::new([0; 32]);
    let derived = Hkdf::<Sha256>::new(None, secret.as_bytes()).expand(b"portcullis/refresh-proof/v1", &mut *key);
    derived.map_err(failed)?;
    HmacSha256::new_from_slice(&*key).map_err(failed)
}

/// The proof of a refresh token. The realm is framed by its length.
fn prove(key: &HmacSha256, realm: &Realm, token: &[u8]) -> Digest {
    let mut mac = key.clone();
    mac.update(&u64::try_from(realm.as_str().len()).unwrap_or(u64::MAX).to_be_bytes());
    mac.update(realm.as_str().as_bytes());
    mac.update(token);
    Digest::from_bytes(mac.finalize().into_bytes().into())
}

/// Verifies the signature alone. Times and audience are checked afterwards, against the `now` of the caller.
fn validation(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}

impl TokenSigner for JwtSigner {
    fn sign(&self, claims: &AccessClaims) -> Result<SecretString, PortError> {
        let claims = Claims {
            iss: self.issuer(&claims.realm),
            aud: Audience::One(claims.realm.to_string()),
            sub: claims.user.to_string(),
            jti: claims.id.to_string(),
            sid: claims.session.to_string(),
            iat: claims.issued_at.as_secs() - EARLY_SECONDS,
            nbf: claims.issued_at.as_secs() - EARLY_SECONDS - BACKDATED_SECONDS,
            exp: claims.expires_at.as_secs() - EARLY_SECONDS,
            auth_time: claims.authenticated_at.as_secs(),
            amr: claims.methods.amr().into_iter().map(str::to_owned).collect(),
            acr: claims.methods.acr().to_owned(),
            client_id: claims.client_id.clone(),
            roles: claims.roles.names().into_iter().map(str::to_owned).collect(),
        };
        let key = self.newest()?;
        encode(&key.header, &claims, &key.signing).map(SecretString::new).map_err(failed)
    }

    fn verify(&self, realm: &Realm, token: &str, now: Timestamp) -> Option<AccessClaims> {
        if token.len() > LONGEST {
            return None;
        }
        let token = self.decode(token)?;
        let kind = token.header.typ.as_deref().unwrap_or_default().to_ascii_lowercase();
        if kind.strip_prefix("application/").unwrap_or(&kind) != TYPE
            || !self.accepts(&token.claims, realm, now.as_secs())
        {
            return None;
        }
        let seconds = |seconds: i64| Timestamp::from_millis(seconds.saturating_mul(1000));
        Some(AccessClaims {
            realm: realm.clone(),
            user: UserId::parse(&token.claims.sub)?,
            session: SessionId::parse(&token.claims.sid)?,
            id: AccessTokenId::parse(&token.claims.jti)?,
            issued_at: seconds(token.claims.iat.saturating_add(EARLY_SECONDS)),
            expires_at: seconds(token.claims.exp.saturating_add(EARLY_SECONDS)),
            authenticated_at: seconds(token.claims.auth_time),
            methods: AuthMethods::from_amr(token.claims.amr.iter().map(String::as_str))?,
            client_id: token.claims.client_id,
            roles: Roles::parse(token.claims.roles.iter().map(String::as_str))?,
        })
    }

    fn refresh_proof(&self, realm: &Realm, token: &[u8]) -> Digest {
        // a signer has a key
        self.refresh_keys.first().map_or_else(|| Digest::from_bytes([0; 32]), |key| prove(key, realm, token))
    }

    fn verify_refresh_proof(&self, realm: &Realm, token: &[u8], proof: &Digest) -> bool {
        self.refresh_keys.iter().any(|key| prove(key, realm, token).matches(proof))
    }

    fn issuer(&self, realm: &Realm) -> String {
        format!("{}/{realm}", self.base)
    }

    fn jwks(&self) -> Option<String> {
        self.jwks.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    const SECRET: &str = "a-secret-for-tests-0123456789-abcdefghij";
    const ISSUER: &str = "https://auth.example";
    const NOW: i64 = 1_800_000_000;

    fn realm() -> Realm {
        Realm::parse("User1").unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn claims() -> Value {
        json!({
            "iss": format!("{ISSUER}/User1"), "aud": "User1", "sub": UserId::from_bytes([1; 16]).to_string(),
            "amr": ["pwd"], "acr": "aal1", "client_id": "User1",
            "jti": AccessTokenId::from_bytes([2; 16]).to_string(), "sid": SessionId::from_bytes([3; 16]).to_string(),
            "iat": NOW - EARLY_SECONDS, "nbf": NOW, "exp": NOW + 1800 - EARLY_SECONDS, "auth_time": NOW,
        })
    }

    fn forge(header: &Header, claims: &Value, key: &EncodingKey) -> String {
        encode(header, claims, key).unwrap()
    }

    /// Without `kid`, as earlier versions made it.
    fn plain_header() -> Header {
        Header { kid: None, ..header(Algorithm::HS256, 1) }
    }

    fn own(claims: &Value) -> String {
        forge(&plain_header(), claims, &EncodingKey::from_secret(SECRET.as_bytes()))
    }

    fn accepted(token: &str) -> bool {
        JwtSigner::hs256(&[(1, SECRET)], ISSUER).unwrap().verify(&realm(), token, at(NOW)).is_some()
    }

    #[test]
    fn a_signed_token_verifies_with_each_algorithm() {
        let make = [JwtSigner::hs256 as fn(&[(u32, &str)], &str) -> _, JwtSigner::eddsa, JwtSigner::es256];
        let signers = make.map(|make| make(&[(1, SECRET)], ISSUER).unwrap());
        for signer in &signers {
            let says = signer.verify(&realm(), &own(&claims()), at(NOW));
            assert_eq!(says.is_some(), signer.jwks.is_none());
            let claims =
                JwtSigner::hs256(&[(1, SECRET)], ISSUER).unwrap().verify(&realm(), &own(&claims()), at(NOW)).unwrap();
            let token = signer.sign(&claims).unwrap();
            assert_eq!(signer.verify(&realm(), token.expose(), at(NOW)), Some(claims));
            assert!(signer.verify(&Realm::parse("User2").unwrap(), token.expose(), at(NOW)).is_none());
            assert!(signer.verify(&realm(), token.expose(), at(NOW + 1799)).is_some());
            assert!(signer.verify(&realm(), token.expose(), at(NOW + 1800)).is_none());
            assert!(signer.verify(&realm(), token.expose(), at(NOW - 31)).is_none());
        }
        // another signing, another key: the older tokens end
        let says = signers[0].verify(&realm(), &own(&claims()), at(NOW)).unwrap();
        for (signer, curve, algorithm) in [(&signers[1], "Ed25519", "EdDSA"), (&signers[2], "P-256", "ES256")] {
            let token = signer.sign(&says).unwrap();
            let others = signers.iter().filter(|other| other.jwks != signer.jwks);
            assert!(others.into_iter().all(|other| other.verify(&realm(), token.expose(), at(NOW)).is_none()));
            let jwks: Value = serde_json::from_str(&signer.jwks().unwrap()).unwrap();
            assert_eq!((&jwks["keys"][0]["crv"], &jwks["keys"][0]["alg"]), (&json!(curve), &json!(algorithm)));
            assert!(jwks["keys"][0].get("d").is_none());
        }
    }

    #[test]
    fn keys_of_files_sign_and_the_secret_proves_refresh_tokens() {
        const NEW: &str = "a-newer-secret-for-tests-0123456789-abcdefg";
        let key = |secret| PrivateKey::derived(KeyKind::P256, secret).unwrap();
        let ring = [(2, key("new")), (1, key("old"))];
        let both = JwtSigner::with_keys(KeyKind::P256, &ring, &[(1, SECRET)], ISSUER).unwrap();
        let old = JwtSigner::with_keys(KeyKind::P256, &ring[1..], &[(1, SECRET)], ISSUER).unwrap();
        let says =
            JwtSigner::hs256(&[(1, SECRET)], ISSUER).unwrap().verify(&realm(), &own(&claims()), at(NOW)).unwrap();
        let token = old.sign(&says).unwrap();
        assert!(both.verify(&realm(), token.expose(), at(NOW)).is_some());
        // another secret ends refresh tokens, and access tokens stay
        let other = JwtSigner::with_keys(KeyKind::P256, &ring, &[(2, NEW)], ISSUER).unwrap();
        assert!(other.verify(&realm(), token.expose(), at(NOW)).is_some());
        assert!(!other.verify_refresh_proof(&realm(), b"token", &both.refresh_proof(&realm(), b"token")));
    }

    #[test]
    fn a_token_lives_as_long_as_its_key_is_in_the_ring() {
        const NEW: &str = "a-newer-secret-for-tests-0123456789-abcdefg";
        for make in [JwtSigner::hs256 as fn(&[(u32, &str)], &str) -> _, JwtSigner::eddsa, JwtSigner::es256] {
            let old = make(&[(1, SECRET)], ISSUER).unwrap();
            let before = make(&[(1, SECRET), (2, NEW)], ISSUER).unwrap();
            let both = make(&[(2, NEW), (1, SECRET)], ISSUER).unwrap();
            let new = make(&[(2, NEW)], ISSUER).unwrap();
            let says = JwtSigner::hs256(&[(1, SECRET)], ISSUER).unwrap().verify(&realm(), &own(&claims()), at(NOW));
            let says = says.unwrap();
            let (of_old, of_new) = (old.sign(&says).unwrap(), both.sign(&says).unwrap());
            let verifies =
                |signer: &JwtSigner, token: &SecretString| signer.verify(&realm(), token.expose(), at(NOW)).is_some();
            assert!(verifies(&both, &of_old) && verifies(&both, &of_new) && verifies(&before, &of_new));
            assert!(!verifies(&new, &of_old) && !verifies(&old, &of_new));
            let (old_proof, new_proof) =
                (old.refresh_proof(&realm(), b"token"), both.refresh_proof(&realm(), b"token"));
            assert!(both.verify_refresh_proof(&realm(), b"token", &old_proof));
            assert!(!new.verify_refresh_proof(&realm(), b"token", &old_proof) && old_proof != new_proof);
            assert!(!both.verify_refresh_proof(&Realm::parse("User2").unwrap(), b"token", &new_proof));
            // the number of an entry names one key
            let renamed = make(&[(3, SECRET)], ISSUER).unwrap();
            assert!(!verifies(&renamed, &of_old));
            if let Some(jwks) = both.jwks() {
                let jwks: Value = serde_json::from_str(&jwks).unwrap();
                assert_eq!((jwks["keys"][0]["kid"].as_str(), jwks["keys"][1]["kid"].as_str()), (Some("2"), Some("1")));
            }
        }
    }

    #[test]
    fn a_token_does_not_choose_its_algorithm_or_key() {
        let unsigned = |alg: &str| {
            let header = URL_SAFE_NO_PAD.encode(json!({"alg": alg, "typ": TYPE}).to_string());
            format!("{header}.{}.", URL_SAFE_NO_PAD.encode(claims().to_string()))
        };
        assert!(!accepted(&unsigned("none")) && !accepted(&unsigned("None")) && !accepted(&unsigned("HS256")));
        let hs512 = Header { typ: Some(TYPE.to_owned()), ..Header::new(Algorithm::HS512) };
        assert!(!accepted(&forge(&hs512, &claims(), &EncodingKey::from_secret(SECRET.as_bytes()))));
        let eddsa = JwtSigner::eddsa(&[(1, SECRET)], ISSUER).unwrap();
        let jwks: Value = serde_json::from_str(&eddsa.jwks().unwrap()).unwrap();
        let public = URL_SAFE_NO_PAD.decode(jwks["keys"][0]["x"].as_str().unwrap()).unwrap();
        let confused = forge(&plain_header(), &claims(), &EncodingKey::from_secret(&public));
        assert!(eddsa.verify(&realm(), &confused, at(NOW)).is_none());
        let other =
            Header { kid: Some("../../etc/passwd".into()), jku: Some("https://evil.example".into()), ..plain_header() };
        assert!(!accepted(&forge(
            &other,
            &claims(),
            &EncodingKey::from_secret(b"an-attackers-secret-0123456789-abcdef")
        )));
        let jwt = Header { typ: Some("JWT".into()), ..plain_header() };
        assert!(!accepted(&forge(&jwt, &claims(), &EncodingKey::from_secret(SECRET.as_bytes()))));
    }

    #[test]
    fn every_claim_is_required_and_of_its_type() {
        assert!(accepted(&own(&claims())));
        for claim in ["iss", "aud", "sub", "jti", "sid", "iat", "nbf", "exp", "auth_time"] {
            for value in [None, Some(json!(null)), Some(json!("x")), Some(json!([])), Some(json!({}))] {
                let mut changed = claims();
                match value {
                    Some(value) => changed[claim] = value,
                    None => drop(changed.as_object_mut().unwrap().remove(claim)),
                }
                assert!(!accepted(&own(&changed)), "{claim} {changed}");
            }
        }
        let mut many = claims();
        many["aud"] = json!(["User2", "User1"]);
        assert!(accepted(&own(&many)));
        many["aud"] = json!(["User2"]);
        assert!(!accepted(&own(&many)));
        many = claims();
        many["exp"] = json!((NOW + 1800).to_string());
        assert!(!accepted(&own(&many)));
    }

    #[test]
    fn a_token_has_one_spelling() {
        let token = own(&claims());
        assert!(accepted(&token));
        for at in 0..token.len() {
            let mut other = token.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            assert!(!accepted(std::str::from_utf8(&other).unwrap()), "changed at {at}");
        }
        assert!(
            !accepted(&token[..token.len() - 1]) && !accepted(&format!("{token}=")) && !accepted(&format!("{token}A"))
        );
        assert!(!accepted("") && !accepted("..") && !accepted(&"a".repeat(5000)));
    }
}
