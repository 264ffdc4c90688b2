//! An attacker who can write to the database but has no key edits every field of every record: other values, values of
//! other records and realms, older values of the same record. Nothing of it is believed; only a whole older record is.

mod answers;
mod audit_chain;
mod audit_chain_on_mongodb;
mod mongodb;
mod sign_existing;
mod sqlite;

use crate::answers::Answer;

/// Checks the answers of a store after an edit.
fn judge((table, field): (&str, &str), edit: &str, before: &[Answer], after: &[Answer]) {
    assert_eq!(before.len(), after.len());
    for (was, is) in before.iter().zip(after) {
        assert!(is.is_part_of(was), "{table}.{field}, {edit}: {was:?} became {is:?}");
        if field == "full_at" {
            assert!(is == was || *is == Answer::Refused, "{edit}: a rate limit was lifted");
        }
    }
    assert!(before != after, "{table}.{field}, {edit}: nobody noticed");
}
