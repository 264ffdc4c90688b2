//! In production, secrets and data are readable and writable for this user alone.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::signing;
use crate::config::settings_reader::SettingsReader;
use crate::config::{Database, Environment};

/// Read and write bits of others, and of the group.
const OTHERS: u32 = 0o006;
const GROUP: u32 = 0o060;
const STICKY: u32 = 0o1000;

/// In production, refuses secret files, the `.env` file, the data folder and the database that other users can read or write, all of them
/// at once. Files that do not exist yet are made with the right mode.
pub fn require_private_files(reader: &mut SettingsReader, environment: Environment, database: Option<&Database>) {
    if environment != Environment::Production {
        return;
    }
    let secrets = reader.secret_files();
    let key = reader.text("TLS_KEY_FILE").map(|found| ("TLS_KEY_FILE".to_owned(), reader.working_dir.join(found.text)));
    let dotenv = reader.dotenv.clone().map(|path| (".env".to_owned(), path));
    let keys = signing::key_files(reader).into_iter().map(|(_, path)| ("SIGNING_KEY_FILE".to_owned(), path));
    for (name, path) in secrets.into_iter().chain(dotenv).chain(keys).chain(key) {
        require_private(reader, &name, &path, "600");
    }
    let Some(Database::Sqlite { path }) = database else { return };
    if let Some(folder) = path.parent() {
        require_private(reader, "DATABASE_URL", folder, "700");
    }
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.clone().into_os_string();
        file.push(suffix);
        require_private(reader, "DATABASE_URL", &PathBuf::from(file), "600");
    }
}

fn require_private(reader: &mut SettingsReader, name: &str, path: &Path, mode: &str) {
    // a file that is missing or can't be read is another problem
    let Ok(metadata) = fs::metadata(path) else { return };
    let open = metadata.mode() & shared_bits(metadata.uid());
    if open == 0 {
        return;
    }
    let shown = path.display();
    let group = if open & GROUP == 0 { None } else { Some("the group") };
    let others = if open & OTHERS == 0 { None } else { Some("every user") };
    let who = [group, others].into_iter().flatten().collect::<Vec<_>>().join(" and ");
    let done = if open & 0o022 == 0 { "read" } else { "written" };
    let what = format!("can be {done} by {who} (mode {:o})", metadata.mode() & 0o7777);
    let shared_folder = metadata.is_dir() && (metadata.mode() & STICKY != 0 || path.components().count() <= 2);
    let fix = if shared_folder {
        "give the database a folder of its own, which the first start makes, as in sqlite:///var/lib/portcullis/portcullis.db"
            .to_owned()
    } else {
        format!("chmod {mode} {shown}")
    };
    reader.problem(name, &shown.to_string(), &what, &fix);
}

/// The mode bits that are refused. Files of another user may be open to their group: an orchestrator mounts secrets and volumes
/// in this way, and the process can read them by the group alone.
fn shared_bits(owner: u32) -> u32 {
    if owner == rustix::process::geteuid().as_raw() { OTHERS | GROUP } else { OTHERS }
}
