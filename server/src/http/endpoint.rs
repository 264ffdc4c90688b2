//! An endpoint: one row of the table in `routes.rs`.

use std::sync::Arc;

use axum::handler::Handler;
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use http::Method;
use portcullis_core::model::credential::Scope;

use crate::http::app::App;
use crate::http::openapi::operation::Operation;
use crate::http::problem::{ErrorFormat, Problem};

/// The result of a handler.
pub type HandlerResult = Result<Response, Problem>;

/// The callers that an endpoint allows. The handler's extractors enforce it; `tests/http` compares the two.
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
    /// An operator, with an operator token of the realm that has this scope, or an account with the role `admin`.
    Admin(Scope),
}

/// Whether a GET changes something. Such a GET is refused when a page of another site caused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangesByGet {
    /// It only reads.
    Never,
    /// It does.
    Always,
    /// It does for a client that accepts JSON alone; others get a page that changes nothing.
    ForJsonAlone,
}

/// A row of the table.
#[derive(Clone)]
pub struct Endpoint {
    /// The name in metrics, logs and OpenAPI.
    pub id: &'static str,
    /// The methods that the handler answers.
    pub methods: &'static [Method],
    /// The path; that of a realm's endpoint is below `/{realm}`, that of the admin API below `/admin/v1/{realm}`.
    pub path: &'static str,
    /// The handler, for each of the methods.
    pub handler: MethodRouter<Arc<App>>,
    /// The OpenAPI description.
    pub operation: &'static Operation,
    /// The name of the rate limit; several endpoints may share one.
    pub limit: Option<&'static str>,
    /// The callers that are allowed.
    pub access: Access,
    /// The format of its errors.
    pub error_format: ErrorFormat,
    /// Whether the handler stops when the client disconnects, and answers HEAD beside GET. Only for handlers that write
    /// nothing.
    pub cancel_on_disconnect: bool,
    /// Whether a GET changes something.
    pub changes_by_get: ChangesByGet,
    /// Whether a success is a login: its client is known from then on.
    pub opens_session: bool,
    /// Whether the handler reads the query. Any query is refused elsewhere.
    pub reads_query: bool,
}

impl Endpoint {
    /// A public endpoint without a rate limit.
    pub fn new<H, T>(
        id: &'static str,
        methods: &'static [Method],
        path: &'static str,
        handler: H,
        operation: &'static Operation,
    ) -> Self
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        let filters = methods.iter().filter_map(|method| MethodFilter::try_from(method.clone()).ok());
        let filter = filters.reduce(MethodFilter::or);
        Self {
            id,
            methods,
            path,
            handler: filter.map_or_else(MethodRouter::new, |filter| on(filter, handler)),
            operation,
            limit: None,
            access: Access::Public,
            error_format: ErrorFormat::Problem,
            cancel_on_disconnect: false,
            changes_by_get: ChangesByGet::Never,
            opens_session: false,
            reads_query: false,
        }
    }

    /// Sets the rate limit.
    #[must_use]
    pub fn limit(self, name: &'static str) -> Self {
        Self { limit: Some(name), ..self }
    }

    /// Sets the callers that are allowed.
    #[must_use]
    pub fn access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// Adds the members of RFC 6749 to the errors.
    #[must_use]
    pub fn oauth(self) -> Self {
        Self { error_format: ErrorFormat::OAuth, ..self }
    }

    /// Sets whether a GET changes something.
    #[must_use]
    pub fn changes_by_get(self, changes_by_get: ChangesByGet) -> Self {
        Self { changes_by_get, ..self }
    }

    /// Says that a success is a login.
    #[must_use]
    pub fn opens_session(self) -> Self {
        Self { opens_session: true, ..self }
    }

    /// Leaves the query to the handler.
    #[must_use]
    pub fn reads_query(self) -> Self {
        Self { reads_query: true, ..self }
    }

    /// Stops the handler when the client disconnects.
    #[must_use]
    pub fn cancel_on_disconnect(self) -> Self {
        Self { cancel_on_disconnect: true, ..self }
    }

    /// The path as OpenAPI writes it, which has no syntax for a parameter with slashes.
    #[must_use]
    pub fn openapi_path(&self) -> String {
        self.path.replace("{*", "{")
    }
}
