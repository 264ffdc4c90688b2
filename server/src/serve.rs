//! Connections: accepted, bounded in time, drained at the end.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tower::ServiceExt as _;

use crate::config::Listen;
use crate::connections::{ConnectionLimits, Connections, Place, WatchedStream};
use crate::http::no_place;
use crate::request_body::RequestBody;

/// The longest head that the HTTP library reads, in bytes. A shorter one that is too long is answered by our middleware.
const HEAD_LIMIT: usize = 65_536;
/// How long a stop waits for requests that have begun.
const DRAIN: Duration = Duration::from_secs(30);

/// The paths that a connection for probes answers.
const PROBES: [&str; 3] = ["/livez", "/readyz", "/health"];

/// Opens the port.
///
/// # Errors
/// What was tried, why it failed, and the fix.
pub async fn bind(listen: &Listen) -> Result<TcpListener, String> {
    let Listen { host, port } = listen;
    TcpListener::bind((host.as_str(), *port)).await.map_err(|error| {
        let fix = match error.kind() {
            std::io::ErrorKind::AddrInUse => "another process has this port: stop it, or set PORT to another one",
            std::io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege: set PORT to a higher one",
            _ => "HOST must be an address of this machine",
        };
        format!("cannot listen on {host}:{port} (HOST and PORT): {error}. Fix: {fix}.")
    })
}

/// Listens for SIGTERM and SIGINT from now on; the future ends with the first of them.
///
/// # Errors
/// When the operating system does not let us.
pub fn shutdown_signal() -> Result<impl Future<Output = ()>, String> {
    let listen = |kind| signal(kind).map_err(|error| format!("signals cannot be listened for: {error}"));
    let (mut terminated, mut interrupted) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    })
}

/// Serves until `stop` ends, then lets what has begun finish.
pub async fn run(listener: TcpListener, router: Router, limits: ConnectionLimits, stop: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let connections = Connections::new(limits);
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                // without a place, not even one for probes, the connection is closed
                if let Some(place) = connections.admit(peer) {
                    serve_connection(stream, peer, router.clone(), &graceful, place);
                }
            }
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

fn serve_connection(stream: TcpStream, peer: SocketAddr, router: Router, graceful: &GracefulShutdown, place: Place) {
    let _ = stream.set_nodelay(true);
    let (connection, keep_alive, for_probes) = (place.connection.clone(), place.keep_alive(), place.for_probes);
    let watched = WatchedStream::new(stream, connection.clone());
    let service = service_fn(move |request: http::Request<Incoming>| {
        connection.execute();
        let refused = for_probes && !PROBES.contains(&request.uri().path());
        let mut request = request.map(RequestBody::new);
        let body = request.body().clone();
        request.extensions_mut().insert(ConnectInfo(peer));
        let (router, connection) = (router.clone(), connection.clone());
        async move {
            let mut response = if refused { Ok(no_place()) } else { router.oneshot(request).await };
            if let Ok(response) = &mut response {
                body.finish(response).await;
            }
            connection.answered();
            response
        }
    });
    // HTTP/1.1 only; the head's deadline is the connection's own
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(HEAD_LIMIT);
    let served = graceful.watch(builder.serve_connection(TokioIo::new(watched), service));
    tokio::spawn(async move {
        tokio::select! {
            served = served => {
                if let Err(error) = served {
                    tracing::debug!("a connection broke: {error}");
                }
            }
            () = place.connection.closed_by_us(keep_alive) => tracing::debug!("a connection was closed: it was idle, or \
                another one needed its place"),
        }
    });
}
