//! The API as a client sees it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// A text member of the body.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn member(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("no {name} in {} {}", self.status, self.text)).to_owned()
    }

    /// The problem's code.
    #[must_use]
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// A header, empty where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> String {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    }

    /// Fails the test unless the status is this one.
    ///
    /// # Panics
    /// When it is another one.
    #[must_use]
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }
}

/// Someone who registers.
#[derive(Debug, Clone)]
pub struct Person {
    /// The e-mail, as they type it.
    pub email: String,
    /// The password, as they type it.
    pub password: String,
    /// What `create` takes.
    pub form: Value,
}

impl Person {
    /// The example of README.md.
    #[must_use]
    pub fn john() -> Self {
        Self::named("john.doe@example.com")
    }

    /// Somebody else.
    #[must_use]
    pub fn named(email: &str) -> Self {
        let password = "SecureP@ssw0rd123!".to_owned();
        let form = json!({
            "first_name": "John", "last_name": "Doe", "email": email, "phone": "+1234567890",
            "country_code": "US", "password": password,
        });
        Self { email: email.to_owned(), password, form }
    }
}

/// A client of one realm.
#[derive(Debug, Clone)]
pub struct Api {
    client: Client,
    base: String,
    realm: String,
    /// Sent with each request.
    pub token: Option<String>,
}

impl Api {
    /// A client.
    ///
    /// # Panics
    /// When none can be made.
    #[must_use]
    pub fn new(address: SocketAddr, realm: &str) -> Self {
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Self { client, base: format!("http://{address}"), realm: realm.to_owned(), token: None }
    }

    /// A client of a realm below a URL, such as that of a proxy.
    #[must_use]
    pub fn at(client: Client, url: &str, realm: &str) -> Self {
        Self { client, base: url.to_owned(), realm: realm.to_owned(), token: None }
    }

    /// The same client, with an access token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// A request to a path of the realm, or of the server if it begins with two slashes.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = match path.strip_prefix("//") {
            Some(path) => format!("{}/{path}", self.base),
            None => format!("{}/{}{path}", self.base, self.realm),
        };
        let request = self.client.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, text: response.text().await.expect("a body") }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).header("accept", "application/json")).await
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).header("accept", "application/json").json(body)).await
    }

    /// Any method with JSON.
    pub async fn json(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.send(self.request(method, path).header("accept", "application/json").json(body)).await
    }

    /// POST of a form.
    pub async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(self.request(Method::POST, path).header("accept", "application/json").form(fields)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// Logs in.
    pub async fn login(&self, email: &str, password: &str) -> Answer {
        self.form("/login", &[("username", email), ("password", password)]).await
    }

    /// Exchanges a refresh token.
    pub async fn refresh(&self, token: &str) -> Answer {
        self.form("/token", &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    /// Disables or enables an account, by the control plane of a test kit.
    pub async fn switch(&self, user: &str, disabled: bool) -> Answer {
        let body = json!({"realm": self.realm, "user": user, "disabled": disabled});
        self.json(Method::PUT, "//__test__/disabled", &body).await
    }

    /// Every message so far, newest first.
    pub async fn mailbox(&self) -> Vec<Value> {
        self.get("//dev/mailbox").await.expect(200).json().as_array().cloned().unwrap_or_default()
    }

    /// The newest message of a template to an address; waits for it for ten seconds.
    ///
    /// # Panics
    /// When it does not come.
    pub async fn mail(&self, template: &str, to: &str) -> Value {
        self.mails(template, to, 1).await.swap_remove(0)
    }

    /// The messages of a template to an address, newest first, as soon as there are that many.
    ///
    /// # Panics
    /// When they do not come.
    pub async fn mails(&self, template: &str, to: &str, count: usize) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let realm = format!("/{}/", self.realm);
            let of_realm = |m: &Value| m["links"][0].as_str().is_none_or(|link| link.contains(&realm));
            let wanted = |m: &Value| m["template"] == template && m["to"] == to && of_realm(m);
            let found: Vec<Value> = self.mailbox().await.into_iter().filter(wanted).collect();
            if found.len() >= count {
                return found;
            }
            assert!(began.elapsed() < Duration::from_secs(10), "{} of {count} {template} came to {to}", found.len());
            tokio::task::yield_now().await;
        }
    }

    /// Registers a person and follows the link. Returns the id.
    pub async fn verified(&self, person: &Person) -> String {
        let id = self.post("/create", &person.form).await.expect(201).member("id");
        let mail = self.mail("mail_email_verify", &person.email).await;
        let token = token_of(&mail);
        let _ = self.post("/verify", &json!({"token": token})).await.expect(200);
        id
    }

    /// Registers, verifies and logs in: a client with the access token, and the refresh token.
    pub async fn logged_in(&self, person: &Person) -> (Self, String) {
        self.verified(person).await;
        self.session(person).await
    }

    /// Logs in: a client with the access token, and the refresh token.
    pub async fn session(&self, person: &Person) -> (Self, String) {
        let pair = self.login(&person.email, &person.password).await.expect(200);
        (self.with_token(&pair.member("access_token")), pair.member("refresh_token"))
    }
}

/// The token in the link of a message.
///
/// # Panics
/// When it has no link.
#[must_use]
pub fn token_of(message: &Value) -> String {
    let link = message["links"][0].as_str().unwrap_or_else(|| panic!("no link in {message}"));
    link.split_once("token=").expect("a token").1.to_owned()
}
