//! Contract cases of the login guard.

use std::sync::Arc;
use std::time::Duration;

use super::{Case, Outcome, Records, Setup, count};
use crate::samples::{NOW, digest, realm};
use portcullis_core::model::login_throttle::{Admission, FREE_FAILURES, LoginSource, STRANGERS_PER_HOUR, THROTTLE};
use portcullis_core::model::sealed::Digest;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::login_guard::LoginGuard;

type Guard = Setup<Records<dyn LoginGuard>>;

const MILLI: Duration = Duration::from_millis(1);
const JUST_LESS: Duration = THROTTLE.saturating_sub(MILLI);

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<Records<dyn LoginGuard>>> {
    cases![
        ten_failures_are_free,
        then_one_try_a_minute_passes,
        a_stranger_waits_for_its_own_failures,
        all_strangers_share_a_hundred_an_hour,
        a_withdrawn_attempt_counts_nothing,
        a_known_address_is_not_slowed_down_by_strangers,
        a_known_address_has_a_count_of_its_own,
        known_addresses_do_not_share_a_count,
        a_success_starts_its_count_anew,
        a_success_of_a_new_address_starts_the_strangers_anew,
        emails_do_not_share_a_count,
        realms_do_not_share_a_count,
        forgets_an_email,
        a_racing_crowd_gets_no_more_than_is_free,
        a_racing_crowd_gets_one_try_a_minute,
        second_factors_have_a_count_and_a_schedule_of_their_own,
        a_racing_crowd_gets_ten_second_factors,
    ]
}

/// The n-th address, in a network of its own.
fn from(n: u64) -> LoginSource {
    LoginSource { address: digest("address", n), networks: vec![digest("network", n)] }
}

fn email(n: u64) -> Digest {
    digest("email", n)
}

/// One try at the first e-mail.
async fn admit(guard: &Guard, from: LoginSource, now: Timestamp) -> Result<Admission, PortError> {
    guard.admit(&realm("User1"), &email(1), &from, now).await
}

/// Uses up the free attempts of an address.
async fn exhaust(guard: &Guard, from: LoginSource, now: Timestamp) -> Outcome {
    for n in 0..FREE_FAILURES {
        assert_eq!(admit(guard, from.clone(), now).await?, Admission::Admitted, "try {n}");
    }
    assert_eq!(admit(guard, from, now).await?, Admission::Throttled(THROTTLE));
    Ok(())
}

async fn ten_failures_are_free(guard: &Guard) -> Outcome {
    for n in 0..FREE_FAILURES {
        assert_eq!(admit(guard, from(1), NOW + MILLI * n).await?, Admission::Admitted);
    }
    let last = NOW + MILLI * (FREE_FAILURES - 1);
    assert_eq!(admit(guard, from(1), last).await?, Admission::Throttled(THROTTLE));
    assert_eq!(admit(guard, from(1), last + MILLI).await?, Admission::Throttled(JUST_LESS));
    Ok(())
}

async fn then_one_try_a_minute_passes(guard: &Guard) -> Outcome {
    exhaust(guard, from(1), NOW).await?;
    for minute in 1..=3 {
        let now = NOW + THROTTLE * minute;
        assert_eq!(admit(guard, from(1), now - MILLI).await?, Admission::Throttled(MILLI));
        assert_eq!(admit(guard, from(1), now).await?, Admission::Admitted);
        assert_eq!(admit(guard, from(1), now).await?, Admission::Throttled(THROTTLE));
    }
    let much_later = NOW + THROTTLE * 10_000;
    assert_eq!(admit(guard, from(1), much_later).await?, Admission::Admitted);
    assert_eq!(admit(guard, from(1), much_later + MILLI).await?, Admission::Throttled(JUST_LESS));
    Ok(())
}

async fn a_stranger_waits_for_its_own_failures(guard: &Guard) -> Outcome {
    exhaust(guard, from(1), NOW).await?;
    for _ in 0..3 {
        assert_eq!(admit(guard, from(2), NOW).await?, Admission::Admitted);
    }
    assert_eq!(admit(guard, from(2), NOW).await?, Admission::Throttled(Duration::from_secs(1)));
    let neighbour = LoginSource { address: digest("address", 3), ..from(2) };
    assert_eq!(admit(guard, neighbour, NOW).await?, Admission::Throttled(Duration::from_secs(1)), "of its network");
    assert_eq!(admit(guard, from(3), NOW).await?, Admission::Admitted);
    Ok(())
}

async fn all_strangers_share_a_hundred_an_hour(guard: &Guard) -> Outcome {
    exhaust(guard, from(1), NOW).await?;
    for n in 0..u64::from(STRANGERS_PER_HOUR) {
        assert_eq!(admit(guard, from(10 + n), NOW).await?, Admission::Admitted, "stranger {n}");
    }
    let wait = Duration::from_secs(36);
    assert_eq!(admit(guard, from(999), NOW).await?, Admission::Throttled(wait));
    assert_eq!(admit(guard, from(999), NOW + wait).await?, Admission::Admitted);
    Ok(())
}

async fn a_withdrawn_attempt_counts_nothing(guard: &Guard) -> Outcome {
    let realm = realm("User1");
    // the address has no counts yet: nothing happens
    guard.withdraw(&realm, &email(1), &from(1), NOW).await?;
    for address in [from(1), from(2)] {
        for _ in 0..3 * FREE_FAILURES {
            assert_eq!(admit(guard, address.clone(), NOW).await?, Admission::Admitted);
            guard.withdraw(&realm, &email(1), &address, NOW).await?;
        }
    }
    exhaust(guard, from(1), NOW).await?;
    guard.withdraw(&realm, &email(1), &from(1), NOW).await?;
    assert_eq!(admit(guard, from(1), NOW).await?, Admission::Admitted);
    assert_eq!(admit(guard, from(1), NOW).await?, Admission::Throttled(THROTTLE));
    // a known address's own
    guard.succeeded(&realm, &email(2), &from(1), NOW).await?;
    guard.admit(&realm, &email(2), &from(1), NOW).await?;
    guard.withdraw(&realm, &email(2), &from(1), NOW).await?;
    for _ in 0..FREE_FAILURES {
        assert_eq!(guard.admit(&realm, &email(2), &from(1), NOW).await?, Admission::Admitted);
    }
    assert_eq!(guard.admit(&realm, &email(2), &from(1), NOW).await?, Admission::Throttled(THROTTLE));
    Ok(())
}

async fn a_known_address_is_not_slowed_down_by_strangers(guard: &Guard) -> Outcome {
    admit(guard, from(1), NOW).await?;
    guard.succeeded(&realm("User1"), &email(1), &from(1), NOW).await?;
    exhaust(guard, from(2), NOW).await?;
    assert_eq!(admit(guard, from(1), NOW).await?, Admission::Admitted);
    Ok(())
}

async fn a_known_address_has_a_count_of_its_own(guard: &Guard) -> Outcome {
    guard.succeeded(&realm("User1"), &email(1), &from(1), NOW).await?;
    exhaust(guard, from(1), NOW).await?;
    assert_eq!(admit(guard, from(2), NOW).await?, Admission::Admitted, "it slowed strangers down");
    assert_eq!(admit(guard, from(1), NOW + THROTTLE).await?, Admission::Admitted);
    Ok(())
}

async fn known_addresses_do_not_share_a_count(guard: &Guard) -> Outcome {
    for n in [1, 2] {
        guard.succeeded(&realm("User1"), &email(1), &from(n), NOW).await?;
    }
    exhaust(guard, from(1), NOW).await?;
    exhaust(guard, from(2), NOW).await
}

async fn a_success_starts_its_count_anew(guard: &Guard) -> Outcome {
    guard.succeeded(&realm("User1"), &email(1), &from(1), NOW).await?;
    exhaust(guard, from(2), NOW).await?;
    exhaust(guard, from(1), NOW).await?;
    guard.succeeded(&realm("User1"), &email(1), &from(1), NOW).await?;
    exhaust(guard, from(1), NOW).await?;
    assert_eq!(admit(guard, from(2), NOW).await?, Admission::Throttled(THROTTLE), "it freed the strangers");
    Ok(())
}

async fn a_success_of_a_new_address_starts_the_strangers_anew(guard: &Guard) -> Outcome {
    for _ in 0..FREE_FAILURES {
        admit(guard, from(1), NOW).await?;
    }
    guard.succeeded(&realm("User1"), &email(1), &from(1), NOW).await?;
    exhaust(guard, from(2), NOW).await
}

async fn emails_do_not_share_a_count(guard: &Guard) -> Outcome {
    exhaust(guard, from(1), NOW).await?;
    assert_eq!(guard.admit(&realm("User1"), &email(2), &from(1), NOW).await?, Admission::Admitted);
    Ok(())
}

async fn realms_do_not_share_a_count(guard: &Guard) -> Outcome {
    exhaust(guard, from(1), NOW).await?;
    assert_eq!(guard.admit(&realm("User2"), &email(1), &from(1), NOW).await?, Admission::Admitted);
    guard.succeeded(&realm("User2"), &email(1), &from(1), NOW).await?;
    assert_eq!(admit(guard, from(1), NOW).await?, Admission::Throttled(THROTTLE));
    guard.forget(&realm("User2"), &email(1)).await?;
    assert_eq!(admit(guard, from(1), NOW).await?, Admission::Throttled(THROTTLE));
    Ok(())
}

async fn forgets_an_email(guard: &Guard) -> Outcome {
    guard.succeeded(&realm("User1"), &email(1), &from(1), NOW).await?;
    exhaust(guard, from(1), NOW).await?;
    exhaust(guard, from(2), NOW).await?;
    for _ in 0..FREE_FAILURES {
        guard.admit(&realm("User1"), &email(2), &from(1), NOW).await?;
    }
    guard.forget(&realm("User1"), &email(1)).await?;
    guard.forget(&realm("User1"), &email(1)).await?;
    exhaust(guard, from(1), NOW).await?;
    for _ in 0..3 {
        admit(guard, from(3), NOW).await?;
    }
    let third = admit(guard, from(3), NOW).await?;
    assert_eq!(third, Admission::Throttled(Duration::from_secs(1)), "the first is a stranger again");
    let other = guard.admit(&realm("User1"), &email(2), &from(1), NOW).await?;
    assert_eq!(other, Admission::Throttled(THROTTLE), "another e-mail was forgotten");
    Ok(())
}

/// How many of fifty tries of an address at once are admitted.
async fn crowd(guard: &Guard, now: Timestamp) -> Result<usize, PortError> {
    let answers =
        guard.race(50, |guard, _| async move { guard.admit(&realm("User1"), &email(1), &from(1), now).await });
    Ok(count(&answers.await?, &Admission::Admitted))
}

async fn a_racing_crowd_gets_no_more_than_is_free(guard: &Guard) -> Outcome {
    assert_eq!(crowd(guard, NOW).await? as u64, u64::from(FREE_FAILURES));
    Ok(())
}

async fn a_racing_crowd_gets_one_try_a_minute(guard: &Guard) -> Outcome {
    exhaust(guard, from(1), NOW).await?;
    assert_eq!(crowd(guard, NOW + THROTTLE).await?, 1);
    assert_eq!(crowd(guard, NOW + THROTTLE).await?, 0);
    Ok(())
}

async fn second_factors_have_a_count_and_a_schedule_of_their_own(guard: &Guard) -> Outcome {
    let (realm, subject) = (realm("User1"), digest("factor", 1));
    for n in 1..=FREE_FAILURES {
        assert_eq!(guard.admit_factor(&realm, &subject, NOW).await?, (Admission::Admitted, n));
    }
    let mut now = NOW;
    for (n, minutes) in
        [(11, 1), (12, 1), (13, 1), (14, 1), (15, 1), (16, 1), (17, 1), (18, 1), (19, 1), (20, 1), (21, 2)]
    {
        let pause = THROTTLE * minutes;
        let before = Admission::Throttled(pause);
        assert_eq!(guard.admit_factor(&realm, &subject, now).await?, (before, n - 1));
        now = now + pause;
        assert_eq!(guard.admit_factor(&realm, &subject, now - MILLI).await?.0, Admission::Throttled(MILLI));
        assert_eq!(guard.admit_factor(&realm, &subject, now).await?, (Admission::Admitted, n));
    }
    // of another account, and after a right one
    assert_eq!(guard.admit_factor(&realm, &digest("factor", 2), now).await?, (Admission::Admitted, 1));
    for _ in 0..2 {
        guard.factor_succeeded(&realm, &subject, now).await?;
        assert_eq!(guard.admit_factor(&realm, &subject, now).await?, (Admission::Admitted, 1));
        guard.withdraw_factor(&realm, &subject, now).await?;
        assert_eq!(guard.admit_factor(&realm, &subject, now).await?, (Admission::Admitted, 1));
    }
    Ok(())
}

async fn a_racing_crowd_gets_ten_second_factors(guard: &Guard) -> Outcome {
    let race = |guard: Arc<Records<dyn LoginGuard>>, _| async move {
        Ok(guard.admit_factor(&realm("User1"), &digest("factor", 1), NOW).await?.0)
    };
    let answers = guard.race(40, race).await?;
    assert_eq!(count(&answers, &Admission::Admitted), FREE_FAILURES as usize);
    Ok(())
}
