//! An operator issues, rotates and ends credentials. A secret is shown once, when it is made.

use std::time::Duration;

use crate::model::credential::{Credential, CredentialName, Scope, Scopes, hash, parse_token, print_token};
use crate::model::event::EventKind;
use crate::model::realm::Realm;
use crate::model::secret::{OpaqueToken, SecretString};
use crate::model::time::Timestamp;
use crate::ports::database::{Change, Refusal, UnitOfWork};
use crate::ports::error::PortError;
use crate::service::{AuthService, Ports};
use crate::use_cases::operator::Operators;
use crate::use_cases::shared::errors::AuthError;

/// A new credential and its secret, for the operator.
#[derive(Debug)]
pub struct Issued {
    /// The credential.
    pub credential: Credential,
    /// The secret of a service client, or the whole text of an operator token.
    pub secret: SecretString,
}

impl Operators<'_> {
    /// Makes a service client; `None` if the name is taken.
    ///
    /// # Errors
    /// `NotFound` for a text that is no name of a client; when a port fails.
    pub async fn create_client(self, realm: &Realm, name: &str) -> Result<Option<Issued>, AuthError> {
        let name = client_name(name)?;
        let (credential, secret) = self.new_credential(realm, name, Scopes::of(&[Scope::Introspect]), None);
        let inserted = self.insert(&credential, EventKind::ClientCreated).await?;
        Ok(inserted.then(|| Issued { credential, secret: SecretString::new(secret.expose()) }))
    }

    /// Gives a service client a new secret. The old one ends at once.
    ///
    /// # Errors
    /// `NotFound`; when a port fails.
    pub async fn rotate_client(self, realm: &Realm, name: &str) -> Result<Issued, AuthError> {
        let name = client_name(name)?;
        let Ports { credentials, database, .. } = &self.service.ports;
        loop {
            let old = credentials.find(realm, &name).await?.ok_or(AuthError::NotFound)?;
            let (credential, secret) = self.new_credential(realm, name.clone(), old.scopes, old.expires_at);
            let change = Change::ReplaceCredential { credential: Box::new(credential.clone()), expected: old.secret };
            let events = vec![self.event(realm, EventKind::ClientRotated, None)];
            match database.commit(UnitOfWork { events, ..UnitOfWork::of(change) }).await? {
                Ok(_) => return Ok(Issued { credential, secret: SecretString::new(secret.expose()) }),
                // another rotation came first, or it is gone: the next turn finds out
                Err(Refusal::CredentialGone) => {}
                Err(refusal) => return Err(refusal.into()),
            }
        }
    }

    /// Makes an operator token of a realm.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn create_operator_token(
        self,
        realm: &Realm,
        scopes: Scopes,
        lifetime: Duration,
    ) -> Result<Issued, AuthError> {
        let Ports { clock, randomness, .. } = &self.service.ports;
        let name = CredentialName::of_new_token(|bytes| randomness.fill(bytes));
        let (credential, secret) = self.new_credential(realm, name, scopes, Some(clock.now() + lifetime));
        if !self.insert(&credential, EventKind::OperatorTokenCreated).await? {
            return Err(PortError::new("randomness", "a random name is taken").into());
        }
        let secret = print_token(realm, &credential.name, &secret);
        Ok(Issued { credential, secret })
    }

    /// Ends a service client or an operator token.
    ///
    /// # Errors
    /// `NotFound`; when a port fails.
    pub async fn end_credential(self, realm: &Realm, name: &CredentialName) -> Result<(), AuthError> {
        let kind = if name.is_operator_token() { EventKind::OperatorTokenRevoked } else { EventKind::ClientDeleted };
        let change = Change::RemoveCredential { realm: realm.clone(), name: name.clone() };
        let work = UnitOfWork { events: vec![self.event(realm, kind, None)], ..UnitOfWork::of(change) };
        match self.service.ports.database.commit(work).await? {
            Ok(_) => Ok(()),
            Err(Refusal::CredentialGone) => Err(AuthError::NotFound),
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// The service clients or the operator tokens of a realm, by name.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn list_credentials(self, realm: &Realm, tokens: bool) -> Result<Vec<Credential>, AuthError> {
        let all = self.service.ports.credentials.list(realm).await?.into_iter();
        Ok(all.filter(|credential| credential.name.is_operator_token() == tokens).collect())
    }

    fn new_credential(
        self,
        realm: &Realm,
        name: CredentialName,
        scopes: Scopes,
        expires_at: Option<Timestamp>,
    ) -> (Credential, OpaqueToken) {
        let Ports { clock, randomness, .. } = &self.service.ports;
        let secret = OpaqueToken::random(|bytes| randomness.fill(bytes));
        let digest = hash(realm, &name, &secret);
        let (realm, created_at) = (realm.clone(), clock.now());
        (Credential { realm, name, secret: digest, scopes, created_at, expires_at }, secret)
    }

    /// Whether the name was free.
    async fn insert(self, credential: &Credential, kind: EventKind) -> Result<bool, AuthError> {
        let events = vec![self.event(&credential.realm, kind, None)];
        let change = Change::InsertCredential(Box::new(credential.clone()));
        match self.service.ports.database.commit(UnitOfWork { events, ..UnitOfWork::of(change) }).await? {
            Ok(_) => Ok(true),
            Err(Refusal::IdTaken) => Ok(false),
            Err(refusal) => Err(refusal.into()),
        }
    }
}

/// The name of a service client: an operator token's is not one.
fn client_name(text: &str) -> Result<CredentialName, AuthError> {
    CredentialName::parse(text).filter(|name| !name.is_operator_token()).ok_or(AuthError::NotFound)
}

impl AuthService {
    /// Whether these are the name and the secret of a service client of the realm.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn verify_client(&self, realm: &Realm, name: &str, secret: &str) -> Result<bool, AuthError> {
        let (Ok(name), Some(secret)) = (client_name(name), OpaqueToken::parse(secret)) else { return Ok(false) };
        let found = self.ports.credentials.find(realm, &name).await?;
        Ok(found.is_some_and(|found| found.scopes.contains(Scope::Introspect) && self.is_good(&found, &secret)))
    }

    /// The operator token of this text, if it has the scope.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn verify_operator_token(&self, text: &str, scope: Scope) -> Result<Option<Credential>, AuthError> {
        Ok(self.find_operator_token(text).await?.filter(|found| found.scopes.contains(scope)))
    }

    /// The operator token of this text, whatever its scopes; `None` for an expired one.
    ///
    /// # Errors
    /// When a port fails.
    pub async fn find_operator_token(&self, text: &str) -> Result<Option<Credential>, AuthError> {
        let Some((realm, name, secret)) = parse_token(text) else { return Ok(None) };
        let found = self.ports.credentials.find(&realm, &name).await?;
        Ok(found.filter(|found| self.is_good(found, &secret)))
    }

    fn is_good(&self, credential: &Credential, secret: &OpaqueToken) -> bool {
        credential.has_secret(secret) && !credential.expired(self.ports.clock.now())
    }
}
