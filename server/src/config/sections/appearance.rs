//! The operator's own look of pages and mails.

use std::path::Path;

use bytes::Bytes;

use crate::config::accent::Accent;
use crate::config::settings_reader::SettingsReader;

/// The largest logo, in bytes: every page has it.
const LARGEST_LOGO: usize = 256 * 1024;

/// Logo and colour.
#[derive(Debug, Clone, Default)]
pub struct Appearance {
    /// `APP_LOGO`.
    pub logo: Option<Logo>,
    /// `APP_COLOR`.
    pub accent: Option<Accent>,
}

/// The picture at the head of pages and mails.
#[derive(Debug, Clone)]
pub struct Logo {
    /// Its bytes.
    pub bytes: Bytes,
    /// Its media type.
    pub media_type: &'static str,
}

impl Logo {
    /// Whether mail programs can be expected to show it.
    #[must_use]
    pub fn is_for_mails(&self) -> bool {
        matches!(self.media_type, PNG | JPEG)
    }
}

const PNG: &str = "image/png";
const JPEG: &str = "image/jpeg";

pub fn appearance(reader: &mut SettingsReader) -> Appearance {
    let folder = reader.working_dir.clone();
    let logo = "name a PNG, JPEG, WebP or SVG file of at most 256 KiB that this user can read";
    Appearance {
        logo: reader.parsed("APP_LOGO", logo, |path| read_logo(&folder.join(path))),
        accent: reader.parsed("APP_COLOR", "write a dark colour as in #1b625b", Accent::parse),
    }
}

fn read_logo(path: &Path) -> Result<Logo, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let media_type = media_type(&bytes).ok_or_else(|| format!("{} is no such picture", path.display()))?;
    if bytes.len() > LARGEST_LOGO {
        return Err(format!("{} has {} KiB", path.display(), bytes.len() / 1024));
    }
    Ok(Logo { bytes: bytes.into(), media_type })
}

/// The kind of a picture, by how its bytes begin.
fn media_type(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some(PNG)
    } else if bytes.starts_with(b"\xff\xd8\xff") {
        Some(JPEG)
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some("image/webp")
    } else {
        let text = std::str::from_utf8(bytes).ok()?;
        (text.trim_start_matches('\u{feff}').trim_start().starts_with('<') && text.contains("<svg"))
            .then_some("image/svg+xml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_known_by_their_bytes() {
        assert_eq!(media_type(b"\x89PNG\r\n\x1a\n...."), Some("image/png"));
        assert_eq!(media_type(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(media_type(b"RIFF\0\0\0\0WEBPVP8 "), Some("image/webp"));
        let svg = "<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>";
        assert_eq!(media_type(svg.as_bytes()), Some("image/svg+xml"));
        for other in [&b"<html></html>"[..], b"", b"RIFF....WAVE", b"GIF89a", b"\xff\xfe<svg"] {
            assert_eq!(media_type(other), None, "{other:?}");
        }
    }
}
