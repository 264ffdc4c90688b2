//! A server that is installed in a folder: from the Debian package, or as the root of an image. It runs as user 65532 on a
//! root file system that is mounted read-only, with nothing but its data folder to write to.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use portcullis_tests::process::Process;
use portcullis_tests::smtp_server::SmtpServer;
use portcullis_tests::{Api, Person};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::first_start::init;

/// Mounts the root read-only with a data folder in memory, copies the secrets there, and becomes the server.
const ENTER: &str = r#"
set -e
mount --bind "$ROOT" "$ROOT"
mount -t tmpfs -o mode=700,uid=65532,gid=65532 tmpfs "$ROOT$DATA"
cp -a "$SECRETS" "$ROOT$DATA/secrets"
chown -R 65532:65532 "$ROOT$DATA/secrets"
mount -o remount,bind,ro "$ROOT"
if touch "$ROOT/usr/written" 2>/dev/null; then echo "the root can be written" >&2; exit 1; fi
exec env -i "$@"
"#;

/// The folder that `INSTALLED_ROOT` names.
///
/// # Errors
/// When it names none.
#[expect(clippy::disallowed_methods, reason = "where the server is installed, a test is told by its environment")]
pub fn root() -> Result<PathBuf, String> {
    std::env::var_os("INSTALLED_ROOT")
        .map(PathBuf::from)
        .ok_or_else(|| "INSTALLED_ROOT is not set: cargo xtask dist check".to_owned())
}

fn start(root: &Path, secrets: &Path, smtp: &SmtpServer) -> Process {
    let data = if root.join("data").exists() { "/data" } else { "/var/lib/portcullis" };
    std::fs::create_dir_all(root.join(data.trim_start_matches('/'))).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", ENTER, "sh"]);
    command.env("ROOT", root).env("DATA", data).env("SECRETS", secrets);
    let settings = [
        ("ENVIRONMENT", "production".to_owned()),
        ("HOST", "127.0.0.1".to_owned()),
        ("PORT", "0".to_owned()),
        ("DATABASE_URL", format!("sqlite://{data}/store/portcullis.db")),
        ("PUBLIC_URL", "https://auth.example.com".to_owned()),
        ("TRUSTED_PROXIES", "none".to_owned()),
        ("MAIL_SERVER", "127.0.0.1".to_owned()),
        ("MAIL_PORT", smtp.address.port().to_string()),
        ("MAIL_STARTTLS", "false".to_owned()),
        ("USE_CREDENTIALS", "false".to_owned()),
        ("MAIL_FROM", "auth@example.com".to_owned()),
    ];
    command.args(settings.iter().map(|(name, value)| format!("{name}={value}")));
    for name in ["jwt_secret", "encryption_key", "index_key", "operator_token"] {
        command.arg(format!("{}_FILE={data}/secrets/{name}", name.to_uppercase()));
    }
    command.args(["/usr/sbin/chroot", "--userspec=65532:65532"]).arg(root).arg("/usr/bin/portcullis");
    Process::spawn(command)
}

/// The token of the link in the newest mail. The lines of quoted-printable text are joined.
async fn mailed_token(smtp: &SmtpServer) -> String {
    let began = Instant::now();
    loop {
        if let Some(mail) = smtp.taken().pop() {
            let text = mail.data.replace("=\r\n", "").replace("=3D", "=");
            let rest = text.split("verify?token=").nth(1).unwrap_or_else(|| panic!("{text}"));
            return rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.~%".contains(*c)).collect();
        }
        assert!(began.elapsed().as_secs() < 20, "no mail came");
        tokio::task::yield_now().await;
    }
}

pub async fn a_person_registers_and_logs_in() {
    let (root, folder) = (root().unwrap(), tempfile::tempdir().unwrap());
    let mut secrets = root.join("etc/portcullis/secrets");
    if !secrets.exists() {
        let _ = init(folder.path(), &[]);
        secrets = folder.path().join("secrets/portcullis");
    }
    let smtp = SmtpServer::start(false).await;
    let server = start(&root, &secrets, &smtp);
    let api: &Api = &server.api;
    let person = Person::john();
    let _ = api.post("/create", &person.form).await.expect(201);
    let token = mailed_token(&smtp).await;
    let _ = api.post("/verify", &json!({"token": token})).await.expect(200);
    let (john, _) = api.session(&person).await;
    assert_eq!(john.get("/").await.expect(200).json()["email"], person.email);
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    assert!(status.contains("Uid:\t65532\t65532\t65532\t65532"), "{status}");
    let mut check = Command::new("/usr/sbin/chroot");
    check.args(["--userspec=65532:65532"]).arg(&root).args(["/usr/bin/portcullis", "healthcheck"]).env_clear();
    let check = check.env("PORT", server.address.port().to_string()).env("PATH", "/usr/bin").output().unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    drains(server).await;
}

/// SIGTERM: no further connection is accepted, the request that has begun is answered, and the exit code is 0.
async fn drains(server: Process) {
    let address = server.address;
    let mut begun = TcpStream::connect(address).await.unwrap();
    let body = "username=nobody%40example.com&password=Wrong-Passw0rd";
    let head = format!(
        "POST /User1/login HTTP/1.1\r\nHost: auth.example.com\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let (first, rest) = body.split_at(9);
    begun.write_all(format!("{head}{first}").as_bytes()).await.unwrap();
    // a later connection is answered, so the first has been accepted
    let _ = server.api.get("//livez").await.expect(200);
    let exit = tokio::task::spawn_blocking(move || server.exit_code());
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    begun.write_all(rest.as_bytes()).await.unwrap();
    let mut answer = String::new();
    begun.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer:?}");
    assert_eq!(exit.await.unwrap(), Some(0));
}
