//! The files of `deploy/` with the real programs: secrets of `deploy/init`, reverse proxies, databases of released schemas. A
//! test whose program is not there is reported as ignored, and as failed if `REQUIRE_PRODUCTION` names its need.

mod checklist;
mod command_line;
mod first_start;
mod installed;
mod own_tls;
mod proxies;
mod proxy_header;
mod proxy_programs;
mod replaced_instances;
mod scrape;
mod traces;
mod upgrade;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use portcullis_tests::on_servers;
use tokio::runtime::Runtime;

type Run = fn() -> Pin<Box<dyn Future<Output = ()>>>;

/// A test: its name, what it needs, and why that is missing.
struct Case {
    name: &'static str,
    need: &'static str,
    missing: Option<String>,
    run: Run,
}

/// Lists the tests of a module that have one need.
macro_rules! cases {
    ($need:literal, $missing:expr, $module:ident: $($case:ident),+) => {
        vec![$(Case {
            name: concat!(stringify!($module), "::", stringify!($case)),
            need: $need,
            missing: $missing,
            run: || Box::pin($module::$case()),
        }),+]
    };
}

fn cases() -> Vec<Case> {
    let program = |name: &str| proxy_programs::find(name).err();
    [
        cases!("", None, first_start: the_files_of_init_start_a_server_in_production, init_keeps_what_it_made),
        cases!(
            "",
            None,
            command_line: healthcheck_says_whether_the_server_of_this_machine_is_ready,
            shells_and_manuals_know_every_command
        ),
        cases!(
            "",
            None,
            own_tls: a_person_logs_in_without_a_proxy,
            a_host_of_http2_is_read_like_that_of_http1,
            requests_of_a_connection_of_http2_share_a_bounded_memory,
            the_key_exchange_is_hybrid_if_the_client_can,
            a_new_certificate_is_read_at_sighup_and_a_broken_one_is_not_used,
            handshakes_that_never_end_keep_nobody_out
        ),
        cases!(
            "",
            None,
            proxy_header: a_listed_proxy_must_send_one_and_others_must_not,
            either_version_names_the_client,
            a_header_that_does_not_come_ends_the_connection,
            a_header_comes_before_tls
        ),
        cases!("", None, upgrade: a_database_of_each_released_schema_is_opened_and_used),
        cases!(
            "",
            None,
            traces: a_trace_spans_request_use_case_store_hash_job_and_message,
            a_caller_decides_whether_its_trace_is_recorded_if_it_is_trusted,
            without_a_collector_requests_are_answered_and_the_log_says_so
        ),
        cases!(
            "",
            None,
            checklist: a_server_that_is_ready_for_production_passes,
            what_is_missing_is_named_with_its_fix
        ),
        cases!("", None, scrape: dashboard_and_alerts_name_metrics_that_exist),
        cases!(
            "mongo",
            on_servers().err().or(program("haproxy")),
            replaced_instances: no_request_fails_while_instances_are_replaced
        ),
        cases!("installed", installed::root().err(), installed: a_person_registers_and_logs_in),
        cases!("proxies", program("nginx"), proxies: nginx, nginx_with_a_path, nginx_that_removes_the_path),
        cases!("proxies", program("haproxy"), proxies: haproxy, haproxy_with_proxy_protocol, haproxy_with_a_path, haproxy_that_removes_the_path),
        cases!("proxies", program("caddy"), proxies: caddy, caddy_with_a_path, caddy_that_removes_the_path),
        cases!("proxies", program("traefik"), proxies: traefik, traefik_with_a_path, traefik_that_removes_the_path),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn main() -> io::Result<ExitCode> {
    let required = required();
    let trials = cases().into_iter().map(|Case { name, need, missing, run }| match missing {
        None => Trial::test(name, move || run_to_end(run)),
        Some(missing) if required.iter().any(|required| required == need) => {
            Trial::test(name, move || Err(Failed::from(missing)))
        }
        Some(_) => Trial::test(name, || Ok(())).with_ignored_flag(true),
    });
    Ok(libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code())
}

#[expect(clippy::disallowed_methods, reason = "a test runner is told by its environment what to insist on")]
fn required() -> Vec<String> {
    std::env::var("REQUIRE_PRODUCTION").unwrap_or_default().split(',').map(|need| need.trim().to_owned()).collect()
}

fn run_to_end(run: Run) -> Result<(), Failed> {
    Runtime::new()?.block_on(run());
    Ok(())
}
