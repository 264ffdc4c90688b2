//! The admin API, below `/admin/v1/{realm}`: the use cases of the operators' commands, by operator token or by an account with the role
//! `admin`.

mod audit;
mod dead_letters;
mod interventions;
mod users;
mod webhooks;

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use portcullis_core::model::code::{Code, Violation};
use portcullis_core::model::operator_note::{OperatorNote, Reason};
use portcullis_core::model::realm::Realm;
use portcullis_core::use_cases::operator::Operators;
use serde_json::{Map, Value};

pub use self::audit::{LIST as AUDIT, event_json, list as audit};
pub use self::dead_letters::{
    LIST as DEAD_LETTERS, RETRY as RETRY_DEAD_LETTER, dead_letter_json, list as dead_letters,
    retry as retry_dead_letter,
};
pub use self::interventions::{DELETE, REQUIRE_RESET, RESET_FACTORS, delete, require_reset, reset_factors};
pub use self::users::{
    CHANGE, END_SESSIONS, PROFILE, SEARCH, SET_ROLES, SHOW, account_json, change, end_sessions, profile, search,
    set_roles, show,
};
pub use self::webhooks::{
    CHANGE as CHANGE_WEBHOOK, CREATE as CREATE_WEBHOOK, DELETE as DELETE_WEBHOOK, DELIVERIES, LIST as WEBHOOKS, REPLAY,
    ROTATE as ROTATE_WEBHOOK, SHOW as WEBHOOK, TEST as TEST_WEBHOOK, change as change_webhook,
    create as create_webhook, delete as delete_webhook, deliveries, delivery_json, issued_json, list as webhooks,
    replay, rotate as rotate_webhook, show as webhook, test as test_webhook, webhook_json,
};
use crate::http::admin_caller::AdminCaller;
use crate::http::app::App;
use crate::http::extract::{check_query, realm_of};
use crate::http::form_fields::FormFields;
use crate::http::problem::Problem;

/// The schemas of the group.
pub fn schemas() -> Value {
    let groups = [users::schemas(), audit::schemas(), dead_letters::schemas(), webhooks::schemas()];
    let members = groups.iter().filter_map(Value::as_object).flatten();
    Value::Object(members.map(|(name, schema)| (name.clone(), schema.clone())).collect::<Map<_, _>>())
}

/// A request of an operator to a realm. The guard has checked the token.
pub struct AdminContext {
    app: Arc<App>,
    realm: Realm,
    caller: AdminCaller,
}

impl FromRequestParts<Arc<App>> for AdminContext {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let realm = realm_of(parts)?.clone();
        let caller = parts.extensions.get::<AdminCaller>().cloned().ok_or_else(Problem::not_found)?;
        check_query(parts)?;
        Ok(Self { app: app.clone(), realm, caller })
    }
}

impl AdminContext {
    /// The use cases of this operator. A token that may not give roles may not change an account with the role `admin`: with
    /// one scope it could otherwise open the way to all of them, or lock the administrators out.
    fn operators<'a>(&'a self, note: &'a OperatorNote) -> Operators<'a> {
        self.app.service.operators_as(note).may_change_admins(self.caller.changes_admins)
    }

    /// The operator in the audit log.
    fn note(&self, reason: Option<Reason>) -> OperatorNote {
        OperatorNote { operator: self.caller.name.clone(), reason }
    }
}

/// The member `reason` of a body. A text that is no reason is reported by `finish`.
fn reason_of(fields: &mut FormFields) -> Option<Reason> {
    let text = fields.text("reason")?;
    let reason = Reason::parse(&text);
    if reason.is_none() {
        let message = "must be one line of 1 to 200 characters";
        fields.refuse(Violation::with_message("reason", Code::ValueInvalid, message));
    }
    reason
}

/// A number of the query between 1 and `most`.
fn limit_of(fields: &mut FormFields, default: u32, most: u32) -> u32 {
    let Some(text) = fields.text("limit") else { return default };
    let limit = text.parse().ok().filter(|limit| (1..=most).contains(limit));
    limit.unwrap_or_else(|| {
        let message = format!("must be a number between 1 and {most}");
        fields.refuse(Violation::with_message("limit", Code::ValueInvalid, message));
        default
    })
}
