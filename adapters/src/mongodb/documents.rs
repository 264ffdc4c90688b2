//! Documents to values and back. A value that this program cannot have written is an error.

use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, Document, doc};
use portcullis_core::model::ids::UserId;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::role::Roles;
use portcullis_core::model::sealed::{Digest, RingDigest, Sealed, WrappedKey};
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::user::SealedPerson;
use portcullis_core::ports::error::PortError;

use crate::crypto::record_macs::{Authenticated, RecordMacs, Stored};

/// Bytes, as documents store them.
pub fn binary(bytes: &[u8]) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() }
}

/// A record's `_id`: its realm and its own name.
pub fn key(realm: &Realm, name: impl std::fmt::Display) -> String {
    format!("{realm}/{name}")
}

/// A counter or version, at most the largest number of a document.
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A digest, as documents keep and find it.
pub fn digest(digest: &Digest) -> Bson {
    Bson::Binary(binary(digest.as_bytes()))
}

/// A blind index: its digest, or an array of two, so that a unique index has each of them.
pub fn ring_digest(index: &RingDigest) -> Bson {
    match index.other() {
        None => digest(index.newest()),
        Some(other) => Bson::Array(vec![digest(index.newest()), digest(other)]),
    }
}

/// The condition that a field with a blind index has one of the digests.
pub fn has_digest(index: &RingDigest) -> Document {
    let all: Vec<Bson> = index.all().map(digest).collect();
    doc! {"$in": all}
}

/// A sealed value.
pub fn sealed(sealed: &Sealed) -> Bson {
    Bson::Binary(binary(sealed.as_bytes()))
}

/// A BSON date, for MongoDB's TTL index.
pub fn date(at: Timestamp) -> DateTime {
    DateTime::from_millis(at.as_millis())
}

/// A record's document with its MAC.
pub fn signed_document<R: Authenticated>(macs: &RecordMacs, record: &R, mut document: Document) -> Document {
    document.insert("mac", binary(&macs.sign(record)));
    document
}

/// The sealed fields of a person.
pub fn person(person: &SealedPerson) -> Document {
    let mut document = doc! {
        "key": binary(person.key.as_bytes()),
        "email_index": ring_digest(&person.email_index),
        "first_name": sealed(&person.first_name),
        "last_name": sealed(&person.last_name),
        "email": sealed(&person.email),
        "phone": sealed(&person.phone),
        "country_code": sealed(&person.country_code),
        "country": sealed(&person.country),
    };
    if let Some(locale) = &person.locale {
        document.insert("locale", sealed(locale));
    }
    document
}

/// Reads a document's fields.
pub struct Fields<'a> {
    port: &'static str,
    document: &'a Document,
}

impl<'a> Fields<'a> {
    pub const fn of(port: &'static str, document: &'a Document) -> Self {
        Self { port, document }
    }

    /// The error of an unreadable field.
    pub fn unreadable(&self, name: &str) -> PortError {
        PortError::new(self.port, format!("a document's {name} cannot be read"))
    }

    fn need<T>(&self, name: &str, value: Option<T>) -> Result<T, PortError> {
        value.ok_or_else(|| self.unreadable(name))
    }

    /// Whether the document has that field.
    pub fn has(&self, name: &str) -> bool {
        !matches!(self.document.get(name), None | Some(Bson::Null))
    }

    pub fn text(&self, name: &str) -> Result<&'a str, PortError> {
        self.need(name, self.document.get_str(name).ok())
    }

    pub fn flag(&self, name: &str) -> Result<bool, PortError> {
        self.need(name, self.document.get_bool(name).ok())
    }

    pub fn integer(&self, name: &str) -> Result<i64, PortError> {
        let number = match self.document.get(name) {
            Some(Bson::Int64(number)) => Some(*number),
            Some(Bson::Int32(number)) => Some(i64::from(*number)),
            _ => None,
        };
        self.need(name, number)
    }

    pub fn number<T: TryFrom<i64>>(&self, name: &str) -> Result<T, PortError> {
        let number = self.integer(name)?;
        self.need(name, T::try_from(number).ok())
    }

    pub fn time(&self, name: &str) -> Result<Timestamp, PortError> {
        self.integer(name).map(Timestamp::from_millis)
    }

    pub fn bytes(&self, name: &str) -> Result<&'a [u8], PortError> {
        self.need(name, self.document.get_binary_generic(name).ok().map(Vec::as_slice))
    }

    pub fn id(&self, name: &str) -> Result<[u8; 16], PortError> {
        let bytes = self.bytes(name)?;
        self.need(name, bytes.try_into().ok())
    }

    pub fn digest(&self, name: &str) -> Result<Digest, PortError> {
        let bytes = self.bytes(name)?;
        self.need(name, bytes.try_into().ok().map(Digest::from_bytes))
    }

    pub fn ring_digest(&self, name: &str) -> Result<RingDigest, PortError> {
        let Some(Bson::Array(all)) = self.document.get(name) else { return self.digest(name).map(RingDigest::from) };
        let digest = |value: &Bson| match value {
            Bson::Binary(binary) => binary.bytes.as_slice().try_into().ok().map(Digest::from_bytes),
            _ => None,
        };
        let all = all.iter().map(digest).collect::<Option<Vec<Digest>>>();
        let two = all.and_then(|all| <[Digest; 2]>::try_from(all).ok());
        self.need(name, two.map(|[newest, other]| RingDigest::new(newest, Some(other))))
    }

    pub fn sealed(&self, name: &str) -> Result<Sealed, PortError> {
        self.bytes(name).map(|bytes| Sealed::from_bytes(bytes.to_vec()))
    }

    pub fn key(&self, name: &str) -> Result<WrappedKey, PortError> {
        self.bytes(name).map(|bytes| WrappedKey::from_bytes(bytes.to_vec()))
    }

    pub fn realm(&self) -> Result<Realm, PortError> {
        let text = self.text("realm")?;
        self.need("realm", Realm::parse(text).ok())
    }

    pub fn user(&self) -> Result<UserId, PortError> {
        self.id("id").map(UserId::from_bytes)
    }

    pub fn roles(&self, name: &str) -> Result<Roles, PortError> {
        let text = self.text(name)?;
        self.need(name, Roles::from_text(text))
    }

    /// An optional field.
    pub fn any<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Self, &str) -> Result<T, PortError>,
    ) -> Result<Option<T>, PortError> {
        if self.has(name) { read(self, name).map(Some) } else { Ok(None) }
    }

    /// The document as a record, with its MAC.
    pub fn with_mac<R: Authenticated>(&self, record: R) -> Result<Stored<R>, PortError> {
        Ok(Stored::new(record, self.any("mac", Self::bytes)?.map(<[u8]>::to_vec)))
    }

    pub fn person(&self) -> Result<SealedPerson, PortError> {
        Ok(SealedPerson {
            key: self.key("key")?,
            email_index: self.ring_digest("email_index")?,
            first_name: self.sealed("first_name")?,
            last_name: self.sealed("last_name")?,
            email: self.sealed("email")?,
            phone: self.sealed("phone")?,
            country_code: self.sealed("country_code")?,
            country: self.sealed("country")?,
            locale: self.any("locale", Self::sealed)?,
        })
    }
}
