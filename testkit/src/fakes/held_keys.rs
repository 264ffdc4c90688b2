//! Pages of wrapped keys, for fakes that keep records in a map.

use std::collections::BTreeMap;

use portcullis_core::model::held_key::{KeyPage, KeyReplacement, StoredDataKey};
use portcullis_core::model::ids::UserId;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::WrappedKey;

/// Those behind a place, in the order of the places' texts.
pub(super) fn page<'a>(
    records: impl Iterator<Item = (&'a Realm, UserId, &'a WrappedKey)>,
    behind: Option<&str>,
    limit: u32,
) -> KeyPage {
    let at = |(realm, id, key)| (format!("{realm}/{id}"), realm, id, key);
    let mut all: Vec<(String, &Realm, UserId, &WrappedKey)> = records.map(at).collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all.retain(|(place, ..)| behind.is_none_or(|behind| place.as_str() > behind));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = all.len() > limit;
    all.truncate(limit);
    let behind = all.last().filter(|_| more).map(|(place, ..)| place.clone());
    let held = |(_, realm, id, key): (String, &Realm, UserId, &WrappedKey)| StoredDataKey {
        realm: realm.clone(),
        record: *id.as_bytes(),
        part: 0,
        key: key.clone(),
    };
    KeyPage { keys: all.into_iter().map(held).collect(), behind }
}

/// Puts the fresh keys where those that were seen still are; how many.
pub(super) fn swap<R>(
    records: &mut BTreeMap<(Realm, UserId), R>,
    key_of: fn(&mut R) -> &mut WrappedKey,
    swaps: Vec<KeyReplacement>,
) -> u64 {
    let mut put = 0;
    for KeyReplacement { seen, fresh } in swaps {
        let key = records.get_mut(&(seen.realm, UserId::from_bytes(seen.record))).map(key_of);
        if let Some(key) = key.filter(|key| **key == seen.key) {
            *key = fresh;
            put += 1;
        }
    }
    put
}
