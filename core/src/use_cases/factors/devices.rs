//! List and forget remembered devices.

use crate::model::device::Device;
use crate::model::event::EventKind;
use crate::model::ids::DeviceId;
use crate::model::user::User;
use crate::ports::database::UnitOfWork;
use crate::use_cases::factors::Factors;
use crate::use_cases::shared::caller::Caller;
use crate::use_cases::shared::commit::VersionCheck;
use crate::use_cases::shared::errors::AuthError;

impl Factors<'_> {
    /// The caller's remembered devices, the oldest first.
    ///
    /// # Errors
    /// When a port fails.
    pub fn list_devices(self, caller: &Caller) -> Result<Vec<Device>, AuthError> {
        Ok(self.service.devices(&caller.user)?.0)
    }

    /// Forgets a device: the next login from it asks for a second factor. Its sessions stay. Recent authentication is not
    /// needed, because it gives no right.
    ///
    /// # Errors
    /// `NotFound`, `NotAuthenticated`.
    pub async fn forget_device(self, caller: &Caller, id: DeviceId) -> Result<(), AuthError> {
        let forget = |user: &mut User| {
            let rest = self.service.devices(user)?.without(id).ok_or(AuthError::NotFound)?;
            let sealed = self.service.seal_devices(user, &rest)?;
            user.factors.devices = sealed;
            Ok(())
        };
        let effects = |user: &User| UnitOfWork {
            events: vec![self.service.event(
                &user.realm,
                EventKind::DeviceForgotten,
                Some(user.id),
                Some(caller.session.id),
            )],
            ..UnitOfWork::default()
        };
        self.service.update_account(caller.user.clone(), VersionCheck::MustMatch, forget, effects).await.map(|_| ())
    }
}
