//! A proxy that fails on demand: between a server of ours and its dependency.

use std::net::SocketAddr;
use std::time::Duration;

use portcullis_test_services::mongodb::primary_of;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The behaviour of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Everything passes.
    Up,
    /// New connections are refused; open ones are closed.
    Refused,
    /// Connections are taken and end with a reset.
    Reset,
    /// Connections are taken and nothing ever answers.
    Hanging,
    /// Everything passes, later.
    Slow(Duration),
}

/// A line that can be cut.
pub struct FaultProxy {
    address: SocketAddr,
    line: watch::Sender<Line>,
}

impl FaultProxy {
    /// A line to a server, up.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (line, state) = watch::channel(Line::Up);
        tokio::spawn(accept(listener, server, state));
        Self { address, line }
    }

    /// A line to the server of a URL, and the URL through the line. Of a MongoDB replica set it is the primary, and the
    /// driver is configured not to look for the others.
    ///
    /// # Panics
    /// When the URL has no address and port.
    pub async fn before(url: &str) -> (Self, String) {
        if url.starts_with("mongodb://") {
            let proxy = Self::to(primary_of(url).expect("a primary")).await;
            let through = format!("mongodb://{}/?directConnection=true", proxy.address);
            return (proxy, through);
        }
        let (scheme, rest) = url.split_once("://").expect("a URL");
        let (server, path) = rest.split_once('/').unwrap_or((rest, ""));
        let proxy = Self::to(server.parse().expect("an address and port")).await;
        let through = format!("{scheme}://{}/{path}", proxy.address);
        (proxy, through)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, for open connections too.
    pub fn set(&self, line: Line) {
        let _ = self.line.send(line);
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, mut state: watch::Receiver<Line>) {
    let mut listener = Some(listener);
    loop {
        let line = *state.borrow_and_update();
        if line == Line::Refused {
            let Some(closed) = listener.take() else { return };
            let address = closed.local_addr().expect("an address");
            drop(closed);
            if state.wait_for(|line| *line != Line::Refused).await.is_err() {
                return;
            }
            listener = Some(TcpListener::bind(address).await.expect("the same port"));
            continue;
        }
        let Some(open) = &listener else { return };
        tokio::select! {
            accepted = open.accept() => {
                if let Ok((client, _)) = accepted {
                    tokio::spawn(connect(client, server, state.clone()));
                }
            }
            changed = state.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

async fn connect(client: TcpStream, server: SocketAddr, state: watch::Receiver<Line>) {
    if *state.borrow() == Line::Reset {
        reset(&client);
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, to_client) = client.into_split();
    let (mut from_server, to_server) = server.into_split();
    let cut = {
        let mut state = state.clone();
        async move {
            let cut = state.wait_for(|line| matches!(line, Line::Refused | Line::Reset)).await;
            cut.map(|line| *line).ok()
        }
    };
    let there = pump(&mut from_client, to_server, state.clone());
    let back = pump(&mut from_server, to_client, state);
    tokio::select! {
        cut = cut => {
            if cut == Some(Line::Reset) {
                reset(from_client.as_ref());
            }
        }
        () = there => {}
        () = back => {}
    }
}

/// The end of a connection says "reset" instead of "finished".
fn reset(client: &TcpStream) {
    let _ = client.set_zero_linger();
}

async fn pump(from: &mut OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<Line>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
        let line = *state.borrow_and_update();
        match line {
            Line::Hanging => {
                // what came is lost, as with a server that has stopped; the connection is no good any more
                if state.wait_for(|line| *line != Line::Hanging).await.is_err() {
                    return;
                }
                return;
            }
            Line::Slow(by) => tokio::time::sleep(by).await,
            Line::Up | Line::Refused | Line::Reset => {}
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
