//! What stores promise of the wrapped keys in their records, accounts and registrations alike.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Outcome, Setup, count};
use crate::samples::{person, realm};
use portcullis_core::model::held_key::{KeyPage, KeyReplacement, StoredDataKey};
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::WrappedKey;
use portcullis_core::ports::error::PortError;

/// A store whose records hold wrapped keys.
#[async_trait]
pub(super) trait Holds: Send + Sync + 'static {
    type Record: Clone + Debug + PartialEq + Send + Sync + 'static;

    fn nth(realm: &Realm, n: u64) -> Self::Record;
    fn held(record: &Self::Record) -> StoredDataKey;
    fn with_key(record: &Self::Record, key: WrappedKey) -> Self::Record;

    async fn keep(&self, record: &Self::Record) -> Result<(), PortError>;
    async fn found(&self, record: &Self::Record) -> Result<Option<Self::Record>, PortError>;
    async fn gone(&self, record: &Self::Record) -> Result<bool, PortError>;
    async fn page(&self, behind: Option<&str>, limit: u32) -> Result<KeyPage, PortError>;
    async fn swap(&self, swaps: Vec<KeyReplacement>) -> Result<u64, PortError>;
}

/// The n-th fresh key.
fn fresh(n: u64) -> WrappedKey {
    person(1_000 + n).key
}

fn swap_of<P: Holds + ?Sized>(record: &P::Record, n: u64) -> KeyReplacement {
    KeyReplacement { seen: P::held(record), fresh: fresh(n) }
}

type Told = (String, [u8; 16], Vec<u8>);

fn told(held: &StoredDataKey) -> Told {
    (held.realm.to_string(), held.record, held.key.as_bytes().to_vec())
}

pub(super) async fn hands_over_every_key_once<P: Holds + ?Sized>(store: &Setup<P>) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    assert_eq!(store.page(None, 10).await?, KeyPage { keys: Vec::new(), behind: None });
    let mut wanted = BTreeSet::new();
    for n in 0..25 {
        let record = P::nth(if n % 3 == 0 { &there } else { &here }, n);
        store.keep(&record).await?;
        wanted.insert(told(&P::held(&record)));
    }
    for limit in [1, 10, 25, 100] {
        let (mut behind, mut seen) = (None, Vec::new());
        loop {
            let page = store.page(behind.as_deref(), limit).await?;
            seen.extend(page.keys);
            behind = page.behind;
            if behind.is_none() {
                break;
            }
            assert!(seen.len() <= 25, "it never ends");
        }
        let all: BTreeSet<Told> = seen.iter().map(told).collect();
        assert_eq!((seen.len(), all), (25, wanted.clone()), "{limit} at a time");
        assert!(seen.iter().all(|held| held.part == 0));
    }
    Ok(())
}

pub(super) async fn swaps_the_keys_that_were_seen_and_nothing_else<P: Holds + ?Sized>(store: &Setup<P>) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    let all @ [one, two, namesake] = &[P::nth(&here, 1), P::nth(&here, 2), P::nth(&there, 1)];
    for record in all {
        store.keep(record).await?;
    }
    assert_eq!(store.swap(Vec::new()).await?, 0);
    assert_eq!(store.swap(vec![swap_of::<P>(one, 1), swap_of::<P>(two, 2)]).await?, 2);
    assert_eq!(store.found(one).await?, Some(P::with_key(one, fresh(1))));
    assert_eq!(store.found(two).await?, Some(P::with_key(two, fresh(2))));
    assert_eq!(store.found(namesake).await?.as_ref(), Some(namesake));
    Ok(())
}

pub(super) async fn swaps_keys_of_any_length<P: Holds + ?Sized>(store: &Setup<P>) -> Outcome {
    let mut record = P::nth(&realm("User1"), 1);
    store.keep(&record).await?;
    for length in [1, 65, 5_000, 64] {
        let fresh = WrappedKey::from_bytes(vec![7; length]);
        let swap = KeyReplacement { seen: P::held(&record), fresh: fresh.clone() };
        assert_eq!(store.swap(vec![swap]).await?, 1);
        record = P::with_key(&record, fresh);
        assert_eq!(store.found(&record).await?.as_ref(), Some(&record));
    }
    Ok(())
}

pub(super) async fn what_changed_or_went_meanwhile_is_not_swapped<P: Holds + ?Sized>(store: &Setup<P>) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    let [kept, gone, changed] = [1, 2, 3].map(|n| P::nth(&here, n));
    let elsewhere = P::nth(&there, 1);
    for record in [&kept, &gone, &changed] {
        store.keep(record).await?;
    }
    assert!(store.gone(&gone).await?);
    assert_eq!(store.swap(vec![swap_of::<P>(&changed, 1)]).await?, 1);
    let late = [&gone, &changed, &elsewhere, &kept].map(|record| swap_of::<P>(record, 2));
    assert_eq!(store.swap(late.into()).await?, 1);
    assert_eq!(store.found(&gone).await?, None);
    assert_eq!(store.found(&elsewhere).await?, None);
    assert_eq!(store.found(&changed).await?, Some(P::with_key(&changed, fresh(1))));
    assert_eq!(store.found(&kept).await?, Some(P::with_key(&kept, fresh(2))));
    Ok(())
}

pub(super) async fn one_of_many_racing_swaps_wins<P: Holds + ?Sized>(store: &Setup<P>) -> Outcome {
    let record = P::nth(&realm("User1"), 1);
    store.keep(&record).await?;
    let swap = |store: Arc<P>, n| {
        let swap = swap_of::<P>(&record, n);
        async move { Ok((store.swap(vec![swap]).await?, n)) }
    };
    let answers = store.race(20, swap).await?;
    let won: Vec<u64> = answers.iter().filter(|(put, _)| *put == 1).map(|(_, n)| *n).collect();
    assert_eq!((won.len(), answers.iter().filter(|(put, _)| *put == 0).count()), (1, 19));
    let kept = won.iter().map(|n| P::with_key(&record, fresh(*n))).next();
    assert_eq!(store.found(&record).await?, kept);
    Ok(())
}

pub(super) async fn a_racing_swap_undoes_no_removal<P: Holds + ?Sized>(store: &Setup<P>) -> Outcome {
    for n in 0..10 {
        let record = P::nth(&realm("User1"), n);
        store.keep(&record).await?;
        let either = |store: Arc<P>, runner: u64| {
            let (record, swap) = (record.clone(), swap_of::<P>(&record, runner));
            async move {
                if runner == 0 {
                    return store.gone(&record).await;
                }
                store.swap(vec![swap]).await.map(|_| false)
            }
        };
        assert_eq!(count(&store.race(4, either).await?, &true), 1);
        assert_eq!(store.found(&record).await?, None);
    }
    Ok(())
}
