//! Responses of passkeys that a server must refuse (WebAuthn Level 3, sections 7.1 and 7.2): each is a good one with one
//! mistake. `fuzz/corpus` has them as files, `tests/http` sends them to a server.

use std::ops::Range;

use portcullis_server::testkit::authenticator::{Authenticator, Draft, PRESENT, VERIFIED};
use serde_json::{Map, Value, json};

/// Where authenticator data begin in the attestation object of an [`Authenticator`].
const DATA: usize = 30;
/// Where the flags are in authenticator data.
const FLAGS: usize = 32;
/// Where the public key begins in authenticator data.
const KEY: usize = 37 + 16 + 2 + 32;
/// The flag of a credential that is on more than one device.
const BACKED_UP: u8 = 0x10;
/// The flag of credential data.
const ATTESTED: u8 = 0x40;
/// The flag of extensions.
const EXTENDED: u8 = 0x80;

/// What is made wrong.
#[derive(Clone, Copy)]
pub enum Mistake {
    /// A fact that authenticator or browser report.
    Fact(fn(&mut Authenticator)),
    /// A member of the client data.
    ClientData(fn(&mut Map<String, Value>)),
    /// The text of the client data.
    ClientText(fn(&str) -> String),
    /// The attestation object of a new passkey, or the authenticator data of a signature.
    Data(fn(&mut Vec<u8>)),
}

/// A mistake with its name.
pub type Named = (&'static str, Mistake);

/// The origin of the page.
pub const ORIGIN: &str = "https://app.example.com";

/// Mistakes of both kinds of responses.
const OF_BOTH: &[Named] = &[
    ("another-origin", Mistake::Fact(|it| it.origin = String::from("https://example.com.evil.test"))),
    ("a-host-that-is-not-listed", Mistake::Fact(|it| it.origin = String::from("https://other.example.com"))),
    ("another-port", Mistake::Fact(|it| it.origin = format!("{ORIGIN}:8443"))),
    ("another-scheme", Mistake::Fact(|it| it.origin = String::from("http://app.example.com"))),
    ("an-origin-with-more-behind", Mistake::Fact(|it| it.origin = format!("{ORIGIN}.evil.test"))),
    ("an-origin-with-a-path", Mistake::Fact(|it| it.origin = format!("{ORIGIN}/path"))),
    ("an-origin-in-upper-case", Mistake::Fact(|it| it.origin = String::from("https://APP.example.com"))),
    ("another-rp-id", Mistake::Fact(|it| it.rp_id = Some("evil.test".to_owned()))),
    ("a-host-below-the-rp-id-as-rp-id", Mistake::Fact(|it| it.rp_id = Some("app.example.com".to_owned()))),
    ("not-present", Mistake::Fact(|it| it.flags &= !PRESENT)),
    ("not-verified", Mistake::Fact(|it| it.flags &= !VERIFIED)),
    ("backed-up-but-not-eligible", Mistake::Fact(|it| it.flags |= BACKED_UP)),
    ("a-frame-of-another-origin", Mistake::Fact(|it| it.cross_origin = true)),
    ("a-top-origin", Mistake::ClientData(|it| put(it, "topOrigin", json!("https://evil.test")))),
    ("its-own-top-origin", Mistake::ClientData(|it| put(it, "topOrigin", json!(ORIGIN)))),
    ("cross-origin-as-text", Mistake::ClientData(|it| put(it, "crossOrigin", json!("false")))),
    ("another-type", Mistake::ClientData(|it| put(it, "type", json!("payment.get")))),
    ("without-type", Mistake::ClientData(|it| drop(it.remove("type")))),
    ("another-challenge", Mistake::ClientData(|it| put(it, "challenge", json!("A".repeat(43))))),
    ("without-challenge", Mistake::ClientData(|it| drop(it.remove("challenge")))),
    ("an-empty-challenge", Mistake::ClientData(|it| put(it, "challenge", json!("")))),
    ("without-origin", Mistake::ClientData(|it| drop(it.remove("origin")))),
    ("an-origin-twice", Mistake::ClientText(|it| it.replacen('{', r#"{"origin":"https://evil.test","#, 1))),
    ("client-data-cut-short", Mistake::ClientText(|it| it[..it.len() - 1].to_owned())),
    ("text-behind-client-data", Mistake::ClientText(|it| format!("{it}{it}"))),
];

/// Mistakes of a new passkey.
#[must_use]
pub fn of_creations() -> Vec<Named> {
    let mut all = OF_BOTH.to_vec();
    all.extend(OF_OBJECTS);
    all.extend(OF_NEW_DATA);
    all.extend(OF_KEYS);
    all
}

/// Mistakes of the attestation object of a new passkey.
const OF_OBJECTS: &[Named] = &[
    ("the-type-of-a-signature", Mistake::ClientData(|it| put(it, "type", json!("webauthn.get")))),
    ("bytes-behind-the-object", Mistake::Data(|it| it.push(0))),
    ("an-object-cut-short", Mistake::Data(|it| it.truncate(it.len() - 1))),
    ("an-object-without-its-end", Mistake::Data(|it| it.truncate(DATA + 40))),
    ("an-empty-object", Mistake::Data(Vec::clear)),
    ("bytes-behind-the-data", Mistake::Data(|it| in_data(it, |data| data.push(0)))),
    ("a-key-behind-the-data", Mistake::Data(|it| in_data(it, |data| data.extend_from_within(KEY..)))),
    ("a-format-twice", Mistake::Data(|it| replace(it, 0..1, b"\xa4\x63fmt\x64none"))),
    (
        "data-twice",
        Mistake::Data(|it| {
            it[0] = 0xa4;
            it.extend_from_within(DATA - 11..);
        }),
    ),
    ("an-unknown-format", Mistake::Data(|it| replace(it, 6..10, b"fake"))),
    ("a-format-of-the-wrong-type", Mistake::Data(|it| replace(it, 5..10, b"\x07"))),
    ("a-statement-of-the-wrong-type", Mistake::Data(|it| replace(it, 18..19, b"\x07"))),
    ("no-attestation-with-a-statement", Mistake::Data(|it| replace(it, 18..19, b"\xa1\x63alg\x26"))),
    (
        "an-attestation-that-is-not-signed",
        Mistake::Data(|it| {
            replace(it, 5..19, b"\x66packed\x67attStmt\xa2\x63alg\x26\x63sig\x44\0\0\0\0");
        }),
    ),
];

/// Mistakes of its authenticator data.
const OF_NEW_DATA: &[Named] = &[
    ("without-credential-data", Mistake::Data(|it| in_data(it, |data| data[FLAGS] &= !ATTESTED))),
    ("extensions-that-are-not-there", Mistake::Data(|it| in_data(it, |data| data[FLAGS] |= EXTENDED))),
    (
        "extensions-twice",
        Mistake::Data(|it| {
            in_data(it, |data| {
                data[FLAGS] |= EXTENDED;
                data.extend(b"\xa2\x6bcredProtect\x01\x6bcredProtect\x02");
            });
        }),
    ),
    ("an-id-longer-than-the-data", Mistake::Data(|it| in_data(it, |data| data[37 + 16] = 0xff))),
];

/// Mistakes of its public key.
const OF_KEYS: &[Named] = &[
    (
        "a-part-of-the-key-twice",
        Mistake::Data(|it| {
            in_data(it, |data| {
                data[KEY] = 0xa6;
                data.extend(b"\x03\x26");
            });
        }),
    ),
    (
        "the-key-without-its-type",
        Mistake::Data(|it| {
            in_data(it, |data| {
                replace(data, KEY..KEY + 3, b"\xa4");
            });
        }),
    ),
    (
        "the-key-without-algorithm",
        Mistake::Data(|it| {
            in_data(it, |data| {
                replace(data, KEY + 3..KEY + 5, b"");
                data[KEY] = 0xa4;
            });
        }),
    ),
    (
        "the-algorithm-of-another-curve",
        Mistake::Data(|it| in_data(it, |data| replace(data, KEY + 4..KEY + 5, b"\x38\x22"))),
    ),
    ("the-algorithm-of-rsa", Mistake::Data(|it| in_data(it, |data| replace(data, KEY + 4..KEY + 5, b"\x39\x01\0")))),
    ("another-curve", Mistake::Data(|it| in_data(it, |data| data[KEY + 7] = 2))),
    ("a-point-beside-the-curve", Mistake::Data(|it| in_data(it, |data| data[KEY + 20] ^= 1))),
    (
        "a-key-of-eddsa",
        Mistake::Data(|it| {
            in_data(it, |data| {
                let x = data.split_off(KEY);
                data.extend(b"\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20");
                data.extend_from_slice(&x[10..42]);
            });
        }),
    ),
];

/// Mistakes of a signature.
#[must_use]
pub fn of_signatures() -> Vec<Named> {
    let mut all = OF_BOTH.to_vec();
    all.extend([
        ("the-type-of-a-new-passkey", Mistake::ClientData(|it| put(it, "type", json!("webauthn.create")))),
        ("bytes-behind-the-data", Mistake::Data(|it| it.push(0))),
        ("data-cut-short", Mistake::Data(|it| it.truncate(36))),
        ("no-data", Mistake::Data(Vec::clear)),
        ("credential-data-that-are-not-there", Mistake::Data(|it| it[FLAGS] |= ATTESTED)),
        ("extensions-that-are-not-there", Mistake::Data(|it| it[FLAGS] |= EXTENDED)),
        (
            "extensions-twice",
            Mistake::Data(|it| {
                it[FLAGS] |= EXTENDED;
                it.extend(b"\xa2\x61a\x01\x61a\x02");
            }),
        ),
        ("eligible-for-backup-all-at-once", Mistake::Data(|it| it[FLAGS] |= 0x08)),
    ]);
    all
}

fn put(members: &mut Map<String, Value>, name: &str, value: Value) {
    members.insert(name.to_owned(), value);
}

fn replace(bytes: &mut Vec<u8>, range: Range<usize>, by: &[u8]) {
    drop(bytes.splice(range, by.iter().copied()));
}

/// Changes the authenticator data of an attestation object, which end it.
fn in_data(object: &mut Vec<u8>, change: fn(&mut Vec<u8>)) {
    let mut data = object.split_off(DATA);
    change(&mut data);
    object[DATA - 1] = u8::try_from(data.len()).expect("short data");
    object.extend(data);
}

/// The draft of an answer with a mistake; `draft` makes it.
///
/// # Panics
/// When the authenticator makes none.
pub fn spoil(
    mistake: Mistake,
    authenticator: &mut Authenticator,
    draft: impl FnOnce(&mut Authenticator) -> Option<Draft>,
) -> Draft {
    let before = (authenticator.origin.clone(), authenticator.flags);
    if let Mistake::Fact(make_wrong) = mistake {
        make_wrong(authenticator);
    }
    let mut draft = draft(authenticator).expect("a draft");
    (authenticator.origin, authenticator.flags) = before;
    (authenticator.rp_id, authenticator.cross_origin) = (None, false);
    match mistake {
        Mistake::Fact(_) => {}
        Mistake::ClientData(change) => {
            let mut members = serde_json::from_slice(&draft.client_data).expect("client data");
            change(&mut members);
            draft.client_data = serde_json::to_vec(&members).expect("client data");
        }
        Mistake::ClientText(change) => {
            draft.client_data = change(&String::from_utf8_lossy(&draft.client_data)).into_bytes();
        }
        Mistake::Data(change) => change(&mut draft.data),
    }
    draft
}
