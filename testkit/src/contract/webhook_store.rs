//! The contract of the store of webhooks.

use std::sync::Arc;
use std::time::Duration;

use super::{Case, Outcome, Records, Setup, count};
use crate::samples::{NOW, person, realm, sealed, user_id};
use portcullis_core::model::ids::WebhookId;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::webhook::{EventKinds, OldSecret, Webhook};
use portcullis_core::ports::database::{Change, Refusal, UnitOfWork};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::webhook_store::WebhookStore;

type Store = Records<dyn WebhookStore>;
type Hooks = Setup<Store>;

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<Store>> {
    cases![
        finds_and_keeps_every_field,
        an_id_is_unique_in_its_realm,
        lists_a_realm_by_id,
        replaces_only_the_expected_version,
        replaces_the_secret_only_where_it_is_new,
        removes_once,
        one_of_many_racing_replacements_wins,
    ]
}

fn webhook_id(n: u64) -> WebhookId {
    WebhookId::from_bytes(*user_id(n).as_bytes())
}

/// The n-th webhook of a realm, version 1.
pub(super) fn webhook(realm: &Realm, n: u64) -> Webhook {
    Webhook {
        realm: realm.clone(),
        id: webhook_id(n),
        secret: person(n).key,
        old_secret: None,
        url: format!("https://receiver.example/{n}"),
        kinds: EventKinds::from_text("account_deleted logged_in"),
        disabled: false,
        version: 1,
        created_at: NOW,
        updated_at: NOW + Duration::from_millis(n),
    }
}

async fn apply(store: &Store, change: Change) -> Result<Result<(), Refusal>, PortError> {
    Ok(store.database.commit(UnitOfWork::of(change)).await?.map(|_| ()))
}

async fn insert(store: &Store, webhook: &Webhook) -> Result<Result<(), Refusal>, PortError> {
    apply(store, Change::InsertWebhook(Box::new(webhook.clone()))).await
}

fn replace(webhook: &Webhook, expected: u64, new_secret: bool) -> Change {
    Change::ReplaceWebhook { webhook: Box::new(webhook.clone()), expected, new_secret }
}

async fn finds_and_keeps_every_field(store: &Hooks) -> Outcome {
    let here = realm("User1");
    assert_eq!(store.find(&here, &webhook_id(1)).await?, None);
    let old = OldSecret { secret: sealed("old secret", 1), until: NOW + Duration::from_secs(9) };
    for (n, old_secret) in (0..).zip([None, Some(old)]) {
        for kinds in ["*", "logged_in of_the_future"].map(EventKinds::from_text) {
            let n = 2 * n + u64::from(kinds.names() == ["*"]);
            let rest = webhook(&here, n);
            let one = Webhook { old_secret: old_secret.clone(), kinds, disabled: n > 1, version: 7, ..rest };
            assert_eq!(insert(&store.port, &one).await?, Ok(()));
            assert_eq!(store.find(&here, &one.id).await?, Some(one));
        }
    }
    Ok(())
}

async fn an_id_is_unique_in_its_realm(store: &Hooks) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    let mine = webhook(&here, 1);
    assert_eq!(insert(&store.port, &mine).await?, Ok(()));
    let second = Webhook { url: "https://other.example".to_owned(), ..mine.clone() };
    assert_eq!(insert(&store.port, &second).await?, Err(Refusal::IdTaken));
    assert_eq!(store.find(&there, &mine.id).await?, None);
    assert_eq!(insert(&store.port, &webhook(&there, 1)).await?, Ok(()));
    assert_eq!(store.find(&here, &mine.id).await?, Some(mine));
    Ok(())
}

async fn lists_a_realm_by_id(store: &Hooks) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    assert_eq!(store.list(&here).await?, []);
    for n in 1..=3 {
        assert_eq!(insert(&store.port, &webhook(&here, n)).await?, Ok(()));
        assert_eq!(insert(&store.port, &webhook(&there, n)).await?, Ok(()));
    }
    let mut wanted: Vec<Webhook> = (1..=3).map(|n| webhook(&here, n)).collect();
    wanted.sort_by_key(|one| one.id);
    assert_eq!(store.list(&here).await?, wanted);
    Ok(())
}

async fn replaces_only_the_expected_version(store: &Hooks) -> Outcome {
    let here = realm("User1");
    let old = webhook(&here, 1);
    let old_secret = Some(OldSecret { secret: sealed("old secret", 1), until: NOW });
    let kinds = EventKinds::from_text("*");
    let new = Webhook { url: "https://new.example".to_owned(), kinds, disabled: true, version: 2, ..old.clone() };
    let new = Webhook { old_secret, updated_at: NOW + Duration::from_secs(5), ..new };
    assert_eq!(apply(&store.port, replace(&new, 1, false)).await?, Err(Refusal::WebhookGone));
    assert_eq!(insert(&store.port, &old).await?, Ok(()));
    assert_eq!(apply(&store.port, replace(&new, 2, false)).await?, Err(Refusal::WebhookStale));
    assert_eq!(store.find(&here, &old.id).await?, Some(old.clone()));
    assert_eq!(apply(&store.port, replace(&new, 1, false)).await?, Ok(()));
    assert_eq!(store.find(&here, &old.id).await?, Some(new.clone()));
    let back = Webhook { version: 3, ..old };
    assert_eq!(apply(&store.port, replace(&back, 2, false)).await?, Ok(()));
    assert_eq!(store.find(&here, &back.id).await?, Some(back));
    Ok(())
}

async fn replaces_the_secret_only_where_it_is_new(store: &Hooks) -> Outcome {
    let here = realm("User1");
    let old = webhook(&here, 1);
    assert_eq!(insert(&store.port, &old).await?, Ok(()));
    let new = Webhook { secret: person(2).key, version: 2, ..old.clone() };
    assert_eq!(apply(&store.port, replace(&new, 1, false)).await?, Ok(()));
    assert_eq!(store.find(&here, &old.id).await?, Some(Webhook { secret: old.secret.clone(), ..new.clone() }));
    let new = Webhook { version: 3, ..new };
    assert_eq!(apply(&store.port, replace(&new, 2, true)).await?, Ok(()));
    assert_eq!(store.find(&here, &old.id).await?, Some(new));
    Ok(())
}

async fn removes_once(store: &Hooks) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    let one = webhook(&here, 1);
    let remove = |realm: &Realm| Change::RemoveWebhook { realm: realm.clone(), id: webhook_id(1) };
    assert_eq!(insert(&store.port, &one).await?, Ok(()));
    assert_eq!(apply(&store.port, remove(&there)).await?, Err(Refusal::WebhookGone));
    assert_eq!(apply(&store.port, remove(&here)).await?, Ok(()));
    assert_eq!(apply(&store.port, remove(&here)).await?, Err(Refusal::WebhookGone));
    assert_eq!(store.find(&here, &one.id).await?, None);
    assert_eq!(insert(&store.port, &one).await?, Ok(()));
    Ok(())
}

async fn one_of_many_racing_replacements_wins(store: &Hooks) -> Outcome {
    let here = realm("User1");
    assert_eq!(insert(&store.port, &webhook(&here, 1)).await?, Ok(()));
    let race = |store: Arc<Store>, n| async move {
        let url = format!("https://receiver.example/of/{n}");
        let new = Webhook { url, version: 2, ..webhook(&realm("User1"), 1) };
        apply(&store, replace(&new, 1, n % 2 == 0)).await
    };
    let answers = store.race(20, race).await?;
    assert_eq!((count(&answers, &Ok(())), count(&answers, &Err(Refusal::WebhookStale))), (1, 19));
    Ok(())
}
