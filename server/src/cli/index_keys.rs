//! `portcullis keys reindex`, and the part of `keys status` about the ring of `INDEX_KEY`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use portcullis_adapters::reindexing::{IndexReport, IndexStep};
use portcullis_adapters::system::randomness::OsRandomness;
use portcullis_core::model::event::EventKind;
use portcullis_core::use_cases::operator::reindex::IndexCounts;
use serde_json::{Value, json};

use super::progress::Progress;
use super::{operator, print};
use crate::bootstrap::reindexing::IndexedStore;
use crate::config::Settings;

/// The template of the progress bar.
const BAR: &str = "{msg:<14} {bar:40} {human_pos}/{human_len}  {per_sec}  {eta} left";

/// The state of the ring of `INDEX_KEY`.
pub struct IndexState {
    ring: Vec<u32>,
    in_use: Vec<u32>,
    report: IndexReport,
}

impl IndexState {
    /// Counts the blind indexes of a database.
    ///
    /// # Errors
    /// The problem, with the fix.
    pub async fn read(settings: &Settings) -> Result<Self, String> {
        let store = IndexedStore::open(settings, Arc::new(OsRandomness)).await?;
        let report = store.reindexing(&|_| {}).count().await.map_err(|error| error.with_cause())?;
        let in_use = store.keys_in_use().await?;
        Ok(Self { ring: settings.secrets.index_keys.ids(), in_use, report })
    }

    /// A row for each collection, and the next step for the operator.
    pub fn table(&self) -> String {
        let head = format!("{:<22}{:>14}{:>14}{:>14}", "index keys", "indexed", "behind", "outdated");
        let row = |(name, counts): (&&str, &IndexCounts)| {
            format!("{name:<22}{:>14}{:>14}{:>14}", counts.indexed, counts.behind, counts.outdated)
        };
        let rows = self.report.counts.iter().map(row);
        std::iter::once(head).chain(rows).chain([self.advice()]).collect::<Vec<_>>().join("\n")
    }

    fn advice(&self) -> String {
        let newest = self.ring.first().copied().unwrap_or_default();
        let total = self.report.total();
        let older: Vec<String> = self.in_use.iter().filter(|id| **id != newest).map(u32::to_string).collect();
        match (total.outdated, older.is_empty()) {
            (0, true) => format!("every index is under key {newest}, and no other key is in use"),
            (0, false) => format!(
                "every index is under key {newest}: `portcullis keys reindex` lets {} leave INDEX_KEY",
                older.join(", ")
            ),
            (outdated, _) => {
                format!(
                    "{} with other indexes than the ring gives: `portcullis keys reindex` renews them",
                    records(outdated)
                )
            }
        }
    }

    /// For machines.
    pub fn json(&self) -> Value {
        let counts: BTreeMap<&str, Value> =
            self.report.counts.iter().map(|(name, counts)| (*name, counts_json(counts))).collect();
        json!({"newest": self.ring.first(), "ring": self.ring, "in_use": self.in_use, "records": counts})
    }
}

fn counts_json(counts: &IndexCounts) -> Value {
    let IndexCounts { indexed, behind, outdated, damaged, reindexed: _ } = counts;
    json!({"indexed": indexed, "behind": behind, "outdated": outdated, "damaged": damaged})
}

/// Gives every record the indexes of the ring, and lets older keys leave it.
///
/// # Errors
/// The problem, or the records that still have other indexes.
pub async fn reindex(settings: &Settings) -> Result<(), String> {
    let store = IndexedStore::open(settings, Arc::new(OsRandomness)).await?;
    let progress = Progress::new(BAR);
    let began = Instant::now();
    let show = |step: IndexStep| {
        if step.all > 0 {
            progress.show(step.of.as_str(), step.done, step.all);
        }
    };
    let done = store.reindexing(&show).run().await;
    progress.end();
    let report =
        done.map_err(|error| format!("{}. Fix: call it again, it goes on where it stopped", error.with_cause()))?;
    let newest = settings.secrets.index_keys.ids().first().copied().unwrap_or_default();
    let seconds = began.elapsed().as_secs_f64();
    operator::record_rotation(settings, EventKind::KeysReindexed, (report.reindexed, newest)).await?;
    print(&format!("{} indexed under key {newest} in {seconds:.1} s", records(report.reindexed)));
    let IndexCounts { outdated, damaged, .. } = report.total();
    if damaged > 0 {
        return Err(format!(
            "{} whose address cannot be opened: see `portcullis keys status` about ENCRYPTION_KEY, then call this again",
            records(damaged)
        ));
    }
    if outdated > 0 {
        return Err(format!(
            "{} still with other indexes: a server runs with another ring. Fix: restart all of them with this ring, then \
             call this again",
            records(outdated)
        ));
    }
    let older = store.retire_older_keys().await?;
    if !older.is_empty() {
        let older: Vec<String> = older.iter().map(u32::to_string).collect();
        print(&format!(
            "no record needs {} any more: once it has been in second place for REFRESH_TOKEN_TTL, it may leave INDEX_KEY; \
             after a leak at once, which ends sessions and links that were not used since the new key came to the front. \
             Then call this once more, so that no digest under it stays",
            older.join(", ")
        ));
    }
    Ok(())
}

fn records(count: u64) -> String {
    if count == 1 { "1 record".to_owned() } else { format!("{count} records") }
}
