//! The public key of a peer's certificate (RFC 5280 §4.1, RFC 5480, RFC 8017 A.1).
//!
//! Nothing else of a certificate matters here: which certificate is the peer's its fingerprint in the SDP says, and
//! neither its names, its dates, nor who signed it (RFC 5763 §5). So it is walked to its key, and no further.

/// The curve of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Curve {
    /// secp256r1.
    P256,
    /// secp384r1.
    P384,
}

/// A key of a kind that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PublicKey<'a> {
    /// On a curve: the point, not compressed.
    Ec(Curve, &'a [u8]),
    /// RSA: modulus and exponent, in DER.
    Rsa(&'a [u8]),
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OID: u8 = 0x06;
/// `[0] EXPLICIT`, the version of a certificate.
const VERSION: u8 = 0xa0;

/// 1.2.840.113549.1.1.1
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// 1.2.840.10045.2.1
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// 1.2.840.10045.3.1.7
const SECP256R1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// 1.3.132.0.34
const SECP384R1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];

/// The key of a certificate in DER; none if it is not a certificate, or its key of another kind (Ed25519).
pub(crate) fn public_key(certificate: &[u8]) -> Option<PublicKey<'_>> {
    let mut certificate = Der(certificate).enter(SEQUENCE)?;
    let mut signed = certificate.enter(SEQUENCE)?;
    if signed.0.first() == Some(&VERSION) {
        signed.enter(VERSION)?;
    }
    signed.enter(INTEGER)?; // serial number
    for _ in 0..4 {
        signed.enter(SEQUENCE)?; // signature algorithm, issuer, validity, subject
    }
    let mut key = signed.enter(SEQUENCE)?;
    let mut algorithm = key.enter(SEQUENCE)?;
    let curve = match algorithm.enter(OID)?.0 {
        RSA => None,
        EC_PUBLIC_KEY => match algorithm.enter(OID)?.0 {
            SECP256R1 => Some(Curve::P256),
            SECP384R1 => Some(Curve::P384),
            _ => return None,
        },
        _ => return None,
    };
    // No bits unused in the last octet: either kind is whole octets.
    let bits = key.enter(BIT_STRING)?.0.strip_prefix(&[0])?;
    Some(curve.map_or(PublicKey::Rsa(bits), |curve| PublicKey::Ec(curve, bits)))
}

/// DER that is still to be read.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// Takes the next element, which has to have this tag, and gives its content.
    fn enter(&mut self, tag: u8) -> Option<Der<'a>> {
        let (&found, rest) = self.0.split_first()?;
        if found != tag {
            return None;
        }
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // Two octets of length are enough: no datagram holds more.
            0x81 => rest.split_first().map(|(&length, rest)| (usize::from(length), rest))?,
            0x82 => {
                let (length, rest) = rest.split_first_chunk::<2>()?;
                (usize::from(u16::from_be_bytes(*length)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(Der(content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn certificate(algorithm: &'static rcgen::SignatureAlgorithm) -> (Vec<u8>, Vec<u8>) {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let certificate =
            rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap().self_signed(&key).unwrap();
        (certificate.der().to_vec(), key.public_key_raw().to_vec())
    }

    #[test]
    fn keys_of_both_curves_are_found() {
        for (algorithm, curve) in
            [(&rcgen::PKCS_ECDSA_P256_SHA256, Curve::P256), (&rcgen::PKCS_ECDSA_P384_SHA384, Curve::P384)]
        {
            let (der, point) = certificate(algorithm);
            assert_eq!(public_key(&der), Some(PublicKey::Ec(curve, &point)));
        }
    }

    #[test]
    fn the_key_of_an_rsa_certificate_is_found() {
        let out = std::process::Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-nodes",
                "-subj",
                "/CN=peer",
                "-newkey",
                "rsa:2048",
                "-keyout",
                "/dev/null",
            ])
            .args(["-outform", "DER"])
            .output()
            .unwrap();
        // SEQUENCE of an INTEGER of 257 octets, the first of them zero, and 65537.
        let Some(PublicKey::Rsa(key)) = public_key(&out.stdout) else { panic!("no key") };
        assert_eq!((key.len(), &key[..8]), (270, &[0x30, 0x82, 1, 10, 2, 0x82, 1, 1][..]));
        assert_eq!(key[key.len() - 5..], [2, 3, 1, 0, 1]);
    }

    #[test]
    fn another_kind_of_key_is_none() {
        let (der, _) = certificate(&rcgen::PKCS_ED25519);
        assert_eq!(public_key(&der), None);
    }

    #[test]
    fn a_certificate_cut_anywhere_before_its_key_ends_has_none() {
        let (der, point) = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
        for length in 0..der.len() {
            assert_eq!(
                public_key(&der[..length]),
                None,
                "{length} of {} octets, key {}",
                der.len(),
                point.len()
            );
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = public_key(&bytes);
        }
    }
}
