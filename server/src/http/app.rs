//! The state that all handlers share: the use cases, and the operator's settings of HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Instant;

use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use metrics_exporter_prometheus::{PrometheusHandle, PrometheusRecorder};
use portcullis_adapters::messaging::dev_mailbox::DevMailbox;
use portcullis_adapters::messaging::templates::Renderer;
use portcullis_adapters::redis::Redis;
use portcullis_core::model::locale::Locale;
use portcullis_core::model::quota::Quota;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::time::Timestamp;
use portcullis_core::ports::randomness::Randomness;
use portcullis_core::service::AuthService;

use crate::config::{AndroidApp, Appearance, MailboxAccess, SecretText, ServiceClientSettings};
use crate::http::known_addresses::KnownAddresses;
use crate::http::negotiation::language;
use crate::http::system::services::SharedHealth;
use crate::http::unlisted_proxies::UnlistedProxies;

/// The quota of a rate limit, by its name (docs/http-api.md).
pub type Quotas = dyn Fn(&str) -> Quota + Send + Sync;

/// A counter of an adapter since the start, with the metric's name.
pub type Count = (&'static str, Arc<AtomicU64>);

/// Asks how many password hashes wait for a thread.
pub type HashesWaiting = Box<dyn Fn() -> usize + Send + Sync>;

/// Everything a request may need.
pub struct App {
    /// The use cases.
    pub service: AuthService,
    /// The source of request ids.
    pub request_ids: Arc<dyn Randomness>,
    /// The realms.
    pub realms: Vec<Realm>,
    /// The templates of pages.
    pub renderer: Arc<Renderer>,
    /// The development mailbox; `None` in production, where `/dev` does not exist.
    pub mailbox: Option<Arc<DevMailbox>>,
    /// The clients that may read `/dev/*`.
    pub dev_mailbox: MailboxAccess,
    /// The Redis that instances share, if it is configured.
    pub redis: Option<Arc<Redis>>,
    /// Numbers of the rate limits.
    pub quotas: Box<Quotas>,
    /// Proxies that are believed about addresses.
    pub trusted_proxies: Vec<IpNet>,
    /// Proxies that are missing among them.
    pub unlisted_proxies: UnlistedProxies,
    /// Operator tokens.
    pub operator_tokens: Vec<SecretText>,
    /// Service clients.
    pub service_clients: Vec<ServiceClientSettings>,
    /// Whether links are https, and so HSTS is sent.
    pub https: bool,
    /// The base of links, without a slash at its end.
    pub public_url: String,
    /// The origin of `public_url`, as browsers send it; `None` if it has none.
    pub public_origin: Option<HeaderValue>,
    /// Its path, below which a proxy publishes this server; empty if it has none.
    pub path_prefix: String,
    /// The application that people log in to, where it is set.
    pub app_url: Option<String>,
    /// The operator's logo and colour.
    pub appearance: Appearance,
    /// Web origins whose passkeys are accepted.
    pub passkey_origins: Vec<String>,
    /// Apps that use passkeys: of Apple's systems, and of Android.
    pub passkey_apps: (Vec<String>, Vec<AndroidApp>),
    /// Whether the documentation is served.
    pub api_docs: bool,
    /// Origins that may call from a browser.
    pub cors_origins: Vec<HeaderValue>,
    /// Clients that have logged in.
    pub known_addresses: KnownAddresses,
    /// Request headers that they may send beside the usual ones.
    pub cors_headers: Vec<HeaderName>,
    /// The newest answers of the stores about their health.
    pub health: SharedHealth,
    /// Counts and times.
    pub recorder: Arc<PrometheusRecorder>,
    /// Counts that adapters keep, by their metric's name.
    pub counts: Vec<Count>,
    /// Renders them.
    pub metrics: PrometheusHandle,
    /// The number of password hashes that wait for a thread.
    pub hashes_waiting: HashesWaiting,
    /// Whether the server is about to stop: it is not ready, and each response ends its connection.
    pub draining: AtomicBool,
    /// What `/health` says of its own process.
    pub process: crate::http::system::process::ProcessStats,
    /// Facts for `/health/detailed`.
    pub about: About,
    /// When the process began.
    pub started: Instant,
    /// The OpenAPI document, made when first asked for.
    pub openapi: std::sync::OnceLock<bytes::Bytes>,
    /// Makes it. A field, because the document describes the table of routes, and the route of the document is in it.
    pub openapi_document: fn(&Self) -> String,
    /// The control plane of a test; only `portcullis testkit` has it.
    #[cfg(feature = "testkit")]
    pub testkit: Option<Arc<crate::testkit::Testkit>>,
}

/// Facts about this deployment that no port tells.
#[derive(Debug, Clone)]
pub struct About {
    /// `development` or `production`.
    pub environment: &'static str,
    /// `embedded` or `mongodb`.
    pub database: &'static str,
    /// Settings below production's floors that `ALLOW_UNSAFE` allows.
    pub allowed_unsafe: Vec<&'static str>,
    /// Ids of the encryption ring, the first one encrypts.
    pub key_ids: Vec<u32>,
    /// The schema the database is at.
    pub schema_version: u32,
    /// Whether an SMS provider is configured.
    pub sms_configured: bool,
    /// The keys in use, and the time since which the database knows each.
    pub key_ages: Vec<KeyAge>,
}

/// A key in use.
#[derive(Debug, Clone, Copy)]
pub struct KeyAge {
    /// The setting it is in.
    pub setting: &'static str,
    /// Since when the database knows it.
    pub since: Timestamp,
}

impl App {
    /// The language that a client asks for; English where it asks for none.
    #[must_use]
    pub fn locale(&self, headers: &HeaderMap) -> Locale {
        language(headers, |locale| self.renderer.speaks(locale)).unwrap_or_default()
    }

    /// Runs something that counts.
    pub fn measured<T>(&self, work: impl FnOnce() -> T) -> T {
        metrics::with_local_recorder(&*self.recorder, work)
    }
}

/// The `Origin` of pages at an address (RFC 6454, section 6.2).
#[must_use]
pub fn origin_of(url: &str) -> Option<HeaderValue> {
    let origin = reqwest::Url::parse(url).ok()?.origin();
    HeaderValue::try_from(origin.ascii_serialization()).ok()
}
