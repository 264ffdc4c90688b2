//! Many hostile connections at once, from many addresses of this machine: each is opened again when the server closes it.
//! The caller measures meanwhile whether others are served.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// A connection that was closed or refused is opened again after this time.
const PAUSE: Duration = Duration::from_millis(500);
/// The pace of the slow ones.
const SLOW: Duration = Duration::from_secs(1);
/// An answer of more than 100 KB.
const BIG: &str = "/openapi.json";

/// The behaviour of a hostile connection.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// One request, then silence.
    Idle,
    /// A head that never ends, byte by byte.
    SlowHead,
    /// A body that never ends, byte by byte.
    SlowBody,
    /// Requests for big answers, none of which is read.
    SlowReader,
    /// Heads that are longer than any that is accepted.
    HugeHeaders,
    /// Requests for big answers, which are read slowly.
    BigAnswers,
}

impl Kind {
    /// A kind by its name.
    pub fn parse(name: &str) -> Result<Self> {
        Ok(match name {
            "idle" => Self::Idle,
            "slow-head" => Self::SlowHead,
            "slow-body" => Self::SlowBody,
            "slow-reader" => Self::SlowReader,
            "huge-headers" => Self::HugeHeaders,
            "big-answers" => Self::BigAnswers,
            _ => bail!("{name} is no kind of connection"),
        })
    }

    /// Does harm until the server closes the connection.
    async fn attack(self, stream: &mut TcpStream) -> std::io::Result<()> {
        let mut buffer = vec![0; 16_384];
        match self {
            Self::Idle => {
                stream.write_all(get("/livez").as_bytes()).await?;
                while stream.read(&mut buffer).await? > 0 {}
            }
            Self::SlowHead => {
                stream.write_all(b"GET /livez HTTP/1.1\r\nhost: bench\r\nx-slow: ").await?;
                drip(stream, &mut buffer).await?;
            }
            Self::SlowBody => {
                let head = "POST /User1/login HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
                            content-length: 16000\r\n\r\n{";
                stream.write_all(head.as_bytes()).await?;
                drip(stream, &mut buffer).await?;
            }
            Self::SlowReader => loop {
                stream.write_all(get(BIG).as_bytes()).await?;
                tokio::time::sleep(SLOW).await;
            },
            Self::HugeHeaders => loop {
                let head = format!("GET /livez HTTP/1.1\r\nhost: bench\r\nx-huge: {}\r\n\r\n", "x".repeat(60_000));
                stream.write_all(head.as_bytes()).await?;
                if stream.read(&mut buffer).await? == 0 {
                    return Ok(());
                }
                tokio::time::sleep(SLOW).await;
            },
            Self::BigAnswers => loop {
                stream.write_all(get(BIG).as_bytes()).await?;
                for _ in 0..8 {
                    if stream.read(&mut buffer).await? == 0 {
                        return Ok(());
                    }
                    tokio::time::sleep(SLOW).await;
                }
            },
        }
        Ok(())
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\naccept: application/json\r\n\r\n")
}

/// Sends a byte at a time until the server closes.
async fn drip(stream: &mut TcpStream, buffer: &mut [u8]) -> std::io::Result<()> {
    loop {
        tokio::select! {
            read = stream.read(buffer) => if read? == 0 { return Ok(()) },
            () = tokio::time::sleep(SLOW) => stream.write_all(b"x").await?,
        }
    }
}

/// Counts of a run.
#[derive(Debug, Default)]
struct Counts {
    open: AtomicU64,
    most: AtomicU64,
    opened: AtomicU64,
    refused: AtomicU64,
}

/// Keeps so many connections open for so long, from addresses of 127.0.0.0/8 of which each has as many as the others.
pub async fn run(server: &str, kind: &str, connections: u32, addresses: u32, seconds: u64) -> Result<Value> {
    let (server, kind): (SocketAddr, Kind) = (server.parse()?, Kind::parse(kind)?);
    let (counts, end) = (Arc::new(Counts::default()), Instant::now() + Duration::from_secs(seconds));
    let all: Vec<_> = (0..connections)
        .map(|number| tokio::spawn(keep_open(server, kind, source(number % addresses.max(1)), counts.clone(), end)))
        .collect();
    for one in all {
        one.await.context("a connection's task")?;
    }
    let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
    Ok(json!({"most_open": count(&counts.most), "opened": count(&counts.opened), "refused": count(&counts.refused)}))
}

/// The n-th address; those of one network of 24 bits are 16 at most.
fn source(number: u32) -> Ipv4Addr {
    let [_, high, middle, low] = (number / 16 + 256).to_be_bytes();
    Ipv4Addr::new(127, high.wrapping_mul(8).wrapping_add(middle), low, u8::try_from(number % 16).unwrap_or(0) + 2)
}

async fn keep_open(server: SocketAddr, kind: Kind, from: Ipv4Addr, counts: Arc<Counts>, end: Instant) {
    let attack = async {
        loop {
            match open(server, from).await {
                Ok(mut stream) => {
                    counts.opened.fetch_add(1, Ordering::Relaxed);
                    let open = counts.open.fetch_add(1, Ordering::Relaxed) + 1;
                    counts.most.fetch_max(open, Ordering::Relaxed);
                    let _ = kind.attack(&mut stream).await;
                    counts.open.fetch_sub(1, Ordering::Relaxed);
                }
                Err(_) => {
                    counts.refused.fetch_add(1, Ordering::Relaxed);
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let _ = tokio::time::timeout_at(end.into(), attack).await;
}

async fn open(server: SocketAddr, from: Ipv4Addr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    // a small window: an answer that is not read stays in the server
    socket.set_recv_buffer_size(4096)?;
    socket.connect(server).await
}
