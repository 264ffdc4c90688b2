//! Verify: the person who reads the mail of an address decides which registration becomes its account. A link is
//! checked by GET and used by POST; a typed code does the same. The links of an e-mail change end here too.

use crate::model::code::{Code, Violation};
use crate::model::event::EventKind;
use crate::model::ids::UserId;
use crate::model::job::Task;
use crate::model::locale::Locale;
use crate::model::name::PersonName;
use crate::model::one_time_token::{CODE_TRIES, OneTimeToken, Purpose};
use crate::model::otp::TypedCode;
use crate::model::password::Password;
use crate::model::realm::Realm;
use crate::model::registration_form::parse_email;
use crate::model::sealed::{AadContext, Field};
use crate::model::secret::OpaqueToken;
use crate::model::time::Timestamp;
use crate::model::undo::UndoableChange;
use crate::model::user::{PendingEmail, Registration, SealedPerson, User};
use crate::ports::database::{Change, Refusal, UnitOfWork};
use crate::ports::one_time_token_store::{CodeAttempt, CodeLookup};
use crate::service::{AuthService, Ports};
use crate::use_cases::registration::Registrations;
use crate::use_cases::shared::commit::VersionCheck;
use crate::use_cases::shared::errors::AuthError;

/// A link, for the page with the button.
#[derive(Debug, Clone)]
pub struct LinkPreview {
    /// The language of its reader.
    pub locale: Locale,
    /// The effect.
    pub effect: LinkEffect,
}

/// The effect that a link would have.
#[derive(Debug, Clone)]
pub enum LinkEffect {
    /// Begin an account.
    Registration {
        /// The first name in the registration.
        first_name: PersonName,
        /// The time of the request.
        at: Timestamp,
        /// Whether the link needs the password of the registration.
        needs_password: bool,
    },
    /// Make a new address count.
    EmailChange {
        /// The first name of the account's owner.
        first_name: PersonName,
        /// The time of the request.
        at: Timestamp,
    },
}

/// The effect of a link or code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// The account of that id exists now.
    Account(UserId),
    /// The account of that id has a new address.
    EmailChange(UserId),
}

/// The registration or account that a valid link belongs to, and the link itself.
enum ResolvedLink {
    Registration(Box<Registration>, OneTimeToken),
    EmailChange(Box<User>, OneTimeToken),
}

impl Registrations<'_> {
    /// The effect that a link would have. Changes nothing.
    ///
    /// # Errors
    /// `InvalidToken`.
    pub async fn preview_link(self, realm: &Realm, token: &str) -> Result<LinkPreview, AuthError> {
        match self.resolve_link(realm, token).await? {
            ResolvedLink::Registration(registration, _) => {
                let opener = self.service.opener(realm, registration.id.as_bytes(), &registration.person.key)?;
                let first_name = opener.first_name(&registration.person)?;
                let (at, needs_password) = (registration.created_at, registration.contested);
                let effect = LinkEffect::Registration { first_name, at, needs_password };
                Ok(LinkPreview { locale: opener.locale(&registration.person)?, effect })
            }
            ResolvedLink::EmailChange(user, _) => {
                let cipher = self.service.record_cipher(&user)?;
                let first_name = cipher.first_name(&user.person)?;
                let effect = LinkEffect::EmailChange { first_name, at: user.updated_at };
                Ok(LinkPreview { locale: cipher.locale(&user.person)?, effect })
            }
        }
    }

    /// Uses a link. That of a contested registration needs the password too.
    ///
    /// # Errors
    /// `InvalidToken`: also for all but one of many who use it at once. `Invalid` where the password is missing,
    /// `WrongPassword`, `Overloaded`.
    pub async fn verify_link(self, realm: &Realm, token: &str, password: Option<&str>) -> Result<Verified, AuthError> {
        loop {
            let outcome = match self.resolve_link(realm, token).await? {
                ResolvedLink::Registration(registration, link) => {
                    self.confirm_registration(&registration, password).await?;
                    return self.activate_registration(&registration, &link).await;
                }
                ResolvedLink::EmailChange(user, link) => self.change_email(&user, &link).await?,
            };
            // another change of the account came first: the link is checked again
            if let Some(verified) = outcome {
                return Ok(verified);
            }
        }
    }

    /// Throws the registration of a link away: its reader did not make it.
    ///
    /// # Errors
    /// `InvalidToken`; a link of an e-mail change throws the change away.
    pub async fn reject_link(self, realm: &Realm, token: &str) -> Result<(), AuthError> {
        let Ports { mailer, .. } = &self.service.ports;
        match self.resolve_link(realm, token).await? {
            ResolvedLink::Registration(registration, link) => {
                let id = registration.id;
                let work = UnitOfWork::of(self.service.use_up(&link))
                    .with(Change::RemoveRegistration { realm: realm.clone(), id });
                let events = vec![self.service.event(realm, EventKind::RegistrationRejected, Some(id), None)];
                self.service.commit(UnitOfWork { events, ..work }).await?;
                mailer.forget(realm, &id).await;
            }
            ResolvedLink::EmailChange(user, link) => {
                let pending = user.pending_email.clone();
                let change = |user: &mut User| {
                    if user.pending_email == pending {
                        user.pending_email = None;
                    }
                    Ok(())
                };
                let effects = |_: &User| UnitOfWork::of(self.service.use_up(&link));
                self.service.update_account(*user, VersionCheck::Ignore, change, effects).await?;
            }
        }
        Ok(())
    }

    /// Uses the code of a verification mail. It may belong to any registration that waits for the address.
    ///
    /// # Errors
    /// `Invalid` if it is no address, or where the password is missing; `InvalidToken`, `WrongPassword`, `Overloaded`.
    pub async fn verify_code(
        self,
        realm: &Realm,
        email: &str,
        code: &str,
        password: Option<&str>,
    ) -> Result<Verified, AuthError> {
        let Ports { registrations, one_time_tokens, clock, .. } = &self.service.ports;
        let email = parse_email(email).map_err(AuthError::Invalid)?;
        let code = TypedCode::parse_letters(code).ok_or(AuthError::InvalidToken)?;
        let now = clock.now();
        for registration in registrations.find_by_email(realm, &self.service.email_index(realm, &email), now).await? {
            let holder = AuthService::holder(realm, Purpose::VerifyEmail, registration.id);
            let digests = self.service.code_digest(realm, Purpose::VerifyEmail, &registration.id, &code);
            // only while the ring has two keys the stored digest may be under either
            let stored = match digests.other() {
                Some(_) => one_time_tokens.find(&holder, now).await?.and_then(|token| token.code),
                None => None,
            };
            let digest = stored.as_ref().map_or(digests.newest(), |stored| digests.like(stored));
            if let CodeAttempt::Right(found) = one_time_tokens.try_code(&CodeLookup::Owner(holder), digest, now).await?
            {
                self.confirm_registration(&registration, password).await?;
                return self.activate_registration(&registration, &found).await;
            }
        }
        Err(AuthError::InvalidToken)
    }

    /// Asks for the password of a contested registration: otherwise the owner of the address would confirm an account
    /// whose password a stranger chose.
    async fn confirm_registration(self, registration: &Registration, given: Option<&str>) -> Result<(), AuthError> {
        if !registration.contested {
            return Ok(());
        }
        let Some(given) = given else {
            return Err(AuthError::Invalid(vec![Violation::new("password", Code::Required)]));
        };
        if let Some(password) = Password::from_login_input(given)
            && {
                let stored = self.service.registration_cipher(registration)?.open_password(&registration.password)?;
                self.service.password_matches(password, stored).await?
            }
        {
            return Ok(());
        }
        let (realm, id) = (registration.realm.clone(), registration.id);
        let work = UnitOfWork::of(Change::CountRegistrationFailure { realm, id, limit: CODE_TRIES });
        // refused: another wrong one has removed it
        let _ = self.service.ports.database.commit(work).await?;
        Err(AuthError::WrongPassword)
    }

    /// Finds the registration or account that a link belongs to, without using the link.
    async fn resolve_link(self, realm: &Realm, token: &str) -> Result<ResolvedLink, AuthError> {
        let Ports { registrations, users, clock, .. } = &self.service.ports;
        let token = OpaqueToken::parse(token).ok_or(AuthError::InvalidToken)?;
        let now = clock.now();
        if let Some(found) = self.service.find_token(realm, Purpose::VerifyEmail, &token, now).await? {
            let registration = registrations.find(realm, &found.holder.subject, now).await?;
            let registration = registration.ok_or(AuthError::InvalidToken)?;
            if self.service.find_holder(realm, &registration.person.email_index).await?.is_some() {
                return Err(AuthError::InvalidToken);
            }
            return Ok(ResolvedLink::Registration(Box::new(registration), found));
        }
        let found = self.service.find_token(realm, Purpose::ChangeEmail, &token, now).await?;
        let found = found.ok_or(AuthError::InvalidToken)?;
        let user = users.find(realm, &found.holder.subject).await?.ok_or(AuthError::InvalidToken)?;
        let is_bound =
            |pending: &PendingEmail| self.service.is_bound_to(&found, &pending.index, user.credentials_version);
        if user.disabled || !user.pending_email.as_ref().is_some_and(is_bound) {
            return Err(AuthError::InvalidToken);
        }
        Ok(ResolvedLink::EmailChange(Box::new(user), found))
    }

    /// The registration becomes the account. The store's unique index decides between many.
    async fn activate_registration(
        self,
        registration: &Registration,
        link: &OneTimeToken,
    ) -> Result<Verified, AuthError> {
        let Ports { clock, .. } = &self.service.ports;
        let (realm, now) = (&registration.realm, clock.now());
        // a key rotation may have passed the registration already, and sees no account yet
        let (cipher, key) = (&self.service.ports.cipher, &registration.person.key);
        let place = AadContext { realm, record: registration.id.as_bytes(), field: Field::Key };
        let key = if cipher.is_newest(key) { key.clone() } else { cipher.rewrap(key, place)? };
        let person = SealedPerson { key, ..registration.person.clone() };
        let user = User::new((realm.clone(), registration.id), person, registration.password.clone(), now);
        let id = registration.id;
        let work = UnitOfWork {
            jobs: vec![self.service.job(realm, Task::Welcome(id))],
            events: vec![self.service.event(realm, EventKind::EmailVerified, Some(id), None)],
            ..UnitOfWork::of(self.service.use_up(link))
        };
        // the others stay until they expire, without their links: their disappearance would tell that the address has an
        // account now
        let work = work
            .with(self.service.check_reservation(realm, user.person.email_index, id))
            .with(Change::InsertUser(Box::new(user)))
            .with(Change::RemoveRegistration { realm: realm.clone(), id });
        self.service.commit(work).await?;
        Ok(Verified::Account(id))
    }

    /// The pending address becomes the account's address. The old one is notified.
    async fn change_email(self, user: &User, link: &OneTimeToken) -> Result<Option<Verified>, AuthError> {
        let Ports { database, clock, .. } = &self.service.ports;
        let (realm, now) = (&user.realm, clock.now());
        let pending = user.pending_email.as_ref().ok_or(AuthError::InvalidToken)?;
        let opener = self.service.record_cipher(user)?;
        let new = opener.email(Field::PendingEmail, &pending.email)?;
        let old = opener.email(Field::Email, &user.person.email)?;
        let mut changed = user.clone();
        changed.person.email = opener.seal(Field::Email, new.as_str())?;
        changed.person.email_index = pending.index;
        changed.previous_email = Some(opener.seal(Field::PreviousEmail, old.as_str())?);
        changed.end_rights();
        changed.version += 1;
        changed.updated_at = now;
        let undo = self.service.new_undo_id();
        let record = self.service.undo_record(undo, UndoableChange::Email, (user, &changed))?;
        let task = Task::EmailChanged { user: user.id, at: now, undo: Some(undo) };
        let mut work = UnitOfWork {
            jobs: vec![self.service.job(realm, task)],
            events: vec![self.service.event(realm, EventKind::EmailChanged, Some(user.id), None)],
            ..UnitOfWork::of(self.service.use_up(link))
        };
        work.changes.extend([
            self.service.check_reservation(realm, pending.index, user.id),
            Change::ReplaceUser { user: Box::new(changed), expected: user.version },
            Change::RemoveRegistrations { realm: realm.clone(), email: pending.index },
            Change::ForgetLogins { realm: realm.clone(), email: self.service.throttle_key_of(user)? },
            record,
        ]);
        work.changes.extend(AuthService::changes_that_end_rights(user));
        match database.commit(work).await? {
            Ok(_) => Ok(Some(Verified::EmailChange(user.id))),
            Err(Refusal::UserStale) => Ok(None),
            // another account took the address first, or this one is gone
            Err(Refusal::UserGone) => Err(AuthError::InvalidToken),
            Err(refusal) => Err(refusal.into()),
        }
    }
}
