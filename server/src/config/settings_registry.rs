//! All settings in one table, from which flags, the check of unknown names, and the reference are made.

/// Prefixes that only settings of Portcullis have: an unknown setting with one of them is a mistake.
const OWN_PREFIXES: &[&str] = &["RATE_LIMIT_", "ARGON2_", "REFRESH_TOKEN_", "VERIFY_TOKEN_", "RESET_TOKEN_", "SMS_"];

/// Settings whose names other programs may use too, in another case.
const AMBIGUOUS_NAMES: &[&str] = &["Access_token", "Account_id"];

/// Older names of settings, each with the name that replaced it.
pub const OLDER_NAMES: &[(&str, &str)] =
    &[("EMAIL_SALT", "INDEX_KEY"), ("Account_id", "WATCHMAN_ACCOUNT_ID"), ("Access_token", "WATCHMAN_TOKEN")];

/// The name of a setting that replaced an older one; any other name as it is.
pub fn current_name(name: &str) -> &str {
    OLDER_NAMES.iter().find(|(older, _)| *older == name).map_or(name, |(_, current)| current)
}

/// One setting.
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// Its default, in words.
    pub default: &'static str,
    /// Its meaning, as a phrase without a full stop.
    pub meaning: &'static str,
    /// Whether its value must not be seen: then `NAME_FILE` may hold it, and no flag may.
    pub secret: bool,
}

/// The settings of one subject.
pub struct SettingGroup {
    /// The subject, as a heading.
    pub title: &'static str,
    /// The settings.
    pub settings: &'static [Setting],
}

const fn group(title: &'static str, settings: &'static [Setting]) -> SettingGroup {
    SettingGroup { title, settings }
}

const fn open(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default, meaning, secret: false }
}

const fn secret(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default, meaning, secret: true }
}

/// All settings, by subject. `docs/configuration.md` is made of it: `cargo xtask configuration`.
#[rustfmt::skip]
pub const GROUPS: &[SettingGroup] = &[
    group("Server", &[
    open("ENVIRONMENT", "development", "`development` or `production`"),
    open("HOST", "127.0.0.1", "name or address to listen on"),
    open("PORT", "8000", "port to listen on; 0 takes a free one"),
    open("PUBLIC_URL", "https://APP_DOMAIN; in development http://HOST:PORT", "address of this server as its users see it; links in e-mails begin with it"),
    open("TRUSTED_PROXIES", "none", "proxies that may say the client's address, as networks such as `10.0.0.0/8,::1`; production must set it, at least to `none`"),
    open("KEEP_ALIVE", "75s", "time after which an idle connection is closed"),
    open("MAX_CONNECTIONS", "8192", "open connections at most"),
    open("MAX_CONNECTIONS_PER_ADDRESS", "256", "open connections of one address (IPv6: /64) at most; listed proxies have no such limit"),
    open("SHUTDOWN_DELAY", "0s", "time for which a stopping server still takes requests while `/readyz` is 503, so that balancers send no more"),
    open("TLS_CERT_FILE", "none", "certificate and chain (PEM) for TLS without a proxy: TLS 1.2 and 1.3, HTTP/2; read again at SIGHUP"),
    open("TLS_KEY_FILE", "none", "its private key (PEM)"),
    open("PROXY_PROTOCOL", "off", "`on` where the proxies in TRUSTED_PROXIES begin each connection with a PROXY header (version 1 or 2)"),
    open("API_DOCS", "on", "`off` removes `/openapi.json`, `/docs`, `/redoc` and `/scalar`"),
    open("ALLOW_UNSAFE", "none", "settings that may be below production's floors, as in `OTP_TTL,RATE_LIMITS`"),
    ]),
    group("Application", &[
    open("APP_NAME", "Portcullis", "name of the application in pages, e-mails and SMS"),
    open("APP_URL", "none", "address of the application, to which pages, mails and `/.well-known/change-password` lead"),
    open("APP_LOGO", "none", "picture at the head of pages and mails: a PNG, JPEG, WebP or SVG file of at most 256 KiB; mails show PNG and JPEG"),
    open("APP_COLOR", "`#1b625b`", "accent colour of pages and mails; its contrast with a light page must be 4.5:1, and dark pages have a lighter shade of it"),
    open("APP_DOMAIN", "localhost", "domain of the application; production needs it or PUBLIC_URL"),
    open("REALMS", "User1,User2", "separate sets of users, each with its own URL prefix"),
    open("TEMPLATES_DIR", "built in", "folder whose files replace the built-in templates of the same name"),
    ]),
    group("Databases", &[
    open("DATABASE_URL", "sqlite://data/portcullis.db", "SQLite file"),
    secret("MONGO_URL", "none", "MongoDB replica set to use instead of SQLite"),
    open("MONGO_DB", "database in MONGO_URL, else portcullis", "database in MongoDB"),
    secret("REDIS_URL", "none", "Redis, for limits and the session cache of several instances; `rediss://` is encrypted"),
    open("REDIS_HOST", "none", "host of Redis, instead of REDIS_URL"),
    open("REDIS_PORT", "6379", "port of Redis, with REDIS_HOST"),
    open("ERASURE_LEDGER", "none", "file with a keyed digest of each deleted account, which a restore reads; keep it apart from the database"),
    open("SESSION_CACHE_TTL", "5s", "how long Redis may answer for MongoDB about a session; `0s` switches the cache off, `30s` is the most"),
    ]),
    group("Secrets and signing", &[
    secret("ENCRYPTION_KEY", "generated in development", "encrypts the keys of personal data: URL-safe base64 of 32 bytes, or a ring `2:KEY,1:KEY` whose first entry encrypts"),
    secret("INDEX_KEY", "generated in development", "key of the digests by which e-mail addresses are found; at least 22 characters, or a ring of two as in 2:NEW,1:OLD whose first entry is the newest"),
    secret("EMAIL_SALT", "INDEX_KEY", "an older name of INDEX_KEY"),
    secret("JWT_SECRET", "generated in development", "signs tokens: at least 32 characters, or a ring `2:NEW,1:OLD` whose first entry signs"),
    open("SIGNING", "HS256", "algorithm of access tokens: `HS256`, or `ES256` or `EdDSA` with public keys at `/.well-known/jwks.json`"),
    open("SIGNING_KEY_FILE", "derived from JWT_SECRET", "private key in PEM for ES256 and EdDSA, or a ring of files `2:new.pem,1:old.pem` whose first key signs"),
    open("JWT_ALGORITHM", "HS256", "an older name of SIGNING"),
    secret("OPERATOR_TOKEN", "generated in development", "bearer token for `/metrics` and `/health/detailed`; at least 32 characters"),
    open("AUDIT_VERIFY_KEY", "none", "public key that makes the audit log tamper-evident; its private half, for `portcullis audit verify`, is kept elsewhere"),
    secret("AUDIT_SIGNING_KEY", "none", "signs checkpoints of the audit log; goes with AUDIT_VERIFY_KEY: URL-safe base64 of 32 bytes, or a ring as in 2:NEW,1:OLD"),
    secret("SERVICE_CLIENTS", "none", "services that may introspect tokens of a realm: `id:secret@realm,…`"),
    ]),
    group("Lifetimes", &[
    open("ACCESS_TOKEN_TTL", "1800s", "lifetime of access tokens"),
    open("REFRESH_TOKEN_TTL", "30d", "lifetime of a session that is not refreshed"),
    open("REFRESH_TOKEN_MAX_TTL", "90d", "lifetime of any session"),
    open("VERIFY_TOKEN_TTL", "24h", "lifetime of verification links and codes"),
    open("RESET_TOKEN_TTL", "30m", "lifetime of links that reset a password"),
    open("OTP_TTL", "5m", "lifetime of codes by SMS"),
    ]),
    group("Passwords", &[
    open("PASSWORD_POLICY", "nist-mfa", "`nist-mfa` asks for 8 characters, `nist-single` for 15"),
    open("PASSWORD_MIN_LENGTH", "that of the policy", "least number of characters of a new password"),
    open("PASSWORD_MIN_SCORE", "3", "least zxcvbn score of a new password, from 0 to 4"),
    open("BREACHED_PASSWORDS_FILE", "none", "file with more passwords to refuse, one a line"),
    open("ARGON2_MEMORY_KIB", "19456", "memory of one password hash, in KiB"),
    open("ARGON2_ITERATIONS", "2", "passes over that memory"),
    open("ARGON2_PARALLELISM", "1", "lanes (threads) of one password hash"),
    open("HASH_THREADS", "number of cores", "password hashes that run at once; each has ARGON2_MEMORY_KIB"),
    open("HASH_QUEUE", "64", "password hashes that wait; further ones are answered with 503"),
    ]),
    group("Second factors", &[
    open("MFA_POLICY", "optional in every realm", "realms whose accounts must have a second factor, as in `User1:optional,User2:required`"),
    open("PASSKEY_RP_ID", "host of PUBLIC_URL; localhost where that is an address", "domain that passkeys belong to: the host of your pages or a parent of it; with another one, every passkey is lost"),
    open("PASSKEY_ORIGINS", "that of PUBLIC_URL", "origins of the pages and apps that use passkeys, as in `https://app.example.com,android:apk-key-hash:…`"),
    open("PASSKEY_APPLE_APPS", "none", "apps of Apple's systems that use passkeys, as in `TEAMID1234.com.example.app`; `/.well-known/apple-app-site-association` lists them"),
    open("PASSKEY_ANDROID_APPS", "none", "apps of Android that use passkeys, each with the SHA-256 fingerprint of its certificate, as in `com.example.app=AB:CD:…`; `/.well-known/assetlinks.json` lists them, and their origins are accepted"),
    ]),
    group("Input and answers", &[
    open("PHONE_VALIDATION", "e164", "`strict` accepts only numbers that the numbering plan has; `lenient` is another word for `e164`"),
    open("ACCOUNT_ENUMERATION", "deny", "`allow` answers the registration of a taken e-mail address with 409"),
    open("CORS_ORIGINS", "none", "origins whose pages may call the API, as in `https://app.example.com`"),
    open("CORS_HEADERS", "none", "further request headers that these pages may send, as in `x-tenant`"),
    open("RATE_LIMITS", "on", "`off` switches all limits off, for benchmarks"),
    ]),
    group("E-mail", &[
    open("MAIL_SERVER", "none", "SMTP server; without it e-mails stay in the development mailbox; production must set it"),
    open("MAIL_PORT", "587", "port of the SMTP server"),
    open("MAIL_STARTTLS", "true", "encryption by STARTTLS"),
    open("MAIL_SSL_TLS", "false", "encryption from the first byte (port 465), instead of STARTTLS"),
    open("USE_CREDENTIALS", "true", "whether to log in to the SMTP server"),
    open("MAIL_USERNAME", "none", "user name there"),
    secret("MAIL_PASSWORD", "none", "password there"),
    open("MAIL_FROM", "MAIL_USERNAME", "address of the sender"),
    open("MAIL_FROM_NAME", "APP_NAME", "name of the sender"),
    open("MAIL_HELO", "host of PUBLIC_URL", "name of this machine in EHLO, the greeting to mail servers"),
    open("MAIL_SMTPUTF8", "off", "`on` allows addresses with more than ASCII before the @, if the SMTP server takes them (RFC 6531)"),
    ]),
    group("SMS and calls", &[
    open("TWILIO_SID", "none", "Twilio account; without it SMS stay in the development mailbox, and production sends none"),
    secret("TWILIO_AUTH_TOKEN", "none", "token of the Twilio account"),
    open("TWILIO_NUMBER", "none", "number that SMS and calls come from"),
    open("TWILIO_BASE_URL", "Twilio's own", "another address of the Twilio API, for tests"),
    open("SMS_COUNTRIES", "all", "countries whose numbers may be verified, as in `US,DE`"),
    open("SMS_PER_ACCOUNT", "10/day", "SMS and calls to verify numbers of one account"),
    open("SMS_COOL_DOWN", "3/5min", "SMS and calls to one number, or for logins of one account, within minutes"),
    open("SMS_PER_NUMBER", "20/day", "SMS and calls to one number, or for logins of one account"),
    open("SMS_PER_PREFIX", "200/day", "SMS and calls to numbers that differ only in their last four digits"),
    open("SMS_UNANSWERED", "50/day", "of these, the ones whose code did not come back"),
    open("SMS_DAILY_CAP", "1000/day", "all SMS and calls of a realm to verify numbers; the count of a cap over 1440/day is lost at a restart"),
    open("SMS_LOGIN_DAILY_CAP", "20000/day", "all SMS of a realm for logins"),
    ]),
    group("Webhooks", &[
    open("WEBHOOK_ALLOW", "none", "networks of receivers that are not public, as in `10.1.2.0/24,fd00::7`; public addresses are always allowed"),
    open("WEBHOOK_PLAIN_HTTP", "false", "`true` allows URLs without TLS, for development"),
    ]),
    group("TLS to MongoDB, Redis and the SMTP server", &[
    open("TLS_CA_FILE", "none", "certificates (PEM) of a private authority that signs theirs"),
    open("VALIDATE_CERTS", "true", "`false` accepts any certificate"),
    ]),
    group("Logs, traces and audit export", &[
    open("LOG_FORMAT", "text", "`text` or `json`"),
    open("LOG_LEVEL", "info", "filter of the log, as in `warn,portcullis_server=debug`"),
    open("OTEL_EXPORTER_OTLP_ENDPOINT", "none", "collector that traces are exported to by OTLP over HTTP, as in `http://127.0.0.1:4318`"),
    open("AUDIT_CHECKPOINT_FILE", "none", "file that checkpoints of the audit log are appended to, best where this machine can only append"),
    open("WATCHMAN_ACCOUNT_ID", "none", "Watchman account that audit events are exported to"),
    secret("WATCHMAN_TOKEN", "none", "token of the Watchman account"),
    open("Account_id", "WATCHMAN_ACCOUNT_ID", "an older name of WATCHMAN_ACCOUNT_ID"),
    secret("Access_token", "WATCHMAN_TOKEN", "an older name of WATCHMAN_TOKEN"),
    open("WATCHMAN_URL", "Watchman's own", "another address of Watchman"),
    ]),
    group("Development", &[
    open("DEV_MAILBOX", "loopback", "who may read the development mailbox: `loopback` (requests from this machine) or `any`"),
    ]),
];

/// All settings.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    GROUPS.iter().flat_map(|group| group.settings)
}

/// The rate limits: name, burst and unit.
pub const DEFAULT_LIMITS: &[(&str, u32, &str)] = &[
    ("create", 5, "min"),
    ("login", 5, "min"),
    ("token", 60, "min"),
    ("login_mfa", 5, "min"),
    ("login_enrolment", 10, "min"),
    ("login_passkey_options", 60, "min"),
    ("login_passkey", 5, "min"),
    ("verify_page", 10, "min"),
    ("verify", 10, "min"),
    ("resend_verification", 3, "min"),
    ("otp_phone", 3, "min"),
    ("verify_otp_phone", 5, "min"),
    ("forget_password", 3, "min"),
    ("reset_password_form", 10, "min"),
    ("reset_password", 3, "min"),
    ("undo", 10, "min"),
    ("profile", 60, "min"),
    ("update", 10, "min"),
    ("change_password", 5, "min"),
    ("step_up", 5, "min"),
    ("logout", 10, "min"),
    ("logout_all", 10, "min"),
    ("sessions", 60, "min"),
    ("devices", 60, "min"),
    ("mfa", 10, "min"),
    ("passkeys", 10, "min"),
    ("export", 1, "day"),
    ("delete", 1, "day"),
    ("introspect", 6000, "min"),
    ("revoke", 100, "h"),
    ("admin", 600, "min"),
    ("default", 100, "h"),
];

/// The setting of that name.
pub fn find(name: &str) -> Option<&'static Setting> {
    settings().find(|setting| setting.name == name)
}

/// Whether a name is a setting, a rate limit, or the file of a secret.
pub fn is_known(name: &str) -> bool {
    let of_file = name.strip_suffix("_FILE").and_then(find).is_some_and(|setting| setting.secret);
    find(name).is_some() || of_file || limit_row(name).is_some()
}

/// The limit of a setting such as `RATE_LIMIT_LOGIN`.
pub fn limit_row(name: &str) -> Option<&'static str> {
    let row = name.strip_prefix("RATE_LIMIT_")?;
    DEFAULT_LIMITS.iter().map(|(name, ..)| *name).find(|name| name.to_ascii_uppercase() == row)
}

/// Whether a name in the environment can only be a misspelt setting. Short names may be another program's, so that only
/// long ones are compared.
pub fn is_misspelt(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let begins_as_ours = OWN_PREFIXES.iter().any(|prefix| upper.starts_with(prefix));
    let most = if name.len() >= 10 { 2 } else { 0 };
    begins_as_ours || nearest(name, most).is_some_and(|near| !AMBIGUOUS_NAMES.contains(&near.as_str()))
}

/// Every name there is: settings, the files of secrets, and the rows of the limits.
fn all_names() -> impl Iterator<Item = String> {
    let names = settings().map(|setting| setting.name.to_owned());
    let files = settings().filter(|setting| setting.secret).map(|setting| format!("{}_FILE", setting.name));
    let rows = DEFAULT_LIMITS.iter();
    names.chain(files).chain(rows.map(|(row, ..)| format!("RATE_LIMIT_{}", row.to_ascii_uppercase())))
}

/// The known name that is nearest to an unknown one, if it differs in at most that many letters.
pub fn nearest(name: &str, most: usize) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    let distances = all_names().map(|known| (strsim::levenshtein(&upper, &known.to_ascii_uppercase()), known));
    distances.min_by_key(|(distance, _)| *distance).filter(|(distance, _)| *distance <= most).map(|(_, known)| known)
}

/// How to correct an unknown name.
pub fn suggestion(name: &str) -> String {
    match nearest(name, 3) {
        Some(near) => format!("did you mean {near}? `portcullis settings` lists all settings"),
        None => "remove it; `portcullis settings` lists all settings".to_owned(),
    }
}
