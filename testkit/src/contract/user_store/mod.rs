//! Contract cases of the user store: one at a time here, several at once in `races`.

mod races;

use super::agreement::user_store::agrees_with_the_fake;
use super::{Case, Outcome, Records, Setup};
use crate::samples::{NOW, digest, email_index, email_index_of_two, person, realm, roles, sealed, user, user_id};
use portcullis_core::model::factor::SealedFactors;
use portcullis_core::model::sealed::{RingDigest, Sealed, WrappedKey};
use portcullis_core::model::time::Timestamp;
use portcullis_core::model::user::{PendingEmail, SealedPerson, User};
use portcullis_core::ports::database::Refusal;
use portcullis_core::ports::user_store::{AccountPage, UserStore};

use races::{
    a_racing_replacement_undoes_no_deletion, one_of_many_racing_deletions_answers_true,
    one_of_many_racing_inserts_of_an_email_wins, one_of_many_racing_inserts_of_an_id_wins,
    one_of_many_racing_inserts_under_two_rings_wins, one_of_many_racing_replacements_wins,
};

type Users = Setup<Records<dyn UserStore>>;

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<Records<dyn UserStore>>> {
    cases![
        an_empty_store_finds_nobody,
        finds_what_was_inserted,
        keeps_every_field,
        keeps_large_and_empty_values,
        refuses_a_taken_id,
        refuses_a_taken_email,
        another_realm_is_another_world,
        replaces_the_expected_version,
        a_stale_replacement_changes_nothing,
        a_replacement_moves_the_email,
        a_replacement_may_not_take_an_email,
        a_disabled_account_is_found_so_and_keeps_its_email,
        nobody_is_replaced_who_is_gone,
        deletes_once,
        a_deleted_email_is_free_again,
        an_email_is_found_by_each_digest,
        refuses_an_email_that_has_a_digest_in_common,
        one_of_many_racing_inserts_under_two_rings_wins,
        one_of_many_racing_inserts_of_an_email_wins,
        one_of_many_racing_inserts_of_an_id_wins,
        one_of_many_racing_replacements_wins,
        one_of_many_racing_deletions_answers_true,
        a_racing_replacement_undoes_no_deletion,
        lists_a_realm_page_by_page,
        says_whether_an_account_has_passkeys,
        answers_a_ping,
        agrees_with_the_fake,
    ]
}

/// Another person of the same key: what a replacement may change.
fn replaced(key: u64, n: u64) -> SealedPerson {
    SealedPerson { key: person(key).key, ..person(n) }
}

async fn lists_a_realm_page_by_page(users: &Users) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    let nobody = AccountPage { users: Vec::new(), next: None };
    assert_eq!(users.list(&here, None, 10).await?, nobody);
    let mut all: Vec<User> = (1..=5).map(|n| user(&here, n)).collect();
    for one in all.iter().chain([&user(&there, 9)]) {
        assert_eq!(users.insert(one.clone()).await?, Ok(()));
    }
    all.sort_by_key(|user| user.id);
    let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = users.list(&here, after, 2).await?;
        assert!(page.users.len() <= 2);
        found.extend(page.users);
        (after, pages) = (page.next, pages + 1);
        if after.is_none() {
            break;
        }
    }
    assert_eq!((found, pages), (all.clone(), 3));
    assert_eq!(users.list(&here, None, 100).await?, AccountPage { users: all.clone(), next: None });
    assert_eq!(users.list(&here, all.last().map(|last| last.id), 100).await?, nobody);
    assert_eq!(users.list(&realm("User"), None, 100).await?, nobody, "a realm whose name begins another one's");
    Ok(())
}

async fn an_empty_store_finds_nobody(users: &Users) -> Outcome {
    let realm = realm("User1");
    assert_eq!(users.find(&realm, &user_id(1)).await?, None);
    assert_eq!(users.find_by_email(&realm, &email_index(1)).await?, None);
    assert!(!users.delete(&realm, &user_id(1)).await?);
    Ok(())
}

async fn finds_what_was_inserted(users: &Users) -> Outcome {
    let realm = realm("User1");
    let (one, two) = (user(&realm, 1), user(&realm, 2));
    assert_eq!(users.insert(one.clone()).await?, Ok(()));
    assert_eq!(users.insert(two.clone()).await?, Ok(()));
    assert_eq!(users.find(&realm, &one.id).await?, Some(one.clone()));
    assert_eq!(users.find_by_email(&realm, &one.person.email_index).await?, Some(one));
    assert_eq!(users.find_by_email(&realm, &two.person.email_index).await?, Some(two));
    assert_eq!(users.find(&realm, &user_id(3)).await?, None);
    Ok(())
}

fn factors(user: &User, change: impl FnOnce(&mut SealedFactors)) -> User {
    let mut user = user.clone();
    change(&mut user.factors);
    user
}

/// Users that differ in every field, so that no two numbers store the same value.
fn in_every_shape() -> Vec<User> {
    let plain = user(&realm("User1"), 1);
    let pending = PendingEmail { index: digest("pending", 1).into(), email: sealed("pending", 1) };
    let by_two_keys = RingDigest::new(digest("pending", 1), Some(digest("pending", 2)));
    vec![
        User { pending_email: Some(PendingEmail { index: by_two_keys, ..pending.clone() }), ..plain.clone() },
        User { pending_email: Some(pending), ..plain.clone() },
        User { previous_email: Some(sealed("previous", 1)), ..plain.clone() },
        User { password: sealed("password", 2), ..plain.clone() },
        User { phone_verified: true, ..plain.clone() },
        User { mfa_sms: true, ..plain.clone() },
        factors(&plain, |factors| factors.totp = Some(sealed("totp", 1))),
        factors(&plain, |factors| factors.pending_totp = Some(sealed("pending totp", 1))),
        factors(&plain, |factors| factors.backup_codes = Some(sealed("backup codes", 1))),
        factors(&plain, |factors| factors.passkeys = Some(sealed("passkeys", 1))),
        factors(&plain, |factors| factors.devices = Some(sealed("devices", 1))),
        User { disabled: true, ..plain.clone() },
        User { roles: roles(&["admin"]), ..plain.clone() },
        User { roles: roles(&["billing:read", "admin"]), ..plain.clone() },
        User { credentials_version: i64::MAX.cast_unsigned(), ..plain.clone() },
        User { version: i64::MAX.cast_unsigned(), ..plain.clone() },
        User { created_at: Timestamp::from_millis(0), ..plain.clone() },
        User { updated_at: Timestamp::from_millis(NOW.as_millis() + 1), ..plain.clone() },
        User { person: person(2), ..plain.clone() },
        plain,
    ]
}

async fn says_whether_an_account_has_passkeys(users: &Users) -> Outcome {
    let plain = user(&realm("User1"), 1);
    assert!(!users.has_passkeys().await?);
    assert_eq!(users.insert(plain.clone()).await?, Ok(()));
    assert!(!users.has_passkeys().await?);
    let other = factors(&user(&realm("User2"), 2), |factors| factors.passkeys = Some(sealed("passkeys", 2)));
    assert_eq!(users.insert(other.clone()).await?, Ok(()));
    assert!(users.has_passkeys().await?);
    let without = User { version: other.version + 1, ..factors(&other, |factors| factors.passkeys = None) };
    assert_eq!(users.replace(without, other.version).await?, Ok(()));
    assert!(!users.has_passkeys().await?);
    Ok(())
}

async fn keeps_every_field(users: &Users) -> Outcome {
    let realm = realm("User1");
    for shape in in_every_shape() {
        assert_eq!(users.insert(shape.clone()).await?, Ok(()));
        assert_eq!(users.find(&realm, &shape.id).await?, Some(shape.clone()));
        users.delete(&realm, &shape.id).await?;
    }
    let mut version = 1;
    users.insert(user(&realm, 1)).await??;
    for shape in in_every_shape() {
        let person = SealedPerson { key: person(1).key, ..shape.person.clone() };
        let next = User { version: version + 1, person, ..shape };
        assert_eq!(users.replace(next.clone(), version).await?, Ok(()));
        assert_eq!(users.find(&realm, &next.id).await?, Some(next));
        version += 1;
    }
    Ok(())
}

async fn keeps_large_and_empty_values(users: &Users) -> Outcome {
    let realm = realm("User1");
    let every_byte: Vec<u8> = (0..=u8::MAX).cycle().take(100_000).collect();
    for (n, value) in [(1, Vec::new()), (2, vec![0]), (3, every_byte)] {
        let mut odd = user(&realm, n);
        odd.person.key = WrappedKey::from_bytes(value.clone());
        odd.person.first_name = Sealed::from_bytes(value.clone());
        odd.previous_email = Some(Sealed::from_bytes(value));
        users.insert(odd.clone()).await??;
        assert_eq!(users.find(&realm, &odd.id).await?, Some(odd));
    }
    Ok(())
}

async fn refuses_a_taken_id(users: &Users) -> Outcome {
    let realm = realm("User1");
    let first = user(&realm, 1);
    let second = User { id: first.id, ..user(&realm, 2) };
    users.insert(first.clone()).await??;
    assert_eq!(users.insert(second.clone()).await?, Err(Refusal::IdTaken));
    assert_eq!(users.find(&realm, &first.id).await?, Some(first));
    assert_eq!(users.find_by_email(&realm, &second.person.email_index).await?, None);
    Ok(())
}

async fn refuses_a_taken_email(users: &Users) -> Outcome {
    let realm = realm("User1");
    let first = user(&realm, 1);
    let second = User { person: first.person.clone(), ..user(&realm, 2) };
    users.insert(first.clone()).await??;
    assert_eq!(users.insert(second.clone()).await?, Err(Refusal::EmailTaken));
    assert_eq!(users.find(&realm, &second.id).await?, None);
    assert_eq!(users.find_by_email(&realm, &first.person.email_index).await?, Some(first));
    Ok(())
}

async fn another_realm_is_another_world(users: &Users) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    let (mine, theirs) = (user(&here, 1), user(&there, 1));
    users.insert(mine.clone()).await??;
    assert_eq!(users.find(&there, &mine.id).await?, None);
    assert_eq!(users.find_by_email(&there, &mine.person.email_index).await?, None);
    assert_eq!(users.replace(User { version: 2, ..theirs.clone() }, 1).await?, Err(Refusal::UserGone));
    assert!(!users.delete(&there, &mine.id).await?);
    assert_eq!(users.insert(theirs.clone()).await?, Ok(()));
    assert!(users.delete(&here, &mine.id).await?);
    assert_eq!(users.find(&there, &theirs.id).await?, Some(theirs));
    Ok(())
}

async fn replaces_the_expected_version(users: &Users) -> Outcome {
    let realm = realm("User1");
    let first = user(&realm, 1);
    users.insert(first.clone()).await??;
    let second = User { version: 2, credentials_version: 1, ..first };
    assert_eq!(users.replace(second.clone(), 1).await?, Ok(()));
    assert_eq!(users.find(&realm, &second.id).await?, Some(second.clone()));
    assert_eq!(users.find_by_email(&realm, &second.person.email_index).await?, Some(second));
    Ok(())
}

async fn a_stale_replacement_changes_nothing(users: &Users) -> Outcome {
    let realm = realm("User1");
    let stored = User { version: 5, ..user(&realm, 1) };
    users.insert(stored.clone()).await??;
    for expected in [0, 4, 6] {
        let late = User { version: expected + 1, disabled: true, ..stored.clone() };
        assert_eq!(users.replace(late, expected).await?, Err(Refusal::UserStale));
    }
    assert_eq!(users.find(&realm, &stored.id).await?, Some(stored));
    Ok(())
}

async fn a_replacement_moves_the_email(users: &Users) -> Outcome {
    let realm = realm("User1");
    let before = user(&realm, 1);
    users.insert(before.clone()).await??;
    let after = User { person: replaced(1, 2), version: 2, ..before.clone() };
    assert_eq!(users.replace(after.clone(), 1).await?, Ok(()));
    assert_eq!(users.find_by_email(&realm, &before.person.email_index).await?, None);
    assert_eq!(users.find_by_email(&realm, &after.person.email_index).await?, Some(after));
    assert_eq!(users.insert(User { id: user_id(3), ..before }).await?, Ok(()));
    Ok(())
}

async fn a_disabled_account_is_found_so_and_keeps_its_email(users: &Users) -> Outcome {
    let realm = realm("User1");
    let enabled = user(&realm, 1);
    users.insert(enabled.clone()).await??;
    // a cache in front of the store is filled now
    assert_eq!(users.find(&realm, &enabled.id).await?, Some(enabled.clone()));
    let disabled = User { disabled: true, credentials_version: 1, version: 2, ..enabled.clone() };
    assert_eq!(users.replace(disabled.clone(), 1).await?, Ok(()));
    assert_eq!(users.find(&realm, &disabled.id).await?, Some(disabled.clone()));
    assert_eq!(users.find_by_email(&realm, &disabled.person.email_index).await?, Some(disabled.clone()));
    let another = User { id: user_id(2), ..enabled.clone() };
    assert_eq!(users.insert(another).await?, Err(Refusal::EmailTaken));
    let back = User { disabled: false, version: 3, ..disabled };
    assert_eq!(users.replace(back.clone(), 2).await?, Ok(()));
    assert_eq!(users.find(&realm, &back.id).await?, Some(back));
    Ok(())
}

async fn a_replacement_may_not_take_an_email(users: &Users) -> Outcome {
    let realm = realm("User1");
    let (one, two) = (user(&realm, 1), user(&realm, 2));
    users.insert(one.clone()).await??;
    users.insert(two.clone()).await??;
    let greedy = User { person: one.person.clone(), version: 2, ..two.clone() };
    assert_eq!(users.replace(greedy, 1).await?, Err(Refusal::EmailTaken));
    assert_eq!(users.find(&realm, &two.id).await?, Some(two));
    assert_eq!(users.find_by_email(&realm, &one.person.email_index).await?, Some(one));
    Ok(())
}

async fn nobody_is_replaced_who_is_gone(users: &Users) -> Outcome {
    let realm = realm("User1");
    let one = user(&realm, 1);
    assert_eq!(users.replace(User { version: 2, ..one.clone() }, 1).await?, Err(Refusal::UserGone));
    users.insert(one.clone()).await??;
    users.delete(&realm, &one.id).await?;
    assert_eq!(users.replace(User { version: 2, ..one.clone() }, 1).await?, Err(Refusal::UserGone));
    assert_eq!(users.find(&realm, &one.id).await?, None);
    Ok(())
}

async fn deletes_once(users: &Users) -> Outcome {
    let realm = realm("User1");
    let (one, two) = (user(&realm, 1), user(&realm, 2));
    users.insert(one.clone()).await??;
    users.insert(two.clone()).await??;
    assert!(users.delete(&realm, &one.id).await?);
    assert!(!users.delete(&realm, &one.id).await?);
    assert_eq!(users.find(&realm, &one.id).await?, None);
    assert_eq!(users.find_by_email(&realm, &one.person.email_index).await?, None);
    assert_eq!(users.find(&realm, &two.id).await?, Some(two));
    Ok(())
}

async fn a_deleted_email_is_free_again(users: &Users) -> Outcome {
    let realm = realm("User1");
    let one = user(&realm, 1);
    users.insert(one.clone()).await??;
    users.delete(&realm, &one.id).await?;
    let again = User { id: user_id(2), ..one };
    assert_eq!(users.insert(again.clone()).await?, Ok(()));
    assert_eq!(users.find_by_email(&realm, &again.person.email_index).await?, Some(again));
    Ok(())
}

/// The n-th account, with that index.
pub(super) fn indexed(n: u64, email_index: RingDigest) -> User {
    User { person: SealedPerson { email_index, ..person(n) }, ..user(&realm("User1"), n) }
}

async fn an_email_is_found_by_each_digest(users: &Users) -> Outcome {
    let realm = realm("User1");
    let old = email_index(1);
    let (two, swapped) = (email_index_of_two(1, true), email_index_of_two(1, false));
    let new = RingDigest::from(*swapped.newest());
    let one = indexed(1, two);
    users.insert(one.clone()).await??;
    for index in [old, new, two, swapped] {
        assert_eq!(users.find_by_email(&realm, &index).await?, Some(one.clone()));
    }
    // a re-index drops the digest under the old key
    let later = User { version: 2, ..indexed(1, new) };
    assert_eq!(users.replace(later.clone(), 1).await?, Ok(()));
    assert_eq!(users.find_by_email(&realm, &old).await?, None);
    assert_eq!(users.find_by_email(&realm, &two).await?, Some(later));
    Ok(())
}

async fn refuses_an_email_that_has_a_digest_in_common(users: &Users) -> Outcome {
    let (old, two, swapped) = (email_index(1), email_index_of_two(1, true), email_index_of_two(1, false));
    let new = RingDigest::from(*swapped.newest());
    let other = user(&realm("User1"), 9);
    users.insert(other.clone()).await??;
    for (first, second) in [(old, two), (old, swapped), (two, swapped), (two, new), (swapped, old), (new, two)] {
        users.insert(indexed(1, first)).await??;
        assert_eq!(users.insert(indexed(2, second)).await?, Err(Refusal::EmailTaken));
        let taking =
            User { version: 2, person: SealedPerson { email_index: second, ..replaced(9, 2) }, ..other.clone() };
        assert_eq!(users.replace(taking, 1).await?, Err(Refusal::EmailTaken));
        assert!(users.delete(&other.realm, &user_id(1)).await?);
    }
    Ok(())
}

async fn answers_a_ping(users: &Users) -> Outcome {
    Ok(users.ping().await?)
}
