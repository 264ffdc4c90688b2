//! An operator makes an account. The operator vouches for the address: it counts as proven.

use crate::model::event::EventKind;
use crate::model::ids::UserId;
use crate::model::job::Task;
use crate::model::locale::Locale;
use crate::model::realm::Realm;
use crate::model::registration_form::{ParsedRegistration, RegistrationForm};
use crate::model::user::User;
use crate::ports::database::{Change, Refusal, UnitOfWork};
use crate::service::Ports;
use crate::use_cases::operator::Operators;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::person::Person;

impl Operators<'_> {
    /// Checks a form as `create_account` does, and changes nothing.
    ///
    /// # Errors
    /// `Invalid`; `EmailTaken`; when a port fails.
    pub async fn check_new_account(self, realm: &Realm, form: &RegistrationForm<'_>) -> Result<(), AuthError> {
        let parsed = self.parse_form(form).await?;
        let email = self.service.email_index(realm, &parsed.email);
        if self.service.find_holder(realm, &email).await?.is_some() { Err(AuthError::EmailTaken) } else { Ok(()) }
    }

    /// Makes an account. With a password in the form its owner gets the mail of a new account; without one its owner is
    /// invited: a mail has a link to choose a password.
    ///
    /// # Errors
    /// `Invalid` with everything that is wrong; `EmailTaken`; `Overloaded`; when a port fails.
    pub async fn create_account(self, realm: &Realm, form: &RegistrationForm<'_>) -> Result<UserId, AuthError> {
        let Ports { database, hasher, clock, randomness, .. } = &self.service.ports;
        let parsed = self.parse_form(form).await?;
        let ParsedRegistration { first_name, last_name, email, phone, country_code, password } = parsed;
        let email_index = self.service.email_index(realm, &email);
        let hash = hasher.hash(password, self.service.registration_salt(realm, &email_index)).await?;
        let (id, now) = (UserId::random(|bytes| randomness.fill(bytes)), clock.now());
        let locale = Locale::default();
        let person = Person { first_name, last_name, email, phone, country_code, locale };
        let (person, password) = self.service.seal_person((realm, &id), &person, email_index, &hash)?;
        let user = User::new((realm.clone(), id), person, password, now);
        let task = if form.password.is_some() { Task::Welcome(id) } else { Task::Invitation(id) };
        let work = UnitOfWork {
            jobs: vec![self.service.job(realm, task)],
            events: vec![self.event(realm, EventKind::AccountCreated, Some(id))],
            ..UnitOfWork::of(self.service.check_reservation(realm, email_index, id))
        };
        match database.commit(work.with(Change::InsertUser(Box::new(user)))).await? {
            Ok(_) => Ok(id),
            Err(Refusal::EmailTaken) => Err(AuthError::EmailTaken),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// An invitation gets a random password.
    async fn parse_form(self, form: &RegistrationForm<'_>) -> Result<ParsedRegistration, AuthError> {
        let unknown = self.unknown_password()?;
        let form = RegistrationForm { password: form.password.or(Some(unknown.expose())), ..*form };
        self.service.registrations().check_form(&form, Vec::new()).await
    }
}
