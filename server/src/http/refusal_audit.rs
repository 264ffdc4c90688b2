//! Audit events about refused requests: too many of them, tokens and credentials that are not valid, and known callers
//! of the admin API who may not do this.

use http::StatusCode;
use portcullis_core::model::client::ClientAddress;
use portcullis_core::model::code::Code;
use portcullis_core::model::event::EventKind;
use portcullis_core::model::event_detail::EventDetail;
use portcullis_core::model::operator_note::OperatorNote;
use portcullis_core::model::realm::Realm;

use crate::http::admin_caller::AdminCaller;
use crate::http::app::App;
use crate::http::endpoint::{Access, Endpoint};

/// A refused request.
pub struct Refusal<'a> {
    /// The endpoint.
    pub endpoint: &'a Endpoint,
    /// The answer.
    pub answer: (StatusCode, Code),
    /// The address it came from.
    pub address: &'a ClientAddress,
    /// Whether it had credentials.
    pub tried: bool,
    /// The caller of the admin API, where it is a known one.
    pub admin: Option<&'a AdminCaller>,
}

impl Refusal<'_> {
    /// Records it, unless it is no event.
    pub async fn audit(&self, app: &App, realm: Option<&Realm>) {
        let Some(kind) = self.kind() else { return };
        // a system endpoint is of no realm, and its operators are those of each one
        for realm in realm.map_or(&*app.realms, std::slice::from_ref) {
            let detail = EventDetail::refusal(self.endpoint.id, self.answer.1);
            let mut event = app.service.refusal(realm, kind, Some(detail));
            let mut who = app.service.address_digest(realm, self.address);
            if let Some(admin) = self.admin {
                event.operator = Some(OperatorNote { operator: admin.name.clone(), reason: None });
                event.user = admin.user;
                who = app.service.service_client_digest(realm, &admin.name);
            }
            app.service.audit_refusal(event, who).await;
        }
    }

    fn kind(&self) -> Option<EventKind> {
        match (self.answer, self.endpoint.access) {
            ((StatusCode::TOO_MANY_REQUESTS, _), _) => Some(EventKind::RateLimitExceeded),
            ((StatusCode::FORBIDDEN, _), Access::Admin(_)) => Some(EventKind::AccessDenied),
            ((StatusCode::UNAUTHORIZED, _), Access::User | Access::Admin(_)) if self.tried => {
                Some(EventKind::TokenRefused)
            }
            ((StatusCode::UNAUTHORIZED, _), Access::Operator | Access::ServiceClient) if self.tried => {
                Some(EventKind::CredentialsRefused)
            }
            // a client that authenticates itself wrongly at the token endpoint
            ((StatusCode::UNAUTHORIZED, Code::InvalidClient), Access::Public) => Some(EventKind::CredentialsRefused),
            _ => None,
        }
    }
}
