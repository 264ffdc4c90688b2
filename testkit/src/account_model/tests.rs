//! The reference model of an account's life against the use cases over fakes, with ports that fail between any two
//! steps; and against a service with a hole in it, which it finds.

use std::sync::Arc;

use crate::account_model::{
    Harness, ModelRun, Post, RunStats, ServiceDriver, Step, TestRealm, Waiting, WorldDriver, run_model,
};
use crate::faulty_token_store::{FaultyDatabase, uses_up_nothing};
use crate::race::block_on;
use crate::world::TestWorld;
use portcullis_core::policy::{Lifetimes, Policy};
use portcullis_core::service::{AuthService, Ports};

/// The seed of the runs; printed with whatever fails.
const SEED: u64 = 7;

struct OverFakes(ModelRun<WorldDriver>);

impl Harness for OverFakes {
    type Driver = WorldDriver;

    fn set_up() -> Self {
        Self(ModelRun::new(ServiceDriver::over(&TestWorld::new(7))))
    }

    fn model(&mut self) -> &mut ModelRun<WorldDriver> {
        &mut self.0
    }

    fn wait<T>(&mut self, work: impl for<'a> Fn(&'a mut ModelRun<WorldDriver>) -> Waiting<'a, T>) -> T {
        block_on(work(&mut self.0))
    }
}

/// Answers that the runs must meet.
const MET: [&str; 61] = [
    "Register → Registered",
    "FollowLink → Verified",
    "FollowLink → InvalidToken",
    "RejectLink → Done",
    "TypeCode → Verified",
    "TypeCode → InvalidToken",
    "LogIn → Pair",
    "LogIn → MfaRequired",
    "LogIn → InvalidCredentials",
    "LogIn → EmailNotVerified",
    "SecondFactor → Pair",
    "SecondFactor → InvalidToken",
    "Refresh → Pair",
    "Refresh → InvalidGrant",
    "LogOut → Done",
    "LogOutEverywhere → Done",
    "Reset → Done",
    "Reset → InvalidToken",
    "Undo → Done",
    "Undo → WrongPassword",
    "Undo → InvalidToken",
    "ChangePassword → Pair",
    "ChangePassword → WrongPassword",
    "ChangeEmail → Done",
    "ChangeEmail → WrongPassword",
    "ChangeEmail → ReauthenticationRequired",
    "SendOtp → Challenge",
    "VerifyOtp → Done",
    "VerifyOtp → InvalidToken",
    "SetMfa → Done",
    "SetMfa → PhoneNotVerified",
    "SetMfa → ReauthenticationRequired",
    "LogIn → EnrolmentRequired",
    "ConfirmEnrolment → Offer",
    "ConfirmEnrolment → InvalidToken",
    "Enrol → Enrolled",
    "Enrol → InvalidToken",
    "RememberDevice → Remembered",
    "LogInFromDevice → Pair",
    "LogInFromDevice → MfaRequired",
    "LogInWithPasskey → Pair",
    "LogInWithPasskey → InvalidPasskey",
    "PasskeyFactor → Pair",
    "PasskeyFactor → InvalidToken",
    "AddPasskey → BackupCodes",
    "AddPasskey → ReauthenticationRequired",
    "RemovePasskey → Done",
    "RemovePasskey → NotFound",
    "RemovePasskey → ReauthenticationRequired",
    "AddApp → BackupCodes",
    "AddApp → TotpOn",
    "AddApp → ReauthenticationRequired",
    "RemoveApp → Done",
    "RemoveApp → ReauthenticationRequired",
    "Delete → Done",
    "Delete → WrongPassword",
    "Delete → ReauthenticationRequired",
    "Delete → NotAuthenticated",
    "Disable → Done",
    "Disable → NotFound",
    "Enable → Done",
];

fn play(seed: u64) -> RunStats {
    run_model::<OverFakes>(200, 150, seed).unwrap_or_else(|story| panic!("{story}"))
}

#[test]
fn the_service_agrees_with_the_model() {
    let stats = play(SEED);
    println!("{stats}");
    assert!(stats.steps > 10_000 && stats.cut_short > 200, "{stats}");
    // every request got somewhere, and every refusal was met
    for met in MET {
        assert!(stats.answers.contains_key(met), "no {met} in\n{stats}");
    }
}

#[test]
fn the_service_agrees_with_the_model_from_other_seeds() {
    assert!(play(SEED + 1).steps > 10_000);
}

/// A service whose one-time tokens are not used up.
struct OverGenerous(ModelRun<ServiceDriver>);

impl Harness for OverGenerous {
    type Driver = ServiceDriver;

    fn set_up() -> Self {
        let world = TestWorld::new(7);
        let ports = world.ports();
        let database = FaultyDatabase { inner: ports.database, fault: uses_up_nothing };
        let ports = Ports { database: Arc::new(database), ..ports };
        Self(ModelRun::new(ServiceDriver::over_ports(&world, ports)))
    }

    fn model(&mut self) -> &mut ModelRun<ServiceDriver> {
        &mut self.0
    }

    fn wait<T>(&mut self, work: impl for<'a> Fn(&'a mut ModelRun<ServiceDriver>) -> Waiting<'a, T>) -> T {
        block_on(work(&mut self.0))
    }
}

const ADA: &str = "ada@example.com";
const USUAL: &str = "kq7!Zp2#vW9x-tulip";
const DAY: i64 = 86_400;

/// The steps of a client that registers and logs in.
fn logged_in() -> Vec<Step> {
    vec![
        Step::Register { realm: TestRealm::First, email: ADA, password: USUAL },
        Step::FollowLink { nth: 0, any: false, elsewhere: false },
        Step::LogIn { realm: TestRealm::First, email: ADA, password: USUAL },
    ]
}

/// Runs these steps, one by one. Fails with the answer that no state explains.
fn run_steps<S: Harness>(steps: impl IntoIterator<Item = Step>) -> Result<RunStats, String> {
    let mut stage = S::set_up();
    for step in steps {
        stage.wait(|model| {
            let step = step.clone();
            Box::pin(async move { model.run_step(&step).await })
        })?;
    }
    stage.wait(|model| Box::pin(model.check_invariants()))?;
    Ok(stage.model().stats().clone())
}

/// The shortest sequence that shows the hole: no seed decides whether it is found.
#[test]
fn a_code_that_can_be_used_twice_is_found() {
    let answer = Step::AnswerChallenge { nth: 0, wrong: false, crossed: false };
    let twice = [Step::SendOtp { nth: 0 }, answer.clone(), answer];
    let sequence = || logged_in().into_iter().chain(twice.clone());
    assert!(run_steps::<OverFakes>(sequence()).is_ok());
    let story = run_steps::<OverGenerous>(sequence()).expect_err("a hole in the service");
    assert!(story.starts_with("VerifyOtp"), "{story}");
}

/// A failing random sequence is shrunk to the steps that reproduce the failure. A seed without one is skipped.
#[test]
fn a_failing_sequence_is_shrunk() {
    let found = (SEED..SEED + 20).find_map(|seed| Some((seed, run_model::<OverGenerous>(200, 150, seed).err()?)));
    let (seed, story) = found.expect("a hole in the service");
    println!("{story}");
    assert!(story.starts_with(&format!("seed {seed}, ")), "{story}");
    assert!(story.lines().filter(|line| line.starts_with("  ") && line.contains('{')).count() <= 12, "{story}");
}

/// Three weeks and three weeks are more than a session may lie unused; a refresh in between extends it, ninety days
/// are its end all the same.
#[test]
fn a_session_in_use_outlives_its_idle_time_and_not_its_longest() {
    let refresh = Step::Refresh { nth: 0, lost: false, elsewhere: false };
    let weeks = [Step::Pass { seconds: 21 * DAY }, refresh];
    let used = |turns: usize| logged_in().into_iter().chain(weeks.iter().cycle().take(2 * turns).cloned());
    let stats = run_steps::<OverFakes>(used(4)).unwrap();
    assert_eq!(stats.answers.get("Refresh → Pair"), Some(&4), "{stats}");
    assert!(run_steps::<OverForgetful>(used(1)).is_ok());
    assert!(run_steps::<OverForgetful>(used(2)).is_err_and(|story| story.starts_with("Refresh(")));
    let stats = run_steps::<OverFakes>(used(5)).unwrap();
    assert_eq!(stats.answers.get("Refresh → InvalidGrant"), Some(&1), "{stats}");
}

/// A service that never extends a session.
struct OverForgetful(ModelRun<ServiceDriver>);

impl Harness for OverForgetful {
    type Driver = ServiceDriver;

    fn set_up() -> Self {
        let world = TestWorld::new(7);
        let post = Post {
            mailer: world.mailer.clone(),
            sms_sender: world.sms_sender.clone(),
            clock: world.clock.clone(),
            faults: None,
        };
        let usual = Policy { limits_on: false, ..Policy::default() };
        let lifetimes = Lifetimes { refresh_max: usual.lifetimes.refresh_idle, ..usual.lifetimes };
        let policy = Policy { lifetimes, ..usual };
        Self(ModelRun::new(ServiceDriver::new(AuthService::new(world.ports(), policy), post)))
    }

    fn model(&mut self) -> &mut ModelRun<ServiceDriver> {
        &mut self.0
    }

    fn wait<T>(&mut self, work: impl for<'a> Fn(&'a mut ModelRun<ServiceDriver>) -> Waiting<'a, T>) -> T {
        block_on(work(&mut self.0))
    }
}

/// Plays these steps over fakes and compares how often each answer came.
fn expect(steps: impl IntoIterator<Item = Step>, wanted: &[(&str, u64)]) {
    let stats = run_steps::<OverFakes>(steps).unwrap_or_else(|story| panic!("{story}"));
    for (answer, count) in wanted {
        assert_eq!(stats.answers.get(*answer), Some(count), "{answer}\n{stats}");
    }
}

#[test]
fn a_required_factor_comes_first_and_the_last_one_stays() {
    let (realm, password) = (TestRealm::Second, None);
    let steps = [
        Step::Register { realm, email: ADA, password: USUAL },
        Step::FollowLink { nth: 0, any: false, elsewhere: false },
        Step::LogIn { realm, email: ADA, password: USUAL },
        Step::ConfirmEnrolment { nth: 0, wrong: true, elsewhere: false },
        Step::ConfirmEnrolment { nth: 0, wrong: false, elsewhere: true },
        Step::ConfirmEnrolment { nth: 0, wrong: false, elsewhere: false },
        Step::ConfirmEnrolment { nth: 0, wrong: false, elsewhere: false },
        Step::Enrol { nth: 0, passkey: true },
        Step::Enrol { nth: 0, passkey: false },
        Step::RemovePasskey { nth: 0, passkey: 1, password },
        Step::RemovePasskey { nth: 0, passkey: 0, password },
        Step::AddApp { nth: 0, password },
        Step::RemovePasskey { nth: 0, passkey: 0, password },
        Step::LogInWithPasskey { nth: 0, elsewhere: false },
        Step::RemoveApp { nth: 0, password },
    ];
    let wanted = [
        ("ConfirmEnrolment → InvalidToken", 3),
        ("ConfirmEnrolment → Offer", 1),
        ("Enrol → Enrolled", 1),
        ("Enrol → InvalidToken", 1),
        ("RemovePasskey → LastFactor", 1),
        ("RemovePasskey → Done", 1),
        ("LogInWithPasskey → InvalidPasskey", 1),
        ("RemoveApp → LastFactor", 1),
    ];
    expect(steps, &wanted);
}

#[test]
fn a_reset_forgets_devices_and_keeps_passkeys() {
    let (realm, other) = (TestRealm::First, "Mj4$rB8?nL1c-garden");
    let from_device = |password| Step::LogInFromDevice { nth: 0, password, elsewhere: false };
    let steps = [
        Step::AddPasskey { nth: 0, password: None },
        Step::LogIn { realm, email: ADA, password: USUAL },
        Step::RememberDevice { nth: 0, code: Some(0) },
        from_device(USUAL),
        from_device(USUAL),
        Step::RequestReset { realm, email: ADA },
        Step::Reset { nth: 0, any: false, password: other },
        from_device(other),
        Step::LogInWithPasskey { nth: 0, elsewhere: false },
        Step::LogInWithPasskey { nth: 0, elsewhere: true },
    ];
    let wanted = [
        ("RememberDevice → Remembered", 1),
        ("LogInFromDevice → Pair", 2),
        ("LogInFromDevice → MfaRequired", 1),
        ("LogInWithPasskey → Pair", 1),
        ("LogInWithPasskey → InvalidPasskey", 1),
    ];
    expect(logged_in().into_iter().chain(steps), &wanted);
}

/// The thief of a refresh token may have the token of the device, too.
#[test]
fn a_stolen_session_takes_its_device_with_it() {
    let refresh = |nth| Step::Refresh { nth, lost: false, elsewhere: false };
    let from_device = || Step::LogInFromDevice { nth: 0, password: USUAL, elsewhere: false };
    let steps = [
        Step::AddPasskey { nth: 0, password: None },
        Step::LogIn { realm: TestRealm::First, email: ADA, password: USUAL },
        Step::RememberDevice { nth: 0, code: Some(0) },
        refresh(0),
        refresh(0),
        refresh(2),
        from_device(),
    ];
    let wanted = [("Refresh → InvalidGrant", 1), ("LogInFromDevice → MfaRequired", 1)];
    expect(logged_in().into_iter().chain(steps), &wanted);
}

#[test]
fn a_disabled_account_answers_like_an_unknown_one_and_needs_its_password_after_enabling() {
    let (realm, email) = (TestRealm::First, ADA);
    let steps = [
        Step::RequestReset { realm, email },
        Step::SendOtp { nth: 0 },
        Step::Disable { realm, email },
        Step::LogIn { realm, email, password: USUAL },
        Step::Refresh { nth: 0, lost: false, elsewhere: false },
        Step::AnswerChallenge { nth: 0, wrong: false, crossed: false },
        Step::Reset { nth: 0, any: false, password: USUAL },
        Step::RequestReset { realm, email },
        Step::Register { realm, email, password: USUAL },
        Step::Disable { realm, email },
        Step::Enable { realm, email },
        Step::Refresh { nth: 0, lost: false, elsewhere: false },
        Step::Reset { nth: 0, any: false, password: USUAL },
        Step::LogIn { realm, email, password: USUAL },
        Step::Disable { realm, email: "eve@example.net" },
    ];
    let stats = run_steps::<OverFakes>(logged_in().into_iter().chain(steps)).unwrap();
    let times = |answer: &str| stats.answers.get(answer).copied().unwrap_or_default();
    assert_eq!((times("LogIn → Pair"), times("LogIn → InvalidCredentials")), (2, 1), "{stats}");
    assert_eq!((times("Refresh → InvalidGrant"), times("Reset → InvalidToken")), (2, 2), "{stats}");
    assert_eq!((times("VerifyOtp → InvalidToken"), times("Disable → Done")), (1, 2), "{stats}");
    assert_eq!((times("Enable → Done"), times("Disable → NotFound")), (1, 1), "{stats}");
}
