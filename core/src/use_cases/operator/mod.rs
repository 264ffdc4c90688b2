//! The operator's commands and housekeeping.

pub mod accounts;
pub mod audit_log;
pub mod create_account;
pub mod credentials;
pub mod dead_letters;
pub mod disable;
pub mod fake_user;
pub mod housekeeping;
pub mod personal_data;
pub mod reindex;
pub mod reset_factors;
pub mod roles;
pub mod sessions;
pub mod webhooks;

use crate::model::event::{Event, EventKind};
use crate::model::ids::UserId;
use crate::model::operator_note::OperatorNote;
use crate::model::realm::Realm;
use crate::model::user::User;
use crate::service::AuthService;
use crate::use_cases::shared::errors::AuthError;

/// The use cases of this area.
#[derive(Clone, Copy)]
pub struct Operators<'a> {
    service: &'a AuthService,
    note: Option<&'a OperatorNote>,
    /// The version that the account must have.
    expected: Option<u64>,
    /// Whether accounts with the role `admin` may be changed.
    changes_admins: bool,
}

impl AuthService {
    /// Housekeeping, and the operator's commands without a name in the audit log.
    #[must_use]
    pub const fn operators(&self) -> Operators<'_> {
        Operators { service: self, note: None, expected: None, changes_admins: true }
    }

    /// The operator's commands. Their audit events keep the note.
    #[must_use]
    pub const fn operators_as<'a>(&'a self, note: &'a OperatorNote) -> Operators<'a> {
        Operators { service: self, note: Some(note), expected: None, changes_admins: true }
    }
}

impl Operators<'_> {
    /// Changes of an account are refused with `PreconditionFailed` where it has another version than this one.
    #[must_use]
    pub const fn if_version(self, expected: Option<u64>) -> Self {
        Self { expected, ..self }
    }

    /// With `false`, changes of an account with the role `admin` are refused with `AdminProtected`.
    #[must_use]
    pub const fn may_change_admins(self, changes_admins: bool) -> Self {
        Self { changes_admins, ..self }
    }

    /// Refuses an account of another version than the expected one, and an administrator's where it may not be changed. It
    /// is called with the account that the commit replaces, so that a right given meanwhile counts.
    fn check(self, user: &User) -> Result<(), AuthError> {
        if self.expected.is_some_and(|expected| expected != user.version) {
            return Err(AuthError::PreconditionFailed);
        }
        if user.roles.has_admin() && !self.changes_admins { Err(AuthError::AdminProtected) } else { Ok(()) }
    }

    /// An audit event of the operator.
    fn event(self, realm: &Realm, kind: EventKind, user: Option<UserId>) -> Event {
        Event { operator: self.note.cloned(), ..self.service.event(realm, kind, user, None) }
    }
}
