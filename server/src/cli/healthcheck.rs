//! `portcullis healthcheck`: asks the server of this machine whether it can handle requests, for the HEALTHCHECK of an
//! image and for scripts. It needs no settings but those of the listener.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::runtime;
use crate::config::{self, LocalListener, Sources};
use crate::tls;

/// How long the whole check may take.
const TIMEOUT: Duration = Duration::from_secs(3);

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
    let listener = config::local_listener(Sources::from_process(BTreeMap::new()));
    let listener = listener.map_err(|problems| problems.to_string())?;
    let path = if matches.get_flag("live") { "/livez" } else { "/readyz" };
    let asked = runtime()?.block_on(async { tokio::time::timeout(TIMEOUT, ask(&listener, path)).await });
    let url = format!("{}://{}{path}", if listener.tls { "https" } else { "http" }, listener.address);
    match asked {
        Err(_) => Err(format!("{url} does not answer within {TIMEOUT:?}")),
        Ok(Err(error)) => Err(format!("{url}: {error}")),
        Ok(Ok(status)) if status == "200" => Ok(()),
        Ok(Ok(status)) => Err(format!("{url} answers {status}")),
    }
}

/// The status code of the answer.
async fn ask(listener: &LocalListener, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(&listener.address).await?;
    if listener.proxy_header {
        stream.write_all(b"PROXY UNKNOWN\r\n").await?;
    }
    if listener.tls {
        return status(tls::connect_to_self(stream).await?, path).await;
    }
    status(stream, path).await
}

async fn status(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> std::io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; 64];
    let length = stream.read(&mut head).await?;
    let text = String::from_utf8_lossy(head.get(..length).unwrap_or_default()).into_owned();
    Ok(text.split(' ').nth(1).unwrap_or("nothing").to_owned())
}
