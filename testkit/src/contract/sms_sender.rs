//! Contract cases of the SMS sender: of one that has a service to hand messages to.

use std::time::Duration;

use super::{Case, Outcome, Setup};
use crate::fakes::randomness::SeededRandomness;
use crate::samples::{job_id, phone, realm, user_id};
use portcullis_core::model::locale::Locale;
use portcullis_core::model::message::{Channel, SmsMessage};
use portcullis_core::model::otp::TypedCode;
use portcullis_core::ports::mailer::Envelope;
use portcullis_core::ports::randomness::Randomness as _;
use portcullis_core::ports::sms_sender::SmsSender;

type Texts = Setup<dyn SmsSender>;

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<dyn SmsSender>> {
    cases![takes_every_message, a_second_delivery_is_no_error, forgets_quietly]
}

async fn send(sms_sender: &Texts, channel: Channel, for_login: bool, part: u32) -> Outcome {
    let randomness = SeededRandomness::new(1);
    let code = TypedCode::digits(|bytes| randomness.fill(bytes));
    let message = SmsMessage { for_login, code, expires_in: Duration::from_mins(5) };
    let envelope =
        Envelope { realm: realm("User1"), subject: user_id(1), job: job_id(1), part, locale: Locale::default() };
    sms_sender.send(&envelope, &phone("+12025550123", "US"), channel, &message).await?;
    Ok(())
}

async fn takes_every_message(sms_sender: &Texts) -> Outcome {
    for channel in [Channel::Sms, Channel::Voice] {
        for for_login in [true, false] {
            send(sms_sender, channel, for_login, 0).await?;
        }
    }
    Ok(())
}

async fn a_second_delivery_is_no_error(sms_sender: &Texts) -> Outcome {
    for part in [0, 0, 1, 1] {
        send(sms_sender, Channel::Sms, true, part).await?;
    }
    Ok(())
}

async fn forgets_quietly(sms_sender: &Texts) -> Outcome {
    sms_sender.forget(&realm("User1"), &user_id(9)).await;
    send(sms_sender, Channel::Sms, true, 0).await?;
    sms_sender.forget(&realm("User1"), &user_id(1)).await;
    assert!(!matches!(sms_sender.health().await, Some(Err(_))));
    Ok(())
}
