//! Second factors that a person shows: which method, whether it is right, and that it is used up in the commit of what it
//! allows.

use crate::model::device::Device;
use crate::model::event::EventKind;
use crate::model::factor::{BackupCodes, FactorMethod, Totp};
use crate::model::ids::SessionId;
use crate::model::job::Task;
use crate::model::one_time_token::{OneTimeToken, Purpose};
use crate::model::otp::TypedCode;
use crate::model::realm::Realm;
use crate::model::sealed::{Field, Sealed};
use crate::model::secret::OpaqueToken;
use crate::model::session::AuthMethods;
use crate::model::user::User;
use crate::ports::database::{Change, Refusal, UnitOfWork};
use crate::service::{AuthService, Ports};
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::wrong_factors::FactorOutcome;

/// A second factor as a request carries it.
#[derive(Clone, Copy)]
pub struct FactorAnswer<'a> {
    /// The method; by default the form of the code and the factors of the account decide.
    pub method: Option<FactorMethod>,
    /// The challenge. An SMS code and a passkey need one.
    pub challenge: Option<&'a str>,
    /// The code, or the browser's response as JSON where the method is a passkey.
    pub response: &'a str,
}

/// A right second factor that is not used up yet.
pub(crate) struct ShownFactor {
    /// How a session or token is marked that it opened.
    pub auth_methods: AuthMethods,
    /// The challenge that it answers.
    challenge: Option<OneTimeToken>,
    /// The proof, where the account itself keeps what it is compared with.
    proof: Option<FactorProof>,
    /// A device that is remembered from then on.
    pub remembered: Option<Device>,
}

impl ShownFactor {
    /// A remembered device in place of a second factor. It is none: the session says that the password was shown, and
    /// no more.
    pub(crate) const fn of_device(token: OpaqueToken, session: SessionId) -> Self {
        let proof = Some(FactorProof::Device(token, session));
        Self { auth_methods: AuthMethods::PASSWORD, challenge: None, proof, remembered: None }
    }
}

/// A proof that changes the account when it is used.
enum FactorProof {
    Totp(TypedCode),
    BackupCode(TypedCode),
    /// The browser's response that has signed the challenge.
    Passkey {
        challenge: OpaqueToken,
        response: String,
    },
    /// The token of a remembered device, and the session that it opens.
    Device(OpaqueToken, SessionId),
}

/// An account after one of its codes or passkeys was used.
struct Spent {
    user: User,
    auth_methods: AuthMethods,
    codes_left: Option<u8>,
}

impl AuthService {
    /// The living challenge of that token, and its account; while nothing has changed that it depends on.
    pub(crate) async fn find_challenge(
        &self,
        realm: &Realm,
        purpose: Purpose,
        token: &str,
    ) -> Result<(OneTimeToken, User), AuthError> {
        let Ports { users, clock, .. } = &self.ports;
        let token = OpaqueToken::parse(token).ok_or(AuthError::InvalidToken)?;
        let found = self.find_token(realm, purpose, &token, clock.now()).await?;
        let challenge = found.ok_or(AuthError::InvalidToken)?;
        let user = users.find(realm, &challenge.holder.subject).await?.ok_or(AuthError::InvalidToken)?;
        if user.disabled || !self.sent_to(&user, &challenge)? {
            return Err(AuthError::InvalidToken);
        }
        Ok((challenge, user))
    }

    /// Compares a second factor of `user`. The challenge, where there is one, is the user's.
    ///
    /// # Errors
    /// `InvalidToken`, `TooMany`.
    pub(crate) async fn check_factor(
        &self,
        user: &User,
        answer: FactorAnswer<'_>,
        challenge: Option<OneTimeToken>,
    ) -> Result<ShownFactor, AuthError> {
        let (realm, methods) = (&user.realm, user.factor_methods());
        let method = answer.method.or_else(|| method_of(answer.response, &methods));
        let method = method.filter(|method| methods.contains(method)).ok_or(AuthError::InvalidToken)?;
        if method == FactorMethod::Sms {
            let purpose = challenge.as_ref().map(|token| token.holder.purpose).ok_or(AuthError::InvalidToken)?;
            let token = answer.challenge.ok_or(AuthError::InvalidToken)?;
            let token = self.try_otp(realm, purpose, (token, answer.response), Some(user)).await?;
            return Ok(ShownFactor {
                auth_methods: AuthMethods::SMS,
                challenge: Some(token),
                proof: None,
                remembered: None,
            });
        }
        let proof = match method {
            FactorMethod::Passkey if challenge.is_none() => None,
            FactorMethod::Passkey => answer
                .challenge
                .and_then(OpaqueToken::parse)
                .map(|challenge| FactorProof::Passkey { challenge, response: answer.response.to_owned() }),
            FactorMethod::BackupCode => TypedCode::parse_backup(answer.response).map(FactorProof::BackupCode),
            _ => TypedCode::parse_digits(answer.response).map(FactorProof::Totp),
        };
        let proof = proof.ok_or(AuthError::InvalidToken)?;
        if let FactorProof::Passkey { .. } = proof {
            // not counted: a signature can't be guessed, and wrong codes must not keep its owner out
            return self.check_passkey(user, proof, challenge);
        }
        let subject = self.factor_digest(user);
        let counted = self.admit_factor(realm, &subject).await?;
        let spent = self.spend(user, &proof);
        let outcome = match &spent {
            Ok(Some(_)) => FactorOutcome::Right,
            Ok(None) => FactorOutcome::Wrong,
            Err(_) => FactorOutcome::NotCompared,
        };
        self.settle_factor(user, &subject, counted, outcome).await?;
        let Some(Spent { auth_methods, .. }) = spent? else {
            self.record(realm, EventKind::OtpFailed, Some(user.id), None);
            return Err(AuthError::InvalidToken);
        };
        Ok(ShownFactor { auth_methods, challenge, proof: Some(proof), remembered: None })
    }

    /// Verifies the signature of a passkey of `user` over a challenge.
    ///
    /// # Errors
    /// `InvalidToken`.
    pub(crate) fn check_passkey_response(
        &self,
        user: &User,
        (token, challenge): (OpaqueToken, OneTimeToken),
        response: &str,
    ) -> Result<ShownFactor, AuthError> {
        let proof = FactorProof::Passkey { challenge: token, response: response.to_owned() };
        self.check_passkey(user, proof, Some(challenge))
    }

    fn check_passkey(
        &self,
        user: &User,
        proof: FactorProof,
        challenge: Option<OneTimeToken>,
    ) -> Result<ShownFactor, AuthError> {
        let Some(Spent { auth_methods, .. }) = self.spend(user, &proof)? else {
            self.record(&user.realm, EventKind::OtpFailed, Some(user.id), None);
            return Err(AuthError::InvalidToken);
        };
        Ok(ShownFactor { auth_methods, challenge, proof: Some(proof), remembered: None })
    }

    /// Commits `work`, and that the factor and its challenge are used up. Of many racing commits with one code, one
    /// succeeds.
    ///
    /// # Errors
    /// `InvalidToken` for all others, and when the account's credentials have changed since.
    pub(crate) async fn commit_with_factor(
        &self,
        user: &User,
        shown: &ShownFactor,
        work: UnitOfWork,
    ) -> Result<(), AuthError> {
        let Ports { database, users, clock, .. } = &self.ports;
        let mut current = user.clone();
        loop {
            let mut unit = work.clone();
            unit.changes.extend(shown.challenge.as_ref().map(|challenge| self.use_up(challenge)));
            if shown.proof.is_some() || shown.remembered.is_some() {
                let spent = self.spend_shown(&current, shown)?.ok_or(AuthError::InvalidToken)?;
                if let Some(left) = spent.codes_left {
                    let task = Task::BackupCodeUsed { user: user.id, at: clock.now(), left };
                    unit.jobs.push(self.job(&user.realm, task));
                    unit.events.push(self.event(&user.realm, EventKind::BackupCodeUsed, Some(user.id), None));
                }
                if shown.remembered.is_some() && !current.roles.has_admin() {
                    let task = Task::DeviceRemembered { user: user.id, at: clock.now() };
                    unit.jobs.push(self.job(&user.realm, task));
                    unit.events.push(self.event(&user.realm, EventKind::DeviceRemembered, Some(user.id), None));
                }
                unit.changes.push(Change::ReplaceUser { user: Box::new(spent.user), expected: current.version });
            }
            match database.commit(unit).await? {
                Ok(_) => return Ok(()),
                Err(Refusal::UserStale) => {
                    let newest = users.find(&user.realm, &user.id).await?;
                    let same = |newest: &User| newest.credentials_version == user.credentials_version;
                    current = newest.filter(same).ok_or(AuthError::InvalidToken)?;
                }
                Err(Refusal::UserGone) => return Err(AuthError::InvalidToken),
                Err(refusal) => return Err(refusal.into()),
            }
        }
    }

    /// The account after the use of a factor, with the device that is remembered; `None` for a wrong or used factor.
    fn spend_shown(&self, user: &User, shown: &ShownFactor) -> Result<Option<Spent>, AuthError> {
        let unchanged = || Spent {
            user: User { version: user.version + 1, ..user.clone() },
            auth_methods: shown.auth_methods,
            codes_left: None,
        };
        let spent = shown.proof.as_ref().map_or_else(|| Ok(Some(unchanged())), |proof| self.spend(user, proof))?;
        let Some(mut spent) = spent else { return Ok(None) };
        // the role may have been given meanwhile
        if let Some(device) = shown.remembered.as_ref().filter(|_| !user.roles.has_admin()) {
            spent.user.factors.devices = self.seal_devices(user, &self.devices(user)?.with(device.clone()))?;
        }
        Ok(Some(spent))
    }

    /// The account after the use of a proof; `None` for a wrong or used one. The time of its last change stays: a login is
    /// none.
    fn spend(&self, user: &User, proof: &FactorProof) -> Result<Option<Spent>, AuthError> {
        let cipher = self.record_cipher(user)?;
        let mut next = User { version: user.version + 1, ..user.clone() };
        let (mut codes_left, mut auth_methods) = (None, AuthMethods::OTP);
        match proof {
            FactorProof::Totp(code) => {
                let Some(totp) = cipher.totp(user)? else { return Ok(None) };
                let step = totp.secret.matching_step(code, self.ports.clock.now(), totp.last_step);
                let Some(last_step) = step else { return Ok(None) };
                next.factors.totp = Some(cipher.seal(Field::Totp, &Totp { last_step, ..totp }.to_text())?);
            }
            FactorProof::BackupCode(code) => {
                let rest = cipher.backup_codes(user)?.and_then(|codes| codes.without(code));
                let Some(rest) = rest else { return Ok(None) };
                codes_left = Some(u8::try_from(rest.count()).unwrap_or(u8::MAX));
                next.factors.backup_codes = self.seal_backup_codes(user, &rest)?;
            }
            FactorProof::Passkey { challenge, response } => {
                let Some(used) = self.use_passkey(user, challenge, response)? else { return Ok(None) };
                auth_methods = if used.synced { AuthMethods::SYNCED_PASSKEY } else { AuthMethods::DEVICE_PASSKEY };
                next.factors.passkeys = cipher.seal_passkeys(&used.passkeys)?;
            }
            FactorProof::Device(token, session) => {
                let digest = self.device_digest(user, token);
                let used = self.devices(user)?.used(&digest, *session, self.ports.clock.now());
                let Some(used) = used else { return Ok(None) };
                auth_methods = AuthMethods::PASSWORD;
                next.factors.devices = self.seal_devices(user, &used)?;
            }
        }
        Ok(Some(Spent { user: next, auth_methods, codes_left }))
    }

    /// Unused backup codes for a store; `None` if there is none.
    pub(crate) fn seal_backup_codes(&self, user: &User, codes: &BackupCodes) -> Result<Option<Sealed>, AuthError> {
        if codes.count() == 0 {
            return Ok(None);
        }
        Ok(Some(self.record_cipher(user)?.seal(Field::BackupCodes, &codes.to_text())?))
    }
}

/// The method that a code is of, where the request does not say: a backup code has a form of its own, and six digits are
/// of the stronger method that is on.
fn method_of(otp: &str, methods: &[FactorMethod]) -> Option<FactorMethod> {
    if TypedCode::parse_backup(otp).is_some() {
        return Some(FactorMethod::BackupCode);
    }
    methods.iter().copied().find(|method| matches!(method, FactorMethod::Totp | FactorMethod::Sms))
}
