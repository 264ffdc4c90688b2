//! Rows to values. A value that this program cannot have written is an error.

use portcullis_core::model::realm::Realm;
use portcullis_core::model::role::Roles;
use portcullis_core::model::sealed::{Digest, RingDigest, Sealed, WrappedKey};
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::user::SealedPerson;
use rusqlite::Row;
use rusqlite::types::{FromSqlError, Type};

use crate::crypto::record_macs::{Authenticated, Stored};
use crate::sqlite::key_slots;

/// The columns a registration and a user have in common.
pub const PERSON: &str = "email_index, key_slot, first_name, last_name, email, phone, country_code, country, locale";
/// The same as they are read, where `keys` is joined.
pub const PERSON_WITH_KEY: &str = "email_index, wrapped, first_name, last_name, email, phone, country_code, country, \
                                    locale";

/// The error for a column whose value this program cannot have written.
pub fn unreadable(column: usize, what: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, what.to_owned().into())
}

/// Reads the columns of a row in order.
pub struct Columns<'a, 'b> {
    row: &'a Row<'b>,
    next: usize,
}

impl<'a, 'b> Columns<'a, 'b> {
    pub const fn of(row: &'a Row<'b>) -> Self {
        Self { row, next: 0 }
    }

    pub fn value<T: rusqlite::types::FromSql>(&mut self) -> rusqlite::Result<T> {
        let value = self.row.get(self.next);
        self.next += 1;
        value
    }

    pub fn realm(&mut self) -> rusqlite::Result<Realm> {
        let column = self.next;
        self.next += 1;
        Realm::parse(self.row.get_ref(column)?.as_str()?).map_err(|error| unreadable(column, &error.to_string()))
    }

    pub fn id(&mut self) -> rusqlite::Result<[u8; 16]> {
        self.value()
    }

    pub fn digest(&mut self) -> rusqlite::Result<Digest> {
        self.value::<[u8; 32]>().map(Digest::from_bytes)
    }

    pub fn digest_if_any(&mut self) -> rusqlite::Result<Option<Digest>> {
        Ok(self.value::<Option<[u8; 32]>>()?.map(Digest::from_bytes))
    }

    pub fn ring_digest(&mut self) -> rusqlite::Result<RingDigest> {
        let column = self.next;
        RingDigest::from_bytes(&self.value::<Vec<u8>>()?).ok_or_else(|| unreadable(column, "not one or two digests"))
    }

    pub fn ring_digest_if_any(&mut self) -> rusqlite::Result<Option<RingDigest>> {
        let column = self.next;
        let bytes = self.value::<Option<Vec<u8>>>()?;
        let digest =
            |bytes: Vec<u8>| RingDigest::from_bytes(&bytes).ok_or_else(|| unreadable(column, "not one or two digests"));
        bytes.map(digest).transpose()
    }

    pub fn sealed(&mut self) -> rusqlite::Result<Sealed> {
        self.value().map(Sealed::from_bytes)
    }

    pub fn sealed_if_any(&mut self) -> rusqlite::Result<Option<Sealed>> {
        Ok(self.value::<Option<Vec<u8>>>()?.map(Sealed::from_bytes))
    }

    pub fn key(&mut self) -> rusqlite::Result<WrappedKey> {
        let column = self.next;
        let content = self.row.get_ref(column)?;
        self.next += 1;
        key_slots::read(content.as_blob()?).ok_or_else(|| unreadable(column, "no key is in its slot"))
    }

    pub fn time(&mut self) -> rusqlite::Result<Timestamp> {
        self.value().map(Timestamp::from_millis)
    }

    pub fn number(&mut self) -> rusqlite::Result<u64> {
        let (column, value) = (self.next, self.value::<i64>()?);
        u64::try_from(value)
            .map_err(|_| FromSqlError::OutOfRange(value))
            .map_err(|error| unreadable(column, &error.to_string()))
    }

    /// Only 0 and 1: this program writes no other number.
    pub fn flag(&mut self) -> rusqlite::Result<bool> {
        let column = self.next;
        match self.value::<i64>()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(unreadable(column, "not a flag")),
        }
    }

    pub fn roles(&mut self) -> rusqlite::Result<Roles> {
        let (column, text) = (self.next, self.value::<Option<String>>()?);
        let roles = text.map(|text| Roles::from_text(&text).ok_or_else(|| unreadable(column, "not roles")));
        roles.transpose().map(Option::unwrap_or_default)
    }

    /// A value that is made of several columns: all of them are there or none is.
    pub fn together<T>(&self, parts: &[bool], whole: Option<T>) -> rusqlite::Result<Option<T>> {
        if parts.windows(2).all(|two| matches!(two, [one, next] if one == next)) {
            Ok(whole)
        } else {
            Err(unreadable(self.next, "a value is there in part"))
        }
    }

    /// The row as a record, with its MAC in the next column.
    pub fn with_mac<R: Authenticated>(&mut self, record: R) -> rusqlite::Result<Stored<R>> {
        Ok(Stored::new(record, self.value()?))
    }

    pub fn person(&mut self) -> rusqlite::Result<SealedPerson> {
        Ok(SealedPerson {
            email_index: self.ring_digest()?,
            key: self.key()?,
            first_name: self.sealed()?,
            last_name: self.sealed()?,
            email: self.sealed()?,
            phone: self.sealed()?,
            country_code: self.sealed()?,
            country: self.sealed()?,
            locale: self.sealed_if_any()?,
        })
    }
}

/// The condition that a column with one or two digests has the first or the second of two parameters. Its terms are the
/// expressions of the two indexes that each such column has.
pub fn has_digest(column: &str, [first, second]: [u32; 2]) -> String {
    format!(
        "(substr({column}, 1, 32) IN (?{first}, ?{second}) \
         OR (length({column}) > 32 AND substr({column}, 33) IN (?{first}, ?{second})))"
    )
}

/// The two parameters of that condition.
pub fn digests_of(index: &RingDigest) -> [[u8; 32]; 2] {
    [*index.newest().as_bytes(), *index.other().unwrap_or(index.newest()).as_bytes()]
}

/// Counts as SQLite stores them.
pub fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A place in the order of time that every store can keep: seconds, then the row number.
pub fn order_of(at: Timestamp, number: u64) -> [u8; 12] {
    let mut order = [0; 12];
    let seconds = u32::try_from(at.as_secs().max(0)).unwrap_or(u32::MAX);
    for (to, byte) in order.iter_mut().zip(seconds.to_be_bytes().into_iter().chain(number.to_be_bytes())) {
        *to = byte;
    }
    order
}
