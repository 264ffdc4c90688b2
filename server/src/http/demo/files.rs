//! The files of `web-demo/`. `tests/architecture` holds this list against the folder.

use crate::http::assets::Asset;
use crate::http::assets::media::{CSS, HTML, JS, SVG, TEXT, WOFF2};

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
    file!("words.js", JS),
    file!("countries.js", JS),
    file!("gate.js", JS),
    file!("account.js", JS),
    file!("places.js", JS),
    file!("mailbox.js", JS),
    file!("wire.js", JS),
    file!("fonts/fraunces.woff2", WOFF2),
    file!("fonts/inter.woff2", WOFF2),
    file!("fonts/LICENSES.txt", TEXT),
];
