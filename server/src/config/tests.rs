//! The settings that are accepted and refused.

use std::path::Path;
use std::time::Duration;

use super::{Database, Settings, Sources};
use crate::http::routes;

/// Settings of development, unless they name another environment.
fn sources(folder: &Path, environment: &[(&str, &str)], dotenv: Option<&str>) -> Sources {
    let meant = [("ENVIRONMENT", "development")];
    Sources {
        environment: meant
            .iter()
            .chain(environment)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        dotenv: dotenv.map(|text| (folder.join(".env"), text.to_owned())),
        working_dir: folder.to_path_buf(),
        ..Sources::default()
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
    assert_eq!(first.secrets.jwt_secrets, second.secrets.jwt_secrets);
    assert_eq!(first.secrets.encryption_ring.0, second.secrets.encryption_ring.0);
    let mode = std::fs::metadata(&first.secrets_file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert!(matches!(first.database, Database::Sqlite { path } if path == folder.path().join("data/portcullis.db")));
    assert_eq!(first.realms, ["User1", "User2"]);
    std::fs::set_permissions(&first.secrets_file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = Settings::load(sources(folder.path(), &[], None), &fill).unwrap_err().to_string();
    assert!(refused.contains("other users can read it"), "{refused}");
}

/// The refusal of a start without `ENVIRONMENT`; empty if it starts.
fn without_environment(name: &str, value: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut sources = sources(folder.path(), &[(name, value)], None);
    sources.environment.remove("ENVIRONMENT");
    Settings::load(sources, &fill).map_or_else(|problems| problems.to_string(), |_| String::new())
}

#[test]
fn development_must_be_meant_where_something_looks_like_production() {
    let secret = super::keys::text(&fill);
    for (name, value) in [
        ("JWT_SECRET", secret.as_str()),
        ("OPERATOR_TOKEN", &secret),
        ("HOST", "0.0.0.0"),
        ("APP_DOMAIN", "auth.example.com"),
        ("PUBLIC_URL", "https://auth.example.com"),
        ("TRUSTED_PROXIES", "10.0.0.0/8"),
        ("MAIL_SERVER", "smtp.example.com"),
        ("MONGO_URL", "mongodb://127.0.0.1,db.example.com/?replicaSet=rs0"),
    ] {
        let message = without_environment(name, value);
        assert!(message.contains("ENVIRONMENT") && message.contains(name), "{name}: {message}");
        assert!(message.contains("ENVIRONMENT=production") && message.contains("ENVIRONMENT=development"), "{message}");
    }
    for (name, value) in [
        ("HOST", "127.0.0.1"),
        ("HOST", "::1"),
        ("PUBLIC_URL", "http://[::1]:8000"),
        ("PUBLIC_URL", "http://demo.localhost:8000"),
        ("MONGO_URL", "mongodb://127.0.0.1:1,localhost:2/?replicaSet=rs0"),
        ("DATABASE_URL", "sqlite://data/portcullis.db"),
        ("APP_NAME", "Ours"),
    ] {
        assert_eq!(without_environment(name, value), "", "{name}={value}");
    }
}

#[test]
fn production_has_floors_that_only_their_names_lift() {
    let secrets = super::keys::generate(&fill);
    let load = |more: &[(&str, &str)]| {
        let base = "ENVIRONMENT=production\nAPP_DOMAIN=auth.example.com\nMAIL_SERVER=mail.example.com\n\
                    MAIL_FROM=a@example.com\nUSE_CREDENTIALS=false\n";
        let folder = tempfile::tempdir().unwrap();
        let mut sources = sources(folder.path(), more, Some(&format!("{secrets}{base}")));
        sources.environment.remove("ENVIRONMENT");
        Settings::load(sources, &fill)
    };
    let refused = |more: &[(&str, &str)]| load(more).map(|_| ()).unwrap_err().to_string();
    assert!(refused(&[]).contains("TRUSTED_PROXIES"), "it must be set");
    assert!(refused(&[("ALLOW_UNSAFE", "TRUSTED_PROXIES")]).contains("is not set"), "and nothing lifts that");
    let proxies = ("TRUSTED_PROXIES", "none");
    assert!(load(&[proxies]).is_ok());
    let unsafe_values = [
        ("RATE_LIMITS", "off"),
        ("ARGON2_MEMORY_KIB", "8192"),
        ("ACCESS_TOKEN_TTL", "2d"),
        ("RESET_TOKEN_TTL", "25h"),
        ("OTP_TTL", "11m"),
        ("PASSWORD_MIN_SCORE", "1"),
        ("VALIDATE_CERTS", "false"),
        ("PUBLIC_URL", "http://auth.example.com"),
    ];
    let all: Vec<(&str, &str)> = unsafe_values.into_iter().chain([proxies]).collect();
    let message = refused(&all);
    for (name, value) in unsafe_values {
        assert!(message.contains(name), "{name} in {message}");
        let allowed = load(&[(name, value), proxies, ("ALLOW_UNSAFE", name)]).unwrap();
        assert!(allowed.warnings.iter().any(|warning| warning.contains(name)), "{:?}", allowed.warnings);
    }
    assert!(refused(&[("TRUSTED_PROXIES", "0.0.0.0/0")]).contains("every address"));
    assert!(refused(&[proxies, ("ALLOW_UNSAFE", "OTP_TTL")]).contains("not below a floor"));
    assert!(refused(&[proxies, ("ALLOW_UNSAFE", "JWT_SECRET")]).contains("not below a floor"));
}

#[test]
fn production_names_every_problem_at_once() {
    let message = problems(&[("ENVIRONMENT", "production")], None);
    for name in ["JWT_SECRET", "ENCRYPTION_KEY", "INDEX_KEY", "MAIL_SERVER", "APP_DOMAIN", "TRUSTED_PROXIES"] {
        assert!(message.contains(name), "{name} in {message}");
    }
    assert!(message.contains("Fix:"));
    let below = problems(&[("ENVIRONMENT", "production"), ("RATE_LIMITS", "off"), ("OTP_TTL", "1h")], None);
    assert!(below.contains("JWT_SECRET") && below.contains("RATE_LIMITS") && below.contains("OTP_TTL"), "{below}");
}

/// A file or folder with that mode.
fn with_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn production_refuses_files_that_others_can_read_or_write() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("data")).unwrap();
    let secret = super::keys::text(&fill);
    for name in ["jwt", ".env", "data/portcullis.db", "data/portcullis.db-wal", "data/portcullis.db-shm"] {
        std::fs::write(at(name), &secret).unwrap();
    }
    let load = || {
        let set = [("ENVIRONMENT", "production"), ("JWT_SECRET_FILE", "jwt"), ("ALLOW_UNSAFE", "DATABASE_URL")];
        Settings::load(sources(folder.path(), &set, Some("")), &fill).map(|_| ()).unwrap_err().to_string()
    };
    let modes = [
        ("jwt", 0o640, "chmod 600", "read by the group (mode 640)"),
        (".env", 0o604, "chmod 600", "read by every user (mode 604)"),
        ("data", 0o755, "chmod 700", "read by the group and every user (mode 755)"),
        ("data/portcullis.db", 0o666, "chmod 600", "written by the group and every user (mode 666)"),
        ("data/portcullis.db-wal", 0o620, "chmod 600", "written by the group (mode 620)"),
        ("data/portcullis.db-shm", 0o602, "chmod 600", "written by every user (mode 602)"),
    ];
    for (name, mode, ..) in modes {
        with_mode(&at(name), mode);
    }
    let message = load();
    for (name, _, fix, what) in modes {
        let fix = format!("{fix} {}.", at(name).display());
        assert!(message.contains(&fix) && message.contains(what), "{fix}, {what} in {message}");
    }
    for (name, ..) in modes {
        with_mode(&at(name), if name == "data" { 0o700 } else { 0o600 });
    }
    let message = load();
    assert!(!message.contains("chmod") && message.contains("MAIL_SERVER"), "{message}");
    with_mode(&at("data"), 0o1777);
    assert!(load().contains("a folder of its own"), "a shared folder keeps its mode");
}

#[test]
fn development_takes_files_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("jwt"), super::keys::text(&fill)).unwrap();
    with_mode(&folder.path().join("jwt"), 0o644);
    assert!(Settings::load(sources(folder.path(), &[("JWT_SECRET_FILE", "jwt")], None), &fill).is_ok());
}

#[test]
fn weak_secrets_are_refused_and_never_shown() {
    let weak = [
        ("JWT_SECRET", "short"),
        ("EMAIL_SALT", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ("OPERATOR_TOKEN", "your_generated_jwt_secret_here_1234567"),
        ("ENCRYPTION_KEY", "not a key"),
    ];
    let message = problems(&weak, None);
    for (name, value) in weak {
        assert!(message.contains(name), "{name} in {message}");
        assert!(!message.contains(value), "{value} in {message}");
    }
    let same = "kX9vQ2mT7rB4nL8wZ1cF6hJ3pD5sG0yA-u_e";
    assert!(problems(&[("JWT_SECRET", same), ("EMAIL_SALT", same)], None).contains("same value as JWT_SECRET"));
    let key = super::keys::encryption_key(&fill);
    assert!(problems(&[("ENCRYPTION_KEY", &format!("1:{key},1:{key}"))], None).contains("twice"));
}

#[test]
fn unknown_settings_are_errors_with_a_suggestion() {
    let message = problems(&[], Some("APP_NAME=x\nDATABSE_URL=sqlite://x.db\n"));
    assert!(
        message.contains("DATABSE_URL (from .env line 2)") && message.contains("did you mean DATABASE_URL"),
        "{message}"
    );
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
        ("MFA_POLICY", "required"),
        ("MFA_POLICY", "User1:maybe"),
        ("MFA_POLICY", "User3:required"),
        ("MFA_POLICY", "User1:required,User1:optional"),
        ("PASSKEY_APPLE_APPS", "com.example.app"),
        ("PASSKEY_ANDROID_APPS", "com.example.app=AB:CD"),
        (
            "PASSKEY_ANDROID_APPS",
            "com example=00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10:11:12:13:14:15:16:17:18:19:1a:1b:1c:1d:1e:1f",
        ),
        ("PORT", "70000"),
        ("RATE_LIMIT_LOGIN", "5/week"),
        ("ACCESS_TOKEN_TTL", "0s"),
        ("ARGON2_MEMORY_KIB", "1"),
        ("TRUSTED_PROXIES", "everyone"),
        ("DEV_MAILBOX", "everyone"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "https://app.example.com/path"),
        ("DATABASE_URL", "postgres://x"),
        ("REFRESH_TOKEN_TTL", "91d"),
        ("SERVICE_CLIENTS", "no-secret"),
        ("SERVICE_CLIENTS", "id:no-realm-0123456789-abcdefghij-klmn"),
        ("SERVICE_CLIENTS", "id:another-realm-0123456789-abcdefg@User9"),
        ("ENVIRONMENT", "staging"),
        ("PUBLIC_URL", "ftp://x"),
    ] {
        let message = problems(&[(name, value)], None);
        assert!(message.contains(name) && message.contains("the environment"), "{name}={value}: {message}");
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
    assert_eq!(settings.secrets.jwt_secrets.newest(), secret);
    assert!(problems(&[("JWT_SECRET_FILE", "nowhere")], None).contains("JWT_SECRET_FILE"));
    assert!(problems(&[("JWT_SECRET_FILE", "x"), ("JWT_SECRET", &secret)], None).contains("keep one of the two"));
}

fn load(environment: &[(&str, &str)], dotenv: Option<&str>) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    Settings::load(sources(folder.path(), environment, dotenv), &fill).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn one_wrong_section_hides_no_other() {
    let wrong = [
        ("DATABASE_URL", "postgres://x"),
        ("REALMS", "health"),
        ("MAIL_SERVER", "smtp.example.com"),
        ("MAIL_PORT", "x"),
        ("LOG_LEVEL", "a=b=c"),
        ("TEMPLATES_DIR", "/nowhere/at/all"),
        ("BREACHED_PASSWORDS_FILE", "/nowhere/at/all"),
        ("WATCHMAN_URL", "rubbish"),
        ("TWILIO_BASE_URL", "rubbish"),
    ];
    let message = problems(&wrong, None);
    for (name, _) in wrong.iter().filter(|(name, _)| *name != "MAIL_SERVER") {
        assert!(message.contains(name), "{name} in {message}");
    }
    assert!(
        !message.contains("JWT_SECRET"),
        "where secrets would be kept is not known, which is one problem: {message}"
    );
}

#[test]
fn every_wrong_line_of_dotenv_is_reported_and_none_is_shown() {
    let message = problems(&[], Some("APP_NAME=a b c\nREALMS=health\nMAIL_PASSWORD=hush hush\nNOPE_NOPE=1\n"));
    for part in [".env line 1", "REALMS (from .env line 2)", ".env line 3", "NOPE_NOPE (from .env line 4)"] {
        assert!(message.contains(part), "{part} in {message}");
    }
    assert!(!message.contains("hush"), "{message}");
    let twice = problems(&[], Some("APP_NAME=a\nPORT=1\nAPP_NAME=b\n"));
    assert!(twice.contains("APP_NAME (from .env line 3): is in the file twice"), "{twice}");
    assert_eq!(load(&[], Some("\u{feff}APP_NAME=first\nexport PORT=1234\n")).app.name, "first");
}

#[test]
fn a_dollar_in_dotenv_never_disappears_silently() {
    for line in
        ["MAIL_PASSWORD=pa$word", "MAIL_PASSWORD=\"pa$wo rd\"", "MAIL_PASSWORD=pa${NO_SUCH_NAME}", "APP_NAME=x$"]
    {
        let message = problems(&[], Some(line));
        assert!(message.contains("has a $") && !message.contains("word."), "{line}: {message}");
    }
    // here dotenvy takes the quote for the end of the name, and cannot read on
    assert!(
        problems(&[], Some("MAIL_PASSWORD=\"pa$word\""))
            .contains("single quotes around values that have spaces or a $")
    );
    for (line, name) in [
        ("APP_NAME='a$b'", "a$b"),
        ("APP_NAME=a\\$b", "a$b"),
        ("APP_NAME=a # $5", "a"),
        ("LOG_FORMAT=text\nAPP_NAME=a${LOG_FORMAT}", "atext"),
    ] {
        assert_eq!(load(&[], Some(line)).app.name, name, "{line}");
    }
}

#[test]
fn secrets_that_are_patterns_are_refused() {
    for (weak, why) in [
        ("0123456789012345678901234567890123456789", "public source code"),
        ("kX9vQ2mT7rB4nL8kX9vQ2mT7rB4nL8kX9vQ2mT7rB4nL8", "one piece repeated"),
        ("ABCDEFGHIJKLMNOP0123456789qponmlkjih", "a sequence"),
        ("asdfghjkl-qwertyuiop-zxcvbnm-0192837465", "tutorial"),
    ] {
        let message = problems(&[("JWT_SECRET", weak)], None);
        assert!(message.contains(why) && !message.contains(weak), "{message}");
    }
    for _ in 0..200 {
        let secrets = super::keys::generate(&fill);
        assert!(Settings::load(sources(Path::new("/nowhere"), &[], Some(&secrets)), &fill).is_ok());
    }
}

#[test]
fn one_value_is_for_one_secret() {
    let key = super::keys::encryption_key(&fill);
    let unpadded = key.trim_end_matches('=');
    let message = problems(&[("ENCRYPTION_KEY", &format!("1:{key}")), ("JWT_SECRET", unpadded)], None);
    assert!(message.contains("ENCRYPTION_KEY (from the environment): has the same value as JWT_SECRET"), "{message}");
    assert!(problems(&[("ENCRYPTION_KEY", &format!("2:{key},1:{unpadded}"))], None).contains("has one value twice"));
    let secret = super::keys::text(&fill);
    let clients = format!("a:{secret}@User1,b:{secret}@User1");
    assert!(problems(&[("SERVICE_CLIENTS", &clients)], None).contains("has one value twice"));
    let mail = [("JWT_SECRET", secret.as_str()), ("MAIL_PASSWORD", &secret)];
    assert!(problems(&mail, None).contains("MAIL_PASSWORD (from the environment): has the same value as JWT_SECRET"));
    assert!(problems(&[("MAIL_PASSWORD", "your_app_specific_password")], None).contains("placeholder"));
}

#[test]
fn nothing_that_can_be_shown_shows_a_secret() {
    let key = super::keys::encryption_key(&fill);
    let secret = super::keys::text(&fill);
    let folder = tempfile::tempdir().unwrap();
    let all = sources(folder.path(), &[("JWT_SECRET", &secret), ("ENCRYPTION_KEY", &key)], Some("MAIL_PASSWORD=hush"));
    let shown = format!("{all:?}");
    assert!(shown.contains("JWT_SECRET") && !shown.contains(&secret) && !shown.contains("hush"), "{shown}");
    let settings = Settings::load(all, &fill).unwrap();
    let bytes: Vec<String> = settings.secrets.encryption_ring.0[0].1.iter().map(u8::to_string).collect();
    let shown = format!("{settings:?}");
    assert!(!shown.contains(&secret) && !shown.contains(&bytes[..8].join(", ")), "{shown}");
}

#[test]
fn a_problem_of_a_secret_file_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("jwt"), "short\n").unwrap();
    std::fs::write(folder.path().join("salt"), "\n").unwrap();
    let files = [("JWT_SECRET_FILE", "jwt"), ("EMAIL_SALT_FILE", "salt")];
    let message = Settings::load(sources(folder.path(), &files, None), &fill).unwrap_err().to_string();
    assert!(message.contains("JWT_SECRET (from the file jwt): is 5 characters"), "{message}");
    assert!(message.contains("INDEX_KEY_FILE (from the environment, as EMAIL_SALT_FILE): salt is empty"), "{message}");
    assert!(!message.contains("is not set"), "{message}");
}

#[test]
fn development_secrets_are_generated_only_if_one_is_missing_and_only_once() {
    let folder = tempfile::tempdir().unwrap();
    let given = super::keys::generate(&fill);
    let settings = Settings::load(sources(folder.path(), &[], Some(&given)), &fill).unwrap();
    assert!(!settings.secrets_file.exists());
    let load = || Settings::load(sources(folder.path(), &[], None), &fill).unwrap();
    let many: Vec<Settings> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(load)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(many.iter().all(|one| one.secrets.jwt_secrets == many[0].secrets.jwt_secrets));
    assert!(many.iter().all(|one| one.secrets.encryption_ring.0 == many[0].secrets.encryption_ring.0));
    let left: Vec<_> = std::fs::read_dir(folder.path().join("data")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["secrets.env"]);
    // a broken file is reported with its path
    let weak = std::fs::read_to_string(&settings.secrets_file).unwrap().replace("JWT_SECRET=", "JWT_SECRET=x\nX=");
    std::fs::write(&settings.secrets_file, weak).unwrap();
    let message = Settings::load(sources(folder.path(), &[], None), &fill).unwrap_err().to_string();
    assert!(message.contains("JWT_SECRET (from the file ") && message.contains("data/secrets.env"), "{message}");
}

#[test]
fn a_name_in_another_case_is_a_mistake() {
    for (wrong, right) in [
        ("app_name", "APP_NAME"),
        ("Realms", "REALMS"),
        ("rate_limit_login", "RATE_LIMIT_LOGIN"),
        ("RATE_LIMIT_login", "RATE_LIMIT_LOGIN"),
        ("RATE_LIMIT_LOGN", "RATE_LIMIT_LOGIN"),
        ("JWT_SECERT_FILE", "JWT_SECRET_FILE"),
    ] {
        let message = problems(&[(wrong, "x")], None);
        assert!(
            message.contains(&format!("{wrong} (from")) && message.contains(&format!("did you mean {right}?")),
            "{message}"
        );
    }
}

#[test]
fn origins_and_urls_are_taken_as_browsers_write_them() {
    let origins = "https://App.example.com:443,http://localhost:5173,http://[::1]:80,capacitor://localhost";
    let taken = load(&[("CORS_ORIGINS", origins)], None).cors_origins;
    assert_eq!(taken, ["https://app.example.com", "http://localhost:5173", "http://[::1]", "capacitor://localhost"]);
    for bad in [
        "null",
        "app.example.com",
        "https://u:p@x.example",
        "https://x.example:70000",
        "https://x.example/",
        "https://",
    ] {
        assert!(problems(&[("CORS_ORIGINS", bad)], None).contains("no origin"), "{bad}");
    }
    assert!(problems(&[("CORS_ORIGINS", "*")], None).contains("every page"));
    for bad in ["https://x.example/#f", "https://u:p@x.example", "https://x.example/?a=1", "x.example"] {
        assert!(problems(&[("PUBLIC_URL", bad)], None).contains("PUBLIC_URL"), "{bad}");
    }
    for bad in ["https://x.example", "x.example/y", "a b"] {
        assert!(problems(&[("APP_DOMAIN", bad)], None).contains("APP_DOMAIN"), "{bad}");
    }
}

#[test]
fn other_services_are_read_or_refused() {
    let watchman = [("Account_id", "a"), ("Access_token", "hush"), ("WATCHMAN_URL", "http://127.0.0.1:9/")];
    let watchman = load(&watchman, None).watchman.unwrap();
    assert_eq!((watchman.account.as_str(), watchman.url.as_deref()), ("a", Some("http://127.0.0.1:9")));
    assert!(problems(&[("Account_id", "a")], None).contains("goes with WATCHMAN_TOKEN"));
    let twilio = [
        ("TWILIO_SID", "AC1"),
        ("TWILIO_AUTH_TOKEN", "hush"),
        ("TWILIO_NUMBER", "+15005550006"),
        ("TWILIO_BASE_URL", "http://127.0.0.1:9"),
    ];
    assert_eq!(load(&twilio, None).texts.unwrap().base_url.as_deref(), Some("http://127.0.0.1:9"));
    let sms = load(&[("SMS_COUNTRIES", "us, DE"), ("SMS_COOL_DOWN", "2/10min")], None).sms_quotas;
    assert_eq!(sms.countries.unwrap().len(), 2);
    assert_eq!((sms.cool_down.burst, sms.cool_down.period), (2, Duration::from_secs(600)));
    assert!(load(&[("SMS_COUNTRIES", "all")], None).sms_quotas.countries.is_none());
    assert!(problems(&[("SMS_COUNTRIES", "US,XX")], None).contains("\"XX\" is no ISO"));
    assert!(problems(&[("SMS_DAILY_CAP", "many")], None).contains("SMS_DAILY_CAP"));
    assert!(problems(&[("SMS_CAP", "1")], None).contains("there is no such setting"));
    let mongo = load(&[("MONGO_URL", "mongodb://localhost:27017"), ("MONGO_DB", "other")], None).database;
    assert!(matches!(mongo, Database::MongoDb { name, .. } if name == "other"));
    assert!(problems(&[("MONGO_URL", "http://hush@x")], None).contains("is no MongoDB URL"));
    assert!(problems(&[("REDIS_URL", "http://hush@x")], None).contains("is no Redis URL"));
    assert!(problems(&[("REDIS_HOST", "x"), ("REDIS_PORT", "tcp://10.0.0.1:6379")], None).contains("REDIS_PORT"));
    assert!(load(&[("REDIS_PORT", "tcp://10.0.0.1:6379")], None).redis.is_none());
    let mail = [("MAIL_SERVER", "smtp.example.com"), ("USE_CREDENTIALS", "false"), ("MAIL_FROM", "nobody")];
    assert!(problems(&mail, None).contains("MAIL_FROM (from the environment): \"nobody\" is no e-mail address"));
    assert!(!load(&[("PHONE_VALIDATION", "lenient")], None).input.strict_phones);
    assert!(problems(&[("CORS_HEADERS", "x-tenant,*")], None).contains("CORS_HEADERS"));
    assert!(problems(&[("CORS_HEADERS", "a b")], None).contains("CORS_HEADERS"));
    assert!(problems(&[("APP_URL", "app.example.com")], None).contains("APP_URL"));
    assert!(
        problems(&[("APP_COLOR", "#ffcc00")], None)
            .contains("APP_COLOR (from the environment): #ffcc00 has a contrast")
    );
    assert!(problems(&[("APP_LOGO", "/nowhere.png")], None).contains("/nowhere.png cannot be read"));
    assert!(
        problems(&[("APP_LOGO", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))], None).contains("no such picture")
    );
    let mail = [("MAIL_SERVER", "smtp.example.com"), ("USE_CREDENTIALS", "false"), ("MAIL_FROM", "é@example.com")];
    assert!(problems(&mail, None).contains("MAIL_FROM"));
    let _ = load(&[mail.as_slice(), &[("MAIL_SMTPUTF8", "on")]].concat(), None);
    assert!(problems(&[("REALMS", " , ")], None).contains("names no realm"));
}

#[test]
fn a_log_level_of_another_system_is_read_or_refused() {
    for (given, read) in [
        ("WARNING", "warn"),
        ("Warn", "Warn"),
        ("info,x=Warning", "info,x=warn"),
        ("warn,portcullis_server=debug", "warn,portcullis_server=debug"),
    ] {
        assert_eq!(load(&[("LOG_LEVEL", given)], None).log.level, read);
    }
    for unknown in ["verbose", "fatal", "notice", "CRITICAL", "warning,", "info,verbose", "x=verbose", "10"] {
        let refused = problems(&[("LOG_LEVEL", unknown)], None);
        assert!(
            refused.contains("LOG_LEVEL (from the environment): \"") && refused.contains("use error, warn, info"),
            "{unknown}: {refused}"
        );
    }
}

#[test]
fn no_realm_takes_the_place_of_a_path_of_the_system() {
    assert!(problems(&[("REALMS", "User1,Admin")], None).contains("REALMS"));
    let endpoints = [routes::system_endpoints(), routes::development_endpoints()].concat();
    for endpoint in endpoints.iter().filter(|endpoint| endpoint.path != "/") {
        let first = endpoint.path.trim_start_matches('/').split('/').next().unwrap();
        assert!(
            problems(&[("REALMS", &format!("User1,{}", first.to_uppercase()))], None).contains("REALMS"),
            "{first}"
        );
    }
}

#[test]
fn the_path_of_the_public_url_is_no_path_of_the_server() {
    let path = |url: &str| load(&[("ENVIRONMENT", "development"), ("PUBLIC_URL", url)], None).public_url.path();
    assert_eq!(path("https://example.com"), "");
    assert_eq!(path("https://example.com/auth/"), "/auth");
    assert_eq!(path("https://example.com:8443/a/b"), "/a/b");
    for taken in ["User1", "docs", "health/auth", ".well-known"] {
        let url = format!("https://example.com/{taken}");
        assert!(problems(&[("PUBLIC_URL", &url)], None).contains("a path of this server"), "{taken}");
    }
}

#[test]
fn tls_and_proxy_headers_have_all_that_they_need() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["certificate.pem", "key.pem"] {
        std::fs::write(folder.path().join(file), "PEM").unwrap();
    }
    let refused = |environment: &[(&str, &str)]| {
        let loaded = Settings::load(sources(folder.path(), environment, None), &fill);
        loaded.map_or_else(|problems| problems.to_string(), |_| String::new())
    };
    let (certificate, key) = (("TLS_CERT_FILE", "certificate.pem"), ("TLS_KEY_FILE", "key.pem"));
    let https = ("PUBLIC_URL", "https://localhost");
    assert_eq!(refused(&[certificate, key, https]), "");
    for (environment, reason) in [
        (&[certificate, https][..], "goes with TLS_KEY_FILE"),
        (&[key, https], "goes with TLS_CERT_FILE"),
        (&[certificate, key, ("PUBLIC_URL", "http://localhost")], "is not https"),
        (&[certificate, ("TLS_KEY_FILE", "nowhere.pem"), https], "is no file that can be read"),
        (&[("PROXY_PROTOCOL", "on")], "TRUSTED_PROXIES lists no proxy"),
        (&[("PROXY_PROTOCOL", "on"), ("TRUSTED_PROXIES", "none")], "TRUSTED_PROXIES lists no proxy"),
        (&[("PROXY_PROTOCOL", "v2"), ("TRUSTED_PROXIES", "10.0.0.1")], "PROXY_PROTOCOL"),
    ] {
        let refused = refused(environment);
        assert!(refused.contains(reason), "{environment:?}: {refused:?}");
    }
    assert_eq!(refused(&[("PROXY_PROTOCOL", "on"), ("TRUSTED_PROXIES", "10.0.0.1")]), "");
}

#[test]
fn networks_of_webhooks_are_networks_and_not_all() {
    let allowed = |text: &str| load(&[("ENVIRONMENT", "development"), ("WEBHOOK_ALLOW", text)], None).webhooks.allowed;
    assert!(allowed("").0.is_empty());
    let nets: Vec<String> = allowed("10.1.2.0/24, ::1,fd00::/8").0.iter().map(ToString::to_string).collect();
    assert_eq!(nets, ["10.1.2.0/24", "::1/128", "fd00::/8"]);
    for (text, reason) in
        [("office", "no network"), ("10.0.0.0/40", "no network"), ("0.0.0.0/0", "every"), ("::/0", "every")]
    {
        let refused = problems(&[("ENVIRONMENT", "development"), ("WEBHOOK_ALLOW", text)], None);
        assert!(refused.contains("WEBHOOK_ALLOW") && refused.contains(reason), "{text}: {refused}");
    }
}

#[test]
fn the_secret_of_tokens_may_be_a_ring() {
    let new = super::keys::text(&fill);
    let other = "Zq3vX8kLm2Rt7YwB5nJc9HdF4sGp6TaE1uKoVxQ0";
    let ids = |text: &str| {
        let secrets = load(&[("ENVIRONMENT", "development"), ("JWT_SECRET", text)], None).secrets.jwt_secrets;
        secrets.0.iter().map(|(id, _)| *id).collect::<Vec<u32>>()
    };
    assert_eq!(ids(&new), [1], "a plain secret is entry 1");
    assert_eq!(ids(&format!("2:{new},1:{other}")), [2, 1]);
    // whatever is no ring is one secret
    assert_eq!(ids(&format!("02:{new},1:{other}")), [1]);
    assert_eq!(ids(&format!("{new},{other}")), [1]);
    let refused = |text: &str| problems(&[("ENVIRONMENT", "development"), ("JWT_SECRET", text)], None);
    assert!(refused(&format!("2:{new},2:{other}")).contains("has the id 2 twice"));
    assert!(refused(&format!("2:{new},1:{new}")).contains("JWT_SECRET"), "one secret twice");
    assert!(refused(&format!("2:{new},1:Zq3vX8kLm2Rt7YwB5nJc9Hd")).contains("needs at least 32"));
}

#[test]
fn a_setting_may_have_its_older_name() {
    let salt = "Zq3vX8kLm2Rt7YwB5nJc9HdF4sGp6TaE1uKoVxQ0";
    let by = |name: &str| load(&[("ENVIRONMENT", "development"), (name, salt)], None).secrets.index_keys;
    assert_eq!(by("INDEX_KEY"), by("EMAIL_SALT"));
    let refused = |environment: &[(&str, &str)], dotenv: Option<&str>| problems(environment, dotenv);
    let both = [("ENVIRONMENT", "development"), ("INDEX_KEY", salt)];
    assert!(
        refused(&both, Some(&format!("EMAIL_SALT={salt}\n"))).contains("INDEX_KEY (from the environment): EMAIL_SALT")
    );
    let short = refused(&[("ENVIRONMENT", "development"), ("EMAIL_SALT", "short")], None);
    assert!(
        short.contains("INDEX_KEY (from the environment, as EMAIL_SALT)") && short.contains("needs at least 22"),
        "{short}"
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), salt).unwrap();
    let from_file = [("ENVIRONMENT", "development"), ("INDEX_KEY_FILE", "key")];
    let settings = Settings::load(sources(folder.path(), &from_file, None), &fill).unwrap();
    assert_eq!(settings.secrets.index_keys.newest(), salt);
    let watchman = [("WATCHMAN_ACCOUNT_ID", "a"), ("WATCHMAN_TOKEN", "hush"), ("WATCHMAN_URL", "http://127.0.0.1:9/")];
    assert!(load(&watchman, None).watchman.is_some());
    assert!(refused(&[("WATCHMAN_ACCOUNT_ID", "a")], None).contains("goes with WATCHMAN_TOKEN"));
}

#[test]
fn the_page_of_the_settings_is_up_to_date() {
    let page = include_str!("../../../docs/configuration.md");
    assert!(page.ends_with(&super::markdown()), "run `cargo xtask configuration`");
}

#[test]
fn every_flag_has_a_heading_and_names_its_environment_variable() {
    for flag in super::flags() {
        let help = flag.get_help().unwrap().to_string();
        assert!(flag.get_help_heading().is_some() && help.contains(&format!("[env: {}]", flag.get_id())), "{help}");
    }
}

#[test]
fn a_start_that_looks_like_production_lists_everything_that_production_needs() {
    let message = without_environment("APP_DOMAIN", "auth.example.com");
    for name in ["ENVIRONMENT", "JWT_SECRET", "ENCRYPTION_KEY", "INDEX_KEY", "MAIL_SERVER", "TRUSTED_PROXIES"] {
        assert!(message.contains(&format!("{name} (from")), "{name} in {message}");
    }
    let misspelt = problems(&[("ENVIRONMENT", "prod")], None);
    assert!(misspelt.contains("use one of") && misspelt.contains("MAIL_SERVER"), "{misspelt}");
}

#[test]
fn an_erasure_ledger_beside_the_database_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let load = |ledger| Settings::load(sources(folder.path(), &[("ERASURE_LEDGER", ledger)], None), &fill).unwrap();
    let apart = load("apart/ledger");
    assert_eq!(apart.erasure_ledger, Some(folder.path().join("apart/ledger")));
    let warned = |settings: &Settings| settings.warnings.iter().any(|warning| warning.starts_with("ERASURE_LEDGER"));
    assert!(!warned(&apart) && warned(&load("data/ledger")));
}
