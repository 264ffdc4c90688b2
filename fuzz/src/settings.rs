//! Headers of proxies, and files of operators.

use std::net::IpAddr;
use std::sync::OnceLock;

use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use portcullis_adapters::messaging::templates::Renderer;
use portcullis_core::model::locale::Locale;
use portcullis_server::config::{Settings, Sources};
use portcullis_server::http::address::client_address;
use serde_json::json;

/// Lines of `name: value`. A peer that is not listed is the client, whatever the headers say; a listed one can only name an
/// address that its headers have.
pub fn forwarded(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut headers = HeaderMap::new();
    for line in text.lines().take(16) {
        let (name, value) = line.split_once(": ").unwrap_or(("x-forwarded-for", line));
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value.as_bytes())) {
            headers.append(name, value);
        }
    }
    let trusted: Vec<IpNet> = ["10.0.0.0/8", "::1/128"].map(|net| net.parse().expect("a network")).to_vec();
    let stranger: IpAddr = "203.0.113.9".parse().expect("an address");
    assert_eq!(client_address(stranger, &headers, &trusted), stranger);
    let proxy: IpAddr = "10.0.0.1".parse().expect("an address");
    let client = client_address(proxy, &headers, &trusted);
    let named = |text: &str| {
        let parts = text.split(|c: char| !c.is_ascii_hexdigit() && c != '.' && c != ':');
        parts.map(str::to_owned).any(|part| {
            let without_port = part.rsplit_once(':').map_or("", |(address, _)| address);
            [part.as_str(), without_port]
                .iter()
                .any(|part| part.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical() == client))
        })
    };
    assert!(client == proxy || named(&text), "{client} is not in {text:?}");
    assert_eq!(client, client.to_canonical());
}

/// A `.env` file is read or refused; a refusal shows no value of a secret.
pub fn dotenv(data: &[u8]) {
    const MARK: &str = "kX9vQ2mT7rB4nL8wZ1cF6hJ3";
    let text = String::from_utf8_lossy(data);
    let dotenv = format!("{text}\nMAIL_PASSWORD='{MARK}'\n");
    let folder = std::env::temp_dir().join("portcullis-fuzz-dotenv");
    let secrets = [
        ("ENVIRONMENT", "development"),
        ("JWT_SECRET", "hQ3zWm8Tv5YnR2kX7cJ4pL9fD6sB1tG0"),
        ("ENCRYPTION_KEY", "Qx7fT0pZbW3kYv9sJ1hLdR5mCg8uXeA2nKoVi6tPzEw"),
        ("EMAIL_SALT", "dW4rP9xKf2ZtQ7mLj5VbY8nHc3GsA6eT"),
        ("OPERATOR_TOKEN", "vN8sH2bYc6TgX4wLq9RzK7jMd3FpE5uA"),
    ];
    let environment = secrets.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let sources = Sources {
        environment: environment.into_iter().collect(),
        dotenv: Some((folder.join(".env"), dotenv)),
        working_dir: folder,
        ..Sources::default()
    };
    match Settings::load(sources, &|bytes| bytes.fill(7)) {
        Ok(settings) => assert!(!format!("{settings:?}").contains(MARK)),
        Err(problems) => assert!(!problems.to_string().contains(MARK), "{problems}"),
    }
}

/// As a name and as a text of a template: markup of a value stays text, a subject is one line, and an SMS has a line for the
/// person and one for the browser, whatever the values are.
pub fn template(data: &[u8]) {
    static RENDERER: OnceLock<Renderer> = OnceLock::new();
    let renderer = RENDERER.get_or_init(|| Renderer::new(None).expect("the built-in templates"));
    let text = String::from_utf8_lossy(data);
    let value = format!("<mark>{text}</mark>");
    let page = json!({"app_name": value, "first_name": value, "needs_password": true, "at": value, "action": value, "token": value});
    let page = renderer.render_page("verify_button.html", &Locale::default(), page).expect("a page");
    let email = json!({"app_name": value, "first_name": value, "link": "https://auth.example.com/", "code": value, "expires_in": value});
    let email = renderer.render_email("mail_email_verify", &Locale::default(), email).expect("an e-mail");
    for html in [&page, &email.html] {
        assert!(!html.contains("<mark>") && !html.contains("</mark>"), "{html}");
    }
    assert!(!email.subject.contains(['\r', '\n']), "{:?}", email.subject);
    let sms = json!({"app_name": value, "domain": value, "code": value, "expires_in": value});
    let sms = renderer.render_text("otp", &Locale::default(), sms).expect("an SMS");
    assert!(sms.lines().count() == 2 && !sms.contains('\r'), "{sms:?}");
}
