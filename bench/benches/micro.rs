//! The pieces of a request, one at a time: what each costs where nothing else runs.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use portcullis_adapters::crypto::field_cipher::AesGcmCipher;
use portcullis_adapters::crypto::keyed_digest::HmacDigest;
use portcullis_adapters::crypto::token_signer::JwtSigner;
use portcullis_adapters::limits::Buckets;
use portcullis_adapters::system::randomness::OsRandomness;
use portcullis_core::model::country::CountryCode;
use portcullis_core::model::email::Email;
use portcullis_core::model::ids::{AccessTokenId, SessionId, UserId};
use portcullis_core::model::password::PasswordRules;
use portcullis_core::model::phone::{Phone, PhoneValidation};
use portcullis_core::model::quota::{Bucket, Quota};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::registration_form::{FormRules, RegistrationForm};
use portcullis_core::model::role::Roles;
use portcullis_core::model::sealed::{AadContext, Field};
use portcullis_core::model::session::AuthMethods;
use portcullis_core::model::strength::{StrengthContext, estimate};
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::field_cipher::FieldCipher as _;
use portcullis_core::ports::keyed_digest::{Domain, KeyedDigest as _};
use portcullis_core::ports::token_signer::{AccessClaims, TokenSigner as _};

const SECRET: &str = "Vt4kQ9sZrX2mLw7uYb3nHc8eGd5jPf6aTq1oRi0x";
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn realm() -> Realm {
    Realm::parse("User1").expect("a realm")
}

fn sealing(c: &mut Criterion) {
    let cipher = AesGcmCipher::new(&[(1, [7; 32])], Arc::new(OsRandomness)).expect("a cipher");
    let (realm, record) = (realm(), [9; 16]);
    let place = |field| AadContext { realm: &realm, record: &record, field };
    let (key, wrapped) = cipher.new_key(place(Field::Key)).expect("a key");
    let sealed = cipher.seal(&key, place(Field::Email), b"ada.lovelace@example.org").expect("sealed");
    c.bench_function("new data key", |b| b.iter(|| cipher.new_key(place(Field::Key))));
    c.bench_function("unwrap data key", |b| b.iter(|| cipher.unwrap(black_box(&wrapped), place(Field::Key))));
    c.bench_function("seal a field", |b| {
        b.iter(|| cipher.seal(&key, place(Field::Email), black_box(b"ada.lovelace@example.org")));
    });
    c.bench_function("open a field", |b| b.iter(|| cipher.open(&key, place(Field::Email), black_box(&sealed))));
}

fn digests(c: &mut Criterion) {
    let (digests, realm) = (HmacDigest::new(SECRET.as_bytes()), realm());
    c.bench_function("blind index", |b| {
        b.iter(|| digests.digest(Domain::Email, &realm, &[black_box(b"ada.lovelace@example.org")]));
    });
}

fn tokens(c: &mut Criterion) {
    let realm = realm();
    let claims = AccessClaims {
        realm: realm.clone(),
        user: UserId::from_bytes([1; 16]),
        session: SessionId::from_bytes([2; 16]),
        id: AccessTokenId::from_bytes([3; 16]),
        issued_at: NOW,
        expires_at: NOW + Duration::from_secs(1800),
        authenticated_at: NOW,
        methods: AuthMethods::PASSWORD,
        client_id: realm.to_string(),
        roles: Roles::default(),
    };
    let signers = [
        ("HS256", JwtSigner::hs256(&[(1, SECRET)], "http://127.0.0.1:8000")),
        ("EdDSA", JwtSigner::eddsa(&[(1, SECRET)], "http://127.0.0.1:8000")),
        ("ES256", JwtSigner::es256(&[(1, SECRET)], "http://127.0.0.1:8000")),
    ];
    for (name, signer) in signers {
        let signer = signer.expect("a signer");
        let token = signer.sign(&claims).expect("a token");
        c.bench_function(&format!("sign a token, {name}"), |b| b.iter(|| signer.sign(black_box(&claims))));
        c.bench_function(&format!("check a token, {name}"), |b| {
            b.iter(|| signer.verify(&realm, black_box(token.expose()), NOW));
        });
    }
}

fn limits(c: &mut Criterion) {
    let (buckets, realm) = (Buckets::default(), realm());
    let digests = HmacDigest::new(SECRET.as_bytes());
    let quota = Quota::new(60, Duration::from_secs(60));
    let bucket = |n: u32| Bucket {
        realm: realm.clone(),
        operation: "profile",
        who: digests.digest(Domain::ClientAddress, &realm, &[&n.to_be_bytes()]),
    };
    let crowd: Vec<Bucket> = (0..10_000).map(bucket).collect();
    let mut turns = crowd.iter().cycle();
    c.bench_function("take from a limit, one of 10,000 addresses", |b| {
        b.iter(|| turns.next().map(|bucket| buckets.take(black_box(bucket), &quota, NOW)));
    });
}

fn parsing(c: &mut Criterion) {
    c.bench_function("parse an e-mail", |b| b.iter(|| Email::parse(black_box("Ada.Lovelace@example.org"))));
    c.bench_function("parse an e-mail of an IDN domain", |b| b.iter(|| Email::parse(black_box("ada@bücher.example"))));
    let country = CountryCode::parse("US").expect("a country");
    for (name, validation) in [("E.164", PhoneValidation::E164), ("numbering plan", PhoneValidation::Strict)] {
        c.bench_function(&format!("parse a phone, {name}"), |b| {
            b.iter(|| Phone::parse(black_box("+12025550123"), &country, validation));
        });
    }
    let passwords = PasswordRules::nist_mfa();
    let rules = FormRules {
        passwords: &passwords,
        smtputf8: false,
        phones: PhoneValidation::E164,
        app_name: "Portcullis",
        current_year: 2026,
    };
    let form = RegistrationForm {
        first_name: Some("Ada"),
        last_name: Some("Lovelace"),
        email: Some("ada.lovelace@example.org"),
        phone: Some("+12025550123"),
        country_code: Some("US"),
        password: Some("walnut-Harbor-31-violin"),
    };
    c.bench_function("parse a registration, score included", |b| b.iter(|| black_box(&form).parse(&rules)));
}

fn scoring(c: &mut Criterion) {
    let context = StrengthContext::new(&["Ada", "Lovelace"], Some("ada@example.org"), "Portcullis", 2026);
    let long = "x7-".repeat(33);
    for (name, password) in [("8 characters", "kq7!Zp2#"), ("23 characters", "walnut-Harbor-31-violin"), ("99", &long)]
    {
        c.bench_function(&format!("score a password, {name}"), |b| b.iter(|| estimate(black_box(password), &context)));
    }
}

criterion_group!(micro, sealing, digests, tokens, limits, parsing, scoring);
criterion_main!(micro);
