//! JWTs for [`TokenSigner`]: one algorithm and one key from the operator's settings. A token's own header decides
//! nothing; what it says of key or place is not even looked at.

use hkdf::Hkdf;
use jsonwebtoken::jwk::{Jwk, JwkSet, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use portcullis_core::model::ids::{AccessTokenId, SessionId, UserId};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::secret::SecretString;
use portcullis_core::model::session::AuthMethods;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::token_signer::{AccessClaims, BACKDATED_SECONDS, TokenSigner};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

const PORT: &str = "token_signer";
/// No token of ours is longer.
const LONGEST: usize = 4096;
/// Clocks of instances may differ by this much, in seconds.
const LEEWAY: i64 = 30;
/// RFC 9068.
const TYPE: &str = "at+jwt";

/// Signs and verifies.
pub struct JwtSigner {
    header: Header,
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
    issuer: String,
    jwks: Option<String>,
}

/// The claims on the wire. Every one is required, of this very type.
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
    /// HMAC-SHA-256 under the UTF-8 text of a secret.
    ///
    /// # Errors
    /// Never in practice.
    pub fn hs256(secret: &str, issuer: &str) -> Result<Self, PortError> {
        Ok(Self {
            header: header(Algorithm::HS256),
            signing: EncodingKey::from_secret(secret.as_bytes()),
            verifying: DecodingKey::from_secret(secret.as_bytes()),
            validation: validation(Algorithm::HS256),
            issuer: issuer.to_owned(),
            jwks: None,
        })
    }

    /// Ed25519 with a key derived from the secret, so that all instances and all restarts agree on it.
    ///
    /// # Errors
    /// When the library refuses the key.
    pub fn eddsa(secret: &str, issuer: &str) -> Result<Self, PortError> {
        let mut seed = Zeroizing::new([0u8; 32]);
        let derived = Hkdf::<Sha256>::new(None, secret.as_bytes()).expand(b"portcullis/ed25519/v1", &mut *seed);
        derived.map_err(failed)?;
        // PKCS#8 (RFC 8410): version 0, Ed25519, the seed
        let prefix = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
        let der = Zeroizing::new([&prefix[..], &seed[..]].concat());
        let signing = EncodingKey::from_ed_der(&der);
        let mut jwk = Jwk::from_encoding_key(&signing, Algorithm::EdDSA).map_err(failed)?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(failed)?;
        jwk.common.key_id = Some(kid.clone());
        let verifying = DecodingKey::from_jwk(&jwk).map_err(failed)?;
        let jwks = serde_json::to_string(&JwkSet { keys: vec![jwk] }).map_err(failed)?;
        let header = Header { kid: Some(kid), ..header(Algorithm::EdDSA) };
        let validation = validation(Algorithm::EdDSA);
        Ok(Self { header, signing, verifying, validation, issuer: issuer.to_owned(), jwks: Some(jwks) })
    }

    fn accepts(&self, claims: &Claims, realm: &Realm, now: i64) -> bool {
        claims.iss == self.issuer
            && claims.aud.has(realm)
            && now < claims.exp
            && claims.nbf <= now + LEEWAY
            && claims.iat <= now + LEEWAY
    }
}

fn header(algorithm: Algorithm) -> Header {
    Header { typ: Some(TYPE.to_owned()), ..Header::new(algorithm) }
}

/// The signature alone: time and audience are checked by us, against the time that is handed in.
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
            iss: self.issuer.clone(),
            aud: Audience::One(claims.realm.to_string()),
            sub: claims.user.to_string(),
            jti: claims.id.to_string(),
            sid: claims.session.to_string(),
            iat: claims.issued_at.as_secs(),
            nbf: claims.issued_at.as_secs() - BACKDATED_SECONDS,
            exp: claims.expires_at.as_secs(),
            auth_time: claims.authenticated_at.as_secs(),
            amr: claims.methods.amr().into_iter().map(str::to_owned).collect(),
            acr: claims.methods.acr().to_owned(),
            client_id: claims.realm.to_string(),
        };
        encode(&self.header, &claims, &self.signing).map(SecretString::new).map_err(failed)
    }

    fn verify(&self, realm: &Realm, token: &str, now: Timestamp) -> Option<AccessClaims> {
        if token.len() > LONGEST {
            return None;
        }
        let token = decode::<Claims>(token, &self.verifying, &self.validation).ok()?;
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
            issued_at: seconds(token.claims.iat),
            expires_at: seconds(token.claims.exp),
            authenticated_at: seconds(token.claims.auth_time),
            methods: AuthMethods::from_amr(token.claims.amr.iter().map(String::as_str))?,
        })
    }

    fn issuer(&self) -> &str {
        &self.issuer
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
            "iss": ISSUER, "aud": "User1", "sub": UserId::from_bytes([1; 16]).to_string(),
            "amr": ["pwd"], "acr": "aal1", "client_id": "User1",
            "jti": AccessTokenId::from_bytes([2; 16]).to_string(), "sid": SessionId::from_bytes([3; 16]).to_string(),
            "iat": NOW, "nbf": NOW, "exp": NOW + 1800, "auth_time": NOW,
        })
    }

    fn forge(header: &Header, claims: &Value, key: &EncodingKey) -> String {
        encode(header, claims, key).unwrap()
    }

    fn own(claims: &Value) -> String {
        forge(&header(Algorithm::HS256), claims, &EncodingKey::from_secret(SECRET.as_bytes()))
    }

    fn accepted(token: &str) -> bool {
        JwtSigner::hs256(SECRET, ISSUER).unwrap().verify(&realm(), token, at(NOW)).is_some()
    }

    #[test]
    fn what_is_signed_is_verified_by_either_algorithm() {
        let signers = [JwtSigner::hs256(SECRET, ISSUER).unwrap(), JwtSigner::eddsa(SECRET, ISSUER).unwrap()];
        for signer in &signers {
            let says = signer.verify(&realm(), &own(&claims()), at(NOW));
            assert_eq!(says.is_some(), signer.jwks.is_none());
            let claims = JwtSigner::hs256(SECRET, ISSUER).unwrap().verify(&realm(), &own(&claims()), at(NOW)).unwrap();
            let token = signer.sign(&claims).unwrap();
            assert_eq!(signer.verify(&realm(), token.expose(), at(NOW)), Some(claims));
            assert!(signer.verify(&Realm::parse("User2").unwrap(), token.expose(), at(NOW)).is_none());
            assert!(signer.verify(&realm(), token.expose(), at(NOW + 1799)).is_some());
            assert!(signer.verify(&realm(), token.expose(), at(NOW + 1800)).is_none());
            assert!(signer.verify(&realm(), token.expose(), at(NOW - 31)).is_none());
        }
        // another signing, another key: the older tokens end
        let eddsa = signers[1].sign(&signers[0].verify(&realm(), &own(&claims()), at(NOW)).unwrap()).unwrap();
        assert!(!accepted(eddsa.expose()));
        let jwks: Value = serde_json::from_str(&signers[1].jwks().unwrap()).unwrap();
        assert_eq!(jwks["keys"][0]["crv"], "Ed25519");
        assert!(jwks["keys"][0].get("d").is_none());
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
        let eddsa = JwtSigner::eddsa(SECRET, ISSUER).unwrap();
        let jwks: Value = serde_json::from_str(&eddsa.jwks().unwrap()).unwrap();
        let public = URL_SAFE_NO_PAD.decode(jwks["keys"][0]["x"].as_str().unwrap()).unwrap();
        let confused = forge(&header(Algorithm::HS256), &claims(), &EncodingKey::from_secret(&public));
        assert!(eddsa.verify(&realm(), &confused, at(NOW)).is_none());
        let other = Header {
            kid: Some("../../etc/passwd".into()),
            jku: Some("https://evil.example".into()),
            ..header(Algorithm::HS256)
        };
        assert!(!accepted(&forge(
            &other,
            &claims(),
            &EncodingKey::from_secret(b"an-attackers-secret-0123456789-abcdef")
        )));
        let jwt = Header { typ: Some("JWT".into()), ..header(Algorithm::HS256) };
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
