//! Undo records: a change stores one, so that the owner can undo it.

use std::time::Duration;

use crate::model::ids::{UndoId, UserId};
use crate::model::realm::Realm;
use crate::model::sealed::{Field, RingDigest};
use crate::model::secret::OpaqueToken;
use crate::model::undo::{FormerState, UNDO_TRIES, UndoRecord, UndoableChange};
use crate::model::user::User;
use crate::ports::database::Change;
use crate::ports::error::PortError;
use crate::ports::keyed_digest::Domain;
use crate::service::{AuthService, Ports};
use crate::use_cases::shared::errors::AuthError;

impl AuthService {
    /// A new id of an undo record.
    pub(crate) fn new_undo_id(&self) -> UndoId {
        UndoId::random(|bytes| self.ports.randomness.fill(bytes))
    }

    /// The record of a change: the state of `before`, sealed under the account's data key.
    pub(crate) fn undo_record(
        &self,
        id: UndoId,
        change: UndoableChange,
        (before, after): (&User, &User),
    ) -> Result<Change, PortError> {
        let now = self.ports.clock.now();
        let cipher = self.record_cipher(before)?;
        let person = &before.person;
        let former = FormerState {
            email: cipher.open(Field::Email, &person.email)?,
            phone: cipher.open(Field::Phone, &person.phone)?,
            country_code: cipher.open(Field::CountryCode, &person.country_code)?,
            country: cipher.open(Field::Country, &person.country)?,
            phone_verified: before.phone_verified,
            mfa_sms: before.mfa_sms,
            password: cipher.open_password(&before.password)?.as_str().to_owned(),
            totp: cipher.totp(before)?.map(|totp| totp.to_text()),
            backup_codes: cipher.backup_codes(before)?.map(|codes| codes.to_text()),
            passkeys: before
                .factors
                .passkeys
                .as_ref()
                .map(|sealed| cipher.open(Field::Passkeys, sealed))
                .transpose()?,
        };
        Ok(Change::InsertUndo(Box::new(UndoRecord {
            realm: before.realm.clone(),
            id,
            user: before.id,
            change,
            version: after.version,
            former: cipher.at(id.as_bytes()).seal(Field::FormerState, &former.to_text())?,
            reserved: (change == UndoableChange::Email).then_some(person.email_index),
            token: None,
            tries_left: UNDO_TRIES,
            used: false,
            created_at: now,
            expires_at: now + self.policy.lifetimes.undo,
        })))
    }

    /// Refuses a commit of a change that is made in a session if the account has too many undo records. A reset is never
    /// refused: its owner reads the mailbox, and the budget of mails bounds it.
    pub(crate) fn limit_undos(&self, user: &User) -> Change {
        let (limit, now) = (self.policy.undo_links, self.ports.clock.now());
        Change::LimitUndos { realm: user.realm.clone(), user: user.id, limit, now }
    }

    /// The refusal of such a commit: says when the oldest record expires.
    pub(crate) async fn too_many_changes(&self, user: &User) -> AuthError {
        let now = self.ports.clock.now();
        let all = match self.ports.undos.list(&user.realm, &user.id).await {
            Ok(all) => all,
            Err(error) => return error.into(),
        };
        let ends = all.iter().filter(|undo| !undo.used && undo.expires_at > now).map(|undo| undo.expires_at);
        AuthError::TooManyChanges(ends.min().map_or(Duration::ZERO, |end| end.since(now)))
    }

    /// Opens the state of a record of `user`.
    pub(crate) fn former_state(&self, user: &User, record: &UndoRecord) -> Result<FormerState, PortError> {
        let cipher = self.record_cipher(user)?;
        let text = cipher.at(record.id.as_bytes()).open(Field::FormerState, &record.former)?;
        FormerState::parse(&text).ok_or_else(|| PortError::new("field_cipher", "a stored former state does not parse"))
    }

    /// The digest that is stored of an undo link.
    pub(crate) fn undo_digest(&self, realm: &Realm, token: &OpaqueToken) -> RingDigest {
        self.ring_digest(Domain::OneTimeToken, realm, &[b"undo", token.as_bytes()])
    }

    /// Refuses a commit that gives `user` an address which is reserved for another account.
    pub(crate) fn check_reservation(&self, realm: &Realm, email: RingDigest, user: UserId) -> Change {
        Change::CheckReservation { realm: realm.clone(), email, user, now: self.ports.clock.now() }
    }

    /// The account that another address belongs to: as its address, or as a former one that is reserved for it. With the
    /// undo record of the reservation.
    pub(crate) async fn find_holder(
        &self,
        realm: &Realm,
        email: &RingDigest,
    ) -> Result<Option<(User, Option<UndoRecord>)>, PortError> {
        let Ports { users, undos, clock, .. } = &self.ports;
        if let Some(owner) = users.find_by_email(realm, email).await? {
            return Ok(Some((owner, None)));
        }
        let Some(reservation) = undos.find_reservation(realm, email, clock.now()).await? else { return Ok(None) };
        let owner = users.find(realm, &reservation.user).await?;
        Ok(owner.map(|owner| (owner, Some(reservation))))
    }
}
