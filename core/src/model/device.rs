//! Remembered devices of an account: from one of them the right password logs in without a second factor. A store gets
//! them sealed.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::ids::{DeviceId, SessionId};
use crate::model::sealed::{Digest, RingDigest};
use crate::model::time::Timestamp;

/// How many devices an account may have; the oldest give way to newer ones.
pub const MAX_DEVICES: usize = 20;

/// How long a device is remembered. Its use does not extend it.
pub const DEVICE_LIFETIME: Duration = Duration::from_hours(30 * 24);

/// Separates devices in the text for sealing.
const SEPARATOR: char = ';';

/// A remembered device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its id in the API.
    pub id: DeviceId,
    /// The keyed digest of its token, of its account and of the account's credentials version.
    pub token: Digest,
    /// The `User-Agent` of the login that it was remembered at.
    pub user_agent: String,
    /// The coarse address of that login.
    pub address: String,
    /// The newest session that was opened from it.
    pub session: SessionId,
    /// When it was remembered.
    pub created_at: Timestamp,
    /// When it last stood in for a second factor.
    pub last_used_at: Option<Timestamp>,
    /// It is forgotten from here on.
    pub expires_at: Timestamp,
}

/// The remembered devices of an account, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Devices(pub Vec<Device>);

impl Devices {
    /// Those that are not forgotten yet.
    #[must_use]
    pub fn unexpired(mut self, now: Timestamp) -> Self {
        self.0.retain(|device| now < device.expires_at);
        self
    }

    /// These and a new one.
    #[must_use]
    pub fn with(mut self, device: Device) -> Self {
        self.0.push(device);
        let surplus = self.0.len().saturating_sub(MAX_DEVICES);
        self.0.drain(..surplus);
        self
    }

    /// These without that one; `None` where it is not among them.
    #[must_use]
    pub fn without(mut self, id: DeviceId) -> Option<Self> {
        let before = self.0.len();
        self.0.retain(|device| device.id != id);
        (self.0.len() < before).then_some(self)
    }

    /// These after the one with that token opened a session; `None` where there is none.
    #[must_use]
    pub fn used(mut self, token: &RingDigest, session: SessionId, now: Timestamp) -> Option<Self> {
        let device = self.0.iter_mut().find(|device| token.has(&device.token))?;
        device.last_used_at = Some(now);
        device.session = session;
        Some(self)
    }

    /// Those whose newest session is among these, or that were used after them.
    #[must_use]
    pub fn of_sessions(mut self, sessions: &[SessionId], listed_at: Timestamp) -> Self {
        let used_at = |device: &Device| device.last_used_at.unwrap_or(device.created_at);
        self.0.retain(|device| sessions.contains(&device.session) || used_at(device) > listed_at);
        self
    }

    /// As text for sealing, in one line.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.0.iter().map(Device::to_text).collect::<Vec<_>>().join(&SEPARATOR.to_string())
    }

    /// Reads that text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        text.split(SEPARATOR).map(Device::parse).collect::<Option<_>>().map(Self)
    }
}

impl Device {
    fn to_text(&self) -> String {
        let Self { id, token, user_agent, address, session, created_at, last_used_at, expires_at } = self;
        let used = last_used_at.map_or_else(|| "-".to_owned(), |at| at.as_millis().to_string());
        let [token, user_agent, address] = [token.as_bytes().as_slice(), user_agent.as_bytes(), address.as_bytes()]
            .map(|it| URL_SAFE_NO_PAD.encode(it));
        let [created_at, expires_at] = [created_at, expires_at].map(|at| at.as_millis());
        format!("{id} {created_at} {used} {expires_at} {token} {user_agent} {address} {session}")
    }

    fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        let [id, created_at, used, expires_at, token, user_agent, address, session @ ..] = words.as_slice() else {
            return None;
        };
        let session = match session {
            [session] => SessionId::parse(session)?,
            // of a version that did not know it: no session has this id
            [] => SessionId::from_bytes([0; 16]),
            _ => return None,
        };
        let millis = |text: &str| text.parse().ok().map(Timestamp::from_millis);
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        Some(Self {
            id: DeviceId::parse(id)?,
            token: Digest::from_bytes(bytes(token)?.try_into().ok()?),
            user_agent: String::from_utf8(bytes(user_agent)?).ok()?,
            address: String::from_utf8(bytes(address)?).ok()?,
            session,
            created_at: millis(created_at)?,
            last_used_at: if *used == "-" { None } else { Some(millis(used)?) },
            expires_at: millis(expires_at)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(n: u8) -> Device {
        Device {
            id: DeviceId::from_bytes([n; 16]),
            token: Digest::from_bytes([n; 32]),
            user_agent: "Browser/1.0 (a; b)".to_owned(),
            address: String::new(),
            session: SessionId::from_bytes([n; 16]),
            created_at: Timestamp::from_millis(1),
            last_used_at: n.is_multiple_of(2).then(|| Timestamp::from_millis(2)),
            expires_at: Timestamp::from_millis(i64::from(n)),
        }
    }

    #[test]
    fn the_text_for_sealing_comes_back_as_it_was() {
        for devices in [Devices::default(), Devices(vec![device(1)]), Devices(vec![device(1), device(2)])] {
            assert_eq!(Devices::parse(&devices.to_text()), Some(devices));
        }
        for wrong in [" ", ";", "dev_1 2 3 4 5 6 7", &format!("{};", Devices(vec![device(1)]).to_text())] {
            assert_eq!(Devices::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_oldest_give_way_and_expired_ones_are_gone() {
        let many = (0..30).map(device).fold(Devices::default(), Devices::with);
        assert_eq!((many.0.len(), many.0[0].id), (MAX_DEVICES, DeviceId::from_bytes([10; 16])));
        assert_eq!(many.clone().unexpired(Timestamp::from_millis(28)).0, [device(29)]);
        assert_eq!(many.clone().without(DeviceId::from_bytes([1; 16])), None);
        assert_eq!(many.without(DeviceId::from_bytes([12; 16])).map(|rest| rest.0.len()), Some(19));
    }

    #[test]
    fn a_use_is_noted_at_the_device_with_the_token() {
        let devices = Devices(vec![device(1), device(3)]);
        let used = devices
            .clone()
            .used(&device(3).token.into(), SessionId::from_bytes([9; 16]), Timestamp::from_millis(9))
            .unwrap();
        assert_eq!(used.0[1].last_used_at, Some(Timestamp::from_millis(9)));
        assert_eq!((&used.0[0], used.0[1].session), (&devices.0[0], SessionId::from_bytes([9; 16])));
        let left = devices.clone().of_sessions(&[device(1).session], Timestamp::from_millis(5));
        assert_eq!(left, Devices(vec![device(1)]));
        assert_eq!(
            devices.clone().used(&device(5).token.into(), SessionId::from_bytes([9; 16]), Timestamp::from_millis(9)),
            None
        );
    }
}
