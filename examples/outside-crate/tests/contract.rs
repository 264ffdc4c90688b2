//! The published contract, in one call.

use std::sync::Arc;

use outside_crate::MyLimiter;
use portcullis_testkit::contract::{Backend, prove};
use portcullis_testkit::race::{Threads, block_on};

#[test]
fn my_limiter_keep_the_contract() {
    let fresh = async || Ok(Backend { rate_limiter: Some(Arc::new(MyLimiter::default())), ..Backend::default() });
    let kept = block_on(prove(fresh, Arc::new(Threads)));
    assert!(kept.as_ref().is_ok_and(|kept| *kept > 5), "{kept:#?}");
}
