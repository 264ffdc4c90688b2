//! Static files in the binary; large ones gzipped. `server/assets/viewers/README.md` describes each and its update.

use crate::http::assets::Asset;
use crate::http::assets::media::{CSS, JS, SVG, WOFF2};

/// A page that shows the API.
pub struct Viewer {
    /// The page.
    pub html: &'static str,
    /// Its content security policy: it may load from this server only.
    pub csp: &'static str,
}

macro_rules! plain {
    ($name:literal, $content_type:expr, $path:literal) => {
        Asset {
            name: $name,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../../../assets/", $path)),
            gzipped: false,
        }
    };
}

macro_rules! gzipped {
    ($name:literal, $content_type:expr) => {
        Asset {
            name: $name,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../../../assets/viewers/", $name, ".gz")),
            gzipped: true,
        }
    };
}

/// The stylesheet of pages.
pub const PAGES_CSS: &str = include_str!("../../../assets/pages.css");

/// Those under `/assets/`.
pub static ALL: &[Asset] = &[
    plain!("pages.css", CSS, "pages.css"),
    plain!("pages.js", JS, "pages.js"),
    plain!("inter.woff2", WOFF2, "../../web-demo/fonts/inter.woff2"),
    plain!("fraunces.woff2", WOFF2, "../../web-demo/fonts/fraunces.woff2"),
    plain!("icon.svg", SVG, "icon.svg"),
    plain!("viewers.css", CSS, "viewers/viewers.css"),
    plain!("docs-init.js", JS, "viewers/docs-init.js"),
    plain!("redoc-init.js", JS, "viewers/redoc-init.js"),
    plain!("scalar-init.js", JS, "viewers/scalar-init.js"),
    plain!("scalar-styles.js", JS, "viewers/scalar-styles.js"),
    gzipped!("swagger-ui.css", CSS),
    gzipped!("swagger-ui-bundle.js", JS),
    gzipped!("redoc.standalone.js", JS),
    gzipped!("scalar.standalone.js", JS),
];

const DOCS_CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                        connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

/// Swagger UI.
pub static DOCS: Viewer = Viewer { html: include_str!("../../../assets/viewers/docs.html"), csp: DOCS_CSP };

/// `ReDoc`. The hashes are those of the style elements its style engine begins with: an empty one and its marker.
pub static REDOC: Viewer = Viewer {
    html: include_str!("../../../assets/viewers/redoc.html"),
    csp: "default-src 'none'; script-src 'self'; style-src 'self' \
          'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' \
          'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='; img-src 'self' data:; connect-src 'self'; \
          worker-src blob:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
};

/// Scalar.
pub static SCALAR: Viewer = Viewer { html: include_str!("../../../assets/viewers/scalar.html"), csp: DOCS_CSP };
