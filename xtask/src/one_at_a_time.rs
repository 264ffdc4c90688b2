//! A proxy that lets one command at a time through to a server of MongoDB's protocol. MongoDB promises that a change of
//! one document is one step; FerretDB 1 looks first and writes later. In line, it keeps the promise.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};

/// Longest message the protocol knows.
const LONGEST: usize = 48 * 1024 * 1024;

/// Starts it; where it listens.
///
/// # Errors
/// When there is no port.
pub fn start(server: SocketAddr) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let turn = Arc::new(Mutex::new(()));
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let turn = turn.clone();
            std::thread::spawn(move || {
                // either side has gone: the connection is over
                let _ = serve(client, server, &turn);
            });
        }
    });
    Ok(address)
}

fn serve(mut client: TcpStream, server: SocketAddr, turn: &Mutex<()>) -> Result<()> {
    let mut server = TcpStream::connect(server)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    loop {
        let command = message(&mut client)?;
        let answer = {
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            server.write_all(&command)?;
            message(&mut server)?
        };
        client.write_all(&answer)?;
    }
}

/// A message: its length, little-endian, counts itself.
fn message(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let whole = usize::try_from(u32::from_le_bytes(length))?;
    let rest = whole.checked_sub(4).filter(|rest| *rest <= LONGEST).context("not a message of the protocol")?;
    let mut message = length.to_vec();
    message.resize(4 + rest, 0);
    stream.read_exact(&mut message[4..])?;
    Ok(message)
}
