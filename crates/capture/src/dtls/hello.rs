//! The hellos of DTLS handshakes, out of datagrams: fragments put together, retransmissions passed over (RFC 6347 §4.2;
//! in DTLS 1.3 they are the same, RFC 9147 §5).

use std::collections::VecDeque;

use bytes::Buf;
use sidetone_call::Suite;

use super::key_log::Random;

/// Longest hello that is put together. With post-quantum key shares one has some 2 KB.
const LONGEST: usize = 16 << 10;
/// Hellos of a sender whose fragments are not all there yet; beyond, the oldest is forgotten.
const MOST_PARTIAL: usize = 4;
/// Most profiles of a hello that are read.
const MOST_PROFILES: usize = 16;

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
/// RFC 5764 §4.1.
const USE_SRTP: u16 = 14;
/// RFC 8446 §4.2.1.
const SUPPORTED_VERSIONS: u16 = 43;
/// RFC 9147 §5.3.
const DTLS_1_3: u16 = 0xFEFC;
/// RFC 6347 §4.1.
const DTLS_1_2: u16 = 0xFEFD;
/// The random value of a HelloRetryRequest (RFC 8446 §4.1.3).
const RETRY: Random = [
    0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91, 0xC2,
    0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
];

/// A hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hello {
    Client {
        random: Random,
        /// The protection profiles that are offered; none without `use_srtp`.
        profiles: Vec<Suite>,
    },
    Server {
        random: Random,
        version: Version,
        /// Of IANA's registry.
        cipher_suite: u16,
        /// The profile that is taken, with DTLS 1.2; later it is told under a key.
        profile: Option<Suite>,
        mki: Vec<u8>,
    },
}

/// The version of a handshake that a ServerHello has settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Dtls12,
    Dtls13,
    /// DTLS 1.0, whose exporter is another, or unknown.
    Other,
}

/// What one sender's datagrams hold of hellos.
#[derive(Debug, Default)]
pub(crate) struct Hellos {
    partial: VecDeque<Partial>,
}

/// A hello in the making.
#[derive(Debug)]
struct Partial {
    kind: u8,
    message: u16,
    bytes: Vec<u8>,
    /// Which bytes are there.
    there: Vec<bool>,
    missing: usize,
}

/// Whether a datagram begins with a record of a handshake before its keys.
pub(crate) fn is_handshake(datagram: &[u8]) -> bool {
    matches!(datagram, [HANDSHAKE, 0xFE, _, 0, 0, ..])
}

impl Hellos {
    /// Whether a part of a ClientHello is there.
    pub(crate) fn is_amid_client(&self) -> bool {
        self.partial.iter().any(|partial| partial.kind == CLIENT_HELLO)
    }

    /// The hellos that a datagram completes.
    pub(crate) fn read(&mut self, mut datagram: &[u8]) -> Vec<Hello> {
        let mut whole = Vec::new();
        // Record: type, version, epoch, sequence number of 48 bits, length.
        while let Some(&[kind, 0xFE, _, epoch_high, epoch_low, _, _, _, _, _, _, high, low]) =
            datagram.first_chunk::<13>()
        {
            let length = usize::from(u16::from_be_bytes([high, low]));
            let Some(record) = datagram.get(13..13 + length) else { break };
            if kind == HANDSHAKE && [epoch_high, epoch_low] == [0, 0] {
                self.record(record, &mut whole);
            }
            datagram = datagram.get(13 + length..).unwrap_or_default();
        }
        whole
    }

    /// Messages: type, length, number, offset and length of the fragment.
    fn record(&mut self, mut record: &[u8], whole: &mut Vec<Hello>) {
        while let Some(&[kind, l0, l1, l2, m0, m1, o0, o1, o2, f0, f1, f2]) = record.first_chunk::<12>() {
            let number = |a, b, c| u32::from_be_bytes([0, a, b, c]) as usize;
            let (length, offset, part) = (number(l0, l1, l2), number(o0, o1, o2), number(f0, f1, f2));
            let Some(fragment) = record.get(12..12 + part) else { return };
            record = record.get(12 + part..).unwrap_or_default();
            if !matches!(kind, CLIENT_HELLO | SERVER_HELLO) || length > LONGEST || offset + part > length {
                continue;
            }
            let body = if part == length {
                Some(fragment.to_vec())
            } else {
                self.fragment((kind, u16::from_be_bytes([m0, m1])), length, offset, fragment)
            };
            whole.extend(body.and_then(|body| hello(kind, &body)));
        }
    }

    fn fragment(
        &mut self,
        (kind, message): (u8, u16),
        length: usize,
        offset: usize,
        fragment: &[u8],
    ) -> Option<Vec<u8>> {
        let is_it = |partial: &Partial| {
            (partial.kind, partial.message, partial.bytes.len()) == (kind, message, length)
        };
        let at = self.partial.iter().position(is_it).unwrap_or_else(|| {
            if self.partial.len() == MOST_PARTIAL {
                self.partial.pop_front();
            }
            let (bytes, there) = (vec![0; length], vec![false; length]);
            self.partial.push_back(Partial { kind, message, bytes, there, missing: length });
            self.partial.len() - 1
        });
        let partial = self.partial.get_mut(at)?;
        let end = offset + fragment.len();
        partial.bytes.get_mut(offset..end)?.copy_from_slice(fragment);
        for there in partial.there.get_mut(offset..end)? {
            partial.missing -= usize::from(!std::mem::replace(there, true));
        }
        if partial.missing > 0 {
            return None;
        }
        self.partial.remove(at).map(|partial| partial.bytes)
    }
}

fn hello(kind: u8, body: &[u8]) -> Option<Hello> {
    if kind == CLIENT_HELLO { client_hello(body) } else { server_hello(body) }
}

/// A run of bytes behind its length of `size` bytes.
fn counted<'a>(bytes: &mut &'a [u8], size: usize) -> Option<&'a [u8]> {
    let length = usize::try_from(bytes.try_get_uint(size).ok()?).ok()?;
    let (run, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(run)
}

/// The version and the random value, with which both hellos begin.
fn beginning(body: &mut &[u8]) -> Option<(u16, Random)> {
    let version = body.try_get_u16().ok()?;
    let mut random = Random::default();
    body.try_copy_to_slice(&mut random).ok()?;
    Some((version, random))
}

/// RFC 6347 §4.2.1.
fn client_hello(mut body: &[u8]) -> Option<Hello> {
    let (_, random) = beginning(&mut body)?;
    let _session = counted(&mut body, 1)?;
    let _cookie = counted(&mut body, 1)?;
    let _cipher_suites = counted(&mut body, 2)?;
    let _compressions = counted(&mut body, 1)?;
    let mut profiles = Vec::new();
    for (kind, value) in extensions(body) {
        if kind == USE_SRTP {
            profiles = use_srtp(value).map(|(profiles, _)| profiles).unwrap_or_default();
        }
    }
    Some(Hello::Client { random, profiles })
}

/// RFC 5246 §7.4.1.3.
fn server_hello(mut body: &[u8]) -> Option<Hello> {
    let (version, random) = beginning(&mut body)?;
    if random == RETRY {
        return None;
    }
    let _session = counted(&mut body, 1)?;
    let cipher_suite = body.try_get_u16().ok()?;
    let _compression = body.try_get_u8().ok()?;
    let mut version = if version == DTLS_1_2 { Version::Dtls12 } else { Version::Other };
    let (mut profile, mut mki) = (None, Vec::new());
    for (kind, mut value) in extensions(body) {
        match kind {
            USE_SRTP => {
                if let Some((profiles, identifier)) = use_srtp(value) {
                    profile = profiles.first().copied();
                    mki = identifier;
                }
            }
            SUPPORTED_VERSIONS if value.try_get_u16() == Ok(DTLS_1_3) => version = Version::Dtls13,
            _ => {}
        }
    }
    Some(Hello::Server { random, version, cipher_suite, profile, mki })
}

fn extensions(mut body: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut all = counted(&mut body, 2).unwrap_or_default();
    std::iter::from_fn(move || Some((all.try_get_u16().ok()?, counted(&mut all, 2)?)))
}

/// The profiles that are known here, and the identifier (RFC 5764 §4.1.1; RFC 7714 §14.2).
fn use_srtp(mut value: &[u8]) -> Option<(Vec<Suite>, Vec<u8>)> {
    let mut list = counted(&mut value, 2)?;
    let profiles = std::iter::from_fn(|| list.try_get_u16().ok()).take(MOST_PROFILES);
    let profiles = profiles.filter_map(|profile| match profile {
        1 => Some(Suite::AesCm128Sha1_80),
        2 => Some(Suite::AesCm128Sha1_32),
        7 => Some(Suite::AeadAes128Gcm),
        8 => Some(Suite::AeadAes256Gcm),
        _ => None,
    });
    let profiles = profiles.collect();
    Some((profiles, counted(&mut value, 1).unwrap_or_default().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8], from: usize, to: usize) -> Vec<u8> {
        let bytes = |n: usize| (n as u32).to_be_bytes()[1..].to_vec();
        let part =
            [&[kind][..], &bytes(body.len()), &[0, 0], &bytes(from), &bytes(to - from), &body[from..to]]
                .concat();
        let header =
            [&[22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 1][..], &(part.len() as u16).to_be_bytes()].concat();
        [header, part].concat()
    }

    fn server() -> Vec<u8> {
        let srtp = [0, 14, 0, 6, 0, 2, 0, 1, 1, 9];
        let mut body = vec![0xFE, 0xFD];
        body.extend([7; 32]);
        body.extend([0, 0xC0, 0x2C, 0, 0, srtp.len() as u8]);
        body.extend(srtp);
        body
    }

    fn told() -> Hello {
        Hello::Server {
            random: [7; 32],
            version: Version::Dtls12,
            cipher_suite: 0xC02C,
            profile: Some(Suite::AesCm128Sha1_80),
            mki: vec![9],
        }
    }

    #[test]
    fn a_hello_is_read_whole_or_in_fragments_that_come_twice_and_in_any_order() {
        let body = server();
        assert_eq!(Hellos::default().read(&message(2, &body, 0, body.len())), [told()]);
        let mut hellos = Hellos::default();
        for (from, to) in [(30, 40), (0, 20), (0, 20), (10, 31)] {
            assert_eq!(hellos.read(&message(2, &body, from, to)), []);
        }
        assert_eq!(hellos.read(&message(2, &body, 40, body.len())), [told()]);
        let both = [message(2, &body, 20, body.len()), message(2, &body, 0, 20)].concat();
        assert_eq!(Hellos::default().read(&both), [told()], "two records in one datagram");
    }

    #[test]
    fn fragments_are_bounded() {
        let mut hellos = Hellos::default();
        for length in 100..200 {
            let body = vec![0; length];
            hellos.read(&message(1, &body, 0, 10));
        }
        assert_eq!(hellos.partial.len(), MOST_PARTIAL);
        let huge = vec![0; 200_000];
        assert_eq!(hellos.read(&message(1, &huge, 0, 10)), [], "beyond the longest");
    }

    #[test]
    fn nothing_that_is_cut_or_bent_makes_it_panic() {
        let whole = message(2, &server(), 0, server().len());
        for length in 0..whole.len() {
            Hellos::default().read(&whole[..length]);
            for value in [0, 1, 0x7F, 0xFF] {
                let mut bent = whole.clone();
                bent[length] = value;
                Hellos::default().read(&bent);
                let mut hello = server();
                if let Some(byte) = hello.get_mut(length) {
                    *byte = value;
                    server_hello(&hello);
                    client_hello(&hello);
                }
            }
        }
    }
}
