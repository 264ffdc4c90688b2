//! Connections: accepted, bounded in time, drained at the end.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use http::header::HOST;
use http::{HeaderValue, Version};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use proxy_header::ParseConfig;
use proxy_header::io::ProxiedStream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_util::either::Either;
use tower::ServiceExt as _;

use crate::config::Listen;
use crate::connections::{Connection, ConnectionLimits, Connections, Execution, Place, RequestMemory, WatchedStream};
use crate::http::NoPlace;
use crate::request_body::RequestBody;

/// The longest head that the HTTP library reads, in bytes. A shorter one that is too long is answered by our middleware.
const HEAD_LIMIT: usize = 40_960;
/// The most requests of a connection of HTTP/2 at once.
const STREAMS: u32 = 100;
/// How much of a request's body, and of all bodies of a connection, HTTP/2 reads ahead, in bytes. Our bodies are at most as
/// long.
const WINDOW: u32 = 65_536;
/// The parts of a PROXY header that are read: addresses, of either version.
const PROXY_HEADER: ParseConfig = ParseConfig { include_tlvs: false, allow_v1: true, allow_v2: true };
/// How long a stop waits for requests that have begun.
const DRAIN: Duration = Duration::from_secs(30);

/// The paths that a connection for probes answers.
const PROBES: [&str; 3] = ["/livez", "/readyz", "/health"];

/// Opens the port.
///
/// # Errors
/// The address, the cause of the failure, and the fix.
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

/// How connections are accepted.
#[derive(Clone)]
pub struct ServeOptions {
    /// Deadlines and places.
    pub limits: ConnectionLimits,
    /// Whether listed proxies begin each connection with a PROXY header.
    pub proxy_protocol: bool,
    /// TLS of the server's own.
    pub tls: Option<Arc<ServerConfig>>,
}

impl From<ConnectionLimits> for ServeOptions {
    fn from(limits: ConnectionLimits) -> Self {
        Self { limits, proxy_protocol: false, tls: None }
    }
}

/// Serves until `stop` ends, then lets running requests finish.
pub async fn run(
    listener: TcpListener,
    router: Router,
    options: impl Into<ServeOptions>,
    stop: impl Future<Output = ()>,
) {
    let ServeOptions { limits, proxy_protocol, tls } = options.into();
    let graceful = GracefulShutdown::new();
    let (connections, tls) = (Connections::new(limits), tls.map(TlsAcceptor::from));
    let acceptor = Acceptor { connections, router, proxy_protocol, tls };
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                // without a place, not even one for probes, it is closed
                if let Some(place) = acceptor.connections.admit(peer) {
                    tokio::spawn(acceptor.clone().accept(stream, peer, place, graceful.watcher()));
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

#[derive(Clone)]
struct Acceptor {
    connections: Arc<Connections>,
    router: Router,
    proxy_protocol: bool,
    tls: Option<TlsAcceptor>,
}

/// A socket, or one from whose begin a PROXY header was read.
type Stream = Either<TcpStream, ProxiedStream<TcpStream>>;

impl Acceptor {
    /// Serves a connection. Where a PROXY header comes first, the connection has a place of its proxy until it has one of its
    /// client.
    async fn accept(self, stream: TcpStream, peer: SocketAddr, place: Place, watcher: Watcher) {
        let _ = stream.set_nodelay(true);
        if !self.proxy_protocol || !self.connections.limits.is_proxy(peer.ip()) {
            return self.serve(Either::Left(stream), peer, place, watcher).await;
        }
        let keep_alive = place.keep_alive();
        let read = tokio::select! {
            read = ProxiedStream::create_from_tokio(stream, PROXY_HEADER) => read,
            () = place.connection.closed_by_us(keep_alive) => Err(ErrorKind::TimedOut.into()),
        };
        let stream = match read {
            Ok(stream) => stream,
            // a check of the proxy that only connects
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return,
            Err(error) => {
                tracing::warn!(%peer, "PROXY_PROTOCOL is on, and a listed proxy sent no PROXY header: {error}");
                return;
            }
        };
        // the proxy's own checks have no client
        let client = stream.proxy_header().proxied_address().map_or(peer, |address| address.source);
        drop(place);
        if let Some(place) = self.connections.admit(client) {
            self.serve(Either::Right(stream), client, place, watcher).await;
        }
    }

    async fn serve(self, stream: Stream, peer: SocketAddr, place: Place, watcher: Watcher) {
        let (keep_alive, connection) = (place.keep_alive(), place.connection.clone());
        let watched = WatchedStream::new(stream, connection.clone());
        let service =
            service_fn(move |request| answer(self.router.clone(), peer, &connection, place.for_probes, request));
        let served = async {
            match &self.tls {
                None => serve_http1(watched, service, watcher).await,
                // on the heap: without TLS no connection pays for its space
                Some(tls) => Box::pin(serve_tls(tls, watched, &place.connection, service, watcher)).await,
            }
        };
        tokio::select! {
            served = served => {
                if let Err(error) = served {
                    tracing::debug!("a connection broke: {error}");
                }
            }
            () = place.connection.closed_by_us(keep_alive) => tracing::debug!("a connection was closed: it was idle, or \
                another one needed its place"),
        }
    }
}

/// Passes a request to the router. A connection for probes answers these only.
fn answer(
    router: Router,
    peer: SocketAddr,
    connection: &Arc<Connection>,
    for_probes: bool,
    request: http::Request<Incoming>,
) -> impl Future<Output = Result<Response, Infallible>> + use<> {
    let execution = Execution::begin(connection);
    let memory = RequestMemory::of_head(&connection.memory, request.headers()).ok();
    let refused = memory.is_none() || for_probes && !PROBES.contains(&request.uri().path());
    let mut request = request.map(|body| RequestBody::new(body, connection, memory));
    if refused {
        request.extensions_mut().insert(NoPlace);
    }
    name_host(&mut request);
    let body = request.body().clone();
    request.extensions_mut().insert(ConnectInfo(peer));
    async move {
        let mut response = router.oneshot(request).await;
        if let Ok(response) = &mut response {
            body.finish(response).await;
        }
        drop(execution);
        response
    }
}

/// Writes the host of an HTTP/2 request, which is in `:authority`, into the header Host, as HTTP/1.1 has it (RFC 9113,
/// section 8.3.1).
fn name_host<B>(request: &mut http::Request<B>) {
    let host = request.uri().authority().and_then(|authority| HeaderValue::try_from(authority.as_str()).ok());
    if request.version() == Version::HTTP_2
        && let Some(host) = host
    {
        request.headers_mut().insert(HOST, host);
    }
}

type Served = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// HTTP/2 or HTTP/1.1 over TLS, as the client chooses.
async fn serve_tls<S, H>(tls: &TlsAcceptor, stream: S, connection: &Connection, service: H, watcher: Watcher) -> Served
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: HttpService<Incoming, ResBody = Body>,
    H::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    H::Future: Send + 'static,
{
    let stream = tls.accept(stream).await?;
    let multiplexed = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    connection.handshake_completed(multiplexed);
    if multiplexed {
        return serve_http2(stream, service, watcher).await;
    }
    serve_http1(stream, service, watcher).await
}

/// HTTP/1.1; the head's deadline is the connection's own.
async fn serve_http1<S, H>(stream: S, service: H, watcher: Watcher) -> Served
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: HttpService<Incoming, ResBody = Body>,
    H::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(HEAD_LIMIT);
    Ok(watcher.watch(builder.serve_connection(TokioIo::new(stream), service)).await?)
}

/// HTTP/2, with the library's limits for resets and for lists of headers (16 KiB).
async fn serve_http2<S, H>(stream: S, service: H, watcher: Watcher) -> Served
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: HttpService<Incoming, ResBody = Body>,
    H::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    H::Future: Send + 'static,
{
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).max_concurrent_streams(STREAMS);
    builder.initial_stream_window_size(WINDOW).initial_connection_window_size(WINDOW);
    Ok(watcher.watch(builder.serve_connection(TokioIo::new(stream), service)).await?)
}
