//! Fake: made-up accounts for benchmarks and demonstrations, already verified. The caller makes sure that the
//! database has no real ones.

use crate::model::country::CountryCode;
use crate::model::email::Email;
use crate::model::ids::UserId;
use crate::model::locale::Locale;
use crate::model::name::PersonName;
use crate::model::phone::{Phone, PhoneValidation};
use crate::model::realm::Realm;
use crate::model::user::{PasswordHash, User};
use crate::ports::database::{Change, UnitOfWork};
use crate::ports::error::PortError;
use crate::service::Ports;
use crate::use_cases::operator::Operators;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::person::Person;

/// The address of the n-th made-up person: in a domain that is reserved and cannot be registered.
#[must_use]
pub fn fake_address(number: u64) -> String {
    format!("fake-{number}@example.org")
}

impl Operators<'_> {
    /// Makes the n-th made-up account with a hash that many of them may share; whether it was not there yet.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn fake_user(self, realm: &Realm, number: u64, password: &PasswordHash) -> Result<bool, AuthError> {
        let Ports { database, clock, randomness, .. } = &self.service.ports;
        let person = fake_person(number).ok_or_else(|| PortError::new("fake_user", "a made-up person is not valid"))?;
        let (id, now) = (UserId::random(|bytes| randomness.fill(bytes)), clock.now());
        let email_index = self.service.email_index(realm, &person.email);
        let (person, password) = self.service.seal_person((realm, &id), &person, email_index, password)?;
        let user = User::new((realm.clone(), id), person, password, now);
        Ok(database.commit(UnitOfWork::of(Change::InsertUser(Box::new(user)))).await?.is_ok())
    }
}

fn fake_person(number: u64) -> Option<Person> {
    let country_code = CountryCode::parse("US").ok()?;
    // numbers that are set aside for fiction
    let phone = format!("+120255501{:02}", number % 100);
    Some(Person {
        first_name: PersonName::parse("Fake").ok()?,
        last_name: PersonName::parse(&format!("Person {number}")).ok()?,
        email: Email::parse(&fake_address(number)).ok()?,
        phone: Phone::parse(&phone, &country_code, PhoneValidation::E164).ok()?,
        country_code,
        locale: Locale::default(),
    })
}
