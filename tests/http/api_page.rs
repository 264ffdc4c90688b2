//! `docs/http-api.md` agrees with the table of endpoints, the limits, the list of error codes and `/openapi.json`.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_core::model::code::Code;
use portcullis_server::config::DEFAULT_LIMITS;
use portcullis_server::http::endpoint::Endpoint;
use portcullis_server::http::routes::{
    ADMIN_PATH, admin_endpoints, development_endpoints, realm_endpoints, system_endpoints,
};
use portcullis_tests::TestServer;
use serde_json::Value;

const PAGE: &str = include_str!("../../docs/http-api.md");

/// One method and path, by the page or by the server.
#[derive(Debug, PartialEq, Eq, Default)]
struct Row {
    /// For example `5/min login`; empty without a limit.
    limit: String,
    /// The endpoint's own error codes; `None` in tables without this column.
    codes: Option<BTreeSet<String>>,
}

type Rows = BTreeMap<(String, String), Row>;

/// The cells of each table row of the page, each with the heading above it.
fn table_rows() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut heading = "";
    let mut rows = Vec::new();
    for line in PAGE.lines() {
        if line.starts_with('#') {
            heading = line;
        } else if let Some(row) = line.strip_prefix('|').and_then(|line| line.strip_suffix('|')) {
            rows.push((heading, row.split('|').map(str::trim).collect()));
        }
    }
    rows
}

/// The words of a text in backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The endpoints in the tables of the page.
fn documented() -> Rows {
    let mut documented = Rows::new();
    for (heading, cells) in table_rows() {
        let below = quoted(heading).find(|path| path.ends_with("/{realm}"));
        let in_realm = below.is_some();
        let limit = if in_realm { cells[1].split(',').next().unwrap().replace('`', "") } else { String::new() };
        let codes = in_realm.then(|| quoted(cells.last().unwrap()).map(str::to_owned).collect::<BTreeSet<_>>());
        for (method, path) in quoted(cells[0]).filter_map(|text| text.split_once(" /")) {
            let path = format!("{}/{path}", below.unwrap_or_default());
            let row = Row { limit: limit.clone(), codes: codes.clone() };
            assert!(
                documented.insert((method.to_owned(), path.clone()), row).is_none(),
                "{method} {path} is there twice"
            );
        }
    }
    documented
}

fn limit_of(endpoint: &Endpoint) -> String {
    let Some(name) = endpoint.limit else { return String::new() };
    let (_, burst, unit) = DEFAULT_LIMITS.iter().find(|(known, ..)| *known == name).expect("the limit has a default");
    format!("{burst}/{unit} {name}")
}

/// The endpoints of the server's table.
fn built() -> Rows {
    let of_realm =
        realm_endpoints().into_iter().map(|endpoint| (format!("/{{realm}}{}", endpoint.path), true, endpoint));
    let of_admin = admin_endpoints()
        .into_iter()
        .map(|endpoint| (format!("{ADMIN_PATH}/{{realm}}{}", endpoint.path), true, endpoint));
    let others = [system_endpoints(), development_endpoints()].concat();
    let others = others.into_iter().map(|endpoint| (endpoint.openapi_path(), false, endpoint));
    let mut built = Rows::new();
    for (path, in_realm, endpoint) in of_realm.chain(of_admin).chain(others) {
        for method in endpoint.methods {
            let codes = endpoint.operation.errors.iter().map(|code| code.as_str().to_owned());
            let row = Row { limit: limit_of(&endpoint), codes: in_realm.then(|| codes.collect()) };
            built.insert((method.to_string(), path.clone()), row);
        }
    }
    built
}

#[test]
fn the_tables_of_the_page_are_the_table_of_endpoints() {
    let (documented, built) = (documented(), built());
    for (key, row) in &built {
        assert_eq!(documented.get(key), Some(row), "{key:?}: the page (left) and the server (right) differ");
    }
    let unknown: Vec<_> = documented.keys().filter(|key| !built.contains_key(*key)).collect();
    assert!(unknown.is_empty(), "the page has endpoints that the server does not have: {unknown:?}");
}

#[tokio::test]
async fn the_tables_of_the_page_are_those_of_openapi() {
    let document = TestServer::start().await.realm("User1").get("//openapi.json").await.expect(200).json();
    let mut described = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters") {
            described.insert((method.to_uppercase(), path.clone()), limit_in(operation));
        }
    }
    // files of pages are not in the document, and `/{realm}/` is `/{realm}`
    let is_file = |path: &str| ["/assets/", "/demo", "/problems/"].iter().any(|start| path.starts_with(start));
    let documented: BTreeMap<_, _> = documented()
        .into_iter()
        .filter(|((_, path), _)| !is_file(path))
        .map(|((method, path), row)| {
            ((method, path.strip_suffix("}/").map_or(path.clone(), |start| start.to_owned() + "}")), row)
        })
        .map(|(key, row)| (key, row.limit.split_once(' ').map(|(_, name)| name.to_owned())))
        .collect();
    assert_eq!(documented, described);
}

/// The name of the limit in an operation of the document.
fn limit_in(operation: &Value) -> Option<String> {
    let description = operation["description"].as_str().unwrap();
    let name = description.split_once("Counts in the limit `").map(|(_, rest)| rest.split('`').next().unwrap());
    assert_eq!(name.is_some(), operation["responses"].get("429").is_some(), "{operation}");
    name.map(str::to_owned)
}

#[tokio::test]
async fn the_page_has_every_error_code_with_its_status() {
    let server = TestServer::start().await;
    let api = server.realm("User1");
    let mut documented = BTreeMap::new();
    for (_, cells) in table_rows().into_iter().filter(|(heading, _)| *heading == "## Errors") {
        // codes of fields have no column of their own: they all come with 422
        let status = if cells.len() == 3 { cells[1].split([';', ' ']).next().unwrap() } else { "422" };
        for code in quoted(cells[0]) {
            assert!(documented.insert(code, status).is_none(), "{code} is there twice");
        }
    }
    let all: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(documented.keys().copied().collect::<BTreeSet<_>>(), all);
    for (code, status) in documented {
        let page = api.get(&format!("//problems/{code}")).await.expect(200);
        assert!(page.text.contains(&format!("<dd>{status}</dd>")), "{code} is not usually {status}");
    }
}
