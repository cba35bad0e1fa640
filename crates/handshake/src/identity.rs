//! The certificate that we show to every peer.
use std::fmt;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::fingerprint::{Fingerprint, HashFunction};

/// A key and a certificate signed by itself: ECDSA on P-256, made when the process starts and kept nowhere.
///
/// It names nobody, and its dates are of no weight: peers know it by its fingerprint, in SDP.
pub struct Identity {
    certificate: Vec<u8>,
    private_key: Zeroizing<Vec<u8>>,
}

/// Why there is no certificate: the system gave no random bytes.
#[derive(Debug, Error)]
#[error("a certificate for DTLS can't be made: {0}")]
pub struct IdentityError(#[from] rcgen::Error);

impl Identity {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// If the system gives no random bytes.
    pub fn generate() -> Result<Self, IdentityError> {
        Self::with(CertificateParams::default())
    }

    /// With names and dates besides, for tests.
    pub(crate) fn with(mut params: CertificateParams) -> Result<Self, IdentityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "sidetone");
        let certificate = params.self_signed(&key)?.der().to_vec();
        Ok(Self { certificate, private_key: Zeroizing::new(key.serialize_der()) })
    }

    /// What our SDP says of it: its SHA-256 (RFC 8122 §5).
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate, HashFunction::Sha256)
    }

    /// What an engine is given, which copies it.
    pub(crate) fn certificate(&self) -> dimpl::DtlsCertificate {
        dimpl::DtlsCertificate {
            certificate: self.certificate.clone(),
            private_key: self.private_key.to_vec(),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("fingerprint", &self.fingerprint().to_string())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509;

    #[test]
    fn it_is_on_p256_and_each_is_another() {
        let (one, other) = (Identity::generate().unwrap(), Identity::generate().unwrap());
        let key = x509::public_key(&one.certificate).unwrap();
        assert!(matches!(key, x509::PublicKey::Ec(x509::Curve::P256, _)), "{key:?}");
        assert_ne!(one.fingerprint(), other.fingerprint());
        assert!(one.fingerprint().to_string().starts_with("sha-256 "));
    }

    #[test]
    fn debug_shows_no_key() {
        let identity = Identity::generate().unwrap();
        assert!(!format!("{identity:?}").contains("private"));
    }
}
