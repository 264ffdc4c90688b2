//! The contract of the texter: of one that has a service to hand messages to.

use std::time::Duration;

use super::{Case, Outcome, Setup};
use crate::model::message::{Channel, TextMessage};
use crate::model::otp::TypedCode;
use crate::ports::mailer::Envelope;
use crate::ports::texter::Texter;
use crate::testing::fakes::randomness::SeededRandomness;
use crate::testing::samples::{job_id, phone, realm, user_id};

type Texts = Setup<dyn Texter>;

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<dyn Texter>> {
    cases![takes_every_message, a_second_delivery_is_no_error, forgets_quietly]
}

async fn send(texter: &Texts, channel: Channel, for_login: bool, part: u32) -> Outcome {
    let code = TypedCode::digits(&SeededRandomness::new(1));
    let message = TextMessage { for_login, code, expires_in: Duration::from_mins(5) };
    let envelope = Envelope { realm: realm("User1"), subject: user_id(1), job: job_id(1), part };
    texter.send(&envelope, &phone("+12025550123", "US"), channel, &message).await?;
    Ok(())
}

async fn takes_every_message(texter: &Texts) -> Outcome {
    for channel in [Channel::Sms, Channel::Voice] {
        for for_login in [true, false] {
            send(texter, channel, for_login, 0).await?;
        }
    }
    Ok(())
}

async fn a_second_delivery_is_no_error(texter: &Texts) -> Outcome {
    for part in [0, 0, 1, 1] {
        send(texter, Channel::Sms, true, part).await?;
    }
    Ok(())
}

async fn forgets_quietly(texter: &Texts) -> Outcome {
    texter.forget(&realm("User1"), &user_id(9)).await;
    send(texter, Channel::Sms, true, 0).await?;
    texter.forget(&realm("User1"), &user_id(1)).await;
    assert_ne!(texter.healthy().await, Some(false));
    Ok(())
}
