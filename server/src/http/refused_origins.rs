//! Logs the origins of pages that CORS refused, each once: a browser tells its user little about the reason.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderValue};

/// Further origins are not logged, so that clients that invent origins can't fill the log.
const MAX_ORIGINS: usize = 32;
/// The longest origin: a scheme, a domain name and a port.
const MAX_LENGTH: usize = 280;

/// The refused origins so far.
#[derive(Debug, Default)]
pub struct RefusedOrigins(Mutex<BTreeSet<String>>);

impl RefusedOrigins {
    /// Logs the origin of a refused request, if it is a new one.
    pub fn observe(&self, request: &HeaderMap, public_url: &str) {
        let Some(origin) = foreign_origin(request, public_url) else { return };
        if self.insert(origin) {
            tracing::warn!(
                origin,
                "CORS refused a page of this origin: it is not in CORS_ORIGINS. Fix: add it there if the page is yours. \
                 Each origin is logged once"
            );
        }
    }

    fn insert(&self, origin: &str) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.len() < MAX_ORIGINS && known.insert(origin.to_owned())
    }
}

/// The origin of a page that another site has served. Browsers send `Origin` with forms of our own pages too, and `null`
/// for some of them.
fn foreign_origin<'a>(request: &'a HeaderMap, public_url: &str) -> Option<&'a str> {
    let text = |value: &'a HeaderValue| value.to_str().ok();
    let origin = request.get(ORIGIN).and_then(text).filter(|origin| origin.len() <= MAX_LENGTH)?;
    let (_, authority) = origin.split_once("://")?;
    let host = request.get(HOST).and_then(text).unwrap_or_default();
    let own = authority.eq_ignore_ascii_case(host) || public_url.strip_prefix(origin).is_some_and(is_path);
    (!own).then_some(origin)
}

fn is_path(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(origin: &str) -> HeaderMap {
        HeaderMap::from_iter([(ORIGIN, origin.parse().unwrap()), (HOST, "auth.example.com".parse().unwrap())])
    }

    #[test]
    fn pages_of_other_sites_are_foreign_and_own_pages_are_not() {
        let foreign = |origin| foreign_origin(&headers(origin), "https://login.example.com/auth").is_some();
        for origin in ["https://app.example.com", "http://localhost:5173", "https://login.example.co"] {
            assert!(foreign(origin), "{origin}");
        }
        let long = format!("https://{}.example", "a".repeat(300));
        for origin in ["null", "https://auth.example.com", "https://login.example.com", &long] {
            assert!(!foreign(origin), "{origin}");
        }
    }

    #[test]
    fn each_origin_is_logged_once_and_at_most_32_of_them() {
        let refused = RefusedOrigins::default();
        let logged = (0..40).filter(|number| refused.insert(&format!("https://{number}.example"))).count();
        assert_eq!(logged, MAX_ORIGINS);
        assert!(!refused.insert("https://0.example"));
    }
}
