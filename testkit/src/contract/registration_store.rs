//! Contract cases of the registration store.

use std::sync::Arc;
use std::time::Duration;

use super::agreement::registration_store::agrees_with_the_fake;
use super::{Case, Outcome, Records, Setup, count};
use crate::samples::{
    LIFE, NOW, digest, email_index, email_index_of_two, person, realm, registration, sealed, user_id,
};
use portcullis_core::model::ids::UserId;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::Sealed;
use portcullis_core::model::user::Registration;
use portcullis_core::ports::database::Change;
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
        beyond_the_limit_the_busiest_network_gives_way,
        those_that_are_pending_together_are_contested,
        the_last_wrong_password_removes_it,
        the_expired_do_not_count,
        another_address_or_realm_does_not_count,
        a_racing_crowd_stays_within_the_limit,
        registrations_under_two_rings_are_of_one_address,
        a_racing_crowd_under_two_rings_stays_within_the_limit,
        a_new_index_changes_nothing_else,
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
    assert_eq!(pending.find_by_email(&realm, &email_index(1), NOW).await?, Vec::new());
    assert!(!pending.count_failure(&realm, &user_id(1), 5).await?);
    assert!(!pending.remove(&realm, &user_id(1)).await?);
    assert_eq!(pending.remove_all(&realm, &email_index(1)).await?, Vec::new());
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
        odd.contested = n == 2;
        odd.failures = u8::MAX;
        odd.password = sealed("password", n);
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
    assert!(!pending.count_failure(&there, &mine.id, 1).await?);
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
    let found = pending.find_by_email(&realm, &email_index(1), NOW).await?;
    let expected: Vec<Registration> = (1..=8).map(|n| contested(&rival(&realm, n))).collect();
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

/// The same one, after another registration of its address was pending at the same time.
fn contested(registration: &Registration) -> Registration {
    Registration { contested: true, ..registration.clone() }
}

/// The n-th registration of an address, made from a network.
fn from_network(realm: &Realm, n: u64, network: u64) -> Registration {
    Registration { network: digest("network", network), ..rival(realm, n) }
}

async fn beyond_the_limit_the_busiest_network_gives_way(pending: &Pending) -> Outcome {
    let realm = realm("User1");
    // the first is of another network, and the oldest of all
    for (n, network) in [(1, 1), (2, 9), (3, 9), (4, 9)] {
        assert_eq!(pending.insert(from_network(&realm, n, network), 3, NOW).await?, Ok(()));
    }
    let found = pending.find_by_email(&realm, &email_index(1), NOW).await?;
    let ids: Vec<UserId> = found.iter().map(|one| one.id).collect();
    assert_eq!(ids, [1, 3, 4].map(user_id));
    assert_eq!(pending.find(&realm, &user_id(2), NOW).await?, None);
    Ok(())
}

async fn those_that_are_pending_together_are_contested(pending: &Pending) -> Outcome {
    let realm = realm("User1");
    let (one, two) = (rival(&realm, 1), rival(&realm, 2));
    insert(pending, &one).await?;
    assert_eq!(pending.find(&realm, &one.id, NOW).await?, Some(one.clone()));
    insert(pending, &two).await?;
    for of_both in [&one, &two] {
        assert_eq!(pending.find(&realm, &of_both.id, NOW).await?, Some(contested(of_both)));
    }
    // it stays so when the other one is gone
    assert!(pending.remove(&realm, &one.id).await?);
    assert_eq!(pending.find(&realm, &two.id, NOW).await?, Some(contested(&two)));
    Ok(())
}

async fn the_last_wrong_password_removes_it(pending: &Pending) -> Outcome {
    let realm = realm("User1");
    let one = registration(&realm, 1);
    insert(pending, &one).await?;
    for failures in 1..3 {
        assert!(pending.count_failure(&realm, &one.id, 3).await?);
        assert_eq!(pending.find(&realm, &one.id, NOW).await?, Some(Registration { failures, ..one.clone() }));
    }
    assert!(pending.count_failure(&realm, &one.id, 3).await?);
    assert_eq!(pending.find(&realm, &one.id, NOW).await?, None);
    assert!(!pending.count_failure(&realm, &one.id, 3).await?);
    Ok(())
}

async fn the_expired_do_not_count(pending: &Pending) -> Outcome {
    let realm = realm("User1");
    let old = rival(&realm, 1);
    assert_eq!(pending.insert(old.clone(), 1, NOW).await?, Ok(()));
    let next = Registration { expires_at: old.expires_at + LIFE, ..rival(&realm, 2) };
    assert_eq!(pending.insert(next.clone(), 1, old.expires_at).await?, Ok(()));
    assert_eq!(pending.find(&realm, &next.id, old.expires_at).await?, Some(next));
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
    let answers = pending.race(30, insert).await?;
    assert_eq!(count(&answers, &Ok(())), 30);
    assert_eq!(pending.find_by_email(&realm, &email_index(1), NOW).await?.len(), 5);
    Ok(())
}

/// The n-th registration, all of one address, under a ring of two keys in one order or the other.
fn rival_of_two(realm: &Realm, n: u64, older_first: bool) -> Registration {
    let mut rival = rival(realm, n);
    rival.person.email_index = email_index_of_two(1, older_first);
    rival
}

async fn registrations_under_two_rings_are_of_one_address(pending: &Pending) -> Outcome {
    let realm = realm("User1");
    let all = [rival(&realm, 1), rival_of_two(&realm, 2, true), rival_of_two(&realm, 3, false)];
    for one in &all {
        insert(pending, one).await?;
    }
    let expected = all.each_ref().map(contested);
    for index in [email_index_of_two(1, true), email_index_of_two(1, false)] {
        assert_eq!(pending.find_by_email(&realm, &index, NOW).await?, expected);
    }
    // by one key alone, those that have a digest under it
    let new = (*email_index_of_two(1, false).newest()).into();
    assert_eq!(pending.find_by_email(&realm, &new, NOW).await?, expected[1..]);
    assert_eq!(pending.find_by_email(&realm, &email_index(1), NOW).await?, expected);
    assert_eq!(pending.remove_all(&realm, &email_index_of_two(1, false)).await?.len(), 3);
    Ok(())
}

async fn a_racing_crowd_under_two_rings_stays_within_the_limit(pending: &Pending) -> Outcome {
    let realm = realm("User1");
    let insert = |pending: Arc<Records<dyn RegistrationStore>>, n: u64| {
        let racing = rival_of_two(&realm, n, n.is_multiple_of(2));
        async move { pending.insert(racing, 5, NOW).await }
    };
    let answers = pending.race(12, insert).await?;
    assert_eq!(count(&answers, &Ok(())), 12);
    assert_eq!(pending.find_by_email(&realm, &email_index_of_two(1, true), NOW).await?.len(), 5);
    Ok(())
}

async fn a_new_index_changes_nothing_else(pending: &Pending) -> Outcome {
    let realm = realm("User1");
    let (one, two) = (rival(&realm, 1), rival(&realm, 2));
    insert(pending, &one).await?;
    insert(pending, &two).await?;
    let new = email_index_of_two(1, false);
    for id in [one.id, two.id, user_id(99)] {
        let change = Change::ReindexRegistration { realm: realm.clone(), id, email: new };
        assert_eq!(pending.change(change).await?.map(|_| ()), Ok(()), "also where there is none");
    }
    let reindexed = |one: &Registration| {
        let mut one = contested(one);
        one.person.email_index = new;
        one
    };
    let expected = vec![reindexed(&one), reindexed(&two)];
    assert_eq!(pending.find_by_email(&realm, &new, NOW).await?, expected);
    let alone = (*new.newest()).into();
    assert_eq!(pending.find_by_email(&realm, &alone, NOW).await?, expected);
    // the old key leaves the ring
    for id in [one.id, two.id] {
        let change = Change::ReindexRegistration { realm: realm.clone(), id, email: alone };
        assert_eq!(pending.change(change).await?.map(|_| ()), Ok(()));
    }
    assert_eq!(pending.find_by_email(&realm, &alone, NOW).await?.len(), 2);
    assert!(pending.remove(&realm, &one.id).await?);
    assert_eq!(pending.find_by_email(&realm, &alone, NOW).await?.len(), 1, "also after another change");
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
    assert_eq!(pending.find_by_email(&realm, &email_index(1), NOW).await?, vec![contested(&two)]);
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
    assert_eq!(pending.find_by_email(&realm, &email_index(1), expired.expires_at).await?.len(), 1);
    let mut removed = pending.remove_all(&realm, &email_index(1)).await?;
    let mut expected = vec![expired.id, living.id];
    removed.sort();
    expected.sort();
    assert_eq!(removed, expected);
    assert_eq!(pending.find_by_email(&realm, &email_index(1), NOW).await?, Vec::new());
    assert_eq!(pending.remove_all(&realm, &email_index(1)).await?, Vec::new());
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
