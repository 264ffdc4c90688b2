//! Measures whether the latency of an answer discloses if an account exists: interleaved pairs in a random order, and
//! the area under the ROC curve of an attacker who guesses by latency. One half means that nothing is disclosed. An
//! operation is one request, or several joined by `+`, of which the last is measured: `create+login`.

use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::client::{Answer, Connection, address, login, post_json};

/// The password that a stranger registers with.
const STRANGERS: &str = "walnut-Harbor-31-violin";

/// Two sequences of requests that must be indistinguishable: about the known address, about the unknown one.
struct Pair {
    known: Vec<String>,
    unknown: Vec<String>,
}

/// Asks so many pairs.
pub async fn run(server: &str, password: &str, operation: &str, pairs: usize) -> Result<Value> {
    let mut connection = Connection::open(server).await?;
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    let mut coin = Coin::new();
    let began = Instant::now();
    // a few first ones do not count: caches and the pool have to wake up
    for number in 0..pairs + 10 {
        let pair = pair(&mut connection, password, operation, number + 1).await?;
        let known_first = coin.toss();
        let order = if known_first { [&pair.known, &pair.unknown] } else { [&pair.unknown, &pair.known] };
        let first = last_answer(&mut connection, order[0]).await?;
        let second = last_answer(&mut connection, order[1]).await?;
        ensure!(first.status == second.status, "{operation}: {} and {}", first.status, second.status);
        ensure!(first.body.len() == second.body.len(), "{operation}: {} and {}", first.body, second.body);
        if number >= 10 {
            let (a, b) = if known_first { (first, second) } else { (second, first) };
            known.push(a.ms);
            unknown.push(b.ms);
        }
    }
    let area = area(&known, &unknown);
    let seconds = began.elapsed().as_secs_f64();
    Ok(
        json!({"auc": area, "pairs": pairs, "known_ms": median(&known), "unknown_ms": median(&unknown), "seconds": seconds}),
    )
}

/// Sends requests one after another; the answer to the last.
async fn last_answer(connection: &mut Connection, requests: &[String]) -> Result<Answer> {
    let mut last = None;
    for request in requests {
        let answer = connection.ask(request).await?;
        ensure!(answer.status < 500 && answer.status != 429, "{}: {}", answer.status, answer.body);
        last = Some(answer);
    }
    last.context("no request")
}

/// Addresses and bodies of one length, so that only what the server knows differs.
async fn pair(connection: &mut Connection, password: &str, operation: &str, number: usize) -> Result<Pair> {
    let (known, unknown) = (address(number), address(number).replace("fake", "none"));
    match operation {
        "otp_phone" => return otp_phone(connection, password, &known).await,
        "login_passkey" => return login_passkey(connection, password, &known).await,
        "login_with_app" => return login_with_app(connection, password, number).await,
        _ => {}
    }
    let requests = |email: &str| operation.split('+').map(|step| request(step, email)).collect::<Result<Vec<_>>>();
    Ok(Pair { known: requests(&known)?, unknown: requests(&unknown)? })
}

/// A request about an address.
fn request(step: &str, email: &str) -> Result<String> {
    Ok(match step {
        "login" => login(email, "not-the-password-of-anyone"),
        "login_as_registered" => login(email, STRANGERS),
        "create" => {
            let person = json!({
                "first_name": "Fake", "last_name": "Person", "email": email, "phone": "+12025550100",
                "country_code": "US", "password": STRANGERS,
            });
            post_json("/User1/create", &person)
        }
        "forget_password" | "resend_verification" => post_json(&format!("/User1/{step}"), &json!({"email": email})),
        _ => bail!("{step} is no operation"),
    })
}

/// Logs the user in to learn an id and a number; the unknown id has the same shape and is of no account.
async fn otp_phone(connection: &mut Connection, password: &str, known: &str) -> Result<Pair> {
    let token = connection.ask(&login(known, password)).await?.text("access_token")?;
    let profile = connection.ask(&crate::client::with_token("GET", "/User1/", &token)).await?;
    let (id, phone) = (profile.text("id")?, profile.text("phone")?);
    let nobody = format!("{}{}", &id[..id.len() - 6], if id.ends_with("abcdef") { "fedcba" } else { "abcdef" });
    let request = |id: &str| vec![post_json("/User1/otp_phone", &json!({"id": id, "phone": phone}))];
    Ok(Pair { known: request(&id), unknown: request(&nobody) })
}

/// The signature of a passkey that is none, under the user handle of an account and under one of none.
async fn login_passkey(connection: &mut Connection, password: &str, known: &str) -> Result<Pair> {
    let token = connection.ask(&login(known, password)).await?.text("access_token")?;
    let profile = connection.ask(&crate::client::with_token("GET", "/User1/", &token)).await?;
    let id = hex::decode(profile.text("id")?.trim_start_matches("usr_"))?;
    let nobody: Vec<u8> = id.iter().map(|byte| byte ^ 0x55).collect();
    let mut requests = Vec::new();
    for handle in [&id, &nobody] {
        let begun = connection.ask(&post_json("/User1/login/passkey/options", &json!({}))).await?;
        let response = json!({
            "clientDataJSON": "e30", "authenticatorData": "AAAA", "signature": "AAAA",
            "userHandle": URL_SAFE_NO_PAD.encode(handle),
        });
        let credential = json!({
            "id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": response, "clientExtensionResults": {},
        });
        let body = json!({"token": begun.text("token")?, "credential": credential});
        requests.push(vec![post_json("/User1/login/passkey", &body)]);
    }
    let [known, unknown] = <[Vec<String>; 2]>::try_from(requests).map_err(|_| anyhow!("two requests"))?;
    Ok(Pair { known, unknown })
}

/// A wrong password of an account with an authenticator app, and of one without.
async fn login_with_app(connection: &mut Connection, password: &str, number: usize) -> Result<Pair> {
    let (with, without) = (address(2 * number), address(2 * number + 1));
    let token = connection.ask(&login(&with, password)).await?.text("access_token")?;
    let begun = connection.ask(&crate::client::with_token("POST", "/User1/mfa/totp", &token)).await?;
    let code = app_code(&begun.text("secret")?)?;
    let body = json!({"otp": code}).to_string();
    let head =
        format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}", body.len());
    let confirm =
        format!("PUT /User1/mfa/totp HTTP/1.1\r\nhost: bench\r\naccept: application/json\r\n{head}\r\n\r\n{body}");
    let confirmed = connection.ask(&confirm).await?;
    ensure!(confirmed.status == 200, "{}: {}", confirmed.status, confirmed.body);
    let wrong = |email: &str| vec![login(email, "not-the-password-of-anyone")];
    Ok(Pair { known: wrong(&with), unknown: wrong(&without) })
}

/// The code of an authenticator app now (RFC 6238), by its key in base32.
fn app_code(secret: &str) -> Result<String> {
    let (mut key, mut bits, mut held) = (Vec::new(), 0_u32, 0_u32);
    for letter in secret.bytes() {
        let value = if letter.is_ascii_digit() { letter - b'2' + 26 } else { letter - b'A' };
        (bits, held) = (bits << 5 | u32::from(value), held + 5);
        if held >= 8 {
            held -= 8;
            key.push((bits >> held & 0xff) as u8);
        }
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
    let tag = hmac::sign(&key, &(now.as_secs() / 30).to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[19] & 15);
    let number = u32::from_be_bytes(tag[at..at + 4].try_into()?) & 0x7fff_ffff;
    Ok(format!("{:06}", number % 1_000_000))
}

/// How often a known one took longer than an unknown one, of all there are.
fn area(known: &[f64], unknown: &[f64]) -> f64 {
    let longer =
        |k: &f64| unknown.iter().map(|u| if k > u { 1.0 } else { f64::from(u8::from(k >= u)) / 2.0 }).sum::<f64>();
    known.iter().map(longer).sum::<f64>() / (known.len() * unknown.len()) as f64
}

fn median(of: &[f64]) -> f64 {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    crate::paced::percentile(&sorted, 0.5)
}

/// Chance that is good enough to choose who goes first (xorshift).
struct Coin(u64);

impl Coin {
    fn new() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self(now.map_or(1, |now| u64::from(now.subsec_nanos())) | 1)
    }

    const fn toss(&mut self) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 40 & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::area;

    #[test]
    fn the_area_is_a_half_where_nothing_differs_and_one_where_everything_does() {
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(close(area(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0]), 0.5));
        assert!(close(area(&[4.0, 5.0], &[1.0, 2.0]), 1.0));
        assert!(close(area(&[1.0], &[2.0]), 0.0));
    }
}
