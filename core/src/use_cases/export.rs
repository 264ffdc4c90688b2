//! Export: everything stored about the caller (GDPR art. 15 and 20).

use crate::model::event::{Event, EventKind};
use crate::model::user::Profile;
use crate::service::{AuthService, Ports};
use crate::use_cases::authenticate::Caller;
use crate::use_cases::errors::StoryError;
use crate::use_cases::sessions::SessionView;

/// How much of the audit log an export carries.
const EVENTS: u32 = 10_000;

/// Everything stored about a person.
#[derive(Debug)]
pub struct Export {
    /// Their data.
    pub profile: Profile,
    /// Where they are logged in.
    pub sessions: Vec<SessionView>,
    /// What the audit log has of their id, newest first.
    pub events: Vec<Event>,
}

impl AuthService {
    /// Gathers everything.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn export(&self, caller: &Caller) -> Result<Export, StoryError> {
        let Ports { audit, .. } = &self.ports;
        let user = &caller.user;
        let export = Export {
            profile: self.open_profile(user)?,
            sessions: self.list_sessions(caller).await?,
            events: audit.of_user(&user.realm, &user.id, EVENTS).await?,
        };
        self.record(&user.realm, EventKind::DataExported, Some(user.id), Some(caller.session.id));
        Ok(export)
    }
}
