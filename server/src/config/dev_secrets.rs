//! The secrets that development generates: once, in a file beside the database that only this user can read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::keys;
use super::settings_reader::SettingsReader;
use super::settings_registry::current_name;
use super::sources::Found;

const NAMES: &[&str] = &["JWT_SECRET", "ENCRYPTION_KEY", "INDEX_KEY", "OPERATOR_TOKEN"];

/// Adds the missing secrets to the settings. The file is made only if one is missing.
pub fn add_missing(reader: &mut SettingsReader, file: &Path, fill_random: &dyn Fn(&mut [u8])) {
    let missing: Vec<&str> = NAMES.iter().copied().filter(|name| reader.is_missing(name)).collect();
    if missing.is_empty() {
        return;
    }
    let origin = file.display().to_string();
    match read(file).or_else(|problem| if problem.absent { make(file, fill_random) } else { Err(problem) }) {
        Ok(text) => {
            for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
                let name = current_name(name);
                if missing.contains(&name) {
                    let found = Found { text: value.to_owned(), origin: format!("the file {origin}") };
                    reader.set(name.to_owned(), found);
                }
            }
        }
        Err(problem) => reader.problem(&missing.join(", "), &origin, &problem.what, &problem.fix),
    }
}

struct Problem {
    absent: bool,
    what: String,
    fix: String,
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self {
            absent: error.kind() == ErrorKind::NotFound,
            what: error.to_string(),
            fix: "make the folder writable for this user, or set DATABASE_URL to another place".to_owned(),
        }
    }
}

fn read(file: &Path) -> Result<Zeroizing<String>, Problem> {
    let mode = fs::metadata(file)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Problem {
            absent: false,
            what: format!("other users can read it (mode {mode:o})"),
            fix: format!("chmod 600 {}", file.display()),
        });
    }
    Ok(Zeroizing::new(fs::read_to_string(file)?))
}

/// Two processes that start at once agree: the file appears whole or not at all, and only once.
fn make(file: &Path, fill_random: &dyn Fn(&mut [u8])) -> Result<Zeroizing<String>, Problem> {
    let folder = file.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // a random name, for process ids are the same in every container that shares the folder
    let draft = folder.join(format!(".secrets-{}", keys::text(fill_random)));
    let kept = write(&draft, fill_random).and_then(|()| fs::hard_link(&draft, file));
    let removed = fs::remove_file(&draft);
    match kept {
        // a link fails where a file is: the first one stays
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
        _ => removed?,
    }
    File::open(folder)?.sync_all()?;
    read(file)
}

fn write(draft: &Path, fill_random: &dyn Fn(&mut [u8])) -> io::Result<()> {
    let mut opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    opened.write_all(Zeroizing::new(keys::generate(fill_random)).as_bytes())?;
    opened.sync_all()
}
