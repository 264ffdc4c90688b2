//! MACs of stored records (docs/crypto.md). A writer of the store without the keys can delete a record or put back an older
//! version of a whole record; every other change is refused, logged and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use portcullis_core::ports::error::PortError;
use sha2::Sha256;
use zeroize::Zeroizing;

type HmacSha256 = Hmac<Sha256>;

/// The bytes of a ring entry's id in front of a MAC.
const ID_LENGTH: usize = 4;

/// A record with a MAC over everything that decides.
pub trait Authenticated {
    /// The name of its table or collection.
    fn table(&self) -> &'static str;

    /// Adds realm, id and everything that decides to the input of the MAC.
    fn add_to(&self, input: &mut MacInput);
}

/// The input of a MAC: pairs of a name and a value, each framed by its length. A field that a later version adds is left
/// out while it is absent, so that older records still verify.
pub struct MacInput(HmacSha256);

impl MacInput {
    /// An empty input under a key.
    pub(crate) fn under(key: &[u8; 32]) -> Option<Self> {
        HmacSha256::new_from_slice(key).ok().map(Self)
    }

    /// The MAC of what was added.
    pub(crate) fn tag(self) -> [u8; 32] {
        self.0.finalize().into_bytes().into()
    }

    /// Adds bytes.
    pub fn bytes(&mut self, name: &str, value: impl AsRef<[u8]>) -> &mut Self {
        for part in [name.as_bytes(), value.as_ref()] {
            self.0.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            self.0.update(part);
        }
        self
    }

    /// Adds bytes, if there are any.
    pub fn optional(&mut self, name: &str, value: Option<impl AsRef<[u8]>>) -> &mut Self {
        match value {
            Some(value) => self.bytes(name, value),
            None => self,
        }
    }

    /// Adds an integer.
    pub fn integer(&mut self, name: &str, value: i64) -> &mut Self {
        self.bytes(name, value.to_be_bytes())
    }

    /// Adds a count or version, as stores keep it.
    pub fn number(&mut self, name: &str, value: u64) -> &mut Self {
        self.integer(name, i64::try_from(value).unwrap_or(i64::MAX))
    }

    /// Adds a flag.
    pub fn flag(&mut self, name: &str, value: bool) -> &mut Self {
        self.bytes(name, [u8::from(value)])
    }
}

/// Why a record is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It has no MAC: an older version of Portcullis wrote it, or another program did.
    #[error("a record of {0} has no MAC")]
    Unsigned(&'static str),
    /// Its MAC names no entry of the ring.
    #[error("the MAC of a record of {0} is under a key that is not in the ring")]
    UnknownKey(&'static str),
    /// Its content differs from the signed one.
    #[error("a record of {0} was changed by somebody without the keys")]
    Changed(&'static str),
    /// It is genuine, but was found under the name of another one.
    #[error("a record of {0} was found in the place of another one")]
    Misplaced(&'static str),
}

/// A record as it was read, with its MAC. It can't be used before the two are compared.
#[derive(Debug)]
pub struct Stored<R> {
    /// The record, not verified yet.
    record: R,
    mac: Option<Vec<u8>>,
}

impl<R> Stored<R> {
    /// The same record in another form.
    pub fn map<S>(self, into: impl FnOnce(R) -> S) -> Stored<S> {
        Stored { record: into(self.record), mac: self.mac }
    }
}

impl<R: Authenticated> Stored<R> {
    /// A record and the MAC that was stored with it.
    pub const fn new(record: R, mac: Option<Vec<u8>>) -> Self {
        Self { record, mac }
    }

    /// The record, if its MAC is right.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn verified(self, macs: &RecordMacs) -> Result<R, Refused> {
        macs.verify(&self.record, self.mac.as_deref()).map(|()| self.record)
    }

    /// The record as it is, and whether its MAC is right; one that is wrong is neither logged nor counted.
    pub fn examined(self, macs: &RecordMacs) -> (R, bool) {
        let genuine = macs.compare(&self.record, self.mac.as_deref()).is_ok();
        (self.record, genuine)
    }

    /// The record as it is: where something else has authenticated it, or nothing is decided by it.
    pub fn unverified(self) -> R {
        self.record
    }
}

/// The keys of the MACs, one for each entry of the ring, and the count of refused records.
pub struct RecordMacs {
    ring: Vec<(u32, HmacSha256)>,
    refused: Arc<AtomicU64>,
}

impl RecordMacs {
    /// Derives a key from each entry of the ring. The first one signs, all of them verify.
    ///
    /// # Errors
    /// For an empty ring.
    pub fn new(ring: &[(u32, [u8; 32])]) -> Result<Arc<Self>, PortError> {
        let failed = |error: &dyn std::fmt::Display| PortError::new("record_macs", error.to_string());
        let derive = |(id, key): &(u32, [u8; 32])| {
            let mut derived = Zeroizing::new([0; 32]);
            let expanded = Hkdf::<Sha256>::new(None, key).expand(b"portcullis/record-mac/v1", &mut *derived);
            expanded.map_err(|error| failed(&error))?;
            Ok((*id, HmacSha256::new_from_slice(&*derived).map_err(|error| failed(&error))?))
        };
        let ring: Vec<_> = ring.iter().map(derive).collect::<Result<_, PortError>>()?;
        if ring.is_empty() {
            return Err(failed(&"the ring is empty"));
        }
        Ok(Arc::new(Self { ring, refused: Arc::default() }))
    }

    /// How many records were refused since the start.
    #[must_use]
    pub fn refused(&self) -> Arc<AtomicU64> {
        self.refused.clone()
    }

    /// The id of the entry that signs, as it stands in front of a MAC.
    #[must_use]
    pub fn newest(&self) -> [u8; ID_LENGTH] {
        self.ring.first().map_or(0, |(id, _)| *id).to_be_bytes()
    }

    /// The MAC of a record: the id of the ring entry, then HMAC-SHA-256.
    #[must_use]
    pub fn sign<R: Authenticated>(&self, record: &R) -> Vec<u8> {
        let Some((id, key)) = self.ring.first() else { return Vec::new() };
        let tag = input(key, record).finalize().into_bytes();
        id.to_be_bytes().iter().chain(tag.iter()).copied().collect()
    }

    /// The MACs of a record under each entry of the ring.
    #[must_use]
    pub fn sign_by_each<R: Authenticated>(&self, record: &R) -> Vec<Vec<u8>> {
        let sign = |(id, key): &(u32, HmacSha256)| {
            id.to_be_bytes().into_iter().chain(input(key, record).finalize().into_bytes()).collect()
        };
        self.ring.iter().map(sign).collect()
    }

    /// Whether the ring has the entry that a MAC is under.
    #[must_use]
    pub fn knows(&self, mac: &[u8]) -> bool {
        let id = mac.first_chunk::<ID_LENGTH>().map(|id| u32::from_be_bytes(*id));
        self.ring.iter().any(|(known, _)| Some(*known) == id)
    }

    /// Compares a record with the MAC that was stored with it, in constant time.
    ///
    /// # Errors
    /// Why the record is refused; it is logged and counted.
    pub fn verify<R: Authenticated>(&self, record: &R, mac: Option<&[u8]>) -> Result<(), Refused> {
        self.compare(record, mac).inspect_err(|refused| self.report(*refused))
    }

    fn compare<R: Authenticated>(&self, record: &R, mac: Option<&[u8]>) -> Result<(), Refused> {
        let mac = mac.ok_or(Refused::Unsigned(record.table()))?;
        let (id, tag) = mac.split_first_chunk::<ID_LENGTH>().ok_or(Refused::Changed(record.table()))?;
        let id = u32::from_be_bytes(*id);
        let key = self.ring.iter().find(|(known, _)| *known == id).map(|(_, key)| key);
        let key = key.ok_or(Refused::UnknownKey(record.table()))?;
        input(key, record).verify_slice(tag).map_err(|_| Refused::Changed(record.table()))
    }

    /// A record that was looked up by name is the one of that name.
    ///
    /// # Errors
    /// If it is another one; that is logged and counted.
    pub fn expect<R: Authenticated>(&self, record: R, is_asked_for: impl FnOnce(&R) -> bool) -> Result<R, Refused> {
        if is_asked_for(&record) {
            return Ok(record);
        }
        let refused = Refused::Misplaced(record.table());
        self.report(refused);
        Err(refused)
    }

    fn report(&self, refused: Refused) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        tracing::error!(reason = %refused, "a stored record was refused");
    }
}

fn input<R: Authenticated>(key: &HmacSha256, record: &R) -> HmacSha256 {
    let mut input = MacInput(key.clone());
    input.bytes("table", record.table());
    record.add_to(&mut input);
    input.0
}
