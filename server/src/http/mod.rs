//! HTTP: every route on one screen. A row says everything about an endpoint; the order within a group is the story's.

pub mod address;
pub mod app;
pub mod assets;
pub mod context;
pub mod dispatch;
pub mod edge;
pub mod endpoint;
pub mod error;
pub mod hang_up;
pub mod members;
pub mod negotiation;
pub mod openapi;
pub mod pages;
pub mod problem;
pub mod request_id;
pub mod site;

// endpoint groups
pub mod account;
pub mod clients;
pub mod demo;
pub mod docs;
pub mod logins;
pub mod mailbox;
pub mod passwords;
pub mod phones;
pub mod profile;
pub mod registration;
pub mod sessions;
pub mod system;
#[cfg(feature = "testkit")]
pub mod test_control;

use std::sync::Arc;

use http::Method;

use crate::handler;
use crate::http::app::App;
use crate::http::dispatch::Route;
use crate::http::endpoint::{Access, Endpoint};

const GET: &[Method] = &[Method::GET];
const POST: &[Method] = &[Method::POST];
const PUT: &[Method] = &[Method::PUT];
const DELETE: &[Method] = &[Method::DELETE];
const GET_POST: &[Method] = &[Method::GET, Method::POST];
const PUT_PATCH: &[Method] = &[Method::PUT, Method::PATCH];

/// The endpoints of every realm, below `/{realm}`.
#[rustfmt::skip]
pub const REALM: &[Endpoint] = &[
    Endpoint::new("create", POST, "/create", handler!(registration::create)).limit("create"),
    Endpoint::new("verify_page", GET, "/verify", handler!(registration::verify_page)).limit("verify"),
    Endpoint::new("verify", POST, "/verify", handler!(registration::verify)).limit("verify"),
    Endpoint::new("resend_verification", POST, "/resend_verification", handler!(registration::resend)).limit("resend_verification"),

    Endpoint::new("login", POST, "/login", handler!(logins::login)).limit("login").oauth(),
    Endpoint::new("token", POST, "/token", handler!(logins::token)).limit("token").oauth(),
    Endpoint::new("login_mfa", POST, "/login/mfa", handler!(logins::login_mfa)).limit("login_mfa").oauth(),

    Endpoint::new("otp_phone", POST, "/otp_phone", handler!(phones::send_otp)).limit("otp_phone"),
    Endpoint::new("verify_otp_phone", GET_POST, "/verify_otp_phone", handler!(phones::verify_otp)).limit("verify_otp_phone"),

    Endpoint::new("forget_password", GET_POST, "/forget_password", handler!(passwords::forget)).limit("forget_password"),
    Endpoint::new("reset_password_form", GET, "/reset_password_form", handler!(passwords::reset_form)).limit("reset_password_form"),
    Endpoint::new("reset_password", POST, "/reset_password", handler!(passwords::reset)).limit("reset_password"),

    Endpoint::new("profile", GET, "/", handler!(profile::show)).limit("profile").access(Access::User).reads(),
    Endpoint::new("update", PUT_PATCH, "/update", handler!(profile::update)).limit("update").access(Access::User),
    Endpoint::new("change_password", POST, "/change_password", handler!(passwords::change)).limit("change_password").access(Access::User),
    Endpoint::new("logout", GET_POST, "/logout", handler!(sessions::logout)).limit("logout").access(Access::User),
    Endpoint::new("logout_all", POST, "/logout_all", handler!(sessions::logout_all)).limit("logout_all").access(Access::User),
    Endpoint::new("sessions", GET, "/sessions", handler!(sessions::list)).limit("sessions").access(Access::User).reads(),
    Endpoint::new("end_session", DELETE, "/sessions/{id}", handler!(sessions::end)).limit("sessions").access(Access::User),
    Endpoint::new("mfa", GET, "/mfa", handler!(account::mfa)).limit("mfa").access(Access::User).reads(),
    Endpoint::new("set_mfa", PUT, "/mfa", handler!(account::set_mfa)).limit("mfa").access(Access::User),
    Endpoint::new("export", GET, "/export", handler!(account::export)).limit("export").access(Access::User),
    Endpoint::new("delete", DELETE, "/delete", handler!(account::delete)).limit("delete").access(Access::User),

    Endpoint::new("introspect", POST, "/introspect", handler!(clients::introspect)).limit("default").access(Access::ServiceClient).oauth(),
    Endpoint::new("revoke", POST, "/revoke", handler!(clients::revoke)).limit("default").oauth(),
];

/// The endpoints of the system.
#[rustfmt::skip]
pub const SYSTEM: &[Endpoint] = &[
    Endpoint::new("health", GET, "/health", handler!(system::health)),
    Endpoint::new("health_detailed", GET, "/health/detailed", handler!(system::detailed)).access(Access::Operator),
    Endpoint::new("livez", GET, "/livez", handler!(system::livez)),
    Endpoint::new("readyz", GET, "/readyz", handler!(system::readyz)),
    Endpoint::new("metrics", GET, "/metrics", handler!(system::metrics)).access(Access::Operator),
    Endpoint::new("jwks", GET, "/.well-known/jwks.json", handler!(clients::jwks)),
    Endpoint::new("openapi", GET, "/openapi.json", handler!(docs::openapi)),
    Endpoint::new("docs", GET, "/docs", handler!(docs::docs)),
    Endpoint::new("redoc", GET, "/redoc", handler!(docs::redoc)),
    Endpoint::new("scalar", GET, "/scalar", handler!(docs::scalar)),
    Endpoint::new("problems", GET, "/problems", handler!(docs::problems)),
    Endpoint::new("problem", GET, "/problems/{code}", handler!(docs::problem)),
    Endpoint::new("asset", GET, "/assets/{file}", handler!(docs::asset)),
];

/// The endpoints that exist in development only.
#[rustfmt::skip]
pub const DEVELOPMENT: &[Endpoint] = &[
    Endpoint::new("mailbox", GET, "/dev/mailbox", handler!(mailbox::list)),
    Endpoint::new("demo", GET, "/demo", handler!(demo::entrance)),
    Endpoint::new("demo_page", GET, "/demo/", handler!(demo::page)),
    Endpoint::new("demo_file", GET, "/demo/{*file}", handler!(demo::file)),
];

/// The control plane of `portcullis testkit`.
#[cfg(feature = "testkit")]
#[rustfmt::skip]
pub const TESTKIT: &[Endpoint] = &[
    Endpoint::new("test_clock", GET, "/__test__/clock", handler!(test_control::clock)),
    Endpoint::new("test_advance", POST, "/__test__/clock/advance", handler!(test_control::advance)),
    Endpoint::new("test_outbox", GET, "/__test__/outbox", handler!(test_control::outbox)),
    Endpoint::new("test_empty_outbox", DELETE, "/__test__/outbox", handler!(test_control::empty_outbox)),
    Endpoint::new("test_faults", PUT, "/__test__/faults", handler!(test_control::faults)),
    Endpoint::new("test_limits", DELETE, "/__test__/limits", handler!(test_control::forget_limits)),
    Endpoint::new("test_snapshot", POST, "/__test__/snapshot", handler!(test_control::snapshot)),
    Endpoint::new("test_restore", POST, "/__test__/restore", handler!(test_control::restore)),
    Endpoint::new("test_disabled", PUT, "/__test__/disabled", handler!(test_control::disabled)),
    Endpoint::new("test_seed", PUT, "/__test__/seed", handler!(test_control::seed)),
];

/// What this server has besides: its mailbox, and what a test controls.
pub fn besides(app: &App) -> impl Iterator<Item = &'static Endpoint> {
    let development = if app.mailbox.is_some() { DEVELOPMENT } else { &[] };
    #[cfg(feature = "testkit")]
    let controlled = if app.testkit.is_some() { TESTKIT } else { &[] };
    #[cfg(not(feature = "testkit"))]
    let controlled: &[Endpoint] = &[];
    development.iter().chain(controlled)
}

/// The rows that share a path, once per realm.
pub fn routes(app: &Arc<App>) -> Vec<(String, Route)> {
    let mut routes: Vec<(String, Route)> = Vec::new();
    let mut add = |path: String, realm: Option<&portcullis_core::model::realm::Realm>, endpoint: Endpoint| match routes
        .iter_mut()
        .find(|(seen, _)| *seen == path)
    {
        Some((_, route)) => route.endpoints.push(endpoint),
        None => routes.push((path, Route::new(app.clone(), realm.cloned(), vec![endpoint]))),
    };
    for realm in &app.realms {
        for endpoint in REALM {
            add(format!("/{realm}{}", endpoint.path), Some(realm), *endpoint);
            if endpoint.path == "/" {
                add(format!("/{realm}"), Some(realm), *endpoint);
            }
        }
    }
    for endpoint in SYSTEM.iter().chain(besides(app)) {
        add(endpoint.path.to_owned(), None, *endpoint);
    }
    routes
}
