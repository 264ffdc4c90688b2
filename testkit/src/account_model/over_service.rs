//! The model played on an [`AuthService`]: over a world of fakes, or over whatever stores stand behind it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::driver::{Answer, Driver, Probe, Refusal, Request, Seen, SentMessage, TestRealm};
use crate::fakes::clock::FixedClock;
use crate::fakes::mailer::MailOutbox;
use crate::fakes::outbox::Sent;
use crate::fakes::sms_sender::{SmsOutbox, Text};
use crate::faults::{FaultPlan, When};
use crate::samples::realm;
use crate::world::TestWorld;
use portcullis_core::model::client::Client;
use portcullis_core::model::ids::{PasskeyId, UserId};
use portcullis_core::model::message::EmailMessage;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::registration_form::RegistrationForm;
use portcullis_core::model::secret::OpaqueToken;
use portcullis_core::policy::Policy;
use portcullis_core::service::{AuthService, Ports};
use portcullis_core::use_cases::account::update_profile::ProfileChanges;
use portcullis_core::use_cases::deliver::Delivery;
use portcullis_core::use_cases::recovery::undo::UndoProof;
use portcullis_core::use_cases::registration::verify_email::{LinkEffect, LinkPreview, Verified};
use portcullis_core::use_cases::shared::errors::AuthError;
use portcullis_core::use_cases::shared::reauthenticate::Reauthentication;
use portcullis_core::use_cases::shared::tokens::TokenPair;

/// Where a service's messages can be read, and its clock moved.
#[derive(Debug, Clone)]
pub struct Post {
    /// E-mails.
    pub mailer: Arc<MailOutbox>,
    /// Texts.
    pub sms_sender: Arc<SmsOutbox>,
    /// The time.
    pub clock: Arc<FixedClock>,
    /// The faults to inject, if the service has any.
    pub faults: Option<FaultPlan>,
}

/// A service whose clock, mail and texts are fakes; its stores may be anything.
#[derive(Clone)]
pub struct ServiceDriver {
    pub(super) service: AuthService,
    pub(super) post: Post,
    pub(super) client: Client,
    tripped: u64,
    pub(super) memory: Arc<Mutex<Memory>>,
}

/// The factors of the clients of a run.
#[derive(Debug, Default)]
pub struct Memory {
    /// The accounts of passkeys, by the names of these.
    pub passkeys: BTreeMap<String, UserId>,
    /// The accounts and app keys of enrolments, by their tokens.
    pub offers: BTreeMap<String, (UserId, String)>,
}

/// A driver of a service over fakes only.
pub type WorldDriver = ServiceDriver;

impl ServiceDriver {
    /// Drives a service; its policy should have `limits_on` off, and require a second factor in the second realm.
    #[must_use]
    pub fn new(service: AuthService, post: Post) -> Self {
        let client = Client::new([198, 51, 100, 7].into(), "Browser/1.0");
        Self { service, post, client, tripped: 0, memory: Arc::default() }
    }

    /// Drives a service over a world of fakes.
    #[must_use]
    pub fn over(world: &TestWorld) -> WorldDriver {
        Self::over_ports(world, world.ports())
    }

    /// Drives a service over ports of which some may be others than the world's; mail, SMS and time are the world's.
    #[must_use]
    pub fn over_ports(world: &TestWorld, ports: Ports) -> WorldDriver {
        let post = Post {
            mailer: world.mailer.clone(),
            sms_sender: world.sms_sender.clone(),
            clock: world.clock.clone(),
            faults: Some(world.faults.clone()),
        };
        let mfa_required = [realm(TestRealm::Second.name())].into();
        Self::new(AuthService::new(ports, Policy { limits_on: false, mfa_required, ..Policy::default() }), post)
    }

    /// A mail to an unproven address shows no name: its page does.
    async fn name_from_page(&self, message: &mut SentMessage) {
        let (None, Some(token), Some(population)) = (&message.name, &message.token, message.realm) else { return };
        let preview = self.service.registrations().preview_link(&realm(population.name()), token).await;
        message.name = match preview {
            Ok(LinkPreview {
                effect: LinkEffect::Registration { first_name, .. } | LinkEffect::EmailChange { first_name, .. },
                ..
            }) => Some(first_name.as_str().to_owned()),
            Err(_) => None,
        };
    }

    async fn answer(&self, realm: &Realm, request: &Request) -> Result<Answer, AuthError> {
        let service = &self.service;
        let done = |()| Answer::Done;
        match request {
            Request::Register { name, phone, email, password } => {
                let form = form(name, phone, email, password);
                Ok(Answer::Registered(
                    service.registrations().register(realm, form, Vec::new(), &self.client).await?.to_string(),
                ))
            }
            Request::FollowLink { token, password } => {
                service.registrations().verify_link(realm, token, *password).await.map(verified)
            }
            Request::RejectLink { token } => service.registrations().reject_link(realm, token).await.map(done),
            Request::TypeCode { email, code, password } => {
                service.registrations().verify_code(realm, email, code, *password).await.map(verified)
            }
            Request::Resend { email } => {
                service.registrations().resend_verification(realm, email, &self.client).await.map(done)
            }
            Request::LogIn { .. }
            | Request::LogInFromDevice { .. }
            | Request::SecondFactor { .. }
            | Request::RememberDevice { .. }
            | Request::PasskeyFactor { .. }
            | Request::LogInWithPasskey { .. }
            | Request::ConfirmEnrolment { .. }
            | Request::Enrol { .. }
            | Request::SendOtp { .. }
            | Request::VerifyOtp { .. } => self.answer_login(realm, request).await,
            Request::Refresh { token } => Ok(pair(&service.sessions().refresh(realm, token).await?)),
            Request::RequestReset { email } => {
                service.passwords().request_reset(realm, email, &self.client).await.map(done)
            }
            Request::Reset { token, password } => {
                service.passwords().reset_password(realm, token, password, &self.client).await.map(done)
            }
            Request::Undo { token, password } => {
                let proof = password.map_or(UndoProof::None, UndoProof::Password);
                service.recovery().undo(realm, token, proof, &self.client).await.map(|_| Answer::Done)
            }
            Request::ChangePassword { access, current, new } => {
                let caller = service.sessions().authenticate(realm, access).await?;
                Ok(pair(&service.passwords().change_password(&caller, current, new, &self.client).await?))
            }
            Request::AddApp { access, password } => self.add_app(realm, access, *password).await,
            Request::AddPasskey { access, passkey, password } => {
                self.add_passkey(realm, access, passkey, *password).await
            }
            Request::Disable { email } => service.operators().disable(realm, email).await.map(|_| Answer::Done),
            Request::Enable { email } => service.operators().enable(realm, email).await.map(|_| Answer::Done),
            Request::LogOut { access }
            | Request::LogOutEverywhere { access }
            | Request::ChangeEmail { access, .. }
            | Request::SetMfa { access, .. }
            | Request::RemoveApp { access, .. }
            | Request::RemovePasskey { access, .. }
            | Request::Delete { access, .. } => self.answer_caller(realm, access, request).await.map(done),
        }
    }

    async fn answer_caller(&self, realm: &Realm, access: &str, request: &Request) -> Result<(), AuthError> {
        let (service, client) = (&self.service, &self.client);
        let caller = service.sessions().authenticate(realm, access).await?;
        match request {
            Request::LogOut { .. } => service.sessions().log_out(&caller).await,
            Request::LogOutEverywhere { .. } => service.sessions().log_out_everywhere(&caller).await,
            Request::ChangeEmail { email, password, .. } => {
                let changes = ProfileChanges { email: Some(email), ..ProfileChanges::default() };
                let given = Reauthentication::by_password(*password, client);
                service.accounts().update_profile(&caller, changes, None, Vec::new(), given).await.map(|_| ())
            }
            Request::SetMfa { on, password, .. } => service
                .factors()
                .set_mfa_sms(&caller, *on, Reauthentication::by_password(*password, client))
                .await
                .map(|_| ()),
            Request::RemoveApp { password, .. } => {
                service.factors().remove_totp(&caller, Reauthentication::by_password(*password, client)).await
            }
            Request::RemovePasskey { passkey, password, .. } => {
                let listed = service.factors().list_passkeys(&caller)?;
                let found = listed.iter().find(|listed| listed.name.as_str() == passkey);
                let id = found.map_or_else(|| PasskeyId::from_bytes([0; 16]), |found| found.id);
                let given = Reauthentication::by_password(*password, client);
                service.factors().remove_passkey(&caller, id, given).await
            }
            Request::Delete { password, .. } => {
                service.accounts().delete_account(&caller, Reauthentication::by_password(*password, client)).await
            }
            _ => Ok(()),
        }
    }
}

fn form<'a>(name: &'a str, phone: &'a str, email: &'a str, password: &'a str) -> RegistrationForm<'a> {
    RegistrationForm {
        first_name: Some(name),
        last_name: Some("Lovelace"),
        email: Some(email),
        phone: Some(phone),
        country_code: Some("US"),
        password: Some(password),
    }
}

fn verified(verified: Verified) -> Answer {
    match verified {
        Verified::Account(id) | Verified::EmailChange(id) => Answer::Verified(id.to_string()),
    }
}

pub(super) fn pair(tokens: &TokenPair) -> Answer {
    Answer::Pair(tokens.access.expose().to_owned(), tokens.refresh.expose().to_owned())
}

fn refused(error: &AuthError) -> Answer {
    Answer::Refused(match error {
        AuthError::Port(_) => return Answer::Unavailable,
        AuthError::NotAuthenticated => Refusal::NotAuthenticated,
        AuthError::InvalidCredentials => Refusal::InvalidCredentials,
        AuthError::EmailNotVerified => Refusal::EmailNotVerified,
        AuthError::InvalidToken => Refusal::InvalidToken,
        AuthError::InvalidGrant => Refusal::InvalidGrant,
        AuthError::WrongPassword => Refusal::WrongPassword,
        AuthError::ReauthenticationRequired => Refusal::ReauthenticationRequired,
        AuthError::PhoneNotVerified => Refusal::PhoneNotVerified,
        AuthError::TotpOn => Refusal::TotpOn,
        AuthError::InvalidPasskey => Refusal::InvalidPasskey,
        AuthError::LastFactor => Refusal::LastFactor,
        AuthError::NotFound => Refusal::NotFound,
        _ => Refusal::Other,
    })
}

fn population(realm: &Realm) -> Option<TestRealm> {
    [TestRealm::First, TestRealm::Second].into_iter().find(|population| population.name() == realm.as_str())
}

fn mail(sent: &Sent<EmailMessage>) -> SentMessage {
    let name = match &sent.message {
        // these show no name
        EmailMessage::VerifyEmail { .. }
        | EmailMessage::ConfirmEmailChange { .. }
        | EmailMessage::AccountDeleted { .. } => None,
        EmailMessage::Welcome { first_name }
        | EmailMessage::AlreadyRegistered { first_name }
        | EmailMessage::ResetPassword { first_name, .. }
        | EmailMessage::ResetRequired { first_name, .. }
        | EmailMessage::Invitation { first_name, .. }
        | EmailMessage::OperatorActed { first_name, .. }
        | EmailMessage::PasswordChanged { first_name, .. }
        | EmailMessage::EmailChangeRequested { first_name, .. }
        | EmailMessage::EmailChanged { first_name, .. }
        | EmailMessage::PhoneChanged { first_name, .. }
        | EmailMessage::DataExported { first_name, .. }
        | EmailMessage::SessionEnded { first_name, .. }
        | EmailMessage::DeviceRemembered { first_name, .. }
        | EmailMessage::FactorsThrottled { first_name, .. }
        | EmailMessage::EnrolmentCode { first_name, .. }
        | EmailMessage::FactorsReset { first_name, .. }
        | EmailMessage::BackupCodeUsed { first_name, .. }
        | EmailMessage::MfaChanged { first_name, .. } => Some(first_name.as_str().to_owned()),
    };
    SentMessage {
        realm: population(&sent.realm),
        to: sent.to.clone(),
        template: sent.message.template().to_owned(),
        name,
        token: sent.link_token().map(OpaqueToken::expose),
        code: sent.code().map(|code| code.expose().to_owned()),
    }
}

fn text(sent: &Sent<Text>) -> SentMessage {
    SentMessage {
        realm: population(&sent.realm),
        to: sent.to.clone(),
        template: SentMessage::TEXT.to_owned(),
        name: None,
        token: None,
        code: Some(sent.message.content.code.expose().to_owned()),
    }
}

#[async_trait]
impl Driver for ServiceDriver {
    async fn ask(&mut self, population: TestRealm, request: &Request) -> Answer {
        let answer = self.answer(&realm(population.name()), request).await;
        answer.unwrap_or_else(|error| refused(&error))
    }

    async fn look(&mut self, population: TestRealm, probe: &Probe) -> Seen {
        let realm = realm(population.name());
        let service = &self.service;
        let good = match probe {
            Probe::Access(access) => {
                let Ok(caller) = service.sessions().authenticate(&realm, access).await else { return Seen::Nothing };
                let shown = service.accounts().show_profile(&caller);
                let person = shown.map(|p| Seen::Person(p.email.as_str().to_owned(), p.first_name.as_str().to_owned()));
                return person.unwrap_or(Seen::Nothing);
            }
            Probe::Refresh(token) => {
                service.sessions().introspect(&realm, token).await.is_ok_and(|active| active.is_some())
            }
            Probe::Link(token) => service.registrations().preview_link(&realm, token).await.is_ok(),
            Probe::Undo(token) => service.recovery().preview_undo(&realm, token).await.is_ok(),
            Probe::Reset(token) => service.passwords().preview_reset(&realm, token).await.is_ok(),
        };
        if good { Seen::Good } else { Seen::Nothing }
    }

    async fn messages(&mut self) -> Vec<SentMessage> {
        while self.service.deliveries().deliver_next().await.is_ok_and(|delivery| !matches!(delivery, Delivery::Idle)) {
        }
        let (mails, texts) = (self.post.mailer.take(), self.post.sms_sender.take());
        let mut messages: Vec<SentMessage> = mails.iter().map(mail).chain(texts.iter().map(text)).collect();
        for message in &mut messages {
            self.name_from_page(message).await;
        }
        messages
    }

    async fn pass(&mut self, time: Duration) {
        self.post.clock.advance(time);
    }

    async fn break_call(&mut self, nth: u64, when: When) -> bool {
        let Some(faults) = &self.post.faults else { return false };
        self.tripped = faults.tripped();
        faults.fail_step(nth, when);
        true
    }

    async fn mend(&mut self) -> bool {
        let Some(faults) = &self.post.faults else { return false };
        faults.clear();
        faults.tripped() > self.tripped
    }
}
