//! Values of templates: escaped in HTML, one line in a subject, and without accidental links.

use std::fmt::Write as _;

use minijinja::{AutoEscape, Error, Output, State, Value, escape_formatter};

/// JSON as the engine takes it; a whole number stays one.
pub fn values(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(flag) => flag.into(),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64().unwrap_or_default().into(),
        },
        serde_json::Value::String(text) => text.into(),
        serde_json::Value::Array(items) => items.into_iter().map(values).collect(),
        serde_json::Value::Object(members) => {
            Value::from_pairs(members.into_iter().map(|(name, value)| (name, values(value))))
        }
    }
}

/// The same values, each text of which is one line: in an SMS a line of a value would pass for one of the template.
pub fn single_lines(json: serde_json::Value) -> serde_json::Value {
    match json {
        serde_json::Value::String(text) => one_line(&text).into(),
        serde_json::Value::Object(members) => {
            members.into_iter().map(|(name, value)| (name, single_lines(value))).collect()
        }
        other => other,
    }
}

/// Writes a value. In HTML the five characters that mean something there are escaped; unlike the engine's own way a
/// slash stays a slash, so that a link in the source of a mail is the link.
pub fn write_value(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let text = value.as_str().filter(|_| !value.is_safe() && matches!(state.auto_escape(), AutoEscape::Html));
    let Some(text) = text else { return escape_formatter(out, state, value) };
    for character in text.chars() {
        match character {
            '&' => out.write_str("&amp;"),
            '<' => out.write_str("&lt;"),
            '>' => out.write_str("&gt;"),
            '"' => out.write_str("&quot;"),
            '\'' => out.write_str("&#39;"),
            other => out.write_char(other),
        }?;
    }
    Ok(())
}

/// One line: whitespace, control, line-break and text-direction characters become single spaces. A line break in a
/// subject would let an attacker inject a header.
pub fn one_line(text: &str) -> String {
    let spaced = |character: char| {
        let direction = matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if character.is_control() || direction { ' ' } else { character }
    };
    let text: String = text.chars().map(spaced).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The filter `defang_links`: keeps mail clients from making a link of a name. A stranger can register any address under
/// the name `evil.example`; the mail that greets it must not advertise it. A space after each dot, colon, slash and at
/// sign that has none: `J.R.` becomes `J. R.`, and `evil.example` is no link any more.
#[expect(clippy::needless_pass_by_value, reason = "the engine hands filters their arguments by value")]
pub fn defang_links(text: String) -> String {
    let mut spaced = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        spaced.push(character);
        let splits = matches!(character, '.' | ':' | '/' | '@' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}');
        if splits && characters.peek().is_some_and(|next| !next.is_whitespace()) {
            spaced.push(' ');
        }
    }
    spaced
}

#[cfg(test)]
mod tests {
    use super::{defang_links, one_line};

    #[test]
    fn a_line_stays_one() {
        assert_eq!(one_line(" a\r\nBcc: x@example.com\u{2028}\u{202e}b\0 "), "a Bcc: x@example.com b");
    }

    #[test]
    fn names_are_no_links() {
        assert_eq!(defang_links("O'Brien Jr.".to_owned()), "O'Brien Jr.");
        assert_eq!(defang_links("https://evil.example/a".to_owned()), "https: / / evil. example/ a");
    }
}
