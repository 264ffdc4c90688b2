//! What a world keeps, put aside and put back: a test that needs a long beginning has it once.

use crate::world::TestWorld;

/// Names each store's state once, for keeping and for putting back.
macro_rules! kept {
    ($($name:ident: $state:ty, $at:ident . $field:tt;)*) => {
        /// What a world kept at some moment. Opaque: it only goes back.
        #[derive(Debug, Clone)]
        pub struct Snapshot {
            $($name: $state,)*
        }

        impl Snapshot {
            pub(super) fn of(world: &TestWorld) -> Self {
                Self { $($name: world.$at.$field.lock().clone(),)* }
            }

            pub(super) fn put_back(&self, world: &TestWorld) {
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

    pub(super) type Users = fakes::user_store::Users;
    pub(super) type Registrations = fakes::registration_store::Registrations;
    pub(super) type Sessions = fakes::session_store::Sessions;
    pub(super) type Tokens = fakes::one_time_token_store::Tokens;
    pub(super) type Jobs = fakes::job_queue::Queue;
    pub(super) type Events = Vec<Event>;
    pub(super) type Guarded = BTreeMap<(Realm, Digest), fakes::login_guard::Guarded>;
    pub(super) type Arrivals = HashMap<Bucket, i64>;
    pub(super) type Breached = BTreeSet<String>;
    pub(super) type Mails = fakes::outbox::Inside<EmailMessage>;
    pub(super) type Texts = fakes::outbox::Inside<fakes::sms_sender::Text>;
}

kept! {
    users: states::Users, users.users;
    registrations: states::Registrations, registrations.pending;
    sessions: states::Sessions, sessions.sessions;
    tokens: states::Tokens, tokens.tokens;
    jobs: states::Jobs, jobs.queue;
    events: states::Events, audit.events;
    guarded: states::Guarded, guard.emails;
    arrivals: states::Arrivals, limiter.arrivals;
    breached: states::Breached, breached.known;
    mails: states::Mails, mailer.inside;
    texts: states::Texts, sms_sender.inside;
}
