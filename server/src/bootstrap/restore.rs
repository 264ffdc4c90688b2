//! `portcullis restore`: fills an empty database from a backup, without the rights of its time and without the accounts
//! that were deleted since.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_adapters::backup::restored_records::{Examined, RestoredRecords, examine};
use portcullis_adapters::crypto::age_file::{self, Identities};
use portcullis_adapters::data_migration::migration::{Migration, Step};
use portcullis_adapters::erasure_ledger::{Erased, Erasure};
use portcullis_adapters::sqlite::{OpenError, Sqlite, backup};
use portcullis_core::model::event::{Event, EventKind};
use portcullis_core::model::operator_note::{OperatorNote, Reason};
use portcullis_core::model::stored_record::Collection;
use portcullis_core::ports::data_migration_store::MigratableStore;
use portcullis_core::ports::database::{Database as _, UnitOfWork};
use portcullis_core::ports::randomness::Randomness;

use super::backup::{OnStep, events, shown, sync_folder};
use super::factories::realms;
use super::secret_check::StoreSecrets;
use crate::config::{Database, Settings};

/// Events of one commit.
const EVENTS: usize = 500;

/// A restore.
pub struct Restore<'a> {
    /// The settings of the server.
    pub settings: &'a Settings,
    /// The backup.
    pub from: &'a Path,
    /// The private keys of an encrypted backup.
    pub identities: Option<&'a Identities>,
    /// The erasure ledgers; `None` where the operator does without.
    pub ledgers: Option<&'a [PathBuf]>,
    /// Whether only the backup and the target are checked.
    pub dry_run: bool,
    /// The operator, for the audit log.
    pub note: &'a OperatorNote,
    /// Called at every step.
    pub on_step: OnStep<'a>,
}

impl Restore<'_> {
    /// Fills the database of the settings. Until it is complete it has another name: a call that was stopped leaves the
    /// place empty, and the next one begins again.
    ///
    /// # Errors
    /// The problem, with the fix.
    pub async fn run(&self, randomness: Arc<dyn Randomness>) -> Result<Examined, String> {
        let Database::Sqlite { path } = &self.settings.database else {
            return Err(
                "MONGO_URL: a file is restored into SQLite only. Fix: use mongorestore (docs/backup.md)".to_owned()
            );
        };
        let _lock = backup::lock(path).map_err(|error| in_use(&error))?;
        if backup::is_occupied(path) {
            return Err(format!(
                "DATABASE_URL: {0} has data. Fix: move it away, with {0}-wal and {0}-shm, and call this again",
                path.display()
            ));
        }
        let secrets = StoreSecrets::of(self.settings, randomness)?;
        let erased = self.read_ledgers(&secrets)?;
        let (source, target) = (Scratch::new(path, ".backup")?, Scratch::new(path, ".restoring")?);
        self.fetch(&source.path)?;
        backup::check(&source.path).map_err(|error| self.failed(&error))?;
        // an older schema becomes this version's, in the copy
        let store = Sqlite::open(&source.path, &secrets.macs).map_err(|error| self.failed(&error))?;
        let check = secrets.check("the backup", self.from.display().to_string());
        check.verify_complete(&store).await?;
        check.verify_used(&store).await?;
        let examined = self.examine(&store, &erased, &secrets).await?;
        if self.dry_run {
            return Ok(examined);
        }
        self.fill(&target.path, &store, &examined, &secrets).await?;
        drop(store);
        drop(source);
        // pages that are still in the log would not move with the file
        let log = PathBuf::from(format!("{}-wal", target.path.display()));
        if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
            return Err(format!(
                "{} could not be completed. Fix: make room on the disk and call this again",
                path.display()
            ));
        }
        backup::check(&target.path).map_err(|error| self.failed(&error))?;
        let file = File::open(&target.path).and_then(|file| file.sync_all());
        file.map_err(|error| shown(&target.path, &error))?;
        fs::rename(&target.path, path).map_err(|error| shown(path, &error))?;
        sync_folder(path)?;
        Ok(examined)
    }

    fn failed(&self, error: &OpenError) -> String {
        match error {
            OpenError::Newer { found, known, .. } => format!(
                "{} has schema {found}, this version knows {known}. Fix: restore it with the version that made it, or a \
                 later one",
                self.from.display()
            ),
            OpenError::Damaged { .. } => {
                format!("{} is damaged or not a backup. Fix: take another backup", self.from.display())
            }
            OpenError::Foreign { .. } => {
                format!("{} is a database of another program. Fix: name a backup", self.from.display())
            }
            error => error.to_string(),
        }
    }

    fn read_ledgers(&self, secrets: &StoreSecrets) -> Result<Erased, String> {
        let mut erased = Erased::default();
        for path in self.ledgers.unwrap_or_default() {
            erased.read(path, &secrets.macs).map_err(|error| format!("the erasure ledger {error}"))?;
        }
        Ok(erased)
    }

    /// Copies the backup, decrypted.
    fn fetch(&self, to: &Path) -> Result<(), String> {
        let failed = |error: io::Error| shown(self.from, &error);
        let all = fs::metadata(self.from).map_err(failed)?.len();
        (self.on_step)("reading the backup", 0, all);
        let mut from = BufReader::new(File::open(self.from).map_err(failed)?);
        let target = backup::create_private(to).map_err(|error| shown(to, &error))?;
        let mut target = BufWriter::new(target);
        let is_encrypted = from.fill_buf().map_err(failed)?.starts_with(age_file::VERSION.as_bytes());
        if is_encrypted {
            let identities = self.identities.ok_or_else(|| {
                format!("{} is encrypted. Fix: name the file of the private key with --identity", self.from.display())
            })?;
            let done = age_file::decrypt(from, &mut target, identities);
            done.map_err(|error| format!("{}: {error}", self.from.display()))?;
        } else {
            io::copy(&mut from, &mut target).map_err(failed)?;
        }
        target.flush().map_err(|error| shown(to, &error))?;
        (self.on_step)("reading the backup", all, all);
        Ok(())
    }

    async fn examine(
        &self,
        store: &dyn MigratableStore,
        erased: &Erased,
        secrets: &StoreSecrets,
    ) -> Result<Examined, String> {
        let step = |of: Collection, done, all| (self.on_step)(&format!("verifying {}", of.as_str()), done, all);
        let is_erased = |realm: &_, user: &_| erased.contains(&secrets.macs, Erasure { realm, user });
        let examined = examine(store, &is_erased, &step).await;
        examined.map_err(|error| {
            format!("{} does not verify: {}. Fix: take another backup", self.from.display(), error.with_cause())
        })
    }

    async fn fill(
        &self,
        path: &Path,
        from: &dyn MigratableStore,
        examined: &Examined,
        secrets: &StoreSecrets,
    ) -> Result<(), String> {
        let target = Sqlite::open(path, &secrets.macs).map_err(|error| error.to_string())?;
        let from = RestoredRecords::new(from, &examined.erased);
        let on_step = |step| match step {
            Step::Copied { of, done, all } => (self.on_step)(&format!("restoring {}", of.as_str()), done, all),
            Step::Read { of, done, all } => (self.on_step)(&format!("comparing {}", of.as_str()), done, all),
            Step::Resumed(_) => {}
        };
        let migration = Migration { from: &from, to: &target, source_name: "a backup", on_step: &on_step };
        migration.run().await.map_err(|error| error.to_string())?;
        for work in self.events(examined)? {
            let committed = target.commit(work).await.map_err(|error| error.with_cause())?;
            committed.map_err(|refusal| refusal.to_string())?;
        }
        Ok(())
    }

    /// That the database was restored, and the deletions that it missed: the audit log has them again.
    fn events(&self, examined: &Examined) -> Result<Vec<UnitOfWork>, String> {
        let restored = events(&realms(self.settings)?, EventKind::BackupRestored, Some(self.note));
        let at = restored.events.first().map(|event| event.at).unwrap_or_default();
        let reason = Reason::parse("restore: in the erasure ledger");
        let note = OperatorNote { operator: self.note.operator.clone(), reason };
        let deleted = examined.erased.chunks(EVENTS).map(|erased| {
            let event = |(realm, user): &(portcullis_core::model::realm::Realm, _)| Event {
                at,
                realm: realm.clone(),
                kind: EventKind::AccountDeleted,
                user: Some(*user),
                session: None,
                operator: Some(note.clone()),
                detail: None,
            };
            UnitOfWork { events: erased.iter().map(event).collect(), ..UnitOfWork::default() }
        });
        Ok(deleted.chain([restored]).collect())
    }
}

fn in_use(error: &OpenError) -> String {
    match error {
        OpenError::Locked { path, .. } => {
            format!("DATABASE_URL: {} is in use. Fix: stop the server, or the other restore, first", path.display())
        }
        error => format!("DATABASE_URL: {error}"),
    }
}

/// A database that is removed at the end, and at the beginning where a stopped call left it.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn new(database: &Path, suffix: &str) -> Result<Self, String> {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        let path = PathBuf::from(name);
        backup::remove(&path).map_err(|error| shown(&path, &error))?;
        Ok(Self { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = backup::remove(&self.path);
    }
}
