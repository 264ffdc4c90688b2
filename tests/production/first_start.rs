//! A first start in production on the secrets and settings that `deploy/init` makes.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis_tests::Person;
use portcullis_tests::process::{Process, binary};
use portcullis_tests::smtp_server::SmtpServer;

/// The folder of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Runs `deploy/init`; what it says.
pub fn init(folder: &Path, profiles: &[&str]) -> String {
    let mut command = Command::new(root().join("deploy/init"));
    command.args(["--url", "https://auth.example.com", "--folder"]).arg(folder).args(profiles);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The settings of an env file of `deploy/init`, with the container's paths replaced by those of the folder.
fn settings(folder: &Path, file: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    let secrets = folder.join("secrets/portcullis");
    let pairs = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.replace("/run/secrets", &secrets.display().to_string())))
        .collect()
}

/// The token that opens `/metrics`.
pub fn operator_token(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("secrets/portcullis/operator_token")).unwrap().trim().to_owned()
}

/// Starts a server in production on a folder of `deploy/init`, with mail to this server.
pub fn start(folder: &Path, smtp: &SmtpServer, more: &[(&str, &str)]) -> Process {
    Process::spawn(server_command(folder, smtp, more))
}

/// A call of the binary with the settings of that server.
pub fn server_command(folder: &Path, smtp: &SmtpServer, more: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binary());
    command.current_dir(folder.join("data/portcullis")).env_clear().env("PORT", "0");
    command.envs(settings(folder, "profiles.env")).envs(settings(folder, "portcullis.env"));
    command.env("DATABASE_URL", format!("sqlite://{}", folder.join("data/portcullis/portcullis.db").display()));
    command.env("MAIL_SERVER", "127.0.0.1").env("MAIL_PORT", smtp.address.port().to_string());
    command.envs(more.iter().copied());
    command
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

pub async fn the_files_of_init_start_a_server_in_production() {
    let folder = tempfile::tempdir().unwrap();
    let said = init(folder.path(), &["mail"]);
    for (path, _) in files(&folder.path().join("secrets")) {
        let (mode, name) = (std::fs::metadata(&path).unwrap().permissions().mode(), path.strip_prefix(folder.path()));
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        assert!(said.contains(&format!("made  {}  (mode 0600", name.unwrap().display())), "{said}");
    }
    let smtp = SmtpServer::start(false).await;
    let server = start(folder.path(), &smtp, &[]);
    let health = server.api.get("//readyz").await.expect(200);
    assert_eq!(health.text, "ok\n");
    let _ = server.api.get("//dev/mailbox").await.expect(404);
    let _ = server.api.post("/create", &Person::john().form).await.expect(201);
    let metrics = server.api.with_token(&operator_token(folder.path())).get("//metrics").await.expect(200);
    assert!(metrics.text.contains("portcullis_http_requests_total"));
    let data = folder.path().join("data/portcullis");
    assert_eq!(std::fs::metadata(data).unwrap().mode() & 0o777, 0o700);
}

pub async fn init_keeps_what_it_made() {
    let folder = tempfile::tempdir().unwrap();
    let _ = init(folder.path(), &["redis"]);
    let before = files(&folder.path().join("secrets"));
    let said = init(folder.path(), &["redis", "mongo", "observability"]);
    let after = files(&folder.path().join("secrets"));
    assert!(before.iter().all(|(path, text)| after.get(path) == Some(text)), "a secret has changed");
    assert!(after.len() > before.len() && said.contains("kept  secrets/portcullis/jwt_secret"), "{said}");
    let shown: Vec<&[u8]> = after.values().map(|text| text.trim_ascii()).filter(|text| text.len() >= 20).collect();
    assert!(shown.iter().all(|secret| !said.as_bytes().windows(secret.len()).any(|part| part == *secret)));
    let settings = settings(folder.path(), "profiles.env");
    assert!(["MONGO_URL_FILE", "REDIS_URL_FILE"].iter().all(|name| settings.iter().any(|(known, _)| known == name)));
}
