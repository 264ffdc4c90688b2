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

use crate::connections::{Connection, NoMemory, Receiving, RequestMemory};

/// Bytes that are read and dropped after an answer that did not wait for them.
const DRAIN_LIMIT: usize = 1 << 20;
/// How long that may take.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// A body that its handler and the server share.
#[derive(Debug, Clone)]
pub struct RequestBody(Arc<Mutex<Arriving>>);

/// Why a body can't be read on.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The HTTP library's cause.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// Other large requests take all memory.
    #[error(transparent)]
    NoMemory(#[from] NoMemory),
}

#[derive(Debug)]
struct Arriving {
    body: Incoming,
    /// Until its end is there.
    receiving: Option<Receiving>,
    /// That of the head, and of what the handler has read, until it has answered.
    memory: Option<RequestMemory>,
}

impl RequestBody {
    /// Shares a body that arrives on a connection.
    #[must_use]
    pub fn new(body: Incoming, connection: &Arc<Connection>, memory: Option<RequestMemory>) -> Self {
        let receiving = (!body.is_end_stream()).then(|| Receiving::begin(connection));
        Self(Arc::new(Mutex::new(Arriving { body, receiving, memory })))
    }

    fn lock(&self) -> MutexGuard<'_, Arriving> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what the handler has left. A client that is still sending would otherwise meet a reset connection instead of
    /// its answer (RFC 9112, section 9.6). `Connection: close` where there is too much left.
    pub async fn finish<B>(mut self, response: &mut http::Response<B>) {
        self.lock().memory = None;
        if self.is_end_stream() {
            return;
        }
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
            && let Some(data) = frame.data_ref()
            && let Some(memory) = &mut arriving.memory
            && let Err(error) = memory.add(data.len())
        {
            return Poll::Ready(Some(Err(error.into())));
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
    async fn large_bodies_share_memory_that_is_given_back_and_small_ones_need_none() {
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
            // an eighth of it is 20,000
            shared_memory: 160_000,
        };
        let router = Router::new().fallback(move |request: axum::extract::Request| read(request.into_body()));
        let server = tokio::spawn(serve::run(listener, router, limits, std::future::pending()));
        // takes most of the network's share
        let mut first = send(port, 34_000, 33_000).await;
        let small = answer(send(port, 10_000, 10_000).await).await;
        assert!(small.starts_with("HTTP/1.1 200") && small.ends_with("10000"), "{small}");
        first.write_all(&[b'x'; 1000]).await.unwrap();
        let first = answer(first).await;
        assert!(first.starts_with("HTTP/1.1 200") && first.ends_with("34000"), "{first}");
        let refused = answer(send(port, 40_000, 40_000).await).await;
        assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: 1"), "{refused}");
        let again = answer(send(port, 34_000, 34_000).await).await;
        assert!(again.starts_with("HTTP/1.1 200"), "{again}");
        server.abort();
    }
}
