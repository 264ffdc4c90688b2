//! Tasks as the text that a store has: the kind and the ids in it, and the trace of the request that ordered the job. Digests as
//! hexadecimal text.

use std::sync::Once;
use std::time::Duration;

use portcullis_core::model::event::EventKind;
use portcullis_core::model::factor::FactorMethod;
use portcullis_core::model::ids::{SessionId, UndoId, UserId, WebhookId};
use portcullis_core::model::job::{DeadLetter, Job, JobSubject, QueuedJob, Task, TraceContext};
use portcullis_core::model::message::{Channel, OperatorAction};
use portcullis_core::model::one_time_token::Purpose;
use portcullis_core::model::sealed::{Digest, RingDigest, Sealed, WrappedKey};
use portcullis_core::model::stored_record::StoredJob;
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::webhook::WebhookEvent;
use serde_json::{Value, json};

/// How long a job whose task a later version wrote is postponed. It is still there when that version runs again.
pub const POSTPONE_UNKNOWN: Duration = Duration::from_hours(1);

/// Logs, once per process, that there are such jobs.
pub fn warn_of_unknown() {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| tracing::warn!("the queue has jobs of a later version of Portcullis: they are postponed"));
}

/// Why a job that does not verify is a dead letter.
pub const REFUSED: &str = "the record was changed by somebody without the keys";

/// A task and its trace as text.
pub fn print(task: &Task, trace: Option<&TraceContext>) -> String {
    let mut text = match task {
        Task::VerifyRegistration(user)
        | Task::ResetAfterUndo(user)
        | Task::ResetRequired(user)
        | Task::Invitation(user)
        | Task::Welcome(user)
        | Task::ConfirmEmailChange(user) => json!({"user": user.to_string()}),
        Task::VerifyNewest(email) => json!({"email": hex::encode(email.to_bytes())}),
        Task::VerifyAgain { registration, network } => {
            json!({"user": registration.to_string(), "network": network.as_ref().map(hex)})
        }
        Task::ResendVerification { email, network } | Task::ResetPassword { email, network } => {
            json!({"email": hex::encode(email.to_bytes()), "network": network.as_ref().map(hex)})
        }
        Task::PasswordChanged { user, at, by_reset, .. } => {
            json!({"user": user.to_string(), "at": at.as_millis(), "by_reset": by_reset})
        }
        Task::EmailChangeRequested { user, at }
        | Task::FactorsThrottled { user, at }
        | Task::DataExported { user, at }
        | Task::SessionEnded { user, at }
        | Task::DeviceRemembered { user, at }
        | Task::EmailChanged { user, at, .. }
        | Task::FactorsReset { user, at, .. }
        | Task::PhoneChanged { user, at, .. } => json!({"user": user.to_string(), "at": at.as_millis()}),
        Task::MfaChanged { user, at, factor, enabled, .. } => {
            json!({"user": user.to_string(), "at": at.as_millis(), "factor": factor.as_str(), "enabled": enabled})
        }
        Task::BackupCodeUsed { user, at, left } => {
            json!({"user": user.to_string(), "at": at.as_millis(), "left": left})
        }
        Task::OperatorActed { user, at, action } => {
            json!({"user": user.to_string(), "at": at.as_millis(), "action": action.as_str()})
        }
        Task::AccountDeleted { user, at, key, address } => json!({
            "user": user.to_string(), "at": at.as_millis(), "key": hex::encode(key.as_bytes()),
            "address": hex::encode(address.as_bytes()),
        }),
        Task::SendOtp { user, purpose, challenge, channel } => json!({
            "user": user.to_string(), "purpose": purpose.as_str(), "challenge": hex(challenge), "channel": channel.as_str(),
        }),
        Task::SendEnrolmentCode { user, challenge } => {
            json!({"user": user.to_string(), "challenge": hex(challenge)})
        }
        Task::SendUndoCode { user, record, challenge } => {
            json!({"user": user.to_string(), "record": record.to_string(), "challenge": hex(challenge)})
        }
        Task::NotifyWebhook { webhook, event: WebhookEvent { kind, at, user, session } } => json!({
            "webhook": webhook.to_string(), "event": kind.as_str(), "at": at.as_millis(),
            "user": user.map(|user| user.to_string()), "session": session.map(|session| session.to_string()),
        }),
    };
    if let Some(members) = text.as_object_mut() {
        members.insert("kind".to_owned(), json!(task.kind()));
        members.extend(task.undo().map(|undo| ("undo".to_owned(), json!(undo.to_string()))));
        members.extend(trace.map(|trace| ("trace".to_owned(), json!(print_trace(trace)))));
    }
    text.to_string()
}

/// As in `traceparent`, without version and flags.
fn print_trace(trace: &TraceContext) -> String {
    format!("{}-{}", hex::encode(trace.trace), hex::encode(trace.span))
}

/// The trace of a task's text; `None` where there is none, as in jobs of an earlier version.
fn parse_trace(text: &str) -> Option<TraceContext> {
    let value: Value = serde_json::from_str(text).ok()?;
    let (first, second) = value.get("trace")?.as_str()?.split_once('-')?;
    let (mut trace, mut span) = ([0; 16], [0; 8]);
    hex::decode_to_slice(first, &mut trace).ok()?;
    hex::decode_to_slice(second, &mut span).ok()?;
    Some(TraceContext { trace, span })
}

/// A task of this text; `None` for one that a later version wrote.
pub fn parse(text: &str) -> Option<Task> {
    let value: Value = serde_json::from_str(text).ok()?;
    let word = |name: &str| value.get(name)?.as_str();
    let user = || UserId::parse(word("user")?);
    let network = || word("network").and_then(unhex);
    let challenge = || unhex(word("challenge")?);
    let email = || RingDigest::from_bytes(&hex::decode(word("email")?).ok()?);
    Some(match word("kind")? {
        "verify_registration" => Task::VerifyRegistration(user()?),
        "reset_after_undo" => Task::ResetAfterUndo(user()?),
        "reset_required" => Task::ResetRequired(user()?),
        "invitation" => Task::Invitation(user()?),
        "welcome" => Task::Welcome(user()?),
        "confirm_email_change" => Task::ConfirmEmailChange(user()?),
        "verify_again" => Task::VerifyAgain { registration: user()?, network: network() },
        "verify_newest" => Task::VerifyNewest(email()?),
        "resend_verification" => Task::ResendVerification { email: email()?, network: network() },
        "reset_password" => Task::ResetPassword { email: email()?, network: network() },
        "send_otp" => Task::SendOtp {
            user: user()?,
            purpose: Purpose::parse(word("purpose")?)?,
            challenge: challenge()?,
            channel: Channel::parse(word("channel")?)?,
        },
        "send_enrolment_code" => Task::SendEnrolmentCode { user: user()?, challenge: challenge()? },
        "send_undo_code" => {
            Task::SendUndoCode { user: user()?, record: UndoId::parse(word("record")?)?, challenge: challenge()? }
        }
        "webhook" => notification(&value)?,
        _ => return parse_notice(&value),
    })
}

/// A notice to the owner of an account: something happened at a time.
fn parse_notice(value: &Value) -> Option<Task> {
    let word = |name: &str| value.get(name)?.as_str();
    let user = UserId::parse(word("user")?)?;
    let at = value.get("at")?.as_i64().map(Timestamp::from_millis)?;
    let flag = |name: &str| value.get(name)?.as_bool();
    // absent in a job of an earlier version, and so is `factor`
    let undo = word("undo").and_then(UndoId::parse);
    Some(match word("kind")? {
        "password_changed" => Task::PasswordChanged { user, at, by_reset: flag("by_reset")?, undo },
        "email_change_requested" => Task::EmailChangeRequested { user, at },
        "data_exported" => Task::DataExported { user, at },
        "session_ended" => Task::SessionEnded { user, at },
        "device_remembered" => Task::DeviceRemembered { user, at },
        "operator_acted" => Task::OperatorActed { user, at, action: OperatorAction::parse(word("action")?)? },
        "account_deleted" => Task::AccountDeleted {
            user,
            at,
            key: WrappedKey::from_bytes(hex::decode(word("key")?).ok()?),
            address: Sealed::from_bytes(hex::decode(word("address")?).ok()?),
        },
        "factors_throttled" => Task::FactorsThrottled { user, at },
        "email_changed" => Task::EmailChanged { user, at, undo },
        "phone_changed" => Task::PhoneChanged { user, at, undo },
        "mfa_changed" => Task::MfaChanged {
            user,
            at,
            factor: word("factor").map_or(Some(FactorMethod::Sms), FactorMethod::parse)?,
            enabled: flag("enabled")?,
            undo,
        },
        "factors_reset" => Task::FactorsReset { user, at, undo },
        "backup_code_used" => Task::BackupCodeUsed { user, at, left: value.get("left")?.as_u64()?.try_into().ok()? },
        _ => return None,
    })
}

/// The task of a message to a webhook.
fn notification(value: &Value) -> Option<Task> {
    let word = |name: &str| value.get(name)?.as_str();
    let event = WebhookEvent {
        kind: EventKind::parse(word("event")?)?,
        at: Timestamp::from_millis(value.get("at")?.as_i64()?),
        user: word("user").and_then(UserId::parse),
        session: word("session").and_then(SessionId::parse),
    };
    Some(Task::NotifyWebhook { webhook: WebhookId::parse(word("webhook")?)?, event })
}

/// A new job, as stores keep it.
pub fn stored(job: &Job) -> StoredJob {
    let about = job.task.about();
    let (subject, address) = match about {
        JobSubject::Subject(_) | JobSubject::Webhook(_) => (about.record(), None),
        JobSubject::Address(index) => (None, Some(*index.newest())),
    };
    StoredJob {
        id: job.id,
        realm: job.realm.clone(),
        subject,
        address,
        task: print(&job.task, job.trace.as_ref()),
        attempts: job.attempts,
        created_at: job.created_at,
        due_at: job.created_at,
        dead_at: None,
        reason: None,
    }
}

/// The job; `None` where a later version wrote its task.
pub fn job(stored: StoredJob) -> Option<Job> {
    let StoredJob { id, realm, task, attempts, created_at, .. } = stored;
    let trace = parse_trace(&task);
    parse(&task).map(|task| Job { id, realm, task, attempts, created_at, trace })
}

/// The job and its place in the queue; `None` where a later version wrote its task.
pub fn queued(stored: StoredJob) -> Option<QueuedJob> {
    let (due_at, dead_at, reason) = (stored.due_at, stored.dead_at, stored.reason.clone());
    job(stored).map(|job| QueuedJob { job, due_at, dead: dead_at.map(|at| (at, reason.unwrap_or_default())) })
}

/// The dead letter; `None` where a later version wrote its task.
pub fn dead_letter(stored: StoredJob) -> Option<DeadLetter> {
    let (reason, at) = (stored.reason.clone().unwrap_or_default(), stored.dead_at?);
    job(stored).map(|job| DeadLetter { job, reason, at })
}

/// A digest as hexadecimal text.
pub fn hex(digest: &Digest) -> String {
    hex::encode(digest.as_bytes())
}

/// A digest from hexadecimal text.
pub fn unhex(text: &str) -> Option<Digest> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(Digest::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_read_as_it_was_written() {
        let undo = Some(UndoId::from_bytes([3; 16]));
        let (user, at, digest) = (UserId::from_bytes([7; 16]), Timestamp::from_millis(5), Digest::from_bytes([9; 32]));
        for task in [
            Task::VerifyRegistration(user),
            Task::Welcome(user),
            Task::ConfirmEmailChange(user),
            Task::VerifyNewest(digest.into()),
            Task::VerifyAgain { registration: user, network: Some(digest) },
            Task::ResendVerification { email: RingDigest::new(digest, Some(digest)), network: Some(digest) },
            Task::ResetPassword { email: digest.into(), network: None },
            Task::ResetAfterUndo(user),
            Task::ResetRequired(user),
            Task::Invitation(user),
            Task::FactorsThrottled { user, at },
            Task::DataExported { user, at },
            Task::SessionEnded { user, at },
            Task::DeviceRemembered { user, at },
            Task::OperatorActed { user, at, action: OperatorAction::SessionsEnded },
            Task::OperatorActed { user, at, action: OperatorAction::DataExported },
            Task::AccountDeleted {
                user,
                at,
                key: WrappedKey::from_bytes(vec![1, 2]),
                address: Sealed::from_bytes(vec![3]),
            },
            Task::PasswordChanged { user, at, by_reset: true, undo },
            Task::PasswordChanged { user, at, by_reset: false, undo: None },
            Task::EmailChangeRequested { user, at },
            Task::EmailChanged { user, at, undo },
            Task::PhoneChanged { user, at, undo },
            Task::MfaChanged { user, at, factor: FactorMethod::Totp, enabled: false, undo },
            Task::FactorsReset { user, at, undo },
            Task::BackupCodeUsed { user, at, left: 2 },
            Task::SendOtp { user, purpose: Purpose::LoginMfa, challenge: digest, channel: Channel::Voice },
            Task::SendUndoCode { user, record: UndoId::from_bytes([3; 16]), challenge: digest },
            Task::SendEnrolmentCode { user, challenge: digest },
            Task::NotifyWebhook {
                webhook: WebhookId::from_bytes([4; 16]),
                event: WebhookEvent { kind: EventKind::LoggedIn, at, user: Some(user), session: None },
            },
        ] {
            assert_eq!(parse(&print(&task, None)), Some(task.clone()));
            let trace = TraceContext { trace: [0xab; 16], span: [1; 8] };
            let text = print(&task, Some(&trace));
            assert_eq!((parse(&text), parse_trace(&text)), (Some(task), Some(trace)));
        }
        assert_eq!(parse_trace(&print(&Task::Welcome(user), None)), None);
        assert_eq!(parse_trace("{\"trace\":\"00-00\"}"), None);
        assert_eq!(parse("{\"kind\":\"of_the_future\"}"), None);
        assert_eq!(parse("no json"), None);
    }
}
