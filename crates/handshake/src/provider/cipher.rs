//! Record protection.
use std::fmt;

use dimpl::crypto::{
    Aad, Buf, Cipher, Dtls12CipherSuite, Dtls13CipherSuite, HashAlgorithm, Nonce, SupportedDtls12CipherSuite,
    SupportedDtls13CipherSuite, TmpBuf,
};
use dimpl::{CryptoError, CryptoOperation};
use ring::aead::{self, LessSafeKey, UnboundKey, quic};

/// In the order in which a client of ours offers them.
pub(super) static DTLS_1_2: &[&dyn SupportedDtls12CipherSuite] = &[
    &Suite {
        suite: Dtls12CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256,
        hash: HashAlgorithm::SHA256,
        aead: &aead::AES_128_GCM,
        explicit_nonce: 8,
    },
    &Suite {
        suite: Dtls12CipherSuite::ECDHE_ECDSA_AES256_GCM_SHA384,
        hash: HashAlgorithm::SHA384,
        aead: &aead::AES_256_GCM,
        explicit_nonce: 8,
    },
    &Suite {
        suite: Dtls12CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256,
        hash: HashAlgorithm::SHA256,
        aead: &aead::CHACHA20_POLY1305,
        explicit_nonce: 0,
    },
];

pub(super) static DTLS_1_3: &[&dyn SupportedDtls13CipherSuite] = &[&ChaCha];

/// The length of the tag of every AEAD here.
const TAG: usize = 16;

struct Suite {
    suite: Dtls12CipherSuite,
    hash: HashAlgorithm,
    aead: &'static aead::Algorithm,
    /// Octets of the nonce that each record carries (RFC 5288 §3); ChaCha20-Poly1305 has none (RFC 7905 §2).
    explicit_nonce: usize,
}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.suite.fmt(f)
    }
}

impl SupportedDtls12CipherSuite for Suite {
    fn suite(&self) -> Dtls12CipherSuite {
        self.suite
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        self.hash
    }

    fn key_lengths(&self) -> (usize, usize, usize) {
        (0, self.aead.key_len(), self.aead.nonce_len() - self.explicit_nonce)
    }

    fn explicit_nonce_len(&self) -> usize {
        self.explicit_nonce
    }

    fn tag_len(&self) -> usize {
        TAG
    }

    fn create_cipher(&self, key: &[u8]) -> Result<Box<dyn Cipher>, CryptoError> {
        Aead::boxed(self.aead, key)
    }
}

#[derive(Debug)]
struct ChaCha;

impl SupportedDtls13CipherSuite for ChaCha {
    fn suite(&self) -> Dtls13CipherSuite {
        Dtls13CipherSuite::CHACHA20_POLY1305_SHA256
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::SHA256
    }

    fn key_len(&self) -> usize {
        aead::CHACHA20_POLY1305.key_len()
    }

    fn iv_len(&self) -> usize {
        aead::CHACHA20_POLY1305.nonce_len()
    }

    fn tag_len(&self) -> usize {
        TAG
    }

    fn create_cipher(&self, key: &[u8]) -> Result<Box<dyn Cipher>, CryptoError> {
        Aead::boxed(&aead::CHACHA20_POLY1305, key)
    }

    fn encrypt_sn(&self, sn_key: &[u8], sample: &[u8; 16]) -> [u8; 16] {
        // The mask is QUIC's (RFC 9147 §4.2.3, RFC 9001 §5.4.4); a record number has two octets at most. A key of a
        // wrong length can't be: the engine derives it by `key_len`.
        let mut mask = [0; 16];
        let masked =
            quic::HeaderProtectionKey::new(&quic::CHACHA20, sn_key).and_then(|key| key.new_mask(sample));
        for (to, from) in mask.iter_mut().zip(masked.unwrap_or_default()) {
            *to = from;
        }
        mask
    }
}

#[derive(Debug)]
struct Aead(LessSafeKey);

impl Aead {
    fn boxed(algorithm: &'static aead::Algorithm, key: &[u8]) -> Result<Box<dyn Cipher>, CryptoError> {
        let key = UnboundKey::new(algorithm, key)
            .map_err(|_| CryptoError::OperationFailed(CryptoOperation::CreateCipher))?;
        Ok(Box::new(Self(LessSafeKey::new(key))))
    }
}

impl Cipher for Aead {
    fn encrypt(&mut self, plaintext: &mut Buf, aad: Aad, nonce: Nonce) -> Result<(), CryptoError> {
        let nonce = aead::Nonce::assume_unique_for_key(nonce.0);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, aead::Aad::from(&*aad), plaintext)
            .map_err(|_| CryptoError::OperationFailed(CryptoOperation::Encrypt))?;
        plaintext.extend_from_slice(tag.as_ref());
        Ok(())
    }

    fn decrypt(&mut self, ciphertext: &mut TmpBuf<'_>, aad: Aad, nonce: Nonce) -> Result<(), CryptoError> {
        let nonce = aead::Nonce::assume_unique_for_key(nonce.0);
        let plain = self
            .0
            .open_in_place(nonce, aead::Aad::from(&*aad), ciphertext.as_mut())
            .map_err(|_| CryptoError::OperationFailed(CryptoOperation::Decrypt))?
            .len();
        ciphertext.truncate(plain);
        Ok(())
    }
}
