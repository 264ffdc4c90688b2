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
pub mod sessions;

use crate::model::event::{Event, EventKind};
use crate::model::ids::UserId;
use crate::model::operator_note::OperatorNote;
use crate::model::realm::Realm;
use crate::service::AuthService;

/// The use cases of this area.
#[derive(Clone, Copy)]
pub struct Operators<'a> {
    service: &'a AuthService,
    note: Option<&'a OperatorNote>,
}

impl AuthService {
    /// Housekeeping, and the operator's commands without a name in the audit log.
    #[must_use]
    pub const fn operators(&self) -> Operators<'_> {
        Operators { service: self, note: None }
    }

    /// The operator's commands. Their audit events keep the note.
    #[must_use]
    pub const fn operators_as<'a>(&'a self, note: &'a OperatorNote) -> Operators<'a> {
        Operators { service: self, note: Some(note) }
    }
}

impl Operators<'_> {
    /// An audit event of the operator.
    fn event(self, realm: &Realm, kind: EventKind, user: Option<UserId>) -> Event {
        Event { operator: self.note.cloned(), ..self.service.event(realm, kind, user, None) }
    }
}
