//! An operator gives roles to an account and takes them back. Both have effect with the next request: rights are
//! decided by the roles of the account, and not by those in an access token, which are the ones of its issue.

use crate::model::code::{Code, Violation};
use crate::model::event::{Event, EventKind};
use crate::model::event_detail::EventDetail;
use crate::model::ids::UserId;
use crate::model::realm::Realm;
use crate::model::role::{RoleName, Roles};
use crate::model::user::User;
use crate::ports::database::UnitOfWork;
use crate::use_cases::operator::Operators;
use crate::use_cases::operator::accounts::to_not_found;
use crate::use_cases::shared::commit::VersionCheck;
use crate::use_cases::shared::errors::AuthError;

/// The roles of an account after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolesChange {
    /// The account.
    pub user: UserId,
    /// Its roles.
    pub roles: Roles,
}

/// A change of roles.
#[derive(Debug, Clone, Copy)]
pub enum RolesEdit<'a> {
    /// These, and no others.
    Set(&'a Roles),
    /// Some more, and without others.
    Change {
        /// The ones to give.
        add: &'a [RoleName],
        /// The ones to take back.
        remove: &'a [RoleName],
    },
}

impl RolesEdit<'_> {
    /// The roles afterwards.
    ///
    /// # Errors
    /// `Invalid` for more than an account may have.
    pub fn apply(&self, roles: &Roles) -> Result<Roles, AuthError> {
        match self {
            Self::Set(roles) => Ok((*roles).clone()),
            Self::Change { add, remove } => roles.with(add, remove).ok_or_else(|| {
                let message = "an account has at most 32 roles";
                AuthError::Invalid(vec![Violation::with_message("roles", Code::ValueInvalid, message)])
            }),
        }
    }
}

impl Operators<'_> {
    /// Changes the roles of the account of an id or an address. Its sessions stay.
    ///
    /// # Errors
    /// `NotFound`; `MfaOff` for the role `admin` without a second factor; `Invalid` for more roles than an account may have; `PreconditionFailed`; when a port fails.
    pub async fn change_roles(self, realm: &Realm, who: &str, edit: RolesEdit<'_>) -> Result<RolesChange, AuthError> {
        let user = self.named(realm, who).await?;
        let change = |user: &mut User| {
            self.check(user)?;
            let roles = edit.apply(&user.roles)?;
            if roles.has_admin() && !user.has_second_factor() {
                return Err(AuthError::MfaOff);
            }
            if roles.has_admin() {
                user.factors.devices = None;
            }
            user.roles = roles;
            Ok(())
        };
        let effects = |before: &User, after: &User| {
            let detail = EventDetail::roles(&before.roles, &after.roles);
            let event = Event { detail, ..self.event(realm, EventKind::RolesChanged, Some(after.id)) };
            Ok(UnitOfWork { events: vec![event], ..UnitOfWork::default() })
        };
        let done = self.service.update_credentials(user, VersionCheck::Ignore, change, effects).await;
        let done = done.map_err(to_not_found)?;
        Ok(RolesChange { user: done.user.id, roles: done.user.roles })
    }
}
