//! One-time passwords sent by SMS: tries and bindings. The challenge that any second factor answers.

use crate::model::event::EventKind;
use crate::model::factor::FactorMethod;
use crate::model::job::Task;
use crate::model::message::Channel;
use crate::model::one_time_token::{OneTimeToken, Purpose};
use crate::model::otp::TypedCode;
use crate::model::realm::Realm;
use crate::model::sealed::RingDigest;
use crate::model::secret::OpaqueToken;
use crate::model::user::User;
use crate::ports::database::{Change, UnitOfWork};
use crate::ports::one_time_token_store::{CodeAttempt, CodeLookup};
use crate::service::{AuthService, Ports};
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::wrong_factors::FactorOutcome;

/// A challenge that a second factor answers.
#[derive(Debug)]
pub struct FactorChallenge {
    /// Names it.
    pub token: OpaqueToken,
    /// The methods that answer it, the strongest first.
    pub methods: Vec<FactorMethod>,
    /// The options with which a browser asks for a passkey of the account, as JSON; `None` where it has none. Their challenge
    /// is the token.
    pub passkey_options: Option<String>,
}

impl AuthService {
    /// Compares an OTP with that of its challenge. A wrong one counts as a wrong second factor of the account, where one is
    /// given. The commit of the change that it allows uses the challenge up.
    pub(crate) async fn try_otp(
        &self,
        realm: &Realm,
        purpose: Purpose,
        (token, otp): (&str, &str),
        counted_for: Option<&User>,
    ) -> Result<OneTimeToken, AuthError> {
        let Ports { one_time_tokens, clock, .. } = &self.ports;
        let token = OpaqueToken::parse(token).ok_or(AuthError::InvalidToken)?;
        let is_mailed = purpose == Purpose::EnrolmentCode;
        let code = if is_mailed { TypedCode::parse_letters(otp) } else { TypedCode::parse_digits(otp) };
        let code = code.ok_or(AuthError::InvalidToken)?;
        let now = clock.now();
        let waiting = self.find_token(realm, purpose, &token, now).await?.ok_or(AuthError::InvalidToken)?;
        let subject = waiting.holder.subject;
        let digests = self.code_digest(realm, purpose, &subject, &code);
        let digest = waiting.code.as_ref().map_or(digests.newest(), |stored| digests.like(stored));
        let of = CodeLookup::Token(realm.clone(), purpose, waiting.token);
        let counted_for = counted_for
            .map(|user| (user, if is_mailed { self.enrolment_digest(user) } else { self.factor_digest(user) }));
        let counted = match &counted_for {
            Some((_, subject)) => self.admit_factor(realm, subject).await?,
            None => 0,
        };
        let attempt = one_time_tokens.try_code(&of, digest, now).await;
        if let Some((user, subject)) = &counted_for {
            let outcome = match &attempt {
                Ok(CodeAttempt::Right(_)) => FactorOutcome::Right,
                Ok(CodeAttempt::Wrong(_)) => FactorOutcome::Wrong,
                Ok(CodeAttempt::Dead) | Err(_) => FactorOutcome::NotCompared,
            };
            self.settle_factor(user, subject, counted, outcome).await?;
        }
        match attempt? {
            CodeAttempt::Right(token) => Ok(token),
            CodeAttempt::Wrong(holder) => {
                self.record(realm, EventKind::OtpFailed, Some(holder.subject), None);
                Err(AuthError::InvalidToken)
            }
            CodeAttempt::Dead => Err(AuthError::InvalidToken),
        }
    }

    /// Whether the phone a code was sent to is still the one on record; and for a login, whether everything that was
    /// shown before the code still counts.
    pub(crate) fn sent_to(&self, user: &User, token: &OneTimeToken) -> Result<bool, AuthError> {
        let phone = self.record_cipher(user)?.phone(&user.person)?;
        let binding = self.otp_binding(user, token.holder.purpose, phone.as_str());
        Ok(token.binding.is_some_and(|stored| binding.has(&stored)))
    }

    /// The binding of an OTP.
    pub(crate) fn otp_binding(&self, user: &User, purpose: Purpose, phone: &str) -> RingDigest {
        self.token_binding(&user.realm, purpose, phone.as_bytes(), user.credentials_version)
    }

    /// A challenge that a second factor answers. With `send_sms` the worker makes a code and sends it.
    pub(crate) async fn factor_challenge(
        &self,
        user: &User,
        purpose: Purpose,
        send_sms: bool,
    ) -> Result<FactorChallenge, AuthError> {
        let realm = &user.realm;
        let phone = self.record_cipher(user)?.phone(&user.person)?;
        let binding = *self.otp_binding(user, purpose, phone.as_str()).newest();
        let holder = Self::holder(realm, purpose, user.id);
        let (token, stored) = self.new_one_time_token(holder, Some(binding), self.policy.lifetimes.otp);
        let task = Task::SendOtp { user: user.id, purpose, challenge: stored.token, channel: Channel::Sms };
        let work = UnitOfWork {
            jobs: if send_sms { vec![self.job(realm, task)] } else { Vec::new() },
            events: vec![self.event(realm, EventKind::MfaChallenged, Some(user.id), None)],
            ..UnitOfWork::of(Change::PutToken(Box::new(stored)))
        };
        self.commit(work).await?;
        let passkey_options = self.passkey_options(user, &token)?;
        Ok(FactorChallenge { token, methods: user.factor_methods(), passkey_options })
    }
}
