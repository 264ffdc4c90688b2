//! Connections: accepted, bounded in time, drained at the end.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt as _;

use crate::config::Listen;

/// How long a request's head may take to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a stop waits for requests that have begun.
const DRAIN: Duration = Duration::from_secs(30);

/// Opens the port.
///
/// # Errors
/// What was tried, why it failed and how to mend it.
pub async fn bind(listen: &Listen) -> Result<TcpListener, String> {
    let Listen { host, port } = listen;
    TcpListener::bind((host.as_str(), *port)).await.map_err(|error| {
        let mend = match error.kind() {
            std::io::ErrorKind::AddrInUse => "another process has this port: stop it, or set PORT to another one",
            std::io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege: set PORT to a higher one",
            _ => "HOST must be an address of this machine",
        };
        format!("cannot listen on {host}:{port} (HOST and PORT): {error}. Mend: {mend}.")
    })
}

/// Ends on SIGTERM or SIGINT.
pub async fn shutdown_signal() {
    let interrupted = tokio::signal::ctrl_c();
    let Ok(mut terminated) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
        let _ = interrupted.await;
        return;
    };
    tokio::select! {
        _ = interrupted => {}
        _ = terminated.recv() => {}
    }
}

/// Serves until `stop` ends, then lets what has begun finish.
pub async fn run(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, peer)) => serve_connection(stream, peer, router.clone(), &graceful),
            Err(error) => {
                // out of descriptors, mostly: wait for some to be closed rather than spin
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests were cut off after {} s", DRAIN.as_secs());
    }
}

fn serve_connection(stream: TcpStream, peer: SocketAddr, router: Router, graceful: &GracefulShutdown) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request.map(Body::new))
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(20)).max_concurrent_streams(128);
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    let watched = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = watched.await {
            tracing::debug!("a connection broke: {error}");
        }
    });
}
