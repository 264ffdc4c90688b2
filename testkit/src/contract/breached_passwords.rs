//! Contract cases of the list of breached passwords.

use super::{Case, Outcome, Setup};
use crate::samples::password;
use portcullis_core::ports::breached_passwords::BreachedPasswords;

type Breached = Setup<dyn BreachedPasswords>;

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<dyn BreachedPasswords>> {
    cases![knows_what_every_list_has, lets_unheard_of_passwords_pass, takes_any_text]
}

/// Good enough for an estimator, and on every list all the same: those are what a list is for.
async fn knows_what_every_list_has(breached: &Breached) -> Outcome {
    for notorious in ["correcthorsebatterystaple", "1qaz2wsx3edc4rfv", "q1w2e3r4t5y6u7i8"] {
        assert!(breached.contains(&password(notorious)).await?, "{notorious}");
    }
    Ok(())
}

async fn lets_unheard_of_passwords_pass(breached: &Breached) -> Outcome {
    let mut claimed = 0;
    for n in 0..1000 {
        let unheard_of = password(&format!("gr{n}shnak-durbatuluk-{n}-krimpatul"));
        claimed += u32::from(breached.contains(&unheard_of).await?);
    }
    assert!(claimed < 20, "{claimed} of 1000 passwords that nobody has ever used");
    Ok(())
}

async fn takes_any_text(breached: &Breached) -> Outcome {
    for odd in ["", " ", "\0", "пароль-которого-нет-нигде", "🗝️🗝️🗝️🗝️🗝️🗝️🗝️🗝️", &"x".repeat(4000)]
    {
        breached.contains(&password(odd)).await?;
    }
    Ok(())
}
