//! A proxy that lets one change at a time through to a server of MongoDB's protocol. MongoDB promises that a change of
//! one document is one step; FerretDB 1 looks first and writes later. In line, it keeps the promise. Reads pass: each of
//! them sees a document as it is before a change or after it, there as here.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};

/// Longest message the protocol knows.
const LONGEST: usize = 48 * 1024 * 1024;
/// Where the name of a command is in a message: behind the header (16 bytes, the last four say what kind of message it
/// is), flags, the kind of the first section, the length of its document, and the type of its first member.
const NAME: usize = 26;
const KIND: std::ops::Range<usize> = 12..16;
const COMMAND: [u8; 4] = 2013_u32.to_le_bytes();
/// What changes nothing.
const READS: &[&[u8]] = &[b"find", b"aggregate", b"count", b"getMore", b"hello", b"isMaster", b"ismaster", b"ping"];

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
            let _turn = (!is_read(&command)).then(|| turn.lock().unwrap_or_else(PoisonError::into_inner));
            server.write_all(&command)?;
            message(&mut server)?
        };
        client.write_all(&answer)?;
    }
}

fn is_read(message: &[u8]) -> bool {
    let name = message.get(NAME..).and_then(|rest| rest.split(|byte| *byte == 0).next());
    message.get(KIND) == Some(&COMMAND) && name.is_some_and(|name| READS.contains(&name))
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
