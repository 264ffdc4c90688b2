//! What an endpoint is: one row of a table that the router, the limits, the documentation and the tests all read.

use std::future::Future;
use std::pin::Pin;

use axum::response::Response;
use http::Method;

use crate::http::context::Context;
use crate::http::problem::{Dialect, Problem};

/// What a handler gives back.
pub type Answer = Result<Response, Problem>;
/// A handler, boxed so that rows can hold it.
pub type Handler = fn(Context) -> Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// A user, with an access token of the realm.
    User,
    /// An operator, with an operator token.
    Operator,
    /// A service client (HTTP Basic) or an operator.
    ServiceClient,
}

/// One row.
#[derive(Clone, Copy)]
pub struct Endpoint {
    /// Its name in the documentation.
    pub id: &'static str,
    /// The methods it answers to; all do the same.
    pub methods: &'static [Method],
    /// The path, below the realm for endpoints of realms.
    pub path: &'static str,
    /// The row of the limits it counts in; `None` for what has no limit.
    pub limit: Option<&'static str>,
    /// Who may call.
    pub access: Access,
    /// How its errors look.
    pub dialect: Dialect,
    /// Whether it changes nothing: such a request may be dropped wherever it is.
    pub reads: bool,
    /// What it does.
    pub run: Handler,
}

impl Endpoint {
    /// A row with the usual error dialect, open to anyone and without a limit.
    #[must_use]
    pub const fn new(id: &'static str, methods: &'static [Method], path: &'static str, run: Handler) -> Self {
        Self { id, methods, path, limit: None, access: Access::Public, dialect: Dialect::Problem, reads: false, run }
    }

    /// The path as OpenAPI writes it, which has no word for a parameter that spans slashes.
    #[must_use]
    pub fn documented_path(&self) -> String {
        self.path.replace("{*", "{")
    }

    /// Counts in a row of the limits.
    #[must_use]
    pub const fn limit(self, row: &'static str) -> Self {
        Self { limit: Some(row), ..self }
    }

    /// Not for anyone.
    #[must_use]
    pub const fn access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// Changes nothing, not even a log of evidence.
    #[must_use]
    pub const fn reads(self) -> Self {
        Self { reads: true, ..self }
    }

    /// Speaks RFC 6749's errors too.
    #[must_use]
    pub const fn oauth(self) -> Self {
        Self { dialect: Dialect::OAuth, ..self }
    }
}

/// Turns an `async fn(Context) -> Answer` into a [`Handler`].
#[macro_export]
macro_rules! handler {
    ($path:path) => {
        |context| Box::pin($path(context))
    };
}
