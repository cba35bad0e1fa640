//! Our signatures, and those of peers.
use dimpl::crypto::{
    Buf, HashAlgorithm, KeyProvider, NamedGroup, SignatureAlgorithm, SignatureVerifier, SigningKey,
    check_verify_scheme,
};
use dimpl::{CryptoError, CryptoOperation};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, UnparsedPublicKey, VerificationAlgorithm};

use crate::x509::{self, Curve, PublicKey};

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
        let (algorithm, key): (&dyn VerificationAlgorithm, _) = match (key, sig_alg) {
            (PublicKey::Ec(curve, point), _) => {
                check_verify_scheme(sig_alg, hash_alg, group(curve))?;
                let algorithm = match (curve, hash_alg == HashAlgorithm::SHA384) {
                    (Curve::P256, false) => &signature::ECDSA_P256_SHA256_ASN1,
                    (Curve::P256, true) => &signature::ECDSA_P256_SHA384_ASN1,
                    (Curve::P384, false) => &signature::ECDSA_P384_SHA256_ASN1,
                    (Curve::P384, true) => &signature::ECDSA_P384_SHA384_ASN1,
                };
                (algorithm, point)
            }
            // Of 2,048 bits and more: what is shorter can be forged.
            (PublicKey::Rsa(key), SignatureAlgorithm::RSA) => match hash_alg {
                HashAlgorithm::SHA256 => (&signature::RSA_PKCS1_2048_8192_SHA256, key),
                HashAlgorithm::SHA384 => (&signature::RSA_PKCS1_2048_8192_SHA384, key),
                HashAlgorithm::SHA512 => (&signature::RSA_PKCS1_2048_8192_SHA512, key),
                _ => return Err(CryptoError::UnsupportedPublicKeyAlgorithm),
            },
            (PublicKey::Rsa(_), _) => return Err(CryptoError::UnsupportedPublicKeyAlgorithm),
        };
        UnparsedPublicKey::new(algorithm, key)
            .verify(data, signature)
            .map_err(|_| CryptoError::OperationFailed(CryptoOperation::VerifySignature))
    }
}

fn group(curve: Curve) -> NamedGroup {
    match curve {
        Curve::P256 => NamedGroup::Secp256r1,
        Curve::P384 => NamedGroup::Secp384r1,
    }
}
