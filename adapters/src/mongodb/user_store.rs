//! [`UserStore`] on MongoDB.

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::{Bson, Document, doc};
use portcullis_core::model::factor::SealedFactors;
use portcullis_core::model::ids::UserId;
use portcullis_core::model::realm::Realm;
use portcullis_core::model::sealed::RingDigest;
use portcullis_core::model::user::{PendingEmail, User};
use portcullis_core::ports::error::PortError;
use portcullis_core::ports::user_store::{AccountPage, UserStore};

use crate::crypto::record_macs::Stored;
use crate::mongodb::MongoDb;
use crate::mongodb::documents::{Fields, binary, has_digest, key, person, ring_digest, sealed, signed};

const PORT: &str = "user_store";
/// The fields that a document may lack.
const OPTIONAL: [&str; 9] = [
    "pending_index",
    "pending_email",
    "previous_email",
    "totp",
    "pending_totp",
    "backup_codes",
    "passkeys",
    "devices",
    "roles",
];

pub fn print(user: &User) -> Document {
    let mut document = doc! {
        "_id": key(&user.realm, user.id),
        "realm": user.realm.as_str(),
        "id": binary(user.id.as_bytes()),
        "password": sealed(&user.password),
        "phone_verified": user.phone_verified,
        "mfa_sms": user.mfa_sms,
        "disabled": user.disabled,
        "credentials_version": signed(user.credentials_version),
        "version": signed(user.version),
        "created_at": user.created_at.as_millis(),
        "updated_at": user.updated_at.as_millis(),
    };
    document.extend(person(&user.person));
    if let Some(pending) = &user.pending_email {
        document.insert("pending_index", ring_digest(&pending.index));
        document.insert("pending_email", sealed(&pending.email));
    }
    if let Some(previous) = &user.previous_email {
        document.insert("previous_email", sealed(previous));
    }
    let SealedFactors { totp, pending_totp, backup_codes, passkeys, devices } = &user.factors;
    let factors = [
        ("totp", totp),
        ("pending_totp", pending_totp),
        ("backup_codes", backup_codes),
        ("passkeys", passkeys),
        ("devices", devices),
    ];
    for (name, factor) in factors {
        document.extend(factor.as_ref().map(|factor| (name.to_owned(), sealed(factor))));
    }
    document.extend(user.roles.to_text().map(|roles| ("roles".to_owned(), Bson::String(roles))));
    document
}

pub fn parse(document: &Document) -> Result<Stored<User>, PortError> {
    let fields = Fields::of(PORT, document);
    let pending_index = fields.any("pending_index", Fields::ring_digest)?;
    let pending_email = fields.any("pending_email", Fields::sealed)?;
    if pending_index.is_some() != pending_email.is_some() {
        return Err(fields.unreadable("pending_email"));
    }
    let user = User {
        realm: fields.realm()?,
        id: fields.user()?,
        person: fields.person()?,
        pending_email: pending_index.zip(pending_email).map(|(index, email)| PendingEmail { index, email }),
        previous_email: fields.any("previous_email", Fields::sealed)?,
        password: fields.sealed("password")?,
        phone_verified: fields.flag("phone_verified")?,
        mfa_sms: fields.flag("mfa_sms")?,
        factors: SealedFactors {
            totp: fields.any("totp", Fields::sealed)?,
            pending_totp: fields.any("pending_totp", Fields::sealed)?,
            backup_codes: fields.any("backup_codes", Fields::sealed)?,
            passkeys: fields.any("passkeys", Fields::sealed)?,
            devices: fields.any("devices", Fields::sealed)?,
        },
        disabled: fields.flag("disabled")?,
        roles: fields.any("roles", Fields::roles)?.unwrap_or_default(),
        credentials_version: fields.number("credentials_version")?,
        version: fields.number("version")?,
        created_at: fields.time("created_at")?,
        updated_at: fields.time("updated_at")?,
    };
    fields.with_mac(user)
}

/// A change that makes a user's stored document this one, all of it but the key.
pub fn replacement(mut all: Document) -> Document {
    all.remove("_id");
    all.remove("key");
    let absent = OPTIONAL.into_iter().filter(|name| !all.contains_key(name));
    let absent: Document = absent.map(|name| (name.to_owned(), Bson::String(String::new()))).collect();
    if absent.is_empty() {
        doc! {"$set": all}
    } else {
        doc! {"$set": all, "$unset": absent}
    }
}

#[async_trait]
impl UserStore for MongoDb {
    async fn find(&self, realm: &Realm, id: &UserId) -> Result<Option<User>, PortError> {
        let found = self.run(PORT, self.collection("users").find_one(doc! {"_id": key(realm, id)})).await?;
        let found = found.as_ref().map(parse).transpose()?;
        self.verify_named(PORT, found, |user| user.realm == *realm && user.id == *id)
    }

    async fn find_by_email(&self, realm: &Realm, email: &RingDigest) -> Result<Option<User>, PortError> {
        let which = doc! {"realm": realm.as_str(), "email_index": has_digest(email)};
        let found = self.run(PORT, self.collection("users").find_one(which)).await?;
        let found = found.as_ref().map(parse).transpose()?;
        self.verify_named(PORT, found, |user| user.realm == *realm && user.person.email_index.same_input(email))
    }

    async fn list(&self, realm: &Realm, after: Option<UserId>, limit: u32) -> Result<AccountPage, PortError> {
        // the ids are text of one length, whose last character is below `g`
        let after = after.map_or_else(|| key(realm, UserId::PREFIX), |id| key(realm, id));
        let which = doc! {"_id": {"$gt": after, "$lt": key(realm, format_args!("{}g", UserId::PREFIX))}};
        let users = self.collection("users");
        let page = async {
            let found = users.find(which).sort(doc! {"_id": 1}).limit(i64::from(limit)).await?;
            found.try_collect::<Vec<Document>>().await
        };
        let documents = self.run(PORT, Box::pin(page)).await?;
        let full = u32::try_from(documents.len()).is_ok_and(|count| count == limit);
        let next = documents.last().filter(|_| full).map(|last| Fields::of(PORT, last).user()).transpose()?;
        let mut users = self.verify_all(documents.iter().map(parse).collect::<Result<Vec<_>, _>>()?);
        users.retain(|user| user.realm == *realm);
        Ok(AccountPage { users, next })
    }

    async fn has_passkeys(&self) -> Result<bool, PortError> {
        let which = doc! {"passkeys": {"$exists": true}};
        Ok(self.run(PORT, self.collection("users").find_one(which)).await?.is_some())
    }

    async fn ping(&self) -> Result<(), PortError> {
        self.run(PORT, self.pool.database().run_command(doc! {"ping": 1})).await?;
        Ok(())
    }
}
