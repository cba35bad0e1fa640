//! Certificates made for one test, by an authority that nobody else knows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// An authority of the test's own.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    dir: PathBuf,
    file: PathBuf,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Authority").field(&self.file).finish()
    }
}

/// A certificate with its key, as files.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// The name of a certificate: a DNS name, an address, or a URI.
fn name(text: &str) -> SanType {
    if let Ok(ip) = text.parse() {
        SanType::IpAddress(ip)
    } else if text.contains(':') {
        SanType::URI(text.try_into().unwrap())
    } else {
        SanType::DnsName(text.try_into().unwrap())
    }
}

impl Authority {
    /// An authority whose files go to `dir`, beginning with `called`.
    ///
    /// # Panics
    /// When they can't be written.
    #[must_use]
    pub fn new(dir: &Path, called: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, called);
        let key = KeyPair::generate().unwrap();
        let file = dir.join(format!("{called}.authority.pem"));
        std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), dir: dir.to_owned(), file }
    }

    /// The file with its own certificate.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// A certificate for those names.
    #[must_use]
    pub fn issue(&self, called: &str, names: &[&str]) -> Issued {
        self.issue_with(called, names, |_| {})
    }

    /// A certificate for those names, changed before it is signed.
    ///
    /// # Panics
    /// When its files can't be written.
    #[must_use]
    pub fn issue_with(
        &self,
        called: &str,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Issued {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.iter().map(|text| name(text)).collect();
        params.distinguished_name.push(DnType::CommonName, called);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        write(&self.dir, called, &certificate.pem(), &key.serialize_pem())
    }
}

/// A certificate that vouches for itself.
///
/// # Panics
/// When its files can't be written.
#[must_use]
pub fn self_signed(dir: &Path, called: &str, names: &[&str]) -> Issued {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names.iter().map(|text| name(text)).collect();
    let key = KeyPair::generate().unwrap();
    write(dir, called, &params.self_signed(&key).unwrap().pem(), &key.serialize_pem())
}

fn write(dir: &Path, called: &str, certificate: &str, key: &str) -> Issued {
    let issued =
        Issued { certificate: dir.join(format!("{called}.pem")), key: dir.join(format!("{called}.key")) };
    std::fs::write(&issued.certificate, certificate).unwrap();
    std::fs::write(&issued.key, key).unwrap();
    issued
}

impl Issued {
    fn read(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let chain = CertificateDer::pem_file_iter(&self.certificate).unwrap().map(Result::unwrap).collect();
        (chain, PrivateKeyDer::from_pem_file(&self.key).unwrap())
    }

    /// Puts this certificate and key in the place of another's, as a renewal does.
    ///
    /// # Panics
    /// When the files can't be written.
    pub fn replace(&self, other: &Self) {
        std::fs::copy(&self.certificate, &other.certificate).unwrap();
        std::fs::copy(&self.key, &other.key).unwrap();
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn roots(authority: &Path) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(authority).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    Arc::new(roots)
}

/// A client that trusts one authority, with a certificate of its own or without.
///
/// # Panics
/// When the files can't be read.
#[must_use]
pub fn client(
    authority: &Path,
    own: Option<&Issued>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(versions).unwrap();
    let builder = builder.with_root_certificates(roots(authority));
    Arc::new(match own.map(Issued::read) {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
        None => builder.with_no_client_auth(),
    })
}

/// A server with that certificate, which asks nobody for another.
///
/// # Panics
/// When the files can't be read.
#[must_use]
pub fn server(own: &Issued) -> Arc<ServerConfig> {
    let (chain, key) = own.read();
    let builder =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).unwrap())
}
