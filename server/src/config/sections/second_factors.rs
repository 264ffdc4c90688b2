//! Whether the accounts of a realm must have a second factor.

use std::collections::BTreeSet;

use portcullis_core::model::realm::Realm;

use super::list;
use crate::config::settings_reader::SettingsReader;

const NAME: &str = "MFA_POLICY";

/// The realms that require a second factor.
pub fn required_realms(reader: &mut SettingsReader, realms: &[String]) -> BTreeSet<Realm> {
    let (mut seen, mut required) = (BTreeSet::new(), BTreeSet::new());
    for entry in list(reader, NAME).unwrap_or_default() {
        let parts = entry.split_once(':').map(|(realm, policy)| (realm.trim(), policy.trim()));
        let Some((realm, policy @ ("optional" | "required"))) = parts else {
            let fix = "write it as User1:optional,User2:required";
            reader.refuse(NAME, &format!("has the entry \"{entry}\""), fix);
            continue;
        };
        let Some(realm) = realms.iter().find(|known| *known == realm).and_then(|realm| Realm::parse(realm).ok()) else {
            reader.refuse(NAME, &format!("names the realm \"{realm}\", which is not in REALMS"), "name one of REALMS");
            continue;
        };
        if !seen.insert(realm.clone()) {
            reader.refuse(NAME, &format!("names the realm \"{realm}\" twice"), "keep one of the entries");
        }
        if policy == "required" {
            required.insert(realm);
        }
    }
    required
}
