//! Snapshots of a world's stores: a test that needs a long preparation runs it once.

use crate::world::TestWorld;

/// Names each store's state once, for the snapshot and for restoring it.
macro_rules! kept {
    ($($name:ident: $state:ty, $at:ident . $field:tt;)*) => {
        /// The state of a world's stores. Opaque: it can only be restored.
        #[derive(Debug, Clone)]
        pub struct Snapshot {
            $($name: $state,)*
        }

        impl Snapshot {
            fn of(world: &TestWorld) -> Self {
                Self { $($name: world.$at.$field.lock().clone(),)* }
            }

            fn restore_to(&self, world: &TestWorld) {
                $(*world.$at.$field.lock() = self.$name.clone();)*
            }
        }
    };
}

mod states {
    //! The stores' own types, by short names.

    use std::collections::{BTreeMap, BTreeSet, HashMap};

    use crate::fakes;
    use portcullis_core::model::event::Event;
    use portcullis_core::model::message::EmailMessage;
    use portcullis_core::model::quota::Bucket;
    use portcullis_core::model::realm::Realm;
    use portcullis_core::model::sealed::Digest;
    use portcullis_core::model::sent_message::StoredMessage;

    pub(super) type Users = fakes::user_store::Users;
    pub(super) type Registrations = fakes::registration_store::Registrations;
    pub(super) type Sessions = fakes::session_store::Sessions;
    pub(super) type Tokens = fakes::one_time_token_store::Tokens;
    pub(super) type Undos = fakes::undo_store::Undos;
    pub(super) type Credentials = fakes::credential_store::Credentials;
    pub(super) type Webhooks = fakes::webhook_store::Webhooks;
    pub(super) type Jobs = fakes::job_queue::Queue;
    pub(super) type Events = Vec<Event>;
    pub(super) type Guarded = BTreeMap<(Realm, Digest), portcullis_core::model::login_throttle::FailedLogins>;
    pub(super) type Arrivals = HashMap<Bucket, i64>;
    pub(super) type Breached = BTreeSet<String>;
    pub(super) type Mails = fakes::outbox::Inside<EmailMessage>;
    pub(super) type Messages = Vec<StoredMessage>;
    pub(super) type Checks = BTreeMap<String, Vec<u8>>;
    pub(super) type Texts = fakes::outbox::Inside<fakes::sms_sender::Text>;
}

kept! {
    users: states::Users, users.users;
    registrations: states::Registrations, registrations.pending;
    sessions: states::Sessions, sessions.sessions;
    tokens: states::Tokens, tokens.tokens;
    undos: states::Undos, undos.undos;
    credentials: states::Credentials, credentials.credentials;
    webhooks: states::Webhooks, webhooks.webhooks;
    jobs: states::Jobs, jobs.queue;
    events: states::Events, audit.events;
    guarded: states::Guarded, guard.emails;
    arrivals: states::Arrivals, limiter.arrivals;
    breached: states::Breached, breached.known;
    mails: states::Mails, mailer.inside;
    texts: states::Texts, sms_sender.inside;
    messages: states::Messages, sent_messages.copies;
    checks: states::Checks, checks.values;
}

impl TestWorld {
    /// A copy of every store's state.
    ///
    /// ```
    /// # use portcullis_testkit::{race::block_on, samples, world::TestWorld};
    /// # use portcullis_core::ports::database::{Change, Database, UnitOfWork};
    /// let world = TestWorld::new(1);
    /// let user = samples::user(&samples::realm("User1"), 1);
    /// let empty = world.snapshot();
    /// block_on(world.database.commit(UnitOfWork::of(Change::InsertUser(user.into()))))?.unwrap();
    /// world.restore(&empty);
    /// assert!(world.users.all().is_empty());
    /// # Ok::<(), portcullis_core::ports::error::PortError>(())
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(self)
    }

    /// Restores every store's state. Time does not run backwards, randomness continues, and the faults stay.
    pub fn restore(&self, snapshot: &Snapshot) {
        snapshot.restore_to(self);
    }
}
