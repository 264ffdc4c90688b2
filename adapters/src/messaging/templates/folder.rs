//! Reads an operator's folder of templates. Every file must be a catalogue or have the name of a built-in template, in
//! the folder itself or in that of a language (`fr/emails/otp.txt`). Other files have no effect, so they are problems.

use std::fs;
use std::path::Path;

use portcullis_core::model::locale::Locale;

use crate::messaging::templates::builtin::TEMPLATES;
use crate::messaging::templates::catalogue::Catalogue;

/// Levels of `<language>/emails/<message>/<file>`, the deepest path. The limit also ends a loop of symbolic links.
const DEPTH: usize = 4;

/// The file name of a catalogue.
const CATALOGUE: &str = "messages.json";

/// The contents of a template folder.
#[derive(Debug, Default)]
pub struct Found {
    /// Name and source of every template.
    pub templates: Vec<(String, String)>,
    /// Language and content of every catalogue.
    pub catalogues: Vec<(String, Catalogue)>,
    /// All problems, with the file and the fix.
    pub problems: Vec<String>,
}

/// Reads a folder with its subfolders. Skips names that begin with a dot, and `README.md` at the top.
pub fn read(dir: &Path) -> Found {
    let mut found = Found::default();
    walk(dir, "", DEPTH, &mut found);
    found
}

fn walk(dir: &Path, prefix: &str, depth: usize, found: &mut Found) {
    let entries = match fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(entries) => entries,
        Err(error) => return found.problems.push(format!("the folder {} cannot be read: {error}", dir.display())),
    };
    let mut names: Vec<_> = entries.into_iter().map(|entry| entry.file_name()).collect();
    names.sort();
    for file_name in names {
        let path = dir.join(&file_name);
        let file_name = file_name.to_string_lossy();
        let name = format!("{prefix}{file_name}");
        if file_name.starts_with('.') || name == "README.md" {
            continue;
        }
        // `is_dir` follows symbolic links: a mounted Kubernetes ConfigMap consists of them
        if path.is_dir() && depth > 1 {
            walk(&path, &format!("{name}/"), depth - 1, found);
        } else if is_template(&name) || is_catalogue(&name) {
            match fs::read_to_string(&path) {
                Ok(source) if is_template(&name) => found.templates.push((name, source)),
                Ok(source) => match serde_json::from_str(&source) {
                    Ok(catalogue) => found.catalogues.push((language_of(&name).to_owned(), catalogue)),
                    Err(error) => found.problems.push(format!("{} is no catalogue: {error}", path.display())),
                },
                Err(error) => found.problems.push(format!("{} cannot be read: {error}", path.display())),
            }
        } else {
            found.problems.push(unknown_file(&path, &name));
        }
    }
}

/// The language that a name begins with; English for a name without one.
fn language_of(name: &str) -> &str {
    let first = name.split('/').next().unwrap_or_default();
    let is_tag = Locale::parse(first).is_some_and(|locale| locale.as_str() == first);
    if is_tag && !["emails", "pages", "texts"].contains(&first) { first } else { "en" }
}

fn without_language(name: &str) -> &str {
    name.strip_prefix(language_of(name)).and_then(|rest| rest.strip_prefix('/')).unwrap_or(name)
}

fn is_template(name: &str) -> bool {
    TEMPLATES.iter().any(|(known, _)| *known == without_language(name))
}

fn is_catalogue(name: &str) -> bool {
    without_language(name) == CATALOGUE
}

fn unknown_file(path: &Path, name: &str) -> String {
    let nearest = TEMPLATES.iter().map(|(known, _)| *known).min_by_key(|known| strsim::levenshtein(known, name));
    let advice = nearest.map_or_else(String::new, |nearest| format!("; did you mean {nearest}?"));
    format!("{} is not the name of a template{advice}", path.display())
}
