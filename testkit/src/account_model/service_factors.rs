//! Logins and second factors of the model, played on a service.

use std::sync::{MutexGuard, PoisonError};

use super::driver::{Answer, Refusal, Request};
use super::over_service::{Memory, ServiceDriver, pair};
use crate::fakes::passkey_verifier::{new_passkey, owner_of, signature};
use portcullis_core::model::factor::FactorMethod;
use portcullis_core::model::message::Channel;
use portcullis_core::model::otp::TypedCode;
use portcullis_core::model::passkey::PasskeyName;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::secret::OpaqueToken;
use portcullis_core::model::totp::{TotpSecret, step_at};
use portcullis_core::ports::clock::Clock as _;
use portcullis_core::use_cases::login::enrol::{Enrolled, FirstFactor};
use portcullis_core::use_cases::login::log_in::LoggedIn;
use portcullis_core::use_cases::shared::errors::AuthError;
use portcullis_core::use_cases::shared::reauthenticate::Reauthentication;

impl ServiceDriver {
    pub(super) async fn answer_login(&self, realm: &Realm, request: &Request) -> Result<Answer, AuthError> {
        let service = &self.service;
        match request {
            Request::LogIn { email, password } => {
                service.logins().log_in(realm, email, password, &self.client).await.map(logged_in)
            }
            Request::LogInFromDevice { email, password, device } => {
                let logins = service.logins();
                logins.log_in_from(realm, (email, password), Some(device), &self.client).await.map(logged_in)
            }
            Request::RememberDevice { challenge, otp } => {
                let answer = (challenge.as_str(), None, otp.as_str());
                let (tokens, device) = service.logins().log_in_and_remember(realm, answer, &self.client).await?;
                let Answer::Pair(access, refresh) = pair(&tokens) else { return Ok(Answer::Done) };
                Ok(Answer::Remembered(access, refresh, device.map(|token| token.expose()).unwrap_or_default()))
            }
            Request::PasskeyFactor { challenge, passkey } => {
                let response = self.signed(challenge, passkey);
                let method = Some(FactorMethod::Passkey);
                let logins = service.logins();
                logins.log_in_second_factor(realm, challenge, method, &response, &self.client).await.map(|it| pair(&it))
            }
            Request::LogInWithPasskey { passkey } => {
                let token = service.logins().begin_passkey_login(realm).await?.token.expose();
                let response = self.signed(&token, passkey);
                service.logins().log_in_with_passkey(realm, &token, &response, &self.client).await.map(|it| pair(&it))
            }
            Request::SecondFactor { challenge, otp } => {
                let tokens = service.logins().log_in_second_factor(realm, challenge, None, otp, &self.client).await?;
                Ok(pair(&tokens))
            }
            Request::ConfirmEnrolment { token, code } => {
                let offer = service.logins().confirm_enrolment(realm, token, code).await?;
                let token = offer.token.expose();
                let owner = owner_of(&offer.passkey_options).ok_or(AuthError::InvalidToken)?;
                self.memory().offers.insert(token.clone(), (owner, offer.secret.expose().to_owned()));
                Ok(Answer::Offer(token))
            }
            Request::Enrol { offer, passkey } => self.enrol(realm, offer, passkey.as_deref()).await,
            Request::SendOtp { id, phone } => {
                Ok(Answer::Challenge(service.factors().send_otp(realm, id, phone, Channel::Sms).await?.expose()))
            }
            Request::VerifyOtp { challenge, otp } => {
                service.factors().verify_otp(realm, challenge, otp).await.map(|()| Answer::Done)
            }
            _ => Ok(Answer::Done),
        }
    }

    pub(super) async fn add_app(
        &self,
        realm: &Realm,
        access: &str,
        password: Option<&str>,
    ) -> Result<Answer, AuthError> {
        let service = &self.service;
        let caller = service.sessions().authenticate(realm, access).await?;
        let given = Reauthentication::by_password(password, &self.client);
        let begun = service.factors().begin_totp(&caller, given).await?;
        let code = TotpSecret::parse(begun.secret.expose()).and_then(|key| key.code_of(step_at(self.post.clock.now())));
        let code = code.ok_or(AuthError::InvalidToken)?;
        let codes = service.factors().confirm_totp(&caller, code.expose()).await?;
        Ok(Answer::BackupCodes(grouped(&codes)))
    }

    pub(super) async fn add_passkey(
        &self,
        realm: &Realm,
        access: &str,
        passkey: &str,
        password: Option<&str>,
    ) -> Result<Answer, AuthError> {
        let service = &self.service;
        let caller = service.sessions().authenticate(realm, access).await?;
        let given = Reauthentication::by_password(password, &self.client);
        let token = service.factors().begin_passkey(&caller, given).await?.token;
        self.memory().passkeys.insert(passkey.to_owned(), caller.user.id);
        let (response, name) = (new_passkey(&token, passkey, false), name_of(passkey)?);
        let added = service.factors().add_passkey(&caller, &token.expose(), &response, name).await?;
        Ok(Answer::BackupCodes(grouped(&added.backup_codes.unwrap_or_default())))
    }

    /// With the passkey of that name, or with an app.
    async fn enrol(&self, realm: &Realm, offer: &str, passkey: Option<&str>) -> Result<Answer, AuthError> {
        let (owner, secret) = self.memory().offers.get(offer).cloned().ok_or(AuthError::InvalidToken)?;
        if let Some(passkey) = passkey {
            self.memory().passkeys.insert(passkey.to_owned(), owner);
        }
        let code = TotpSecret::parse(&secret).and_then(|key| key.code_of(step_at(self.post.clock.now())));
        let code = code.ok_or(AuthError::InvalidToken)?;
        let token = OpaqueToken::parse(offer).ok_or(AuthError::InvalidToken)?;
        let response = passkey.map(|passkey| new_passkey(&token, passkey, false)).unwrap_or_default();
        let factor = match passkey {
            Some(passkey) => FirstFactor::Passkey { response: &response, name: name_of(passkey)? },
            None => FirstFactor::Totp(code.expose()),
        };
        let Enrolled::Session(tokens, codes) = self.service.logins().enrol(realm, offer, factor, &self.client).await?
        else {
            return Ok(Answer::Refused(Refusal::Other));
        };
        let Answer::Pair(access, refresh) = pair(&tokens) else { return Ok(Answer::Done) };
        Ok(Answer::Enrolled(access, refresh, grouped(&codes)))
    }

    /// The signature of a passkey over a challenge.
    fn signed(&self, challenge: &str, passkey: &str) -> String {
        let owner = self.memory().passkeys.get(passkey).copied();
        OpaqueToken::parse(challenge).map(|token| signature(&token, passkey, owner, 0)).unwrap_or_default()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn grouped(codes: &[TypedCode]) -> Vec<String> {
    codes.iter().map(TypedCode::grouped).collect()
}

fn name_of(passkey: &str) -> Result<PasskeyName, AuthError> {
    PasskeyName::parse(passkey).map_err(|_| AuthError::InvalidToken)
}

fn logged_in(logged_in: LoggedIn) -> Answer {
    match logged_in {
        LoggedIn::Session(tokens) => pair(&tokens),
        LoggedIn::MfaRequired(challenge) => Answer::MfaRequired(challenge.token.expose()),
        LoggedIn::EnrolmentRequired(challenge) => Answer::EnrolmentRequired(challenge.token.expose()),
    }
}
