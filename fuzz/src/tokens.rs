//! Access and refresh tokens, and the hashes of passwords.

use std::sync::{Arc, OnceLock};

use portcullis_adapters::crypto::password_hasher::{Argon2Pool, Parameters};
use portcullis_adapters::crypto::token_signer::JwtSigner;
use portcullis_core::model::ids::{AccessTokenId, SessionId, UserId};
use portcullis_core::model::password::Password;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::role::Roles;
use portcullis_core::model::session::AuthMethods;
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::user::PasswordHash;
use portcullis_core::policy::Policy;
use portcullis_core::ports::password_hasher::PasswordHasher;
use portcullis_core::ports::token_signer::{AccessClaims, TokenSigner};
use portcullis_core::service::AuthService;
use portcullis_testkit::race::block_on;
use portcullis_testkit::world::TestWorld;

const NOW: i64 = 1_798_804_800_000;

fn realm(name: &str) -> Realm {
    Realm::parse(name).expect("a realm")
}

fn claims() -> AccessClaims {
    AccessClaims {
        realm: realm("User1"),
        user: UserId::from_bytes([1; 16]),
        session: SessionId::from_bytes([2; 16]),
        id: AccessTokenId::from_bytes([3; 16]),
        issued_at: Timestamp::from_millis(NOW),
        expires_at: Timestamp::from_millis(NOW + 1_800_000),
        authenticated_at: Timestamp::from_millis(NOW),
        methods: AuthMethods::from_amr(["pwd"]).expect("methods"),
        client_id: "User1".to_owned(),
        roles: Roles::parse(["admin", "billing:read"]).expect("roles"),
    }
}

/// Signers of each kind, with a genuine token of each.
fn signers() -> &'static [(JwtSigner, String); 3] {
    static SIGNERS: OnceLock<[(JwtSigner, String); 3]> = OnceLock::new();
    SIGNERS.get_or_init(|| {
        let secret = "kX9vQ2mT7rB4nL8wZ1cF6hJ3pD5sG0yA";
        let issuer = "https://auth.example.com";
        let make = [JwtSigner::hs256 as fn(&[(u32, &str)], &str) -> _, JwtSigner::eddsa, JwtSigner::es256];
        make.map(|make| {
            let signer = make(&[(1, secret)], issuer).expect("a signer");
            let token = signer.sign(&claims()).expect("a token").expose().to_owned();
            (signer, token)
        })
    })
}

/// The genuine access tokens, for the corpus.
#[must_use]
pub fn genuine_access_tokens() -> Vec<Vec<u8>> {
    signers().iter().map(|(_, token)| token.clone().into_bytes()).collect()
}

/// No other text than the genuine token is accepted, by its own signer, in its own realm, in its own time.
pub fn access_token(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for (signer, genuine) in signers() {
        let accepted = signer.verify(&realm("User1"), &text, Timestamp::from_millis(NOW + 1000));
        assert_eq!(accepted.is_some(), text == genuine.as_str(), "{text:?}");
        assert!(accepted.is_none_or(|accepted| accepted == claims()));
        assert!(signer.verify(&realm("User2"), &text, Timestamp::from_millis(NOW + 1000)).is_none());
        assert!(signer.verify(&realm("User1"), &text, Timestamp::from_millis(NOW + 3_600_000)).is_none());
    }
}

/// A refresh token that was never issued is refused, and ends no session.
pub fn refresh_token(data: &[u8]) {
    static SERVICE: OnceLock<AuthService> = OnceLock::new();
    let service = SERVICE.get_or_init(|| AuthService::new(TestWorld::new(1).ports(), Policy::default()));
    let text = String::from_utf8_lossy(data);
    let refreshed = block_on(service.sessions().refresh(&realm("User1"), &text));
    assert!(refreshed.is_err(), "{text:?}");
    let introspected = block_on(service.sessions().introspect(&realm("User1"), &text)).expect("an answer");
    assert!(introspected.is_none(), "{text:?}");
    block_on(service.sessions().revoke(&realm("User1"), &text)).expect("revoking an unknown token is no error");
}

/// A stored hash that can be read is bounded in cost, and no other hash than the genuine one matches.
pub fn phc_string(data: &[u8]) {
    static HASHER: OnceLock<(Arc<Argon2Pool>, PasswordHash)> = OnceLock::new();
    let (hasher, genuine) = HASHER.get_or_init(|| {
        let parameters = Parameters { memory_kib: 64, iterations: 1, parallelism: 1 };
        let hasher = Argon2Pool::start(parameters, 1, 8).expect("a hasher");
        let genuine = block_on(hasher.hash(password(), [7; 16])).expect("a hash");
        (Arc::new(hasher), genuine)
    });
    let stored = PasswordHash::new(String::from_utf8_lossy(data).into_owned());
    let _ = hasher.is_outdated(&stored);
    // what is cheap is computed, too
    if stored.as_str().contains("$m=64,t=1,p=1$") {
        let computed = block_on(hasher.hash_like(password(), stored.clone()));
        let matches = computed.is_ok_and(|computed| computed.matches(&stored));
        let same_salt = stored.as_str().contains(genuine.as_str().rsplit('$').nth(1).unwrap_or_default());
        assert!(!matches || (same_salt && stored.as_str().starts_with("$argon2")), "{:?}", stored.as_str());
    }
}

/// The genuine hash, for the corpus.
#[must_use]
pub fn genuine_hash() -> Vec<u8> {
    let parameters = Parameters { memory_kib: 64, iterations: 1, parallelism: 1 };
    let hasher = Argon2Pool::start(parameters, 1, 8).expect("a hasher");
    block_on(hasher.hash(password(), [7; 16])).expect("a hash").as_str().as_bytes().to_vec()
}

fn password() -> Password {
    Password::from_login_input("kq7!Zp2#vW9x").expect("a password")
}
