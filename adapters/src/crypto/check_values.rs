//! The values by which a database recognises the secrets it was written with.

use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::{AadContext, Digest, Field, Sealed, WrappedKey};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::field_cipher::FieldCipher;
use portcullis_core::ports::keyed_digest::{Domain, KeyedDigest};

/// The name of the value that `ring_check` makes.
pub const RING: &str = "encryption_key";

const TEXT: &[u8] = b"portcullis";
const RECORD: [u8; 16] = *b"portcullis-check";

fn realm() -> Result<Realm, PortError> {
    Realm::parse("portcullis-check").map_err(|error| PortError::new("check_values", error))
}

/// The digests of a known text under each key of the ring, the newest first.
///
/// # Errors
/// Never in practice.
pub fn index_key_checks(digests: &dyn KeyedDigest) -> Result<Vec<[u8; 32]>, PortError> {
    let (realm, parts): (_, &[&[u8]]) = (realm()?, &[TEXT]);
    let newest = digests.digest(Domain::Email, &realm, parts);
    let other = digests.digest_by_other(Domain::Email, &realm, parts);
    Ok(std::iter::once(newest).chain(other).map(|digest| *digest.as_bytes()).collect())
}

/// An index key that records of a database have digests of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexKeyInUse {
    /// Its id in the ring; `None` for that of a database that has had one key only.
    pub id: Option<u32>,
    /// The digest of the known text under it.
    pub check: [u8; 32],
}

/// The index keys in use, from their check value: one digest, or a list of ids and digests. `None` for anything else.
#[must_use]
pub fn index_keys_in_use(value: &[u8]) -> Option<Vec<IndexKeyInUse>> {
    if let Ok(check) = value.try_into() {
        return Some(vec![IndexKeyInUse { id: None, check }]);
    }
    let (entries, rest) = value.as_chunks::<36>();
    let read = |entry: &[u8; 36]| {
        let (id, check) = entry.split_first_chunk::<4>()?;
        Some(IndexKeyInUse { id: Some(u32::from_be_bytes(*id)), check: check.try_into().ok()? })
    };
    let all = entries.iter().map(read).collect::<Option<Vec<_>>>()?;
    (rest.is_empty() && !all.is_empty()).then_some(all)
}

/// The check value of these index keys. A key without an id has that of a plain one, 1.
#[must_use]
pub fn index_keys_value(keys: &[IndexKeyInUse]) -> Vec<u8> {
    keys.iter().flat_map(|key| key.id.unwrap_or(1).to_be_bytes().into_iter().chain(key.check)).collect()
}

/// The values by which a database recognises a secret without storing it, in hexadecimal: under each key of the ring, the
/// newest first.
///
/// # Errors
/// Never in practice.
pub fn fingerprints(digests: &dyn KeyedDigest, secret: &[u8]) -> Result<Vec<String>, PortError> {
    let (realm, parts): (_, &[&[u8]]) = (realm()?, &[TEXT, secret]);
    let newest = digests.digest(Domain::Email, &realm, parts);
    let other = digests.digest_by_other(Domain::Email, &realm, parts);
    let text = |digest: Digest| {
        let first = digest.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        format!("{first:016x}")
    };
    Ok(std::iter::once(newest).chain(other).map(text).collect())
}

/// A known text sealed under the ring: the length of the wrapped key, the wrapped key, the sealed text.
///
/// # Errors
/// When the cipher fails.
pub fn ring_check(cipher: &dyn FieldCipher) -> Result<Vec<u8>, PortError> {
    let realm = realm()?;
    let place = AadContext { realm: &realm, record: &RECORD, field: Field::Check };
    let (key, wrapped) = cipher.new_key(place)?;
    let sealed = cipher.seal(&key, place, TEXT)?;
    let length = u8::try_from(wrapped.as_bytes().len()).map_err(|error| PortError::new("check_values", error))?;
    Ok([&[length], wrapped.as_bytes(), sealed.as_bytes()].concat())
}

/// The wrapped key in what `ring_check` made.
#[must_use]
pub fn wrapped_key(check: &[u8]) -> Option<WrappedKey> {
    let (length, rest) = check.split_first()?;
    rest.get(..usize::from(*length)).map(|wrapped| WrappedKey::from_bytes(wrapped.to_vec()))
}

/// Whether the ring can open what `ring_check` made.
#[must_use]
pub fn verify_ring_check(cipher: &dyn FieldCipher, check: &[u8]) -> bool {
    let Ok(realm) = realm() else { return false };
    let place = AadContext { realm: &realm, record: &RECORD, field: Field::Check };
    let Some((length, rest)) = check.split_first() else { return false };
    let Some((wrapped, sealed)) = rest.split_at_checked(usize::from(*length)) else { return false };
    let opened = cipher
        .unwrap(&WrappedKey::from_bytes(wrapped.to_vec()), place)
        .and_then(|key| cipher.open(&key, place, &Sealed::from_bytes(sealed.to_vec())));
    opened.is_ok_and(|text| text.as_slice() == TEXT)
}
