//! A `portcullis testkit` in this process.

use std::net::SocketAddr;

use portcullis_server::bootstrap::Server;
use portcullis_server::http::routes;
use portcullis_server::{serve, testkit};
use portcullis_testkit::samples::NOW;
use portcullis_testkit::world::TestWorld;
use tempfile::TempDir;

use crate::server::settings;

/// The service client of every one.
pub const SERVICE: (&str, &str) = ("testkit", "hQ3zWm8Tv5YnR2kX7cJ4pL9fD6sB1tG0");

/// A running one; it ends with the runtime it was started on.
pub struct RunningTestkit {
    /// Where it listens.
    pub address: SocketAddr,
    /// The fakes behind it.
    pub world: TestWorld,
    _folder: TempDir,
}

impl RunningTestkit {
    /// Starts one, with limits off unless wanted otherwise.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(wanted: &[(&str, &str)]) -> Self {
        let (running, server) = Self::without_background(wanted).await;
        let kit = server.app.testkit.clone().expect("a test kit");
        tokio::spawn(testkit::keep_working(kit));
        running
    }

    /// Starts one that works only when a request reads its messages or advances its clock: which call of a
    /// port is the nth is then up to the requests alone.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn without_background(wanted: &[(&str, &str)]) -> (Self, Server) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let client = format!("{0}:{1}@User1,{0}:{1}@User2", SERVICE.0, SERVICE.1);
        let mut all = vec![("SERVICE_CLIENTS", client.as_str())];
        all.extend(wanted);
        let settings = settings(folder.path(), &all);
        let listener = serve::bind(&settings.listen).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let world = TestWorld::at(NOW, 7);
        let server = Server::compose_testkit(&settings, address, &world).unwrap_or_else(|error| panic!("{error}"));
        let router = routes::router(server.app.clone());
        tokio::spawn(serve::run(listener, router, settings.connection_limits(), std::future::pending()));
        (Self { address, world, _folder: folder }, server)
    }
}
