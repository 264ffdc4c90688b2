//! The contract of the store of credentials.

use std::time::Duration;

use super::{Case, Outcome, Records, Setup, count};
use crate::samples::{NOW, digest, realm};
use portcullis_core::model::credential::{Credential, CredentialName, Scope, Scopes};
use portcullis_core::model::realm::Realm;
use portcullis_core::ports::credential_store::CredentialStore;
use portcullis_core::ports::database::{Change, Refusal, UnitOfWork};
use portcullis_core::ports::error::PortError;

type Store = Records<dyn CredentialStore>;
type Credentials = Setup<Store>;

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<Store>> {
    cases![
        finds_and_keeps_every_field,
        a_name_is_unique_in_its_realm,
        lists_a_realm_by_name,
        replaces_only_the_expected_secret,
        removes_once,
        purges_what_has_expired,
        one_of_many_racing_inserts_wins,
        one_of_many_racing_replacements_wins,
    ]
}

fn name(text: &str) -> CredentialName {
    #[expect(clippy::expect_used, reason = "test kit: the names stand below")]
    CredentialName::parse(text).expect("a name")
}

fn credential(realm: &Realm, text: &str, n: u64) -> Credential {
    Credential {
        realm: realm.clone(),
        name: name(text),
        secret: digest("secret", n),
        scopes: Scopes::of(&[Scope::Introspect]),
        created_at: NOW,
        expires_at: None,
    }
}

async fn apply(store: &Store, change: Change) -> Result<Result<(), Refusal>, PortError> {
    Ok(store.database.commit(UnitOfWork::of(change)).await?.map(|_| ()))
}

async fn insert(store: &Store, credential: &Credential) -> Result<Result<(), Refusal>, PortError> {
    apply(store, Change::InsertCredential(Box::new(credential.clone()))).await
}

async fn finds_and_keeps_every_field(store: &Credentials) -> Outcome {
    let here = realm("User1");
    assert_eq!(store.find(&here, &name("a")).await?, None);
    for (n, scopes) in (0..).zip([Scopes::default(), Scopes::of(&Scope::ALL), Scopes::from_bits(u32::MAX >> 1)]) {
        for expires_at in [None, Some(NOW + Duration::from_secs(n))] {
            let text = format!("opt_{n}-{}", expires_at.is_some());
            let one = Credential { scopes, expires_at, ..credential(&here, &text, n) };
            assert_eq!(insert(&store.port, &one).await?, Ok(()));
            assert_eq!(store.find(&here, &one.name).await?, Some(one));
        }
    }
    Ok(())
}

async fn a_name_is_unique_in_its_realm(store: &Credentials) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    let mine = credential(&here, "a", 1);
    assert_eq!(insert(&store.port, &mine).await?, Ok(()));
    assert_eq!(insert(&store.port, &credential(&here, "a", 2)).await?, Err(Refusal::IdTaken));
    assert_eq!(insert(&store.port, &credential(&there, "a", 3)).await?, Ok(()));
    assert_eq!(store.find(&here, &mine.name).await?, Some(mine));
    Ok(())
}

async fn lists_a_realm_by_name(store: &Credentials) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    assert_eq!(store.list(&here).await?, []);
    for (n, text) in (0..).zip(["c", "a", "b"]) {
        assert_eq!(insert(&store.port, &credential(&here, text, n)).await?, Ok(()));
        assert_eq!(insert(&store.port, &credential(&there, text, n)).await?, Ok(()));
    }
    let wanted = [credential(&here, "a", 1), credential(&here, "b", 2), credential(&here, "c", 0)];
    assert_eq!(store.list(&here).await?, wanted);
    Ok(())
}

async fn replaces_only_the_expected_secret(store: &Credentials) -> Outcome {
    let here = realm("User1");
    let (old, new) = (credential(&here, "a", 1), credential(&here, "a", 2));
    let replace = |expected| Change::ReplaceCredential { credential: Box::new(new.clone()), expected };
    assert_eq!(apply(&store.port, replace(old.secret)).await?, Err(Refusal::CredentialGone));
    assert_eq!(insert(&store.port, &old).await?, Ok(()));
    assert_eq!(apply(&store.port, replace(digest("secret", 3))).await?, Err(Refusal::CredentialGone));
    assert_eq!(store.find(&here, &old.name).await?, Some(old.clone()));
    assert_eq!(apply(&store.port, replace(old.secret)).await?, Ok(()));
    assert_eq!(store.find(&here, &old.name).await?, Some(new));
    Ok(())
}

async fn removes_once(store: &Credentials) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    let remove = |realm: &Realm| Change::RemoveCredential { realm: realm.clone(), name: name("a") };
    assert_eq!(insert(&store.port, &credential(&here, "a", 1)).await?, Ok(()));
    assert_eq!(apply(&store.port, remove(&there)).await?, Err(Refusal::CredentialGone));
    assert_eq!(apply(&store.port, remove(&here)).await?, Ok(()));
    assert_eq!(apply(&store.port, remove(&here)).await?, Err(Refusal::CredentialGone));
    assert_eq!(store.find(&here, &name("a")).await?, None);
    assert_eq!(insert(&store.port, &credential(&here, "a", 2)).await?, Ok(()));
    Ok(())
}

async fn purges_what_has_expired(store: &Credentials) -> Outcome {
    let here = realm("User1");
    let end = NOW + Duration::from_secs(10);
    let lasting = credential(&here, "a", 1);
    for one in [&lasting, &Credential { expires_at: Some(end), ..credential(&here, "b", 2) }] {
        assert_eq!(insert(&store.port, one).await?, Ok(()));
    }
    assert_eq!(store.purge_expired(end - Duration::from_millis(1)).await?, 0);
    assert_eq!(store.purge_expired(end).await?, 1);
    assert_eq!(store.list(&here).await?, [lasting]);
    Ok(())
}

async fn one_of_many_racing_inserts_wins(store: &Credentials) -> Outcome {
    let here = realm("User1");
    let answers = store.race(20, |store, n| async move { insert(&store, &credential(&realm("User1"), "a", n)).await });
    let answers = answers.await?;
    assert_eq!((count(&answers, &Ok(())), count(&answers, &Err(Refusal::IdTaken))), (1, 19));
    assert_eq!(store.list(&here).await?.len(), 1);
    Ok(())
}

async fn one_of_many_racing_replacements_wins(store: &Credentials) -> Outcome {
    let old = credential(&realm("User1"), "a", 100);
    assert_eq!(insert(&store.port, &old).await?, Ok(()));
    let replace = |store: std::sync::Arc<Store>, n| async move {
        let credential = Box::new(credential(&realm("User1"), "a", n));
        apply(&store, Change::ReplaceCredential { credential, expected: digest("secret", 100) }).await
    };
    let answers = store.race(20, replace).await?;
    assert_eq!((count(&answers, &Ok(())), count(&answers, &Err(Refusal::CredentialGone))), (1, 19));
    Ok(())
}
