//! The parts of a server that need a setting or two each.

use std::sync::Arc;

use metrics_exporter_prometheus::PrometheusRecorder;
use portcullis_adapters::crypto::breached_passwords::BreachedList;
use portcullis_adapters::crypto::field_cipher::AesGcmCipher;
use portcullis_adapters::crypto::keyed_digest::HmacDigest;
use portcullis_adapters::crypto::password_hasher::{Argon2Pool, Parameters};
use portcullis_adapters::crypto::record_macs::RecordMacs;
use portcullis_adapters::crypto::signing_keys::KeyKind;
use portcullis_adapters::crypto::token_signer::JwtSigner;
use portcullis_adapters::messaging::templates::{Brand, Renderer};
use portcullis_core::model::password::PasswordRules;
use portcullis_core::model::phone::PhoneValidation;
use portcullis_core::model::realm::Realm;
use portcullis_core::policy::{Lifetimes, Policy};
use portcullis_core::ports::field_cipher::FieldCipher;
use portcullis_core::ports::keyed_digest::KeyedDigest;
use portcullis_core::ports::randomness::Randomness;

use crate::config::{Browsers, Hashing, Logo, Settings, Signing};
use crate::http::app::HashesWaiting;
use crate::http::metric_names::HASH_WAIT;

/// The realms of the settings.
///
/// # Errors
/// A name that is none.
pub fn realms(settings: &Settings) -> Result<Vec<Realm>, String> {
    settings.realms.iter().map(|name| Realm::parse(name).map_err(|e| format!("REALMS: {name}: {e}"))).collect()
}

pub fn cipher(settings: &Settings, randomness: Arc<dyn Randomness>) -> Result<Arc<dyn FieldCipher>, String> {
    let cipher = AesGcmCipher::new(&settings.secrets.encryption_ring.0, randomness);
    Ok(Arc::new(cipher.map_err(|error| error.with_cause())?))
}

pub fn record_macs(settings: &Settings) -> Result<Arc<RecordMacs>, String> {
    let macs = RecordMacs::new(&settings.secrets.encryption_ring.0);
    macs.map_err(|error| format!("ENCRYPTION_KEY: {}", error.with_cause()))
}

pub fn digests(settings: &Settings) -> Arc<dyn KeyedDigest> {
    Arc::new(index_digests(settings))
}

pub fn index_digests(settings: &Settings) -> HmacDigest {
    let ring = &settings.secrets.index_keys;
    let mut keys = ring.entries().into_iter().map(|(id, secret)| (id, secret.as_bytes()));
    // the settings have one at least
    let newest = keys.next().unwrap_or((1, ring.newest().as_bytes()));
    HmacDigest::of_ring(newest, keys.next())
}

/// The contents of files that settings name.
pub struct ConfiguredFiles {
    /// The templates.
    pub renderer: Arc<Renderer>,
    /// The breached passwords.
    pub breached: BreachedList,
}

impl ConfiguredFiles {
    /// Reads them before any database is opened, so that one start reports all of their problems.
    ///
    /// # Errors
    /// Every file that can't be used, with the fix.
    pub fn load(settings: &Settings) -> Result<Self, String> {
        let renderer = Renderer::new(settings.templates_dir.as_deref()).map_err(|error| {
            format!("TEMPLATES_DIR: {error}. Fix: correct the file, or remove it: the built-in one takes its place")
        });
        let breached = BreachedList::load(settings.breached_passwords_file.as_deref()).map_err(|error| {
            format!("BREACHED_PASSWORDS_FILE: {error}. Fix: make it a readable text file with one password a line")
        });
        match (renderer, breached) {
            (Ok(renderer), Ok(breached)) => {
                let renderer =
                    Arc::new(renderer.with_path_prefix(settings.public_url.path()).with_brand(brand(settings)));
                Ok(Self { renderer, breached })
            }
            (renderer, breached) => {
                let problems = [renderer.err(), breached.err()];
                Err(problems.into_iter().flatten().collect::<Vec<_>>().join("\nportcullis: "))
            }
        }
    }
}

fn brand(settings: &Settings) -> Brand {
    let Browsers { app_url, appearance, .. } = &settings.browsers;
    let mut brand = Brand {
        app_url: app_url.clone(),
        has_logo: appearance.logo.is_some(),
        logo_in_mails: appearance.logo.as_ref().is_some_and(Logo::is_for_mails),
        ..Brand::default()
    };
    if let Some(accent) = &appearance.accent {
        brand.accent.clone_from(&accent.light);
        brand.accent_dark.clone_from(&accent.dark);
    }
    brand
}

/// The hashing threads, and the length of their queue.
pub fn hasher(
    hashing: &Hashing,
    recorder: &Arc<PrometheusRecorder>,
) -> Result<(Arc<Argon2Pool>, HashesWaiting), String> {
    let Hashing { memory_kib, iterations, parallelism, threads, queue } = *hashing;
    let parameters = Parameters { memory_kib, iterations, parallelism };
    let pool = Argon2Pool::start(parameters, threads, queue)
        .map_err(|error| format!("ARGON2_MEMORY_KIB: {}", error.with_cause()))?;
    let recorder = recorder.clone();
    pool.observe_waits(move |wait| {
        metrics::with_local_recorder(&*recorder, || metrics::histogram!(HASH_WAIT).record(wait.as_secs_f64()));
    });
    let pool = Arc::new(pool);
    Ok((pool.clone(), Box::new(move || pool.waiting())))
}

pub fn signer(settings: &Settings, public_url: &str) -> Result<JwtSigner, String> {
    let ring = settings.secrets.jwt_secrets.entries();
    let made = match &settings.signing {
        Signing::Secret => JwtSigner::hs256(&ring, public_url),
        Signing::Derived(KeyKind::P256) => JwtSigner::es256(&ring, public_url),
        Signing::Derived(KeyKind::Ed25519) => JwtSigner::eddsa(&ring, public_url),
        Signing::Keys(kind, keys) => JwtSigner::with_keys(*kind, keys, &ring, public_url),
    };
    made.map_err(|error| format!("JWT_SECRET: {error}"))
}

pub fn policy(settings: &Settings) -> Policy {
    let lifetimes = &settings.lifetimes;
    let max_length = PasswordRules::nist_mfa().max_length;
    Policy {
        app_name: settings.app.name.clone(),
        lifetimes: Lifetimes {
            access: lifetimes.access,
            refresh_idle: lifetimes.refresh,
            refresh_max: lifetimes.refresh_max,
            verify: lifetimes.verify,
            reset: lifetimes.reset,
            otp: lifetimes.otp,
            ..Policy::default().lifetimes
        },
        passwords: PasswordRules {
            min_length: settings.passwords.min_length,
            max_length,
            min_score: settings.passwords.min_score,
        },
        smtputf8: settings.input.smtputf8,
        phones: if settings.input.strict_phones { PhoneValidation::Strict } else { PhoneValidation::E164 },
        enumeration_allowed: settings.account_enumeration_allowed,
        limits_on: settings.limits.enabled,
        texts: settings.sms_quotas.clone(),
        mfa_required: settings.mfa_required.clone(),
        ..Policy::default()
    }
}
