//! The operator's commands and housekeeping.

pub mod accounts;
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
}

impl AuthService {
    /// Housekeeping, and the operator's commands without a name in the audit log.
    #[must_use]
    pub const fn operators(&self) -> Operators<'_> {
        Operators { service: self, note: None, expected: None }
    }

    /// The operator's commands. Their audit events keep the note.
    #[must_use]
    pub const fn operators_as<'a>(&'a self, note: &'a OperatorNote) -> Operators<'a> {
        Operators { service: self, note: Some(note), expected: None }
    }
}

impl Operators<'_> {
    /// Changes of an account are refused with `PreconditionFailed` where it has another version than this one.
    #[must_use]
    pub const fn if_version(self, expected: Option<u64>) -> Self {
        Self { expected, ..self }
    }

    /// Refuses an account of another version than the expected one.
    fn check_version(self, user: &User) -> Result<(), AuthError> {
        let is_another = self.expected.is_some_and(|expected| expected != user.version);
        if is_another { Err(AuthError::PreconditionFailed) } else { Ok(()) }
    }

    /// An audit event of the operator.
    fn event(self, realm: &Realm, kind: EventKind, user: Option<UserId>) -> Event {
        Event { operator: self.note.cloned(), ..self.service.event(realm, kind, user, None) }
    }
}
