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

use crate::connections::{Connection, Receiving};

/// Bytes that are read and dropped after an answer that did not wait for them.
const DRAIN_LIMIT: usize = 1 << 20;
/// How long that may take.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// A body that its handler and the server share.
#[derive(Debug, Clone)]
pub struct RequestBody(Arc<Mutex<Arriving>>);

#[derive(Debug)]
struct Arriving {
    body: Incoming,
    /// Until its end is there.
    receiving: Option<Receiving>,
}

impl RequestBody {
    /// Shares a body that arrives on a connection.
    #[must_use]
    pub fn new(body: Incoming, connection: &Arc<Connection>) -> Self {
        let receiving = (!body.is_end_stream()).then(|| Receiving::begin(connection));
        Self(Arc::new(Mutex::new(Arriving { body, receiving })))
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
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut arriving = self.lock();
        let frame = Pin::new(&mut arriving.body).poll_frame(cx);
        if arriving.body.is_end_stream() || matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            arriving.receiving = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.lock().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().body.size_hint()
    }
}
