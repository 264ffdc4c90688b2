//! `portcullis healthcheck`: asks the server of this machine whether it can handle requests, for the HEALTHCHECK of an
//! image and for scripts. It needs no settings but those of the listener.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::config::{self, Sources};

/// How long connecting, and each read and write, may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Its arguments.
pub fn command() -> Command {
    let live = Arg::new("live")
        .long("live")
        .action(ArgAction::SetTrue)
        .help("Asks only whether the process answers (/livez); without it, whether the database does too (/readyz)");
    Command::new("healthcheck")
        .about("Asks the server of this machine whether it is ready; exit code 0 if so")
        .arg(live)
}

/// Asks the server.
///
/// # Errors
/// When it does not answer with 200.
pub fn run(matches: &ArgMatches) -> Result<(), String> {
    let listen = config::listen(Sources::from_process(BTreeMap::new())).map_err(|problems| problems.to_string())?;
    let path = if matches.get_flag("live") { "/livez" } else { "/readyz" };
    let address = listen.local_address();
    let status = ask(&address, path).map_err(|error| format!("http://{address}{path}: {error}"))?;
    if status == "200" { Ok(()) } else { Err(format!("http://{address}{path} answers {status}")) }
}

/// The status code of the answer.
fn ask(address: &str, path: &str) -> std::io::Result<String> {
    let mut connected = Err(std::io::Error::from(std::io::ErrorKind::AddrNotAvailable));
    for address in address.to_socket_addrs()? {
        connected = TcpStream::connect_timeout(&address, TIMEOUT);
        if connected.is_ok() {
            break;
        }
    }
    let mut stream = connected?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer)?;
    Ok(answer.split(' ').nth(1).unwrap_or("nothing").to_owned())
}
