//! An attacker edits the audit log in the file at random: each edit is named by the verification.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use portcullis_adapters::audit_chain::checkpoint_file::{self, CheckpointFile};
use portcullis_adapters::audit_chain::verifier::Verifier;
use portcullis_adapters::audit_chain::writer::{ChainWriter, WriterParts};
use portcullis_adapters::audit_chain::{FindingKind, Report};
use portcullis_adapters::crypto::note_signer::NoteSigner;
use portcullis_adapters::crypto::record_macs::RecordMacs;
use portcullis_adapters::crypto::sealed_box::BoxPrivateKey;
use portcullis_adapters::sqlite::Sqlite;
use portcullis_adapters::system::clock::SystemClock;
use portcullis_core::model::event::{Event, EventKind};
use portcullis_core::model::operator_note::{OperatorNote, Reason};
use portcullis_core::ports::audit_chain_store::AuditChainStore;
use portcullis_core::ports::audit_log::AuditLog;
use portcullis_testkit::samples::{NOW, realm, session_id, user_id};
use portcullis_tests::record_macs;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use tempfile::TempDir;

/// Events of the first run of an instance, of the second one, and those without a number.
pub const RUNS: [u64; 3] = [9, 7, 2];
/// Events with a number.
pub const NUMBERED: u64 = RUNS[0] + RUNS[1];

/// The keys of a log.
pub struct Keys {
    verify: [BoxPrivateKey; 1],
    pub folder: TempDir,
}

impl Keys {
    pub fn new() -> Self {
        Self { verify: [BoxPrivateKey::generate().unwrap()], folder: tempfile::tempdir().unwrap() }
    }

    fn checkpoints(&self) -> PathBuf {
        self.folder.path().join("checkpoints.jsonl")
    }

    pub fn writer(&self, store: Arc<dyn AuditChainStore>) -> ChainWriter {
        ChainWriter::new(WriterParts {
            store,
            verify_key: self.verify[0].public().unwrap(),
            signer: NoteSigner::from_seed(&[9; 32]).unwrap(),
            file: Some(CheckpointFile(self.checkpoints())),
            clock: Arc::new(SystemClock::new()),
        })
    }

    /// Verifies with the file of checkpoints.
    pub async fn verify(&self, store: &dyn AuditChainStore) -> Report {
        let signers = [NoteSigner::from_seed(&[9; 32]).unwrap().public()];
        let exported = checkpoint_file::read(&self.checkpoints()).unwrap();
        let verifier = Verifier { store, keys: &self.verify, signers: &signers, exported: &exported };
        verifier.verify().await.unwrap()
    }

    /// Two runs of an instance, and events that are not numbered yet.
    pub async fn fill<S: AuditLog + AuditChainStore + 'static>(&self, store: &Arc<S>) {
        for (run, count) in (0..).zip(RUNS) {
            for n in 0..count {
                store.record(event(run * 100 + n));
            }
            if run < 2 {
                let mut writer = self.writer(store.clone());
                assert_eq!(writer.link_pending().await.unwrap(), count);
                writer.checkpoint().await.unwrap();
            }
        }
        let report = self.verify(&**store).await;
        assert_eq!(report.findings, Vec::new());
        assert_eq!((report.chains, report.numbered, report.unnumbered), (2, NUMBERED, RUNS[2]));
    }
}

/// Every field is in some of them.
fn event(n: u64) -> Event {
    let kinds = [EventKind::LoggedIn, EventKind::LoginFailed, EventKind::AccountDisabled];
    let kind = kinds[usize::try_from(n % 3).unwrap()];
    let operator = OperatorNote { operator: format!("operator {n}"), reason: Reason::parse("ticket 4711") };
    Event {
        at: NOW + Duration::from_secs(n),
        realm: realm(if n.is_multiple_of(4) { "User2" } else { "User1" }),
        kind,
        user: (!n.is_multiple_of(5)).then(|| user_id(n)),
        session: n.is_multiple_of(2).then(|| session_id(n)),
        operator: n.is_multiple_of(3).then_some(operator),
        detail: None,
    }
}

/// A log in a file that is copied for every edit.
struct Log {
    keys: Keys,
    macs: Arc<RecordMacs>,
}

impl Log {
    async fn new() -> Self {
        let log = Self { keys: Keys::new(), macs: record_macs::of_ring(&[1]) };
        log.keys.fill(&Arc::new(Sqlite::open(&log.path("log.db"), &log.macs).unwrap())).await;
        log
    }

    fn path(&self, name: &str) -> PathBuf {
        self.keys.folder.path().join(name)
    }

    /// The findings after an edit.
    fn after(&self, edit: impl FnOnce(&Connection)) -> Report {
        std::fs::copy(self.path("log.db"), self.path("edited.db")).unwrap();
        let db = Connection::open(self.path("edited.db")).unwrap();
        edit(&db);
        drop(db);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = Sqlite::open(&self.path("edited.db"), &self.macs).unwrap();
            self.keys.verify(&store).await
        })
    }
}

fn log() -> Log {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Log::new())
}

/// The columns of the table.
fn columns(path: &Path) -> Vec<String> {
    let db = Connection::open(path).unwrap();
    let mut statement = db.prepare("SELECT name FROM pragma_table_info('audit')").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn row(db: &Connection, number: u64, columns: &str) -> Vec<Value> {
    let sql = format!("SELECT {columns} FROM audit WHERE number = ?1");
    db.query_row(&sql, [number.cast_signed()], |row| (0..row.as_ref().column_count()).map(|at| row.get(at)).collect())
        .unwrap()
}

/// Another value of the same kind.
fn other(value: &Value, by: u8) -> Value {
    match value {
        Value::Integer(number) => Value::Integer(number + i64::from(by) + 1),
        Value::Text(text) => Value::Text(format!("{text}{}", char::from(b'a' + by % 26))),
        Value::Blob(bytes) => {
            let mut bytes = bytes.clone();
            let at = usize::from(by) % bytes.len();
            bytes[at] ^= 1 << (by % 8);
            Value::Blob(bytes)
        }
        Value::Null | Value::Real(_) => Value::Null,
    }
}

fn set(db: &Connection, number: u64, column: &str, value: Value) -> bool {
    let sql = format!("UPDATE audit SET {column} = ?1 WHERE number = ?2");
    // some edits the schema itself refuses
    db.execute(&sql, params_from_iter([value, Value::Integer(number.cast_signed())])).is_ok()
}

/// An edit, by row numbers that begin with 1.
#[derive(Debug, Clone)]
enum Edit {
    Change { row: u64, column: usize, by: u8 },
    Remove { row: u64 },
    RemoveFrom { row: u64 },
    Swap { rows: (u64, u64), columns: Vec<usize> },
    Copy { row: u64, unlinked: bool, by: u8 },
}

fn edits(columns: usize) -> impl Strategy<Value = Edit> {
    let (row, any_row) = (1..=NUMBERED, 1..=NUMBERED + RUNS[2]);
    let some = proptest::collection::vec(1..columns, 1..columns);
    prop_oneof![
        4 => (any_row.clone(), 0..columns, any::<u8>()).prop_map(|(row, column, by)| Edit::Change { row, column, by }),
        1 => row.clone().prop_map(|row| Edit::Remove { row }),
        1 => row.clone().prop_map(|row| Edit::RemoveFrom { row }),
        2 => (row.clone(), row, some).prop_map(|(a, b, columns)| Edit::Swap { rows: (a, b), columns }),
        2 => (any_row, any::<bool>(), any::<u8>()).prop_map(|(row, unlinked, by)| Edit::Copy { row, unlinked, by }),
    ]
}

impl Edit {
    /// Whether it changed anything.
    fn apply(&self, db: &Connection, names: &[String]) -> bool {
        let all = names.join(", ");
        match self {
            Self::Change { row: number, column, by } => {
                let was = row(db, *number, &all)[*column].clone();
                let is = other(&was, *by);
                // the place of an event is not proven before it is numbered
                let proven = *column > 0 || *number <= NUMBERED;
                proven && is != was && set(db, *number, &names[*column], is)
            }
            Self::Remove { row } => db.execute("DELETE FROM audit WHERE number = ?1", [row.cast_signed()]).unwrap() > 0,
            Self::RemoveFrom { row } => {
                db.execute("DELETE FROM audit WHERE number >= ?1", [row.cast_signed()]).unwrap() > 0
            }
            Self::Swap { rows: (a, b), columns } => {
                let (of_a, of_b) = (row(db, *a, &all), row(db, *b, &all));
                let mut changed = false;
                for column in columns {
                    changed |= of_a[*column] != of_b[*column];
                    assert!(set(db, *a, &names[*column], of_b[*column].clone()));
                    assert!(set(db, *b, &names[*column], of_a[*column].clone()));
                }
                changed
            }
            Self::Copy { row: number, unlinked, by } => {
                let mut values = row(db, *number, &all);
                values[0] = Value::Integer(1000 + i64::from(*by));
                if *unlinked {
                    for (value, _) in
                        values.iter_mut().zip(names).filter(|(_, name)| ["chain", "link", "tag"].contains(&&***name))
                    {
                        *value = Value::Null;
                    }
                }
                let marks = vec!["?"; names.len()].join(", ");
                db.execute(&format!("INSERT INTO audit ({all}) VALUES ({marks})"), params_from_iter(values)).unwrap()
                    > 0
            }
        }
    }
}

#[test]
fn every_random_edit_of_the_file_is_named() {
    let log = log();
    let names = columns(&log.path("log.db"));
    assert_eq!(names[0], "number");
    let mut runner = TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
    let done = runner.run(&edits(names.len()), |edit| {
        let mut changed = false;
        let report = log.after(|db| changed = edit.apply(db, &names));
        prop_assert!(report.found > 0 || !changed, "{edit:?}");
        prop_assert!(report.found == 0 || changed, "{edit:?}: {:?}", report.findings);
        Ok(())
    });
    done.unwrap();
}

/// The kinds and numbers of the findings.
fn named(report: &Report) -> Vec<(FindingKind, Option<u64>)> {
    report.findings.iter().map(|finding| (finding.kind, finding.number)).collect()
}

#[test]
fn the_first_edit_is_named_with_its_kind_and_number() {
    let log = log();
    let execute = |sql: &'static str| log.after(|db| db.execute_batch(sql).unwrap());
    let content = "at, realm, kind, user_id, session_id, operator, reason, detail, event_id, mac";
    let swap = format!(
        "CREATE TEMP TABLE t AS SELECT number, {content} FROM audit WHERE number IN (3, 5); \
         UPDATE audit SET ({content}) = (SELECT {content} FROM t WHERE t.number = 8 - audit.number) WHERE number IN (3, 5);"
    );
    let cases = [
        ("UPDATE audit SET kind = 'logged_out' WHERE number = 4", vec![(FindingKind::Changed, Some(4))]),
        ("UPDATE audit SET tag = zeroblob(32) WHERE number = 4", vec![(FindingKind::Changed, Some(4))]),
        ("UPDATE audit SET mac = zeroblob(36) WHERE number = 4", vec![(FindingKind::Changed, Some(4))]),
        ("DELETE FROM audit WHERE number BETWEEN 4 AND 6", vec![(FindingKind::Missing, Some(4))]),
        ("DELETE FROM audit WHERE number BETWEEN 8 AND 9", vec![(FindingKind::Cut, Some(8))]),
        ("UPDATE audit SET number = 99 WHERE number = 5", vec![(FindingKind::Changed, Some(5))]),
        (
            "UPDATE audit SET link = 8 WHERE number = 9",
            vec![(FindingKind::Added, Some(8)), (FindingKind::Cut, Some(9))],
        ),
        ("UPDATE audit SET chain = NULL WHERE number = 3", vec![(FindingKind::Missing, Some(3))]),
        (
            "UPDATE audit SET chain = x'01' WHERE number = 3",
            vec![(FindingKind::Missing, Some(3)), (FindingKind::Changed, None)],
        ),
        (
            "UPDATE audit SET link = NULL WHERE number = 3",
            vec![(FindingKind::Missing, Some(3)), (FindingKind::Changed, None)],
        ),
        (
            "UPDATE audit SET link = 9000000000000000000 WHERE number = 3",
            vec![(FindingKind::Missing, Some(3)), (FindingKind::Added, Some(9_000_000_000_000_000_000))],
        ),
        ("UPDATE audit SET realm = 'no realm at all' WHERE number = 4", vec![(FindingKind::Changed, Some(4))]),
        ("UPDATE audit SET user_id = x'01' WHERE number = 17", vec![(FindingKind::Changed, None)]),
    ];
    for (sql, findings) in cases {
        assert_eq!(named(&execute(sql)), findings, "{sql}");
    }
    let swapped = log.after(|db| db.execute_batch(&swap).unwrap());
    assert_eq!(named(&swapped), [(FindingKind::Moved, Some(3)), (FindingKind::Moved, Some(5))]);
    assert!(swapped.findings[0].detail.contains("number 5"), "{:?}", swapped.findings);
}

#[test]
fn a_whole_chain_or_note_can_not_be_removed() {
    let log = log();
    let execute = |sql: &str| log.after(|db| db.execute_batch(sql).unwrap());
    let last = "(SELECT chain FROM audit WHERE number = 16)";
    for sql in [
        format!("DELETE FROM audit_notes WHERE chain = {last}; DELETE FROM audit WHERE number > 9"),
        "DELETE FROM audit_notes; DELETE FROM audit".to_owned(),
        "DELETE FROM audit_notes WHERE kind = 'start'".to_owned(),
        "UPDATE audit_notes SET text = replace(text, 'chn_', 'chn_0')".to_owned(),
        "UPDATE audit_notes SET signature = zeroblob(64) WHERE kind = 'checkpoint'".to_owned(),
        "UPDATE audit_notes SET kind = 'pruned' WHERE kind = 'checkpoint'".to_owned(),
    ] {
        assert!(execute(&sql).found > 0, "{sql}");
    }
    // the file of checkpoints proves what the store says no more
    assert_eq!(named(&execute("DELETE FROM audit_notes WHERE kind = 'checkpoint'")), []);
}

#[test]
fn a_copied_event_is_named_before_and_after_it_is_numbered() {
    let log = log();
    let copied = "at, realm, kind, user_id, session_id, operator, reason, detail, event_id, mac";
    let edit = |db: &Connection| {
        db.execute_batch(&format!("INSERT INTO audit ({copied}) SELECT {copied} FROM audit WHERE number = 2")).unwrap();
    };
    assert_eq!(named(&log.after(edit)), [(FindingKind::Added, None)]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let report = runtime.block_on(async {
        let store = Arc::new(Sqlite::open(&log.path("edited.db"), &log.macs).unwrap());
        let mut writer = log.keys.writer(store.clone());
        assert_eq!(writer.link_pending().await.unwrap(), RUNS[2] + 1);
        log.keys.verify(&*store).await
    });
    assert_eq!(report.found, 1, "{:?}", report.findings);
    assert_eq!(report.findings[0].kind, FindingKind::Added);
}
