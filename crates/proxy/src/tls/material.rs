//! Certificates, keys and authorities, read from their files.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, RootCertStore, SignatureScheme};

use super::certificate::{identities, validity};
use crate::config::{Fault, Tls as Config};

/// Larger files hold no certificates; a key has some kilobytes.
const LARGEST: u64 = 4 << 20;
/// A certificate that ends within this many seconds is warned of.
const SOON: i64 = 14 * 24 * 3_600;
const DAY: i64 = 24 * 3_600;

/// The certificates that Sidetone shows.
pub(super) struct Material {
    /// The usual one.
    pub(super) own: Arc<CertifiedKey>,
    /// Each of them, the usual one first.
    pub(super) chosen: Arc<Chosen>,
    /// When the first of them ends, in seconds of Unix time.
    pub(super) ends: Option<i64>,
}

/// A certificate with its key, and the names that it has.
#[derive(Debug)]
struct Named {
    key: Arc<CertifiedKey>,
    names: Vec<String>,
}

/// Chooses the certificate by the name that a client asks for; the usual one where none fits.
#[derive(Debug)]
pub(super) struct Chosen(Vec<Named>);

/// The certificate that servers are shown if they ask.
#[derive(Debug)]
pub(super) struct Own(pub(super) Arc<CertifiedKey>);

impl ResolvesServerCert for Chosen {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name();
        let fits = |named: &&Named| {
            asked.is_some_and(|asked| named.names.iter().any(|name| name.eq_ignore_ascii_case(asked)))
        };
        let named = self.0.iter().find(fits).or(self.0.first())?;
        Some(Arc::clone(&named.key))
    }
}

impl rustls::client::ResolvesClientCert for Own {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.key.choose_scheme(schemes).map(|_| Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl Material {
    /// Reads the files; none if one of them can't be used.
    pub(super) fn read(config: &Config, provider: &CryptoProvider, faults: &mut Vec<Fault>) -> Option<Self> {
        let more = config.more.iter().enumerate().map(|(index, pair)| {
            (format!("sip.tls.more.{index}"), pair.certificate.as_path(), pair.key.as_path())
        });
        let own = ("sip.tls".to_owned(), config.certificate.as_path(), config.key.as_path());
        let all: Vec<_> = std::iter::once(own).chain(more).collect();
        // Each of them, so that all faults are told at once.
        let read: Vec<_> = all
            .iter()
            .map(|(key, certificate, secret)| Named::read(key, certificate, secret, provider, faults))
            .collect();
        let named = read.into_iter().collect::<Option<Vec<_>>>()?;
        if let (Some(name), Some(own)) = (&config.name, named.first())
            && !own.names.iter().any(|known| known.eq_ignore_ascii_case(name))
            && !own.names.iter().any(|known| known.starts_with("*."))
        {
            let known = own.names.join(", ");
            let problem = format!(
                "`{name}` is none of the certificate's names ({known}), so peers that check it would hang up; write one of those, or have the certificate renewed"
            );
            faults.push(Fault::warning("sip.tls.name", problem));
        }
        if let (None, Some(own)) = (&config.name, named.first())
            && own.names.iter().all(|known| known.starts_with("*."))
        {
            let problem = format!(
                "{} speaks for no name that a SIP peer takes (RFC 5922: no wildcard, no common name), so peers that check it hang up; have one made with the name or the address at which you are reached",
                config.certificate.display()
            );
            faults.push(Fault::warning("sip.tls.certificate", problem));
        }
        let own = Arc::clone(&named.first()?.key);
        let leaves = named.iter().filter_map(|named| named.key.cert.first());
        let ends = leaves.filter_map(|leaf| validity(leaf)).map(|(_, ends)| ends).min();
        Some(Self { own, ends, chosen: Arc::new(Chosen(named)) })
    }
}

impl Named {
    fn read(
        key: &str,
        certificate: &Path,
        secret: &Path,
        provider: &CryptoProvider,
        faults: &mut Vec<Fault>,
    ) -> Option<Self> {
        let chain = chain(&format!("{key}.certificate"), certificate, faults);
        let secret_key = format!("{key}.key");
        let private = private(&secret_key, secret, provider, faults);
        let (chain, private) = chain.zip(private)?;
        let leaf = chain.first()?.clone();
        let named = CertifiedKey::new(chain, private);
        match named.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(_) => {
                let problem = format!(
                    "{} is not the key of {}: they don't belong together; name the key that the certificate was made with",
                    secret.display(),
                    certificate.display()
                );
                faults.push(Fault::fatal(secret_key, problem));
                return None;
            }
        }
        faults.extend(age(&format!("{key}.certificate"), certificate, &leaf));
        Some(Self { key: Arc::new(named), names: names(&leaf) })
    }
}

/// The names by which a client may ask for a certificate.
fn names(leaf: &CertificateDer<'_>) -> Vec<String> {
    let dns = webpki::EndEntityCert::try_from(leaf)
        .map(|leaf| leaf.valid_dns_names().map(str::to_ascii_lowercase).collect::<Vec<_>>());
    let mut names = dns.unwrap_or_default();
    names.extend(identities(leaf));
    names.sort();
    names.dedup();
    names
}

/// The certificate at the beginning of the chain, as it ages.
fn age(key: &str, path: &Path, leaf: &CertificateDer<'_>) -> Option<Fault> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    let now = i64::try_from(now).ok()?;
    let (begins, ends) = validity(leaf)?;
    let path = path.display();
    let problem = if now >= ends {
        format!(
            "{path} has expired {} days ago, and peers that check it hang up; renew it, then reload",
            (now - ends) / DAY
        )
    } else if now < begins {
        format!("{path} is not valid yet, for {} more days; is the clock right?", (begins - now) / DAY)
    } else if ends - now < SOON {
        format!("{path} expires in {} days; renew it, then reload", (ends - now) / DAY)
    } else {
        return None;
    };
    Some(Fault::warning(key, problem))
}

fn chain(key: &str, path: &Path, faults: &mut Vec<Fault>) -> Option<Vec<CertificateDer<'static>>> {
    let text = text(key, path, faults)?;
    let chain = certificates(&text);
    let problem = match chain {
        Ok(chain) if !chain.is_empty() => match webpki::EndEntityCert::try_from(chain.first()?) {
            Ok(_) => return Some(chain),
            Err(why) => format!(
                "{} holds a certificate that can't be read ({why}); have it made anew",
                path.display()
            ),
        },
        Ok(_) if has_section(&text, "PRIVATE KEY") => {
            format!("{} holds a private key and no certificate; are the two files exchanged?", path.display())
        }
        Ok(_) => format!(
            "{} holds no certificate in PEM (\"-----BEGIN CERTIFICATE-----\"); name one that does",
            path.display()
        ),
        Err(why) => format!("{} is damaged: {}; have it made anew", path.display(), worded(&why)),
    };
    faults.push(Fault::fatal(key, problem));
    None
}

fn private(
    key: &str,
    path: &Path,
    provider: &CryptoProvider,
    faults: &mut Vec<Fault>,
) -> Option<Arc<dyn rustls::sign::SigningKey>> {
    let text = text(key, path, faults)?;
    let path = path.display();
    let problem = match PrivateKeyDer::from_pem_slice(&text) {
        // The library's own words could quote the key.
        Ok(private) => match provider.key_provider.load_private_key(private) {
            Ok(private) => return Some(private),
            Err(_) => format!(
                "{path} holds a private key of a kind that is not used here; RSA, ECDSA (P-256, P-384) and Ed25519 are"
            ),
        },
        Err(PemError::NoItemsFound) if has_section(&text, "ENCRYPTED PRIVATE KEY") => {
            format!(
                "{path} holds a key under a password; decrypt it (`openssl pkey -in {path} -out NEW`) and keep it from other users"
            )
        }
        Err(PemError::NoItemsFound) if has_section(&text, "CERTIFICATE") => {
            format!("{path} holds a certificate and no private key; are the two files exchanged?")
        }
        Err(PemError::NoItemsFound) => {
            format!(
                "{path} holds no private key in PEM (\"-----BEGIN PRIVATE KEY-----\"); name one that does"
            )
        }
        // As OpenSSL wrote them before PKCS #8.
        Err(_) if memchr::memmem::find(&text, b"Proc-Type: 4,ENCRYPTED").is_some() => {
            format!(
                "{path} holds a key under a password; decrypt it (`openssl pkey -in {path} -out NEW`) and keep it from other users"
            )
        }
        Err(_) => format!("{path} is damaged; name the key as it was made"),
    };
    faults.push(Fault::fatal(key, problem));
    None
}

/// Those who may vouch for peers' certificates.
pub(super) fn authorities(path: Option<&Path>, faults: &mut Vec<Fault>) -> Option<RootCertStore> {
    const KEY: &str = "sip.tls.authorities";
    let mut roots = RootCertStore::empty();
    let Some(path) = path else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            let problem = "is missing, and this machine has no list of its own, so that no peer's certificate could be trusted; name a file with those that you trust";
            faults.push(Fault::fatal(KEY, problem));
            return None;
        }
        return Some(roots);
    };
    let text = text(KEY, path, faults)?;
    let path = path.display();
    let problem = match certificates(&text) {
        Ok(found) if !found.is_empty() => {
            let unfit = found.into_iter().filter_map(|one| roots.add(one).err()).count();
            if unfit == 0 {
                return Some(roots);
            }
            format!(
                "{path} holds {unfit} certificates that can't be read; take them out, or have them made anew"
            )
        }
        Ok(_) => format!(
            "{path} holds no certificate in PEM (\"-----BEGIN CERTIFICATE-----\"); name one that does"
        ),
        Err(why) => format!("{path} is damaged: {}; have it made anew", worded(&why)),
    };
    faults.push(Fault::fatal(KEY, problem));
    None
}

fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    CertificateDer::pem_slice_iter(text).collect()
}

fn has_section(text: &[u8], kind: &str) -> bool {
    let mark = format!("{kind}-----");
    text.windows(mark.len()).any(|window| window == mark.as_bytes())
}

/// The flaw of a file, without a byte of it.
fn worded(why: &PemError) -> &'static str {
    match why {
        PemError::MissingSectionEnd { .. } => "a section has no end",
        PemError::IllegalSectionStart { .. } => "a section begins in a wrong way",
        PemError::Base64Decode(_) => "it is no base64",
        _ => "it can't be read",
    }
}

fn text(key: &str, path: &Path, faults: &mut Vec<Fault>) -> Option<Vec<u8>> {
    let read = std::fs::metadata(path).and_then(|found| {
        if !found.is_file() || found.len() > LARGEST {
            return Err(ErrorKind::InvalidData.into());
        }
        std::fs::read(path)
    });
    let why = match read {
        Ok(text) => return Some(text),
        Err(why) => why,
    };
    let path = path.display();
    let problem = match why.kind() {
        ErrorKind::NotFound => format!("{path} does not exist; name the file by its whole path"),
        ErrorKind::PermissionDenied => {
            format!(
                "{path} can't be read by this user; give Sidetone's user the right to (its group, or an ACL)"
            )
        }
        ErrorKind::InvalidData => format!("{path} is no file in PEM; name one"),
        _ => format!("{path} can't be read: {why}"),
    };
    faults.push(Fault::fatal(key, problem));
    None
}
