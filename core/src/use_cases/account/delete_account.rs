//! Delete: nothing of the person stays that can be turned back into them. Their key goes with the account; what was
//! sealed with it and waits anywhere is noise from then on.

use crate::model::event::{Event, EventKind};
use crate::model::ids::UserId;
use crate::model::job::{Job, JobSubject, Task};
use crate::model::realm::Realm;
use crate::model::sealed::{AadContext, Field};
use crate::model::user::User;
use crate::ports::database::{Change, Refusal, UnitOfWork};
use crate::service::{AuthService, Ports};
use crate::use_cases::account::Accounts;
use crate::use_cases::shared::caller::Caller;
use crate::use_cases::shared::errors::AuthError;
use crate::use_cases::shared::reauthenticate::Reauthentication;

impl Accounts<'_> {
    /// Deletes the caller's account in one commit: repeat the call after an error.
    ///
    /// # Errors
    /// `ReauthenticationRequired`, `WrongPassword`, `TooMany`, `Overloaded`.
    pub async fn delete_account(
        self,
        caller: &Caller,
        reauthentication: Reauthentication<'_>,
    ) -> Result<(), AuthError> {
        self.service.reauthenticate(caller, reauthentication).await?;
        let (realm, id) = (&caller.user.realm, caller.user.id);
        let event = self.service.event(realm, EventKind::AccountDeleted, Some(id), None);
        let same = |newest: &User| {
            let is_same = newest.credentials_version == caller.user.credentials_version;
            if is_same { Ok(()) } else { Err(AuthError::NotAuthenticated) }
        };
        self.erase((realm, &id), same, &event).await
    }

    /// One commit removes the account and everything about it, if `check` allows it for the account as it is then; the
    /// messages that were kept for development go too.
    pub(crate) async fn erase(
        self,
        (realm, id): (&Realm, &UserId),
        check: impl Fn(&User) -> Result<(), AuthError> + Send + Sync,
        event: &Event,
    ) -> Result<(), AuthError> {
        let Ports { users, database, .. } = &self.service.ports;
        loop {
            let newest = users.find(realm, id).await?.ok_or(AuthError::NotAuthenticated)?;
            check(&newest)?;
            self.forget_messages(realm, id).await;
            match database.commit(self.erasure(&newest, event)?).await? {
                Ok(committed) => {
                    self.forget_messages(realm, id).await;
                    for registration in &committed.registrations {
                        self.forget_messages(realm, registration).await;
                    }
                    return Ok(());
                }
                Err(Refusal::UserStale) => {}
                Err(refusal) => return Err(refusal.into()),
            }
        }
    }

    fn erasure(self, user: &User, event: &Event) -> Result<UnitOfWork, AuthError> {
        let (realm, id) = (&user.realm, user.id);
        let forget_jobs = |subject| Change::ForgetJobs { realm: realm.clone(), subject };
        let cipher = self.service.record_cipher(user)?;
        // under every key of the ring, also where the account has no digest under a new one yet
        let email = self.service.email_index(realm, &cipher.email(Field::Email, &user.person.email)?);
        let pending = user.pending_email.as_ref();
        let pending = pending.map(|pending| cipher.email(Field::PendingEmail, &pending.email)).transpose()?;
        let pending = pending.map(|pending| self.service.email_index(realm, &pending));
        let addresses = [Some(email), pending].into_iter().flatten();
        let mut changes = vec![Change::DeleteUser { realm: realm.clone(), id, expected: user.version }];
        changes.extend(AuthService::changes_that_end_rights(user));
        changes.push(forget_jobs(JobSubject::Subject(id)));
        changes.extend(addresses.map(|index| forget_jobs(JobSubject::Address(index))));
        // an address that was never verified may be another person's: only registrations of the proven one are removed
        changes.push(Change::RemoveRegistrations { realm: realm.clone(), email });
        for email in
            [self.service.throttle_key_of(user)?, self.service.factor_digest(user), self.service.enrolment_digest(user)]
        {
            changes.push(Change::ForgetLogins { realm: realm.clone(), email });
        }
        changes.push(Change::RemoveUndos { realm: realm.clone(), user: id });
        Ok(UnitOfWork { changes, jobs: vec![self.notice(user)?], events: vec![event.clone()] })
    }

    /// The notice of the deletion. Its address is sealed under a separate key, because the key of the account is deleted before.
    fn notice(self, user: &User) -> Result<Job, AuthError> {
        let Ports { cipher, clock, .. } = &self.service.ports;
        let account = self.service.record_cipher(user)?;
        let address = account.email(Field::Email, &user.person.email)?;
        // the language goes with it; no address has a line break
        let address = format!("{}\n{}", address.as_str(), account.locale(&user.person)?.as_str());
        let mut job = self.service.job(&user.realm, Task::Welcome(user.id));
        let place = |field| AadContext { realm: &user.realm, record: job.id.as_bytes(), field };
        let (open, key) = cipher.new_key(place(Field::Key))?;
        let address = cipher.seal(&open, place(Field::Email), address.as_bytes())?;
        job.task = Task::AccountDeleted { user: user.id, at: clock.now(), key, address };
        Ok(job)
    }

    async fn forget_messages(self, realm: &Realm, id: &UserId) {
        let Ports { mailer, sms_sender, .. } = &self.service.ports;
        mailer.forget(realm, id).await;
        sms_sender.forget(realm, id).await;
    }
}
