//! Reset the factors of somebody who has lost them all: an operator's answer to a person whose identity was checked.

use crate::model::event::EventKind;
use crate::model::factor::SealedFactors;
use crate::model::ids::UserId;
use crate::model::job::Task;
use crate::model::realm::Realm;
use crate::model::undo::UndoableChange;
use crate::model::user::User;
use crate::ports::database::UnitOfWork;
use crate::service::{AuthService, Ports};
use crate::use_cases::operator::Operators;
use crate::use_cases::operator::accounts::to_not_found;
use crate::use_cases::shared::commit::VersionCheck;
use crate::use_cases::shared::errors::AuthError;

/// The result of a reset of factors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactorsReset {
    /// The account.
    pub user: UserId,
    /// Sessions that ended.
    pub sessions: u64,
}

impl Operators<'_> {
    /// Switches every second factor of an account off and removes its backup codes and the role `admin`. Every session, link and code ends. The
    /// owner gets a notice with an undo link.
    ///
    /// # Errors
    /// `NotFound`; `MfaOff` where there is nothing to reset; when a port fails.
    pub async fn reset_factors(self, realm: &Realm, who: &str) -> Result<FactorsReset, AuthError> {
        let Ports { clock, .. } = &self.service.ports;
        let user = self.named(realm, who).await?;
        let change = |user: &mut User| {
            self.check(user)?;
            if !user.has_second_factor() {
                return Err(AuthError::MfaOff);
            }
            user.mfa_sms = false;
            user.factors = SealedFactors::default();
            user.drop_what_needs_a_factor();
            user.end_rights();
            Ok(())
        };
        let undo = self.service.new_undo_id();
        let task = Task::FactorsReset { user: user.id, at: clock.now(), undo: Some(undo) };
        let effects = |before: &User, after: &User| {
            let mut changes = AuthService::changes_that_end_rights(after);
            changes.push(self.service.undo_record(undo, UndoableChange::Factors, (before, after))?);
            Ok(UnitOfWork {
                changes,
                jobs: vec![self.service.job(realm, task.clone())],
                events: vec![self.event(realm, EventKind::FactorsReset, Some(after.id))],
            })
        };
        let done =
            self.service.update_credentials(user, VersionCheck::Ignore, change, effects).await.map_err(to_not_found)?;
        Ok(FactorsReset { user: done.user.id, sessions: done.committed.sessions })
    }
}
