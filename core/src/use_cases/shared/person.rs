//! Seals the values of a person, and opens them for that person.

use crate::model::country::{Country, CountryCode};
use crate::model::email::Email;
use crate::model::factor::{BackupCodes, PendingTotp, Totp};
use crate::model::ids::UserId;
use crate::model::locale::Locale;
use crate::model::name::PersonName;
use crate::model::passkey::Passkeys;
use crate::model::phone::Phone;
use crate::model::realm::Realm;
use crate::model::sealed::{AadContext, DataKey, Field, RingDigest, Sealed, WrappedKey};
use crate::model::strength::StrengthContext;
use crate::model::user::{FactorOverview, PasswordHash, Profile, Registration, SealedPerson, User};
use crate::ports::error::PortError;
use crate::service::AuthService;

/// A person as parsed from a registration.
#[derive(Debug, Clone)]
pub struct Person {
    /// Given name.
    pub first_name: PersonName,
    /// Family name.
    pub last_name: PersonName,
    /// The address.
    pub email: Email,
    /// The number.
    pub phone: Phone,
    /// As given.
    pub country_code: CountryCode,
    /// The language of mails, SMS and pages.
    pub locale: Locale,
}

/// One record's cipher: its open key and its place.
pub(crate) struct RecordCipher<'a> {
    service: &'a AuthService,
    realm: &'a Realm,
    record: &'a [u8; 16],
    key: DataKey,
}

impl RecordCipher<'_> {
    pub(crate) fn seal(&self, field: Field, value: &str) -> Result<Sealed, PortError> {
        self.service.ports.cipher.seal(&self.key, self.place(field), value.as_bytes())
    }

    /// The same key at another record: a session's fields are sealed under its user's key.
    pub(crate) fn at<'b>(&'b self, record: &'b [u8; 16]) -> RecordCipher<'b> {
        RecordCipher { service: self.service, realm: self.realm, record, key: self.key.clone() }
    }

    pub(crate) fn open(&self, field: Field, sealed: &Sealed) -> Result<String, PortError> {
        let mut bytes = self.service.ports.cipher.open(&self.key, self.place(field), sealed)?;
        String::from_utf8(std::mem::take(&mut *bytes))
            .map_err(|error| PortError::new("field_cipher", error.utf8_error()))
    }

    pub(crate) fn open_as<T>(
        &self,
        field: Field,
        sealed: &Sealed,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, PortError> {
        let text = self.open(field, sealed)?;
        parse(&text)
            .ok_or_else(|| PortError::new("field_cipher", format!("a stored {} does not parse", field.as_str())))
    }

    pub(crate) fn email(&self, field: Field, sealed: &Sealed) -> Result<Email, PortError> {
        self.open(field, sealed).map(Email::from_stored)
    }

    pub(crate) fn first_name(&self, person: &SealedPerson) -> Result<PersonName, PortError> {
        self.open(Field::FirstName, &person.first_name).map(PersonName::from_stored)
    }

    pub(crate) fn locale(&self, person: &SealedPerson) -> Result<Locale, PortError> {
        let stored = person.locale.as_ref().map(|sealed| self.open(Field::Locale, sealed)).transpose()?;
        Ok(stored.map(Locale::from_stored).unwrap_or_default())
    }

    pub(crate) fn phone(&self, person: &SealedPerson) -> Result<Phone, PortError> {
        let country = self.open_as(Field::Country, &person.country, |text| Country::parse(text).ok())?;
        self.open(Field::Phone, &person.phone).map(|number| Phone::from_stored(number, country))
    }

    pub(crate) fn seal_password(&self, hash: &PasswordHash) -> Result<Sealed, PortError> {
        self.seal(Field::Password, hash.as_str())
    }

    pub(crate) fn open_password(&self, sealed: &Sealed) -> Result<PasswordHash, PortError> {
        self.open(Field::Password, sealed).map(PasswordHash::new)
    }

    /// The authenticator app that is on.
    pub(crate) fn totp(&self, user: &User) -> Result<Option<Totp>, PortError> {
        user.factors.totp.as_ref().map(|sealed| self.open_as(Field::Totp, sealed, Totp::parse)).transpose()
    }

    /// The unused backup codes.
    pub(crate) fn backup_codes(&self, user: &User) -> Result<Option<BackupCodes>, PortError> {
        let codes = user.factors.backup_codes.as_ref();
        codes.map(|sealed| self.open_as(Field::BackupCodes, sealed, BackupCodes::parse)).transpose()
    }

    /// The passkeys; empty where there is none.
    pub(crate) fn passkeys(&self, user: &User) -> Result<Passkeys, PortError> {
        let passkeys = user.factors.passkeys.as_ref();
        let opened = passkeys.map(|sealed| self.open_as(Field::Passkeys, sealed, Passkeys::parse)).transpose()?;
        Ok(opened.unwrap_or_default())
    }

    /// Passkeys for a store; `None` if there is none.
    pub(crate) fn seal_passkeys(&self, passkeys: &Passkeys) -> Result<Option<Sealed>, PortError> {
        if passkeys.0.is_empty() {
            return Ok(None);
        }
        self.seal(Field::Passkeys, &passkeys.to_text()).map(Some)
    }

    /// The authenticator app whose first code is awaited.
    pub(crate) fn pending_totp(&self, user: &User) -> Result<Option<PendingTotp>, PortError> {
        let pending = user.factors.pending_totp.as_ref();
        pending.map(|sealed| self.open_as(Field::PendingTotp, sealed, PendingTotp::parse)).transpose()
    }

    /// The second factors of a user, for the user.
    pub(crate) fn factor_overview(&self, user: &User) -> Result<FactorOverview, PortError> {
        let codes = self.backup_codes(user)?;
        Ok(FactorOverview {
            sms: user.mfa_sms,
            totp: user.factors.totp.is_some(),
            backup_codes: codes.map_or(0, |codes| codes.count()),
            passkeys: self.passkeys(user)?.0.len(),
        })
    }

    const fn place(&self, field: Field) -> AadContext<'_> {
        AadContext { realm: self.realm, record: self.record, field }
    }
}

impl AuthService {
    /// Opens the key of a record.
    pub(crate) fn opener<'a>(
        &'a self,
        realm: &'a Realm,
        record: &'a [u8; 16],
        key: &WrappedKey,
    ) -> Result<RecordCipher<'a>, PortError> {
        let key = self.ports.cipher.unwrap(key, AadContext { realm, record, field: Field::Key })?;
        Ok(RecordCipher { service: self, realm, record, key })
    }

    /// Opens the key of a user.
    pub(crate) fn record_cipher<'a>(&'a self, user: &'a User) -> Result<RecordCipher<'a>, PortError> {
        self.opener(&user.realm, user.id.as_bytes(), &user.person.key)
    }

    /// Opens the key of a registration.
    pub(crate) fn registration_cipher<'a>(
        &'a self,
        registration: &'a Registration,
    ) -> Result<RecordCipher<'a>, PortError> {
        self.opener(&registration.realm, registration.id.as_bytes(), &registration.person.key)
    }

    /// Seals a person and the hash of their password under a fresh key of their own.
    pub(crate) fn seal_person(
        &self,
        (realm, id): (&Realm, &UserId),
        person: &Person,
        email_index: RingDigest,
        password: &PasswordHash,
    ) -> Result<(SealedPerson, Sealed), PortError> {
        let record = id.as_bytes();
        let (key, wrapped) = self.ports.cipher.new_key(AadContext { realm, record, field: Field::Key })?;
        let opener = RecordCipher { service: self, realm, record, key };
        let sealed = SealedPerson {
            email_index,
            first_name: opener.seal(Field::FirstName, person.first_name.as_str())?,
            last_name: opener.seal(Field::LastName, person.last_name.as_str())?,
            email: opener.seal(Field::Email, person.email.as_str())?,
            phone: opener.seal(Field::Phone, person.phone.as_str())?,
            country_code: opener.seal(Field::CountryCode, &person.country_code.to_string())?,
            country: opener.seal(Field::Country, person.phone.country().as_str())?,
            locale: Some(opener.seal(Field::Locale, person.locale.as_str())?),
            key: wrapped,
        };
        Ok((sealed, opener.seal_password(password)?))
    }

    /// Opens everything of a user, for the user.
    pub(crate) fn decrypt_profile(&self, user: &User) -> Result<Profile, PortError> {
        let opener = self.record_cipher(user)?;
        let person = &user.person;
        let phone = opener.phone(person)?;
        let pending = user.pending_email.as_ref();
        Ok(Profile {
            id: user.id,
            first_name: opener.first_name(person)?,
            last_name: opener.open(Field::LastName, &person.last_name).map(PersonName::from_stored)?,
            email: opener.email(Field::Email, &person.email)?,
            pending_email: pending.map(|waiting| opener.email(Field::PendingEmail, &waiting.email)).transpose()?,
            country: phone.country(),
            phone,
            country_code: opener.open_as(Field::CountryCode, &person.country_code, |t| CountryCode::parse(t).ok())?,
            locale: opener.locale(person)?,
            phone_verified: user.phone_verified,
            factors: opener.factor_overview(user)?,
            created_at: user.created_at,
            updated_at: user.updated_at,
            version: user.version,
        })
    }

    /// The context for the strength estimate of a user's new password.
    pub(crate) fn strength_context(&self, profile: &Profile) -> StrengthContext {
        StrengthContext::new(
            &[profile.first_name.as_str(), profile.last_name.as_str()],
            Some(profile.email.as_str()),
            &self.policy.app_name,
            self.ports.clock.now().year(),
        )
    }
}
