//! Cookie mode: the refresh token in a cookie, for pages of the server's own origin and of listed ones.

use std::time::Duration;

use portcullis_tests::api::Answer;
use portcullis_tests::{Api, Person, TestServer};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

const APP: &str = "https://app.example.com";
const NAME: &str = "__Host-refresh-User1";

/// A server that lets in the pages of one other origin, and a client of it.
async fn server() -> (TestServer, Api) {
    let server = TestServer::start_with(&[("CORS_ORIGINS", APP)]).await;
    let api = server.realm("User1");
    (server, api)
}

/// A POST as a script of an allowed page sends it.
fn from_page(api: &Api, path: &str) -> RequestBuilder {
    api.request(Method::POST, path).header("origin", APP).header("x-requested-with", "fetch")
}

fn cookie(value: &str) -> String {
    format!("theme=dark; {NAME}={value}; lang=de")
}

/// The value and the attributes of the cookie that an answer sets.
fn set_cookie(answer: &Answer) -> Option<(String, String)> {
    let text = answer.header("set-cookie");
    let (value, attributes) = text.strip_prefix(NAME)?.strip_prefix('=')?.split_once("; ")?;
    Some((value.to_owned(), attributes.to_owned()))
}

/// The refresh token of an answer that has it in the cookie and not in the body.
#[track_caller]
fn token_in_cookie(answer: Answer) -> String {
    let answer = answer.expect(200);
    assert!(answer.json().get("refresh_token").is_none(), "{}", answer.text);
    assert!(!answer.member("access_token").is_empty());
    let (value, attributes) = set_cookie(&answer).expect("a cookie");
    assert_eq!(value.len(), 86);
    assert_eq!(attributes, "Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax");
    assert_eq!(answer.header("cache-control"), "no-store");
    value
}

async fn login_by_cookie(api: &Api, person: &Person) -> Answer {
    let form = [("username", &*person.email), ("password", &*person.password), ("token_delivery", "cookie")];
    api.send(from_page(api, "/login").form(&form)).await
}

fn refresh_by_cookie(api: &Api, token: &str) -> RequestBuilder {
    from_page(api, "/token").header("cookie", cookie(token))
}

const REFRESH: [(&str, &str); 1] = [("grant_type", "refresh_token")];

#[tokio::test]
async fn login_sets_the_cookie_and_a_refresh_reads_and_renews_it() {
    let (server, api) = server().await;
    let john = Person::john();
    api.verified(&john).await;
    let first = token_in_cookie(login_by_cookie(&api, &john).await);
    let answer = api.send(refresh_by_cookie(&api, &first).form(&REFRESH)).await;
    let access = answer.member("access_token");
    let second = token_in_cookie(answer);
    assert_ne!(first, second);
    let _ = api.with_token(&access).get("/").await.expect(200);
    // the cookie of one realm is none of another
    let other = server.realm("User2");
    let request = refresh_by_cookie(&other, &second).form(&REFRESH);
    assert_eq!(other.send(request).await.expect(400).code(), "malformed_request");
}

#[tokio::test]
async fn the_body_is_the_default_and_other_words_are_refused() {
    let (_server, api) = server().await;
    let john = Person::john();
    api.verified(&john).await;
    for delivery in [None, Some("body")] {
        let mut form = vec![("username", &*john.email), ("password", &*john.password)];
        form.extend(delivery.map(|delivery| ("token_delivery", delivery)));
        let answer = api.send(from_page(&api, "/login").form(&form)).await.expect(200);
        assert!(set_cookie(&answer).is_none() && answer.member("refresh_token").len() == 86);
    }
    for path in ["/login", "/token"] {
        let form =
            [("grant_type", "password"), ("username", "a@example.com"), ("password", "x"), ("token_delivery", "url")];
        let answer = api.form(path, &form).await.expect(422);
        assert_eq!(answer.json()["errors"][0]["field"], "token_delivery");
    }
}

#[tokio::test]
async fn every_answer_like_login_follows_the_mode() {
    let (server, api) = server().await;
    let john = Person::john();
    api.verified(&john).await;
    let password_grant = [
        ("grant_type", "password"),
        ("username", &*john.email),
        ("password", &*john.password),
        ("token_delivery", "cookie"),
    ];
    let answer = api.send(from_page(&api, "/token").form(&password_grant)).await;
    let access = answer.member("access_token");
    let refresh = token_in_cookie(answer);
    let here = api.with_token(&access);

    // a changed password keeps the session's mode
    let change = json!({"current_password": john.password, "password": "velvet-orbit-92-thistle"});
    let request = from_page(&here, "/change_password").header("cookie", cookie(&refresh)).json(&change);
    let renewed = token_in_cookie(api.send(request).await);
    let answer = api.send(refresh_by_cookie(&api, &renewed).form(&REFRESH)).await;
    let _ = token_in_cookie(answer);

    // the cookie of another session says nothing about this one
    let back = json!({"current_password": "velvet-orbit-92-thistle", "password": john.password});
    let (in_body, _) = api.session(&Person { password: "velvet-orbit-92-thistle".to_owned(), ..john.clone() }).await;
    let request = from_page(&in_body, "/change_password").header("cookie", cookie(&refresh)).json(&back);
    let answer = api.send(request).await.expect(200);
    assert!(set_cookie(&answer).is_none() && answer.member("refresh_token").len() == 86);

    // a second factor too
    let (me, _) = api.session(&john).await;
    let id = me.get("/").await.expect(200).member("id");
    let phone = me.get("/").await.expect(200).member("phone");
    let challenge = api.post("/otp_phone", &json!({"id": id, "phone": phone})).await.expect(202).member("token");
    let otp = api.mail("otp", &phone).await["code"].as_str().unwrap().to_owned();
    let _ = api.post("/verify_otp_phone", &json!({"token": challenge, "otp": otp})).await.expect(200);
    let _ = me.json(Method::PUT, "/mfa", &json!({"sms": true})).await.expect(200);
    server.advance(Duration::from_secs(60));
    let challenge = login_by_cookie(&api, &john).await.expect(403).member("mfa_token");
    let otp = api.mail("mfa_otp", &phone).await["code"].as_str().unwrap().to_owned();
    let body = json!({"mfa_token": challenge, "otp": otp, "token_delivery": "cookie"});
    let _ = token_in_cookie(api.send(from_page(&api, "/login/mfa").json(&body)).await);
}

#[tokio::test]
async fn a_page_of_another_origin_and_a_plain_form_set_and_read_no_cookie() {
    let (server, api) = server().await;
    let own = format!("http://{}", server.address());
    let john = Person::john();
    api.verified(&john).await;
    let login = [("username", &*john.email), ("password", &*john.password), ("token_delivery", "cookie")];
    let headers: [&[(&str, &str)]; 7] = [
        &[],
        &[("origin", APP)],
        &[("origin", APP), ("x-requested-with", "")],
        &[("x-requested-with", "fetch")],
        &[("origin", "https://evil.example"), ("x-requested-with", "fetch")],
        &[("origin", "null"), ("x-requested-with", "fetch")],
        &[("origin", "https://app.example.com.evil.example"), ("x-requested-with", "fetch")],
    ];
    let with = |request: RequestBuilder, headers: &[(&str, &str)]| {
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    };
    let token = token_in_cookie(login_by_cookie(&api, &john).await);
    for headers in headers {
        for path in ["/login", "/token"] {
            let form = login.iter().copied().chain([("grant_type", "password")]).collect::<Vec<_>>();
            let answer = api.send(with(api.request(Method::POST, path), headers).form(&form)).await.expect(403);
            assert!(set_cookie(&answer).is_none(), "{path} {headers:?}");
            assert_eq!(
                (answer.code(), answer.json()["error"].as_str()),
                ("forbidden".to_owned(), Some("invalid_request"))
            );
        }
        let request = with(api.request(Method::POST, "/token"), headers).header("cookie", cookie(&token));
        let answer = api.send(request.form(&REFRESH)).await.expect(400);
        assert_eq!((answer.code(), set_cookie(&answer)), ("malformed_request".to_owned(), None), "{headers:?}");
        let request = with(api.request(Method::POST, "/logout"), headers).header("cookie", cookie(&token));
        let answer = api.send(request).await.expect(401);
        assert!(
            answer.header("www-authenticate").starts_with("Bearer") && set_cookie(&answer).is_none(),
            "{headers:?}"
        );
    }
    // the server's own pages may
    let request = api.request(Method::POST, "/token").header("origin", own).header("x-requested-with", "fetch");
    let _ = token_in_cookie(api.send(request.header("cookie", cookie(&token)).form(&REFRESH)).await);
}

#[tokio::test]
async fn a_script_can_not_get_the_token_of_the_cookie_into_the_body() {
    let (_server, api) = server().await;
    let john = Person::john();
    api.verified(&john).await;
    let token = token_in_cookie(login_by_cookie(&api, &john).await);
    let body = [("grant_type", "refresh_token"), ("token_delivery", "body")];
    let next = token_in_cookie(api.send(refresh_by_cookie(&api, &token).form(&body)).await);
    for delivery in ["body", "cookie"] {
        let both = [("grant_type", "refresh_token"), ("refresh_token", &*next), ("token_delivery", delivery)];
        let answer = api.send(refresh_by_cookie(&api, &next).form(&both)).await.expect(400);
        assert_eq!((answer.code(), set_cookie(&answer)), ("malformed_request".to_owned(), None));
    }
    // a doubled cookie is no choice between two
    let twice = format!("{NAME}={next}; {NAME}={token}");
    let _ = api.send(from_page(&api, "/token").header("cookie", twice).form(&REFRESH)).await.expect(400);
    // none of this has used the token, and a client of the body mode may change over
    let answer = api.form("/token", &[("grant_type", "refresh_token"), ("refresh_token", &next)]).await.expect(200);
    let change = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &*answer.member("refresh_token")),
        ("token_delivery", "cookie"),
    ];
    let _ = token_in_cookie(api.send(from_page(&api, "/token").form(&change)).await);
}

#[tokio::test]
async fn logout_by_the_cookie_ends_the_session_and_clears_the_cookie() {
    let (_server, api) = server().await;
    let john = Person::john();
    api.verified(&john).await;
    let cleared = Some((String::new(), "Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax".to_owned()));
    for bearer in [None, Some("expired"), Some("good")] {
        let login = login_by_cookie(&api, &john).await;
        let access = login.member("access_token");
        let token = token_in_cookie(login);
        let mut request = from_page(&api, "/logout").header("cookie", cookie(&token));
        if let Some(bearer) = bearer {
            request = request.bearer_auth(if bearer == "good" { &*access } else { bearer });
        }
        let answer = api.send(request).await.expect(200);
        assert_eq!(set_cookie(&answer), cleared, "{bearer:?}");
        let _ = api.with_token(&access).get("/").await.expect(401);
        let answer = api.send(refresh_by_cookie(&api, &token).form(&REFRESH)).await.expect(400);
        assert_eq!(answer.code(), "invalid_grant");
        // a dead cookie can still be taken away
        let again = api.send(from_page(&api, "/logout").header("cookie", cookie(&token))).await.expect(200);
        assert_eq!(set_cookie(&again), cleared);
    }
    // GET needs the access token, and leaves the cookie alone
    let login = login_by_cookie(&api, &john).await;
    let here = api.with_token(&login.member("access_token"));
    let token = token_in_cookie(login);
    let get = |client: &Api| {
        let request = client.request(Method::GET, "/logout").header("cookie", cookie(&token));
        request.header("origin", APP).header("x-requested-with", "fetch")
    };
    let _ = api.send(get(&api)).await.expect(401);
    assert_eq!(set_cookie(&here.send(get(&here)).await.expect(200)), None);
    // everywhere
    let login = login_by_cookie(&api, &john).await;
    let here = api.with_token(&login.member("access_token"));
    let token = token_in_cookie(login);
    let request = from_page(&here, "/logout_all").header("cookie", cookie(&token));
    assert_eq!(set_cookie(&here.send(request).await.expect(200)), cleared);
}
