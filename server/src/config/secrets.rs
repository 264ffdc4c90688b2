//! Secrets: strong enough, each used once, and in development made once and kept.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::parse::Reader;
use super::{Environment, KeyRing, SecretText, Secrets, keys};

const SHORTEST: usize = 32;
const GENERATE: &str = "use the output of `portcullis keys generate`";

/// Secrets that stand in readmes, tutorials and lists; compared without case and separators.
const WELL_KNOWN: &[&str] = &[
    "yourgeneratedjwtsecrethere",
    "yourgeneratedencryptionkeyhere",
    "yourgeneratedemailsalthere",
    "your256bitsecret",
    "yoursecretkey",
    "changeme",
    "supersecret",
    "secretkey",
    "mysecret",
    "jwtsecret",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "abcdefghijklmnopqrstuvwxyz",
    "0123456789abcdef0123456789abcdef",
    "thisisasecret",
    "keyboardcat",
];

/// Reads the secrets; in development makes those that are missing.
pub fn read(
    reader: &mut Reader,
    environment: Environment,
    file: &Path,
    fill_random: &dyn Fn(&mut [u8]),
) -> Option<Secrets> {
    let generated = match environment {
        Environment::Development => kept(reader, file, fill_random),
        Environment::Production => BTreeMap::new(),
    };
    let mut get = |name: &'static str| {
        let given = reader.text(name);
        let from_file = || generated.get(name).cloned();
        given.map(|found| found.text).or_else(from_file)
    };
    let [jwt, ring, salt, operator] =
        ["JWT_SECRET", "ENCRYPTION_KEY", "EMAIL_SALT", "OPERATOR_TOKEN"].map(|name| (name, get(name)));
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (name, text) in [&jwt, &ring, &salt, &operator] {
        match text {
            None if *name == "OPERATOR_TOKEN" => {}
            None if reader.problems.iter().any(|problem| problem.name.starts_with(name)) => {}
            None => reader.refuse(name, "is not set", GENERATE),
            Some(text) => {
                if *name != "ENCRYPTION_KEY" {
                    check(reader, name, text);
                }
                if let Some((other, _)) = seen.iter().find(|(_, value)| value == text) {
                    reader.refuse(name, &format!("has the same value as {other}"), "give each a value of its own");
                }
                seen.push((name, text));
            }
        }
    }
    let ring = ring.1.and_then(|text| parse_ring(reader, &text))?;
    Some(Secrets {
        jwt_secret: SecretText::new(jwt.1?),
        encryption_ring: ring,
        email_salt: SecretText::new(salt.1?),
        operator_token: operator.1.map(SecretText::new),
    })
}

/// Refuses what is short, well known, or hardly random.
pub fn check(reader: &mut Reader, name: &str, text: &str) {
    let length = text.chars().count();
    let plain: String = text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let mut distinct: Vec<char> = text.chars().collect();
    distinct.sort_unstable();
    distinct.dedup();
    let what = if WELL_KNOWN.iter().any(|known| plain.contains(known)) {
        "is a value from a readme or a tutorial, which attackers try first".to_owned()
    } else if length < SHORTEST {
        format!("is {length} characters long, {SHORTEST} are the least")
    } else if distinct.len() < 10 {
        format!("has only {} different characters", distinct.len())
    } else {
        return;
    };
    reader.refuse(name, &what, GENERATE);
}

/// `KEY` or `2:KEY,1:KEY`.
fn parse_ring(reader: &mut Reader, text: &str) -> Option<KeyRing> {
    let mut ring: Vec<(u32, [u8; 32])> = Vec::new();
    for entry in text.split(',').map(str::trim) {
        let (id, key) = match entry.split_once(':') {
            Some((id, key)) => (id.parse::<u32>().ok(), key),
            None => (Some(1), entry),
        };
        let (Some(id), Some(key)) = (id, decode(key)) else {
            let what = "is not URL-safe base64 of 32 bytes, nor a ring of such as in 2:KEY,1:KEY";
            reader.refuse("ENCRYPTION_KEY", what, GENERATE);
            return None;
        };
        if ring.iter().any(|(known, _)| *known == id) {
            reader.refuse("ENCRYPTION_KEY", &format!("has the id {id} twice"), "give each key an id of its own");
            return None;
        }
        if key.iter().all(|byte| Some(byte) == key.first()) {
            reader.refuse("ENCRYPTION_KEY", &format!("has a key ({id}) that is not random"), GENERATE);
            return None;
        }
        ring.push((id, key));
    }
    Some(KeyRing(ring))
}

fn decode(key: &str) -> Option<[u8; 32]> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let standard = GeneralPurpose::new(&alphabet::STANDARD, config);
    let bytes = GeneralPurpose::new(&alphabet::URL_SAFE, config).decode(key).or_else(|_| standard.decode(key)).ok()?;
    bytes.try_into().ok()
}

/// Development's own secrets: made once, kept for this user alone. Two processes that start at once agree, for the
/// file appears whole or not at all, and only once.
fn kept(reader: &mut Reader, file: &Path, fill_random: &dyn Fn(&mut [u8])) -> BTreeMap<String, String> {
    let outcome = read_kept(file).or_else(|error| {
        if error.kind() != ErrorKind::NotFound {
            return Err(error);
        }
        make(file, fill_random)?;
        read_kept(file)
    });
    outcome.unwrap_or_else(|error| {
        let mend = "make the folder writable for this user alone, or set DATABASE_URL to another place";
        reader.problem("JWT_SECRET, ENCRYPTION_KEY, EMAIL_SALT", &file.display().to_string(), &error.to_string(), mend);
        BTreeMap::new()
    })
}

fn read_kept(file: &Path) -> std::io::Result<BTreeMap<String, String>> {
    let mode = fs::metadata(file)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let what = format!("others may read it (mode {mode:o}): chmod 600 {}", file.display());
        return Err(std::io::Error::new(ErrorKind::PermissionDenied, what));
    }
    let text = fs::read_to_string(file)?;
    Ok(text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}

fn make(file: &Path, fill_random: &dyn Fn(&mut [u8])) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let draft = folder.join(format!(".secrets-{}", std::process::id()));
    let mut options = OpenOptions::new();
    let mut opened = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    opened.write_all(keys::generate(fill_random).as_bytes())?;
    opened.sync_all()?;
    // a link fails where a file is: the first one stays
    let linked = fs::hard_link(&draft, file);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => fs::File::open(folder)?.sync_all(),
    }
}
