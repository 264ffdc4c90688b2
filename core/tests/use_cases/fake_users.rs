//! Made-up people.

use super::{PASSWORD, Play};
use portcullis_core::model::password::Password;
use portcullis_core::use_cases::operator::fake_user::fake_address;
use portcullis_testkit::race::block_on;

#[test]
fn made_up_people_log_in_with_the_hash_they_share_and_are_made_once() {
    let play = Play::new();
    let hash =
        block_on(play.service.ports.hasher.hash(Password::from_login_input(PASSWORD).unwrap(), [3; 16])).unwrap();
    for number in [1, 2, 1_000_000] {
        assert!(block_on(play.service.operators().fake_user(&play.realm, number, &hash)).unwrap());
        assert!(
            !block_on(play.service.operators().fake_user(&play.realm, number, &hash)).unwrap(),
            "{number} is there already"
        );
        let pair =
            block_on(play.service.logins().log_in(&play.realm, &fake_address(number), PASSWORD, &play.client)).unwrap();
        let portcullis_core::use_cases::login::log_in::LoggedIn::Session(pair) = pair else {
            panic!("no second factor")
        };
        let profile = play.service.accounts().show_profile(&play.caller(&pair).unwrap()).unwrap();
        assert_eq!(profile.email.as_str(), fake_address(number));
    }
}
