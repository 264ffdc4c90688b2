//! The first factor of an account that must have one. Its password alone opens nothing: a code that is mailed to the
//! address on record proves the mailbox too. Then the account adds a factor, and the session opens with it.

use std::time::Duration;

use crate::model::client::Client;
use crate::model::event::EventKind;
use crate::model::factor::{BackupCodes, FactorMethod, SealedFactors, Totp};
use crate::model::ids::PasskeyId;
use crate::model::job::Task;
use crate::model::one_time_token::{OneTimeToken, Purpose};
use crate::model::otp::TypedCode;
use crate::model::passkey::{Passkey, PasskeyName, Passkeys};
use crate::model::realm::Realm;
use crate::model::sealed::{Digest, Field};
use crate::model::secret::{OpaqueToken, SecretString};
use crate::model::session::{AuthMethods, Session};
use crate::model::totp::TotpSecret;
use crate::model::undo::UndoableChange;
use crate::model::user::User;
use crate::ports::database::{Change, UnitOfWork};
use crate::ports::error::PortError;
use crate::ports::keyed_digest::Domain;
use crate::ports::passkey_verifier::PasskeyOwner;
use crate::service::{AuthService, Ports};
use crate::use_cases::login::Logins;
use crate::use_cases::shared::commit::VersionCheck;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::otp::FactorChallenge;
use crate::use_cases::shared::tokens::TokenPair;

/// How long the mailed code is awaited, and after it the factor.
const LIFETIME: Duration = Duration::from_secs(600);

/// A challenge that the mailed code answers.
#[derive(Debug)]
pub struct EnrolmentChallenge {
    /// Names it.
    pub token: OpaqueToken,
    /// How long the code is awaited.
    pub expires_in: Duration,
}

/// The factors that an account may begin with.
#[derive(Debug)]
pub struct EnrolmentOffer {
    /// Names the offer, and is the challenge of a new passkey.
    pub token: OpaqueToken,
    /// How long a factor is awaited.
    pub expires_in: Duration,
    /// The methods, the strongest first.
    pub methods: Vec<FactorMethod>,
    /// The key for an authenticator app as base32, for typing.
    pub secret: SecretString,
    /// The key as an `otpauth` URI, for a QR code.
    pub uri: SecretString,
    /// The options with which a browser makes a passkey, as JSON.
    pub passkey_options: String,
}

/// The factor that an account begins with.
#[derive(Debug, Clone)]
pub enum FirstFactor<'a> {
    /// The first code of an authenticator app.
    Totp(&'a str),
    /// A new passkey.
    Passkey {
        /// The browser's response as JSON.
        response: &'a str,
        /// The name that its owner gives it.
        name: PasskeyName,
    },
    /// SMS, where the phone on record is proven.
    Sms,
}

/// The result of a first factor.
#[derive(Debug)]
pub enum Enrolled {
    /// A session, and backup codes.
    Session(TokenPair, Vec<TypedCode>),
    /// SMS is on, and its code is asked for.
    MfaRequired(FactorChallenge),
}

/// A first factor that has been verified.
struct Verified {
    method: FactorMethod,
    auth_methods: AuthMethods,
    factors: SealedFactors,
    backup_codes: Vec<TypedCode>,
}

impl Logins<'_> {
    /// Makes a challenge for an account whose password was right, and has its code mailed.
    pub(super) async fn begin_enrolment(self, user: &User) -> Result<EnrolmentChallenge, AuthError> {
        let realm = &user.realm;
        let (token, stored) = self.new_token(user, Purpose::EnrolmentCode);
        let task = Task::SendEnrolmentCode { user: user.id, challenge: stored.token };
        let work = UnitOfWork {
            jobs: vec![self.service.job(realm, task)],
            events: vec![self.service.event(realm, EventKind::MfaChallenged, Some(user.id), None)],
            ..UnitOfWork::of(Change::PutToken(Box::new(stored)))
        };
        self.service.commit(work).await?;
        Ok(EnrolmentChallenge { token, expires_in: LIFETIME })
    }

    /// Answers a challenge by the mailed code. The offer that follows is good for one factor.
    ///
    /// # Errors
    /// `InvalidToken` for whatever is not the right code of a living challenge; `TooMany`.
    pub async fn confirm_enrolment(self, realm: &Realm, token: &str, code: &str) -> Result<EnrolmentOffer, AuthError> {
        let (_, user) = self.find_enrolment(realm, Purpose::EnrolmentCode, token).await?;
        let challenge = self.service.try_otp(realm, Purpose::EnrolmentCode, (token, code), Some(&user)).await?;
        let (token, stored) = self.new_token(&user, Purpose::Enrolment);
        let offer = self.offer(&user, token)?;
        let work = UnitOfWork::of(self.service.use_up(&challenge)).with(Change::PutToken(Box::new(stored)));
        self.service.commit(work).await?;
        Ok(offer)
    }

    /// Adds the first factor, ends every other right of the account, and opens a session. With SMS a code has to be
    /// shown before. The owner gets a notice with an undo link.
    ///
    /// # Errors
    /// `InvalidToken` for an offer that is not good any more, and for a wrong code or passkey, which leaves it good;
    /// `PhoneNotVerified`.
    pub async fn enrol(
        self,
        realm: &Realm,
        token: &str,
        factor: FirstFactor<'_>,
        client: &Client,
    ) -> Result<Enrolled, AuthError> {
        let (offer, user) = self.find_enrolment(realm, Purpose::Enrolment, token).await?;
        let token = OpaqueToken::parse(token).ok_or(AuthError::InvalidToken)?;
        let verified = self.verify(&user, &token, factor)?;
        if verified.method == FactorMethod::Sms {
            let user = self.store(user, &offer, &verified, None).await?;
            return self.service.factor_challenge(&user, Purpose::LoginMfa, true).await.map(Enrolled::MfaRequired);
        }
        let from = self.service.login_source(realm, &client.address);
        self.service.record_login_success(realm, &self.service.throttle_key_of(&user)?, &from).await?;
        let methods = AuthMethods::PASSWORD.and(verified.auth_methods);
        let (session, pair) = self.service.new_session(&user, client, methods)?;
        self.store(user, &offer, &verified, Some(session)).await?;
        Ok(Enrolled::Session(pair, verified.backup_codes))
    }

    /// Stores the account with its first factor, and the session that it opens. Returns the account.
    async fn store(
        self,
        user: User,
        offer: &OneTimeToken,
        verified: &Verified,
        session: Option<Session>,
    ) -> Result<User, AuthError> {
        let Verified { method, factors, .. } = verified;
        let (realm, undo, at) = (user.realm.clone(), self.service.new_undo_id(), self.service.ports.clock.now());
        let change = |user: &mut User| {
            if user.has_second_factor() {
                return Err(AuthError::InvalidToken);
            }
            if *method == FactorMethod::Sms && !user.phone_verified {
                return Err(AuthError::PhoneNotVerified);
            }
            user.mfa_sms = *method == FactorMethod::Sms;
            user.factors = factors.clone();
            user.end_rights();
            Ok(())
        };
        let effects = |before: &User, after: &User| {
            let (id, sid) = (Some(after.id), session.as_ref().map(|session| session.id));
            let kind = if *method == FactorMethod::Passkey { EventKind::PasskeyAdded } else { EventKind::MfaEnabled };
            let mut changes = vec![self.service.use_up(offer)];
            changes.extend(AuthService::changes_that_end_rights(after));
            changes.push(self.service.undo_record(undo, UndoableChange::Factors, (before, after))?);
            let mut events = vec![self.service.event(&realm, kind, id, sid)];
            if let Some(session) = &session {
                let opened = Session { credentials_version: after.credentials_version, ..session.clone() };
                changes.push(Change::InsertSession(Box::new(opened)));
                events.push(self.service.event(&realm, EventKind::LoggedIn, id, sid));
            }
            let task = Task::MfaChanged { user: after.id, at, factor: *method, enabled: true, undo: Some(undo) };
            Ok(UnitOfWork { changes, jobs: vec![self.service.job(&realm, task)], events })
        };
        let done = self.service.update_credentials(user, VersionCheck::MustMatch, change, effects).await;
        done.map(|done| done.user).map_err(|error| match error {
            // the offer belongs to the credentials version that has passed
            AuthError::NotAuthenticated => AuthError::InvalidToken,
            error => error,
        })
    }

    /// Verifies a first factor, and seals it for its account.
    fn verify(self, user: &User, token: &OpaqueToken, factor: FirstFactor<'_>) -> Result<Verified, AuthError> {
        let Ports { clock, randomness, passkeys: verifier, .. } = &self.service.ports;
        let (cipher, now) = (self.service.record_cipher(user)?, clock.now());
        let (set, backup_codes) = BackupCodes::random(|bytes| randomness.fill(bytes), now);
        let sealed_codes = self.service.seal_backup_codes(user, &set)?;
        let factors =
            |totp, passkeys| SealedFactors { totp, passkeys, backup_codes: sealed_codes, ..SealedFactors::default() };
        match factor {
            FirstFactor::Totp(code) => {
                let code = TypedCode::parse_digits(code).ok_or(AuthError::InvalidToken)?;
                let mut keys = self.app_keys(user, token).into_iter();
                let found =
                    keys.find_map(|secret| secret.matching_step(&code, now, 0).map(|last_step| (secret, last_step)));
                let (secret, last_step) = found.ok_or(AuthError::InvalidToken)?;
                let totp = cipher.seal(Field::Totp, &Totp { secret, last_step, since: now }.to_text())?;
                let (method, auth_methods) = (FactorMethod::Totp, AuthMethods::OTP);
                Ok(Verified { method, auth_methods, factors: factors(Some(totp), None), backup_codes })
            }
            FirstFactor::Passkey { response, name } => {
                let made = verifier.verify_new(token.as_bytes(), response);
                let credential = made.map_err(|_| AuthError::InvalidToken)?;
                let auth_methods =
                    if credential.synced { AuthMethods::SYNCED_PASSKEY } else { AuthMethods::DEVICE_PASSKEY };
                let id = PasskeyId::random(|bytes| randomness.fill(bytes));
                let passkey = Passkey { id, name, credential, created_at: now, last_used_at: Some(now) };
                let passkeys = cipher.seal_passkeys(&Passkeys(vec![passkey]))?;
                let method = FactorMethod::Passkey;
                Ok(Verified { method, auth_methods, factors: factors(None, passkeys), backup_codes })
            }
            FirstFactor::Sms => Ok(Verified {
                method: FactorMethod::Sms,
                auth_methods: AuthMethods::SMS,
                factors: SealedFactors::default(),
                backup_codes: Vec::new(),
            }),
        }
    }

    fn offer(self, user: &User, token: OpaqueToken) -> Result<EnrolmentOffer, AuthError> {
        let cipher = self.service.record_cipher(user)?;
        let email = cipher.email(Field::Email, &user.person.email)?;
        let first_name = cipher.first_name(&user.person)?;
        let last_name = cipher.open(Field::LastName, &user.person.last_name)?;
        let display_name = format!("{} {last_name}", first_name.as_str());
        let owner = PasskeyOwner { user: user.id, name: email.as_str(), display_name: display_name.trim() };
        let passkey_options = self.service.ports.passkeys.creation_options(owner, token.as_bytes(), &[])?;
        let newest = self.app_keys(user, &token).into_iter().next();
        let secret = newest.ok_or_else(|| PortError::new("keyed_digest", "there is no key"))?;
        let sms = user.phone_verified.then_some(FactorMethod::Sms);
        Ok(EnrolmentOffer {
            methods: [FactorMethod::Passkey, FactorMethod::Totp].into_iter().chain(sms).collect(),
            uri: secret.to_uri(&self.service.policy.app_name, email.as_str()),
            secret: secret.to_base32(),
            passkey_options,
            token,
            expires_in: LIFETIME,
        })
    }

    /// The key of the authenticator app that belongs to an offer, under each index key: nothing has to be stored before
    /// its first code comes back.
    fn app_keys(self, user: &User, token: &OpaqueToken) -> Vec<TotpSecret> {
        let parts = [b"first authenticator app", &token.as_bytes()[..]];
        let digests = self.service.ring_digest(Domain::OneTimeToken, &user.realm, &parts);
        let key_of = |digest: &Digest| {
            TotpSecret::random(|key| key.iter_mut().zip(digest.as_bytes()).for_each(|(key, byte)| *key = *byte))
        };
        digests.all().map(key_of).collect()
    }

    /// The living token of that purpose, and its account, while nothing has changed that it depends on.
    async fn find_enrolment(
        self,
        realm: &Realm,
        purpose: Purpose,
        token: &str,
    ) -> Result<(OneTimeToken, User), AuthError> {
        let Ports { users, clock, .. } = &self.service.ports;
        let token = OpaqueToken::parse(token).ok_or(AuthError::InvalidToken)?;
        let found = self.service.find_token(realm, purpose, &token, clock.now()).await?;
        let found = found.ok_or(AuthError::InvalidToken)?;
        let user = users.find(realm, &found.holder.subject).await?;
        let is_bound =
            |user: &User| self.service.is_bound_to(&found, &user.person.email_index, user.credentials_version);
        let user = user.filter(|user| !user.disabled && !user.has_second_factor() && is_bound(user));
        Ok((found, user.ok_or(AuthError::InvalidToken)?))
    }

    fn new_token(self, user: &User, purpose: Purpose) -> (OpaqueToken, OneTimeToken) {
        let (address, version) = (&user.person.email_index, user.credentials_version);
        let binding = self.service.address_binding(&user.realm, purpose, address, version);
        let holder = AuthService::holder(&user.realm, purpose, user.id);
        self.service.new_one_time_token(holder, Some(binding), LIFETIME)
    }
}
