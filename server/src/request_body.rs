//! The body of a request, which the server can read to its end after the handler has answered.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::header::CONNECTION;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::connections::{Connection, Receiving};

/// Bytes that are read and dropped after an answer that did not wait for them.
const DRAIN_LIMIT: usize = 1 << 20;
/// How long that may take.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// A body up to this length is small: a connection always has room for it. The bytes beyond count against the room of large
/// bodies.
const SMALL: usize = 4096;

/// A body that its handler and the server share. The room that it takes is given back at the end of its request.
#[derive(Debug, Clone)]
pub struct RequestBody(Arc<Mutex<Arriving>>);

/// Why a body can't be read on.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The HTTP library's cause.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// Other large bodies take all of their room.
    #[error("there is no room for another large body")]
    NoRoom,
}

#[derive(Debug)]
struct Arriving {
    body: Incoming,
    /// Until its end is there.
    receiving: Option<Receiving>,
    /// The bytes that the handler has.
    kept: usize,
    /// Whether the handler still reads.
    is_kept: bool,
    bodies: Arc<Semaphore>,
    room: Option<OwnedSemaphorePermit>,
}

impl Arriving {
    /// Takes room for more of a large body.
    fn keep(&mut self, length: usize) -> Result<(), BodyError> {
        let before = self.kept.max(SMALL);
        self.kept += length;
        let more = u32::try_from(self.kept.saturating_sub(before)).map_err(|_| BodyError::NoRoom)?;
        let taken = self.bodies.clone().try_acquire_many_owned(more).map_err(|_| BodyError::NoRoom)?;
        match &mut self.room {
            Some(room) => room.merge(taken),
            None => self.room = Some(taken),
        }
        Ok(())
    }
}

impl RequestBody {
    /// Shares a body that arrives on a connection.
    #[must_use]
    pub fn new(body: Incoming, connection: &Arc<Connection>) -> Self {
        let receiving = (!body.is_end_stream()).then(|| Receiving::begin(connection));
        let bodies = connection.bodies.clone();
        Self(Arc::new(Mutex::new(Arriving { body, receiving, kept: 0, is_kept: true, bodies, room: None })))
    }

    fn lock(&self) -> MutexGuard<'_, Arriving> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what the handler has left. A client that is still sending would otherwise meet a reset connection instead of
    /// its answer (RFC 9112, section 9.6). `Connection: close` where there is too much left.
    pub async fn finish<B>(mut self, response: &mut http::Response<B>) {
        if self.is_end_stream() {
            return;
        }
        self.lock().is_kept = false;
        let drained = tokio::time::timeout(DRAIN_TIMEOUT, async {
            let mut length = 0;
            while let Some(Ok(frame)) = self.frame().await {
                length += frame.data_ref().map_or(0, Bytes::len);
                if length > DRAIN_LIMIT {
                    return false;
                }
            }
            true
        });
        if !drained.await.unwrap_or(false) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut arriving = self.lock();
        let frame = Pin::new(&mut arriving.body).poll_frame(cx);
        if arriving.body.is_end_stream() || matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            arriving.receiving = None;
        }
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && arriving.is_kept
            && let Some(data) = frame.data_ref()
            && let Err(error) = arriving.keep(data.len())
        {
            return Poll::Ready(Some(Err(error)));
        }
        frame.map(|frame| frame.map(|frame| frame.map_err(BodyError::Http)))
    }

    fn is_end_stream(&self) -> bool {
        self.lock().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::response::IntoResponse as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;
    use crate::connections::ConnectionLimits;
    use crate::http::extract;
    use crate::serve;

    /// Sends the head of a request and the first part of its body.
    async fn send(port: u16, length: usize, part: usize) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let head = format!("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(&[head.as_bytes(), &vec![b'x'; part]].concat()).await.unwrap();
        stream
    }

    async fn answer(mut stream: TcpStream) -> String {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn large_bodies_share_a_room_that_is_given_back_and_small_ones_need_none() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let read = async |body| match extract::read(body).await {
            Ok(read) => read.len().to_string().into_response(),
            Err(problem) => problem.into_response(),
        };
        let limits = ConnectionLimits {
            keep_alive: Duration::from_secs(75),
            total: 100,
            per_address: 100,
            trusted_proxies: Vec::new(),
            large_bodies: 10_000,
        };
        let router = Router::new().fallback(move |request: axum::extract::Request| read(request.into_body()));
        let server = tokio::spawn(serve::run(listener, router, limits, std::future::pending()));
        // takes 8,000 of the room, and then all of it
        let mut first = send(port, 14_096, 12_096).await;
        let small = answer(send(port, 4096, 4096).await).await;
        assert!(small.starts_with("HTTP/1.1 200") && small.ends_with("4096"), "{small}");
        first.write_all(&[b'x'; 2000]).await.unwrap();
        let first = answer(first).await;
        assert!(first.starts_with("HTTP/1.1 200") && first.ends_with("14096"), "{first}");
        let refused = answer(send(port, 14_097, 14_097).await).await;
        assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
        assert!(refused.contains("retry-after: 1"), "{refused}");
        let again = answer(send(port, 14_096, 14_096).await).await;
        assert!(again.starts_with("HTTP/1.1 200"), "{again}");
        server.abort();
    }
}
