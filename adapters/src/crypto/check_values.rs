//! The values by which a database recognises the secrets it was written with.

use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::{AadContext, Field, Sealed, WrappedKey};
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

/// What `EMAIL_SALT` makes of a known text.
///
/// # Errors
/// Never in practice.
pub fn salt_check(digests: &dyn KeyedDigest) -> Result<Vec<u8>, PortError> {
    Ok(digests.digest(Domain::Email, &realm()?, &[TEXT]).as_bytes().to_vec())
}

/// The value by which a database recognises a secret without storing it, in hexadecimal.
///
/// # Errors
/// Never in practice.
pub fn fingerprint(digests: &dyn KeyedDigest, secret: &[u8]) -> Result<String, PortError> {
    let digest = digests.digest(Domain::Email, &realm()?, &[TEXT, secret]);
    let first = digest.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    Ok(format!("{first:016x}"))
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
