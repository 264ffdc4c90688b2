//! The expected validity of a token, checked without using it.

use super::driver::{Probe, Seen, TestRealm};
use super::state::{Link, Model, Registration, Session};

impl Model {
    /// The answer that docs/http-api.md prescribes.
    pub fn look(&self, realm: TestRealm, probe: &Probe) -> Seen {
        let people = self.people(realm);
        let shows = |link: &Option<Link>, token: &str| link.as_ref().is_some_and(|l| l.token.as_deref() == Some(token));
        let good = match probe {
            Probe::Access(access) => {
                let caller = people.caller(access, self.now);
                return caller.map_or(Seen::Nothing, |(a, _)| Seen::Person(a.email.to_owned(), a.name.clone()));
            }
            Probe::Refresh(token) => {
                let mut sessions = people.accounts.iter().flat_map(|account| &account.sessions);
                sessions.any(|session: &Session| session.is_current(token))
            }
            Probe::Link(token) => {
                let changes = people.accounts.iter().any(|account| account.changes_by(token));
                let free = |waiting: &&Registration| people.holder(waiting.email, self.now).is_none();
                changes || people.registrations.iter().filter(free).any(|waiting| shows(&waiting.link, token))
            }
            Probe::Undo(token) => people.accounts.iter().any(|account| account.undo_by(token, self.now).is_some()),
            Probe::Reset(token) => {
                let mut links = people.accounts.iter().filter_map(|account| account.reset_link());
                links.any(|link| link.token.as_deref() == Some(token))
            }
        };
        if good { Seen::Good } else { Seen::Nothing }
    }
}
