//! Pages name tests and files that exist, their links lead somewhere, and the ASVS page has every requirement.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::root;

/// Pages, each with the fewest names of tests that it has.
const PAGES: [(&str, usize); 10] = [
    ("docs/asvs.md", 100),
    ("docs/threat-model.md", 60),
    ("docs/crypto.md", 0),
    ("docs/http-api.md", 0),
    ("SECURITY.md", 0),
    ("README.md", 0),
    ("CONTRIBUTING.md", 0),
    ("docs/configuration.md", 0),
    ("docs/integration.md", 0),
    ("docs/operations.md", 0),
];

/// Requirements of level 1 and of level 2 in each chapter of ASVS 5.0.0.
const ASVS: [(usize, usize); 17] = [
    (8, 19),
    (4, 7),
    (8, 11),
    (2, 8),
    (4, 5),
    (13, 22),
    (6, 12),
    (4, 3),
    (4, 3),
    (5, 24),
    (3, 11),
    (3, 6),
    (1, 12),
    (2, 7),
    (3, 10),
    (0, 16),
    (0, 7),
];

fn read(page: &str) -> String {
    std::fs::read_to_string(root().join(page)).unwrap()
}

/// Every file of the repository, by its path.
fn repository_files() -> Vec<PathBuf> {
    let mut list = Command::new("git");
    list.args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(root());
    let output = list.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(PathBuf::from).collect()
}

/// The words of a page in backquotes, outside of code blocks.
fn quoted(page: &str) -> impl Iterator<Item = &str> {
    page.split("```").step_by(2).flat_map(|prose| prose.split('`').skip(1).step_by(2))
}

/// Whether a file or one of its folders has that name.
fn is_called(path: &Path, name: &str) -> bool {
    path.file_stem().is_some_and(|stem| stem == name) || path.components().any(|part| part.as_os_str() == name)
}

/// The place and the name of a test; `None` for what is none, such as `[::1]`.
fn test_name(word: &str) -> Option<(&str, &str)> {
    let is_name = word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == ':');
    word.split_once("::").filter(|_| is_name)
}

/// Whether a test or a contract case of that name is in a file or folder: `edges::bad_requests_get_their_status`.
fn has_test(sources: &[(PathBuf, String)], place: &str, name: &str) -> bool {
    let declarations = [format!("fn {name}("), format!("fn {name}<")];
    let mut of_place = sources.iter().filter(|(path, _)| is_called(path, place));
    of_place.any(|(_, text)| declarations.iter().any(|declaration| text.contains(declaration)))
}

/// Whether a word is a path: its first folder is one of the repository.
fn is_path(files: &[PathBuf], word: &str) -> bool {
    let Some((first, _)) = word.split_once('/') else { return false };
    !first.is_empty() && !word.contains(' ') && files.iter().any(|file| file.starts_with(first))
}

#[test]
fn tests_and_files_that_pages_name_exist() {
    let files = repository_files();
    let rust = files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let sources: Vec<(PathBuf, String)> =
        rust.filter_map(|path| Some((path.clone(), std::fs::read_to_string(root().join(path)).ok()?))).collect();
    for (page, fewest) in PAGES {
        let text = read(page);
        let mut tests = 0;
        for word in quoted(&text) {
            if let Some((place, name)) = test_name(word) {
                assert!(has_test(&sources, place, name), "{page} names the test {word}, which does not exist");
                tests += 1;
            } else if is_path(&files, word) {
                // a decision is named by its number alone, as in docs/adr/0006
                let exists = files.iter().any(|file| file.to_string_lossy().starts_with(word));
                assert!(exists, "{page} names {word}, which does not exist");
            }
        }
        assert!(tests >= fewest, "{page} names {tests} tests");
    }
}

/// The targets of a page's links to files of the repository, and to its own headings.
fn link_targets(page: &str) -> impl Iterator<Item = &str> {
    let prose = page.split("```").step_by(2);
    let targets = prose.flat_map(|prose| prose.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0)));
    targets.filter(|target| !target.contains("://") && !target.contains(' '))
}

/// A heading as GitHub makes its anchor.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn has_anchor(page: &str, wanted: &str) -> bool {
    let headings = page.lines().filter_map(|line| line.strip_prefix('#')).map(|line| line.trim_start_matches('#'));
    headings.into_iter().any(|heading| anchor(heading) == wanted)
}

#[test]
fn links_of_pages_lead_to_files_and_headings() {
    let pages = repository_files().into_iter().filter(|path| path.extension().is_some_and(|name| name == "md"));
    let mut links = 0;
    for page in pages {
        let text = std::fs::read_to_string(root().join(&page)).unwrap();
        for target in link_targets(&text) {
            let (file, heading) = target.split_once('#').map_or((target, None), |(file, name)| (file, Some(name)));
            let path =
                if file.is_empty() { root().join(&page) } else { root().join(&page).with_file_name("").join(file) };
            assert!(path.exists(), "{} links to {target}, which does not exist", page.display());
            if let Some(heading) = heading.filter(|_| path.extension().is_some_and(|name| name == "md")) {
                let linked = std::fs::read_to_string(&path).unwrap();
                assert!(has_anchor(&linked, heading), "{} links to {target}, a missing heading", page.display());
            }
            links += 1;
        }
    }
    assert!(links > 50, "{links} links");
}

#[test]
fn a_name_that_does_not_exist_is_found() {
    let sources = [(PathBuf::from("tests/http/edges.rs"), "async fn it_works() {".to_owned())];
    assert!(has_test(&sources, "edges", "it_works") && has_test(&sources, "http", "it_works"));
    assert!(!has_test(&sources, "edges", "it_work") && !has_test(&sources, "limits", "it_works"));
    assert!(test_name("edges::it_works") == Some(("edges", "it_works")) && test_name("[::1]").is_none());
    let files = [PathBuf::from("docs/a.md")];
    assert_eq!(link_targets("[a](b.md#c) [d](https://e) `](f`").collect::<Vec<_>>(), ["b.md#c"]);
    assert!(has_anchor("# A\n## Headers and CORS\n", "headers-and-cors") && !has_anchor("## B\n", "a"));
    assert!(is_path(&files, "docs/b.md") && !is_path(&files, "/docs") && !is_path(&files, "application/json"));
}

#[test]
fn every_asvs_requirement_has_a_verdict_and_its_evidence_or_reason() {
    let page = read("docs/asvs.md");
    let mut levels = BTreeMap::new();
    let mut verdicts: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| V")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [id, level, about, verdict, why] = cells[..] else { panic!("{line} does not have five cells") };
        assert!(!about.is_empty() && !why.is_empty(), "{id} has no reason");
        assert!(["met", "not met", "not applicable"].contains(&verdict), "{id} is {verdict}");
        let has_evidence = quoted(why).any(|word| word.contains("::") || word.contains('.'));
        assert!(verdict != "met" || has_evidence, "{id} names no evidence");
        let numbers: Vec<usize> = id[1..].split('.').map(|number| number.parse().unwrap()).collect();
        assert!(levels.insert(numbers, level).is_none(), "{id} is there twice");
        *verdicts.entry((level.to_owned(), verdict)).or_default() += 1;
    }
    for (chapter, expected) in (1..).zip(ASVS) {
        let of_level = |wanted: &str| levels.iter().filter(|(id, level)| id[0] == chapter && **level == wanted).count();
        assert_eq!((of_level("1"), of_level("2")), expected, "V{chapter}");
    }
    for level in ["1", "2"] {
        let count = |verdict| verdicts.get(&(level.to_owned(), verdict)).copied().unwrap_or_default();
        let row = format!("| level {level} | {} | {} | {} |", count("met"), count("not met"), count("not applicable"));
        assert!(page.contains(&row), "the summary has not: {row}");
    }
}
