//! The files of `web-demo/`. `tests/architecture` holds this list against the folder.

use crate::http::assets::Asset;
use crate::http::assets::media::{CSS, HTML, JS, SVG, TEXT, WASM, WOFF2};

macro_rules! file {
    ($name:literal, $content_type:expr) => {
        Asset {
            name: $name,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../../../../web-demo/", $name)),
            gzipped: false,
        }
    };
}

macro_rules! module {
    ($name:literal) => {
        Asset {
            name: $name,
            content_type: WASM,
            bytes: include_bytes!(concat!("../../../../web-demo/", $name, ".gz")),
            gzipped: true,
        }
    };
}

/// All of them; `settings.json` is made, and the readme is for people.
pub static ALL: &[Asset] = &[
    file!("index.html", HTML),
    file!("demo.css", CSS),
    file!("icon.svg", SVG),
    file!("theme.js", JS),
    file!("app.js", JS),
    file!("api.js", JS),
    file!("dom.js", JS),
    file!("page.js", JS),
    file!("forms.js", JS),
    file!("rules.js", JS),
    file!("messages.js", JS),
    file!("countries.js", JS),
    file!("sign-in.js", JS),
    file!("account.js", JS),
    file!("factors.js", JS),
    file!("enrolment.js", JS),
    file!("passkeys.js", JS),
    file!("sessions-and-data.js", JS),
    file!("mailbox.js", JS),
    file!("http-log.js", JS),
    file!("fonts/fraunces.woff2", WOFF2),
    file!("fonts/inter.woff2", WOFF2),
    file!("fonts/LICENSES.txt", TEXT),
    file!("pkg/api/issues.js", JS),
    file!("pkg/api/meter.js", JS),
    file!("pkg/api/module.js", JS),
    file!("pkg/api/schema.js", JS),
    file!("pkg/api/strength.js", JS),
    file!("pkg/api/texts.js", JS),
    file!("pkg/api/tokens.js", JS),
    file!("pkg/api/validators.js", JS),
    file!("pkg/api/value.js", JS),
    file!("pkg/glue/strength.js", JS),
    file!("pkg/glue/validators.js", JS),
    file!("pkg/load/web.js", JS),
    module!("pkg/wasm/strength.wasm"),
    module!("pkg/wasm/validators.wasm"),
    file!("pkg/web/base.js", JS),
    file!("pkg/web/index.js", JS),
    file!("pkg/web/meter.js", JS),
    file!("pkg/web/strength.js", JS),
];
