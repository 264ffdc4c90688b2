//! Strict checks of a passkey response, before webauthn-rs parses it. The library ignores the type of a credential and
//! trailing bytes after authenticator data, takes the last of duplicate members, and does not know `topOrigin`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use portcullis_core::ports::passkey_verifier::PasskeyRefused;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use webauthn_rs::prelude::Url;

/// The offset of the flags in authenticator data (WebAuthn Level 3, section 6.1).
const FLAGS: usize = 32;
/// The length of authenticator data up to and including the counter.
const UP_TO_COUNTER: usize = 37;
/// The length of the AAGUID.
const AAGUID: usize = 16;
/// Flag BE: the credential may be backed up, so that it may be on more than one device.
const BACKUP_ELIGIBLE: u8 = 0x08;
/// Flag BS: the credential is backed up.
const BACKED_UP: u8 = 0x10;
/// Flag AT: attested credential data follow.
const ATTESTED: u8 = 0x40;
/// Flag ED: extensions follow.
const EXTENDED: u8 = 0x80;

/// Checks the type of a credential.
pub fn check_type(credential: &str) -> Result<(), PasskeyRefused> {
    if credential == "public-key" { Ok(()) } else { Err(refused("the type of the credential is not public-key")) }
}

/// Checks client data: JSON without duplicate members, an origin in the form that browsers write, and no cross-origin
/// frame (`crossOrigin`, `topOrigin`).
pub fn check_client_data(bytes: &[u8]) -> Result<(), PasskeyRefused> {
    let _: Unique<String> = serde_json::from_slice(bytes).map_err(refused)?;
    let data: Value = serde_json::from_slice(bytes).map_err(refused)?;
    let is_same_origin = data.get("crossOrigin").is_none_or(|cross_origin| *cross_origin == Value::Bool(false));
    // the library compares parsed URLs: it would accept an origin with a path
    let origin = data.get("origin").and_then(Value::as_str).unwrap_or_default();
    let canonical = Url::parse(origin).map(|url| match url.origin() {
        origin if origin.is_tuple() => origin.ascii_serialization(),
        // the origin of a native app, such as `android:apk-key-hash:…`
        _ => url.into(),
    });
    if canonical.is_ok_and(|canonical| canonical != origin) {
        return Err(refused("the origin is not in the form that browsers write"));
    }
    if is_same_origin && data.get("topOrigin").is_none() { Ok(()) } else { Err(refused("a cross-origin frame")) }
}

/// Checks an attestation object and the authenticator data in it.
pub fn check_attestation(bytes: &[u8]) -> Result<(), PasskeyRefused> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Attestation<'a> {
        fmt: &'a str,
        att_stmt: serde_cbor_2::Value,
        auth_data: &'a [u8],
    }
    if !skip_cbor_item(bytes)?.is_empty() {
        return Err(refused("trailing bytes after the attestation object"));
    }
    let attestation: Attestation<'_> = serde_cbor_2::from_slice(bytes).map_err(refused)?;
    if attestation.fmt == "none" && attestation.att_stmt != serde_cbor_2::Value::Map(BTreeMap::new()) {
        return Err(refused("the attestation format is none, but there is a statement"));
    }
    check_authenticator_data(attestation.auth_data)
}

/// Checks authenticator data: its flags are consistent, it has the parts that they announce, and no trailing bytes.
pub fn check_authenticator_data(bytes: &[u8]) -> Result<(), PasskeyRefused> {
    let short = || refused("authenticator data is too short");
    let (flags, mut rest) = (bytes.get(FLAGS).ok_or_else(short)?, bytes.get(UP_TO_COUNTER..).ok_or_else(short)?);
    if flags & BACKED_UP != 0 && flags & BACKUP_ELIGIBLE == 0 {
        return Err(refused("backed up, but not eligible for backup"));
    }
    if flags & ATTESTED != 0 {
        let (length, after_length) = rest.get(AAGUID..).and_then(<[u8]>::split_first_chunk).ok_or_else(short)?;
        rest = skip_cbor_item(after_length.get(usize::from(u16::from_be_bytes(*length))..).ok_or_else(short)?)?;
    }
    if flags & EXTENDED != 0 {
        rest = skip_cbor_item(rest)?;
    }
    if rest.is_empty() { Ok(()) } else { Err(refused("trailing bytes after authenticator data")) }
}

/// Checks that the maps of a CBOR item have no duplicate keys. Returns the bytes after the item.
fn skip_cbor_item(bytes: &[u8]) -> Result<&[u8], PasskeyRefused> {
    let mut reader = serde_cbor_2::Deserializer::from_slice(bytes);
    Unique::<serde_cbor_2::Value>::deserialize(&mut reader).map_err(refused)?;
    bytes.get(reader.byte_offset()..).ok_or_else(|| refused("no CBOR"))
}

fn refused(error: impl fmt::Display) -> PasskeyRefused {
    PasskeyRefused(error.to_string())
}

/// Any value whose maps have no duplicate keys. `K` is the type of keys.
struct Unique<K>(PhantomData<K>);

impl<'de, K: DeserializeOwned + Ord> Deserialize<'de> for Unique<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self(PhantomData))
    }
}

/// The visitor methods for scalar values.
macro_rules! scalars {
    ($($name:ident: $kind:ty),*) => {
        $(fn $name<E: Error>(self, _: $kind) -> Result<Self, E> {
            Ok(self)
        })*
    };
}

impl<'de, K: DeserializeOwned + Ord> Visitor<'de> for Unique<K> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value whose maps have no duplicate keys")
    }

    scalars!(visit_bool: bool, visit_i64: i64, visit_i128: i128, visit_u64: u64, visit_u128: u128, visit_f64: f64,
        visit_str: &str, visit_bytes: &[u8]);

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_none<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        let mut known = BTreeSet::new();
        while let Some(key) = members.next_key::<K>()? {
            members.next_value::<Self>()?;
            if !known.insert(key) {
                return Err(A::Error::custom("a duplicate key"));
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_keys_and_foreign_origins_are_refused() {
        for good in [
            r#"{"origin":"https://a.example:8443","a":[{"b":1},{"b":1}],"c":null,"crossOrigin":false}"#,
            r#"{"origin":"android:apk-key-hash:Abc-_"}"#,
        ] {
            assert!(check_client_data(good.as_bytes()).is_ok(), "{good}");
        }
        for wrong in [
            r#"{"origin":"https://a.example/"}"#,
            r#"{"origin":"https://a.example/b"}"#,
            r#"{"origin":"https://A.example"}"#,
            r#"{"origin":"https://a.example:443"}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":{"b":1,"\u0062":1}}"#,
            r#"{"a":[{"b":1,"b":2}]}"#,
            r#"{"crossOrigin":true}"#,
            r#"{"crossOrigin":null}"#,
            r#"{"topOrigin":"https://a.example"}"#,
            r#"{"a":1}x"#,
            "",
        ] {
            assert!(check_client_data(wrong.as_bytes()).is_err(), "{wrong}");
        }
        // {1: 2, -1: [h'00', {}]}
        assert_eq!(skip_cbor_item(b"\xa2\x01\x02\x20\x82\x41\x00\xa0rest").unwrap(), b"rest");
        // a duplicate key; the same in a longer encoding; the same in a nested map; a truncated map
        for wrong in
            [&b"\xa2\x01\x02\x01\x02"[..], b"\xa2\x01\x02\x18\x01\x02", b"\x81\xa2\x01\x02\x01\x02", b"\xa2\x01\x02"]
        {
            assert!(skip_cbor_item(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn authenticator_data_has_the_parts_that_its_flags_announce() {
        let data = |flags: u8, rest: &[u8]| [&[7; 32][..], &[flags], &[0; 4], rest].concat();
        let attested = [&[0; AAGUID][..], b"\0\x02id\xa1\x01\x02"].concat();
        for (flags, rest) in [(0x05, &b""[..]), (0x1d, b""), (0x45, &attested), (0x85, b"\xa0")] {
            assert!(check_authenticator_data(&data(flags, rest)).is_ok(), "{flags:x}");
            assert!(check_authenticator_data(&data(flags, &[rest, b"\0"].concat())).is_err(), "{flags:x}");
        }
        for (flags, rest) in [(0x15, &b""[..]), (0x45, b""), (0x45, &attested[..20]), (0x85, b""), (0xc5, &attested)] {
            assert!(check_authenticator_data(&data(flags, rest)).is_err(), "{flags:x}");
        }
        assert!(check_authenticator_data(&[0; 36]).is_err());
    }
}
