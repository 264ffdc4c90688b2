//! Content-security-policy sources for the styles of a document, so that a page can show it without `unsafe-inline`.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// `'sha256-…'` for every `<style>` of a document that our own templates made, each once.
#[must_use]
pub fn style_hashes(html: &str) -> BTreeSet<String> {
    let blocks = html.split("<style").skip(1);
    let sheets = blocks.filter_map(|block| block.split_once('>')?.1.split_once("</style").map(|(sheet, _)| sheet));
    // A browser hashes what its parser hands on: line breaks of one character.
    let hashed = sheets.map(|sheet| STANDARD.encode(Sha256::digest(sheet.replace("\r\n", "\n"))));
    hashed.map(|hash| format!("'sha256-{hash}'")).collect()
}

#[cfg(test)]
mod tests {
    use super::style_hashes;

    #[test]
    fn hashes_each_style_once() {
        let html = "<style></style><p>a</p><style media=\"all\"></style>";
        let empty = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='";
        assert_eq!(style_hashes(html).into_iter().collect::<Vec<_>>(), [empty]);
    }
}
