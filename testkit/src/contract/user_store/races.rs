//! Several callers at once at the user store: one of them has its way, and nothing comes back.

use std::sync::Arc;

use super::{Users, indexed};
use crate::contract::Records;
use crate::contract::{Outcome, count};
use crate::samples::{email_index, email_index_of_two, person, realm, user, user_id};
use portcullis_core::model::user::User;
use portcullis_core::ports::database::Refusal;
use portcullis_core::ports::user_store::UserStore;

pub(super) async fn one_of_many_racing_inserts_of_an_email_wins(users: &Users) -> Outcome {
    let realm = realm("User1");
    let insert = |users: Arc<Records<dyn UserStore>>, n| {
        let racing = User { person: person(1), ..user(&realm, n) };
        async move { users.insert(racing).await }
    };
    let answers = users.race(50, insert).await?;
    assert_eq!(count(&answers, &Ok(())), 1);
    assert_eq!(count(&answers, &Err(Refusal::EmailTaken)), 49);
    let found = users.find_by_email(&realm, &email_index(1)).await?.ok_or("nobody was stored")?;
    assert_eq!(users.find(&realm, &found.id).await?, Some(found));
    Ok(())
}

pub(super) async fn one_of_many_racing_inserts_under_two_rings_wins(users: &Users) -> Outcome {
    let insert = |users: Arc<Records<dyn UserStore>>, n: u64| {
        // servers whose rings have the keys in either order, and servers with the old key alone
        let index = if n.is_multiple_of(3) { email_index(1) } else { email_index_of_two(1, n.is_multiple_of(2)) };
        async move { users.insert(indexed(n, index)).await }
    };
    let answers = users.race(50, insert).await?;
    assert_eq!(count(&answers, &Ok(())), 1);
    assert_eq!(count(&answers, &Err(Refusal::EmailTaken)), 49);
    Ok(())
}

pub(super) async fn one_of_many_racing_inserts_of_an_id_wins(users: &Users) -> Outcome {
    let realm = realm("User1");
    let insert = |users: Arc<Records<dyn UserStore>>, n| {
        let racing = User { id: user_id(0), ..user(&realm, n) };
        async move { users.insert(racing).await }
    };
    let answers = users.race(50, insert).await?;
    assert_eq!(count(&answers, &Ok(())), 1);
    assert_eq!(count(&answers, &Err(Refusal::IdTaken)), 49);
    Ok(())
}

pub(super) async fn one_of_many_racing_replacements_wins(users: &Users) -> Outcome {
    let stored = user(&realm("User1"), 1);
    users.insert(stored.clone()).await??;
    let replace = |users: Arc<Records<dyn UserStore>>, n| {
        let next = User { version: 2, credentials_version: n + 1, ..stored.clone() };
        async move { Ok((users.replace(next, 1).await?, n + 1)) }
    };
    let answers = users.race(50, replace).await?;
    let won: Vec<u64> = answers.iter().filter(|(a, _)| *a == Ok(())).map(|(_, n)| *n).collect();
    assert_eq!(answers.iter().filter(|(a, _)| *a == Err(Refusal::UserStale)).count(), 49);
    let kept = users.find(&stored.realm, &stored.id).await?.map(|user| user.credentials_version);
    assert_eq!(won, Vec::from_iter(kept));
    Ok(())
}

pub(super) async fn one_of_many_racing_deletions_answers_true(users: &Users) -> Outcome {
    let stored = user(&realm("User1"), 1);
    users.insert(stored.clone()).await??;
    let delete = |users: Arc<Records<dyn UserStore>>, _| {
        let (realm, id) = (stored.realm.clone(), stored.id);
        async move { users.delete(&realm, &id).await }
    };
    let answers = users.race(50, delete).await?;
    assert_eq!(count(&answers, &true), 1);
    Ok(())
}

pub(super) async fn a_racing_replacement_undoes_no_deletion(users: &Users) -> Outcome {
    let realm = realm("User1");
    for n in 0..10 {
        let stored = user(&realm, n);
        users.insert(stored.clone()).await??;
        let either = |users: Arc<Records<dyn UserStore>>, runner: u64| {
            let next = User { version: 2, ..stored.clone() };
            async move {
                if runner == 0 {
                    return users.delete(&next.realm, &next.id).await;
                }
                users.replace(next, 1).await.map(|_| false)
            }
        };
        assert_eq!(count(&users.race(4, either).await?, &true), 1);
        assert_eq!(users.find(&realm, &stored.id).await?, None);
    }
    Ok(())
}
