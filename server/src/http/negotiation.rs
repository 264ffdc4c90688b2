//! Content negotiation: JSON or a page.

use http::HeaderMap;
use http::header::ACCEPT;

/// The format that a client prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseFormat {
    /// `application/json` outranks `text/html`.
    Json,
    /// A page.
    Page,
}

/// The ranges of `Accept`, lower-cased, each with its quality, 0 to 1000.
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

/// The quality of a media type, 0 to 1000; the most specific range decides.
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

/// JSON where `application/json` outranks `text/html`; a client that names neither gets what `default` says.
#[must_use]
pub fn preferred_format(headers: &HeaderMap, default: ResponseFormat) -> ResponseFormat {
    if !headers.contains_key(ACCEPT) {
        return default;
    }
    let (json, html) = (quality(headers, "application", "json"), quality(headers, "text", "html"));
    match json.cmp(&html) {
        std::cmp::Ordering::Greater => ResponseFormat::Json,
        std::cmp::Ordering::Less => ResponseFormat::Page,
        std::cmp::Ordering::Equal => default,
    }
}

/// Whether the client accepts JSON and no page at all. A mail scanner never does.
#[must_use]
pub fn only_json(headers: &HeaderMap) -> bool {
    let accepted: Vec<String> = ranges(headers).into_iter().filter(|(_, q)| *q > 0).map(|(name, _)| name).collect();
    let page = ["text/html", "text/*", "*/*"];
    accepted.iter().any(|name| name == "application/json") && !accepted.iter().any(|name| page.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(text: &str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT, text.parse().unwrap())])
    }

    #[test]
    fn the_higher_quality_wins() {
        assert_eq!(preferred_format(&HeaderMap::new(), ResponseFormat::Page), ResponseFormat::Page);
        assert_eq!(preferred_format(&accept("*/*"), ResponseFormat::Json), ResponseFormat::Json);
        assert_eq!(preferred_format(&accept("application/json"), ResponseFormat::Page), ResponseFormat::Json);
        assert_eq!(
            preferred_format(&accept("text/html,application/json;q=0.9"), ResponseFormat::Json),
            ResponseFormat::Page
        );
        assert_eq!(
            preferred_format(&accept("text/html;q=0.5, application/json"), ResponseFormat::Page),
            ResponseFormat::Json
        );
        assert_eq!(
            preferred_format(&accept("text/html,application/xhtml+xml,*/*;q=0.8"), ResponseFormat::Json),
            ResponseFormat::Page
        );
    }

    #[test]
    fn only_an_explicit_api_client_accepts_no_page() {
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
