//! Every route in one table. axum's `Router`, the rate limits, the OpenAPI document and the tests are built from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse as _;
use axum::routing::{MethodFilter, MethodRouter};
use http::header::ALLOW;
use http::{Method, StatusCode};
use portcullis_core::model::credential::Scope;
use portcullis_core::model::realm::Realm;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

use crate::http::app::App;
use crate::http::dev_access::require_local_request;
use crate::http::endpoint::{Access, ChangesByGet, Endpoint};
use crate::http::guard::{Guard, guard};
use crate::http::middleware::{check_head, cors, cors_rules, finish_response, panic_response};
use crate::http::path_prefix::remove_prefix;
use crate::http::problem::Problem;
#[cfg(feature = "testkit")]
use crate::http::test_control;
use crate::http::{
    account, admin, clients, demo, devices, docs, enrolment, factors, logins, mailbox, passkeys, passwords, phones,
    profile, recovery, registration, second_factors, sessions, start_page, system, well_known,
};

const GET: &[Method] = &[Method::GET];
const POST: &[Method] = &[Method::POST];
const PUT: &[Method] = &[Method::PUT];
const DELETE: &[Method] = &[Method::DELETE];
const GET_POST: &[Method] = &[Method::GET, Method::POST];
const PATCH: &[Method] = &[Method::PATCH];
const PUT_PATCH: &[Method] = &[Method::PUT, Method::PATCH];

/// The path of the admin API; its realms are below it.
pub const ADMIN_PATH: &str = "/admin/v1";

/// The endpoints that `API_DOCS=off` removes.
const DOCUMENTATION: [&str; 4] = ["openapi", "docs", "redoc", "scalar"];

/// The endpoints of every realm, below `/{realm}`.
#[rustfmt::skip]
#[must_use]
pub fn realm_endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new("create", POST, "/create", registration::create, &registration::CREATE).limit("create"),
        Endpoint::new("verify_page", GET, "/verify", registration::verify_page, &registration::VERIFY_PAGE).limit("verify_page").changes_by_get(ChangesByGet::ForJsonAlone).reads_query(),
        Endpoint::new("verify", POST, "/verify", registration::verify, &registration::VERIFY).limit("verify").reads_query(),
        Endpoint::new("resend_verification", POST, "/resend_verification", registration::resend, &registration::RESEND).limit("resend_verification"),

        Endpoint::new("login", POST, "/login", logins::login, &logins::LOGIN).limit("login").oauth().opens_session(),
        Endpoint::new("token", POST, "/token", logins::token, &logins::TOKEN).limit("token").oauth().opens_session(),
        Endpoint::new("login_mfa", POST, "/login/mfa", second_factors::login_mfa, &second_factors::LOGIN_MFA).limit("login_mfa").oauth().opens_session(),
        Endpoint::new("login_enrolment", POST, "/login/enrolment", enrolment::confirm, &enrolment::CONFIRM).limit("login_enrolment").oauth(),
        Endpoint::new("login_enrolment_factor", POST, "/login/enrolment/factor", enrolment::enrol, &enrolment::ENROL).limit("login_enrolment").oauth().opens_session(),
        Endpoint::new("login_passkey_options", POST, "/login/passkey/options", passkeys::login_options, &passkeys::LOGIN_OPTIONS).limit("login_passkey_options"),
        Endpoint::new("login_passkey", POST, "/login/passkey", passkeys::login, &passkeys::LOGIN).limit("login_passkey").oauth().opens_session(),

        Endpoint::new("otp_phone", POST, "/otp_phone", phones::send_otp, &phones::SEND_OTP).limit("otp_phone").reads_query(),
        Endpoint::new("verify_otp_phone", GET_POST, "/verify_otp_phone", phones::verify_otp, &phones::VERIFY_OTP).limit("verify_otp_phone").changes_by_get(ChangesByGet::Always).reads_query(),

        Endpoint::new("forget_password", GET_POST, "/forget_password", passwords::forget, &passwords::FORGET).limit("forget_password").changes_by_get(ChangesByGet::Always).reads_query(),
        Endpoint::new("reset_password_form", GET, "/reset_password_form", passwords::reset_form, &passwords::RESET_FORM).limit("reset_password_form").cancel_on_disconnect().reads_query(),
        Endpoint::new("reset_password", POST, "/reset_password", passwords::reset, &passwords::RESET).limit("reset_password").reads_query(),

        Endpoint::new("undo_page", GET, "/undo", recovery::undo_page, &recovery::UNDO_PAGE).limit("undo").cancel_on_disconnect().reads_query(),
        Endpoint::new("undo", POST, "/undo", recovery::undo, &recovery::UNDO).limit("undo"),

        Endpoint::new("profile", GET, "/", profile::show, &profile::SHOW).limit("profile").access(Access::User).cancel_on_disconnect().reads_query(),
        Endpoint::new("update", PUT_PATCH, "/update", profile::update, &profile::UPDATE).limit("update").access(Access::User),
        Endpoint::new("change_password", POST, "/change_password", passwords::change, &passwords::CHANGE).limit("change_password").access(Access::User),
        Endpoint::new("step_up", POST, "/step_up", second_factors::step_up, &second_factors::STEP_UP).limit("step_up").access(Access::User),
        Endpoint::new("logout", GET_POST, "/logout", sessions::logout, &sessions::LOGOUT).limit("logout").access(Access::User).changes_by_get(ChangesByGet::Always),
        Endpoint::new("logout_all", POST, "/logout_all", sessions::logout_all, &sessions::LOGOUT_ALL).limit("logout_all").access(Access::User),
        Endpoint::new("sessions", GET, "/sessions", sessions::list, &sessions::LIST).limit("sessions").access(Access::User).cancel_on_disconnect(),
        Endpoint::new("end_session", DELETE, "/sessions/{id}", sessions::end, &sessions::END).limit("sessions").access(Access::User),
        Endpoint::new("devices", GET, "/devices", devices::list, &devices::LIST).limit("devices").access(Access::User).cancel_on_disconnect(),
        Endpoint::new("forget_device", DELETE, "/devices/{id}", devices::forget, &devices::FORGET).limit("devices").access(Access::User),
        Endpoint::new("mfa", GET, "/mfa", factors::show, &factors::SHOW).limit("mfa").access(Access::User).cancel_on_disconnect(),
        Endpoint::new("set_mfa", PUT, "/mfa", factors::set_sms, &factors::SET_SMS).limit("mfa").access(Access::User),
        Endpoint::new("begin_totp", POST, "/mfa/totp", factors::begin_totp, &factors::BEGIN_TOTP).limit("mfa").access(Access::User),
        Endpoint::new("confirm_totp", PUT, "/mfa/totp", factors::confirm_totp, &factors::CONFIRM_TOTP).limit("mfa").access(Access::User),
        Endpoint::new("remove_totp", DELETE, "/mfa/totp", factors::remove_totp, &factors::REMOVE_TOTP).limit("mfa").access(Access::User),
        Endpoint::new("backup_codes", POST, "/mfa/backup_codes", factors::new_backup_codes, &factors::NEW_BACKUP_CODES).limit("mfa").access(Access::User),
        Endpoint::new("passkey_options", POST, "/passkeys/options", passkeys::options, &passkeys::OPTIONS).limit("passkeys").access(Access::User),
        Endpoint::new("add_passkey", POST, "/passkeys", passkeys::add, &passkeys::ADD).limit("passkeys").access(Access::User),
        Endpoint::new("passkeys", GET, "/passkeys", passkeys::list, &passkeys::LIST).limit("passkeys").access(Access::User).cancel_on_disconnect(),
        Endpoint::new("rename_passkey", PATCH, "/passkeys/{id}", passkeys::rename, &passkeys::RENAME).limit("passkeys").access(Access::User),
        Endpoint::new("remove_passkey", DELETE, "/passkeys/{id}", passkeys::remove, &passkeys::REMOVE).limit("passkeys").access(Access::User),
        Endpoint::new("export", GET, "/export", account::export, &account::EXPORT).limit("export").access(Access::User),
        Endpoint::new("delete", DELETE, "/delete", account::delete, &account::DELETE).limit("delete").access(Access::User),

        Endpoint::new("introspect", POST, "/introspect", clients::introspect, &clients::INTROSPECT).limit("introspect").access(Access::ServiceClient).oauth(),
        Endpoint::new("revoke", POST, "/revoke", clients::revoke, &clients::REVOKE).limit("revoke").oauth(),
    ]
}

/// The endpoints of the admin API of a realm, below `/admin/v1/{realm}`.
#[rustfmt::skip]
#[must_use]
pub fn admin_endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new("admin_search", POST, "/users/search", admin::search, &admin::SEARCH).limit("admin").access(Access::Admin(Scope::UsersRead)),
        Endpoint::new("admin_user", GET, "/users/{id}", admin::show, &admin::SHOW).limit("admin").access(Access::Admin(Scope::UsersRead)).cancel_on_disconnect(),
        Endpoint::new("admin_change", PATCH, "/users/{id}", admin::change, &admin::CHANGE).limit("admin").access(Access::Admin(Scope::UsersWrite)),
        Endpoint::new("admin_profile", POST, "/users/{id}/profile", admin::profile, &admin::PROFILE).limit("admin").access(Access::Admin(Scope::ProfilesRead)),
        Endpoint::new("admin_roles", PUT, "/users/{id}/roles", admin::set_roles, &admin::SET_ROLES).limit("admin").access(Access::Admin(Scope::RolesWrite)),
        Endpoint::new("admin_end_sessions", DELETE, "/users/{id}/sessions", admin::end_sessions, &admin::END_SESSIONS).limit("admin").access(Access::Admin(Scope::UsersWrite)),
        Endpoint::new("admin_require_reset", POST, "/users/{id}/require-reset", admin::require_reset, &admin::REQUIRE_RESET).limit("admin").access(Access::Admin(Scope::UsersWrite)),
        Endpoint::new("admin_reset_factors", POST, "/users/{id}/reset-factors", admin::reset_factors, &admin::RESET_FACTORS).limit("admin").access(Access::Admin(Scope::FactorsWrite)),
        Endpoint::new("admin_delete", DELETE, "/users/{id}", admin::delete, &admin::DELETE).limit("admin").access(Access::Admin(Scope::UsersDelete)),
        Endpoint::new("admin_audit", GET, "/audit", admin::audit, &admin::AUDIT).limit("admin").access(Access::Admin(Scope::AuditRead)).cancel_on_disconnect().reads_query(),
        Endpoint::new("admin_dead_letters", GET, "/dead-letters", admin::dead_letters, &admin::DEAD_LETTERS).limit("admin").access(Access::Admin(Scope::DeadLetters)).cancel_on_disconnect().reads_query(),
        Endpoint::new("admin_retry", POST, "/dead-letters/{id}/retry", admin::retry_dead_letter, &admin::RETRY_DEAD_LETTER).limit("admin").access(Access::Admin(Scope::DeadLetters)),
        Endpoint::new("admin_webhooks", GET, "/webhooks", admin::webhooks, &admin::WEBHOOKS).limit("admin").access(Access::Admin(Scope::Webhooks)).cancel_on_disconnect(),
        Endpoint::new("admin_create_webhook", POST, "/webhooks", admin::create_webhook, &admin::CREATE_WEBHOOK).limit("admin").access(Access::Admin(Scope::Webhooks)),
        Endpoint::new("admin_webhook", GET, "/webhooks/{id}", admin::webhook, &admin::WEBHOOK).limit("admin").access(Access::Admin(Scope::Webhooks)).cancel_on_disconnect(),
        Endpoint::new("admin_change_webhook", PATCH, "/webhooks/{id}", admin::change_webhook, &admin::CHANGE_WEBHOOK).limit("admin").access(Access::Admin(Scope::Webhooks)),
        Endpoint::new("admin_delete_webhook", DELETE, "/webhooks/{id}", admin::delete_webhook, &admin::DELETE_WEBHOOK).limit("admin").access(Access::Admin(Scope::Webhooks)),
        Endpoint::new("admin_rotate_webhook", POST, "/webhooks/{id}/rotate", admin::rotate_webhook, &admin::ROTATE_WEBHOOK).limit("admin").access(Access::Admin(Scope::Webhooks)),
        Endpoint::new("admin_test_webhook", POST, "/webhooks/{id}/test", admin::test_webhook, &admin::TEST_WEBHOOK).limit("admin").access(Access::Admin(Scope::Webhooks)),
        Endpoint::new("admin_deliveries", GET, "/webhooks/{id}/deliveries", admin::deliveries, &admin::DELIVERIES).limit("admin").access(Access::Admin(Scope::Webhooks)).cancel_on_disconnect().reads_query(),
        Endpoint::new("admin_replay", POST, "/webhooks/{id}/replay", admin::replay, &admin::REPLAY).limit("admin").access(Access::Admin(Scope::Webhooks)),
    ]
}

/// The endpoints of the system.
#[rustfmt::skip]
#[must_use]
pub fn system_endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new("health", GET, "/health", system::health, &system::HEALTH),
        Endpoint::new("health_detailed", GET, "/health/detailed", system::detailed, &system::DETAILED).access(Access::Operator),
        Endpoint::new("livez", GET, "/livez", system::livez, &system::LIVEZ),
        Endpoint::new("readyz", GET, "/readyz", system::readyz, &system::READYZ),
        Endpoint::new("metrics", GET, "/metrics", system::metrics, &system::METRICS).access(Access::Operator),
        Endpoint::new("jwks", GET, "/.well-known/jwks.json", clients::jwks, &clients::JWKS),
        Endpoint::new("authorization_server", GET, "/.well-known/oauth-authorization-server/{*issuer}", well_known::metadata, &well_known::METADATA),
        Endpoint::new("security_contact", GET, "/.well-known/security.txt", well_known::security, &well_known::SECURITY),
        Endpoint::new("change_password_page", GET, "/.well-known/change-password", well_known::change_password, &well_known::CHANGE_PASSWORD),
        Endpoint::new("passkey_pages", GET, "/.well-known/passkey-endpoints", well_known::passkey_pages, &well_known::PASSKEY_PAGES),
        Endpoint::new("related_origins", GET, "/.well-known/webauthn", well_known::related_origins, &well_known::RELATED_ORIGINS),
        Endpoint::new("apple_apps", GET, "/.well-known/apple-app-site-association", well_known::apple_apps, &well_known::APPLE_APPS),
        Endpoint::new("android_apps", GET, "/.well-known/assetlinks.json", well_known::android_apps, &well_known::ANDROID_APPS),
        Endpoint::new("start", GET, "/", start_page::start, &start_page::START),
        Endpoint::new("openapi", GET, "/openapi.json", docs::openapi, &docs::OPENAPI),
        Endpoint::new("docs", GET, "/docs", docs::docs, &docs::DOCS),
        Endpoint::new("redoc", GET, "/redoc", docs::redoc, &docs::REDOC),
        Endpoint::new("scalar", GET, "/scalar", docs::scalar, &docs::SCALAR),
        Endpoint::new("problems", GET, "/problems", docs::problems, &docs::PROBLEMS),
        Endpoint::new("problem", GET, "/problems/{code}", docs::problem, &docs::PROBLEM),
        Endpoint::new("asset", GET, "/assets/{*file}", docs::asset, &docs::ASSET),
    ]
}

/// The endpoints that exist in development only.
#[must_use]
pub fn development_endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new("mailbox", GET, "/dev/mailbox", mailbox::list, &mailbox::LIST),
        Endpoint::new("demo", GET, "/demo", demo::redirect, &demo::REDIRECT),
        Endpoint::new("demo_page", GET, "/demo/", demo::page, &demo::PAGE).reads_query(),
        Endpoint::new("demo_file", GET, "/demo/{*file}", demo::file, &demo::FILE),
    ]
}

/// The control plane of `portcullis testkit`.
#[cfg(feature = "testkit")]
#[rustfmt::skip]
#[must_use]
pub fn testkit_endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new("test_clock", GET, "/__test__/clock", test_control::clock, &test_control::CLOCK),
        Endpoint::new("test_advance", POST, "/__test__/clock/advance", test_control::advance, &test_control::ADVANCE),
        Endpoint::new("test_factors", POST, "/__test__/factors", test_control::factors::factors, &test_control::factors::FACTORS),
        Endpoint::new("test_outbox", GET, "/__test__/outbox", test_control::outbox, &test_control::OUTBOX).reads_query(),
        Endpoint::new("test_empty_outbox", DELETE, "/__test__/outbox", test_control::empty_outbox, &test_control::EMPTY_OUTBOX),
        Endpoint::new("test_faults", PUT, "/__test__/faults", test_control::faults, &test_control::FAULTS),
        Endpoint::new("test_limits", DELETE, "/__test__/limits", test_control::reset_limits, &test_control::RESET_LIMITS),
        Endpoint::new("test_snapshot", POST, "/__test__/snapshot", test_control::snapshot, &test_control::SNAPSHOT),
        Endpoint::new("test_restore", POST, "/__test__/restore", test_control::restore, &test_control::RESTORE),
        Endpoint::new("test_disabled", PUT, "/__test__/disabled", test_control::disabled, &test_control::DISABLED),
        Endpoint::new("test_seed", PUT, "/__test__/seed", test_control::seed, &test_control::SEED),
    ]
}

/// The endpoints that depend on the deployment: those of development and those of the test kit.
#[must_use]
pub fn optional_endpoints(app: &App) -> Vec<Endpoint> {
    let development = app.mailbox.is_some().then(development_endpoints);
    #[cfg(feature = "testkit")]
    let testkit = app.testkit.is_some().then(testkit_endpoints);
    #[cfg(not(feature = "testkit"))]
    let testkit = None;
    development.into_iter().chain(testkit).flatten().collect()
}

/// The endpoints outside realms that this deployment has.
#[must_use]
pub fn served_endpoints(app: &App) -> Vec<Endpoint> {
    let is_served = |endpoint: &Endpoint| app.api_docs || !DOCUMENTATION.contains(&endpoint.id);
    system_endpoints().into_iter().filter(is_served).chain(optional_endpoints(app)).collect()
}

/// The application.
pub fn router(app: Arc<App>) -> Router {
    let mut router = Router::new();
    for realm in &app.realms {
        for (path, endpoints) in by_path(realm_endpoints()) {
            let methods = method_router(&app, Some(realm), endpoints);
            if path == "/" {
                router = router.route(&format!("/{realm}"), methods.clone());
            }
            router = router.route(&format!("/{realm}{path}"), methods);
        }
        for (path, endpoints) in by_path(admin_endpoints()) {
            router = router.route(&format!("{ADMIN_PATH}/{realm}{path}"), method_router(&app, Some(realm), endpoints));
        }
    }
    for (path, endpoints) in by_path(served_endpoints(&app)) {
        let mut methods = method_router(&app, None, endpoints);
        if path.starts_with("/dev/") {
            methods = methods.layer(from_fn_with_state(app.clone(), require_local_request));
        }
        router = router.route(path, methods);
    }
    let layers = ServiceBuilder::new()
        .layer(from_fn_with_state(app.clone(), finish_response))
        .layer(from_fn(check_head))
        .layer(CatchPanicLayer::custom(panic_response))
        .layer(from_fn_with_state(cors_rules(&app), cors));
    let prefix = app.path_prefix.clone();
    let router = router.fallback(async || Problem::not_found()).layer(layers).with_state(app);
    if prefix.is_empty() {
        return router;
    }
    // around the router: a layer of it would see a request that is routed already
    let with_prefix = ServiceBuilder::new().map_request(move |request| remove_prefix(&prefix, request));
    Router::new().fallback_service(with_prefix.service(router))
}

fn by_path(endpoints: Vec<Endpoint>) -> BTreeMap<&'static str, Vec<Endpoint>> {
    let mut paths: BTreeMap<&str, Vec<Endpoint>> = BTreeMap::new();
    for endpoint in endpoints {
        paths.entry(endpoint.path).or_default().push(endpoint);
    }
    paths
}

/// The endpoints of one path, each behind its guard.
fn method_router(app: &Arc<App>, realm: Option<&Realm>, endpoints: Vec<Endpoint>) -> MethodRouter<Arc<App>> {
    let methods = endpoints.iter().flat_map(|endpoint| endpoint.methods.iter().map(Method::as_str));
    let allow: Arc<str> = methods.chain(["OPTIONS"]).collect::<Vec<_>>().join(", ").into();
    let format = endpoints.first().map(|endpoint| endpoint.error_format).unwrap_or_default();
    let other_method = async move |method: Method| match method {
        Method::OPTIONS => (StatusCode::NO_CONTENT, [(ALLOW, &*allow)]).into_response(),
        _ => Problem::method_not_allowed(&allow).format(format).into_response(),
    };
    let mut router = MethodRouter::new().fallback(other_method.clone());
    if realm.is_some() && !endpoints.iter().any(|endpoint| endpoint.cancel_on_disconnect) {
        // axum would answer HEAD with the handler of GET, and a realm has GETs that change something (`/logout`)
        router = router.on(MethodFilter::HEAD, other_method);
    }
    for endpoint in endpoints {
        let handler = endpoint.handler.clone();
        let state = Arc::new(Guard::new(app.clone(), realm.cloned(), endpoint));
        router = router.merge(handler.route_layer(from_fn_with_state(state, guard)));
    }
    router
}
