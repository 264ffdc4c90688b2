//! The contract of the registration store.

use std::sync::Arc;
use std::time::Duration;

use super::agreement::registration_store::agrees_with_the_fake;
use super::{Case, Outcome, Records, Setup, count};
use crate::samples::{LIFE, NOW, digest, person, realm, registration, user_id};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Sealed;
use portcullis_core::model::user::{PasswordHash, Registration};
use portcullis_core::ports::database::Refusal;
use portcullis_core::ports::registration_store::RegistrationStore;

type Pending = Setup<Records<dyn RegistrationStore>>;

const MILLI: Duration = Duration::from_millis(1);

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<Records<dyn RegistrationStore>>> {
    cases![
        an_empty_store_finds_nothing,
        finds_what_was_inserted,
        keeps_every_field,
        another_realm_is_another_world,
        finds_all_of_an_address_oldest_first,
        lives_until_its_expiry_and_not_longer,
        refuses_more_than_the_limit,
        the_expired_do_not_count,
        another_address_or_realm_does_not_count,
        a_racing_crowd_stays_within_the_limit,
        extends_what_lives,
        does_not_extend_what_is_dead,
        removes_once,
        removes_all_of_an_address_even_the_expired,
        purges_what_has_expired_and_nothing_else,
        agrees_with_the_fake,
    ]
}

/// The n-th registration, all of one address.
fn rival(realm: &Realm, n: u64) -> Registration {
    Registration { person: person(1), ..registration(realm, n) }
}

async fn insert(pending: &Pending, registration: &Registration) -> Outcome {
    let answer = pending.insert(registration.clone(), 100, registration.created_at).await?;
    assert_eq!(answer, Ok(()));
    Ok(())
}

async fn an_empty_store_finds_nothing(pending: &Pending) -> Outcome {
    let realm = realm("User1");
    assert_eq!(pending.find(&realm, &user_id(1), NOW).await?, None);
    assert_eq!(pending.find_by_email(&realm, &digest("email", 1), NOW).await?, Vec::new());
    assert!(!pending.extend(&realm, &user_id(1), NOW + LIFE, NOW).await?);
    assert!(!pending.remove(&realm, &user_id(1)).await?);
    assert_eq!(pending.remove_all(&realm, &digest("email", 1)).await?, Vec::new());
    assert_eq!(pending.purge_expired(NOW).await?, 0);
    Ok(())
}

async fn finds_what_was_inserted(pending: &Pending) -> Outcome {
    let realm = realm("User1");
    let (one, two) = (registration(&realm, 1), registration(&realm, 2));
    insert(pending, &one).await?;
    insert(pending, &two).await?;
    assert_eq!(pending.find(&realm, &one.id, NOW).await?, Some(one.clone()));
    assert_eq!(pending.find_by_email(&realm, &one.person.email_index, NOW).await?, vec![one]);
    assert_eq!(pending.find_by_email(&realm, &two.person.email_index, NOW).await?, vec![two]);
    assert_eq!(pending.find(&realm, &user_id(3), NOW).await?, None);
    Ok(())
}

async fn keeps_every_field(pending: &Pending) -> Outcome {
    let realm = realm("User1");
    let every_byte: Vec<u8> = (0..=u8::MAX).cycle().take(50_000).collect();
    for (n, bytes) in [(1, Vec::new()), (2, every_byte)] {
        let mut odd = registration(&realm, n);
        odd.person.last_name = Sealed::from_bytes(bytes);
        odd.password = PasswordHash::new(format!("$argon2id$v=19$m={n},t=1,p=1$c2FsdA$aGFzaA"));
        insert(pending, &odd).await?;
        assert_eq!(pending.find(&realm, &odd.id, NOW).await?, Some(odd));
    }
    Ok(())
}

async fn another_realm_is_another_world(pending: &Pending) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    let (mine, theirs) = (registration(&here, 1), registration(&there, 1));
    let email = mine.person.email_index;
    insert(pending, &mine).await?;
    assert_eq!(pending.find(&there, &mine.id, NOW).await?, None);
    assert_eq!(pending.find_by_email(&there, &email, NOW).await?, Vec::new());
    assert!(!pending.extend(&there, &mine.id, NOW + LIFE * 2, NOW).await?);
    assert!(!pending.remove(&there, &mine.id).await?);
    assert_eq!(pending.remove_all(&there, &email).await?, Vec::new());
    insert(pending, &theirs).await?;
    assert_eq!(pending.remove_all(&there, &email).await?, vec![theirs.id]);
    assert_eq!(pending.find(&here, &mine.id, NOW).await?, Some(mine));
    Ok(())
}

async fn finds_all_of_an_address_oldest_first(pending: &Pending) -> Outcome {
    let realm = realm("User1");
    for n in [5, 2, 8, 1, 7, 3, 6, 4] {
        insert(pending, &rival(&realm, n)).await?;
    }
    let found = pending.find_by_email(&realm, &digest("email", 1), NOW).await?;
    let expected: Vec<Registration> = (1..=8).map(|n| rival(&realm, n)).collect();
    assert_eq!(found, expected);
    Ok(())
}

async fn lives_until_its_expiry_and_not_longer(pending: &Pending) -> Outcome {
    let realm = realm("User1");
    let one = registration(&realm, 1);
    insert(pending, &one).await?;
    let (id, email, end) = (&one.id, &one.person.email_index, one.expires_at);
    assert_eq!(pending.find(&realm, id, end - MILLI).await?, Some(one.clone()));
    assert_eq!(pending.find_by_email(&realm, email, end - MILLI).await?.len(), 1);
    for now in [end, end + MILLI, end + LIFE] {
        assert_eq!(pending.find(&realm, id, now).await?, None);
        assert_eq!(pending.find_by_email(&realm, email, now).await?, Vec::new());
    }
    Ok(())
}

async fn refuses_more_than_the_limit(pending: &Pending) -> Outcome {
    let realm = realm("User1");
    for n in 1..=3 {
        assert_eq!(pending.insert(rival(&realm, n), 3, NOW).await?, Ok(()));
    }
    assert_eq!(pending.insert(rival(&realm, 4), 3, NOW).await?, Err(Refusal::RegistrationsFull));
    assert_eq!(pending.find(&realm, &user_id(4), NOW).await?, None);
    assert_eq!(pending.find_by_email(&realm, &digest("email", 1), NOW).await?.len(), 3);
    assert!(pending.remove(&realm, &user_id(2)).await?);
    assert_eq!(pending.insert(rival(&realm, 4), 3, NOW).await?, Ok(()));
    Ok(())
}

async fn the_expired_do_not_count(pending: &Pending) -> Outcome {
    let realm = realm("User1");
    let old = rival(&realm, 1);
    assert_eq!(pending.insert(old.clone(), 1, NOW).await?, Ok(()));
    let next = || Registration { expires_at: old.expires_at + LIFE, ..rival(&realm, 2) };
    assert_eq!(pending.insert(next(), 1, old.expires_at - MILLI).await?, Err(Refusal::RegistrationsFull));
    assert_eq!(pending.insert(next(), 1, old.expires_at).await?, Ok(()));
    Ok(())
}

async fn another_address_or_realm_does_not_count(pending: &Pending) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    for one in [registration(&here, 1), registration(&here, 2), registration(&there, 1)] {
        assert_eq!(pending.insert(one, 1, NOW).await?, Ok(()));
    }
    Ok(())
}

async fn a_racing_crowd_stays_within_the_limit(pending: &Pending) -> Outcome {
    let realm = realm("User1");
    let insert = |pending: Arc<Records<dyn RegistrationStore>>, n| {
        let racing = rival(&realm, n);
        async move { pending.insert(racing, 5, NOW).await }
    };
    let answers = pending.race(100, insert).await?;
    assert_eq!(count(&answers, &Ok(())), 5);
    assert_eq!(pending.find_by_email(&realm, &digest("email", 1), NOW).await?.len(), 5);
    Ok(())
}

async fn extends_what_lives(pending: &Pending) -> Outcome {
    let realm = realm("User1");
    let one = registration(&realm, 1);
    insert(pending, &one).await?;
    let later = one.expires_at + LIFE;
    assert!(pending.extend(&realm, &one.id, later, one.expires_at - MILLI).await?);
    let extended = Registration { expires_at: later, ..one.clone() };
    assert_eq!(pending.find(&realm, &one.id, later - MILLI).await?, Some(extended));
    assert_eq!(pending.find(&realm, &one.id, later).await?, None);
    Ok(())
}

async fn does_not_extend_what_is_dead(pending: &Pending) -> Outcome {
    let realm = realm("User1");
    let one = registration(&realm, 1);
    insert(pending, &one).await?;
    assert!(!pending.extend(&realm, &one.id, one.expires_at + LIFE, one.expires_at).await?);
    assert_eq!(pending.find(&realm, &one.id, one.expires_at).await?, None);
    Ok(())
}

async fn removes_once(pending: &Pending) -> Outcome {
    let realm = realm("User1");
    let (one, two) = (rival(&realm, 1), rival(&realm, 2));
    insert(pending, &one).await?;
    insert(pending, &two).await?;
    assert!(pending.remove(&realm, &one.id).await?);
    assert!(!pending.remove(&realm, &one.id).await?);
    assert_eq!(pending.find(&realm, &one.id, NOW).await?, None);
    assert_eq!(pending.find_by_email(&realm, &digest("email", 1), NOW).await?, vec![two]);
    Ok(())
}

async fn removes_all_of_an_address_even_the_expired(pending: &Pending) -> Outcome {
    let realm = realm("User1");
    let expired = rival(&realm, 1);
    let living = Registration { expires_at: expired.expires_at + LIFE, ..rival(&realm, 2) };
    let other = Registration { expires_at: expired.expires_at + LIFE, ..registration(&realm, 3) };
    for one in [&expired, &living, &other] {
        insert(pending, one).await?;
    }
    assert_eq!(pending.find_by_email(&realm, &digest("email", 1), expired.expires_at).await?.len(), 1);
    let mut removed = pending.remove_all(&realm, &digest("email", 1)).await?;
    let mut expected = vec![expired.id, living.id];
    removed.sort();
    expected.sort();
    assert_eq!(removed, expected);
    assert_eq!(pending.find_by_email(&realm, &digest("email", 1), NOW).await?, Vec::new());
    assert_eq!(pending.remove_all(&realm, &digest("email", 1)).await?, Vec::new());
    assert_eq!(pending.find(&realm, &other.id, NOW).await?, Some(other));
    Ok(())
}

async fn purges_what_has_expired_and_nothing_else(pending: &Pending) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    let (one, two) = (registration(&here, 1), registration(&there, 1));
    let living = registration(&here, 2);
    for registration in [&one, &two, &living] {
        insert(pending, registration).await?;
    }
    assert_eq!(pending.purge_expired(one.expires_at - MILLI).await?, 0);
    assert_eq!(pending.purge_expired(one.expires_at).await?, 2);
    assert_eq!(pending.purge_expired(one.expires_at).await?, 0);
    assert_eq!(pending.find(&here, &one.id, NOW).await?, None);
    assert_eq!(pending.find(&here, &living.id, NOW).await?, Some(living));
    Ok(())
}
