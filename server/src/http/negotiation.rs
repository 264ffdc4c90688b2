//! Content negotiation: JSON or a page, and the language.

use http::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE};
use http::{HeaderMap, HeaderName};
use portcullis_core::model::locale::Locale;

/// The ranges of `Accept` or a header like it, lower-cased, each with its quality, 0 to 1000.
fn ranges_of(headers: &HeaderMap, name: &HeaderName) -> Vec<(String, u32)> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
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

fn ranges(headers: &HeaderMap) -> Vec<(String, u32)> {
    ranges_of(headers, &ACCEPT)
}

/// The language of `Accept-Language` (RFC 9110, section 12.5.4): the most wanted one that is spoken here, else the most
/// wanted one.
#[must_use]
pub fn language(headers: &HeaderMap, is_spoken: impl Fn(&Locale) -> bool) -> Option<Locale> {
    let mut ranges = ranges_of(headers, &ACCEPT_LANGUAGE);
    ranges.retain(|(_, quality)| *quality > 0);
    // stable: of two languages that are wanted alike the first one counts
    ranges.sort_by_key(|(_, quality)| std::cmp::Reverse(*quality));
    let wanted: Vec<Locale> = ranges.iter().filter_map(|(tag, _)| Locale::parse(tag)).collect();
    wanted.iter().find(|locale| is_spoken(locale)).or_else(|| wanted.first()).cloned()
}

/// The quality of a media type that `Accept` names itself, not by a wildcard.
fn named(headers: &HeaderMap, name: &str) -> Option<u32> {
    ranges(headers).into_iter().find(|(range, q)| range == name && *q > 0).map(|(_, q)| q)
}

/// Whether the body of a request is declared as JSON.
fn has_json_body(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// Whether the answer to a form or a link is a page. It is JSON where the request's body was JSON, or where
/// `Accept` names `application/json` and does not name `text/html` or ranks it lower.
#[must_use]
pub fn prefers_page(headers: &HeaderMap) -> bool {
    let json_first = match (named(headers, "application/json"), named(headers, "text/html")) {
        (Some(json), Some(html)) => json > html,
        (json, _) => json.is_some(),
    };
    !json_first && !has_json_body(headers)
}

/// Whether an error is shown as a page: to a browser that opened a link or sent a form.
#[must_use]
pub fn prefers_error_page(headers: &HeaderMap) -> bool {
    named(headers, "text/html").is_some() && prefers_page(headers)
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
    fn a_page_answers_unless_json_is_asked_for() {
        assert!(prefers_page(&HeaderMap::new()) && !prefers_error_page(&HeaderMap::new()));
        for (text, page, error_page) in [
            ("*/*", true, false),
            ("application/json", false, false),
            ("application/json, text/plain, */*", false, false),
            ("text/html,application/json;q=0.9", true, true),
            ("text/html;q=0.5, application/json", false, false),
            ("text/html, application/json", true, true),
            ("text/html;q=0, application/json;q=0.1", false, false),
            ("text/html,application/xhtml+xml,*/*;q=0.8", true, true),
            ("application/json;q=0", true, false),
        ] {
            let headers = accept(text);
            assert_eq!((prefers_page(&headers), prefers_error_page(&headers)), (page, error_page), "{text}");
        }
    }

    #[test]
    fn a_json_body_is_answered_by_json() {
        for (content_type, page) in [
            ("application/json", false),
            ("Application/JSON; charset=utf-8", false),
            ("application/x-www-form-urlencoded", true),
        ] {
            let mut headers = accept("*/*");
            headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
            assert_eq!(prefers_page(&headers), page, "{content_type}");
        }
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

    #[test]
    fn the_most_wanted_language_that_is_spoken_counts() {
        for (text, expected) in [
            ("de-AT,de;q=0.9,en;q=0.8", Some("de-AT")),
            ("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", Some("en")),
            ("en;q=0.2, DE;q=0.3", Some("de")),
            ("fr", Some("fr")),
            ("de;q=0, en", Some("en")),
            ("*", None),
            ("de_DE;;q=x", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, text.parse().unwrap());
            let found = language(&headers, |locale| ["en", "de"].contains(&locale.lookup_range().last().unwrap()));
            assert_eq!(found.as_ref().map(Locale::as_str), expected, "{text}");
        }
        assert_eq!(language(&HeaderMap::new(), |_| true), None);
    }
}
