//! Register: a stranger claims an address and waits for its mail. Every call does the same work, whether or not the
//! address has an account: the registration of a taken address is a decoy that answers a login like any other, and the
//! worker that sends the mail tells the two apart.

use crate::model::client::Client;
use crate::model::code::Violation;
use crate::model::event::EventKind;
use crate::model::ids::UserId;
use crate::model::job::Task;
use crate::model::password::Password;
use crate::model::realm::Realm;
use crate::model::registration_form::{FormRules, ParsedRegistration, RegistrationForm};
use crate::model::user::Registration;
use crate::ports::database::{Change, UnitOfWork};
use crate::service::Ports;
use crate::use_cases::registration::Registrations;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::person::Person;

impl Registrations<'_> {
    /// Makes a pending registration and asks for its mail; the id it would become an account under.
    /// `known` are violations that the caller has found already; they are reported together with the others.
    ///
    /// # Errors
    /// `Invalid` with everything that is wrong; `EmailTaken` only where the operator allows it; `Overloaded`.
    pub async fn register(
        self,
        realm: &Realm,
        form: RegistrationForm<'_>,
        known: Vec<Violation>,
        client: &Client,
    ) -> Result<UserId, AuthError> {
        let Ports { users, registrations, hasher, clock, randomness, .. } = &self.service.ports;
        let ParsedRegistration { first_name, last_name, email, phone, country_code, password } =
            self.check_form(&form, known).await?;

        let email_index = self.service.email_index(realm, &email);
        let owner = users.find_by_email(realm, &email_index).await?;
        if self.service.policy.enumeration_allowed && self.service.find_holder(realm, &email_index).await?.is_some() {
            return Err(AuthError::EmailTaken);
        }
        // with the salt and parameters of a login for the address, so that a login compares one hash with all
        let waiting = registrations.find_by_email(realm, &email_index, clock.now()).await?;
        let stored = match (&owner, waiting.last()) {
            (Some(owner), _) => Some(self.service.record_cipher(owner)?.open_password(&owner.password)?),
            (None, Some(one)) => Some(self.service.registration_cipher(one)?.open_password(&one.password)?),
            (None, None) => self.service.decoy_hash(realm, &email_index),
        };
        let password = match stored {
            Some(stored) => hasher.hash_like(password, stored).await?,
            None => hasher.hash(password, self.service.registration_salt(realm, &email_index)).await?,
        };

        let now = clock.now();
        let id = UserId::random(|bytes| randomness.fill(bytes));
        let locale = client.locale.clone();
        let person = Person { first_name, last_name, email, phone, country_code, locale };
        let (person, password) = self.service.seal_person((realm, &id), &person, email_index, &password)?;
        let registration = Registration {
            realm: realm.clone(),
            id,
            password,
            person,
            created_at: now,
            expires_at: now + self.service.policy.lifetimes.verify,
            network: self.service.network_digest(realm, &client.address),
            contested: false,
            failures: 0,
        };
        let limit = self.service.policy.pending_per_address;
        let jobs = vec![self.service.job(realm, Task::VerifyRegistration(id))];
        let work = UnitOfWork {
            jobs,
            events: vec![self.service.event(realm, EventKind::Registered, Some(id), None)],
            ..UnitOfWork::of(Change::InsertRegistration { registration: Box::new(registration), limit, now })
        };
        let committed = self.service.commit(work).await?;
        for removed in &committed.registrations {
            self.service.ports.mailer.forget(realm, removed).await;
        }
        Ok(id)
    }

    /// Reads a form; all that is wrong with it is one error.
    pub(crate) async fn check_form(
        self,
        form: &RegistrationForm<'_>,
        known: Vec<Violation>,
    ) -> Result<ParsedRegistration, AuthError> {
        let rules = FormRules {
            passwords: &self.service.policy.passwords,
            smtputf8: self.service.policy.smtputf8,
            phones: self.service.policy.phones,
            app_name: &self.service.policy.app_name,
            current_year: self.service.ports.clock.now().year(),
        };
        let parsed = form.parse(&rules);
        let mut violations = known;
        if let Err(found) = &parsed {
            let heard: Vec<_> = violations.iter().map(|violation| violation.field.clone()).collect();
            violations.extend(found.iter().filter(|violation| !heard.contains(&violation.field)).cloned());
        }
        if let Some(password) = form.password.and_then(Password::from_login_input) {
            violations.extend(self.service.check_breached(&password).await?);
        }
        match parsed {
            Ok(parsed) if violations.is_empty() => Ok(parsed),
            _ => Err(AuthError::Invalid(violations)),
        }
    }
}
