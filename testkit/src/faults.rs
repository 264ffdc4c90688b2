//! Fault injection for ports: a call fails before it did anything, or after it did everything, so that its answer is
//! lost; at random, or at the n-th call; or it is slow, by the world's own clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::fake_mac::scramble;
use crate::fakes::clock::FixedClock;
use crate::locked::Locked;
use portcullis_core::ports::error::PortError;

/// When a port breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Nothing was done.
    Before,
    /// Everything was done; only the answer is lost.
    After,
}

/// The effect on the calls that a script matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Break(When),
    Delay(Duration),
}

/// A rule: the calls that it matches, and their fault. Begins as "the next call of any port fails before its work".
///
/// ```
/// use std::time::Duration;
/// use portcullis_testkit::faults::{Script, When};
/// use portcullis_testkit::world::TestWorld;
///
/// let world = TestWorld::new(1);
/// // the third listing does its work, and its answer gets lost
/// world.faults.play(Script::next().port("session_store").method("list").nth(3).breaks(When::After));
/// // every tenth look at an account fails, the same ones for the same seed
/// world.faults.play(Script::next().port("user_store").chance(0.1, 42));
/// // hashing takes two seconds from now on, on the world's own clock
/// world.faults.play(Script::next().port("password_hasher").forever().takes(Duration::from_secs(2)));
/// ```
#[derive(Debug, Clone)]
pub struct Script {
    port: Option<String>,
    method: Option<String>,
    /// Calls that still pass.
    passing: u64,
    /// Calls that it still hits.
    hits: u64,
    /// The share of calls that it hits, and the state of its dice.
    chance: Option<(f64, u64)>,
    effect: Effect,
}

impl Script {
    /// The next call of whichever port breaks before it did anything.
    #[must_use]
    pub const fn next() -> Self {
        Self { port: None, method: None, passing: 0, hits: 1, chance: None, effect: Effect::Break(When::Before) }
    }

    /// Of this port only, e.g. `session_store`.
    #[must_use]
    pub fn port(self, port: impl Into<String>) -> Self {
        Self { port: Some(port.into()), ..self }
    }

    /// Of this method only, e.g. `list`.
    #[must_use]
    pub fn method(self, method: impl Into<String>) -> Self {
        Self { method: Some(method.into()), ..self }
    }

    /// Begins with the `nth` such call from now on; the first is 1.
    #[must_use]
    pub const fn nth(mut self, nth: u64) -> Self {
        self.passing = nth.saturating_sub(1);
        self
    }

    /// Matches this number of calls.
    #[must_use]
    pub const fn times(mut self, times: u64) -> Self {
        self.hits = times;
        self
    }

    /// Every call, until the plan is cleared.
    #[must_use]
    pub const fn forever(self) -> Self {
        self.times(u64::MAX)
    }

    /// Each call with this probability, for ever or for so many [`Script::times`] as are said after it; the same calls
    /// for the same seed.
    #[must_use]
    pub const fn chance(mut self, probability: f64, seed: u64) -> Self {
        self.chance = Some((probability, seed));
        self.forever()
    }

    /// They break, before or after their work.
    #[must_use]
    pub const fn breaks(mut self, when: When) -> Self {
        self.effect = Effect::Break(when);
        self
    }

    /// The calls succeed, and take this long on the world's clock.
    #[must_use]
    pub const fn takes(mut self, time: Duration) -> Self {
        self.effect = Effect::Delay(time);
        self
    }

    /// Checks that its port and method are those of a fake.
    ///
    /// # Errors
    /// The valid names.
    pub fn check(&self) -> Result<(), String> {
        let Some(port) = &self.port else {
            return if self.method.is_none() { Ok(()) } else { Err("a method needs its port".to_owned()) };
        };
        let names = || PORTS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let known = PORTS.iter().find(|(name, _)| name == port);
        let (_, methods) = known.ok_or_else(|| format!("there is no port {port}; there are {}", names()))?;
        match &self.method {
            Some(method) if !methods.contains(&method.as_str()) => {
                Err(format!("{port} has no method {method} that breaks; there are {}", methods.join(", ")))
            }
            _ => Ok(()),
        }
    }

    fn is_about(&self, port: &str, method: &str) -> bool {
        self.port.as_deref().is_none_or(|aim| aim == port) && self.method.as_deref().is_none_or(|aim| aim == method)
    }

    /// Its effect on a call that it matches.
    fn hit(&mut self) -> Option<Effect> {
        if self.passing > 0 {
            self.passing -= 1;
            return None;
        }
        if let Some((probability, state)) = &mut self.chance {
            *state = state.wrapping_add(1);
            // 32 bits are enough to tell probabilities apart, and exact in a double
            let thrown = f64::from(u32::try_from(scramble(*state) >> 32).unwrap_or_default()) / 4_294_967_296.0;
            if thrown >= *probability {
                return None;
            }
        }
        self.hits = self.hits.saturating_sub(u64::from(self.hits != u64::MAX));
        Some(self.effect)
    }
}

/// The ports of which something can break, and their methods that can.
pub const PORTS: &[(&str, &[&str])] = &[
    ("database", &["commit"]),
    ("user_store", &["find", "find_by_email", "list", "ping"]),
    ("registration_store", &["find", "find_by_email", "purge_expired"]),
    ("one_time_token_store", &["find_valid", "find", "try_code", "purge_expired"]),
    (
        "undo_store",
        &["find", "find_by_token", "find_reservation", "list", "take_try", "give_try_back", "purge_expired"],
    ),
    ("credential_store", &["find", "list", "purge_expired"]),
    ("webhook_store", &["find", "list"]),
    ("session_store", &["find", "find_with_account", "list", "purge_expired"]),
    ("token_signer", &["sign"]),
    ("breached_passwords", &["contains"]),
    ("field_cipher", &["new_key", "wrap", "unwrap", "seal", "open"]),
    ("password_hasher", &["hash", "hash_like", "hash_with_salt_of"]),
    (
        "job_queue",
        &[
            "claim",
            "complete",
            "retry_at",
            "dead_letter",
            "list_dead_letters",
            "find_dead_letter",
            "list_about",
            "depth",
        ],
    ),
    ("audit_log", &["of_user", "list"]),
    ("login_guard", &["admit", "withdraw", "succeeded", "admit_factor", "withdraw_factor", "factor_succeeded"]),
    ("rate_limiter", &["take", "is_exhausted", "give_back"]),
    ("mailer", &["send"]),
    ("sms_sender", &["send"]),
    ("webhook_sender", &["send"]),
    ("check_value_store", &["check_value", "check_value_or_insert", "replace_check_value"]),
    ("key_rotation_store", &["count_keys", "keys", "replace_keys", "purge_replaced_keys"]),
    (
        "audit_chain_store",
        &["unlinked", "link", "linked", "newest_link", "linked_chains", "count_damaged", "notes", "put_note"],
    ),
];

#[derive(Debug, Default)]
struct Plan {
    steps: u64,
    tripped: u64,
    calls: BTreeMap<(&'static str, &'static str), u64>,
    scripts: Vec<Script>,
    clock: Option<Arc<FixedClock>>,
}

/// The faults of one call.
#[derive(Debug, Default)]
struct Verdict {
    breaks: Option<When>,
    takes: Duration,
}

impl Plan {
    /// Counts a call, and returns its faults.
    fn step(&mut self, port: &'static str, method: &'static str) -> Verdict {
        self.steps += 1;
        *self.calls.entry((port, method)).or_default() += 1;
        let mut verdict = Verdict::default();
        for script in self.scripts.iter_mut().filter(|script| script.is_about(port, method)) {
            // one that breaks keeps what it has for a later call where another broke this one
            let breaks = matches!(script.effect, Effect::Break(_)) && script.passing == 0;
            if breaks && verdict.breaks.is_some() {
                continue;
            }
            match script.hit() {
                Some(Effect::Break(when)) => verdict.breaks = Some(when),
                Some(Effect::Delay(time)) => verdict.takes += time,
                None => {}
            }
        }
        self.scripts.retain(|script| script.hits > 0);
        self.tripped += u64::from(verdict.breaks.is_some());
        verdict
    }
}

/// The faults of all fakes that share the plan; a clone is the same plan.
#[derive(Debug, Clone, Default)]
pub struct FaultPlan(Arc<Locked<Plan>>);

impl FaultPlan {
    /// A plan in which what takes long moves that clock.
    #[must_use]
    pub fn on(clock: Arc<FixedClock>) -> Self {
        Self(Arc::new(Locked::new(Plan { clock: Some(clock), ..Plan::default() })))
    }

    /// Adds a script to those that are played already.
    ///
    /// # Panics
    /// If it is about a port or method that no fake breaks: it would never be played.
    #[expect(clippy::panic, reason = "test kit: a script that breaks nothing is a failed test")]
    #[track_caller]
    pub fn play(&self, script: Script) {
        if let Err(wrong) = script.check() {
            panic!("{wrong}");
        }
        if script.hits > 0 {
            self.0.lock().scripts.push(script);
        }
    }

    /// The `nth` call from now on, of any port, fails. For a use case that is stopped between any two steps.
    pub fn fail_step(&self, nth: u64, when: When) {
        self.play(Script::next().nth(nth).breaks(when));
    }

    /// Nothing breaks any more; the counts stay.
    pub fn clear(&self) {
        self.0.lock().scripts.clear();
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
        self.plan.play(Script::next().port(self.port).times(n));
    }

    /// The next call of `method` does its work and loses its answer.
    pub fn fail_after_write(&self, method: &'static str) {
        self.fail(method, 1, When::After);
    }

    /// The `nth` call of `method` from now on breaks; the first is 1.
    pub fn fail(&self, method: &'static str, nth: u64, when: When) {
        self.plan.play(Script::next().port(self.port).method(method).nth(nth).breaks(when));
    }

    /// How often `method` was called, broken or not.
    #[must_use]
    pub fn calls(&self, method: &'static str) -> u64 {
        self.plan.0.lock().calls.get(&(self.port, method)).copied().unwrap_or(0)
    }

    /// Does the work unless the plan injects a fault: a fake wraps each of its methods in this.
    ///
    /// # Errors
    /// As the plan says.
    pub fn call<T>(&self, method: &'static str, work: impl FnOnce() -> T) -> Result<T, PortError> {
        let loses = self.begin(method)?;
        let answer = work();
        if loses { Err(self.error(method)) } else { Ok(answer) }
    }

    /// The same around work that is waited for.
    ///
    /// # Errors
    /// As the plan says.
    pub async fn call_async<T>(
        &self,
        method: &'static str,
        work: impl Future<Output = T> + Send,
    ) -> Result<T, PortError> {
        let loses = self.begin(method)?;
        let answer = work.await;
        if loses { Err(self.error(method)) } else { Ok(answer) }
    }

    /// Breaks before the work, or says whether its answer gets lost.
    fn begin(&self, method: &'static str) -> Result<bool, PortError> {
        let (verdict, clock) = {
            let mut plan = self.plan.0.lock();
            (plan.step(self.port, method), plan.clock.clone())
        };
        if let Some(clock) = clock {
            clock.advance(verdict.takes);
        }
        if verdict.breaks == Some(When::Before) {
            return Err(self.error(method));
        }
        Ok(verdict.breaks == Some(When::After))
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
        faults.fail("find", 2, When::Before);
        let mut done = 0;
        let mut find = || faults.call("find", || done += 1).is_ok();
        assert_eq!([find(), find(), find()], [true, false, true]);
        assert_eq!((done, faults.calls("find"), plan.tripped()), (2, 3, 1));
    }

    #[test]
    fn a_lost_answer_leaves_its_work_behind() {
        let plan = FaultPlan::default();
        let faults = Faults::new("user_store", &plan);
        faults.fail_after_write("find");
        let mut done = false;
        assert!(faults.call("find", || done = true).is_err());
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

    #[test]
    fn the_same_seed_gives_the_same_randomness() {
        let broken = |seed| {
            let plan = FaultPlan::default();
            plan.play(Script::next().port("user_store").chance(0.25, seed));
            let faults = Faults::new("user_store", &plan);
            (0..400).map(|_| faults.call("find", || ()).is_err()).collect::<Vec<bool>>()
        };
        let count = broken(1).iter().filter(|broken| **broken).count();
        assert!((60..140).contains(&count), "{count}");
        assert_eq!(broken(1), broken(1));
        assert_ne!(broken(1), broken(2));
    }

    #[test]
    fn a_slow_call_advances_the_clock_and_does_its_work() {
        let clock = Arc::new(FixedClock::new(crate::samples::NOW));
        let plan = FaultPlan::on(clock.clone());
        plan.play(Script::next().port("user_store").nth(2).times(2).takes(Duration::from_secs(3)));
        let faults = Faults::new("user_store", &plan);
        let done: Vec<u64> = (0..5).filter_map(|n| faults.call("find", || n).ok()).collect();
        assert_eq!(done, [0, 1, 2, 3, 4]);
        let now = portcullis_core::ports::clock::Clock::now(&*clock);
        assert_eq!(now.since(crate::samples::NOW), Duration::from_secs(6));
    }

    #[test]
    fn unknown_port_names_are_refused() {
        assert_eq!(Script::next().check(), Ok(()));
        assert_eq!(Script::next().port("session_store").method("list").check(), Ok(()));
        assert!(Script::next().port("sessions").check().unwrap_err().contains("session_store"));
        assert!(Script::next().port("session_store").method("turn").check().unwrap_err().contains("list"));
        assert!(Script::next().method("list").check().is_err());
    }

    #[test]
    #[should_panic(expected = "there is no port sessions; there are database, user_store, ")]
    fn a_script_that_breaks_nothing_is_no_script() {
        FaultPlan::default().play(Script::next().port("sessions"));
    }

    #[test]
    fn times_bounds_random_faults_too() {
        let plan = FaultPlan::default();
        plan.play(Script::next().port("user_store").chance(1.0, 1).times(2));
        let faults = Faults::new("user_store", &plan);
        assert_eq!((0..5).filter(|_| faults.call("find", || ()).is_err()).count(), 2);
    }
}
