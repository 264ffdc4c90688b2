//! No type that is shown by `Debug` has a secret in a plain string.

use super::{production, sources};

/// Fields and variants that hold secrets.
const NAMES: [&str; 10] = [
    "password",
    "current_password",
    "token",
    "refresh_token",
    "otp",
    "secret",
    "credentials",
    "api_key",
    "challenge",
    "code",
];
/// Types whose `Debug` shows their content.
const PLAIN: [&str; 4] = ["String", "str", "Vec<u8>", "Bytes"];

/// The fields of types that derive `Debug`, as `name: type`.
fn shown_fields(text: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let derives = line.trim_start().starts_with("#[derive(") && line.contains("Debug");
        if !derives {
            continue;
        }
        let mut depth = 0_usize;
        for line in lines.by_ref().map(str::trim).filter(|line| !line.starts_with("//") && !line.starts_with("#[")) {
            let field = line.trim_start_matches("pub ").trim_start_matches("pub(super) ");
            fields.extend((depth > 0 && field.contains(": ")).then(|| field.to_owned()));
            depth = (depth + line.matches('{').count()).saturating_sub(line.matches('}').count());
            if depth == 0 {
                break;
            }
        }
    }
    fields
}

fn is_plain_secret(field: &str) -> bool {
    let Some((name, kind)) = field.split_once(": ") else { return false };
    let name = name.rsplit(['{', ' ']).find(|part| !part.is_empty()).unwrap_or(name);
    NAMES.contains(&name) && PLAIN.iter().any(|plain| kind.contains(plain)) && !kind.contains("Secret")
}

#[test]
fn no_shown_type_has_a_secret_in_a_plain_string() {
    let mut seen = 0;
    for folder in ["core/src", "adapters/src", "server/src"] {
        for (path, text) in sources(folder) {
            let fields = shown_fields(production(&text));
            seen += fields.len();
            let plain: Vec<&String> = fields.iter().filter(|field| is_plain_secret(field)).collect();
            assert!(plain.is_empty(), "{}: {plain:?}", path.display());
        }
    }
    assert!(seen > 500, "only {seen} fields were read");
}

#[test]
fn the_rule_finds_what_it_forbids() {
    let text = "#[derive(Debug, Clone)]\npub struct Form {\n    /// Typed.\n    pub password: Option<&'a str>,\n    pub name: String,\n}\n";
    let fields = shown_fields(text);
    assert_eq!(fields.len(), 2);
    assert!(is_plain_secret(&fields[0]) && !is_plain_secret(&fields[1]));
    assert!(!is_plain_secret("pub token: SecretString,"));
    assert!(shown_fields(&text.replace("Debug, ", "")).is_empty());
}
