//! The audit event of a start with other settings than the last one. The database has a keyed digest of each setting
//! that was given, and no value.

use std::collections::BTreeMap;

use portcullis_adapters::crypto::check_values::fingerprints;
use portcullis_core::model::event::{Event, EventKind};
use portcullis_core::model::event_detail::EventDetail;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::check_value_store::CheckValueStore;
use portcullis_core::ports::database::{Database, UnitOfWork};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::keyed_digest::KeyedDigest;

use super::factories::realms;
use crate::config::Settings;

/// The name of the digests among the check values.
const SETTINGS: &str = "settings";
/// Settings that differ between the instances of one deployment.
const OF_AN_INSTANCE: [&str; 6] =
    ["HOST", "PORT", "HASH_THREADS", "ERASURE_LEDGER", "AUDIT_CHECKPOINT_FILE", "TEMPLATES_DIR"];

/// The digests of settings, by name.
type Digests = BTreeMap<String, String>;

/// Records an event in each realm where the settings are not those of the last start. The first start records none.
///
/// # Errors
/// When a store fails.
pub async fn record(
    settings: &Settings,
    at: Timestamp,
    digests: &dyn KeyedDigest,
    checks: &dyn CheckValueStore,
    database: &dyn Database,
) -> Result<(), String> {
    let failed = |error: PortError| error.with_cause();
    let (mut new, mut current) = (Digests::new(), BTreeMap::new());
    for (name, value) in &settings.given {
        if OF_AN_INSTANCE.contains(name) {
            continue;
        }
        let of_value = fingerprints(digests, [name.as_bytes(), b"=", value.expose().as_bytes()].concat().as_slice());
        let of_value = of_value.map_err(failed)?;
        new.insert((*name).to_owned(), of_value.first().cloned().unwrap_or_default());
        current.insert((*name).to_owned(), of_value);
    }
    let value = print(&new);
    let stored = checks.check_value_or_insert(SETTINGS, value.as_bytes()).await.map_err(failed)?;
    if stored == value.as_bytes() {
        return Ok(());
    }
    if let Some(detail) = difference(&parse(&stored), &current) {
        let event = |realm| Event {
            at,
            realm,
            kind: EventKind::SettingsChanged,
            user: None,
            session: None,
            operator: None,
            detail: Some(detail.clone()),
        };
        let events = realms(settings)?.into_iter().map(event).collect();
        let work = UnitOfWork { events, ..UnitOfWork::default() };
        database.commit(work).await.map_err(failed)?.map_err(|refusal| refusal.to_string())?;
    }
    // another instance may have stored the digests of its start: the next start compares with those
    checks.replace_check_value(SETTINGS, &stored, value.as_bytes()).await.map_err(failed)?;
    Ok(())
}

/// The names of the settings that differ. A digest under the older key of a ring is as good as one under the newest.
fn difference(stored: &Digests, current: &BTreeMap<String, Vec<String>>) -> Option<EventDetail> {
    let names = |keep: &dyn Fn(&str) -> bool| current.keys().filter(|name| keep(name)).cloned().collect::<Vec<_>>();
    let added = names(&|name| !stored.contains_key(name));
    let differs =
        |name: &str| stored.get(name).zip(current.get(name)).is_some_and(|(stored, current)| !current.contains(stored));
    let removed: Vec<String> = stored.keys().filter(|name| !current.contains_key(*name)).cloned().collect();
    EventDetail::settings(&added, &names(&differs), &removed)
}

fn print(digests: &Digests) -> String {
    let lines: Vec<String> = digests.iter().map(|(name, digest)| format!("{name} {digest}")).collect();
    lines.join("\n")
}

fn parse(value: &[u8]) -> Digests {
    let text = String::from_utf8_lossy(value);
    text.lines().filter_map(|line| line.split_once(' ')).map(|(name, one)| (name.to_owned(), one.to_owned())).collect()
}
