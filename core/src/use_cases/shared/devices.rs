//! Remembered devices as they are made and recognised, and the list of everything that opens an account.

use crate::model::client::Client;
use crate::model::device::{DEVICE_LIFETIME, Device, Devices};
use crate::model::event::EventKind;
use crate::model::factor::FactorMethod;
use crate::model::ids::{DeviceId, SessionId};
use crate::model::listed_factor::{ListedFactor, ListedKind};
use crate::model::sealed::{Field, RingDigest, Sealed};
use crate::model::secret::OpaqueToken;
use crate::model::user::User;
use crate::ports::database::UnitOfWork;
use crate::ports::error::PortError;
use crate::ports::keyed_digest::Domain;
use crate::service::{AuthService, Ports};
use crate::use_cases::shared::commit::VersionCheck;
use crate::use_cases::shared::errors::AuthError;

impl AuthService {
    /// The remembered devices of an account that are not forgotten yet. With the role `admin` there is none: a password
    /// alone must not open such an account.
    pub(crate) fn devices(&self, user: &User) -> Result<Devices, PortError> {
        if user.roles.has_admin() {
            return Ok(Devices::default());
        }
        let Some(sealed) = &user.factors.devices else { return Ok(Devices::default()) };
        let devices = self.record_cipher(user)?.open_as(Field::Devices, sealed, Devices::parse)?;
        Ok(devices.unexpired(self.ports.clock.now()))
    }

    /// Everything that opens an account beside its password.
    pub(crate) fn listed_factors(&self, user: &User) -> Result<Vec<ListedFactor>, PortError> {
        let cipher = self.record_cipher(user)?;
        let factor =
            |method, since| ListedFactor { kind: ListedKind::Factor(method), name: None, since, last_used_at: None };
        let passkeys = cipher.passkeys(user)?.0.into_iter().map(|passkey| ListedFactor {
            name: Some(passkey.name.as_str().to_owned()),
            last_used_at: passkey.last_used_at,
            ..factor(FactorMethod::Passkey, Some(passkey.created_at))
        });
        let app = cipher.totp(user)?.map(|totp| factor(FactorMethod::Totp, Some(totp.since)));
        let sms = user.mfa_sms.then(|| factor(FactorMethod::Sms, None));
        let codes = cipher.backup_codes(user)?.map(|codes| factor(FactorMethod::BackupCode, Some(codes.since)));
        let devices = self.devices(user)?.0.into_iter().map(|device| ListedFactor {
            kind: ListedKind::Device,
            name: Some(device.user_agent),
            since: Some(device.created_at),
            last_used_at: device.last_used_at,
        });
        Ok(passkeys.chain(app).chain(sms).chain(codes).chain(devices).collect())
    }

    /// Devices for a store; `None` if there is none.
    pub(crate) fn seal_devices(&self, user: &User, devices: &Devices) -> Result<Option<Sealed>, PortError> {
        if devices.0.is_empty() {
            return Ok(None);
        }
        self.record_cipher(user)?.seal(Field::Devices, &devices.to_text()).map(Some)
    }

    /// A new device of an account, and its token. Nothing is stored yet.
    pub(crate) fn new_device(&self, user: &User, client: &Client, session: SessionId) -> (OpaqueToken, Device) {
        let Ports { clock, randomness, .. } = &self.ports;
        let (token, now) = (OpaqueToken::random(|bytes| randomness.fill(bytes)), clock.now());
        let device = Device {
            id: DeviceId::random(|bytes| randomness.fill(bytes)),
            token: *self.device_digest(user, &token).newest(),
            user_agent: client.user_agent.clone(),
            address: client.address.coarse(),
            session,
            created_at: now,
            last_used_at: None,
            expires_at: now + DEVICE_LIFETIME,
        };
        (token, device)
    }

    /// Commits the end of a session, and forgets each device whose newest session is not valid any more. Devices that can't
    /// be read are forgotten too: a session must end whatever became of them.
    pub(crate) async fn end_session_and_devices(
        &self,
        user: &User,
        session: &SessionId,
        work: UnitOfWork,
    ) -> Result<(), AuthError> {
        let Ports { sessions, clock, .. } = &self.ports;
        let listed_at = clock.now();
        // without the list every device is forgotten
        let stored = sessions.list(&user.realm, &user.id).await.unwrap_or_default();
        let valid = stored.iter().filter(|one| {
            !one.expired(listed_at) && one.credentials_version == user.credentials_version && one.id != *session
        });
        let valid: Vec<SessionId> = valid.map(|one| one.id).collect();
        let kept = |user: &User| {
            let devices = self.devices(user).unwrap_or_default();
            self.seal_devices(user, &devices.of_sessions(&valid, listed_at))
        };
        let all = self.devices(user).ok();
        if all.is_some_and(|all| all.clone().of_sessions(&valid, listed_at) == all) {
            return self.commit(work).await.map(|_| ());
        }
        let forget = |user: &mut User| {
            user.factors.devices = kept(user)?;
            Ok(())
        };
        let effects = |user: &User| {
            let forgotten = self.event(&user.realm, EventKind::DeviceForgotten, Some(user.id), None);
            let mut work = work.clone();
            work.events.push(forgotten);
            work
        };
        self.update_account(user.clone(), VersionCheck::MustMatch, forget, effects).await.map(|_| ())
    }

    /// The digest of a device's token: of one account, and of its credentials version.
    pub(crate) fn device_digest(&self, user: &User, token: &OpaqueToken) -> RingDigest {
        let version = user.credentials_version.to_be_bytes();
        let parts = [&b"device"[..], user.id.as_bytes(), &version, token.as_bytes()];
        self.ring_digest(Domain::OneTimeToken, &user.realm, &parts)
    }
}
