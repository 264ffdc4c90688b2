//! The settings as command-line flags, and as a reference for people: plain text, or the tables of
//! `docs/configuration.md`.

use std::fmt::Write as _;

use clap::Arg;

use super::settings_registry::{DEFAULT_LIMITS, GROUPS, Setting};

/// The text before the name of the environment variable in the help of a flag.
pub const ENV_MARK: &str = " [env: ";

/// A flag for each setting, under the heading of its group. A secret has only a flag for its file: every user of the
/// machine can see the flags of a process.
#[must_use]
pub fn flags() -> Vec<Arg> {
    let of_group = |heading: &'static str, settings: &'static [Setting]| {
        settings.iter().map(move |setting| flag(setting).help_heading(heading))
    };
    GROUPS.iter().flat_map(|group| of_group(group.title, group.settings)).collect()
}

fn flag(setting: &Setting) -> Arg {
    let Setting { name, default, meaning, secret } = setting;
    let (name, about) = if *secret {
        let name = format!("{name}_FILE");
        let about = format!("file that holds {}: {meaning}{ENV_MARK}{name}]", setting.name);
        (name, about)
    } else {
        ((*name).to_owned(), format!("{meaning}{ENV_MARK}{name}] [default: {default}]"))
    };
    let long = name.to_ascii_lowercase().replace('_', "-");
    let value = if *secret { "FILE" } else { "VALUE" };
    Arg::new(name).long(long).value_name(value).help(about).hide_short_help(true).hide_default_value(true)
}

/// All settings as text, for a terminal.
#[must_use]
pub fn text() -> String {
    let mut text = String::new();
    for group in GROUPS {
        let _ = writeln!(text, "{}", group.title);
        for Setting { name, default, meaning, secret } in group.settings {
            let file = if *secret { format!(", or {name}_FILE") } else { String::new() };
            let _ = writeln!(text, "  {name}{file}  [{default}]\n      {}", meaning.replace('`', ""));
        }
        text.push('\n');
    }
    text.push_str("Rate limits\n");
    for (row, burst, unit) in DEFAULT_LIMITS {
        let _ = writeln!(text, "  RATE_LIMIT_{}  [{burst}/{unit}]", row.to_ascii_uppercase());
    }
    text
}

/// All settings as Markdown tables.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::new();
    for group in GROUPS {
        let _ = writeln!(text, "## {}\n\n| name | default | meaning |\n|---|---|---|", group.title);
        for Setting { name, default, meaning, secret } in group.settings {
            let file = if *secret { format!("<br>or `{name}_FILE`") } else { String::new() };
            let _ = writeln!(text, "| `{name}`{file} | {default} | {meaning} |");
        }
        text.push('\n');
    }
    text.push_str("## Rate limits\n\n| name | default | bucket |\n|---|---|---|\n");
    for (row, burst, unit) in DEFAULT_LIMITS {
        let name = row.to_ascii_uppercase();
        let _ = writeln!(text, "| `RATE_LIMIT_{name}` | {burst}/{unit} | `{row}` |");
    }
    text
}
