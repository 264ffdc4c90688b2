//! The contract of the caller store: it agrees with the two stores behind it, right after every change of either.

use std::sync::Arc;

use super::{Backend, Case, Outcome, Setup};
use crate::model::session::Session;
use crate::model::user::User;
use crate::ports::caller_store::CallerStore;
use crate::ports::error::PortError;
use crate::ports::session_store::{RotateSession, SessionStore};
use crate::ports::user_store::{InsertUser, ReplaceUser, UserStore};
use crate::testing::samples::{digest, realm, session, user};

/// The store, and those that changes go to.
pub struct Accounts {
    callers: Arc<dyn CallerStore>,
    sessions: Arc<dyn SessionStore>,
    users: Arc<dyn UserStore>,
}

impl Accounts {
    /// Those of a backend that offers all three.
    pub(super) fn of(backend: &Backend) -> Option<Self> {
        Some(Self {
            callers: backend.caller_store.clone()?,
            sessions: backend.session_store.clone()?,
            users: backend.user_store.clone()?,
        })
    }

    async fn insert(&self, user: &User, session: &Session) -> Result<(), PortError> {
        assert_eq!(self.users.insert(user.clone()).await?, InsertUser::Inserted);
        self.sessions.insert(session.clone()).await
    }

    /// Asks twice: what was kept of the first answer must not differ.
    async fn find(&self, user: &User, session: &Session) -> Result<Option<(Session, User)>, PortError> {
        let first = self.callers.find_caller(&user.realm, &session.id, &user.id).await?;
        assert_eq!(self.callers.find_caller(&user.realm, &session.id, &user.id).await?, first);
        Ok(first)
    }
}

type Callers = Setup<Accounts>;

/// All cases.
#[must_use]
pub fn cases() -> Vec<Case<Accounts>> {
    cases![
        finds_both,
        nobody_without_a_session_or_an_account,
        another_realm_is_another_world,
        sees_a_rotation_at_once,
        sees_a_replaced_account_at_once,
        an_ended_session_is_nobodys_at_once,
        a_deleted_account_is_nobody_at_once,
        ends_of_many_racing_looks_agree,
    ]
}

async fn finds_both(callers: &Callers) -> Outcome {
    let realm = realm("User1");
    let (one, two) = (user(&realm, 1), user(&realm, 2));
    let (of_one, of_two) = (session(&realm, 1, 1), session(&realm, 2, 2));
    callers.insert(&one, &of_one).await?;
    callers.insert(&two, &of_two).await?;
    assert_eq!(callers.find(&one, &of_one).await?, Some((of_one.clone(), one.clone())));
    assert_eq!(callers.find(&two, &of_two).await?, Some((of_two, two.clone())));
    // whether they belong together is not for the store to say
    assert_eq!(callers.find(&two, &of_one).await?, Some((of_one, two)));
    Ok(())
}

async fn nobody_without_a_session_or_an_account(callers: &Callers) -> Outcome {
    let realm = realm("User1");
    let (one, two) = (user(&realm, 1), user(&realm, 2));
    let (of_one, of_two) = (session(&realm, 1, 1), session(&realm, 2, 2));
    assert_eq!(callers.find(&one, &of_one).await?, None);
    callers.insert(&one, &of_one).await?;
    assert_eq!(callers.find(&one, &of_two).await?, None);
    assert_eq!(callers.find(&two, &of_one).await?, None);
    // absence was not kept
    callers.insert(&two, &of_two).await?;
    assert_eq!(callers.find(&one, &of_two).await?, Some((of_two, one)));
    Ok(())
}

async fn another_realm_is_another_world(callers: &Callers) -> Outcome {
    let (here, there) = (realm("User1"), realm("User2"));
    let (mine, mine_in) = (user(&here, 1), session(&here, 1, 1));
    callers.insert(&mine, &mine_in).await?;
    assert_eq!(callers.callers.find_caller(&there, &mine_in.id, &mine.id).await?, None);
    assert_eq!(callers.find(&mine, &mine_in).await?, Some((mine_in, mine)));
    Ok(())
}

async fn sees_a_rotation_at_once(callers: &Callers) -> Outcome {
    let realm = realm("User1");
    let (mine, mut mine_in) = (user(&realm, 1), session(&realm, 1, 1));
    callers.insert(&mine, &mine_in).await?;
    for version in 1..4 {
        assert_eq!(callers.find(&mine, &mine_in).await?, Some((mine_in.clone(), mine.clone())));
        let before = mine_in.version;
        mine_in = Session { version: before + 1, current: digest("refresh token", 1000 + version), ..mine_in };
        assert_eq!(callers.sessions.rotate(mine_in.clone(), before).await?, RotateSession::Rotated);
    }
    assert_eq!(callers.find(&mine, &mine_in).await?, Some((mine_in, mine)));
    Ok(())
}

async fn sees_a_replaced_account_at_once(callers: &Callers) -> Outcome {
    let realm = realm("User1");
    let (mut mine, mine_in) = (user(&realm, 1), session(&realm, 1, 1));
    callers.insert(&mine, &mine_in).await?;
    for disabled in [true, false, true] {
        assert_eq!(callers.find(&mine, &mine_in).await?, Some((mine_in.clone(), mine.clone())));
        let before = mine.version;
        mine = User { version: before + 1, generation: mine.generation + 1, disabled, ..mine };
        assert_eq!(callers.users.replace(mine.clone(), before).await?, ReplaceUser::Replaced);
    }
    assert_eq!(callers.find(&mine, &mine_in).await?, Some((mine_in, mine)));
    Ok(())
}

async fn an_ended_session_is_nobodys_at_once(callers: &Callers) -> Outcome {
    let realm = realm("User1");
    let (mine, one, two) = (user(&realm, 1), session(&realm, 1, 1), session(&realm, 1, 2));
    callers.insert(&mine, &one).await?;
    callers.sessions.insert(two.clone()).await?;
    assert!(callers.find(&mine, &one).await?.is_some() && callers.find(&mine, &two).await?.is_some());
    assert!(callers.sessions.end(&realm, &one.id).await?);
    assert_eq!(callers.find(&mine, &one).await?, None);
    assert!(callers.find(&mine, &two).await?.is_some());
    assert_eq!(callers.sessions.end_all(&realm, &mine.id, None).await?, 1);
    assert_eq!(callers.find(&mine, &two).await?, None);
    Ok(())
}

async fn a_deleted_account_is_nobody_at_once(callers: &Callers) -> Outcome {
    let realm = realm("User1");
    let (mine, mine_in) = (user(&realm, 1), session(&realm, 1, 1));
    callers.insert(&mine, &mine_in).await?;
    assert!(callers.find(&mine, &mine_in).await?.is_some());
    assert!(callers.users.delete(&realm, &mine.id).await?);
    assert_eq!(callers.find(&mine, &mine_in).await?, None);
    Ok(())
}

/// Whoever looks while a session is ended finds it or not; whoever looks after it was ended finds it not.
async fn ends_of_many_racing_looks_agree(callers: &Callers) -> Outcome {
    let realm = realm("User1");
    let (mine, mine_in) = (user(&realm, 1), session(&realm, 1, 1));
    callers.insert(&mine, &mine_in).await?;
    let (who, which) = (mine.clone(), mine_in.clone());
    let alive_after = callers
        .race(16, move |accounts, number| {
            let (mine, mine_in) = (who.clone(), which.clone());
            async move {
                if number == 7 {
                    accounts.sessions.end(&mine.realm, &mine_in.id).await?;
                }
                let found = accounts.callers.find_caller(&mine.realm, &mine_in.id, &mine.id).await?;
                Ok(number == 7 && found.is_some())
            }
        })
        .await?;
    assert!(!alive_after.contains(&true), "it was ended before this look");
    assert_eq!(callers.find(&mine, &mine_in).await?, None);
    Ok(())
}
