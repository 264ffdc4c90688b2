//! Verify: whoever reads the mail of an address decides which registration becomes its account. A link is looked at
//! by GET and used by POST; a typed code does the same. The links of an e-mail change end here too.

use crate::model::event::EventKind;
use crate::model::ids::UserId;
use crate::model::job::Task;
use crate::model::name::PersonName;
use crate::model::one_time_token::Purpose;
use crate::model::otp::TypedCode;
use crate::model::realm::Realm;
use crate::model::registration_form::parse_email;
use crate::model::sealed::{Digest, Field, Place};
use crate::model::secret::OpaqueToken;
use crate::model::time::Timestamp;
use crate::model::user::{Registration, SealedPerson, User};
use crate::ports::one_time_token_store::{CodeOf, TryCode};
use crate::ports::user_store::{InsertUser, ReplaceUser};
use crate::service::{AuthService, Ports};
use crate::use_cases::errors::StoryError;
use crate::use_cases::log_out::Still;

/// What a link would do, for the page with the button.
#[derive(Debug, Clone)]
pub enum LinkPreview {
    /// Begin an account.
    Registration {
        /// Who registered.
        first_name: PersonName,
        /// When.
        at: Timestamp,
    },
    /// Make a new address count.
    EmailChange {
        /// Who asked.
        first_name: PersonName,
        /// When.
        at: Timestamp,
    },
}

/// What a link or code did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// The account of that id exists now.
    Account(UserId),
    /// The account of that id has a new address.
    EmailChange(UserId),
}

/// Whose link it is.
enum Followed {
    Registration(Box<Registration>, Digest),
    EmailChange(Box<User>, Digest),
}

impl AuthService {
    /// What a link would do. Changes nothing.
    ///
    /// # Errors
    /// `InvalidToken`.
    pub async fn preview_link(&self, realm: &Realm, token: &str) -> Result<LinkPreview, StoryError> {
        match self.follow(realm, token).await? {
            Followed::Registration(registration, _) => {
                let opener = self.opener(realm, registration.id.as_bytes(), &registration.person.key)?;
                let first_name = opener.first_name(&registration.person)?;
                Ok(LinkPreview::Registration { first_name, at: registration.created_at })
            }
            Followed::EmailChange(user, _) => {
                let first_name = self.opener_of(&user)?.first_name(&user.person)?;
                Ok(LinkPreview::EmailChange { first_name, at: user.updated_at })
            }
        }
    }

    /// Uses a link.
    ///
    /// # Errors
    /// `InvalidToken`: also for all but one of many who use it at once.
    pub async fn verify_link(&self, realm: &Realm, token: &str) -> Result<Verified, StoryError> {
        let Ports { one_time_tokens, clock, .. } = &self.ports;
        let (purpose, digest, followed) = match self.follow(realm, token).await? {
            Followed::Registration(registration, digest) => {
                (Purpose::VerifyEmail, digest, Followed::Registration(registration, digest))
            }
            Followed::EmailChange(user, digest) => (Purpose::ChangeEmail, digest, Followed::EmailChange(user, digest)),
        };
        let used = one_time_tokens.consume(realm, purpose, &digest, clock.now()).await?;
        let used = used.ok_or(StoryError::InvalidToken)?;
        let outcome = match followed {
            Followed::Registration(registration, _) => self.begin_account(&registration).await,
            Followed::EmailChange(user, _) => self.change_email(&user).await,
        };
        if let Err(StoryError::Port(_)) = &outcome {
            // the store failed, not the person: the link stays good
            one_time_tokens.put(used).await?;
        }
        outcome
    }

    /// Throws the registration of a link away: its reader did not make it.
    ///
    /// # Errors
    /// `InvalidToken`; a link of an e-mail change throws the change away.
    pub async fn reject_link(&self, realm: &Realm, token: &str) -> Result<(), StoryError> {
        let Ports { registrations, one_time_tokens, mailer, clock, .. } = &self.ports;
        match self.follow(realm, token).await? {
            Followed::Registration(registration, digest) => {
                let used = one_time_tokens.consume(realm, Purpose::VerifyEmail, &digest, clock.now()).await?;
                used.ok_or(StoryError::InvalidToken)?;
                registrations.remove(realm, &registration.id).await?;
                mailer.forget(realm, &registration.id).await;
                self.record(realm, EventKind::RegistrationRejected, Some(registration.id), None);
            }
            Followed::EmailChange(user, digest) => {
                let used = one_time_tokens.consume(realm, Purpose::ChangeEmail, &digest, clock.now()).await?;
                used.ok_or(StoryError::InvalidToken)?;
                let waiting = user.pending_email.clone();
                self.change_user(*user, Still::Anyone, |user| {
                    if user.pending_email == waiting {
                        user.pending_email = None;
                    }
                })
                .await?;
            }
        }
        Ok(())
    }

    /// Uses the code of a verification mail. It may belong to any registration that waits for the address.
    ///
    /// # Errors
    /// `Invalid` if it is no address; `InvalidToken`.
    pub async fn verify_code(&self, realm: &Realm, email: &str, code: &str) -> Result<Verified, StoryError> {
        let Ports { registrations, one_time_tokens, clock, .. } = &self.ports;
        let email = parse_email(email).map_err(StoryError::Invalid)?;
        let code = TypedCode::parse_letters(code).ok_or(StoryError::InvalidToken)?;
        let now = clock.now();
        for registration in registrations.find_by_email(realm, &self.email_index(realm, &email), now).await? {
            let holder = Self::holder(realm, Purpose::VerifyEmail, registration.id);
            let digest = self.code_digest(realm, Purpose::VerifyEmail, &registration.id, &code);
            if let TryCode::Right(_) = one_time_tokens.try_code(&CodeOf::Holder(holder), &digest, now).await? {
                return self.begin_account(&registration).await;
            }
        }
        Err(StoryError::InvalidToken)
    }

    /// Finds what a link is for, without using it.
    async fn follow(&self, realm: &Realm, token: &str) -> Result<Followed, StoryError> {
        let Ports { registrations, one_time_tokens, users, clock, .. } = &self.ports;
        let token = OpaqueToken::parse(token).ok_or(StoryError::InvalidToken)?;
        let now = clock.now();
        let digest = self.token_digest(realm, Purpose::VerifyEmail, &token);
        if let Some(found) = one_time_tokens.peek(realm, Purpose::VerifyEmail, &digest, now).await? {
            let registration = registrations.find(realm, &found.holder.subject, now).await?;
            return registration
                .map(|registration| Followed::Registration(Box::new(registration), digest))
                .ok_or(StoryError::InvalidToken);
        }
        let digest = self.token_digest(realm, Purpose::ChangeEmail, &token);
        let found = one_time_tokens.peek(realm, Purpose::ChangeEmail, &digest, now).await?;
        let found = found.ok_or(StoryError::InvalidToken)?;
        let user = users.find(realm, &found.holder.subject).await?.ok_or(StoryError::InvalidToken)?;
        let waiting = user.pending_email.as_ref().map(|waiting| waiting.index);
        if user.disabled || waiting.is_none() || waiting != found.binding {
            return Err(StoryError::InvalidToken);
        }
        Ok(Followed::EmailChange(Box::new(user), digest))
    }

    /// The registration becomes the account. The store's unique index decides between many.
    async fn begin_account(&self, registration: &Registration) -> Result<Verified, StoryError> {
        let Ports { users, registrations, one_time_tokens, mailer, clock, .. } = &self.ports;
        let (realm, now) = (&registration.realm, clock.now());
        // whoever wraps keys anew may be past the registration, and sees no account yet
        let (cipher, key) = (&self.ports.cipher, &registration.person.key);
        let place = Place { realm, record: registration.id.as_bytes(), field: Field::Key };
        let key = if cipher.is_newest(key) { key.clone() } else { cipher.rewrap(key, place)? };
        let user = User {
            realm: realm.clone(),
            id: registration.id,
            person: SealedPerson { key, ..registration.person.clone() },
            pending_email: None,
            previous_email: None,
            password: registration.password.clone(),
            phone_verified: false,
            mfa_sms: false,
            disabled: false,
            generation: 1,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        match users.insert(user).await? {
            InsertUser::Inserted => {}
            InsertUser::EmailTaken | InsertUser::IdTaken => return Err(StoryError::InvalidToken),
        }
        for dead in registrations.remove_all(realm, &registration.person.email_index).await? {
            if dead != registration.id {
                one_time_tokens.remove_all(realm, &dead).await?;
                mailer.forget(realm, &dead).await;
            }
        }
        self.record(realm, EventKind::EmailVerified, Some(registration.id), None);
        self.enqueue(realm, Task::Welcome(registration.id)).await?;
        Ok(Verified::Account(registration.id))
    }

    /// The address that waits becomes the address. The old one is told.
    async fn change_email(&self, user: &User) -> Result<Verified, StoryError> {
        let Ports { users, registrations, guard, clock, .. } = &self.ports;
        let (realm, now) = (&user.realm, clock.now());
        let pending = user.pending_email.as_ref().ok_or(StoryError::InvalidToken)?;
        let opener = self.opener_of(user)?;
        let new = opener.email(Field::PendingEmail, &pending.email)?;
        let old = opener.email(Field::Email, &user.person.email)?;
        let mut changed = user.clone();
        changed.person.email = opener.seal(Field::Email, new.as_str())?;
        changed.person.email_index = pending.index;
        changed.previous_email = Some(opener.seal(Field::PreviousEmail, old.as_str())?);
        changed.pending_email = None;
        changed.version += 1;
        changed.updated_at = now;
        match users.replace(changed, user.version).await? {
            ReplaceUser::Replaced => {}
            ReplaceUser::Stale | ReplaceUser::EmailTaken | ReplaceUser::Gone => return Err(StoryError::InvalidToken),
        }
        registrations.remove_all(realm, &pending.index).await?;
        guard.forget(realm, &user.person.email_index).await?;
        self.record(realm, EventKind::EmailChanged, Some(user.id), None);
        self.enqueue(realm, Task::EmailChanged { user: user.id, at: now }).await?;
        Ok(Verified::EmailChange(user.id))
    }
}
