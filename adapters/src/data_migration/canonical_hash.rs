//! A hash of records that is the same in every store and in every order. It covers every field, for the compiler derives
//! which bytes are hashed. Only hashes of one process are compared.

use std::hash::{Hash as _, Hasher};

use portcullis_core::model::stored_record::Record;
use sha2::{Digest as _, Sha256};

/// How many records there are, and the sum of their hashes. Two equal records count twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CollectionHash {
    /// The number of records.
    pub count: u64,
    sum: [u64; 4],
}

impl CollectionHash {
    /// Adds a record.
    pub fn add(&mut self, record: &Record) {
        self.count += 1;
        for (lane, bytes) in self.sum.iter_mut().zip(digest(record).chunks_exact(8)) {
            *lane = lane.wrapping_add(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)));
        }
    }

    /// The first sixteen hexadecimal digits of the sum, to compare by eye.
    #[must_use]
    pub fn short(&self) -> String {
        let [first, ..] = self.sum;
        format!("{first:016x}")
    }
}

fn digest(record: &Record) -> Vec<u8> {
    let mut hasher = Sha256Hasher(Sha256::new());
    match record.clone() {
        // the place in a collection is the store's own
        Record::Event(mut event) => {
            event.order = [0; 12];
            event.hash(&mut hasher);
        }
        Record::SentMessage(message) => message.message.hash(&mut hasher),
        Record::LoginCounts(mut counts) => {
            counts.failed.known.sort_by_key(|(address, _)| *address);
            counts.failed.strangers.sort_by_key(|(address, _)| *address);
            counts.hash(&mut hasher);
        }
        record => record.hash(&mut hasher),
    }
    hasher.0.finalize().to_vec()
}

/// Feeds the hashed form of a record to SHA-256.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Unused: 64 bits are too few to compare stores by.
    fn finish(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::model::login_throttle::{FailedLogins, FailureCount};
    use portcullis_core::model::sealed::{Digest, Sealed};
    use portcullis_core::model::session::Rotated;
    use portcullis_core::model::stored_record::LoginCounts;
    use portcullis_core::model::time::Timestamp;
    use portcullis_core::model::user::User;
    use portcullis_testkit::samples::{realm, session, user};

    use super::*;

    fn hash_of(records: &[Record]) -> CollectionHash {
        let mut hash = CollectionHash::default();
        for record in records {
            hash.add(record);
        }
        hash
    }

    #[test]
    fn a_sum_knows_no_order_and_no_two_alike_cancel_out() {
        let one = |n| Record::User(Box::new(user(&realm("User1"), n)));
        assert_eq!(hash_of(&[one(1), one(2)]), hash_of(&[one(2), one(1)]));
        assert_ne!(hash_of(&[one(1), one(2)]), hash_of(&[one(1), one(3)]));
        assert_ne!(hash_of(&[one(1), one(2), one(2)]).sum, hash_of(&[one(1)]).sum);
    }

    #[test]
    fn every_change_is_seen() {
        let realm = realm("User1");
        let before = hash_of(&[Record::User(Box::new(user(&realm, 1)))]);
        let changes: [fn(&mut User); 7] = [
            |user| user.disabled = true,
            |user| user.mfa_sms = true,
            |user| user.factors.totp = Some(Sealed::from_bytes(Vec::new())),
            |user| user.credentials_version += 1,
            |user| user.person.phone = Sealed::from_bytes(vec![1]),
            |user| user.previous_email = Some(Sealed::from_bytes(Vec::new())),
            |user| user.updated_at = Timestamp::from_millis(1),
        ];
        for change in changes {
            let mut user = user(&realm, 1);
            change(&mut user);
            assert_ne!(hash_of(&[Record::User(Box::new(user))]), before);
        }
        let mut rotated = session(&realm, 1, 1);
        let before = hash_of(&[Record::Session(Box::new(rotated.clone()))]);
        rotated.previous = Some(Rotated { token: rotated.current, at: rotated.created_at, successor: [0; 16] });
        assert_ne!(hash_of(&[Record::Session(Box::new(rotated))]), before);
    }

    #[test]
    fn known_addresses_count_in_any_order() {
        let count = |failures| FailureCount {
            failures,
            next_at: Timestamp::from_millis(1),
            touched_at: Timestamp::from_millis(2),
        };
        let counts = |known| {
            let email = Digest::from_bytes([3; 32]);
            let failed = FailedLogins { known, ..FailedLogins::default() };
            Record::LoginCounts(LoginCounts { realm: realm("User1"), email, failed })
        };
        let (a, b) = ((Digest::from_bytes([1; 32]), count(1)), (Digest::from_bytes([2; 32]), count(2)));
        assert_eq!(hash_of(&[counts(vec![a, b])]), hash_of(&[counts(vec![b, a])]));
    }
}
