//! The `.env` file, by the rules of dotenvy. A `$` that dotenvy would drop silently is an error here.

use std::collections::BTreeMap;
use std::path::Path;

use super::problems::ConfigProblem;
use super::settings_registry::{is_known, suggestion};
use super::sources::Found;

/// The values of the file in its order, and its problems.
pub fn read(
    environment: &BTreeMap<String, String>,
    path: &Path,
    text: &str,
) -> (Vec<(String, Found)>, Vec<ConfigProblem>) {
    let (mut values, mut problems) = (Vec::new(), Vec::new());
    let mut problem = |name: &str, origin: &str, what: &str, fix: &str| {
        let [name, origin, what, fix] = [name, origin, what, fix].map(str::to_owned);
        problems.push(ConfigProblem { name, origin, what, fix });
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut seen: Vec<String> = Vec::new();
    for entry in dotenvy::from_read_iter(text.as_bytes()) {
        let (name, value) = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let origin = origin_of_error(path, text, &error);
                let fix = "write every line as NAME=value, with single quotes around values that have spaces or a $";
                problem(".env", &origin, "a line cannot be read", fix);
                if matches!(error, dotenvy::Error::LineParse(..)) {
                    continue;
                }
                break;
            }
        };
        let before = seen.iter().filter(|known| **known == name).count();
        let origin = format!(".env line {}", line_of(text, &name, before).map_or(0, |(number, _)| number));
        if !is_known(&name) {
            problem(&name, &origin, "there is no such setting", &suggestion(&name));
        }
        if before > 0 {
            problem(&name, &origin, "is in the file twice", "keep one of the two lines");
        }
        let known = |name: &str| environment.contains_key(name) || seen.iter().any(|earlier| earlier == name);
        let raw = line_of(text, &name, before).map(|(_, raw)| raw);
        if raw.is_some_and(|raw| has_stray_dollar(raw, known)) {
            let fix = "put the value in single quotes to keep it, or write ${NAME} to insert a setting that is set";
            problem(&name, &origin, "has a $ that would silently disappear with what follows it", fix);
        }
        seen.push(name.clone());
        values.push((name, Found { text: value, origin }));
    }
    (values, problems)
}

/// The number of the line that sets a name for the nth time, and everything behind its `=`.
fn line_of<'a>(text: &'a str, name: &str, nth: usize) -> Option<(usize, &'a str)> {
    let mut offset = 0;
    let lines = text.split_inclusive('\n').enumerate().filter_map(|(number, line)| {
        let behind = text.get(offset..).unwrap_or_default();
        offset += line.len();
        let rest = behind.trim_start_matches([' ', '\t']);
        let rest = rest.strip_prefix("export ").unwrap_or(rest).trim_start_matches([' ', '\t']);
        let rest = rest.strip_prefix(name)?.trim_start_matches([' ', '\t']).strip_prefix('=')?;
        Some((number + 1, rest))
    });
    lines.into_iter().nth(nth)
}

/// The line an error is about; its text may be a secret, and stays here.
fn origin_of_error(path: &Path, text: &str, error: &dotenvy::Error) -> String {
    let number = match error {
        dotenvy::Error::LineParse(part, _) => {
            let part = part.lines().next().unwrap_or_default().trim_end();
            text.lines().position(|line| !part.is_empty() && line.trim_end().ends_with(part))
        }
        _ => None,
    };
    number.map_or_else(|| path.display().to_string(), |number| format!(".env line {}", number + 1))
}

/// Whether a value has a `$` outside single quotes that names nothing: dotenvy puts nothing in its place.
fn has_stray_dollar(raw: &str, known: impl Fn(&str) -> bool) -> bool {
    let raw = raw.trim_start_matches([' ', '\t']);
    if raw.starts_with('#') {
        return false;
    }
    let mut quote = None;
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (Some('\''), _) => {}
            (_, '\\') => drop(chars.next()),
            (_, '$') => {
                let name: String = match chars.next_if_eq(&'{') {
                    Some(_) => chars.by_ref().take_while(|c| *c != '}').collect(),
                    None => return true,
                };
                if !known(&name) {
                    return true;
                }
            }
            (None, '\'' | '"') => quote = Some(c),
            (None, c) if c.is_whitespace() => return false,
            _ => {}
        }
    }
    false
}
