//! An operator reads, exports or deletes a person's data. The audit event of a reading is committed before anything is
//! opened.

use crate::model::event::EventKind;
use crate::model::ids::UserId;
use crate::model::job::Task;
use crate::model::message::OperatorAction;
use crate::model::realm::Realm;
use crate::model::user::Profile;
use crate::ports::database::UnitOfWork;
use crate::use_cases::account::export::Export;
use crate::use_cases::operator::Operators;
use crate::use_cases::operator::accounts::{AccountState, to_not_found};
use crate::use_cases::session::sessions::SessionView;
use crate::use_cases::shared::errors::AuthError;

/// An account with the fields of its owner.
#[derive(Debug)]
pub struct AccountDetails {
    /// Its state.
    pub state: AccountState,
    /// The owner's fields.
    pub profile: Profile,
    /// Where the owner is logged in.
    pub sessions: Vec<SessionView>,
}

impl Operators<'_> {
    /// The account of an id or an address with the fields of its owner.
    ///
    /// # Errors
    /// `NotFound`; when a port fails.
    pub async fn show_account(self, realm: &Realm, who: &str) -> Result<AccountDetails, AuthError> {
        let user = self.named(realm, who).await?;
        let event = self.event(realm, EventKind::AccountRead, Some(user.id));
        self.service.commit(UnitOfWork { events: vec![event], ..UnitOfWork::default() }).await?;
        Ok(AccountDetails {
            state: self.state_of(&user).await?,
            profile: self.service.decrypt_profile(&user)?,
            sessions: self.service.sessions().sessions_of(&user, None).await?,
        })
    }

    /// Everything stored about a person. Its owner gets a mail.
    ///
    /// # Errors
    /// `NotFound`; when a port fails.
    pub async fn export_account(self, realm: &Realm, who: &str) -> Result<Export, AuthError> {
        let user = self.named(realm, who).await?;
        let event = self.event(realm, EventKind::DataExported, Some(user.id));
        let (at, action) = (self.service.ports.clock.now(), OperatorAction::DataExported);
        let notice = Task::OperatorActed { user: user.id, at, action };
        self.service.accounts().export_with(&user, None, event, notice).await
    }

    /// Deletes the account of an id or an address like its owner would. Its owner gets a mail.
    ///
    /// # Errors
    /// `NotFound`; when a port fails.
    pub async fn delete_account(self, realm: &Realm, who: &str) -> Result<UserId, AuthError> {
        let user = self.named(realm, who).await?;
        let event = self.event(realm, EventKind::AccountDeleted, Some(user.id));
        let done = self.service.accounts().erase((realm, &user.id), |user| self.check(user), &event).await;
        done.map_err(to_not_found).map(|()| user.id)
    }
}
