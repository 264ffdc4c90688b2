//! The path of `PUBLIC_URL`, below which a proxy publishes this server: requests come with it or, if the proxy removes it,
//! without it. Both are routed alike.

use axum::extract::Request;
use http::Uri;
use http::uri::PathAndQuery;

/// Removes the prefix from the request's path. A path without it stays as it is.
#[must_use]
pub fn remove_prefix(prefix: &str, mut request: Request) -> Request {
    if let Some(uri) = without_prefix(prefix, request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

fn without_prefix(prefix: &str, uri: &Uri) -> Option<Uri> {
    let rest = uri.path_and_query()?.as_str().strip_prefix(prefix)?;
    let path: PathAndQuery = match rest.chars().next() {
        None => PathAndQuery::from_static("/"),
        Some('/') => rest.parse().ok()?,
        Some('?') => format!("/{rest}").parse().ok()?,
        Some(_) => return None,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_segment_is_removed_and_a_part_of_one_stays() {
        let routed = |path: &str| {
            let request = http::Request::builder().uri(path).body(axum::body::Body::empty()).unwrap();
            remove_prefix("/auth", request).uri().to_string()
        };
        assert_eq!(routed("/auth/User1/login?x=1"), "/User1/login?x=1");
        assert_eq!(routed("/User1/login"), "/User1/login");
        assert_eq!((routed("/auth"), routed("/auth?x=1"), routed("/auth/")), ("/".into(), "/?x=1".into(), "/".into()));
        assert_eq!(routed("/authority/login"), "/authority/login");
        assert_eq!(routed("/auth/auth/x"), "/auth/x");
        assert_eq!(routed("https://example.com/auth/docs"), "https://example.com/docs");
    }
}
