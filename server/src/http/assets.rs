//! Static files in the binary, plain or gzipped.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::{Mutex, PoisonError};

use axum::response::Response;
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::http::endpoint::HandlerResult;
use crate::http::problem::Problem;
use crate::http::response::with_type;

/// The media types of the assets.
pub mod media {
    /// A stylesheet.
    pub const CSS: &str = "text/css; charset=utf-8";
    /// A page.
    pub const HTML: &str = "text/html; charset=utf-8";
    /// A script or a module.
    pub const JS: &str = "text/javascript; charset=utf-8";
    /// Plain text.
    pub const TEXT: &str = "text/plain; charset=utf-8";
    /// A picture of lines.
    pub const SVG: &str = "image/svg+xml; charset=utf-8";
    /// A typeface.
    pub const WOFF2: &str = "font/woff2";
    /// WebAssembly: browsers compile it while it arrives only under this type.
    pub const WASM: &str = "application/wasm";
}

static UNPACKED: Mutex<BTreeMap<&str, Bytes>> = Mutex::new(BTreeMap::new());

/// A file in the binary.
pub struct Asset {
    /// Its name below the place it is served from.
    pub name: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
    /// Whether they are gzipped.
    pub gzipped: bool,
}

impl Asset {
    /// The file; a gzipped one is unpacked for a client that does not accept gzip.
    ///
    /// # Errors
    /// `unavailable` if the bytes are broken, which a test would have found.
    pub fn response(&self, headers: &HeaderMap) -> HandlerResult {
        let mut response = if !self.gzipped || accepts_gzip(headers) {
            with_type(StatusCode::OK, self.content_type, self.bytes)
        } else {
            with_type(StatusCode::OK, self.content_type, self.unpacked()?)
        };
        if self.gzipped && accepts_gzip(headers) {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
        Ok(response)
    }

    /// The unpacked bytes: one copy that all responses share, so that clients that read slowly cost no memory.
    fn unpacked(&self) -> Result<Bytes, Problem> {
        let mut all = UNPACKED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plain) = all.get(self.name) {
            return Ok(plain.clone());
        }
        let mut plain = Vec::new();
        GzDecoder::new(self.bytes).read_to_end(&mut plain).map_err(|error| {
            tracing::error!(name = self.name, "an asset is broken: {error}");
            Problem::unavailable()
        })?;
        let plain = Bytes::from(plain);
        all.insert(self.name, plain.clone());
        Ok(plain)
    }
}

/// The file of that name.
///
/// # Errors
/// `not_found`.
pub fn find(all: &'static [Asset], name: &str) -> Result<&'static Asset, Problem> {
    all.iter().find(|asset| asset.name == name).ok_or_else(Problem::not_found)
}

/// Sets the content security policy of a response.
#[must_use]
pub fn with_policy(mut response: Response, policy: &'static str) -> Response {
    response.headers_mut().insert(http::header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let encodings = headers.get_all(ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    encodings.flat_map(|value| value.split(',')).any(|encoding| {
        let mut parts = encoding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*");
        is_gzip && !parts.any(|part| part == "q=0")
    })
}
