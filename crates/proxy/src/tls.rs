//! TLS for SIP: the certificates shown and the checks of those that peers show (RFC 3261 §26.3, RFC 5922).

mod certificate;
mod failure;
mod material;
mod verifier;

use std::net::IpAddr;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::server::{ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};

pub(crate) use self::certificate::identities;
pub use self::failure::Failure;
use self::material::Material;
use self::verifier::ServerVerifier;
use crate::config::{ClientCertificates, Fault, Tls as Config, Version};

/// Sessions that clients may resume without a ticket (TLS 1.2 session IDs).
const SESSIONS: usize = 4_096;

/// What a `[sip.tls]` makes: how to meet clients, and how to meet servers.
pub struct Tls {
    /// For telephony peers, at `tls:` sockets.
    pub(crate) peers: Arc<ServerConfig>,
    /// For browsers, at `wss:` sockets: they are never asked for certificates.
    pub(crate) browsers: Arc<ServerConfig>,
    /// For connections of our own.
    pub(crate) client: Arc<ClientConfig>,
    /// When the first of our certificates ends, in seconds of Unix time.
    pub(crate) ends: Option<i64>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Reads all files that a configuration names.
    ///
    /// # Errors
    /// All faults, the fatal ones among them. Without fatal ones the others come beside the result.
    pub fn load(config: &Config) -> Result<(Self, Vec<Fault>), Vec<Fault>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut faults = Vec::new();
        let material = Material::read(config, &provider, &mut faults);
        let roots = material::authorities(config.authorities.as_deref(), &mut faults).map(Arc::new);
        let (Some(material), Some(roots)) = (material, roots) else { return Err(faults) };
        if faults.iter().any(|fault| fault.fatal) {
            return Err(faults);
        }
        match Self::assemble(config, &provider, material, &roots) {
            Ok(tls) => Ok((tls, faults)),
            Err(why) => {
                faults.push(Fault::fatal(
                    "sip.tls",
                    format!("can't be used: {why}; renew the files that it names"),
                ));
                Err(faults)
            }
        }
    }

    fn assemble(
        config: &Config,
        provider: &Arc<CryptoProvider>,
        material: Material,
        roots: &Arc<RootCertStore>,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let Material { own, chosen, ends } = material;
        let versions = versions(config.minimum);
        let verifier = match config.client_certificates {
            ClientCertificates::Off => None,
            asked => {
                let roots = Arc::clone(roots);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider));
                Some(match asked {
                    ClientCertificates::Required => verifier.build()?,
                    _ => verifier.allow_unauthenticated().build()?,
                })
            }
        };
        let server = |verifier: Option<Arc<dyn rustls::server::danger::ClientCertVerifier>>| {
            let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
                .with_protocol_versions(&versions)?;
            let builder = match verifier {
                Some(verifier) => builder.with_client_cert_verifier(verifier),
                None => builder.with_no_client_auth(),
            };
            let mut server = builder.with_cert_resolver(Arc::clone(&chosen) as Arc<_>);
            // Both last no longer than these files are in force: nobody resumes what they no longer allow.
            server.session_storage = ServerSessionMemoryCache::new(SESSIONS);
            server.ticketer = rustls::crypto::ring::Ticketer::new()?;
            Ok::<_, rustls::Error>(server)
        };
        let peers = server(verifier)?;
        let mut browsers = server(None)?;
        // WebSocket opens by HTTP/1.1 (RFC 6455 §4.1); browsers offer h2 beside it.
        browsers.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            peers: Arc::new(peers),
            browsers: Arc::new(browsers),
            client: Arc::new(client(provider, &versions, own, roots)?),
            ends,
        })
    }
}

fn versions(minimum: Version) -> Vec<&'static SupportedProtocolVersion> {
    match minimum {
        Version::Tls12 => vec![&rustls::version::TLS13, &rustls::version::TLS12],
        Version::Tls13 => vec![&rustls::version::TLS13],
    }
}

fn client(
    provider: &Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
    own: Arc<CertifiedKey>,
    roots: &Arc<RootCertStore>,
) -> Result<ClientConfig, rustls::Error> {
    let verifier = Arc::new(ServerVerifier::new(Arc::clone(roots), Arc::clone(provider)));
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(provider)).with_protocol_versions(versions)?;
    // The verifier is the library's own but for names: it takes those of RFC 5922 and no wildcards.
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    Ok(builder.with_client_cert_resolver(Arc::new(material::Own(own))))
}

/// The identity that a peer's certificate has to prove: the name, or address, by which the peer is configured (RFC 5922
/// §7.1).
#[must_use]
pub(crate) fn identity(host: &str) -> Option<ServerName<'static>> {
    if let Some(ip) = sidetone_sip::host::literal(host) {
        return Some(ServerName::from(IpAddr::to_canonical(&ip)));
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    ServerName::try_from(name).ok()
}

#[cfg(test)]
mod tests;
