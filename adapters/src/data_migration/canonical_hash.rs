//! A hash of records that is the same in every store and in every order. Every field is named in a pattern, so that the
//! compiler asks for a field that is added to a record.

use portcullis_core::model::one_time_token::{OneTimeToken, TokenOwner};
use portcullis_core::model::sealed::{Digest, Sealed};
use portcullis_core::model::sent_message::StoredMessage;
use portcullis_core::model::session::{Rotated, Session};
use portcullis_core::model::stored_record::{
    FailureCount, LoginCounts, OrderedMessage, PendingRegistrations, Record, StoredBucket, StoredEvent, StoredJob,
};
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::user::{PendingEmail, Registration, SealedPerson, User};
use sha2::{Digest as _, Sha256};

/// How many records there are, and the sum of their hashes. Two equal records count twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CollectionHash {
    /// How many.
    pub count: u64,
    sum: [u64; 4],
}

impl CollectionHash {
    /// Adds a record.
    pub fn add(&mut self, record: &Record) {
        self.count += 1;
        let digest = digest(record);
        for (lane, bytes) in self.sum.iter_mut().zip(digest.chunks_exact(8)) {
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

/// SHA-256 of a record's fields, each with its length.
fn digest(record: &Record) -> Vec<u8> {
    let mut hasher = CanonicalHasher(Sha256::new());
    match record {
        Record::Check(name, value) => {
            hasher.text(name);
            hasher.bytes(value);
        }
        Record::User(user) => hasher.user(user),
        Record::Registrations(PendingRegistrations { realm, email, registrations }) => {
            hasher.text(realm.as_str());
            hasher.bytes(email.as_bytes());
            for registration in registrations {
                hasher.registration(registration);
            }
        }
        Record::Session(session) => hasher.session(session),
        Record::OneTimeToken(token) => hasher.one_time_token(token),
        Record::Job(job) => hasher.job(job),
        Record::Event(event) => hasher.event(event),
        Record::LoginCounts(counts) => hasher.login_counts(counts),
        Record::Bucket(StoredBucket { realm, operation, who, full_at }) => {
            hasher.text(realm.as_str());
            hasher.text(operation);
            hasher.bytes(who.as_bytes());
            hasher.number(*full_at);
        }
        Record::SentMessage(message) => hasher.sent_message(message),
    }
    hasher.0.finalize().to_vec()
}

struct CanonicalHasher(Sha256);

impl CanonicalHasher {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn number(&mut self, number: i64) {
        self.bytes(&number.to_be_bytes());
    }

    /// A counter, at most the largest number that stores can hold.
    fn counter(&mut self, number: u64) {
        self.number(i64::try_from(number).unwrap_or(i64::MAX));
    }

    fn time(&mut self, at: Timestamp) {
        self.number(at.as_millis());
    }

    fn flag(&mut self, flag: bool) {
        self.number(flag.into());
    }

    fn any<T>(&mut self, value: Option<T>, feed: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            feed(self, value);
        }
    }

    fn digest(&mut self, digest: &Digest) {
        self.bytes(digest.as_bytes());
    }

    fn sealed(&mut self, sealed: &Sealed) {
        self.bytes(sealed.as_bytes());
    }

    fn person(&mut self, person: &SealedPerson) {
        let SealedPerson { key, email_index, first_name, last_name, email, phone, country_code, country } = person;
        self.bytes(key.as_bytes());
        self.digest(email_index);
        for sealed in [first_name, last_name, email, phone, country_code, country] {
            self.sealed(sealed);
        }
    }

    fn user(&mut self, user: &User) {
        let User {
            realm,
            id,
            person,
            pending_email,
            previous_email,
            password,
            phone_verified,
            mfa_sms,
            disabled,
            credentials_version,
            version,
            created_at,
            updated_at,
        } = user;
        self.text(realm.as_str());
        self.bytes(id.as_bytes());
        self.person(person);
        self.any(pending_email.as_ref(), |hasher, PendingEmail { index, email }| {
            hasher.digest(index);
            hasher.sealed(email);
        });
        self.any(previous_email.as_ref(), Self::sealed);
        self.text(password.as_str());
        for flag in [phone_verified, mfa_sms, disabled] {
            self.flag(*flag);
        }
        self.counter(*credentials_version);
        self.counter(*version);
        self.time(*created_at);
        self.time(*updated_at);
    }

    fn registration(&mut self, registration: &Registration) {
        let Registration { realm, id, person, password, created_at, expires_at, network, contested, failures } =
            registration;
        self.text(realm.as_str());
        self.bytes(id.as_bytes());
        self.person(person);
        self.text(password.as_str());
        self.time(*created_at);
        self.time(*expires_at);
        self.digest(network);
        self.flag(*contested);
        self.number((*failures).into());
    }

    fn session(&mut self, session: &Session) {
        let Session {
            realm,
            id,
            user,
            credentials_version,
            user_agent,
            address,
            authenticated_at,
            created_at,
            last_used_at,
            idle_expires_at,
            expires_at,
            current,
            previous,
            version,
            methods,
            failures,
        } = session;
        self.text(realm.as_str());
        self.bytes(id.as_bytes());
        self.bytes(user.as_bytes());
        self.counter(*credentials_version);
        self.sealed(user_agent);
        self.sealed(address);
        for at in [authenticated_at, created_at, last_used_at, idle_expires_at, expires_at] {
            self.time(*at);
        }
        self.digest(current);
        self.any(previous.as_ref(), |hasher, Rotated { token, at, successor }| {
            hasher.digest(token);
            hasher.time(*at);
            hasher.bytes(successor);
        });
        self.counter(*version);
        self.number(methods.bits().into());
        self.number((*failures).into());
    }

    fn one_time_token(&mut self, token: &OneTimeToken) {
        let OneTimeToken { holder, token, code, tries_left, binding, created_at, expires_at } = token;
        let TokenOwner { realm, purpose, subject } = holder;
        self.text(realm.as_str());
        self.text(purpose.as_str());
        self.bytes(subject.as_bytes());
        self.digest(token);
        self.any(code.as_ref(), Self::digest);
        self.number((*tries_left).into());
        self.any(binding.as_ref(), Self::digest);
        self.time(*created_at);
        self.time(*expires_at);
    }

    fn job(&mut self, job: &StoredJob) {
        let StoredJob { id, realm, subject, address, task, attempts, created_at, due_at, dead_at, reason } = job;
        self.bytes(id.as_bytes());
        self.text(realm.as_str());
        self.any(subject.as_ref(), |hasher, user| hasher.bytes(user.as_bytes()));
        self.any(address.as_ref(), Self::digest);
        self.text(task);
        self.number((*attempts).into());
        self.time(*created_at);
        self.time(*due_at);
        self.any(*dead_at, Self::time);
        self.any(reason.as_ref(), |hasher, reason| hasher.text(reason));
    }

    fn event(&mut self, event: &StoredEvent) {
        let StoredEvent { order: _, at, realm, kind, user, session } = event;
        self.time(*at);
        self.text(realm.as_str());
        self.text(kind);
        self.any(user.as_ref(), |hasher, user| hasher.bytes(user.as_bytes()));
        self.any(session.as_ref(), |hasher, session| hasher.bytes(session.as_bytes()));
    }

    fn count(&mut self, count: FailureCount) {
        let FailureCount { failures, next_at, touched_at } = count;
        self.number(failures.into());
        self.time(next_at);
        self.time(touched_at);
    }

    fn login_counts(&mut self, counts: &LoginCounts) {
        let LoginCounts { realm, email, strangers, known } = counts;
        self.text(realm.as_str());
        self.digest(email);
        self.any(*strangers, Self::count);
        // the order differs between stores
        let mut known = known.clone();
        known.sort_by_key(|(address, _)| *address);
        for (address, count) in known {
            self.digest(&address);
            self.count(count);
        }
    }

    fn sent_message(&mut self, message: &OrderedMessage) {
        let OrderedMessage { order: _, message: StoredMessage { realm, subject, job, part, key, message, at } } =
            message;
        self.text(realm.as_str());
        self.bytes(subject.as_bytes());
        self.bytes(job.as_bytes());
        self.number((*part).into());
        self.bytes(key.as_bytes());
        self.sealed(message);
        self.time(*at);
    }
}

#[cfg(test)]
mod tests {
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
        let changes: [fn(&mut User); 6] = [
            |user| user.disabled = true,
            |user| user.mfa_sms = true,
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
            Record::LoginCounts(LoginCounts { realm: realm("User1"), email, strangers: None, known })
        };
        let (a, b) = ((Digest::from_bytes([1; 32]), count(1)), (Digest::from_bytes([2; 32]), count(2)));
        assert_eq!(hash_of(&[counts(vec![a, b])]), hash_of(&[counts(vec![b, a])]));
    }
}
