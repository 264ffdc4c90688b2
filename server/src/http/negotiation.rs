//! `Accept`, as far as we have a choice: JSON or a page.

use http::HeaderMap;
use http::header::ACCEPT;

/// What the client would rather have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// `application/json` outranks `text/html`.
    Json,
    /// A page.
    Page,
}

/// The ranges of `Accept`, lower-cased, with how much each is liked, 0 to 1000.
fn ranges(headers: &HeaderMap) -> Vec<(String, u32)> {
    let values = headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    let range = |text: &str| {
        let text = text.to_ascii_lowercase();
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_owned();
        let q = parts.find_map(|part| part.strip_prefix("q=")).map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1000")]
        let thousandths = (q.clamp(0.0, 1.0) * 1000.0) as u32;
        (name, thousandths)
    };
    values.flat_map(|value| value.split(',')).map(range).collect()
}

/// How much a client likes a type, 0 to 1000; the most specific range decides.
fn quality(headers: &HeaderMap, kind: &str, subkind: &str) -> u32 {
    let mut best = (0, 0);
    for (name, q) in ranges(headers) {
        let specificity = match name.split_once('/') {
            Some((k, s)) if k == kind && s == subkind => 3,
            Some((k, "*")) if k == kind => 2,
            Some(("*", "*")) => 1,
            _ => continue,
        };
        if specificity > best.0 {
            best = (specificity, q);
        }
    }
    best.1
}

/// JSON where `application/json` outranks `text/html`; a client that names neither gets what `otherwise` says.
#[must_use]
pub fn wants(headers: &HeaderMap, otherwise: Wants) -> Wants {
    if !headers.contains_key(ACCEPT) {
        return otherwise;
    }
    let (json, html) = (quality(headers, "application", "json"), quality(headers, "text", "html"));
    match json.cmp(&html) {
        std::cmp::Ordering::Greater => Wants::Json,
        std::cmp::Ordering::Less => Wants::Page,
        std::cmp::Ordering::Equal => otherwise,
    }
}

/// An API client that would not take a page at all: no mail scanner asks like this.
#[must_use]
pub fn only_json(headers: &HeaderMap) -> bool {
    let liked: Vec<String> = ranges(headers).into_iter().filter(|(_, q)| *q > 0).map(|(name, _)| name).collect();
    let page = ["text/html", "text/*", "*/*"];
    liked.iter().any(|name| name == "application/json") && !liked.iter().any(|name| page.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(text: &str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT, text.parse().unwrap())])
    }

    #[test]
    fn the_more_liked_wins() {
        assert_eq!(wants(&HeaderMap::new(), Wants::Page), Wants::Page);
        assert_eq!(wants(&accept("*/*"), Wants::Json), Wants::Json);
        assert_eq!(wants(&accept("application/json"), Wants::Page), Wants::Json);
        assert_eq!(wants(&accept("text/html,application/json;q=0.9"), Wants::Json), Wants::Page);
        assert_eq!(wants(&accept("text/html;q=0.5, application/json"), Wants::Page), Wants::Json);
        assert_eq!(wants(&accept("text/html,application/xhtml+xml,*/*;q=0.8"), Wants::Json), Wants::Page);
    }

    #[test]
    fn only_an_explicit_api_client_takes_no_page() {
        assert!(only_json(&accept("application/json")));
        for text in [
            "*/*",
            "application/json, */*",
            "application/json, text/html;q=0.1",
            "application/json;q=0",
            "",
            "application/*",
            "application/json, */*;q=0.5, text/html;q=0",
            "Application/JSON, TEXT/HTML;Q=0.5",
        ] {
            assert!(!only_json(&accept(text)), "{text}");
        }
        assert!(!only_json(&HeaderMap::new()));
    }
}
