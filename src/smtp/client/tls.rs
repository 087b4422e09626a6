//! TLS towards a relay: always verified.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::wire::Socket;
use crate::delivery::reply::{Answer, Stage};

/// Whose certificates we believe. Keeps TLS sessions, so share one among the connections to a relay.
#[derive(Clone, Debug)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// Mozilla's roots.
    #[must_use]
    pub fn public() -> Self {
        Self::with(&[])
    }

    /// Mozilla's roots and some of our own: a company's private authority, or a test's. One that cannot be read as a
    /// root is left out, and then what it signed is not believed.
    #[must_use]
    pub fn with(extra: &[CertificateDer<'static>]) -> Self {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        roots.add_parsable_certificates(extra.iter().cloned());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS 1.2 and 1.3 are there because aws-lc-rs has suites for both")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self(Arc::new(config))
    }
}

/// The handshake; the certificate must be for `host`.
pub(super) async fn handshake(tcp: TcpStream, trust: &Trust, host: &str, within: Duration) -> Result<Socket, Answer> {
    let broken = |why: String| Answer::Broken { stage: Stage::StartTls, why };
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name =
        ServerName::try_from(bare).map_err(|_| broken(format!("{host} is not a name a certificate can have")))?;
    let connecting = TlsConnector::from(Arc::clone(&trust.0)).connect(name, tcp);
    match tokio::time::timeout(within, connecting).await {
        Ok(Ok(stream)) => Ok(Socket::Tls(Box::new(stream))),
        Ok(Err(error)) => Err(broken(format!("TLS with {host} failed: {error}"))),
        Err(_) => Err(broken(format!("TLS with {host} was not ready within {:.1} s", within.as_secs_f64()))),
    }
}
