//! The keys of SRTP from a handshake's secret: the exporters of DTLS 1.2 (RFC 5705) and of DTLS 1.3 (RFC 8446 §7.5),
//! with the label of RFC 5764 §4.2.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha384};
use sidetone_call::{Keying, Suite};
use zeroize::Zeroizing;

/// The label of the exporter (RFC 5764 §4.2).
const LABEL: &[u8] = b"EXTRACTOR-dtls_srtp";
/// Stands before labels in DTLS 1.3 (RFC 9147 §5.9).
const PREFIX: &[u8] = b"dtls13";

/// The hash of a cipher suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
}

impl Hash {
    /// Of a cipher suite by its number (IANA's registry of TLS cipher suites): those of DTLS 1.2 without a hash in
    /// their name have SHA-256 (RFC 5246 §5).
    pub(crate) const fn of(suite: u16) -> Self {
        match suite {
            // GCM and CBC of RFC 5288, 5289, 5487 and 5489; PSK with NULL; TLS 1.3.
            0x009D | 0x009F | 0x00A1 | 0x00A3 | 0x00A5 | 0x00A7 | 0x00A9 | 0x00AB | 0x00AD | 0x00AF
            | 0x00B1 | 0x00B3 | 0x00B5 | 0x00B7 | 0x00B9 | 0x1302 | 0xC024 | 0xC026 | 0xC028 | 0xC02A
            | 0xC02C | 0xC02E | 0xC030 | 0xC032 | 0xC038 | 0xC03B => Self::Sha384,
            // In this range (RFC 6209, RFC 6367) every second one is of SHA-384.
            0xC03C..=0xC09B if suite % 2 == 1 => Self::Sha384,
            _ => Self::Sha256,
        }
    }

    /// HMAC of pieces, one behind the other.
    fn hmac(self, key: &[u8], pieces: &[&[u8]]) -> Zeroizing<Vec<u8>> {
        fn sign<M: Mac + KeyInit>(key: &[u8], pieces: &[&[u8]]) -> Zeroizing<Vec<u8>> {
            // No key has a length that HMAC refuses.
            let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Zeroizing::default() };
            pieces.iter().for_each(|piece| mac.update(piece));
            let mut tag = mac.finalize().into_bytes();
            let kept = Zeroizing::new(tag.to_vec());
            tag.iter_mut().for_each(|byte| *byte = 0);
            kept
        }
        match self {
            Self::Sha256 => sign::<Hmac<Sha256>>(key, pieces),
            Self::Sha384 => sign::<Hmac<Sha384>>(key, pieces),
        }
    }

    fn of_nothing(self) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(b"").to_vec(),
            Self::Sha384 => Sha384::digest(b"").to_vec(),
        }
    }

    /// `P_hash` of RFC 5246 §5: `length` bytes.
    fn prf(self, secret: &[u8], seed: &[&[u8]], length: usize) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(length + 64));
        let mut a = self.hmac(secret, seed);
        while out.len() < length && !a.is_empty() {
            let pieces: Vec<&[u8]> = std::iter::once(a.as_slice()).chain(seed.iter().copied()).collect();
            out.extend_from_slice(&self.hmac(secret, &pieces));
            let next = self.hmac(secret, &[&a]);
            a = next;
        }
        out.truncate(length);
        out
    }

    /// `HKDF-Expand-Label` of RFC 8446 §7.1, with the prefix of RFC 9147.
    fn expand(
        self,
        secret: &[u8],
        prefix: &[u8],
        label: &[u8],
        context: &[u8],
        length: u16,
    ) -> Zeroizing<Vec<u8>> {
        let of = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap_or(u8::MAX);
        let mut info = length.to_be_bytes().to_vec();
        info.push(of(prefix).saturating_add(of(label)));
        info.extend_from_slice(prefix);
        info.extend_from_slice(label);
        info.push(of(context));
        info.extend_from_slice(context);
        let mut out = Zeroizing::new(Vec::with_capacity(usize::from(length) + 64));
        let mut block: Zeroizing<Vec<u8>> = Zeroizing::default();
        for count in 1..=u8::MAX {
            if out.len() >= usize::from(length) {
                break;
            }
            let next = self.hmac(secret, &[&block, &info, &[count]]);
            block = next;
            out.extend_from_slice(&block);
        }
        out.truncate(usize::from(length));
        out
    }
}

/// What a handshake has agreed on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Agreed<'a> {
    pub(crate) hash: Hash,
    pub(crate) suite: Suite,
    /// The identifier that stands in each packet; empty if none does (RFC 5764 §4.1.3).
    pub(crate) mki: &'a [u8],
}

impl Agreed<'_> {
    /// The keys of client and server, from the master secret of DTLS 1.2 and both random values.
    pub(crate) fn keys_of_1_2(&self, master: &[u8], client: &[u8], server: &[u8]) -> Option<[Keying; 2]> {
        self.cut(&self.hash.prf(master, &[LABEL, client, server], self.length()))
    }

    /// The keys of client and server, from the exporter master secret of DTLS 1.3.
    pub(crate) fn keys_of_1_3(&self, exporter: &[u8]) -> Option<[Keying; 2]> {
        let nothing = self.hash.of_nothing();
        let hash = u16::try_from(nothing.len()).ok()?;
        let secret = self.hash.expand(exporter, PREFIX, LABEL, &nothing, hash);
        let length = u16::try_from(self.length()).ok()?;
        self.cut(&self.hash.expand(&secret, PREFIX, b"exporter", &nothing, length))
    }

    fn length(&self) -> usize {
        2 * (self.suite.key_length() + self.suite.salt_length())
    }

    /// The client's key, the server's, the client's salt, the server's (RFC 5764 §4.2).
    fn cut(&self, exported: &[u8]) -> Option<[Keying; 2]> {
        let (key, salt) = (self.suite.key_length(), self.suite.salt_length());
        let keying = |n: usize| {
            let mut secret = Zeroizing::new(Vec::with_capacity(key + salt));
            secret.extend_from_slice(exported.get(n * key..(n + 1) * key)?);
            secret.extend_from_slice(exported.get(2 * key + n * salt..2 * key + (n + 1) * salt)?);
            Keying::new(self.suite, &secret)?.with_mki(self.mki)
        };
        Some([keying(0)?, keying(1)?])
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER_PERMISSIVE;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        HEXLOWER_PERMISSIVE.decode(text.replace([' ', '\n'], "").as_bytes()).unwrap()
    }

    /// The vector for the PRF with SHA-256 that the TLS working group's list has (mailing list, 2009).
    #[test]
    fn the_prf_of_tls_1_2() {
        let secret = hex("9b be 43 6b a9 40 f0 17 b1 76 52 84 9a 71 db 35");
        let seed = hex("a0 ba 9f 93 6c da 31 18 27 a6 f7 96 ff d5 19 8c");
        let out = Hash::Sha256.prf(&secret, &[b"test label", &seed], 100);
        assert!(
            out.starts_with(&hex("e3 f2 29 ba 72 7b e1 7b 8d 12 26 20 55 7c d4 53")),
            "{:02x?}",
            &out[..16]
        );
        assert_eq!(out.len(), 100);
        assert!(out.ends_with(&hex("87 34 7b 66")), "{:02x?}", &out[96..]);
    }

    /// RFC 8448 §3: the client's handshake traffic key and IV, from its secret.
    #[test]
    fn the_expansion_of_tls_1_3() {
        let secret = hex(
            "b3 ed db 12 6e 06 7f 35 a7 80 b3 ab f4 5e 2d 8f 3b 1a 95 07 38 f5 2e 96 00 74 6a 0e 27 a5 5a 21",
        );
        let expand =
            |label: &[u8], length| Hash::Sha256.expand(&secret, b"tls13 ", label, b"", length).to_vec();
        assert_eq!(expand(b"key", 16), hex("db fa a6 93 d1 76 2c 5b 66 6a f5 d9 50 25 8d 01"));
        assert_eq!(expand(b"iv", 12), hex("5b d3 c7 1b 83 6e 0b 76 bb 73 26 5f"));
    }

    #[test]
    fn suites_have_the_hash_in_their_name() {
        for (suite, hash) in [
            (0xC02B, Hash::Sha256), // ECDHE-ECDSA-AES128-GCM-SHA256
            (0xC02C, Hash::Sha384), // ECDHE-ECDSA-AES256-GCM-SHA384
            (0xC02F, Hash::Sha256),
            (0xC030, Hash::Sha384),
            (0xC00A, Hash::Sha256), // ECDHE-ECDSA-AES256-SHA
            (0x002F, Hash::Sha256), // RSA-AES128-SHA
            (0x009D, Hash::Sha384),
            (0xCCA9, Hash::Sha256), // ECDHE-ECDSA-CHACHA20-POLY1305
            (0x1301, Hash::Sha256),
            (0x1302, Hash::Sha384),
            (0x1303, Hash::Sha256),
            (0xC0AC, Hash::Sha256), // ECDHE-ECDSA-AES128-CCM
        ] {
            assert_eq!(Hash::of(suite), hash, "{suite:04x}");
        }
    }
}
