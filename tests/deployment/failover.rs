//! The primary of the replica set dies while clients register; a server without a replica set is refused.

use std::process::Command;
use std::time::{Duration, Instant};

use portcullis_test_services::mongodb::{ELECTION_TIMEOUT, ReplicaSet, program};
use portcullis_test_services::process::{Process, free_port, new_folder};
use portcullis_test_services::root;
use portcullis_tests::process::call;
use portcullis_tests::{Person, TestServer};

/// How many clients register at the same time.
const CLIENTS: usize = 4;
/// How long they go on after the primary died.
const AFTERWARDS: Duration = Duration::from_secs(12);

/// The observations of one client: the addresses that were acknowledged, and the longest pause between two of them.
struct Seen {
    acknowledged: Vec<String>,
    refused: u32,
    longest_pause: Duration,
}

async fn register(server: portcullis_tests::Api, client: usize, until: Instant) -> Seen {
    let mut seen = Seen { acknowledged: Vec::new(), refused: 0, longest_pause: Duration::ZERO };
    let mut last = Instant::now();
    for number in 0.. {
        if Instant::now() > until {
            break;
        }
        let email = format!("client-{client}-{number}@example.com");
        let answer = server.post("/create", &Person::named(&email).form).await;
        match answer.status.as_u16() {
            201 => {
                seen.longest_pause = seen.longest_pause.max(last.elapsed());
                last = Instant::now();
                seen.acknowledged.push(email);
            }
            503 => {
                assert!(!answer.header("retry-after").is_empty(), "a refusal says when to come again");
                seen.refused += 1;
            }
            other => panic!("{other}: {}", answer.text),
        }
    }
    seen
}

pub async fn a_killed_primary_loses_nothing_that_was_acknowledged() {
    let set = tokio::task::spawn_blocking(|| ReplicaSet::start(&root(), 3)).await.unwrap();
    let mut set = set.expect("a replica set of its own");
    let server = TestServer::start_with(&[("MONGO_URL", &set.url()), ("MONGO_DB", "failover")]).await;
    let api = server.realm("User1");
    let until = Instant::now() + Duration::from_secs(2) + AFTERWARDS;
    let clients: Vec<_> = (0..CLIENTS).map(|client| tokio::spawn(register(api.clone(), client, until))).collect();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let set = tokio::task::spawn_blocking(move || set.kill_primary().map(|_| set)).await.unwrap().unwrap();
    let mut all = Seen { acknowledged: Vec::new(), refused: 0, longest_pause: Duration::ZERO };
    for client in clients {
        let seen = client.await.unwrap();
        all.acknowledged.extend(seen.acknowledged);
        all.refused += seen.refused;
        all.longest_pause = all.longest_pause.max(seen.longest_pause);
    }
    // the length belongs into the report; the bound is generous on purpose
    let (count, refused, pause) = (all.acknowledged.len(), all.refused, all.longest_pause);
    println!("failover: {count} acknowledged, {refused} refused with 503, longest pause {} ms", pause.as_millis());
    assert!(pause < ELECTION_TIMEOUT * 10, "writes succeed within ten election timeouts: {pause:?}");
    for email in &all.acknowledged {
        let answer = api.login(email, "SecureP@ssw0rd123!").await.expect(403);
        assert_eq!(answer.code(), "email_not_verified", "{email} was acknowledged and is stored");
    }
    drop(set);
}

pub async fn a_server_without_a_replica_set_is_refused_with_the_commands_that_make_one() {
    let alone = tokio::task::spawn_blocking(|| {
        let (root, port) = (root(), free_port()?);
        let folder = new_folder(&root, "standalone", port)?;
        let mut command = Command::new(program(&root)?);
        command.args(["--bind_ip", "127.0.0.1", "--port", &port.to_string(), "--quiet", "--dbpath"]).arg(&folder);
        Process::start(command, folder, port)
    });
    let alone = alone.await.unwrap().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let settings = vec![("MONGO_URL".to_owned(), format!("mongodb://{}", alone.address()))];
    let (code, _, error) = call(folder.path(), &settings, &["migrate"]);
    assert_ne!(code, 0);
    assert!(error.contains("--replSet") && error.contains("rs.initiate()"), "{error}");
}

pub async fn one_node_is_a_replica_set_too() {
    let set = tokio::task::spawn_blocking(|| ReplicaSet::start(&root(), 1)).await.unwrap().unwrap();
    let server = TestServer::start_with(&[("MONGO_URL", &set.url()), ("MONGO_DB", "one_node")]).await;
    let (john, _) = server.realm("User1").logged_in(&Person::john()).await;
    let _ = john.get("/").await.expect(200);
}
