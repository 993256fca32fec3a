//! TLS to providers: rustls with ring, the built-in roots, and the user's own ones added.
//!
//! ureq's connector takes either its own roots or given certificates, not both; a company's root
//! is to be *added*, so that the configuration is made here. It is made at the first use.

use std::fmt;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::crypto::{CryptoProvider, KeyProvider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::SigningKey;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport, TransportAdapter,
};

use crate::upstream::failure::{Failure, chain, not_reached};
use crate::upstream::watch;

/// The roots that are trusted; cheap to clone, shared by all agents.
#[derive(Clone)]
pub struct Tls(Arc<Shared>);

struct Shared {
    extra_roots: Vec<PathBuf>,
    config: OnceLock<Result<Arc<ClientConfig>, Failure>>,
}

impl Tls {
    /// The built-in roots and those of PEM files.
    pub fn new(extra_roots: Vec<PathBuf>) -> Self {
        Self(Arc::new(Shared { extra_roots, config: OnceLock::new() }))
    }

    /// Reads the PEM files, so that a bad one is told at start.
    ///
    /// # Errors
    /// A file cannot be read or holds no certificate.
    pub fn check(&self) -> Result<(), Failure> {
        if self.0.extra_roots.is_empty() {
            return Ok(());
        }
        self.config().map(drop)
    }

    fn config(&self) -> Result<Arc<ClientConfig>, Failure> {
        self.0.config.get_or_init(|| build(&self.0.extra_roots).map(Arc::new)).clone()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.0.extra_roots).finish()
    }
}

fn build(extra_roots: &[PathBuf]) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for file in extra_roots {
        add_roots(file, &mut roots)?;
    }
    let provider = CryptoProvider { key_provider: &NoClientKeys, ..rustls::crypto::ring::default_provider() };
    let builder = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::Unusable(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Providers know us by a key in a header, never by a certificate of ours, so that nothing is signed
/// here; what ring brings for that is 45 kB of the binary.
#[derive(Debug)]
struct NoClientKeys;

impl KeyProvider for NoClientKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        Err(rustls::Error::General("client certificates are not supported".to_owned()))
    }
}

fn add_roots(file: &Path, roots: &mut RootCertStore) -> Result<(), Failure> {
    let unusable = |why: &dyn fmt::Display| {
        Failure::Unusable(format!("{} (tls.ca_file or SSL_CERT_FILE): {why}", file.display()))
    };
    let found = CertificateDer::pem_file_iter(file).map_err(|error| unusable(&error))?;
    let mut count = 0;
    for certificate in found {
        let certificate = certificate.map_err(|error| unusable(&error))?;
        roots.add(certificate).map_err(|error| unusable(&error))?;
        count += 1;
    }
    if count == 0 { Err(unusable(&"no certificate in it")) } else { Ok(()) }
}

/// The last link of the chain: TLS where the URL says https.
#[derive(Debug)]
pub(super) struct TlsConnector(Tls);

impl TlsConnector {
    pub(super) fn new(tls: &Tls) -> Self {
        Self(tls.clone())
    }

    /// Kept out of its caller, whose frame stays on the stack of every open stream.
    #[inline(never)]
    fn wrap(
        &self,
        details: &ConnectionDetails<'_>,
        lower: Box<dyn Transport>,
    ) -> Result<Box<dyn Transport>, ureq::Error> {
        let config = self.0.config().map_err(|failure| not_reached(failure.to_string()))?;
        let host = details.uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| not_reached(format!("`{host}` is no name that TLS can check")))?;
        let mut session = ClientConnection::new(config, name).map_err(|error| not_reached(chain(&error)))?;
        let mut socket = TransportAdapter::new(lower, details.current_time.clone());
        session.complete_io(&mut socket).map_err(handshake_failure)?;
        let buffers =
            LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Box::new(TlsTransport { buffers, stream: StreamOwned::new(session, socket) }))
    }
}

/// What rustls found wrong is told with its cause; our own stops pass as they are.
fn handshake_failure(error: std::io::Error) -> ureq::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(why) => not_reached(format!("TLS: {}", chain(why))),
        None => ureq::Error::Io(error),
    }
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Box<dyn Transport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(lower) = chained else { return Ok(None) };
        let out = if details.needs_tls() && !lower.is_tls() {
            self.wrap(details, Box::new(lower))?
        } else {
            Box::new(lower)
        };
        watch::connected();
        Ok(Some(out))
    }
}

/// A TLS session over the slice transport.
pub(super) struct TlsTransport {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsTransport")
    }
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        self.stream.write_all(output)?;
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
