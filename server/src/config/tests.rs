//! What the settings accept and refuse.

use std::path::Path;

use super::{Database, Settings, Sources};

fn sources(folder: &Path, environment: &[(&str, &str)], dotenv: Option<&str>) -> Sources {
    Sources {
        flags: std::collections::BTreeMap::new(),
        environment: environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        dotenv: dotenv.map(|text| (folder.join(".env"), text.to_owned())),
        working_dir: folder.to_path_buf(),
    }
}

/// Random enough for a test: every call gives other bytes.
fn fill(bytes: &mut [u8]) {
    use portcullis_core::ports::randomness::Randomness as _;
    portcullis_adapters::system::randomness::OsRandomness.fill(bytes);
}

fn problems(environment: &[(&str, &str)], dotenv: Option<&str>) -> String {
    let folder = tempfile::tempdir().unwrap();
    Settings::load(sources(folder.path(), environment, dotenv), &fill).map(|_| ()).expect_err("refused").to_string()
}

#[test]
fn development_needs_nothing_and_keeps_its_secrets() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let first = Settings::load(sources(folder.path(), &[], None), &fill).unwrap();
    let second = Settings::load(sources(folder.path(), &[], None), &fill).unwrap();
    assert_eq!(first.secrets.jwt_secret, second.secrets.jwt_secret);
    assert_eq!(first.secrets.encryption_ring.0, second.secrets.encryption_ring.0);
    let mode = std::fs::metadata(&first.secrets_file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert!(matches!(first.database, Database::Sqlite { path } if path == folder.path().join("data/portcullis.db")));
    assert_eq!(first.realms, ["User1", "User2"]);
    std::fs::set_permissions(&first.secrets_file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = Settings::load(sources(folder.path(), &[], None), &fill).unwrap_err().to_string();
    assert!(refused.contains("others may read it"), "{refused}");
}

#[test]
fn production_names_every_problem_at_once() {
    let told = problems(&[("ENVIRONMENT", "production")], None);
    for name in ["JWT_SECRET", "ENCRYPTION_KEY", "EMAIL_SALT", "MAIL_SERVER", "APP_DOMAIN"] {
        assert!(told.contains(name), "{name} in {told}");
    }
    assert!(told.contains("Mend:"));
}

#[test]
fn weak_secrets_are_refused_and_never_shown() {
    let weak = [
        ("JWT_SECRET", "short"),
        ("EMAIL_SALT", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ("OPERATOR_TOKEN", "your_generated_jwt_secret_here_1234567"),
        ("ENCRYPTION_KEY", "not a key"),
    ];
    let told = problems(&weak, None);
    for (name, value) in weak {
        assert!(told.contains(name), "{name} in {told}");
        assert!(!told.contains(value), "{value} in {told}");
    }
    let same = "kX9vQ2mT7rB4nL8wZ1cF6hJ3pD5sG0yA-u_e";
    assert!(problems(&[("JWT_SECRET", same), ("EMAIL_SALT", same)], None).contains("same value as JWT_SECRET"));
    let key = super::keys::encryption_key(&fill);
    assert!(problems(&[("ENCRYPTION_KEY", &format!("1:{key},1:{key}"))], None).contains("twice"));
}

#[test]
fn unknown_settings_are_errors_with_a_suggestion() {
    let told = problems(&[], Some("APP_NAME=x\nDATABSE_URL=sqlite://x.db\n"));
    assert!(told.contains("DATABSE_URL (from .env line 2)") && told.contains("did you mean DATABASE_URL"), "{told}");
    assert!(problems(&[("RATE_LIMIT_LOGN", "5/min")], None).contains("RATE_LIMIT_LOGN"));
    assert!(problems(&[("PASSWORD_MIN_LENGHT", "9")], None).contains("did you mean PASSWORD_MIN_LENGTH"));
    let folder = tempfile::tempdir().unwrap();
    let others = [("PATH", "/bin"), ("PASSWORD_STORE_DIR", "x"), ("ACCESS_TOKEN", "x"), ("OTP_VERSION", "27")];
    assert!(Settings::load(sources(folder.path(), &others, None), &fill).is_ok());
}

#[test]
fn values_that_cannot_be_are_refused() {
    for (name, value) in [
        ("JWT_ALGORITHM", "none"),
        ("REALMS", "User1,health"),
        ("REALMS", "User1,user1"),
        ("REALMS", "a/b"),
        ("PORT", "70000"),
        ("RATE_LIMIT_LOGIN", "5/week"),
        ("ACCESS_TOKEN_TTL", "0s"),
        ("ARGON2_MEMORY_KIB", "1"),
        ("TRUSTED_PROXIES", "everyone"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "https://app.example.com/path"),
        ("DATABASE_URL", "postgres://x"),
        ("REFRESH_TOKEN_TTL", "91d"),
        ("SERVICE_CLIENTS", "no-secret"),
        ("ENVIRONMENT", "staging"),
        ("PUBLIC_URL", "ftp://x"),
    ] {
        let told = problems(&[(name, value)], None);
        assert!(told.contains(name) && told.contains("the environment"), "{name}={value}: {told}");
    }
}

#[test]
fn flags_come_before_environment_before_dotenv() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = sources(folder.path(), &[("APP_NAME", "environment")], Some("APP_NAME=dotenv\nPORT=1234\n"));
    assert_eq!(Settings::load(all.clone(), &fill).unwrap().app.name, "environment");
    all.flags.insert("APP_NAME".to_owned(), "flag".to_owned());
    let settings = Settings::load(all, &fill).unwrap();
    assert_eq!((settings.app.name.as_str(), settings.listen.port), ("flag", 1234));
}

#[test]
fn a_secret_may_stand_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let secret = super::keys::text(&fill);
    std::fs::write(folder.path().join("jwt"), format!("{secret}\n")).unwrap();
    let settings = Settings::load(sources(folder.path(), &[("JWT_SECRET_FILE", "jwt")], None), &fill).unwrap();
    assert_eq!(settings.secrets.jwt_secret.expose(), secret);
    assert!(problems(&[("JWT_SECRET_FILE", "nowhere")], None).contains("JWT_SECRET_FILE"));
    assert!(problems(&[("JWT_SECRET_FILE", "x"), ("JWT_SECRET", &secret)], None).contains("keep one of the two"));
}
