//! The cryptography under `dimpl`, made of `ring`, which is below rustls already.
//!
//! `dimpl` brings two sets of its own: aws-lc, which is built by a C compiler for a minute, and RustCrypto, whose P-256
//! takes several times as long as `ring`'s. Its parts are traits, so the third set is this one.
//!
//! Key exchange: X25519, P-256, P-384. Signatures: ECDSA on P-256 and P-384 with SHA-256 and SHA-384. Records:
//! AES-128-GCM, AES-256-GCM, ChaCha20-Poly1305. DTLS 1.3 has ChaCha20-Poly1305 alone: the others mask record numbers
//! with a whole block of AES, which `ring` does not give out.
mod cipher;
mod exchange;
mod signature;

use std::cell::Cell;
use std::fmt;

use dimpl::crypto::{
    Buf, CryptoProvider, HashAlgorithm, HashContext, HashProvider, HmacProvider, SecureRandom as Randomness,
};
use dimpl::{CryptoError, CryptoOperation};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{digest, hmac};

/// What every session's settings hold.
pub(crate) fn provider() -> CryptoProvider {
    CryptoProvider {
        kx_groups: exchange::GROUPS,
        signature_verification: &signature::Verifier,
        key_provider: &signature::Keys,
        secure_random: &Random,
        hash_provider: &Hashes,
        hmac_provider: &Hmacs,
        cipher_suites: cipher::DTLS_1_2,
        dtls13_cipher_suites: cipher::DTLS_1_3,
    }
}

thread_local! {
    static COOKIE: Cell<Option<[u8; 32]>> = const { Cell::new(None) };
}

/// Runs `body` while the engine takes `cookie` for the one that it would have given the client.
///
/// The engine's own cookie holds the client's random value and nothing of its address; [`cookie`](crate::cookie) makes
/// and checks one that does, before there is an engine. The engine computes its cookie by `hmac_sha256`, for which it
/// has no other use, and so it is told there.
pub(crate) fn with_cookie<T>(cookie: [u8; 32], body: impl FnOnce() -> T) -> T {
    COOKIE.set(Some(cookie));
    let result = body();
    COOKIE.set(None);
    result
}

fn failed(operation: CryptoOperation) -> CryptoError {
    CryptoError::OperationFailed(operation)
}

#[derive(Debug)]
struct Random;

impl Randomness for Random {
    fn fill(&self, buf: &mut [u8]) -> Result<(), CryptoError> {
        SystemRandom::new().fill(buf).map_err(|_| failed(CryptoOperation::FillRandom))
    }
}

#[derive(Debug)]
struct Hashes;

struct Hash(digest::Context);

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hash").finish_non_exhaustive()
    }
}

impl HashProvider for Hashes {
    fn create_hash(&self, algorithm: HashAlgorithm) -> Box<dyn HashContext> {
        // No suite of ours has another hash than these two.
        let algorithm = if algorithm == HashAlgorithm::SHA384 { &digest::SHA384 } else { &digest::SHA256 };
        Box::new(Hash(digest::Context::new(algorithm)))
    }
}

impl HashContext for Hash {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn clone_and_finalize(&self, out: &mut Buf) {
        out.clear();
        out.extend_from_slice(self.0.clone().finish().as_ref());
    }
}

#[derive(Debug)]
struct Hmacs;

impl HmacProvider for Hmacs {
    fn hmac_sha256(&self, key: &[u8], data: &[u8]) -> Result<[u8; 32], CryptoError> {
        if let Some(cookie) = COOKIE.get() {
            return Ok(cookie);
        }
        let mut out = [0; 32];
        self.hmac(HashAlgorithm::SHA256, key, data, &mut out)?;
        Ok(out)
    }

    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        data: &[u8],
        out: &mut [u8],
    ) -> Result<usize, CryptoError> {
        let algorithm = match hash {
            HashAlgorithm::SHA256 => hmac::HMAC_SHA256,
            HashAlgorithm::SHA384 => hmac::HMAC_SHA384,
            _ => return Err(failed(CryptoOperation::ComputeHmac)),
        };
        let tag = hmac::sign(&hmac::Key::new(algorithm, key), data);
        let tag = tag.as_ref();
        out.get_mut(..tag.len()).ok_or(failed(CryptoOperation::ComputeHmac))?.copy_from_slice(tag);
        Ok(tag.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers_of_the_library_hold() {
        provider().validate().unwrap();
    }

    #[test]
    fn a_cookie_is_told_for_the_body_alone() {
        let honest = Hmacs.hmac_sha256(b"key", b"data").unwrap();
        assert_eq!(with_cookie([7; 32], || Hmacs.hmac_sha256(b"key", b"data").unwrap()), [7; 32]);
        assert_eq!(Hmacs.hmac_sha256(b"key", b"data").unwrap(), honest);
    }
}
