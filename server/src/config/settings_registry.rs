//! All settings in one table: for the flags, the check of unknown names, and the reference.

use std::fmt::Write as _;

use clap::Arg;

/// Prefixes that only settings of Portcullis have: an unknown setting with one of them is a mistake.
const OWN_PREFIXES: &[&str] = &["RATE_LIMIT_", "ARGON2_", "REFRESH_TOKEN_", "VERIFY_TOKEN_", "RESET_TOKEN_", "SMS_"];

/// Settings whose names other programs may use too, in another case.
const AMBIGUOUS_NAMES: &[&str] = &["Access_token", "Account_id"];

/// Better names of settings, each with the older one.
pub const BETTER_NAMES: &[(&str, &str)] =
    &[("INDEX_KEY", "EMAIL_SALT"), ("WATCHMAN_ACCOUNT_ID", "Account_id"), ("WATCHMAN_TOKEN", "Access_token")];

/// One setting.
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// Its default, in words.
    pub default: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// Whether its value must not be seen: then `NAME_FILE` may hold it, and no flag may.
    pub secret: bool,
}

const fn open(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default, meaning, secret: false }
}

const fn secret(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default, meaning, secret: true }
}

/// All settings.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    open("ENVIRONMENT", "development", "`development` or `production`"),
    open("HOST", "127.0.0.1", "where to listen"),
    open("PORT", "8000", "where to listen; 0 takes a free port"),
    open("ALLOW_UNSAFE", "none", "settings that may be below production's floors, by their full names"),
    open("KEEP_ALIVE", "75s", "how long a connection may be idle"),
    open("MAX_CONNECTIONS", "8192", "connections at once"),
    open("MAX_CONNECTIONS_PER_ADDRESS", "256", "connections at once of one address (IPv6: /64), proxies aside"),
    open("PUBLIC_URL", "https://APP_DOMAIN; in development http://HOST:PORT", "base of the links in e-mails"),
    open("APP_NAME", "Portcullis", "what people see"),
    open("APP_URL", "none", "the application that people log in to: where `/.well-known/change-password` leads"),
    open("APP_DOMAIN", "localhost", "the domain of the application"),
    open("REALMS", "User1,User2", "populations of users, each with a URL prefix of its own"),
    open("DATABASE_URL", "sqlite://data/portcullis.db", "the embedded store"),
    secret("MONGO_URL", "none", "a MongoDB server instead of the embedded store"),
    open("MONGO_DB", "portcullis", "the database there"),
    secret("REDIS_URL", "none", "a Redis server"),
    open("SESSION_CACHE_TTL", "5s", "how long Redis may answer for MongoDB about a session; 0s is never, 30s the most"),
    open("REDIS_HOST", "none", "the same, by host"),
    open("REDIS_PORT", "6379", "and port"),
    secret("JWT_SECRET", "generated in development", "signs tokens; at least 32 characters, or a ring as in 2:NEW,1:OLD whose first entry signs"),
    open("JWT_ALGORITHM", "HS256", "alias of SIGNING"),
    open("SIGNING", "HS256", "or `EdDSA`"),
    secret("ENCRYPTION_KEY", "generated in development", "URL-safe base64 of 32 bytes, or a ring `2:KEY,1:KEY`"),
    secret("EMAIL_SALT", "generated in development", "keys the blind indexes; at least 22 characters; never changes"),
    secret("INDEX_KEY", "EMAIL_SALT", "a better name of EMAIL_SALT"),
    secret("OPERATOR_TOKEN", "generated in development", "opens /metrics and /health/detailed; at least 32 characters"),
    secret("SERVICE_CLIENTS", "none", "`id:secret@realm,…`: services that may introspect tokens of a realm"),
    open("MAIL_SERVER", "none", "the SMTP server; none is the mailbox, in development only"),
    open("MAIL_PORT", "587", "its port"),
    open("MAIL_STARTTLS", "true", "TLS by STARTTLS"),
    open("MAIL_SSL_TLS", "false", "TLS from the first byte"),
    open("USE_CREDENTIALS", "true", "log in there"),
    open("MAIL_USERNAME", "none", "as whom"),
    secret("MAIL_PASSWORD", "none", "with what"),
    open("MAIL_FROM", "MAIL_USERNAME", "the sender's address"),
    open("MAIL_FROM_NAME", "APP_NAME", "the sender's name"),
    open("MAIL_SMTPUTF8", "off", "`on` where the mail server takes addresses with more than ASCII before the @ (RFC 6531)"),
    open("VALIDATE_CERTS", "true", "certificates of servers must be good"),
    open("TLS_CA_FILE", "none", "certificates (PEM) of a private authority that signs those of MongoDB, Redis and the mail server"),
    open("TWILIO_SID", "none", "the Twilio account"),
    secret("TWILIO_AUTH_TOKEN", "none", "its token"),
    open("TWILIO_NUMBER", "none", "the number texts come from"),
    open("TWILIO_BASE_URL", "Twilio's own", "so that a stub can stand in"),
    open("SMS_COUNTRIES", "all", "countries whose numbers may be proven, as in `US,DE`"),
    open("SMS_PER_ACCOUNT", "10/day", "texts and calls that one account may ask for to prove numbers"),
    open("SMS_COOL_DOWN", "3/5min", "texts and calls to one number, or for one account's logins, at once"),
    open("SMS_PER_NUMBER", "20/day", "texts and calls to one number, or for one account's logins"),
    open("SMS_PER_PREFIX", "200/day", "texts and calls to numbers that differ in their last four digits only"),
    open("SMS_UNANSWERED", "50/day", "of these, without their code coming back"),
    open("SMS_DAILY_CAP", "1000/day", "texts and calls to prove numbers altogether, in each realm; more than 1440/day starts anew with the processes"),
    open("SMS_LOGIN_DAILY_CAP", "20000/day", "texts for logins altogether, in each realm"),
    open("Account_id", "none", "the Watchman account"),
    secret("Access_token", "none", "its token"),
    open("WATCHMAN_ACCOUNT_ID", "Account_id", "a better name of Account_id"),
    secret("WATCHMAN_TOKEN", "Access_token", "a better name of Access_token"),
    open("WATCHMAN_URL", "Watchman's own", "so that a stub can stand in"),
    open("RATE_LIMITS", "on", "`off` for benchmarks"),
    open("TRUSTED_PROXIES", "none", "CIDR list of proxies that are believed about addresses"),
    open("ARGON2_MEMORY_KIB", "19456", "memory of a password hash"),
    open("ARGON2_ITERATIONS", "2", "its passes"),
    open("ARGON2_PARALLELISM", "1", "its lanes"),
    open("HASH_THREADS", "cores", "hashes that run at once"),
    open("HASH_QUEUE", "64", "hashes that wait; past that 503"),
    open("ACCESS_TOKEN_TTL", "1800s", "how long access tokens live"),
    open("REFRESH_TOKEN_TTL", "30d", "how long an unused session lives"),
    open("REFRESH_TOKEN_MAX_TTL", "90d", "how long any session lives"),
    open("VERIFY_TOKEN_TTL", "24h", "how long verification links live"),
    open("RESET_TOKEN_TTL", "30m", "how long reset links live"),
    open("OTP_TTL", "5m", "how long OTPs live"),
    open("PASSWORD_POLICY", "nist-mfa", "or `nist-single`, which asks 15 characters"),
    open("PASSWORD_MIN_LENGTH", "of the policy", "fewest characters of a new password"),
    open("PASSWORD_MIN_SCORE", "3", "lowest zxcvbn score of a new password, 0 to 4"),
    open("BREACHED_PASSWORDS_FILE", "none", "a file of refused passwords, one a line"),
    open("PHONE_VALIDATION", "e164", "or `strict`, which asks the numbering plan; `lenient` is another word for e164"),
    open("ACCOUNT_ENUMERATION", "deny", "`allow` makes a taken e-mail a 409"),
    open("TEMPLATES_DIR", "built in", "a folder whose files replace the templates of the same name"),
    open("CORS_ORIGINS", "none", "origins that may call from a browser"),
    open("CORS_HEADERS", "none", "request headers that these may send beside the usual ones, as in `x-tenant`"),
    open("API_DOCS", "on", "`off` removes the OpenAPI document and its viewers"),
    open("DEV_MAILBOX", "loopback", "who may read `/dev/*` in development: requests from this machine that name it, or `any`"),
    open("LOG_FORMAT", "text", "or `json`"),
    open("LOG_LEVEL", "info", "a filter, e.g. `warn,portcullis_server=debug`"),
];

/// The rate limits: name, burst and unit.
pub const DEFAULT_LIMITS: &[(&str, u32, &str)] = &[
    ("create", 5, "min"),
    ("login", 5, "min"),
    ("token", 60, "min"),
    ("login_mfa", 5, "min"),
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
    ("mfa", 10, "min"),
    ("export", 1, "day"),
    ("delete", 1, "day"),
    ("introspect", 6000, "min"),
    ("revoke", 100, "h"),
    ("default", 100, "h"),
];

/// The setting of that name.
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// Whether a name is a setting, a limit's row, or the file of a secret.
pub fn is_known(name: &str) -> bool {
    let of_file = name.strip_suffix("_FILE").and_then(find).is_some_and(|setting| setting.secret);
    find(name).is_some() || of_file || limit_row(name).is_some()
}

/// The row of the limits that `RATE_LIMIT_LOGIN` and the like are about.
pub fn limit_row(name: &str) -> Option<&'static str> {
    let row = name.strip_prefix("RATE_LIMIT_")?;
    DEFAULT_LIMITS.iter().map(|(name, ..)| *name).find(|name| name.to_ascii_uppercase() == row)
}

/// Whether a name in the environment can only be a misspelt setting of ours. Short names are near to anything, long
/// ones only to what they were meant to be.
pub fn is_misspelt(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let begins_as_ours = OWN_PREFIXES.iter().any(|prefix| upper.starts_with(prefix));
    let most = if name.len() >= 10 { 2 } else { 0 };
    begins_as_ours || nearest(name, most).is_some_and(|near| !AMBIGUOUS_NAMES.contains(&near.as_str()))
}

/// Every name there is: settings, the files of secrets, and the rows of the limits.
fn all_names() -> impl Iterator<Item = String> {
    let settings = SETTINGS.iter().map(|setting| setting.name.to_owned());
    let files = SETTINGS.iter().filter(|setting| setting.secret).map(|setting| format!("{}_FILE", setting.name));
    let rows = DEFAULT_LIMITS.iter();
    settings.chain(files).chain(rows.map(|(row, ..)| format!("RATE_LIMIT_{}", row.to_ascii_uppercase())))
}

/// The known name nearest to one that is not, if at most that many letters are others.
pub fn nearest(name: &str, most: usize) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    let distances = all_names().map(|known| (strsim::levenshtein(&upper, &known.to_ascii_uppercase()), known));
    distances.min_by_key(|(distance, _)| *distance).filter(|(distance, _)| *distance <= most).map(|(_, known)| known)
}

/// How to correct an unknown name.
pub fn suggestion(name: &str) -> String {
    match nearest(name, 3) {
        Some(near) => format!("did you mean {near}? `portcullis settings` lists all"),
        None => "remove it; `portcullis settings` lists all there are".to_owned(),
    }
}

/// A flag for each setting; of a secret only for its file, for flags can be seen by every user of the machine.
#[must_use]
pub fn flags() -> Vec<Arg> {
    let flag = |name: String, about: String| {
        let long = name.to_ascii_lowercase().replace('_', "-");
        Arg::new(name).long(long).value_name("VALUE").help(about).hide_default_value(true)
    };
    SETTINGS
        .iter()
        .map(|setting| {
            if setting.secret {
                let about = format!("file with {}: {}", setting.name, setting.meaning);
                return flag(format!("{}_FILE", setting.name), about);
            }
            flag(setting.name.to_owned(), format!("{} [default: {}]", setting.meaning, setting.default))
        })
        .collect()
}

/// All settings as a table.
#[must_use]
pub fn reference() -> String {
    let mut text = "| name | default | meaning |\n|---|---|---|\n".to_owned();
    for setting in SETTINGS {
        let file = if setting.secret { format!(" (or `{}_FILE`)", setting.name) } else { String::new() };
        let _ = writeln!(text, "| `{}`{file} | {} | {} |", setting.name, setting.default, setting.meaning);
    }
    for (row, burst, unit) in DEFAULT_LIMITS {
        let name = row.to_ascii_uppercase();
        let _ = writeln!(text, "| `RATE_LIMIT_{name}` | {burst}/{unit} | the limit of `{row}`, per address |");
    }
    text
}
