//! The accent colour of pages and mails. Text in it has the contrast that WCAG 2.2 asks for (success criterion 1.4.3).

/// The darkest surface of a light page, and the surface of a dark one.
const LIGHT: Rgb = Rgb([0xee, 0xf0, 0xec]);
const DARK: Rgb = Rgb([0x16, 0x1e, 0x1c]);
const BLACK: Rgb = Rgb([0; 3]);
const WHITE: Rgb = Rgb([255; 3]);
/// The contrast of text with its surface, at least.
const CONTRAST: f64 = 4.5;
/// That of the lighter shade on a dark page: clear without glare.
const CONTRAST_IN_THE_DARK: f64 = 7.0;

/// The shades of an accent colour, as in `#1b625b`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accent {
    /// On a light page.
    pub light: String,
    /// The same under the pointer.
    pub light_strong: String,
    /// On a dark page: mixed with white until it can be read.
    pub dark: String,
    /// The same under the pointer.
    pub dark_strong: String,
}

impl Accent {
    /// Reads a colour, and refuses one that can't be read on a light page.
    pub fn parse(text: &str) -> Result<Self, String> {
        let colour = Rgb::parse(text).ok_or_else(|| format!("\"{text}\" is no colour"))?;
        let readable = colour.mixed_until(BLACK, |shade| shade.contrast(LIGHT) >= CONTRAST);
        if readable != colour {
            let contrast = colour.contrast(LIGHT);
            return Err(format!(
                "{text} has a contrast of {contrast:.1}:1 with a light page, and text needs {CONTRAST}:1; {} has that",
                readable.text()
            ));
        }
        let dark = colour.mixed_until(WHITE, |shade| shade.contrast(DARK) >= CONTRAST_IN_THE_DARK);
        Ok(Self {
            light: colour.text(),
            light_strong: colour.mixed(BLACK, 25).text(),
            dark: dark.text(),
            dark_strong: dark.mixed(WHITE, 35).text(),
        })
    }

    /// The rules that replace the built-in accent of `pages.css`.
    #[must_use]
    pub fn css(&self) -> String {
        let rule = |shade: &str, strong: &str| format!(":root {{ --accent: {shade}; --accent-strong: {strong}; }}");
        let (light, dark) = (rule(&self.light, &self.light_strong), rule(&self.dark, &self.dark_strong));
        format!("\n{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n")
    }
}

/// A colour of sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rgb([u8; 3]);

impl Rgb {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        let number = u32::from_str_radix(digits, 16).ok()?;
        let [_, red, green, blue] = number.to_be_bytes();
        match digits.len() {
            6 => Some(Self([red, green, blue])),
            // #abc is short for #aabbcc
            3 => Some(Self([green & 15, blue >> 4, blue & 15].map(|digit| digit * 17))),
            _ => None,
        }
    }

    fn text(self) -> String {
        let [red, green, blue] = self.0;
        format!("#{red:02x}{green:02x}{blue:02x}")
    }

    /// The colour with some percent of another.
    fn mixed(self, other: Self, percent: u16) -> Self {
        let (Self([red, green, blue]), Self(other)) = (self, other);
        let mix = |own: u8, other: u8| {
            let sum = u16::from(own) * (100 - percent) + u16::from(other) * percent;
            u8::try_from(sum / 100).unwrap_or(u8::MAX)
        };
        Self([mix(red, other[0]), mix(green, other[1]), mix(blue, other[2])])
    }

    /// The first mixture, with ever more of another colour, that is good.
    fn mixed_until(self, other: Self, is_good: impl Fn(Self) -> bool) -> Self {
        (0..100).map(|percent| self.mixed(other, percent)).find(|shade| is_good(*shade)).unwrap_or(other)
    }

    /// WCAG's contrast ratio of two colours, from 1 to 21.
    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// WCAG's relative luminance, from 0 to 1.
    fn luminance(self) -> f64 {
        let linear = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_is_that_of_wcag() {
        assert!((WHITE.contrast(BLACK) - 21.0).abs() < 0.01);
        let grey = Rgb::parse("#767676").unwrap();
        assert!((grey.contrast(WHITE) - 4.54).abs() < 0.01);
    }

    #[test]
    fn a_colour_that_can_be_read_is_taken_and_lightened_for_the_dark() {
        for text in ["#1b625b", "#00f", "#8a1c7c", "#000000", "#B00020"] {
            let accent = Accent::parse(text).unwrap();
            let shade = |text: &str| Rgb::parse(text).unwrap();
            assert_eq!(shade(&accent.light), shade(text));
            assert!(shade(&accent.light).contrast(WHITE) >= CONTRAST, "the label of a button: {accent:?}");
            assert!(shade(&accent.dark).contrast(DARK) >= CONTRAST_IN_THE_DARK, "{accent:?}");
            assert!(shade(&accent.dark_strong).contrast(DARK) >= CONTRAST_IN_THE_DARK, "{accent:?}");
            assert!(shade(&accent.light_strong).contrast(LIGHT) >= CONTRAST, "{accent:?}");
        }
    }

    #[test]
    fn a_colour_that_cannot_be_read_is_refused_with_one_that_can() {
        let refused = Accent::parse("#ffcc00").unwrap_err();
        assert!(refused.starts_with("#ffcc00 has a contrast of 1.3:1 with a light page"), "{refused}");
        let better = refused.rsplit_once("; ").unwrap().1.strip_suffix(" has that").unwrap();
        assert!(Accent::parse(better).is_ok(), "{better}");
        for no_colour in ["teal", "#12345", "#1234567", "1b625b", "#12345g", "#", "#+12345", "#€"] {
            assert_eq!(Accent::parse(no_colour).unwrap_err(), format!("\"{no_colour}\" is no colour"));
        }
    }
}
