//! Starts nginx, `HAProxy`, Caddy and Traefik on the configurations of `deploy/proxy/`. Only addresses, ports and the place of the
//! certificate are replaced.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use portcullis_test_services::process::{Process, free_port};
use portcullis_tests::tls_proxy::Authority;

use crate::first_start::root;

/// The folder of certificates in the configurations.
const CERTIFICATES: &str = "/etc/ssl/portcullis";
/// The address of a proxy that sends PROXY headers.
pub const PROXY_ADDRESS: &str = "127.0.0.8";
/// The server's address in them.
const SERVER: &str = "127.0.0.1:8000";

/// How the server is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paths {
    /// At the root of a host.
    Root,
    /// Below `/auth`, which the proxy passes on.
    Kept,
    /// Below `/auth`, which the proxy removes.
    Removed,
}

impl Paths {
    /// The host of the configuration.
    pub const fn host(self) -> &'static str {
        match self {
            Self::Root => "auth.example.com",
            Self::Kept | Self::Removed => "example.com",
        }
    }

    /// The path of `PUBLIC_URL`.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Root => "",
            Self::Kept | Self::Removed => "/auth",
        }
    }
}

/// A running proxy.
pub struct Proxy {
    _process: Process,
    /// Its port for https.
    pub port: u16,
    /// The authority of its certificate.
    pub authority: String,
}

/// A program: on the path, where Debian installs it, or in the repository's Python environment.
///
/// # Errors
/// When it is not there.
pub fn find(program: &str) -> Result<PathBuf, String> {
    let own = root().join("target/venv/bin");
    let folders = ["/usr/sbin", "/usr/bin", "/usr/local/bin"].map(PathBuf::from);
    let mut all = folders.into_iter().chain([own]).map(|folder| folder.join(program));
    all.find(|path| path.exists()).ok_or_else(|| format!("{program} is not installed: cargo xtask deploy"))
}

/// A port for a proxy, and the `PUBLIC_URL` that goes with it.
pub fn public_url(paths: Paths) -> (u16, String) {
    let port = free_port().unwrap();
    (port, format!("https://{}:{port}{}", paths.host(), paths.prefix()))
}

/// A folder with a certificate for the host.
struct Prepared {
    folder: PathBuf,
    authority: String,
}

fn prepare(paths: Paths, name: &str, port: u16) -> Prepared {
    let folder = portcullis_test_services::process::new_folder(&portcullis_test_services::root(), name, port).unwrap();
    let authority = Authority::new();
    let (certificate, key) = authority.certificate(paths.host());
    std::fs::write(folder.join("fullchain.pem"), &certificate).unwrap();
    std::fs::write(folder.join("privkey.pem"), &key).unwrap();
    std::fs::write(folder.join("all.pem"), format!("{certificate}{key}")).unwrap();
    Prepared { folder, authority: authority.pem }
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join("deploy/proxy").join(file)).unwrap()
}

/// Replaces each text, which must be there.
pub fn replaced(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from:?} is not in the configuration");
        text.replace(from, to)
    })
}

fn start(mut command: Command, prepared: Prepared, port: u16) -> Proxy {
    command.env_clear().env("HOME", &prepared.folder).env("PATH", "/usr/sbin:/usr/bin:/bin").stdin(Stdio::null());
    Proxy { _process: Process::start(command, prepared.folder, port).unwrap(), port, authority: prepared.authority }
}

/// nginx.
pub fn nginx(paths: Paths, port: u16, server: SocketAddr) -> Proxy {
    let prepared = prepare(paths, "nginx", port);
    let mut text = read("nginx.conf");
    if paths != Paths::Root {
        let (start, _) = text.split_once("    location / {").unwrap();
        text = format!("{start}{}\n}}\n", read("nginx-prefix.conf")).replace("auth.example.com", paths.host());
    }
    if paths == Paths::Removed {
        let (before, auth) = text.split_once("    location /auth/ {").unwrap();
        let auth = auth.replacen("proxy_pass http://portcullis;", "proxy_pass http://portcullis/;", 1);
        text = format!("{before}    location /auth/ {{{auth}");
    }
    let (http, https) = (format!("listen 127.0.0.1:{} ", free_port().unwrap()), format!("listen 127.0.0.1:{port} "));
    let place = prepared.folder.display().to_string();
    let site = replaced(
        &text,
        &[("listen 80 ", &http), ("listen 443 ", &https), (CERTIFICATES, &place), (SERVER, &server.to_string())],
    );
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {place}/{name};"))
        .concat();
    let whole = format!(
        "daemon off; pid {place}/pid; error_log stderr warn;\nevents {{}}\nhttp {{ access_log off; {temporary}\n{site}\n}}\n"
    );
    std::fs::write(prepared.folder.join("nginx.conf"), whole).unwrap();
    let mut command = Command::new(find("nginx").unwrap());
    command.arg("-p").arg(&prepared.folder).arg("-c").arg(prepared.folder.join("nginx.conf"));
    start(command, prepared, port)
}

/// `HAProxy`, with further servers behind the first.
pub fn haproxy_before(paths: Paths, port: u16, servers: &[SocketAddr]) -> Proxy {
    let lines: Vec<String> = servers.iter().enumerate().map(|(n, at)| format!("    server s{n} {at}\n")).collect();
    haproxy_with(paths, port, &lines.concat())
}

/// `HAProxy` that sends PROXY headers, from an address of its own.
pub fn haproxy_with_proxy_protocol(paths: Paths, port: u16, server: SocketAddr) -> Proxy {
    let text = read("haproxy.cfg");
    let comment = text.lines().find(|line| line.contains("send-proxy-v2")).unwrap();
    let line = comment.split("(PROXY_PROTOCOL=on): ").nth(1).unwrap();
    let line = replaced(line, &[(SERVER, &server.to_string())]);
    haproxy_with(paths, port, &format!("    source {PROXY_ADDRESS}\n    {line}\n"))
}

fn haproxy_with(paths: Paths, port: u16, servers: &str) -> Proxy {
    let prepared = prepare(paths, "haproxy", port);
    let mut text = read("haproxy.cfg");
    if paths != Paths::Root {
        text = replaced(&text, &[("    default_backend portcullis\n", &read("haproxy-prefix.cfg"))]);
        text = text.replace("auth.example.com", paths.host());
    }
    if paths == Paths::Removed {
        let line = text.lines().find(|line| line.contains("# http-request replace-path")).unwrap().replace("# ", "");
        text = replaced(
            &text,
            &[("backend portcullis\n    balance", &format!("backend portcullis\n{line}\n    balance"))],
        );
    }
    let (http, https) = (format!("127.0.0.1:{}", free_port().unwrap()), format!("127.0.0.1:{port}"));
    let text = replaced(
        &text,
        &[
            ("bind :80\n", &format!("bind {http}\n")),
            ("bind :443 ", &format!("bind {https} ")),
            (CERTIFICATES, &prepared.folder.display().to_string()),
            (&format!("    server one {SERVER}\n"), servers),
        ],
    );
    std::fs::write(prepared.folder.join("haproxy.cfg"), text).unwrap();
    let mut command = Command::new(find("haproxy").unwrap());
    command.arg("-db").arg("-f").arg(prepared.folder.join("haproxy.cfg"));
    start(command, prepared, port)
}

/// Caddy.
pub fn caddy(paths: Paths, port: u16, server: SocketAddr) -> Proxy {
    let prepared = prepare(paths, "caddy", port);
    let mut text = read("Caddyfile");
    if paths != Paths::Root {
        let (before, after) = text.rsplit_once("\timport portcullis\n").unwrap();
        text = format!("{before}{}{after}", read("Caddyfile-prefix")).replace("auth.example.com", paths.host());
    }
    if paths == Paths::Removed {
        text = replaced(&text, &[("\thandle /auth/* {", "\thandle_path /auth/* {")]);
    }
    let site = format!("{}:{port} {{\n\tbind 127.0.0.1\n", paths.host());
    let text = replaced(
        &text,
        &[
            ("{\n\tservers {", "{\n\tadmin off\n\tauto_https disable_redirects\n\tservers {"),
            (&format!("{} {{\n", paths.host()), &site),
            (CERTIFICATES, &prepared.folder.display().to_string()),
            (SERVER, &server.to_string()),
        ],
    );
    std::fs::write(prepared.folder.join("Caddyfile"), text).unwrap();
    let mut command = Command::new(find("caddy").unwrap());
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(prepared.folder.join("Caddyfile"));
    start(command, prepared, port)
}

/// Traefik.
pub fn traefik(paths: Paths, port: u16, server: SocketAddr) -> Proxy {
    let prepared = prepare(paths, "traefik", port);
    let place = prepared.folder.display().to_string();
    let (http, https) = (format!("\"127.0.0.1:{}\"", free_port().unwrap()), format!("\"127.0.0.1:{port}\""));
    let fixed = replaced(&read("traefik.yaml"), &[("\":80\"", &http), ("\":443\"", &https), ("/etc/traefik", &place)]);
    let mut routes =
        replaced(&read("traefik-portcullis.yaml"), &[(CERTIFICATES, &place), (SERVER, &server.to_string())]);
    if paths != Paths::Root {
        let rule = routes.lines().find(|line| line.contains("rule: Host(`auth")).unwrap().to_owned();
        let below = routes.lines().find(|line| line.contains("# rule: Host")).unwrap().replace("# ", "  ");
        routes = replaced(&routes, &[(&rule, &below)]);
    }
    if paths == Paths::Removed {
        let strip = "  middlewares:\n    strip: {stripPrefix: {prefixes: [/auth]}}\n";
        let chain = "middlewares: [connections, strip, ";
        routes = replaced(&routes, &[("  middlewares:\n", strip), ("middlewares: [connections, ", chain)]);
    }
    std::fs::write(prepared.folder.join("traefik.yaml"), fixed).unwrap();
    std::fs::write(prepared.folder.join("traefik-portcullis.yaml"), routes).unwrap();
    let mut command = Command::new(find("traefik").unwrap());
    command.arg(format!("--configFile={place}/traefik.yaml"));
    start(command, prepared, port)
}

/// A file of a proxy's folder, for the trust of clients that are programs.
pub fn write_authority(proxy: &Proxy, folder: &Path) -> PathBuf {
    let path = folder.join("authority.pem");
    std::fs::write(&path, &proxy.authority).unwrap();
    path
}
