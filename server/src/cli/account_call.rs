//! A command about one account: what it works with, and how accounts and errors are shown.

use portcullis_core::model::realm::Realm;
use portcullis_core::model::role::Roles;
use portcullis_core::service::AuthService;
use portcullis_core::use_cases::operator::accounts::AccountState;
use portcullis_core::use_cases::shared::errors::AuthError;

use super::failure::Failure;
use super::operator::Command as OperatorCommand;
use crate::http::rfc3339;

/// A command about one account.
pub struct Call<'a> {
    pub command: &'a OperatorCommand,
    pub service: &'a AuthService,
    pub realm: &'a Realm,
    pub who: &'a str,
}

impl Call<'_> {
    /// An error of this account.
    pub fn explain(&self, error: AuthError) -> Failure {
        match error {
            AuthError::NotFound => Failure::NotFound(format!(
                "{} has no such account. Fix: name it by its id (usr_…) or by the address it logs in with; one whose \
                 address was never verified is no account yet",
                self.realm
            )),
            AuthError::Port(error) => {
                Failure::Failed(format!("{}. Fix: call it again, what is there stays", error.with_cause()))
            }
            error => error.into(),
        }
    }
}

/// An account as a line of text, without a field of its owner.
pub fn line(realm: &Realm, state: &AccountState) -> String {
    let status = if state.disabled { "disabled" } else { "enabled" };
    let phone = if state.phone_verified { "phone verified" } else { "phone not verified" };
    let factor = factors_text(state, "no second factor");
    let (sessions, created) = (sessions_text(state.sessions), rfc3339(state.created_at));
    let roles = roles_text(&state.roles, "no role");
    format!("{}  {realm}  {status}  {phone}  {factor}  {roles}  {sessions}  since {created}", state.id)
}

/// The methods of the second factor, or the word for none.
pub fn factors_text(state: &AccountState, none: &str) -> String {
    let methods: Vec<&str> = state.factors.iter().map(|method| method.as_str()).collect();
    if methods.is_empty() { none.to_owned() } else { methods.join(", ") }
}

/// The roles, or the word for none.
pub fn roles_text(roles: &Roles, none: &str) -> String {
    if roles.is_empty() { none.to_owned() } else { roles.names().join(" ") }
}

pub fn sessions_text(count: u64) -> String {
    if count == 1 { "1 session".to_owned() } else { format!("{count} sessions") }
}
