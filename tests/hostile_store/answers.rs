//! A store with a record of each kind, and everything that its ports answer about them.

use std::time::Duration;

use portcullis_core::model::credential::{Credential, CredentialName, Scope, Scopes};
use portcullis_core::model::event::{Event, EventKind};
use portcullis_core::model::factor::SealedFactors;
use portcullis_core::model::ids::WebhookId;
use portcullis_core::model::job::{Job, Task};
use portcullis_core::model::login_throttle::LoginSource;
use portcullis_core::model::one_time_token::{OneTimeToken, Purpose};
use portcullis_core::model::operator_note::{OperatorNote, Reason};
use portcullis_core::model::quota::{Bucket, Quota};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::WrappedKey;
use portcullis_core::model::sent_message::StoredMessage;
use portcullis_core::model::session::{Rotated, Session};
use portcullis_core::model::stored_record::{Collection, Record};
use portcullis_core::model::undo::UndoRecord;
use portcullis_core::model::user::{PendingEmail, Registration, SealedPerson, User};
use portcullis_core::model::webhook::{EventKinds, OldSecret, Webhook};
use portcullis_core::ports::audit_log::AuditLog;
use portcullis_core::ports::credential_store::CredentialStore;
use portcullis_core::ports::data_migration_store::MigratableStore;
use portcullis_core::ports::database::{Change, Database, UnitOfWork};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::job_queue::JobQueue;
use portcullis_core::ports::login_guard::LoginGuard;
use portcullis_core::ports::one_time_token_store::OneTimeTokenStore;
use portcullis_core::ports::rate_limiter::RateLimiter;
use portcullis_core::ports::registration_store::RegistrationStore;
use portcullis_core::ports::sent_message_store::SentMessageStore;
use portcullis_core::ports::session_store::SessionStore;
use portcullis_core::ports::undo_store::UndoStore;
use portcullis_core::ports::user_store::UserStore;
use portcullis_core::ports::webhook_store::WebhookStore;
use portcullis_testkit::samples::{
    self, LIFE, NOW, digest, job_id, person, realm, sealed, session_id, undo_id, user_id,
};

/// The ports of a store.
pub trait Store:
    Database
    + UserStore
    + RegistrationStore
    + SessionStore
    + OneTimeTokenStore
    + JobQueue
    + AuditLog
    + RateLimiter
    + SentMessageStore
    + LoginGuard
    + MigratableStore
    + UndoStore
    + CredentialStore
    + WebhookStore
{
}

impl<S> Store for S where
    S: Database
        + UserStore
        + RegistrationStore
        + SessionStore
        + OneTimeTokenStore
        + JobQueue
        + AuditLog
        + RateLimiter
        + SentMessageStore
        + LoginGuard
        + MigratableStore
        + UndoStore
        + CredentialStore
        + WebhookStore
{
}

/// Longer than the bucket of a test lives in memory.
fn a_day() -> Quota {
    Quota::new(1, Duration::from_hours(24))
}

fn bucket(realm: &Realm, n: u64) -> Bucket {
    Bucket { realm: realm.clone(), operation: "export", who: digest("caller", n) }
}

fn user(realm: &Realm, n: u64) -> User {
    let pending = PendingEmail { index: digest("pending", n).into(), email: sealed("pending", n) };
    let factors = SealedFactors {
        totp: Some(sealed("totp", n)),
        pending_totp: Some(sealed("pending totp", n)),
        backup_codes: Some(sealed("backup codes", n)),
        passkeys: Some(sealed("passkeys", n)),
        devices: Some(sealed("devices", n)),
    };
    let previous_email = Some(sealed("previous", n));
    let roles = samples::roles(&["admin", "billing"]);
    User { pending_email: Some(pending), previous_email, factors, roles, ..samples::user(realm, n) }
}

/// The user a while later: everything that can change has changed.
fn changed(user: &User) -> User {
    let n = 1000;
    let people = person(n);
    let mut later = user.clone();
    later.person.email_index = people.email_index;
    (later.person.first_name, later.person.last_name) = (people.first_name, people.last_name);
    (later.person.email, later.person.phone) = (people.email, people.phone);
    (later.person.country_code, later.person.country) = (people.country_code, people.country);
    later.password = sealed("password", n);
    (later.phone_verified, later.mfa_sms, later.disabled) = (true, true, true);
    (later.credentials_version, later.version) = (user.credentials_version + 3, user.version + 1);
    later.updated_at = user.updated_at + LIFE;
    (later.pending_email, later.previous_email) = (None, None);
    later.factors = SealedFactors::default();
    later.roles = samples::roles(&["admin"]);
    later
}

fn registration(realm: &Realm, n: u64) -> Registration {
    Registration { id: user_id(100 + n), ..samples::registration(realm, n) }
}

fn rotated(session: &Session) -> Session {
    let previous = Rotated { token: session.current, at: NOW, successor: [7; 16] };
    Session {
        current: digest("next refresh token", 1),
        previous: Some(previous),
        failures: 2,
        version: session.version + 1,
        last_used_at: NOW + Duration::from_secs(1),
        ..session.clone()
    }
}

fn token(realm: &Realm, n: u64) -> OneTimeToken {
    OneTimeToken { binding: Some(digest("binding", n)), ..samples::token(realm, Purpose::ResetPassword, n) }
}

fn undo(realm: &Realm, n: u64) -> UndoRecord {
    UndoRecord {
        token: Some(digest("undo", n)),
        reserved: Some(digest("former email", n).into()),
        ..samples::undo_record(realm, n, n)
    }
}

fn credential(realm: &Realm, n: u64) -> Credential {
    Credential {
        realm: realm.clone(),
        name: CredentialName::parse(&format!("client-{n}")).unwrap(),
        secret: digest("secret", n),
        scopes: Scopes::of(&[Scope::Introspect]),
        created_at: NOW,
        expires_at: Some(NOW + LIFE),
    }
}

fn webhook_id(n: u64) -> WebhookId {
    WebhookId::from_bytes(*user_id(n).as_bytes())
}

fn webhook(realm: &Realm, n: u64) -> Webhook {
    Webhook {
        realm: realm.clone(),
        id: webhook_id(n),
        secret: person(n).key,
        old_secret: Some(OldSecret { secret: sealed("old secret", n), until: NOW + LIFE }),
        url: format!("https://receiver.example/{n}"),
        kinds: EventKinds::from_text("account_deleted logged_in"),
        disabled: false,
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    }
}

/// The owners of the records: two people of a realm, and one of another.
fn people() -> Vec<(Realm, u64)> {
    let (here, there) = (realm("User1"), realm("User2"));
    vec![(here.clone(), 1), (here, 2), (there, 1)]
}

/// Fills a store.
pub async fn fill(store: &dyn Store) {
    for (realm, n) in people() {
        let changes = vec![
            Change::InsertUser(Box::new(user(&realm, n))),
            Change::InsertRegistration { registration: Box::new(registration(&realm, n)), limit: 5, now: NOW },
            Change::InsertSession(Box::new(Session { id: session_id(n), ..samples::session(&realm, n, n) })),
            Change::PutToken(Box::new(token(&realm, n))),
            Change::InsertUndo(Box::new(undo(&realm, n))),
            Change::InsertCredential(Box::new(credential(&realm, n))),
            Change::InsertWebhook(Box::new(webhook(&realm, n))),
        ];
        // ids of jobs are unique over all realms
        let number = if realm.as_str() == "User1" { n } else { 10 + n };
        let event = Event {
            at: NOW,
            realm: realm.clone(),
            kind: EventKind::LoggedIn,
            user: Some(user_id(n)),
            session: Some(session_id(n)),
            operator: Some(OperatorNote { operator: "command line".to_owned(), reason: Reason::parse("a call") }),
            detail: None,
        };
        let jobs = vec![samples::job(&realm, number, Task::Welcome(user_id(n)))];
        store.commit(UnitOfWork { changes, jobs, events: vec![event] }).await.unwrap().unwrap();
        assert!(store.take(&bucket(&realm, n), &a_day(), NOW).await.unwrap().allowed);
        let from = LoginSource { address: digest("address", n), networks: Vec::new() };
        store.admit(&realm, &digest("email", n), &from, NOW).await.unwrap();
        let copy = StoredMessage {
            realm: realm.clone(),
            subject: user_id(n),
            job: job_id(number),
            part: 0,
            key: person(n).key,
            message: sealed("message", n),
            at: NOW,
        };
        store.put(copy).await.unwrap();
    }
}

/// Changes the records of the first person, so that each of them has an older version.
pub async fn change(store: &dyn Store) {
    let here = realm("User1");
    let (user, session) = (user(&here, 1), samples::session(&here, 1, 1));
    let disabled = Box::new(Webhook { disabled: true, version: 2, ..webhook(&here, 1) });
    let changes = vec![
        Change::ReplaceWebhook { webhook: disabled, expected: 1, new_secret: false },
        Change::ReplaceUser { expected: user.version, user: Box::new(changed(&user)) },
        Change::ReplaceSession { expected: session.version, session: Box::new(rotated(&session)) },
        Change::CountRegistrationFailure { realm: here.clone(), id: user_id(101), limit: 5 },
        Change::PutToken(Box::new(OneTimeToken { code: None, tries_left: 1, binding: None, ..token(&here, 1) })),
    ];
    store.commit(UnitOfWork { changes, ..UnitOfWork::default() }).await.unwrap().unwrap();
    assert!(store.take_try(&here, &undo_id(1), NOW).await.unwrap());
    let from = LoginSource { address: digest("address", 1), networks: Vec::new() };
    store.succeeded(&here, &digest("email", 1), &from, NOW).await.unwrap();
}

/// The answer of a port. A failure is a refusal: nothing else fails here.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a few values in a test")]
pub enum Answer {
    Refused,
    User(Option<User>),
    Registrations(Vec<Registration>),
    Session(Option<Session>),
    Both(Option<Box<(Session, User)>>),
    Sessions(Vec<Session>),
    Token(Option<OneTimeToken>),
    Jobs(Vec<Job>),
    Events(Vec<Event>),
    Undo(Option<UndoRecord>),
    Undos(Vec<UndoRecord>),
    Credential(Option<Credential>),
    Credentials(Vec<Credential>),
    Webhook(Option<Webhook>),
    Webhooks(Vec<Webhook>),
    Limited(bool),
    Messages(Vec<StoredMessage>),
    FailedLogins(Vec<Record>),
}

impl Answer {
    /// Without the wrapped key, whose own seal binds it to its record.
    fn user(user: Option<User>) -> Self {
        Self::User(user.map(|user| User { person: without_key(user.person), ..user }))
    }

    fn both(both: Option<(Session, User)>) -> Self {
        Self::Both(both.map(|(session, user)| Box::new((session, User { person: without_key(user.person), ..user }))))
    }

    fn registrations(all: impl IntoIterator<Item = Registration>) -> Self {
        let all = all.into_iter();
        Self::Registrations(all.map(|one| Registration { person: without_key(one.person), ..one }).collect())
    }

    fn messages(all: Vec<StoredMessage>) -> Self {
        let key = || WrappedKey::from_bytes(Vec::new());
        Self::Messages(all.into_iter().map(|copy| StoredMessage { key: key(), ..copy }).collect())
    }

    fn webhooks(all: Vec<Webhook>) -> Self {
        let key = || WrappedKey::from_bytes(Vec::new());
        Self::Webhooks(all.into_iter().map(|one| Webhook { secret: key(), ..one }).collect())
    }

    fn webhook(one: Option<Webhook>) -> Self {
        Self::Webhook(one.map(|one| Webhook { secret: WrappedKey::from_bytes(Vec::new()), ..one }))
    }

    fn of<T>(answer: Result<T, PortError>, into: impl FnOnce(T) -> Self) -> Self {
        answer.map_or(Self::Refused, into)
    }

    /// Whether it says nothing that `before` did not say: records may be refused or missing.
    pub fn is_part_of(&self, before: &Self) -> bool {
        fn within<T: PartialEq>(some: &[T], all: &[T]) -> bool {
            some.iter().all(|one| all.contains(one))
        }
        match (self, before) {
            (
                Self::Refused
                | Self::User(None)
                | Self::Session(None)
                | Self::Both(None)
                | Self::Token(None)
                | Self::Undo(None)
                | Self::Credential(None)
                | Self::Webhook(None)
                | Self::Limited(false),
                _,
            ) => true,
            (Self::Registrations(some), Self::Registrations(all)) => within(some, all),
            (Self::Sessions(some), Self::Sessions(all)) => within(some, all),
            (Self::Events(some), Self::Events(all)) => within(some, all),
            (Self::Undos(some), Self::Undos(all)) => within(some, all),
            (Self::Credentials(some), Self::Credentials(all)) => within(some, all),
            (Self::Webhooks(some), Self::Webhooks(all)) => within(some, all),
            (Self::Messages(some), Self::Messages(all)) => within(some, all),
            (Self::FailedLogins(some), Self::FailedLogins(all)) => within(some, all),
            (Self::Jobs(some), Self::Jobs(all)) => within(some, all),
            _ => self == before,
        }
    }
}

fn without_key(person: SealedPerson) -> SealedPerson {
    SealedPerson { key: WrappedKey::from_bytes(Vec::new()), ..person }
}

/// Everything that the ports answer about the records.
pub async fn answers(store: &dyn Store) -> Vec<Answer> {
    let mut all = Vec::new();
    for (realm, n) in people() {
        let (id, sid, now) = (user_id(n), session_id(n), NOW);
        let emails = [person(n).email_index, person(1000).email_index];
        all.push(Answer::of(UserStore::find(store, &realm, &id).await, Answer::user));
        for email in emails {
            all.push(Answer::of(UserStore::find_by_email(store, &realm, &email).await, Answer::user));
        }
        let waiting = RegistrationStore::find(store, &realm, &user_id(100 + n), now).await;
        all.push(Answer::of(waiting, Answer::registrations));
        let waiting = RegistrationStore::find_by_email(store, &realm, &emails[0], now).await;
        all.push(Answer::of(waiting, Answer::registrations));
        all.push(Answer::of(SessionStore::find(store, &realm, &sid).await, Answer::Session));
        all.push(Answer::of(store.find_with_account(&realm, &sid, &id).await, Answer::both));
        all.push(Answer::of(SessionStore::list(store, &realm, &id).await, Answer::Sessions));
        let holder = samples::holder(&realm, Purpose::ResetPassword, n);
        all.push(Answer::of(OneTimeTokenStore::find(store, &holder, now).await, Answer::Token));
        let found = store.find_valid(&realm, Purpose::ResetPassword, &digest("token", n), now).await;
        all.push(Answer::of(found, Answer::Token));
        all.push(Answer::of(store.of_user(&realm, &id, 100).await, Answer::Events));
        all.push(Answer::of(UndoStore::find(store, &realm, &undo_id(n), now).await, Answer::Undo));
        all.push(Answer::of(UndoStore::find_by_token(store, &realm, &digest("undo", n), now).await, Answer::Undo));
        let reserved = store.find_reservation(&realm, &digest("former email", n).into(), now).await;
        all.push(Answer::of(reserved, Answer::Undo));
        all.push(Answer::of(UndoStore::list(store, &realm, &id).await, Answer::Undos));
        let name = credential(&realm, n).name;
        all.push(Answer::of(CredentialStore::find(store, &realm, &name).await, Answer::Credential));
        all.push(Answer::of(CredentialStore::list(store, &realm).await, Answer::Credentials));
        all.push(Answer::of(WebhookStore::find(store, &realm, &webhook_id(n)).await, Answer::webhook));
        all.push(Answer::of(WebhookStore::list(store, &realm).await, Answer::webhooks));
        let full = store.is_exhausted(&bucket(&realm, n), &a_day(), now).await;
        all.push(Answer::of(full, Answer::Limited));
    }
    all.push(Answer::of(SentMessageStore::newest(store, 100).await, Answer::messages));
    let counts = store.next_page(Collection::LoginCounts, None, 100).await;
    all.push(Answer::of(counts, |page| Answer::FailedLogins(page.map(|page| page.records).unwrap_or_default())));
    // claims last: they change the jobs
    let mut jobs = Vec::new();
    while let Ok(Some(job)) = store.claim(NOW + LIFE, Duration::from_hours(1)).await {
        jobs.push(Job { attempts: 0, ..job });
    }
    all.push(Answer::Jobs(jobs));
    all
}
