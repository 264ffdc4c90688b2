//! TLS of the server's own, for a deployment without a proxy: TLS 1.2 and 1.3 with hybrid post-quantum key exchange
//! preferred, HTTP/2 by ALPN, and a certificate that is read again at SIGHUP.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use tokio_rustls::rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};

/// The files of `TLS_CERT_FILE` and `TLS_KEY_FILE`.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate and its chain (PEM).
    pub certificate: PathBuf,
    /// Its key (PEM).
    pub key: PathBuf,
}

/// The certificate in use.
#[derive(Debug)]
pub struct Certificate {
    files: TlsFiles,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// The file, and what is wrong with it.
    pub fn open(files: TlsFiles) -> Result<Arc<Self>, String> {
        let current = RwLock::new(Arc::new(read(&files)?));
        Ok(Arc::new(Self { files, current }))
    }

    /// Reads the files again. The certificate stays if they can't be used.
    ///
    /// # Errors
    /// The file, and what is wrong with it.
    pub fn reload(&self) -> Result<(), String> {
        let new = Arc::new(read(&self.files)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// The configuration of a listener with this certificate.
    ///
    /// # Errors
    /// When the library refuses its own protocol versions.
    pub fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, String> {
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Reads the files again at each SIGHUP.
    ///
    /// # Errors
    /// When the operating system does not let us listen for the signal.
    pub fn reload_at_hangup(self: Arc<Self>) -> Result<(), String> {
        let mut hangups = signal(SignalKind::hangup()).map_err(|error| error.to_string())?;
        tokio::spawn(async move {
            while hangups.recv().await.is_some() {
                match self.reload() {
                    Ok(()) => tracing::info!("the certificate was read again"),
                    Err(error) => tracing::error!("the certificate stays as it was: {error}"),
                }
            }
        });
        Ok(())
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// aws-lc-rs with the hybrid groups in front.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    let kx_groups = vec![
        kx_group::X25519MLKEM768,
        kx_group::SECP256R1MLKEM768,
        kx_group::X25519,
        kx_group::SECP256R1,
        kx_group::SECP384R1,
    ];
    Arc::new(CryptoProvider { kx_groups, ..default_provider() })
}

fn read(files: &TlsFiles) -> Result<CertifiedKey, String> {
    let TlsFiles { certificate, key } = files;
    let bytes = |name: &str, path: &Path| {
        std::fs::read(path).map_err(|error| format!("{name}: {} cannot be read: {error}", path.display()))
    };
    let text = bytes("TLS_CERT_FILE", certificate)?;
    let chain = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| format!("TLS_CERT_FILE: {} is no PEM file: {error}", certificate.display()))?;
    if chain.is_empty() {
        return Err(format!("TLS_CERT_FILE: {} has no certificate", certificate.display()));
    }
    let private = PrivateKeyDer::from_pem_slice(&bytes("TLS_KEY_FILE", key)?);
    let private = private.map_err(|error| format!("TLS_KEY_FILE: {} has no private key: {error}", key.display()))?;
    let made: Result<CertifiedKey, rustls::Error> = CertifiedKey::from_der(chain, private, &provider());
    made.map_err(|error| format!("TLS_KEY_FILE: {} does not fit the certificate: {error}", key.display()))
}

/// TLS to this server itself, for a check on the same machine: the certificate is for the public name, and is not compared
/// with the address.
///
/// # Errors
/// When the handshake fails.
pub async fn connect_to_self(stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let verifier = Arc::new(AnyCertificate(provider()));
    let config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// Accepts every certificate whose key signs the handshake.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
