//! Our signatures, and those of peers.
use dimpl::crypto::{
    Buf, HashAlgorithm, KeyProvider, NamedGroup, SignatureAlgorithm, SignatureVerifier, SigningKey,
    check_verify_scheme,
};
use dimpl::{CryptoError, CryptoOperation};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, UnparsedPublicKey};

use crate::x509::{self, Curve};

#[derive(Debug)]
pub(super) struct Keys;

#[derive(Debug)]
struct Key(EcdsaKeyPair);

impl KeyProvider for Keys {
    fn load_private_key(&self, key_der: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, key_der, &SystemRandom::new())
            .map(|key| Box::new(Key(key)) as Box<dyn SigningKey>)
            .map_err(|_| CryptoError::InvalidPrivateKey)
    }
}

impl SigningKey for Key {
    fn sign(&mut self, data: &[u8], hash_alg: HashAlgorithm, out: &mut Buf) -> Result<(), CryptoError> {
        if hash_alg != HashAlgorithm::SHA256 {
            return Err(CryptoError::SigningKeyUnsupportedHash {
                group: NamedGroup::Secp256r1,
                hash: hash_alg,
            });
        }
        let signed = self
            .0
            .sign(&SystemRandom::new(), data)
            .map_err(|_| CryptoError::OperationFailed(CryptoOperation::Sign))?;
        out.clear();
        out.extend_from_slice(signed.as_ref());
        Ok(())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::SHA256
    }

    fn supported_hash_algorithms(&self) -> &[HashAlgorithm] {
        &[HashAlgorithm::SHA256]
    }
}

#[derive(Debug)]
pub(super) struct Verifier;

impl SignatureVerifier for Verifier {
    fn verify_signature(
        &self,
        cert_der: &[u8],
        data: &[u8],
        signature: &[u8],
        hash_alg: HashAlgorithm,
        sig_alg: SignatureAlgorithm,
    ) -> Result<(), CryptoError> {
        let key = x509::public_key(cert_der).ok_or(CryptoError::UnsupportedPublicKeyAlgorithm)?;
        let group = match key.curve {
            Curve::P256 => NamedGroup::Secp256r1,
            Curve::P384 => NamedGroup::Secp384r1,
        };
        check_verify_scheme(sig_alg, hash_alg, group)?;
        let algorithm = match (key.curve, hash_alg == HashAlgorithm::SHA384) {
            (Curve::P256, false) => &signature::ECDSA_P256_SHA256_ASN1,
            (Curve::P256, true) => &signature::ECDSA_P256_SHA384_ASN1,
            (Curve::P384, false) => &signature::ECDSA_P384_SHA256_ASN1,
            (Curve::P384, true) => &signature::ECDSA_P384_SHA384_ASN1,
        };
        UnparsedPublicKey::new(algorithm, key.point).verify(data, signature).map_err(|_| {
            CryptoError::SignatureVerificationFailed { signature: sig_alg, hash: hash_alg, group }
        })
    }
}
