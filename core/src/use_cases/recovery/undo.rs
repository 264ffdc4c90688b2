//! Undo: the reader of a notice takes a change back. With the password from before the change, or a code to the phone that
//! was a second factor before it, the account gets its former state and a password reset; without proof the account is
//! disabled. Ports: undos, users, database, hasher.

use crate::model::client::Client;
use crate::model::email::Email;
use crate::model::event::EventKind;
use crate::model::factor::{BackupCodes, Totp};
use crate::model::job::Task;
use crate::model::locale::Locale;
use crate::model::one_time_token::OneTimeToken;
use crate::model::passkey::Passkeys;
use crate::model::password::Password;
use crate::model::realm::Realm;
use crate::model::sealed::{Digest, Field, RingDigest};
use crate::model::secret::OpaqueToken;
use crate::model::time::Timestamp;
use crate::model::totp::last_accepted_step;
use crate::model::undo::{FormerState, UndoRecord, UndoableChange};
use crate::model::user::{PasswordHash, User};
use crate::ports::database::{Change, UnitOfWork};
use crate::ports::error::PortError;
use crate::service::{AuthService, Ports};
use crate::use_cases::recovery::Recovery;
use crate::use_cases::shared::commit::VersionCheck;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::factors::FactorAnswer;

/// The change that an undo link would undo, for its page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoPreview {
    /// The kind of change.
    pub change: UndoableChange,
    /// When it was made.
    pub at: Timestamp,
    /// The language of its reader.
    pub locale: Locale,
    /// Whether a code to the phone from before the change is a proof.
    pub by_sms: bool,
}

/// The proof that the reader of an undo link is the account's owner.
#[derive(Clone, Copy)]
pub enum UndoProof<'a> {
    /// None: the account is disabled.
    None,
    /// The password from before the change.
    Password(&'a str),
    /// The code of a challenge.
    Code(FactorAnswer<'a>),
}

/// The effect of an undo link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undone {
    /// The account has its former state, and a reset link is sent.
    Restored,
    /// The account is disabled; only an operator can enable it.
    Disabled,
}

impl Recovery<'_> {
    /// The change that a link would undo. Changes nothing.
    ///
    /// # Errors
    /// `InvalidToken`.
    pub async fn preview_undo(self, realm: &Realm, token: &str) -> Result<UndoPreview, AuthError> {
        let (record, _, user) = self.find_undo(realm, token).await?;
        let cipher = self.service.record_cipher(&user)?;
        let by_sms = self.service.former_state(&user, &record)?.has_second_factor();
        Ok(UndoPreview { change: record.change, at: record.created_at, by_sms, locale: cipher.locale(&user.person)? })
    }

    /// Uses an undo link. With a proof it restores the former state; without one it disables the account.
    ///
    /// # Errors
    /// `InvalidToken`: also for all but one of many who use the link at once, and for a wrong code, which leaves the link
    /// good. `WrongPassword`, which leaves it good too; `Overloaded`.
    pub async fn undo(
        self,
        realm: &Realm,
        token: &str,
        proof: UndoProof<'_>,
        client: &Client,
    ) -> Result<Undone, AuthError> {
        let (record, token, user) = self.find_undo(realm, token).await?;
        let former = self.service.former_state(&user, &record)?;
        let used = match proof {
            UndoProof::None => {
                return self.disable_account(&record, token, user).await.map(|()| Undone::Disabled);
            }
            UndoProof::Password(password) => {
                self.confirm_former_password(&record, &user, &former, password, client).await?;
                None
            }
            UndoProof::Code(answer) => Some(self.confirm_undo_code(&record, &former, answer).await?),
        };
        self.restore(&record, token, user, &former, used.as_ref()).await.map(|()| Undone::Restored)
    }

    pub(super) async fn find_undo(self, realm: &Realm, token: &str) -> Result<(UndoRecord, Digest, User), AuthError> {
        let Ports { undos, users, clock, .. } = &self.service.ports;
        let token = OpaqueToken::parse(token).ok_or(AuthError::InvalidToken)?;
        for digest in self.service.undo_digest(realm, &token).all() {
            let Some(record) = undos.find_by_token(realm, digest, clock.now()).await? else { continue };
            let user = users.find(realm, &record.user).await?.ok_or(AuthError::InvalidToken)?;
            return Ok((record, *digest, user));
        }
        Err(AuthError::InvalidToken)
    }

    /// Compares the password with the one from before the change. A try is taken before the comparison, so that no race
    /// gets more of them than a link has. A thief who fills the login throttle of the account does not keep its owner
    /// from the link; a wrong password counts there all the same.
    async fn confirm_former_password(
        self,
        record: &UndoRecord,
        user: &User,
        former: &FormerState,
        given: &str,
        client: &Client,
    ) -> Result<(), AuthError> {
        let Ports { undos, clock, .. } = &self.service.ports;
        let realm = &record.realm;
        if !undos.take_try(realm, &record.id, clock.now()).await? {
            return Err(AuthError::WrongPassword);
        }
        let matches = match Password::from_login_input(given) {
            Some(password) => {
                self.service.password_matches(password, PasswordHash::new(former.password.as_str())).await
            }
            None => Ok(false),
        };
        if !matches!(matches, Ok(false)) {
            undos.give_try_back(realm, &record.id).await?;
        }
        if matches? {
            return Ok(());
        }
        let from = self.service.login_source(realm, &client.address);
        self.service.count_failed_password(realm, &from.address).await;
        // throttled: counted enough already
        let _ = self.service.check_login_throttle(realm, &self.service.throttle_key_of(user)?, &from).await;
        self.service.record(realm, EventKind::LoginFailed, Some(user.id), None);
        Err(AuthError::WrongPassword)
    }

    /// Gives the account its former state, ends every right and starts a password reset.
    async fn restore(
        self,
        record: &UndoRecord,
        token: Digest,
        user: User,
        former: &FormerState,
        code: Option<&OneTimeToken>,
    ) -> Result<(), AuthError> {
        let (realm, id) = (&record.realm, user.id);
        let index = self.service.email_index(realm, &Email::from_stored(former.email.clone()));
        let codes = self.former_backup_codes(record, &user, former).await?;
        let change = |user: &mut User| {
            self.put_former_state(user, former, index)?;
            self.put_former_factors(user, former, codes.as_ref())
        };
        let effects = |before: &User, after: &User| {
            let mut changes = vec![self.use_link(record, token), self.service.check_reservation(realm, index, id)];
            changes.extend(code.map(|code| self.service.use_up(code)));
            changes.extend(AuthService::changes_that_end_rights(after));
            if !before.person.email_index.same_input(&index) {
                // as with any change of the address: registrations of the new one and failed logins of the old one go
                changes.push(Change::RemoveRegistrations { realm: realm.clone(), email: index });
                let email = self.service.throttle_key_of(before)?;
                changes.push(Change::ForgetLogins { realm: realm.clone(), email });
            }
            Ok(UnitOfWork {
                changes,
                jobs: vec![self.service.job(realm, Task::ResetAfterUndo(id))],
                events: vec![self.service.event(realm, EventKind::ChangeUndone, Some(id), None)],
            })
        };
        let done = self.service.update_credentials(user, VersionCheck::Ignore, change, effects).await;
        done.map(|_| ()).map_err(to_invalid_token)
    }

    /// The whole state from before the change, because younger changes lose their links. A factor of the former phone that
    /// is on now stays on: the account never has fewer factors than before the change.
    fn put_former_state(self, user: &mut User, former: &FormerState, email_index: RingDigest) -> Result<(), AuthError> {
        let cipher = self.service.record_cipher(user)?;
        let same_phone = cipher.open(Field::Phone, &user.person.phone)? == former.phone;
        let mut person = user.person.clone();
        person.email_index = email_index;
        person.email = cipher.seal(Field::Email, &former.email)?;
        person.phone = cipher.seal(Field::Phone, &former.phone)?;
        person.country_code = cipher.seal(Field::CountryCode, &former.country_code)?;
        person.country = cipher.seal(Field::Country, &former.country)?;
        let password = cipher.seal_password(&PasswordHash::new(former.password.as_str()))?;
        user.person = person;
        user.previous_email = None;
        user.phone_verified = former.phone_verified || (same_phone && user.phone_verified);
        user.mfa_sms = former.mfa_sms || (same_phone && user.mfa_sms);
        user.password = password;
        user.end_rights();
        Ok(())
    }

    /// The authenticator app, passkeys and backup codes from before the change. Codes that are good at this moment are not good
    /// again.
    fn put_former_factors(
        self,
        user: &mut User,
        former: &FormerState,
        codes: Option<&BackupCodes>,
    ) -> Result<(), AuthError> {
        let cipher = self.service.record_cipher(user)?;
        let totp = former.totp.as_deref().map(|text| Totp::parse(text).ok_or_else(unreadable)).transpose()?;
        let used = last_accepted_step(self.service.ports.clock.now());
        let totp = totp.map(|totp| Totp { last_step: totp.last_step.max(used), ..totp });
        let passkeys = Passkeys::parse(former.passkeys.as_deref().unwrap_or_default()).ok_or_else(unreadable)?;
        let passkeys = passkeys.in_state_of(&cipher.passkeys(user)?);
        let codes = match (codes.cloned(), cipher.backup_codes(user)?) {
            (Some(codes), Some(current)) => Some(codes.without_used_in(&current)),
            (codes, _) => codes,
        };
        let totp = totp.map(|totp| cipher.seal(Field::Totp, &totp.to_text())).transpose()?;
        let passkeys = cipher.seal_passkeys(&passkeys)?;
        user.factors.totp = totp;
        user.factors.passkeys = passkeys;
        let codes = codes.filter(|_| user.has_second_factor());
        user.factors.backup_codes = match codes {
            Some(codes) => self.service.seal_backup_codes(user, &codes)?,
            None => None,
        };
        user.drop_what_needs_a_factor();
        Ok(())
    }

    /// The backup codes from before a change, without those that were used between it and a younger change.
    async fn former_backup_codes(
        self,
        record: &UndoRecord,
        user: &User,
        former: &FormerState,
    ) -> Result<Option<BackupCodes>, AuthError> {
        let parsed = |former: &FormerState| former.backup_codes.as_deref().and_then(BackupCodes::parse);
        let Some(mut codes) = parsed(former) else { return Ok(None) };
        let records = self.service.ports.undos.list(&record.realm, &record.user).await?;
        for younger in records.iter().filter(|younger| younger.version > record.version) {
            if let Some(later) = parsed(&self.service.former_state(user, younger)?) {
                codes = codes.without_used_in(&later);
            }
        }
        Ok(Some(codes))
    }

    /// Disables the account and ends every right. An account that an operator has disabled stays so.
    async fn disable_account(self, record: &UndoRecord, token: Digest, user: User) -> Result<(), AuthError> {
        let realm = &record.realm;
        let change = |user: &mut User| {
            user.disabled = true;
            user.end_rights();
            Ok(())
        };
        let effects = |after: &User| {
            let mut changes = AuthService::changes_that_end_rights(after);
            changes.push(self.use_link(record, token));
            let events = vec![self.service.event(realm, EventKind::DisabledByUndo, Some(after.id), None)];
            UnitOfWork { changes, events, ..UnitOfWork::default() }
        };
        let done = self.service.update_account(user, VersionCheck::Ignore, change, effects).await;
        done.map(|_| ()).map_err(to_invalid_token)
    }

    fn use_link(self, record: &UndoRecord, token: Digest) -> Change {
        Change::UseUndo { realm: record.realm.clone(), id: record.id, token, now: self.service.ports.clock.now() }
    }
}

/// The account is gone, or another account has its former address: nothing is left to restore.
fn to_invalid_token(error: AuthError) -> AuthError {
    match error {
        AuthError::NotAuthenticated => AuthError::InvalidToken,
        error => error,
    }
}

fn unreadable() -> PortError {
    PortError::new("field_cipher", "a stored former factor does not parse")
}
