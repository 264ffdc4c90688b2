//! Export: everything stored about the caller (GDPR art. 15 and 20).

use crate::model::device::Device;
use crate::model::email::Email;
use crate::model::event::{Event, EventKind};
use crate::model::ids::SessionId;
use crate::model::job::Task;
use crate::model::passkey::Passkey;
use crate::model::role::Roles;
use crate::model::sealed::Field;
use crate::model::undo::{FormerState, UndoRecord};
use crate::model::user::{Profile, User};
use crate::ports::database::UnitOfWork;
use crate::service::Ports;
use crate::use_cases::account::Accounts;
use crate::use_cases::session::sessions::SessionView;
use crate::use_cases::shared::caller::Caller;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::reauthenticate::Reauthentication;

/// How much of the audit log an export carries.
const EVENTS: u32 = 10_000;

/// Everything stored about a person.
#[derive(Debug)]
pub struct Export {
    /// Their data.
    pub profile: Profile,
    /// The names that operators gave to the account.
    pub roles: Roles,
    /// Their passkeys.
    pub passkeys: Vec<Passkey>,
    /// Their remembered devices.
    pub devices: Vec<Device>,
    /// Their address before the last change, if it has yet to be notified.
    pub previous_email: Option<Email>,
    /// Their changes that can be undone, each with the state before it, the oldest first.
    pub former_states: Vec<(UndoRecord, FormerState)>,
    /// Where they are logged in.
    pub sessions: Vec<SessionView>,
    /// The audit events of their id, newest first.
    pub events: Vec<Event>,
}

impl Accounts<'_> {
    /// Gathers everything.
    ///
    /// # Errors
    /// `ReauthenticationRequired`.
    pub async fn export(self, caller: &Caller) -> Result<Export, AuthError> {
        self.service.reauthenticate(caller, Reauthentication::None).await?;
        let (user, session) = (&caller.user, caller.session.id);
        let event = self.service.event(&user.realm, EventKind::DataExported, Some(user.id), Some(session));
        let notice = Task::DataExported { user: user.id, at: self.service.ports.clock.now() };
        self.export_with(user, Some(session), event, notice).await
    }

    /// Gathers everything about an account. The notice and the event are committed before anything is handed out.
    pub(crate) async fn export_with(
        self,
        user: &User,
        current: Option<SessionId>,
        event: Event,
        notice: Task,
    ) -> Result<Export, AuthError> {
        let Ports { audit, undos, .. } = &self.service.ports;
        let opener = self.service.record_cipher(user)?;
        let previous = user.previous_email.as_ref().map(|email| opener.email(Field::PreviousEmail, email));
        let previous = previous.transpose()?;
        let records = undos.list(&user.realm, &user.id).await?;
        let opened = records.into_iter().map(|record| {
            let former = self.service.former_state(user, &record);
            former.map(|former| (record, former))
        });
        let export = Export {
            former_states: opened.collect::<Result<_, _>>()?,
            passkeys: opener.passkeys(user)?.0,
            devices: self.service.devices(user)?.0,
            profile: self.service.decrypt_profile(user)?,
            roles: user.roles.clone(),
            previous_email: previous,
            sessions: self.service.sessions().sessions_of(user, current).await?,
            events: audit.of_user(&user.realm, &user.id, EVENTS).await?,
        };
        let work = UnitOfWork {
            jobs: vec![self.service.job(&user.realm, notice)],
            events: vec![event],
            ..UnitOfWork::default()
        };
        self.service.commit(work).await?;
        Ok(export)
    }
}
