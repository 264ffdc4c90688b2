//! Connections: requests that are too long, too slow or too many are refused or closed, and the client sees the answer.

use std::time::{Duration, Instant};

use portcullis_tests::TestServer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn connect(server: &TestServer) -> TcpStream {
    TcpStream::connect(server.address()).await.unwrap()
}

/// The answer to a request whose connection is closed after it.
async fn answer(server: &TestServer, head: &str) -> String {
    let mut stream = connect(server).await;
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

/// Reads until the server closes the connection; how long that took.
async fn closed_after(stream: &mut TcpStream) -> Duration {
    let begun = Instant::now();
    let mut sink = vec![0; 65_536];
    while stream.read(&mut sink).await.is_ok_and(|read| read > 0) {}
    begun.elapsed()
}

#[tokio::test]
async fn a_head_that_is_too_long_or_has_no_host_is_answered_in_our_form() {
    let server = TestServer::start().await;
    let close = "Host: x\r\nConnection: close\r\n";
    let long = |length: usize| "x".repeat(length);
    for (head, status, code) in [
        (format!("GET /livez?{} HTTP/1.1\r\n{close}\r\n", long(9000)), "414", "uri_too_long"),
        (format!("GET /livez HTTP/1.1\r\n{close}X-Long: {}\r\n\r\n", long(33_000)), "431", "headers_too_large"),
        ("GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(), "400", "malformed_request"),
        (format!("GET /livez HTTP/1.1\r\nHost: y\r\n{close}\r\n"), "400", "malformed_request"),
        ("GET /livez HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n".to_owned(), "400", "malformed_request"),
    ] {
        let answer = answer(&server, &head).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(code), "{answer}");
        assert!(answer.contains("x-content-type-options"), "{answer}");
    }
    let library = answer(&server, &format!("GET /livez HTTP/1.1\r\n{close}X-Long: {}\r\n\r\n", long(80_000))).await;
    assert!(library.starts_with("HTTP/1.1 431"), "{library}");
    let fine = answer(&server, &format!("GET /livez HTTP/1.1\r\n{close}X-Long: {}\r\n\r\n", long(30_000))).await;
    assert!(fine.starts_with("HTTP/1.1 200"), "{fine}");
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_request_within_the_time_keeps_it() {
    let server = TestServer::start_with(&[("KEEP_ALIVE", "1s")]).await;
    let mut stream = connect(&server).await;
    let mut buffer = vec![0; 4096];
    for _ in 0..3 {
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert!(stream.read(&mut buffer).await.unwrap() > 0);
    }
    let idle = closed_after(&mut stream).await;
    assert!(idle >= Duration::from_millis(900) && idle < Duration::from_secs(8), "{idle:?}");
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answers_is_closed() {
    let server = TestServer::start().await;
    let mut stream = connect(&server).await;
    // 3.5 MB each, never read: the socket's buffers are full after a few
    for _ in 0..20 {
        stream.write_all(b"GET /assets/scalar.standalone.js HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    }
    let begun = Instant::now();
    // a closed peer answers our bytes with a reset
    while stream.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it is not closed");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(begun.elapsed() > Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_address_beyond_its_limit_loses_its_longest_idle_connection() {
    let server = TestServer::start_with(&[("MAX_CONNECTIONS_PER_ADDRESS", "4")]).await;
    let mut idle = Vec::new();
    for _ in 0..4 {
        idle.push(connect(&server).await);
    }
    let answer = answer(&server, "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let closed = closed_after(&mut idle[0]).await;
    assert!(closed < Duration::from_secs(5), "{closed:?}");
}

#[tokio::test]
async fn requests_whose_bodies_never_end_keep_nobody_out() {
    let server = TestServer::start_with(&[("MAX_CONNECTIONS", "4")]).await;
    let head = "POST /User1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                Content-Length: 100\r\n\r\nusername=";
    let mut slow = Vec::new();
    for _ in 0..4 {
        let mut stream = connect(&server).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let body = "username=nobody%40example.org&password=wrong";
    let login = format!(
        "POST /User1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = answer(&server, &login).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

#[tokio::test]
async fn a_body_may_be_slow_and_must_not_stand_still() {
    let server = TestServer::start().await;
    let mut stream = connect(&server).await;
    let head = "POST /User1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                Content-Length: 100\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let begun = Instant::now();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("connection: close"), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(20));
}

/// Also an answer that comes before the body: the client sends everything, and then reads.
#[tokio::test]
async fn a_client_always_sees_the_answer() {
    let server = TestServer::start().await;
    for (path, length, status) in
        [("/User1/nothing", 60_000, "404"), ("/User1/update", 60_000, "405"), ("/User1/login", 900_000, "413")]
    {
        for _ in 0..5 {
            let mut stream = connect(&server).await;
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                 Content-Length: {length}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            for chunk in vec![b'x'; length].chunks(10_000) {
                stream.write_all(chunk).await.unwrap();
            }
            // and the connection is good for the next request
            stream.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
            let mut answers = String::new();
            stream.read_to_string(&mut answers).await.unwrap();
            assert!(answers.starts_with(&format!("HTTP/1.1 {status}")), "{answers}");
            assert!(answers.contains("HTTP/1.1 200"), "{answers}");
        }
    }
}
