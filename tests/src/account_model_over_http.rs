//! The reference model of an account's life, played over HTTP against a running `portcullis testkit`.

use std::net::SocketAddr;
use std::time::Duration;

use portcullis_core::model::time::Timestamp;
use portcullis_core::model::totp::{TotpSecret, step_at};
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
}

impl HttpDriver {
    /// Plays on the server there, whose service client that is.
    #[must_use]
    pub fn new(address: SocketAddr, service_client: (String, String)) -> Self {
        let of = |population: TestRealm| Api::new(address, population.name());
        Self { first: of(TestRealm::First), second: of(TestRealm::Second), service_client, broken: false }
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
        let clock = self.first.get("//__test__/clock").await.expect(200).json();
        let now = Timestamp::from_millis(clock["seconds"].as_i64().expect("the time") * 1000);
        let key = TotpSecret::parse(&begun.member("secret")).expect("a key");
        let code = key.code_of(step_at(now)).expect("a code");
        session.json(Method::PUT, "/mfa/totp", &json!({"otp": code.expose()})).await
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
            Request::Refresh { token } => api.refresh(token).await,
            Request::RequestReset { email } => api.post("/forget_password", &json!({"email": email})).await,
            Request::Reset { token, password } => {
                api.post("/reset_password", &json!({"token": token, "password": password})).await
            }
            Request::Undo { token, password } => {
                api.post("/undo", &with_password(json!({"token": token}), *password)).await
            }
            Request::SendOtp { id, phone } => api.post("/otp_phone", &json!({"id": id, "phone": phone})).await,
            Request::VerifyOtp { challenge, otp } => {
                api.post("/verify_otp_phone", &json!({"token": challenge, "otp": otp})).await
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
            Request::SetMfa { access, on, password } => {
                let body = with_password(json!({"sms": on}), *password);
                api.with_token(access).json(Method::PUT, "/mfa", &body).await
            }
            Request::AddApp { access, password } => self.add_app(&api.with_token(access), *password).await,
            Request::RemoveApp { access, password } => {
                let body = with_password(json!({}), *password);
                api.with_token(access).json(Method::DELETE, "/mfa/totp", &body).await
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
        if !answer.status.is_success() {
            return refusal(&answer);
        }
        match request {
            Request::Register { .. } => Answer::Registered(answer.member("id")),
            Request::FollowLink { .. } | Request::TypeCode { .. } => Answer::Verified(answer.member("id")),
            Request::LogIn { .. }
            | Request::SecondFactor { .. }
            | Request::Refresh { .. }
            | Request::ChangePassword { .. } => {
                Answer::Pair(answer.member("access_token"), answer.member("refresh_token"))
            }
            Request::AddApp { .. } => {
                let codes = answer.json()["backup_codes"].as_array().cloned().unwrap_or_default();
                Answer::BackupCodes(codes.iter().filter_map(|code| code.as_str().map(str::to_owned)).collect())
            }
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
