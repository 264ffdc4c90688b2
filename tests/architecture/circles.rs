//! No circles: the files of a crate do not import each other in a circle, nor do its folders.

use std::collections::{BTreeMap, BTreeSet};

use crate::{production, root, sources};

const CRATES: [&str; 5] = ["core", "testkit", "adapters", "server", "wasm"];

/// The modules that each module imports.
type Graph = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_files_and_no_folders_of_a_crate_import_each_other_in_a_circle() {
    let mut circles = Vec::new();
    for name in CRATES {
        let files = imports_of_files(name);
        for (kind, mut graph) in [("folders", imports_of_folders(&files)), ("files", files)] {
            while let Some(circle) = circle(&graph) {
                circles.push(format!("{name}/src, {kind}: {}", circle.join(" → ")));
                // without one of its imports, the next circle is found
                graph.entry(circle[0].clone()).or_default().remove(&circle[1]);
            }
        }
    }
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn a_circle_is_found_and_named() {
    let edges = |edges: &[(&str, &str)]| {
        let mut graph = Graph::new();
        for (from, to) in edges {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        graph
    };
    assert_eq!(circle(&edges(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
    let found = circle(&edges(&[("entry", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("c", "leaf")])).unwrap();
    assert_eq!(found, ["a", "b", "c", "a"]);
    let text = "use crate::x::{self, y::{One, z::Two}};\nuse super::other::Three;\nlet _ = crate::v::f();";
    let paths: Vec<String> = ["crate::", "super::"].iter().flat_map(|start| paths(text, start)).collect();
    assert_eq!(paths, ["x::self", "x::y::One", "x::y::z::Two", "v::f", "other::Three"]);
}

/// The imports of every module, by the paths that begin with `crate`, `super` or `self`.
fn imports_of_files(name: &str) -> Graph {
    let source = root().join(name).join("src");
    let mut modules = BTreeMap::new();
    for (path, text) in sources(&format!("{name}/src")) {
        let path = path.strip_prefix(&source).unwrap_or(&path).with_extension("");
        let module = path.to_string_lossy().replace('/', "::");
        let is_folder = module.ends_with("::mod");
        let module = module.trim_end_matches("::mod").to_owned();
        if !["lib", "main"].contains(&module.as_str()) && !module.ends_with("tests") {
            modules.insert(module, (is_folder, production(&text).to_owned()));
        }
    }
    let find = |path: &str| {
        let ends = std::iter::once(path.len()).chain(path.rmatch_indices("::").map(|(at, _)| at));
        ends.map(|end| path[..end].to_owned()).find(|prefix| modules.contains_key(prefix))
    };
    let mut graph = Graph::new();
    for (module, (_, text)) in &modules {
        let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
        let code: String =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        let from_crate = paths(&code, "crate::").into_iter();
        let from_parent = paths(&code, "super::").into_iter().map(|path| format!("{parent}::{path}"));
        let from_itself = paths(&code, "self::").into_iter().map(|path| format!("{module}::{path}"));
        let imported = from_crate.chain(from_parent).chain(from_itself).filter_map(|path| find(&path));
        graph.insert(module.clone(), imported.filter(|other| other != module).collect());
    }
    graph
}

/// Every path behind such a beginning, with those in braces one by one.
fn paths(code: &str, start: &str) -> Vec<String> {
    // a folder may re-export what its own files have
    let is_facade = |at: usize| start == "self::" && code[..at].ends_with("pub use ");
    let is_start =
        |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') && !is_facade(at);
    let starts = code.match_indices(start).filter(|(at, _)| is_start(*at));
    starts.flat_map(|(at, _)| expand(&code[at + start.len()..]).0).collect()
}

/// The paths of a use tree, and the text behind it.
fn expand(text: &str) -> (Vec<String>, &str) {
    let mut rest = text.trim_start();
    if let Some(inside) = rest.strip_prefix('{') {
        let mut all = Vec::new();
        rest = inside.trim_start();
        while !rest.starts_with('}') && !rest.is_empty() {
            let (some, behind) = expand(rest);
            all.extend(some);
            rest = behind.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
        }
        return (all, rest.strip_prefix('}').unwrap_or(rest));
    }
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    let (name, behind) = rest.split_at(end);
    if let Some(below) = behind.strip_prefix("::").filter(|_| !name.is_empty()) {
        let (some, behind) = expand(below);
        return (some.iter().map(|path| format!("{name}::{path}")).collect(), behind);
    }
    // a renamed import, or the end of a path in an expression
    let behind = behind.split_once([',', '}', ';', '\n']).map_or("", |(skipped, _)| &behind[skipped.len()..]);
    (vec![name.to_owned()], if behind.is_empty() { "" } else { behind })
}

/// The imports between folders, where neither is in the other.
fn imports_of_folders(files: &Graph) -> Graph {
    let is_folder = |module: &str| files.keys().any(|other| other.starts_with(&format!("{module}::")));
    let folder = |module: &str| {
        if is_folder(module) {
            return Some(module.to_owned());
        }
        module.rsplit_once("::").map(|(folder, _)| folder.to_owned())
    };
    let inside = |one: &str, other: &str| one == other || one.starts_with(&format!("{other}::"));
    let mut graph = Graph::new();
    for (from, all) in files {
        for to in all {
            let (Some(from), Some(to)) = (folder(from), folder(to)) else { continue };
            if !inside(&from, &to) && !inside(&to, &from) {
                graph.entry(from).or_default().insert(to);
            }
        }
    }
    graph
}

/// A circle, if there is one: what is left when everything that imports nothing else is taken away, again and again.
fn circle(graph: &Graph) -> Option<Vec<String>> {
    let mut left = graph.clone();
    loop {
        let names: BTreeSet<String> = left.keys().cloned().collect();
        for imports in left.values_mut() {
            imports.retain(|name| names.contains(name));
        }
        left.retain(|_, imports| !imports.is_empty());
        if left.len() == names.len() {
            break;
        }
    }
    let mut walk = vec![left.keys().next()?.clone()];
    loop {
        let next = left.get(walk.last()?)?.first()?.clone();
        if let Some(begin) = walk.iter().position(|name| *name == next) {
            walk.push(next);
            return Some(walk.split_off(begin));
        }
        walk.push(next);
    }
}
