//! Several instances on MongoDB and Redis, and what happens when one of these fails. Where the environment names no
//! servers the tests are reported as ignored, and as failed where `REQUIRE_BACKENDS` asks for `mongo`.

mod cache;
mod command_line;
mod data_migration;
mod failover;
mod failures;
mod instances;
mod key_rotation;
mod processes;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use portcullis_tests::on_servers;
use tokio::runtime::Runtime;

type Story = (&'static str, fn() -> Pin<Box<dyn Future<Output = ()>>>);

/// Lists tests by name. An unlisted test is dead code, and the compiler says so.
macro_rules! stories {
    ($($module:ident: $($story:ident),+;)+) => {
        &[$($((concat!(stringify!($module), "::", stringify!($story)), || Box::pin($module::$story()))),+),+]
    };
}

const STORIES: &[Story] = stories! {
    instances:
        a_logout_on_one_is_known_to_the_other_at_once,
        who_is_disabled_by_the_command_line_is_dead_on_all,
        limits_are_shared,
        a_link_is_spent_once,
        a_refresh_that_races_on_both_leaves_one_branch,
        every_message_is_sent_once,
        an_emptied_redis_changes_no_answer;
    cache:
        an_entry_is_sealed_and_answers_until_its_time_is_over,
        a_logout_is_honoured_by_the_next_request_on_every_instance,
        what_a_stranger_writes_is_not_believed,
        an_instance_that_cannot_reach_redis_extends_nothing_beyond_the_time_to_live,
        an_emptied_redis_ends_nothing_and_revives_nothing,
        a_time_to_live_of_zero_switches_the_cache_off;
    failover:
        a_killed_primary_loses_nothing_that_was_acknowledged,
        a_server_without_a_replica_set_is_refused_with_the_commands_that_make_one,
        one_node_is_a_replica_set_too;
    failures:
        redis_away_is_degraded_and_nothing_stops,
        a_redis_that_hangs_is_left_alone,
        mongo_away_is_503_within_two_seconds_and_heals_by_itself,
        a_crowd_that_waited_in_vain_stands_in_nobodys_way,
        a_slow_mongo_is_only_slow;
    processes:
        a_killed_instance_loses_nothing,
        a_logout_reaches_the_other_process;
    command_line:
        certificates_must_be_good_unless_told_otherwise,
        doctor_says_what_to_type,
        migrate_makes_what_is_missing_once,
        no_password_reaches_the_log_at_any_level;
    key_rotation:
        no_account_is_lost_and_no_deleted_one_comes_back,
        every_address_is_found_and_none_is_taken_twice,
        instances_of_either_ring_begin_one_account;
    data_migration:
        there_and_back_again,
        what_was_moved_there_and_back_is_the_same,
        killed_in_the_middle_it_goes_on;
};

fn main() -> io::Result<ExitCode> {
    let arguments = Arguments::from_args();
    let missing = on_servers().err();
    let trials = STORIES.iter().map(|(name, story)| match &missing {
        None => Trial::test(*name, || run(*story)),
        Some(missing) if required() => {
            let missing = missing.clone();
            Trial::test(*name, move || Err(Failed::from(missing)))
        }
        Some(_) => Trial::test(*name, || Ok(())).with_ignored_flag(true),
    });
    Ok(libtest_mimic::run(&arguments, trials.collect()).exit_code())
}

#[expect(clippy::disallowed_methods, reason = "a test runner is told by its environment what to insist on")]
fn required() -> bool {
    std::env::var("REQUIRE_BACKENDS").unwrap_or_default().split(',').any(|name| name.trim() == "mongo")
}

fn run(story: fn() -> Pin<Box<dyn Future<Output = ()>>>) -> Result<(), Failed> {
    Runtime::new()?.block_on(story());
    Ok(())
}
