//! `portcullis backup`: a copy of the SQLite database beside a running server, verified, and encrypted where asked.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_adapters::backup::restored_records::{Examined, examine};
use portcullis_adapters::crypto::age_file::{self, Recipient};
use portcullis_adapters::sqlite::{OpenError, Sqlite, backup};
use portcullis_adapters::system::clock::SystemClock;
use portcullis_core::model::event::{Event, EventKind};
use portcullis_core::model::operator_note::OperatorNote;
use portcullis_core::model::realm::Realm;
use portcullis_core::ports::clock::Clock as _;
use portcullis_core::ports::database::{Database as _, UnitOfWork};
use portcullis_core::ports::randomness::Randomness;

use super::factories::realms;
use super::secret_check::StoreSecrets;
use crate::config::{Database, Settings};

/// A report of the progress: the subject, how much is done, and of how much.
pub type OnStep<'a> = &'a (dyn Fn(&str, u64, u64) + Sync);

/// A backup to make.
pub struct Backup<'a> {
    /// The settings of the server.
    pub settings: &'a Settings,
    /// The new file.
    pub to: &'a Path,
    /// The public keys that it is encrypted to, if there are any.
    pub recipients: &'a [Recipient],
    /// The operator, for the audit log.
    pub note: &'a OperatorNote,
    /// Called at every step.
    pub on_step: OnStep<'a>,
}

/// A backup that was made.
pub struct Made {
    /// The records of each collection.
    pub examined: Examined,
    /// The bytes of the file.
    pub bytes: u64,
}

impl Backup<'_> {
    /// Makes the file. Until it is complete and verified it has another name, so that a file of this name is a whole
    /// backup.
    ///
    /// # Errors
    /// The problem, with the fix. No file of that name is left.
    pub async fn make(&self, randomness: Arc<dyn Randomness>) -> Result<Made, String> {
        let Database::Sqlite { path } = &self.settings.database else {
            return Err("MONGO_URL: a file is made of SQLite only. Fix: use mongodump (docs/backup.md)".to_owned());
        };
        self.refuse_existing()?;
        let secrets = StoreSecrets::of(self.settings, randomness.clone())?;
        let store = Sqlite::open_beside(path, &secrets.macs).map_err(|error| format!("DATABASE_URL: {error}"))?;
        let check = secrets.check("DATABASE_URL", self.settings.database.shown());
        check.verify_complete(&store).await?;
        check.verify_used(&store).await?;
        // first, so that no copy is made without its event
        let realms = realms(self.settings)?;
        let event = events(&realms, EventKind::BackupMade, Some(self.note));
        store.commit(event).await.map_err(|error| error.with_cause())?.map_err(|refusal| refusal.to_string())?;
        drop(store);

        // the plain copy of an encrypted backup never lies where the backup does
        let copy = if self.recipients.is_empty() {
            Partial::new(self.to, ".copying")?
        } else {
            Partial::new(path, ".backup")?
        };
        let pages = |done, all| (self.on_step)("copying pages", done, all);
        backup::copy(path, &copy.path, &pages).map_err(|error| error.to_string())?;
        let examined = verify(&copy.path, &secrets, self.on_step).await?;
        let file = if self.recipients.is_empty() {
            copy
        } else {
            let encrypted = Partial::new(self.to, ".encrypting")?;
            self.encrypt(&copy.path, &encrypted.path)?;
            encrypted
        };
        let bytes = fs::metadata(&file.path).map_err(|error| shown(self.to, &error))?.len();
        file.finish(self.to)?;
        Ok(Made { examined, bytes })
    }

    fn refuse_existing(&self) -> Result<(), String> {
        let folder = folder_of(self.to);
        if !folder.is_dir() {
            return Err(format!("{} is no folder. Fix: make it first", folder.display()));
        }
        if fs::symlink_metadata(self.to).is_ok() {
            return Err(format!("{} exists. Fix: name a new file", self.to.display()));
        }
        Ok(())
    }

    fn encrypt(&self, from: &Path, to: &Path) -> Result<(), String> {
        (self.on_step)("encrypting", 0, 1);
        let source = File::open(from).map_err(|error| shown(from, &error))?;
        let target = backup::create_private(to).map_err(|error| shown(to, &error))?;
        let mut target = BufWriter::new(target);
        age_file::encrypt(BufReader::new(source), &mut target, self.recipients)
            .map_err(|error| format!("{}: {error}", to.display()))?;
        let synced = target.flush().and_then(|()| target.get_ref().sync_all());
        synced.map_err(|error| shown(to, &error))?;
        (self.on_step)("encrypting", 1, 1);
        Ok(())
    }
}

/// A file error, for the operator.
#[must_use]
pub fn shown(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// Reads every page and every record of a copy.
///
/// # Errors
/// If something of it is damaged, or was written with other secrets.
async fn verify(path: &Path, secrets: &StoreSecrets, on_step: OnStep<'_>) -> Result<Examined, String> {
    on_step("checking pages", 0, 1);
    backup::check(path).map_err(|error| error.to_string())?;
    on_step("checking pages", 1, 1);
    let copy = Sqlite::open_copy(path, &secrets.macs).map_err(|error| error.to_string())?;
    let step = |of: portcullis_core::model::stored_record::Collection, done, all| {
        on_step(&format!("verifying {}", of.as_str()), done, all);
    };
    let examined = examine(&copy, &|_, _| false, &step).await;
    examined.map_err(|error| {
        format!(
            "the copy does not verify: {}. Fix: the database has a record that was damaged or changed; the file was removed, \
             older backups are as they were",
            error.with_cause()
        )
    })
}

/// An event of each realm.
#[must_use]
pub fn events(realms: &[Realm], kind: EventKind, note: Option<&OperatorNote>) -> UnitOfWork {
    let at = SystemClock::new().now();
    let event = |realm: &Realm| Event {
        at,
        realm: realm.clone(),
        kind,
        user: None,
        session: None,
        operator: note.cloned(),
        detail: None,
    };
    UnitOfWork { events: realms.iter().map(event).collect(), ..UnitOfWork::default() }
}

/// A file that is not complete yet. It goes when this is dropped.
struct Partial {
    path: PathBuf,
    /// Held until the file has its name or is gone.
    _lock: File,
}

impl Partial {
    /// One beside the file that it becomes or is made of, in place of one that a stopped call left.
    fn new(beside: &Path, suffix: &str) -> Result<Self, String> {
        let mut name = beside.as_os_str().to_owned();
        name.push(suffix);
        let path = PathBuf::from(name);
        let lock = backup::lock(&path).map_err(|error| match error {
            OpenError::Locked { .. } => {
                format!("{} is being written by another backup. Fix: wait for its end", path.display())
            }
            error => error.to_string(),
        })?;
        backup::remove_data(&path).map_err(|error| shown(&path, &error))?;
        Ok(Self { path, _lock: lock })
    }

    /// Gives it its name, unless there is a file of that name.
    fn finish(self, to: &Path) -> Result<(), String> {
        match fs::hard_link(&self.path, to) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(format!("{} exists. Fix: name a new file", to.display()));
            }
            Err(error) if !is_without_links(&error) => return Err(shown(to, &error)),
            Err(_) => fs::rename(&self.path, to).map_err(|error| shown(to, &error))?,
        }
        sync_folder(to)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = backup::remove(&self.path);
    }
}

/// Whether a file system has no links.
fn is_without_links(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::Unsupported | std::io::ErrorKind::PermissionDenied)
}

/// Makes a new name in a folder durable.
///
/// # Errors
/// When the folder can't be opened or written.
pub fn sync_folder(of: &Path) -> Result<(), String> {
    let folder = folder_of(of);
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| shown(folder, &error))
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
