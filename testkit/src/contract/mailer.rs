//! Contract cases of the mailer: of one that has a server to hand messages to.

use std::time::Duration;

use super::{Case, Outcome, Setup};
use crate::fakes::randomness::SeededRandomness;
use crate::samples::{NOW, email, job_id, name, realm, user_id};
use portcullis_core::model::factor::FactorMethod;
use portcullis_core::model::listed_factor::{ListedFactor, ListedKind};
use portcullis_core::model::locale::Locale;
use portcullis_core::model::message::{EmailMessage, OperatorAction, UndoLink};
use portcullis_core::model::otp::TypedCode;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::secret::OpaqueToken;
use portcullis_core::ports::mailer::{Envelope, Mailer};
use portcullis_core::ports::randomness::Randomness as _;

type Mail = Setup<dyn Mailer>;

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<dyn Mailer>> {
    cases![takes_every_message, takes_every_name_and_address, a_second_delivery_is_no_error, forgets_quietly]
}

/// One of each kind.
fn listed_factors() -> Vec<ListedFactor> {
    let kinds = FactorMethod::ALL.into_iter().map(ListedKind::Factor).chain([ListedKind::Device]);
    let of = |kind| ListedFactor { kind, name: Some("Phone".to_owned()), since: Some(NOW), last_used_at: None };
    kinds.map(of).collect()
}

/// Every message there is.
#[must_use]
pub fn every_message(first: &str) -> Vec<EmailMessage> {
    let randomness = SeededRandomness::new(1);
    let first_name = || name(first);
    let token = || OpaqueToken::random(|bytes| randomness.fill(bytes));
    let expires_in = Duration::from_mins(30);
    let code = TypedCode::letters(|bytes| randomness.fill(bytes));
    let mut messages = vec![
        EmailMessage::VerifyEmail { token: token(), code: code.clone(), expires_in },
        EmailMessage::Welcome { first_name: first_name() },
        EmailMessage::AlreadyRegistered { first_name: first_name() },
        EmailMessage::ResetPassword { first_name: first_name(), token: token(), expires_in, factors: listed_factors() },
        EmailMessage::ResetRequired { first_name: first_name(), token: token(), expires_in },
        EmailMessage::Invitation { first_name: first_name(), token: token(), expires_in },
        EmailMessage::ConfirmEmailChange { token: token(), expires_in },
        EmailMessage::AccountDeleted { at: NOW },
        EmailMessage::DataExported { first_name: first_name(), at: NOW },
        EmailMessage::SessionEnded { first_name: first_name(), at: NOW },
        EmailMessage::DeviceRemembered { first_name: first_name(), at: NOW },
        EmailMessage::FactorsThrottled { first_name: first_name(), at: NOW },
        EmailMessage::EnrolmentCode { first_name: first_name(), code, expires_in },
        EmailMessage::BackupCodeUsed { first_name: first_name(), at: NOW, left: 2 },
        EmailMessage::EmailChangeRequested { first_name: first_name(), at: NOW },
    ];
    let link = || UndoLink { token: token(), expires_in: Duration::from_hours(168) };
    for action in [OperatorAction::SessionsEnded, OperatorAction::DataExported] {
        messages.push(EmailMessage::OperatorActed { first_name: first_name(), at: NOW, action });
    }
    for yes in [true, false] {
        let undo = || yes.then(link);
        messages.push(EmailMessage::EmailChanged { first_name: first_name(), at: NOW, undo: undo() });
        messages.push(EmailMessage::FactorsReset { first_name: first_name(), at: NOW, undo: undo() });
        messages.push(EmailMessage::PhoneChanged { first_name: first_name(), at: NOW, undo: undo() });
        let (first, undo_first) = (first_name(), undo());
        messages.push(EmailMessage::PasswordChanged { first_name: first, at: NOW, by_reset: yes, undo: undo_first });
        messages.extend(FactorMethod::ALL.map(|factor| EmailMessage::MfaChanged {
            first_name: first_name(),
            at: NOW,
            factor,
            enabled: yes,
            undo: undo(),
        }));
    }
    messages
}

fn envelope(realm: &Realm, n: u64) -> Envelope {
    Envelope { realm: realm.clone(), subject: user_id(n), job: job_id(n), part: 0, locale: Locale::default() }
}

async fn takes_every_message(mailer: &Mail) -> Outcome {
    for (n, message) in (0..).zip(every_message("Ada")) {
        mailer.send(&envelope(&realm("User1"), n), &email("ada@example.com"), &message).await?;
    }
    Ok(())
}

async fn takes_every_name_and_address(mailer: &Mail) -> Outcome {
    for first in ["O'Brien", "Zoë", "李小龍", "<b>Bob</b>", "{{ name }}", "a\u{a0}b", "=?utf-8?Q?x?="] {
        for message in every_message(first) {
            mailer.send(&envelope(&realm("User1"), 1), &email("zoe+tag@bücher.example"), &message).await?;
        }
    }
    Ok(())
}

async fn a_second_delivery_is_no_error(mailer: &Mail) -> Outcome {
    for message in every_message("Ada").iter().take(1) {
        for part in [0, 0, 1, 1] {
            let envelope = Envelope { part, ..envelope(&realm("User1"), 1) };
            mailer.send(&envelope, &email("ada@example.com"), message).await?;
        }
    }
    Ok(())
}

async fn forgets_quietly(mailer: &Mail) -> Outcome {
    let realm = realm("User1");
    mailer.forget(&realm, &user_id(9)).await;
    for message in every_message("Ada") {
        mailer.send(&envelope(&realm, 1), &email("ada@example.com"), &message).await?;
    }
    mailer.forget(&realm, &user_id(1)).await;
    assert!(!matches!(mailer.health().await, Some(Err(_))));
    Ok(())
}
