//! `oathtool` (OATH Toolkit), an implementation of RFC 6238 of its own, and the codes of `core`.

use std::process::Command;

use portcullis_core::model::time::Timestamp;
use portcullis_core::model::totp::{TotpSecret, step_at};
use portcullis_core::ports::randomness::Randomness as _;
use portcullis_testkit::fakes::randomness::SeededRandomness;

#[test]
fn codes_agree_with_oathtool_for_any_key_and_time() {
    let randomness = SeededRandomness::new(11);
    for _ in 0..40 {
        let mut time = [0; 4];
        randomness.fill(&mut time);
        let seconds = i64::from(u32::from_be_bytes(time));
        let secret = TotpSecret::random(|bytes| randomness.fill(bytes));
        let key = secret.to_base32();
        let mut oathtool = Command::new("oathtool");
        oathtool.args(["--totp", "--base32", "--now", &format!("@{seconds}"), key.expose()]);
        let theirs = oathtool.output().expect("oathtool runs (Debian: oathtool; `cargo xtask setup` installs it)");
        let theirs = String::from_utf8(theirs.stdout).unwrap();
        let ours = secret.code_of(step_at(Timestamp::from_millis(seconds * 1000))).unwrap();
        assert_eq!(ours.expose(), theirs.trim(), "{} at {seconds}", key.expose());
    }
}
