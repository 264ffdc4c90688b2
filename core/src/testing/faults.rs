//! Ports that break on purpose: before they did anything, or after they did it all and their answer got lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ports::error::PortError;
use crate::testing::locked::Locked;

/// When a port breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Nothing was done.
    Before,
    /// Everything was done; only the answer is lost.
    After,
}

#[derive(Debug, Clone, Copy)]
enum Aim {
    AnyPort,
    Port(&'static str),
    Method(&'static str, &'static str),
}

impl Aim {
    fn hits(self, port: &str, method: &str) -> bool {
        match self {
            Self::AnyPort => true,
            Self::Port(aim) => aim == port,
            Self::Method(aim, name) => aim == port && name == method,
        }
    }
}

#[derive(Debug)]
struct Fault {
    aim: Aim,
    /// Calls that still pass.
    passing: u64,
    /// Calls that still break.
    breaking: u64,
    when: When,
}

#[derive(Debug, Default)]
struct Plan {
    steps: u64,
    tripped: u64,
    calls: BTreeMap<(&'static str, &'static str), u64>,
    faults: Vec<Fault>,
}

impl Plan {
    /// Counts a call, and says whether and when it breaks.
    fn step(&mut self, port: &'static str, method: &'static str) -> Option<When> {
        self.steps += 1;
        *self.calls.entry((port, method)).or_default() += 1;
        let mut verdict = None;
        for fault in self.faults.iter_mut().filter(|fault| fault.aim.hits(port, method)) {
            if fault.passing > 0 {
                fault.passing -= 1;
            } else if verdict.is_none() {
                fault.breaking -= 1;
                verdict = Some(fault.when);
            }
        }
        self.faults.retain(|fault| fault.breaking > 0);
        self.tripped += u64::from(verdict.is_some());
        verdict
    }
}

/// What breaks among all fakes that share the plan; a clone is the same plan.
#[derive(Debug, Clone, Default)]
pub struct FaultPlan(Arc<Locked<Plan>>);

impl FaultPlan {
    /// The `nth` call from now on, of whichever port, breaks. For a story that is stopped between any two steps.
    pub fn fail_step(&self, nth: u64, when: When) {
        self.add(Aim::AnyPort, nth, 1, when);
    }

    /// Nothing breaks any more; the counts stay.
    pub fn clear(&self) {
        self.0.lock().faults.clear();
    }

    /// How many calls there were, of all ports.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.0.lock().steps
    }

    /// How many calls were broken.
    #[must_use]
    pub fn tripped(&self) -> u64 {
        self.0.lock().tripped
    }

    fn add(&self, aim: Aim, nth: u64, breaking: u64, when: When) {
        if breaking > 0 {
            self.0.lock().faults.push(Fault { aim, passing: nth.saturating_sub(1), breaking, when });
        }
    }
}

/// One port's view of a plan.
#[derive(Debug, Clone)]
pub struct Faults {
    port: &'static str,
    plan: FaultPlan,
}

impl Faults {
    /// The view of `port`.
    #[must_use]
    pub fn new(port: &'static str, plan: &FaultPlan) -> Self {
        Self { port, plan: plan.clone() }
    }

    /// The next `n` calls of this port, whichever they are, break before they do anything.
    pub fn fail_next(&self, n: u64) {
        self.plan.add(Aim::Port(self.port), 1, n, When::Before);
    }

    /// The next call of `method` does its work and loses its answer.
    pub fn fail_after_write(&self, method: &'static str) {
        self.fail(method, 1, When::After);
    }

    /// The `nth` call of `method` from now on breaks; the first is 1.
    pub fn fail(&self, method: &'static str, nth: u64, when: When) {
        self.plan.add(Aim::Method(self.port, method), nth, 1, when);
    }

    /// How often `method` was called, broken or not.
    #[must_use]
    pub fn calls(&self, method: &'static str) -> u64 {
        self.plan.0.lock().calls.get(&(self.port, method)).copied().unwrap_or(0)
    }

    /// Does the work unless the plan says otherwise.
    pub(crate) fn call<T>(&self, method: &'static str, work: impl FnOnce() -> T) -> Result<T, PortError> {
        let verdict = self.plan.0.lock().step(self.port, method);
        if verdict == Some(When::Before) {
            return Err(self.error(method));
        }
        let answer = work();
        if verdict == Some(When::After) { Err(self.error(method)) } else { Ok(answer) }
    }

    fn error(&self, method: &str) -> PortError {
        PortError::new(self.port, format!("{method}: broken on purpose"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_call_breaks_and_no_other() {
        let plan = FaultPlan::default();
        let faults = Faults::new("user_store", &plan);
        faults.fail("insert", 2, When::Before);
        let mut done = 0;
        let mut insert = || faults.call("insert", || done += 1).is_ok();
        assert_eq!([insert(), insert(), insert()], [true, false, true]);
        assert_eq!((done, faults.calls("insert"), plan.tripped()), (2, 3, 1));
    }

    #[test]
    fn a_lost_answer_leaves_its_work_behind() {
        let plan = FaultPlan::default();
        let faults = Faults::new("user_store", &plan);
        faults.fail_after_write("insert");
        let mut done = false;
        assert!(faults.call("insert", || done = true).is_err());
        assert!(done);
    }

    #[test]
    fn steps_count_over_all_ports() {
        let plan = FaultPlan::default();
        let (users, sessions) = (Faults::new("user_store", &plan), Faults::new("session_store", &plan));
        plan.fail_step(2, When::Before);
        assert!(users.call("find", || ()).is_ok());
        assert!(sessions.call("find", || ()).is_err());
        users.fail_next(2);
        assert!(sessions.call("find", || ()).is_ok());
        assert!(users.call("find", || ()).is_err());
        plan.clear();
        assert!(users.call("find", || ()).is_ok());
        assert_eq!((plan.steps(), plan.tripped()), (5, 2));
    }
}
