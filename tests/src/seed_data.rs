//! Stores with something of everything in them, put there as the server does it.

use std::ops::Range;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use portcullis_core::model::credential::{Credential, CredentialName, Scope, Scopes};
use portcullis_core::model::event::{Event, EventKind};
use portcullis_core::model::event_detail::EventDetail;
use portcullis_core::model::factor::SealedFactors;
use portcullis_core::model::ids::WebhookId;
use portcullis_core::model::job::Task;
use portcullis_core::model::login_throttle::LoginSource;
use portcullis_core::model::one_time_token::Purpose;
use portcullis_core::model::operator_note::{OperatorNote, Reason};
use portcullis_core::model::quota::{Bucket, Quota};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sent_message::StoredMessage;
use portcullis_core::model::session::Rotated;
use portcullis_core::model::undo::{UndoRecord, UndoableChange};
use portcullis_core::model::user::PendingEmail;
use portcullis_core::model::webhook::{EventKinds, OldSecret, Webhook};
use portcullis_core::ports::audit_log::AuditLog;
use portcullis_core::ports::database::{Change, Database, UnitOfWork};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::job_queue::JobQueue;
use portcullis_core::ports::login_guard::LoginGuard;
use portcullis_core::ports::one_time_token_store::OneTimeTokenStore;
use portcullis_core::ports::rate_limiter::RateLimiter;
use portcullis_core::ports::registration_store::RegistrationStore;
use portcullis_core::ports::sent_message_store::SentMessageStore;
use portcullis_core::ports::session_store::SessionStore;
use portcullis_core::ports::user_store::UserStore;
use portcullis_testkit::samples::{
    NOW, digest, email_index, job, job_id, person, realm, registration, roles, sealed, session, session_id, token,
    undo_record, user, user_id,
};

/// All ports that the store of a deployment implements.
pub trait Everything:
    Database
    + UserStore
    + RegistrationStore
    + SessionStore
    + OneTimeTokenStore
    + JobQueue
    + AuditLog
    + LoginGuard
    + RateLimiter
    + SentMessageStore
{
}

impl<S> Everything for S where
    S: Database
        + UserStore
        + RegistrationStore
        + SessionStore
        + OneTimeTokenStore
        + JobQueue
        + AuditLog
        + LoginGuard
        + RateLimiter
        + SentMessageStore
{
}

/// So many accounts, each with a login, a token, a job, an event, counts, a limit and a mail; every tenth with what is
/// rarer.
///
/// # Panics
/// When the store fails.
pub async fn seed(store: &impl Everything, numbers: Range<u64>) {
    let realms = [realm("User1"), realm("User2")];
    let one = |n: u64| {
        let realm = realms[usize::from(n.is_multiple_of(3))].clone();
        async move { put(store, &realm, n).await }
    };
    stream::iter(numbers.clone()).map(one).buffer_unordered(64).try_collect::<Vec<()>>().await.expect("it is kept");
    // events are written later: this waits for them
    let _ = store.of_user(&realms[0], &user_id(1), 1).await.expect("it is kept");
}

/// An undo record of every seventh account; a used one with a reserved address of every tenth.
fn undo(realm: &Realm, n: u64) -> Option<Change> {
    let undo = undo_record(realm, n, n);
    if n.is_multiple_of(10) {
        let (reserved, token) = (Some(digest("former email", n).into()), Some(digest("undo token", n)));
        let used = UndoRecord { change: UndoableChange::Email, reserved, token, tries_left: 2, used: true, ..undo };
        return Some(Change::InsertUndo(Box::new(used)));
    }
    n.is_multiple_of(7).then(|| Change::InsertUndo(Box::new(undo)))
}

fn factors(n: u64) -> SealedFactors {
    SealedFactors {
        totp: Some(sealed("totp", n)),
        pending_totp: Some(sealed("pending totp", n)),
        backup_codes: Some(sealed("backup codes", n)),
        passkeys: Some(sealed("passkeys", n)),
        devices: Some(sealed("devices", n)),
    }
}

async fn put(store: &impl Everything, realm: &Realm, n: u64) -> Result<(), PortError> {
    let insert = |registration| Change::InsertRegistration { registration: Box::new(registration), limit: 5, now: NOW };
    let mut changes = Vec::new();
    let rare = n.is_multiple_of(10);
    let mut account = user(realm, n);
    let mut login = session(realm, n, n);
    if rare {
        account.pending_email = Some(PendingEmail { index: digest("pending", n).into(), email: sealed("pending", n) });
        account.previous_email = Some(sealed("previous", n));
        (account.factors, account.roles) = (factors(n), roles(&["admin", "billing"]));
        (account.phone_verified, account.mfa_sms, account.disabled) = (true, true, true);
        (account.credentials_version, account.version) = (n, n + 1);
        login.previous = Some(Rotated { token: digest("before", n), at: NOW, successor: [7; 16] });
        let mut waiting = registration(realm, n + 1_000_000);
        waiting.person = person(n + 1_000_000);
        changes.push(insert(waiting.clone()));
        waiting.id = user_id(n + 2_000_000);
        changes.push(insert(waiting));
    }
    changes.push(Change::InsertUser(Box::new(account)));
    changes.extend(of_operators(realm, n, rare));
    changes.push(Change::InsertSession(Box::new(login)));
    let mut link = token(realm, if rare { Purpose::VerifyPhone } else { Purpose::ResetPassword }, n);
    (link.code, link.binding) = if rare { (link.code, Some(digest("phone", n))) } else { (None, None) };
    changes.push(Change::PutToken(Box::new(link)));
    changes.extend(undo(realm, n));
    let task =
        if rare { Task::ResetPassword { email: email_index(n), network: None } } else { Task::Welcome(user_id(n)) };
    let jobs = vec![job(realm, n, task)];
    let stored = store.commit(UnitOfWork { changes, jobs, ..UnitOfWork::default() }).await?;
    stored.map_err(|refusal| PortError::new("database", refusal))?;
    if n.is_multiple_of(50) {
        store.dead_letter(&job_id(n), "the mail server refused (550)", NOW).await?;
    }
    let event = event(realm, n, rare);
    store.record(event.clone());
    // twice the same, in every member
    store.record(event);
    let source = |kind| LoginSource { address: digest(kind, n), networks: vec![digest("network", n)] };
    let (email, from) = (digest("email", n), source("from"));
    let _ = store.admit(realm, &email, &from, NOW).await?;
    if n.is_multiple_of(2) {
        store.succeeded(realm, &email, &from, NOW).await?;
    }
    if rare {
        let _ = store.admit(realm, &email, &source("stranger"), NOW).await?;
    }
    let bucket = Bucket { realm: realm.clone(), operation: "export", who: digest("who", n) };
    let _ = store.take(&bucket, &Quota::new(1, Duration::from_hours(24)), NOW).await?;
    let copy = StoredMessage {
        realm: realm.clone(),
        subject: user_id(n),
        job: job_id(n),
        part: 0,
        key: person(n).key,
        message: sealed("message", n),
        at: NOW,
    };
    SentMessageStore::put(store, copy).await?;
    Ok(())
}

/// An event of an account; a rare one is of a session and an operator.
fn event(realm: &Realm, n: u64, rare: bool) -> Event {
    let kind = if rare { EventKind::RefreshTokenStolen } else { EventKind::LoggedIn };
    let reason = Reason::parse("a support call");
    Event {
        at: NOW,
        realm: realm.clone(),
        kind,
        user: Some(user_id(n)),
        session: rare.then(|| session_id(n)),
        operator: rare.then(|| OperatorNote { operator: "command line".to_owned(), reason }),
        detail: rare.then(|| EventDetail::more(n)),
    }
}

/// A credential and a webhook.
fn of_operators(realm: &Realm, n: u64, rare: bool) -> [Change; 2] {
    let (credential, webhook) = (Box::new(credential(realm, n)), Box::new(webhook(realm, n, rare)));
    [Change::InsertCredential(credential), Change::InsertWebhook(webhook)]
}

/// A service client, or an operator token.
fn credential(realm: &Realm, n: u64) -> Credential {
    let token = n.is_multiple_of(2);
    let name = if token { format!("opt_{n}") } else { format!("client-{n}") };
    Credential {
        realm: realm.clone(),
        name: CredentialName::parse(&name).expect("a name"),
        secret: digest("secret", n),
        scopes: Scopes::of(if token { &[Scope::Observe] } else { &[Scope::Introspect] }),
        created_at: NOW,
        expires_at: token.then(|| NOW + Duration::from_hours(24)),
    }
}

/// A webhook; a rare one had another secret before.
fn webhook(realm: &Realm, n: u64, rare: bool) -> Webhook {
    Webhook {
        realm: realm.clone(),
        id: WebhookId::from_bytes(*user_id(n).as_bytes()),
        secret: person(n).key,
        old_secret: rare.then(|| OldSecret { secret: sealed("old secret", n), until: NOW + Duration::from_hours(24) }),
        url: format!("https://receiver.example/{n}"),
        kinds: EventKinds::from_text(if rare { "*" } else { "account_deleted logged_in" }),
        disabled: rare,
        version: n + 1,
        created_at: NOW,
        updated_at: NOW,
    }
}
