//! The behaviour that every implementation of a port must have, as cases to run over each: fakes, ours, outside ones.
//! A case gets a port that no other case uses. Time passes by a later `now`, never by waiting.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;

use crate::locked::Locked;
use crate::race::{Racer, Task};
use portcullis_core::ports::error::PortError;

/// Lists cases by name. An unlisted case is dead code, and the compiler says so.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        vec![$($crate::contract::Case { name: stringify!($case), run: |setup| Box::pin($case(setup)) }),*]
    };
}

mod agreement;
#[cfg(test)]
mod faulty_adapters;
mod records;
mod suite;

pub use records::Records;
pub use suite::{AnyCase, Backend, Broken, all, prove};

// commits
pub mod database;
// users
pub mod registration_store;
pub mod user_store;
// tokens
pub mod credential_store;
pub mod one_time_token_store;
pub mod session_store;
pub mod token_signer;
pub mod undo_store;
// crypto
pub mod breached_passwords;
pub mod field_cipher;
pub mod keyed_digest;
pub mod password_hasher;
// notifications
pub mod job_queue;
pub mod mailer;
pub mod sms_sender;
pub mod webhook_store;
// abuse and evidence
pub mod audit_chain_store;
pub mod audit_log;
pub mod login_guard;
pub mod rate_limiter;
// operation
pub mod check_value_store;
pub mod key_rotation_store;
pub mod sent_message_store;
// time and chance
pub mod clock;
pub mod randomness;

/// How a case went: an unmet expectation is a panic, a port that breaks is an error.
pub type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// A case under way. It may borrow what it runs on.
pub type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// One case of a contract.
pub struct Case<P: ?Sized> {
    /// Its name: what an implementation does.
    pub name: &'static str,
    /// The code of the case.
    pub run: fn(&Setup<P>) -> Running<'_>,
}

impl<P: ?Sized> fmt::Debug for Case<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The inputs of a case: the port, to which it derefs, and a way to race for it.
pub struct Setup<P: ?Sized> {
    /// A fresh implementation.
    pub port: Arc<P>,
    /// Runs tasks at once.
    pub racer: Arc<dyn Racer>,
}

impl<P: ?Sized> fmt::Debug for Setup<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Setup")
    }
}

impl<P: ?Sized> Deref for Setup<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.port
    }
}

impl<P: ?Sized + Send + Sync + 'static> Setup<P> {
    /// The results of `n` runners that race for the port, in no order.
    ///
    /// # Errors
    /// The port's error under one of them.
    ///
    /// # Panics
    /// If a runner did not come back.
    pub async fn race<T, F>(&self, n: u64, runner: impl Fn(Arc<P>, u64) -> F) -> Result<Vec<T>, PortError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, PortError>> + Send + 'static,
    {
        let answers = Arc::new(Locked::<Vec<Result<T, PortError>>>::new(Vec::new()));
        let task = |number| -> Task {
            let run = runner(Arc::clone(&self.port), number);
            let answers = Arc::clone(&answers);
            Box::pin(async move {
                let answer = run.await;
                answers.lock().push(answer);
            })
        };
        let tasks = (0..n).map(task).collect();
        self.racer.race(tasks).await;
        let answers = std::mem::take(&mut *answers.lock());
        assert_eq!(answers.len() as u64, n, "a runner did not come back");
        answers.into_iter().collect()
    }
}

/// The number of answers equal to `answer`.
fn count<T: PartialEq>(answers: &[T], answer: &T) -> usize {
    answers.iter().filter(|other| *other == answer).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::race::{Threads, block_on};
    use crate::world::TestWorld;

    #[test]
    fn the_fakes_keep_every_contract() {
        let cases = all();
        assert!(cases.len() > 100, "{} cases", cases.len());
        for case in cases {
            let backend = Backend::of_fakes(&TestWorld::new(1));
            let outcome = block_on(case.run(&backend, Arc::new(Threads)));
            assert!(outcome.is_ok(), "{case}: {outcome:?}");
        }
    }
}
