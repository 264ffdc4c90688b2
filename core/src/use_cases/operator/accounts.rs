//! Accounts as an operator finds them: by id, by address or by number, without a field of the person.

use crate::model::factor::FactorMethod;
use crate::model::ids::UserId;
use crate::model::phone::{Phone, PhoneValidation};
use crate::model::realm::Realm;
use crate::model::role::Roles;
use crate::model::time::Timestamp;
use crate::model::user::User;
use crate::ports::user_store::AccountPage;
use crate::service::Ports;
use crate::use_cases::operator::Operators;
use crate::use_cases::shared::errors::AuthError;

/// Accounts that are read at once.
const PAGE: u32 = 500;

/// An account without the fields of its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountState {
    /// Its id.
    pub id: UserId,
    /// Whether it is disabled.
    pub disabled: bool,
    /// Whether the phone is proven.
    pub phone_verified: bool,
    /// The methods of its second factor.
    pub factors: Vec<FactorMethod>,
    /// Its roles.
    pub roles: Roles,
    /// Valid sessions.
    pub sessions: u64,
    /// When it began.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts its changes.
    pub version: u64,
}

impl Operators<'_> {
    /// The state of the account of an id or an address.
    ///
    /// # Errors
    /// `NotFound`; when a port fails.
    pub async fn find_account(self, realm: &Realm, who: &str) -> Result<AccountState, AuthError> {
        self.state_of(&self.named(realm, who).await?).await
    }

    /// The accounts whose number on record is this one. It opens the number of every account of the realm, because
    /// numbers have no index; `progress` gets the accounts that were looked at.
    ///
    /// # Errors
    /// `NotFound` for a text that is no international number; when a port fails.
    pub async fn find_accounts_by_phone(
        self,
        realm: &Realm,
        phone: &str,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<AccountState>, AuthError> {
        let phone = Phone::parse_international(phone, PhoneValidation::E164).map_err(|_| AuthError::NotFound)?;
        let (mut found, mut seen, mut after) = (Vec::new(), 0, None);
        loop {
            let AccountPage { users, next } = self.list_accounts(realm, after).await?;
            for user in &users {
                if self.service.record_cipher(user)?.phone(&user.person)?.as_str() == phone.as_str() {
                    found.push(self.state_of(user).await?);
                }
            }
            seen += users.len() as u64;
            progress(seen);
            after = next;
            if after.is_none() {
                return Ok(found);
            }
        }
    }

    /// Some accounts of a realm in the order of their ids, those after an id.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn list_accounts(self, realm: &Realm, after: Option<UserId>) -> Result<AccountPage, AuthError> {
        Ok(self.service.ports.users.list(realm, after, PAGE).await?)
    }

    /// The state of an account.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn state_of(self, user: &User) -> Result<AccountState, AuthError> {
        let Ports { sessions, clock, .. } = &self.service.ports;
        let now = clock.now();
        let stored = sessions.list(&user.realm, &user.id).await?;
        let is_valid = |session: &&crate::model::session::Session| {
            !session.expired(now) && session.credentials_version == user.credentials_version
        };
        Ok(AccountState {
            id: user.id,
            disabled: user.disabled,
            phone_verified: user.phone_verified,
            factors: user.factor_methods(),
            roles: user.roles.clone(),
            sessions: stored.iter().filter(is_valid).count() as u64,
            created_at: user.created_at,
            updated_at: user.updated_at,
            version: user.version,
        })
    }

    /// The account that an operator means: by its id, or by its address as its owner would type it.
    pub(super) async fn named(self, realm: &Realm, who: &str) -> Result<User, AuthError> {
        let Ports { users, .. } = &self.service.ports;
        let who = who.trim();
        let found = match UserId::parse(who) {
            Some(id) => users.find(realm, &id).await?,
            None => users.find_by_email(realm, &self.service.login_index(realm, who)).await?,
        };
        found.ok_or(AuthError::NotFound)
    }
}

/// An account that was deleted meanwhile does not exist.
pub(super) fn to_not_found(error: AuthError) -> AuthError {
    match error {
        AuthError::NotAuthenticated => AuthError::NotFound,
        error => error,
    }
}
