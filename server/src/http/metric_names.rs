//! The names, help texts and buckets of all metrics (docs/operations.md).

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, with_local_recorder};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusRecorder};

/// Upper bounds of the buckets of durations, in seconds.
const BUCKETS: [f64; 12] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Histogram of the duration of requests.
pub const HTTP_DURATION: &str = "portcullis_http_request_duration_seconds";
/// Histogram of the time that password hashes waited.
pub const HASH_WAIT: &str = "portcullis_hash_wait_duration_seconds";
/// Password hashes that wait.
pub const HASH_QUEUE: &str = "portcullis_hash_queue_length";
/// The version and the database.
pub const BUILD_INFO: &str = "portcullis_build_info";
/// Attempts to send a message.
pub const MESSAGES: &str = "portcullis_messages_total";

const COUNTERS: [(&str, &str); 17] = [
    ("portcullis_http_requests_total", "Requests by operation, realm and status."),
    ("portcullis_logins_total", "Logins and exchanges of tokens by realm, operation and outcome."),
    ("portcullis_registrations_total", "Registrations by realm and outcome."),
    ("portcullis_verifications_total", "Verified addresses by realm and outcome."),
    ("portcullis_password_reset_requests_total", "Requests for a reset link by realm and outcome."),
    ("portcullis_password_resets_total", "Passwords set by a reset link, by realm and outcome."),
    (MESSAGES, "Attempts to send a message, by channel and outcome."),
    ("portcullis_jobs_total", "Jobs by outcome."),
    ("portcullis_texts_held_total", "SMS that a quota held back, by reason."),
    ("portcullis_purged_records_total", "Expired records that were removed, by kind."),
    ("portcullis_refused_records_total", "Stored records whose MAC does not verify."),
    ("portcullis_audit_lost_total", "Audit events that could not be stored."),
    (
        "portcullis_unlisted_proxy_requests_total",
        "Requests with a proxy's header from a peer that is not in TRUSTED_PROXIES.",
    ),
    ("portcullis_session_cache_hits_total", "Sessions that Redis answered for."),
    ("portcullis_erasure_ledger_failures_total", "Deletions that were not written into the erasure ledger."),
    ("portcullis_webhook_events_dropped_total", "Events that did not become messages to webhooks."),
    ("portcullis_watchman_dropped_total", "Audit events that were not exported to Watchman."),
];

const GAUGES: [(&str, &str); 6] = [
    ("portcullis_jobs", "Jobs in the queue by state."),
    (HASH_QUEUE, "Password hashes that wait."),
    (BUILD_INFO, "The version and the database, with the value 1."),
    ("portcullis_unsafe_setting", "1 for each floor that ALLOW_UNSAFE lifts."),
    ("portcullis_key_age_seconds", "Age of each key, by setting."),
    ("process_resident_memory_bytes", "Memory of the process."),
];

const HISTOGRAMS: [(&str, &str); 2] = [
    (HTTP_DURATION, "Duration of requests by operation, realm and status."),
    (HASH_WAIT, "Time that password hashes waited in the queue."),
];

/// The recorder of a server, which knows the help text of every metric.
///
/// # Errors
/// If the buckets are none.
pub fn recorder() -> Result<PrometheusRecorder, BuildError> {
    let recorder = PrometheusBuilder::new().set_buckets(&BUCKETS)?.build_recorder();
    with_local_recorder(&recorder, || {
        for (name, help) in COUNTERS {
            describe_counter!(name, Unit::Count, help);
        }
        for (name, help) in GAUGES {
            describe_gauge!(name, help);
        }
        for (name, help) in HISTOGRAMS {
            describe_histogram!(name, Unit::Seconds, help);
        }
    });
    Ok(recorder)
}
