//! A client of a few lines, so that what is measured is the server: HTTP/1.1, one request after another on a kept
//! connection.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A server that does not answer for so long is not measured any further.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A kept connection.
pub struct Connection {
    stream: TcpStream,
}

/// The answer, with its latency in milliseconds.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Status line and headers, in lower case.
    pub head: String,
    /// The body.
    pub body: String,
    /// From the first byte sent to the last one read.
    pub ms: f64,
}

impl Answer {
    /// A member of a JSON body.
    pub fn text(&self, member: &str) -> Result<String> {
        let body: Value = serde_json::from_str(&self.body).with_context(|| self.body.clone())?;
        Ok(body[member].as_str().with_context(|| format!("no {member} in {}", self.body))?.to_owned())
    }
}

impl Connection {
    /// Opens one.
    pub async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream })
    }

    /// Sends a request and does not wait.
    pub async fn send(&mut self, request: &str) -> Result<()> {
        Ok(self.stream.write_all(request.as_bytes()).await?)
    }

    /// Reads an answer.
    pub async fn answer(&mut self, began: Instant) -> Result<Answer> {
        tokio::time::timeout(TIMEOUT, self.read(began)).await.context("no answer")?
    }

    /// Sends a request and reads its answer.
    pub async fn ask(&mut self, request: &str) -> Result<Answer> {
        let began = Instant::now();
        self.send(request).await?;
        self.answer(began).await
    }

    async fn read(&mut self, began: Instant) -> Result<Answer> {
        let (mut bytes, mut piece) = (Vec::with_capacity(2048), [0; 4096]);
        loop {
            let read = self.stream.read(&mut piece).await?;
            if read == 0 {
                bail!("the connection was closed");
            }
            bytes.extend_from_slice(&piece[..read]);
            let text = String::from_utf8_lossy(&bytes);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if body.len() >= length.unwrap_or(0) {
                let status = head.get(9..12).and_then(|status| status.parse().ok()).context("no status")?;
                let ms = began.elapsed().as_secs_f64() * 1000.0;
                return Ok(Answer { status, body: body.to_owned(), head, ms });
            }
        }
    }
}

/// A request with a body.
pub fn post(path: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: {kind}\r\naccept: application/json\r\ncontent-length: \
         {length}\r\n\r\n{body}"
    )
}

/// A POST request with a JSON body.
pub fn post_json(path: &str, body: &Value) -> String {
    post(path, "application/json", &body.to_string())
}

/// A login of the n-th made-up user, or of someone else.
pub fn login(address: &str, password: &str) -> String {
    post("/User1/login", "application/x-www-form-urlencoded", &format!("username={address}&password={password}"))
}

/// A request with a token and without a body.
pub fn with_token(method: &str, path: &str, token: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\naccept: application/json\r\n\r\n"
    )
}

/// The n-th made-up user's address.
pub fn address(number: usize) -> String {
    format!("fake-{number}@example.org")
}
