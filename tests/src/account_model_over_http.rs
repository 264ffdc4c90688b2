//! The reference model of an account's life, played over HTTP against a running `portcullis testkit`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portcullis_testkit::account_model::{Answer, Driver, Probe, Refusal, Request, Seen, SentMessage, TestRealm};
use portcullis_testkit::faults::When;
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{self, Api};

/// A server in memory, with its limits off, by its address and what its line of JSON says.
#[derive(Debug, Clone)]
pub struct HttpDriver {
    first: Api,
    second: Api,
    service_client: (String, String),
    broken: bool,
    memory: Arc<Mutex<Memory>>,
}

/// The factors of the clients of a run.
#[derive(Debug, Default)]
struct Memory {
    /// Passkeys with their private keys, by their names.
    passkeys: BTreeMap<String, Value>,
    /// Offers of a first factor, by their tokens.
    offers: BTreeMap<String, Value>,
}

impl HttpDriver {
    /// Plays on the server there, whose service client that is.
    #[must_use]
    pub fn new(address: SocketAddr, service_client: (String, String)) -> Self {
        let of = |population: TestRealm| Api::new(address, population.name());
        let (first, second) = (of(TestRealm::First), of(TestRealm::Second));
        Self { first, second, service_client, broken: false, memory: Arc::default() }
    }

    /// The server as it began.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn begin_anew(&self) {
        self.set_faults(json!([])).await;
        let _ = self.first.post("//__test__/restore", &json!({"snapshot": "empty"})).await.expect(204);
    }

    async fn set_faults(&self, faults: Value) {
        let _ = self.first.json(Method::PUT, "//__test__/faults", &json!({"faults": faults})).await.expect(204);
    }

    const fn realm(&self, population: TestRealm) -> &Api {
        match population {
            TestRealm::First => &self.first,
            TestRealm::Second => &self.second,
        }
    }

    async fn add_app(&self, session: &Api, password: Option<&str>) -> api::Answer {
        let begun = session.post("/mfa/totp", &with_password(json!({}), password)).await;
        if begun.status != 201 {
            return begun;
        }
        let code = self.answer_factor(json!({"secret": begun.member("secret")})).await["code"].clone();
        session.json(Method::PUT, "/mfa/totp", &json!({"otp": code})).await
    }

    /// The code or the passkey's response that the test kit makes.
    async fn answer_factor(&self, wanted: Value) -> Value {
        self.first.post("//__test__/factors", &wanted).await.expect(200).json()
    }

    /// A new passkey of that name.
    async fn new_passkey(&self, name: &str, options: &Value) -> Value {
        let made = self.answer_factor(json!({"create": options})).await;
        self.memory().passkeys.insert(name.to_owned(), made["passkey"].clone());
        made["credential"].clone()
    }

    /// The signature of a passkey over a challenge; of one that was never made, nothing that counts.
    async fn signed(&self, challenge: &str, name: &str) -> Value {
        let Some(passkey) = self.memory().passkeys.get(name).cloned() else { return json!({"id": name}) };
        let options = json!({"rpId": "localhost", "challenge": challenge});
        self.answer_factor(json!({"get": options, "passkey": passkey})).await["credential"].clone()
    }

    async fn add_passkey(&self, session: &Api, name: &str, password: Option<&str>) -> api::Answer {
        let begun = session.post("/passkeys/options", &with_password(json!({}), password)).await;
        if begun.status != 200 {
            return begun;
        }
        let credential = self.new_passkey(name, &begun.json()["options"]).await;
        let body = json!({"token": begun.member("token"), "credential": credential, "name": name});
        session.post("/passkeys", &body).await
    }

    async fn remove_passkey(&self, session: &Api, name: &str, password: Option<&str>) -> api::Answer {
        let listed = session.get("/passkeys").await;
        if listed.status != 200 {
            return listed;
        }
        let listed = listed.json()["passkeys"].clone();
        let found = listed.as_array().into_iter().flatten().find(|passkey| passkey["name"] == name);
        let none = format!("pky_{}", "0".repeat(32));
        let id = found.and_then(|passkey| passkey["id"].as_str()).unwrap_or(&none);
        session.json(Method::DELETE, &format!("/passkeys/{id}"), &with_password(json!({}), password)).await
    }

    async fn log_in_with_passkey(&self, api: &Api, name: &str) -> api::Answer {
        let begun = api.post("/login/passkey/options", &json!({})).await;
        if begun.status != 200 {
            return begun;
        }
        let token = begun.member("token");
        let credential = self.signed(&token, name).await;
        api.post("/login/passkey", &json!({"token": token, "credential": credential})).await
    }

    async fn confirm_enrolment(&self, api: &Api, token: &str, code: &str) -> api::Answer {
        let answer = api.post("/login/enrolment", &json!({"enrolment_token": token, "code": code})).await;
        if answer.status == 200 {
            self.memory().offers.insert(answer.member("enrolment_token"), answer.json());
        }
        answer
    }

    async fn enrol(&self, api: &Api, token: &str, passkey: Option<&str>) -> api::Answer {
        let offer = self.memory().offers.get(token).cloned().expect("an offer");
        let body = if let Some(name) = passkey {
            let credential = self.new_passkey(name, &offer["passkey_options"]).await;
            json!({"enrolment_token": token, "method": "passkey", "name": name, "credential": credential})
        } else {
            let code = self.answer_factor(json!({"secret": offer["totp"]["secret"]})).await;
            json!({"enrolment_token": token, "method": "totp", "otp": code["code"]})
        };
        api.post("/login/enrolment/factor", &body).await
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send_factor(&self, api: &Api, request: &Request) -> api::Answer {
        match request {
            Request::LogInFromDevice { email, password, device } => {
                api.form("/login", &[("username", email), ("password", password), ("device_token", device)]).await
            }
            Request::RememberDevice { challenge, otp } => {
                let body = json!({"mfa_token": challenge, "otp": otp, "remember_device": true});
                api.post("/login/mfa", &body).await
            }
            Request::PasskeyFactor { challenge, passkey } => {
                let credential = self.signed(challenge, passkey).await;
                let body = json!({"mfa_token": challenge, "method": "passkey", "credential": credential});
                api.post("/login/mfa", &body).await
            }
            Request::LogInWithPasskey { passkey } => self.log_in_with_passkey(api, passkey).await,
            Request::ConfirmEnrolment { token, code } => self.confirm_enrolment(api, token, code).await,
            Request::Enrol { offer, passkey } => self.enrol(api, offer, passkey.as_deref()).await,
            Request::AddPasskey { access, passkey, password } => {
                self.add_passkey(&api.with_token(access), passkey, *password).await
            }
            Request::RemovePasskey { access, passkey, password } => {
                self.remove_passkey(&api.with_token(access), passkey, *password).await
            }
            Request::SetMfa { access, on, password } => {
                let body = with_password(json!({"sms": on}), *password);
                api.with_token(access).json(Method::PUT, "/mfa", &body).await
            }
            Request::AddApp { access, password } => self.add_app(&api.with_token(access), *password).await,
            Request::RemoveApp { access, password } => {
                let body = with_password(json!({}), *password);
                api.with_token(access).json(Method::DELETE, "/mfa/totp", &body).await
            }
            Request::SendOtp { id, phone } => api.post("/otp_phone", &json!({"id": id, "phone": phone})).await,
            Request::VerifyOtp { challenge, otp } => {
                api.post("/verify_otp_phone", &json!({"token": challenge, "otp": otp})).await
            }
            _ => unreachable!("{request:?} is of no factor"),
        }
    }

    async fn send(&self, api: &Api, request: &Request) -> api::Answer {
        match request {
            Request::Register { name, phone, email, password } => {
                let form = json!({
                    "first_name": name, "last_name": "Lovelace", "email": email, "phone": phone, "country_code": "US",
                    "password": password,
                });
                api.post("/create", &form).await
            }
            Request::FollowLink { token, password } => {
                api.post("/verify", &with_password(json!({"token": token}), *password)).await
            }
            Request::RejectLink { token } => api.post("/verify", &json!({"token": token, "reject": true})).await,
            Request::TypeCode { email, code, password } => {
                api.post("/verify", &with_password(json!({"email": email, "code": code}), *password)).await
            }
            Request::Resend { email } => api.post("/resend_verification", &json!({"email": email})).await,
            Request::LogIn { email, password } => api.login(email, password).await,
            Request::SecondFactor { challenge, otp } => {
                api.post("/login/mfa", &json!({"mfa_token": challenge, "otp": otp})).await
            }
            Request::LogInFromDevice { .. }
            | Request::RememberDevice { .. }
            | Request::PasskeyFactor { .. }
            | Request::LogInWithPasskey { .. }
            | Request::ConfirmEnrolment { .. }
            | Request::Enrol { .. }
            | Request::SetMfa { .. }
            | Request::AddApp { .. }
            | Request::RemoveApp { .. }
            | Request::AddPasskey { .. }
            | Request::RemovePasskey { .. }
            | Request::SendOtp { .. }
            | Request::VerifyOtp { .. } => self.send_factor(api, request).await,
            Request::Refresh { token } => api.refresh(token).await,
            Request::RequestReset { email } => api.post("/forget_password", &json!({"email": email})).await,
            Request::Reset { token, password } => {
                api.post("/reset_password", &json!({"token": token, "password": password})).await
            }
            Request::Undo { token, password } => {
                api.post("/undo", &with_password(json!({"token": token}), *password)).await
            }
            Request::Disable { email } => api.switch(email, true).await,
            Request::Enable { email } => api.switch(email, false).await,
            Request::LogOut { access } => api.with_token(access).post("/logout", &json!({})).await,
            Request::LogOutEverywhere { access } => api.with_token(access).post("/logout_all", &json!({})).await,
            Request::ChangePassword { access, current, new } => {
                let body = json!({"current_password": current, "password": new});
                api.with_token(access).post("/change_password", &body).await
            }
            Request::ChangeEmail { access, email, password } => {
                let body = with_password(json!({"email": email}), *password);
                api.with_token(access).json(Method::PATCH, "/update", &body).await
            }
            Request::Delete { access, password: Some(password) } => {
                api.with_token(access).json(Method::DELETE, "/delete", &json!({"password": password})).await
            }
            Request::Delete { access, password: None } => api.with_token(access).delete("/delete").await,
        }
    }
}

/// A body with a password, where there is one.
fn with_password(mut body: Value, password: Option<&str>) -> Value {
    if let (Some(fields), Some(password)) = (body.as_object_mut(), password) {
        fields.insert("password".to_owned(), password.into());
    }
    body
}

fn backup_codes(answer: &api::Answer) -> Vec<String> {
    let codes = answer.json()["backup_codes"].as_array().cloned().unwrap_or_default();
    codes.iter().filter_map(|code| code.as_str().map(str::to_owned)).collect()
}

fn refusal(answer: &api::Answer) -> Answer {
    let known = [
        ("not_authenticated", Refusal::NotAuthenticated),
        ("invalid_credentials", Refusal::InvalidCredentials),
        ("email_not_verified", Refusal::EmailNotVerified),
        ("invalid_token", Refusal::InvalidToken),
        ("invalid_grant", Refusal::InvalidGrant),
        ("wrong_password", Refusal::WrongPassword),
        ("reauthentication_required", Refusal::ReauthenticationRequired),
        ("phone_not_verified", Refusal::PhoneNotVerified),
        ("totp_on", Refusal::TotpOn),
        ("invalid_passkey", Refusal::InvalidPasskey),
        ("last_factor", Refusal::LastFactor),
        ("not_found", Refusal::NotFound),
    ];
    let code = answer.code();
    let found = known.into_iter().find(|(known, _)| *known == code);
    Answer::Refused(found.map_or(Refusal::Other, |(_, refusal)| refusal))
}

/// The first name of the model's people that a text shows.
fn name_in(text: &str) -> Option<String> {
    let rest = &text[text.find("Person")?..];
    let digits = rest["Person".len()..].chars().take_while(char::is_ascii_digit).count();
    Some(rest[.."Person".len() + digits].to_owned())
}

/// One entry of the mailbox.
fn message(entry: &Value) -> SentMessage {
    let text = |name: &str| entry[name].as_str().map(str::to_owned);
    let link = entry["links"][0].as_str().unwrap_or_default();
    let of_realm = |population: &TestRealm| link.contains(&format!("/{}/", population.name()));
    let words = text("text").unwrap_or_default();
    let name = name_in(&words);
    let mail = entry["channel"] == "email";
    SentMessage {
        realm: [TestRealm::First, TestRealm::Second].into_iter().find(of_realm),
        to: text("to").unwrap_or_default(),
        template: if mail { text("template").unwrap_or_default() } else { SentMessage::TEXT.to_owned() },
        name,
        token: link.split_once("token=").map(|(_, token)| token.to_owned()),
        code: text("code"),
    }
}

#[async_trait::async_trait]
impl Driver for HttpDriver {
    async fn ask(&mut self, population: TestRealm, request: &Request) -> Answer {
        let answer = self.send(self.realm(population), request).await;
        let status = answer.status.as_u16();
        if status == 503 {
            return Answer::Unavailable;
        }
        if answer.code() == "mfa_required" {
            return Answer::MfaRequired(answer.member("mfa_token"));
        }
        if answer.code() == "mfa_enrolment_required" {
            return Answer::EnrolmentRequired(answer.member("enrolment_token"));
        }
        if !answer.status.is_success() {
            return refusal(&answer);
        }
        match request {
            Request::Register { .. } => Answer::Registered(answer.member("id")),
            Request::FollowLink { .. } | Request::TypeCode { .. } => Answer::Verified(answer.member("id")),
            Request::LogIn { .. }
            | Request::LogInFromDevice { .. }
            | Request::SecondFactor { .. }
            | Request::PasskeyFactor { .. }
            | Request::LogInWithPasskey { .. }
            | Request::Refresh { .. }
            | Request::ChangePassword { .. } => {
                Answer::Pair(answer.member("access_token"), answer.member("refresh_token"))
            }
            Request::RememberDevice { .. } => {
                let [access, refresh, device] =
                    ["access_token", "refresh_token", "device_token"].map(|name| answer.member(name));
                Answer::Remembered(access, refresh, device)
            }
            Request::ConfirmEnrolment { .. } => Answer::Offer(answer.member("enrolment_token")),
            Request::Enrol { .. } => {
                Answer::Enrolled(answer.member("access_token"), answer.member("refresh_token"), backup_codes(&answer))
            }
            Request::AddApp { .. } | Request::AddPasskey { .. } => Answer::BackupCodes(backup_codes(&answer)),
            Request::SendOtp { .. } => Answer::Challenge(answer.member("token")),
            _ => Answer::Done,
        }
    }

    async fn look(&mut self, population: TestRealm, probe: &Probe) -> Seen {
        let api = self.realm(population);
        let good = match probe {
            Probe::Access(access) => {
                let answer = api.with_token(access).get("/").await;
                if answer.status != 200 {
                    return Seen::Nothing;
                }
                return Seen::Person(answer.member("email"), answer.member("first_name"));
            }
            Probe::Refresh(token) => {
                let (id, secret) = &self.service_client;
                let request = api.request(Method::POST, "/introspect").basic_auth(id, Some(secret));
                api.send(request.form(&[("token", token)])).await.expect(200).json()["active"] == true
            }
            Probe::Link(token) => page(api, &format!("/verify?token={token}")).await,
            Probe::Undo(token) => page(api, &format!("/undo?token={token}")).await,
            Probe::Reset(token) => page(api, &format!("/reset_password_form?token={token}")).await,
        };
        if good { Seen::Good } else { Seen::Nothing }
    }

    async fn messages(&mut self) -> Vec<SentMessage> {
        let outbox = self.first.get("//__test__/outbox").await.expect(200).json();
        let _ = self.first.delete("//__test__/outbox").await.expect(204);
        let mut messages: Vec<SentMessage> = outbox.as_array().into_iter().flatten().rev().map(message).collect();
        // a mail to an unproven address shows no name: its page does
        for message in messages.iter_mut().filter(|message| message.name.is_none()) {
            let (Some(token), Some(population)) = (&message.token, message.realm) else { continue };
            let request = self.realm(population).request(Method::GET, &format!("/verify?token={token}"));
            let page = self.realm(population).send(request.header("accept", "text/html")).await;
            message.name = name_in(&page.text);
        }
        messages
    }

    async fn pass(&mut self, time: Duration) {
        let _ = self.first.post("//__test__/clock/advance", &json!({"seconds": time.as_secs()})).await.expect(200);
    }

    /// Needs a server that does nothing in the background: its calls would be counted too.
    async fn break_call(&mut self, nth: u64, when: When) -> bool {
        let when = if when == When::Before { "before" } else { "after" };
        self.set_faults(json!([{"nth": nth, "when": when}])).await;
        self.broken = true;
        true
    }

    async fn mend(&mut self) -> bool {
        let broken = std::mem::take(&mut self.broken);
        if broken {
            self.set_faults(json!([])).await;
        }
        broken
    }
}

/// Whether the page of a link says that it is good.
async fn page(api: &Api, path: &str) -> bool {
    api.send(api.request(Method::GET, path).header("accept", "text/html")).await.status == 200
}
