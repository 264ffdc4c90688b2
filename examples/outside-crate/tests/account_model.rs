//! The reference model over my store.

use std::sync::Arc;

use outside_crate::MyLimiter;
use portcullis_core::service::Ports;
use portcullis_testkit::account_model::{Harness, ModelRun, ModelTest, ServiceDriver, Waiting, run_model};
use portcullis_testkit::race::block_on;
use portcullis_testkit::world::TestWorld;
use proptest::test_runner::Config;
use proptest_state_machine::prop_state_machine;

struct OverMyLimiter(ModelRun<ServiceDriver>);

impl Harness for OverMyLimiter {
    type Driver = ServiceDriver;

    fn set_up() -> Self {
        let world = TestWorld::new(1);
        let ports = Ports { limiter: Arc::new(MyLimiter::default()), ..world.ports() };
        Self(ModelRun::new(ServiceDriver::over_ports(&world, ports)))
    }

    fn model(&mut self) -> &mut ModelRun<ServiceDriver> {
        &mut self.0
    }

    fn wait<T>(&mut self, work: impl for<'a> Fn(&'a mut ModelRun<ServiceDriver>) -> Waiting<'a, T>) -> T {
        block_on(work(&mut self.0))
    }
}

#[test]
fn the_service_agrees_with_the_model() {
    let stats = run_model::<OverMyLimiter>(30, 100, 1).unwrap_or_else(|story| panic!("{story}"));
    println!("{stats}");
}

prop_state_machine! {
    #![proptest_config(Config { cases: 10, failure_persistence: None, ..Config::default() })]

    /// The same by proptest's own macro: it shrinks a failing sequence.
    #[test]
    fn by_the_macro(sequential 1..60 => ModelTest<OverMyLimiter>);
}
