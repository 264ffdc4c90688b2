//! Update the profile: names and phone at once, a new e-mail once its link is followed. A new e-mail or phone needs
//! recent authentication.

use crate::model::code::{Code, Violation};
use crate::model::country::CountryCode;
use crate::model::email::Email;
use crate::model::event::EventKind;
use crate::model::job::Task;
use crate::model::locale::Locale;
use crate::model::name::PersonName;
use crate::model::one_time_token::Purpose;
use crate::model::phone::{Phone, can_be_number};
use crate::model::quota::Bucket;
use crate::model::registration_form::{
    parse_country_code, parse_first_name, parse_last_name, parse_phone, parse_recipient,
};
use crate::model::sealed::Field;
use crate::model::undo::UndoableChange;
use crate::model::user::{PendingEmail, Profile, User};
use crate::ports::database::{Change, Refusal, UnitOfWork};
use crate::service::{AuthService, Ports};
use crate::use_cases::account::Accounts;
use crate::use_cases::shared::caller::Caller;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::reauthenticate::Reauthentication;

/// The fields that came; `None` stays as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProfileChanges<'a> {
    /// Given name.
    pub first_name: Option<&'a str>,
    /// Family name.
    pub last_name: Option<&'a str>,
    /// A new address.
    pub email: Option<&'a str>,
    /// A new number.
    pub phone: Option<&'a str>,
    /// `US` or `+1`.
    pub country_code: Option<&'a str>,
    /// BCP 47.
    pub locale: Option<&'a str>,
}

/// The same, parsed.
struct Parsed {
    first_name: Option<PersonName>,
    last_name: Option<PersonName>,
    email: Option<Email>,
    phone: Option<(Phone, CountryCode)>,
    locale: Option<Locale>,
}

impl Accounts<'_> {
    /// Changes the caller's profile. With `expected`, only if that is its version.
    ///
    /// # Errors
    /// `Invalid` with everything that is wrong, `PreconditionFailed`, `MfaInUse`, `ReauthenticationRequired`,
    /// `WrongPassword`; `TooMany` after three e-mail changes a day.
    pub async fn update_profile(
        self,
        caller: &Caller,
        changes: ProfileChanges<'_>,
        expected: Option<u64>,
        known: Vec<Violation>,
        reauthentication: Reauthentication<'_>,
    ) -> Result<Profile, AuthError> {
        let Ports { users, database, .. } = &self.service.ports;
        let mut user = caller.user.clone();
        let password_confirmed = self.service.confirm_given(caller, reauthentication).await?;
        loop {
            if expected.is_some_and(|version| version != user.version) {
                return Err(AuthError::PreconditionFailed);
            }
            let profile = self.service.decrypt_profile(&user)?;
            let parsed = self.parse_changes(&profile, &changes, known.clone())?;
            let next = self.apply(&user, &profile, &parsed)?;
            if next == user {
                self.ask_again(&user, &parsed).await?;
                return Ok(profile);
            }
            if changes_contact(&user, &next) {
                self.service.ensure_recent_authentication(caller, password_confirmed)?;
            }
            let asks = asks_for_email(&user, &next);
            if asks {
                self.take_email_change(&user).await?;
            }
            let version = user.version;
            let next = User { version: version + 1, updated_at: self.service.ports.clock.now(), ..next };
            let mut work = self.profile_effects(&user, &next)?;
            work.changes.insert(0, Change::ReplaceUser { user: Box::new(next.clone()), expected: version });
            let committed = database.commit(work).await;
            if asks && !matches!(committed, Ok(Ok(_))) {
                let _ = self.service.give_back(&self.email_changes(&user), &self.service.policy.email_changes).await;
            }
            match committed? {
                Ok(_) => return Ok(self.service.decrypt_profile(&next)?),
                Err(Refusal::UserStale) => {
                    let newest = users.find(&user.realm, &user.id).await?;
                    // not once the caller has been put out
                    let same = |newest: &User| newest.credentials_version == caller.user.credentials_version;
                    user = newest.filter(same).ok_or(AuthError::NotAuthenticated)?;
                }
                Err(Refusal::UndoLimit) => return Err(self.service.too_many_changes(&user).await),
                Err(_) => return Err(AuthError::NotAuthenticated),
            }
        }
    }

    fn parse_changes(
        self,
        profile: &Profile,
        changes: &ProfileChanges<'_>,
        known: Vec<Violation>,
    ) -> Result<Parsed, AuthError> {
        let mut violations = known;
        let first_name = changes.first_name.map(parse_first_name).transpose();
        let last_name = changes.last_name.map(parse_last_name).transpose();
        let email = changes.email.map(|text| parse_recipient(text, self.service.policy.smtputf8)).transpose();
        let code = changes.country_code.map_or_else(|| Ok(profile.country_code), parse_country_code);
        let touched = changes.phone.is_some() || changes.country_code.is_some();
        let phone = match (&code, touched) {
            (Ok(code), true) => {
                let text = changes.phone.unwrap_or(profile.phone.as_str());
                parse_phone(text, code, self.service.policy.phones).map(|phone| Some((phone, *code)))
            }
            _ => Ok(None),
        };
        let found = [first_name.as_ref().err(), last_name.as_ref().err(), email.as_ref().err(), phone.as_ref().err()];
        violations.extend(found.into_iter().flatten().flatten().cloned());
        if code.is_err() && changes.phone.is_some_and(|text| !can_be_number(text)) {
            violations.push(Violation::new("phone", Code::PhoneInvalid));
        }
        violations.extend(code.err().into_iter().flatten());
        let locale = changes.locale.map(|text| Locale::parse(text).ok_or(Code::ValueInvalid)).transpose();
        violations.extend(locale.as_ref().err().map(|code| Violation::new("locale", *code)));
        let locale = locale.ok().flatten();
        match (first_name, last_name, email, phone) {
            (Ok(first_name), Ok(last_name), Ok(email), Ok(phone)) if violations.is_empty() => {
                Ok(Parsed { first_name, last_name, email, phone, locale })
            }
            _ => Err(AuthError::Invalid(violations)),
        }
    }

    /// The user with the changes in it, version aside; the same user if nothing is new.
    fn apply(self, user: &User, profile: &Profile, parsed: &Parsed) -> Result<User, AuthError> {
        let opener = self.service.record_cipher(user)?;
        let mut next = user.clone();
        if let Some(name) = parsed.first_name.as_ref().filter(|name| **name != profile.first_name) {
            next.person.first_name = opener.seal(Field::FirstName, name.as_str())?;
        }
        if let Some(name) = parsed.last_name.as_ref().filter(|name| **name != profile.last_name) {
            next.person.last_name = opener.seal(Field::LastName, name.as_str())?;
        }
        if let Some((phone, code)) = &parsed.phone {
            if *phone != profile.phone {
                if user.mfa_sms {
                    return Err(AuthError::MfaInUse);
                }
                next.person.phone = opener.seal(Field::Phone, phone.as_str())?;
                next.phone_verified = false;
            }
            if *code != profile.country_code || phone.country() != profile.country {
                next.person.country_code = opener.seal(Field::CountryCode, &code.to_string())?;
                next.person.country = opener.seal(Field::Country, phone.country().as_str())?;
            }
        }
        if let Some(locale) = parsed.locale.as_ref().filter(|locale| **locale != profile.locale) {
            next.person.locale = Some(opener.seal(Field::Locale, locale.as_str())?);
        }
        match &parsed.email {
            // the address it has already: whatever waits is off
            Some(email) if email.as_str() == profile.email.as_str() => next.pending_email = None,
            Some(email) if profile.pending_email.as_ref().is_none_or(|p| p.as_str() != email.as_str()) => {
                next.pending_email = Some(PendingEmail {
                    index: self.service.email_index(&user.realm, email),
                    email: opener.seal(Field::PendingEmail, email.as_str())?,
                });
            }
            _ => {}
        }
        Ok(next)
    }

    /// The address that waits already, asked for once more: its mail may not have come.
    async fn ask_again(self, user: &User, parsed: &Parsed) -> Result<(), AuthError> {
        let asked = parsed.email.as_ref().map(|email| self.service.email_index(&user.realm, email));
        let waiting = user.pending_email.as_ref().map(|waiting| waiting.index);
        if asked.zip(waiting).is_some_and(|(asked, waiting)| asked.same_input(&waiting)) {
            self.take_email_change(user).await?;
            self.service.enqueue(&user.realm, Task::ConfirmEmailChange(user.id)).await?;
        }
        Ok(())
    }

    /// Counts a mail to an address that the account has not proven: it may be a stranger's.
    async fn take_email_change(self, user: &User) -> Result<(), AuthError> {
        match self.service.take(&self.email_changes(user), &self.service.policy.email_changes).await? {
            Some(decision) if !decision.allowed => Err(AuthError::TooMany(decision.retry_after)),
            _ => Ok(()),
        }
    }

    fn email_changes(self, user: &User) -> Bucket {
        Bucket { realm: user.realm.clone(), operation: "email_changes", who: self.service.account_digest(user) }
    }

    /// The writes and jobs that follow from a changed profile.
    fn profile_effects(self, before: &User, after: &User) -> Result<UnitOfWork, AuthError> {
        let (realm, id) = (&after.realm, after.id);
        let mut work = UnitOfWork {
            events: vec![self.service.event(realm, EventKind::ProfileUpdated, Some(id), None)],
            ..UnitOfWork::default()
        };
        if before.person.phone != after.person.phone {
            let at = self.service.ports.clock.now();
            work.changes.push(Change::RemoveToken(AuthService::holder(realm, Purpose::VerifyPhone, id)));
            let undo = self.service.new_undo_id();
            work.changes.push(self.service.limit_undos(before));
            work.changes.push(self.service.undo_record(undo, UndoableChange::Phone, (before, after))?);
            work.jobs.push(self.service.job(realm, Task::PhoneChanged { user: id, at, undo: Some(undo) }));
        }
        if before.pending_email == after.pending_email {
            return Ok(work);
        }
        work.changes.push(Change::RemoveToken(AuthService::holder(realm, Purpose::ChangeEmail, id)));
        if after.pending_email.is_some() {
            let at = self.service.ports.clock.now();
            work.jobs.push(self.service.job(realm, Task::ConfirmEmailChange(id)));
            work.jobs.push(self.service.job(realm, Task::EmailChangeRequested { user: id, at }));
            work.events.push(self.service.event(realm, EventKind::EmailChangeRequested, Some(id), None));
        }
        Ok(work)
    }
}

/// Whether the change asks for another address.
fn asks_for_email(before: &User, after: &User) -> bool {
    after.pending_email.is_some() && after.pending_email != before.pending_email
}

/// Whether the owner would be reached by another number, or asked to be reached at another address. Taking a requested
/// address back is no such change.
fn changes_contact(before: &User, after: &User) -> bool {
    asks_for_email(before, after) || after.person.phone != before.person.phone
}
