//! Contract cases of the session store.

use std::sync::Arc;
use std::time::Duration;

use super::agreement::session_store::agrees_with_the_fake;
use super::{Case, Outcome, Records, Setup, count};
use crate::samples::{LIFE, NOW, digest, realm, session, session_id, user_id};
use portcullis_core::model::sealed::Sealed;
use portcullis_core::model::session::AuthMethods;
use portcullis_core::model::session::{Rotated, Session};
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::database::Refusal;
use portcullis_core::ports::session_store::SessionStore;

type Sessions = Setup<Records<dyn SessionStore>>;

const MILLI: Duration = Duration::from_millis(1);

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<Records<dyn SessionStore>>> {
    cases![
        an_empty_store_finds_nothing,
        finds_what_was_inserted,
        keeps_every_field,
        another_realm_is_another_world,
        lists_a_users_sessions_oldest_first,
        rotates_the_expected_version,
        a_stale_rotation_changes_nothing,
        one_of_many_racing_rotations_wins,
        ends_once,
        one_of_many_racing_endings_answers_true,
        an_ended_session_never_comes_back,
        a_racing_rotation_brings_no_ended_session_back,
        ends_all_of_a_user,
        ends_all_but_one,
        keeps_the_expired_until_they_are_purged,
        purges_the_idle_and_the_old,
        agrees_with_the_fake,
    ]
}

/// The same session, rotated once.
fn rotated(session: &Session) -> Session {
    Session {
        version: session.version + 1,
        current: digest("refresh token", session.version + 1000),
        previous: Some(Rotated { token: session.current, at: NOW, successor: [7; 16] }),
        last_used_at: session.last_used_at + LIFE / 2,
        idle_expires_at: session.idle_expires_at + LIFE / 2,
        ..session.clone()
    }
}

async fn an_empty_store_finds_nothing(sessions: &Sessions) -> Outcome {
    let realm = realm("User1");
    assert_eq!(sessions.find(&realm, &session_id(1)).await?, None);
    assert_eq!(sessions.list(&realm, &user_id(1)).await?, Vec::new());
    assert_eq!(sessions.replace(session(&realm, 1, 1), 1).await?, Err(Refusal::SessionGone));
    assert_eq!(sessions.find(&realm, &session_id(1)).await?, None);
    assert!(!sessions.end(&realm, &session_id(1)).await?);
    assert_eq!(sessions.end_all(&realm, &user_id(1), None).await?, 0);
    assert_eq!(sessions.purge_expired(NOW).await?, 0);
    Ok(())
}

async fn finds_what_was_inserted(sessions: &Sessions) -> Outcome {
    let realm = realm("User1");
    let (one, two) = (session(&realm, 1, 1), session(&realm, 1, 2));
    sessions.insert(one.clone()).await?;
    sessions.insert(two.clone()).await?;
    assert_eq!(sessions.find(&realm, &one.id).await?, Some(one));
    assert_eq!(sessions.find(&realm, &two.id).await?, Some(two));
    assert_eq!(sessions.find(&realm, &session_id(3)).await?, None);
    Ok(())
}

async fn keeps_every_field(sessions: &Sessions) -> Outcome {
    let realm = realm("User1");
    let at = |n| Timestamp::from_millis(NOW.as_millis() + n);
    let plain = || session(&realm, 1, 1);
    let shapes = [
        plain(),
        rotated(&plain()),
        Session { credentials_version: i64::MAX.cast_unsigned(), ..plain() },
        Session { version: i64::MAX.cast_unsigned(), ..plain() },
        Session { user_agent: Sealed::from_bytes(Vec::new()), ..plain() },
        Session { address: Sealed::from_bytes((0..=u8::MAX).cycle().take(5000).collect()), ..plain() },
        Session { authenticated_at: at(11), created_at: at(12), last_used_at: at(13), ..plain() },
        Session { idle_expires_at: at(14), expires_at: at(15), ..plain() },
        Session { user: user_id(9), ..plain() },
        Session { methods: AuthMethods::SMS, failures: 4, ..plain() },
        Session { methods: AuthMethods::PASSWORD.and(AuthMethods::SMS), failures: u8::MAX, ..plain() },
        Session { methods: AuthMethods::PASSWORD.and(AuthMethods::OTP), ..plain() },
    ];
    for (n, shape) in (0..).zip(shapes) {
        let kept = Session { id: session_id(n), ..shape };
        sessions.insert(kept.clone()).await?;
        assert_eq!(sessions.find(&realm, &kept.id).await?, Some(kept));
    }
    Ok(())
}

async fn another_realm_is_another_world(sessions: &Sessions) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    let (mine, theirs) = (session(&here, 1, 1), session(&there, 1, 1));
    sessions.insert(mine.clone()).await?;
    assert_eq!(sessions.find(&there, &mine.id).await?, None);
    assert_eq!(sessions.list(&there, &mine.user).await?, Vec::new());
    assert_eq!(sessions.replace(rotated(&theirs), 1).await?, Err(Refusal::SessionGone));
    assert!(!sessions.end(&there, &mine.id).await?);
    assert_eq!(sessions.end_all(&there, &mine.user, None).await?, 0);
    sessions.insert(theirs.clone()).await?;
    assert!(sessions.end(&there, &theirs.id).await?);
    assert_eq!(sessions.find(&here, &mine.id).await?, Some(mine));
    Ok(())
}

async fn lists_a_users_sessions_oldest_first(sessions: &Sessions) -> Outcome {
    let realm = realm("User1");
    for n in [5, 2, 8, 1, 7, 3, 6, 4] {
        sessions.insert(session(&realm, 1, n)).await?;
    }
    sessions.insert(session(&realm, 2, 9)).await?;
    let expected: Vec<Session> = (1..=8).map(|n| session(&realm, 1, n)).collect();
    assert_eq!(sessions.list(&realm, &user_id(1)).await?, expected);
    assert_eq!(sessions.list(&realm, &user_id(2)).await?, vec![session(&realm, 2, 9)]);
    Ok(())
}

async fn rotates_the_expected_version(sessions: &Sessions) -> Outcome {
    let first = session(&realm("User1"), 1, 1);
    sessions.insert(first.clone()).await?;
    let second = rotated(&first);
    assert_eq!(sessions.replace(second.clone(), 1).await?, Ok(()));
    assert_eq!(sessions.find(&first.realm, &first.id).await?, Some(second.clone()));
    let third = rotated(&second);
    assert_eq!(sessions.replace(third.clone(), 2).await?, Ok(()));
    assert_eq!(sessions.list(&first.realm, &first.user).await?, vec![third]);
    Ok(())
}

async fn a_stale_rotation_changes_nothing(sessions: &Sessions) -> Outcome {
    let stored = Session { version: 5, ..session(&realm("User1"), 1, 1) };
    sessions.insert(stored.clone()).await?;
    for expected in [0, 4, 6] {
        assert_eq!(sessions.replace(rotated(&stored), expected).await?, Err(Refusal::SessionStale));
    }
    assert_eq!(sessions.find(&stored.realm, &stored.id).await?, Some(stored));
    Ok(())
}

async fn one_of_many_racing_rotations_wins(sessions: &Sessions) -> Outcome {
    let stored = session(&realm("User1"), 1, 1);
    sessions.insert(stored.clone()).await?;
    let rotate = |sessions: Arc<Records<dyn SessionStore>>, n| {
        let current = digest("racing", n);
        let next = Session { current, ..rotated(&stored) };
        async move { Ok((sessions.replace(next, 1).await?, current)) }
    };
    let answers = sessions.race(50, rotate).await?;
    let won: Vec<_> = answers.iter().filter(|(a, _)| *a == Ok(())).map(|(_, token)| *token).collect();
    assert_eq!(answers.iter().filter(|(a, _)| *a == Err(Refusal::SessionStale)).count(), 49);
    let kept = sessions.find(&stored.realm, &stored.id).await?.map(|session| session.current);
    assert_eq!(won, Vec::from_iter(kept));
    Ok(())
}

async fn ends_once(sessions: &Sessions) -> Outcome {
    let realm = realm("User1");
    let (one, two) = (session(&realm, 1, 1), session(&realm, 1, 2));
    sessions.insert(one.clone()).await?;
    sessions.insert(two.clone()).await?;
    assert!(sessions.end(&realm, &one.id).await?);
    assert!(!sessions.end(&realm, &one.id).await?);
    assert_eq!(sessions.find(&realm, &one.id).await?, None);
    assert_eq!(sessions.list(&realm, &one.user).await?, vec![two]);
    Ok(())
}

async fn one_of_many_racing_endings_answers_true(sessions: &Sessions) -> Outcome {
    let one = session(&realm("User1"), 1, 1);
    sessions.insert(one.clone()).await?;
    let end = |sessions: Arc<Records<dyn SessionStore>>, _| {
        let (realm, id) = (one.realm.clone(), one.id);
        async move { sessions.end(&realm, &id).await }
    };
    assert_eq!(count(&sessions.race(50, end).await?, &true), 1);
    Ok(())
}

async fn an_ended_session_never_comes_back(sessions: &Sessions) -> Outcome {
    let one = session(&realm("User1"), 1, 1);
    sessions.insert(one.clone()).await?;
    sessions.end(&one.realm, &one.id).await?;
    for expected in [0, 1, 2] {
        assert_eq!(sessions.replace(rotated(&one), expected).await?, Err(Refusal::SessionGone));
    }
    assert_eq!(sessions.find(&one.realm, &one.id).await?, None);
    assert_eq!(sessions.list(&one.realm, &one.user).await?, Vec::new());
    Ok(())
}

async fn a_racing_rotation_brings_no_ended_session_back(sessions: &Sessions) -> Outcome {
    let realm = realm("User1");
    for n in 0..10 {
        let one = session(&realm, 1, n);
        sessions.insert(one.clone()).await?;
        let either = |sessions: Arc<Records<dyn SessionStore>>, runner: u64| {
            let next = rotated(&one);
            async move {
                match runner {
                    0 if n % 2 == 0 => sessions.end(&next.realm, &next.id).await,
                    0 => sessions.end_all(&next.realm, &next.user, None).await.map(|ended| ended == 1),
                    _ => sessions.replace(next, 1).await.map(|_| false),
                }
            }
        };
        assert_eq!(count(&sessions.race(4, either).await?, &true), 1);
        assert_eq!(sessions.find(&realm, &one.id).await?, None);
        assert_eq!(sessions.list(&realm, &one.user).await?, Vec::new());
    }
    Ok(())
}

async fn ends_all_of_a_user(sessions: &Sessions) -> Outcome {
    let realm = realm("User1");
    for n in 1..=3 {
        sessions.insert(session(&realm, 1, n)).await?;
    }
    let other = session(&realm, 2, 4);
    sessions.insert(other.clone()).await?;
    assert_eq!(sessions.end_all(&realm, &user_id(1), None).await?, 3);
    assert_eq!(sessions.end_all(&realm, &user_id(1), None).await?, 0);
    assert_eq!(sessions.list(&realm, &user_id(1)).await?, Vec::new());
    assert_eq!(sessions.find(&realm, &session_id(1)).await?, None);
    assert_eq!(sessions.find(&realm, &other.id).await?, Some(other));
    Ok(())
}

async fn ends_all_but_one(sessions: &Sessions) -> Outcome {
    let realm = realm("User1");
    for n in 1..=3 {
        sessions.insert(session(&realm, 1, n)).await?;
    }
    assert_eq!(sessions.end_all(&realm, &user_id(1), Some(session_id(2))).await?, 2);
    assert_eq!(sessions.list(&realm, &user_id(1)).await?, vec![session(&realm, 1, 2)]);
    assert_eq!(sessions.end_all(&realm, &user_id(1), Some(session_id(9))).await?, 1);
    Ok(())
}

async fn keeps_the_expired_until_they_are_purged(sessions: &Sessions) -> Outcome {
    let realm = realm("User1");
    let expired = Session { idle_expires_at: NOW - LIFE, expires_at: NOW - MILLI, ..session(&realm, 1, 1) };
    sessions.insert(expired.clone()).await?;
    assert_eq!(sessions.find(&realm, &expired.id).await?, Some(expired.clone()));
    assert_eq!(sessions.list(&realm, &expired.user).await?, vec![expired.clone()]);
    assert_eq!(sessions.replace(rotated(&expired), 1).await?, Ok(()));
    assert_eq!(sessions.purge_expired(NOW).await?, 1);
    assert_eq!(sessions.find(&realm, &expired.id).await?, None);
    Ok(())
}

async fn purges_the_idle_and_the_old(sessions: &Sessions) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    let idle = Session { idle_expires_at: NOW, ..session(&here, 1, 1) };
    let old = Session { expires_at: NOW, ..session(&there, 1, 2) };
    let living = Session { idle_expires_at: NOW + MILLI, expires_at: NOW + MILLI, ..session(&here, 1, 3) };
    for one in [&idle, &old, &living] {
        sessions.insert(one.clone()).await?;
    }
    assert_eq!(sessions.purge_expired(NOW - MILLI).await?, 0);
    assert_eq!(sessions.purge_expired(NOW).await?, 2);
    assert_eq!(sessions.purge_expired(NOW).await?, 0);
    assert_eq!(sessions.find(&here, &living.id).await?, Some(living));
    Ok(())
}
