//! The banner that the server prints at its start.

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::bootstrap::Server;
use crate::config::{Database, Environment, Settings};

/// The text of the banner: the addresses of everything.
pub fn text(settings: &Settings, server: &Server, address: SocketAddr) -> String {
    let scheme = if settings.connections.tls.is_some() { "https" } else { "http" };
    let at = format!("{scheme}://{address}");
    let realms: Vec<String> = settings.realms.iter().map(|realm| format!("/{realm}")).collect();
    let store = match &settings.database {
        Database::Sqlite { path } => path.display().to_string(),
        Database::MongoDb { .. } => "MongoDB".to_owned(),
    };
    let mut text = format!(
        "\n  Portcullis {} listens on {at}\n\n  realms    {}\n  store     {store}\n  docs      {at}/docs  (also /redoc, \
         /scalar, /openapi.json)\n  health    {at}/health\n  metrics   {at}/metrics  (operator token)\n",
        env!("CARGO_PKG_VERSION"),
        realms.join("  "),
    );
    if server.app.mailbox.is_some() {
        let _ = writeln!(text, "  demo      {at}/demo\n  mailbox   {at}/dev/mailbox");
    }
    if settings.environment == Environment::Development {
        let _ = writeln!(text, "  secrets   {}", settings.secrets_file.display());
        let _ = writeln!(text, "\n  Development: not for real people's data. ENVIRONMENT=production asks for more.");
    }
    text
}
