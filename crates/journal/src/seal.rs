//! What holds keys of calls is sealed before it is written down.
//!
//! By ChaCha20-Poly1305 (RFC 8439), under a key that is derived (HKDF, RFC 5869) from a secret of another file. Whoever
//! has the journal alone, a copy in a backup perhaps, has no key of any call. A part opens in its own place alone: as
//! that part, of that call.

use std::fmt;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::rand::{SecureRandom, SystemRandom};
use sidetone_call::CallKey;
use zeroize::Zeroizing;

use crate::part::Part;

/// How a sealed part begins, which no JSON does.
const SEALED: u8 = 0;

/// Seals and opens.
pub struct Seal {
    key: LessSafeKey,
    random: SystemRandom,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// A seal by a secret; `None` if the system's cryptography fails.
    #[must_use]
    pub fn by(secret: &[u8]) -> Option<Self> {
        let derived = Salt::new(HKDF_SHA256, b"sidetone call journal").extract(secret);
        let derived = derived.expand(&[b"keys of calls"], &CHACHA20_POLY1305).ok()?;
        Some(Self { key: LessSafeKey::new(UnboundKey::from(derived)), random: SystemRandom::new() })
    }

    fn place(call: CallKey, part: Part) -> [u8; 16] {
        let mut place = [0; 16];
        let (of_call, of_part) = place.split_at_mut(8);
        of_call.copy_from_slice(&call.0.to_be_bytes());
        of_part.copy_from_slice(&part.number().to_be_bytes());
        place
    }

    pub(crate) fn close(&self, call: CallKey, part: Part, content: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).ok()?;
        let mut body = content.to_vec();
        let place = Aad::from(Self::place(call, part));
        self.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), place, &mut body).ok()?;
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + body.len());
        sealed.push(SEALED);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&body);
        Some(sealed)
    }

    pub(crate) fn open(&self, call: CallKey, part: Part, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, body) = sealed.get(1..)?.split_first_chunk::<NONCE_LEN>()?;
        let mut body = Zeroizing::new(body.to_vec());
        let place = Aad::from(Self::place(call, part));
        let opened = self.key.open_in_place(Nonce::assume_unique_for_key(*nonce), place, &mut body).ok()?;
        Some(opened.to_vec())
    }
}

/// Whether a part was sealed.
pub(crate) fn is_sealed(content: &[u8]) -> bool {
    content.first() == Some(&SEALED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_opens_in_its_place_by_its_secret_and_nowhere_else() {
        let (seal, other) = (Seal::by(&[1; 16]).unwrap(), Seal::by(&[2; 16]).unwrap());
        let (call, part) = (CallKey(7), Part::Media);
        let mut sealed = seal.close(call, part, b"{\"secret\":1}").unwrap();
        assert!(is_sealed(&sealed) && !is_sealed(b"{}"));
        assert!(!sealed.windows(6).any(|bytes| bytes == b"secret"));
        assert_ne!(seal.close(call, part, b"{\"secret\":1}").unwrap(), sealed);
        assert_eq!(seal.open(call, part, &sealed).unwrap(), b"{\"secret\":1}");
        assert_eq!(other.open(call, part, &sealed), None);
        assert_eq!(seal.open(CallKey(8), part, &sealed), None);
        assert_eq!(seal.open(call, Part::Book, &sealed), None);
        sealed[20] ^= 1;
        assert_eq!(seal.open(call, part, &sealed), None);
        for short in 0..sealed.len() {
            assert_eq!(seal.open(call, part, &sealed[..short]), None);
        }
    }
}
