//! Rows of text: `ok` and the value's parts, or `no` and field, code and sentence of each violation.

use portcullis_core::model::code::Violation;

/// A value as a row.
pub fn of<T>(parsed: Result<T, Vec<Violation>>, parts: impl FnOnce(&T) -> Vec<String>) -> Vec<String> {
    match parsed {
        Ok(value) => std::iter::once("ok".to_owned()).chain(parts(&value)).collect(),
        Err(violations) => std::iter::once("no".to_owned()).chain(violations.into_iter().flat_map(cells)).collect(),
    }
}

fn cells(Violation { field, code, message }: Violation) -> [String; 3] {
    [field.into_owned(), code.as_str().to_owned(), message]
}
