//! The ciphers and tags of the suites, for one direction and for RTP or RTCP.

use hmac::{Hmac, KeyInit, Mac};
use ring::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use sha1::Sha1;
use sidetone_call::{Keying, Suite};
use subtle::ConstantTimeEq;

use crate::Fault;
use crate::counter_mode::Aes;
use crate::derive::{Label, derive};

/// The streams that a transform serves: their keys have labels of their own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Rtp,
    Rtcp,
}

/// Names the packet within its stream: the initialisation vector follows from it.
#[derive(Clone, Copy)]
pub(crate) struct Number {
    pub(crate) ssrc: u32,
    /// Of 48 bits for RTP: roll-over counter and sequence number; of 31 bits for RTCP.
    pub(crate) index: u64,
}

/// Longest tag.
const MOST_TAG: usize = 16;

/// The session keys of one direction.
pub(crate) enum Transform {
    Counter(Box<Counter>),
    Galois(Box<Galois>),
}

/// AES in counter mode with HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1).
pub(crate) struct Counter {
    cipher: Aes,
    salt: [u8; 14],
    /// Keyed, so that the key's own blocks are hashed once; copied for each packet.
    authentication: Hmac<Sha1>,
    tag: usize,
}

/// AES in Galois/counter mode (RFC 7714).
pub(crate) struct Galois {
    key: LessSafeKey,
    salt: [u8; 12],
    of: Of,
}

impl Transform {
    pub(crate) fn new(keying: &Keying, of: Of) -> Result<Self, Fault> {
        let (key, authentication, salt) = match of {
            Of::Rtp => (Label::RtpKey, Label::RtpAuthentication, Label::RtpSalt),
            Of::Rtcp => (Label::RtcpKey, Label::RtcpAuthentication, Label::RtcpSalt),
        };
        let secret = derive::<32>(keying, key);
        let secret = secret.get(..keying.suite().key_length()).ok_or(Fault::Malformed)?;
        let galois = match keying.suite() {
            Suite::AeadAes128Gcm => Some(&aead::AES_128_GCM),
            Suite::AeadAes256Gcm => Some(&aead::AES_256_GCM),
            _ => None,
        };
        if let Some(algorithm) = galois {
            let key = UnboundKey::new(algorithm, secret).map_err(|_| Fault::Malformed)?;
            let salt = *derive::<12>(keying, salt);
            return Ok(Self::Galois(Box::new(Galois { key: LessSafeKey::new(key), salt, of })));
        }
        let authentication = derive::<20>(keying, authentication);
        Ok(Self::Counter(Box::new(Counter {
            cipher: Aes::new(secret).ok_or(Fault::Malformed)?,
            salt: *derive::<14>(keying, salt),
            authentication: Hmac::new_from_slice(&*authentication).map_err(|_| Fault::Malformed)?,
            // The short tag is for RTP alone (RFC 4568 §6.2.2).
            tag: if of == Of::Rtcp { 10 } else { keying.suite().tag_length() },
        })))
    }

    /// Bytes of the tag.
    pub(crate) const fn tag_length(&self) -> usize {
        match self {
            Self::Counter(counter) => counter.tag,
            Self::Galois(_) => MOST_TAG,
        }
    }

    /// Whether a failed [`Self::open`] may leave the packet changed.
    pub(crate) const fn spoils(&self) -> bool {
        matches!(self, Self::Galois(_))
    }

    /// Encrypts `packet` from `clear` on and gives its tag, of [`Self::tag_length`] bytes at the front. `trailer` is
    /// what the tag covers behind the packet: the roll-over counter, or SRTCP's index word.
    pub(crate) fn seal(
        &self,
        number: Number,
        packet: &mut [u8],
        clear: usize,
        trailer: [u8; 4],
    ) -> Result<[u8; MOST_TAG], Fault> {
        match self {
            Self::Counter(counter) => {
                counter.crypt(number, packet.get_mut(clear..).ok_or(Fault::Malformed)?);
                Ok(counter.tag(packet, trailer))
            }
            Self::Galois(galois) => {
                let (head, secret) = packet.split_at_mut_checked(clear).ok_or(Fault::Malformed)?;
                let nonce = galois.nonce(number);
                let tag = galois.with_aad(head, trailer, |aad| {
                    galois.key.seal_in_place_separate_tag(nonce, Aad::from(aad), secret)
                })?;
                let mut bytes = [0; MOST_TAG];
                bytes.copy_from_slice(tag.as_ref());
                Ok(bytes)
            }
        }
    }

    /// Checks the tag and decrypts `packet` from `clear` on. For Galois/counter mode the tag stands at the packet's
    /// end, otherwise `tag` holds it.
    pub(crate) fn open(
        &self,
        number: Number,
        packet: &mut [u8],
        clear: usize,
        trailer: [u8; 4],
        tag: &[u8],
    ) -> Result<(), Fault> {
        match self {
            Self::Counter(counter) => {
                let right = counter.tag(packet, trailer);
                let same = right.get(..counter.tag).is_some_and(|right| right.ct_eq(tag).into());
                if !same {
                    return Err(Fault::NotAuthentic);
                }
                counter.crypt(number, packet.get_mut(clear..).ok_or(Fault::Malformed)?);
                Ok(())
            }
            Self::Galois(galois) => {
                let (head, secret) = packet.split_at_mut_checked(clear).ok_or(Fault::Malformed)?;
                let nonce = galois.nonce(number);
                galois.with_aad(head, trailer, |aad| {
                    galois.key.open_in_place(nonce, Aad::from(aad), secret).map(|_| ())
                })
            }
        }
    }

    /// Checks the tag of a packet that is not encrypted (SRTCP with the E bit clear).
    pub(crate) fn verify(
        &self,
        number: Number,
        packet: &mut [u8],
        trailer: [u8; 4],
        tag: &[u8],
    ) -> Result<(), Fault> {
        match self {
            Self::Counter(_) => self.open(number, packet, packet.len(), trailer, tag),
            // RFC 7714 §9.3: all of the packet is associated data, and the tag is of nothing.
            Self::Galois(galois) => {
                let mut only_tag = [0; MOST_TAG];
                only_tag.get_mut(..tag.len()).ok_or(Fault::Malformed)?.copy_from_slice(tag);
                let nonce = galois.nonce(number);
                galois.with_aad(packet, trailer, |aad| {
                    galois.key.open_in_place(nonce, Aad::from(aad), &mut only_tag).map(|_| ())
                })
            }
        }
    }
}

impl Counter {
    fn crypt(&self, number: Number, bytes: &mut [u8]) {
        // IV = (salt * 2^16) XOR (SSRC * 2^64) XOR (index * 2^16), of 128 bits.
        let mut iv = [0; 16];
        for (to, from) in iv.iter_mut().zip(self.salt) {
            *to = from;
        }
        let ssrc = u128::from(number.ssrc) << 64;
        let mixed = u128::from_be_bytes(iv) ^ ssrc ^ (u128::from(number.index) << 16);
        self.cipher.apply(mixed, bytes);
    }

    fn tag(&self, packet: &[u8], trailer: [u8; 4]) -> [u8; MOST_TAG] {
        let mut mac = self.authentication.clone();
        mac.update(packet);
        mac.update(&trailer);
        let whole = mac.finalize().into_bytes();
        whole.first_chunk().copied().unwrap_or_default()
    }
}

/// Longest associated data: an RTP header with 15 contributing sources and an extension, or an RTCP packet that is not
/// encrypted, with SRTCP's index word.
const MOST_AAD: usize = 2_048;

impl Galois {
    /// RFC 7714 §8.1 and §9.1: two zero bytes, SSRC, then the index in the last six bytes, XOR the salt.
    fn nonce(&self, number: Number) -> Nonce {
        let mut nonce = [0; 12];
        let mixed = u128::from(number.ssrc) << 48 | u128::from(number.index);
        for ((to, from), salt) in nonce.iter_mut().zip(&mixed.to_be_bytes()[4..]).zip(self.salt) {
            *to = from ^ salt;
        }
        Nonce::assume_unique_for_key(nonce)
    }

    /// Calls with the associated data: the readable header, and for RTCP the index word behind it.
    fn with_aad<T>(
        &self,
        head: &[u8],
        trailer: [u8; 4],
        call: impl FnOnce(&[u8]) -> Result<T, ring::error::Unspecified>,
    ) -> Result<T, Fault> {
        let done = match self.of {
            Of::Rtp => call(head),
            Of::Rtcp => {
                let mut aad = [0; MOST_AAD];
                let length = head.len() + trailer.len();
                let room = aad.get_mut(..length).ok_or(Fault::Malformed)?;
                let (front, back) = room.split_at_mut(head.len());
                front.copy_from_slice(head);
                back.copy_from_slice(&trailer);
                call(room)
            }
        };
        done.map_err(|_| Fault::NotAuthentic)
    }
}
