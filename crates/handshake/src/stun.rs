//! STUN's Binding requests, and answers to them (RFC 8489, RFC 8445 §7).
//!
//! A parser of its own and not `rtc-stun`, whose messages are lists of attributes on the heap: what a lite agent needs
//! are eight attributes of one request. Nothing here allocates.
use std::net::{IpAddr, SocketAddr};

use ring::hmac;

/// A request that is longer is no check of a candidate.
const MOST: usize = 1024;
/// An answer is never longer: a mapped IPv6 address, a code, eight unknown attributes, integrity, fingerprint.
pub const ANSWER: usize = 128;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER: usize = 20;
const FINGERPRINT_XOR: u32 = 0x5354_554e;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLED: u16 = 0x8029;
const ICE_CONTROLLING: u16 = 0x802a;

/// How many attributes that must be understood and are not are told to the sender.
const UNKNOWN: usize = 8;

/// A Binding request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// Its whole datagram.
    datagram: &'a [u8],
    /// Its transaction.
    pub transaction: [u8; 12],
    /// USERNAME: the receiver's fragment, a colon, the sender's.
    pub username: Option<&'a [u8]>,
    /// PRIORITY of the candidate that the sender would learn by the answer.
    pub priority: u32,
    /// Whether the sender nominates this pair.
    pub use_candidate: bool,
    /// Whether the sender takes itself for the controlled agent.
    pub controlled: bool,
    /// Whether it takes itself for the controlling one.
    pub controlling: bool,
    /// Where MESSAGE-INTEGRITY begins, and its value.
    integrity: Option<(usize, &'a [u8])>,
    unknown: [u16; UNKNOWN],
}

/// What a datagram is that `classify` takes for STUN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// A Binding request.
    Request(Request<'a>),
    /// A Binding indication, or an answer: keeps a NAT's binding alive, and asks nothing.
    Silent,
}

/// Reads a datagram. None if it is not STUN, is longer than a check is, or its fingerprint is wrong.
#[must_use]
pub fn read(datagram: &[u8]) -> Option<Message<'_>> {
    let (header, mut rest) = datagram.split_at_checked(HEADER)?;
    let (&[type_high, type_low, high, low, a, b, c, d], transaction) = header.split_first_chunk::<8>()?;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if [a, b, c, d] != COOKIE
        || type_high > 3
        || length != rest.len()
        || length % 4 != 0
        || datagram.len() > MOST
    {
        return None;
    }
    let mut request = Request {
        datagram,
        transaction: transaction.try_into().ok()?,
        username: None,
        priority: 0,
        use_candidate: false,
        controlled: false,
        controlling: false,
        integrity: None,
        unknown: [0; UNKNOWN],
    };
    let mut unknown = request.unknown.iter_mut();
    while !rest.is_empty() {
        let at = datagram.len() - rest.len();
        let (&[type_high, type_low, high, low], behind) = rest.split_first_chunk::<4>()?;
        let attribute = u16::from_be_bytes([type_high, type_low]);
        let length = usize::from(u16::from_be_bytes([high, low]));
        let value = behind.get(..length)?;
        rest = behind.get(length.next_multiple_of(4)..)?;
        if attribute == FINGERPRINT {
            // The last one, over all that is before it.
            let sum = crc32fast::hash(datagram.get(..at)?) ^ FINGERPRINT_XOR;
            if value != sum.to_be_bytes() || !rest.is_empty() {
                return None;
            }
            break;
        }
        if request.integrity.is_some() {
            continue; // what follows the integrity isn't covered by it (RFC 8489 §14.5)
        }
        match attribute {
            USERNAME => request.username = Some(value),
            MESSAGE_INTEGRITY => request.integrity = Some((at, value)),
            PRIORITY => request.priority = u32::from_be_bytes(value.try_into().ok()?),
            USE_CANDIDATE => request.use_candidate = true,
            ICE_CONTROLLED => request.controlled = true,
            ICE_CONTROLLING => request.controlling = true,
            0..0x8000 => {
                if let Some(free) = unknown.next() {
                    *free = attribute;
                }
            }
            _ => {}
        }
    }
    Some(if [type_high, type_low] == [0, 1] { Message::Request(request) } else { Message::Silent })
}

impl Request<'_> {
    /// Whether it has an integrity at all.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.integrity.is_some()
    }

    /// Whether the sender knows the password of which this is the key (RFC 8489 §14.5).
    #[must_use]
    pub fn is_signed_with(&self, key: &hmac::Key) -> bool {
        let Some((at, value)) = self.integrity else { return false };
        let mut text = [0; MOST];
        let (Some(text), Some(signed)) = (text.get_mut(..at), self.datagram.get(..at)) else { return false };
        text.copy_from_slice(signed);
        // The length in the header is taken as if the integrity were the last attribute.
        set_length(text, at + 24 - HEADER);
        hmac::verify(key, text, value).is_ok()
    }

    /// Attributes that must be understood and are not (RFC 8489 §6.3.1).
    pub fn unknown(&self) -> impl Iterator<Item = u16> {
        self.unknown.into_iter().take_while(|attribute| *attribute != 0)
    }
}

/// An error that a request is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// 400: no username or no integrity.
    BadRequest,
    /// 401: another's username or a wrong integrity.
    Unauthenticated,
    /// 420, with the attributes.
    UnknownAttribute,
    /// 487: both take themselves for the controlled agent.
    RoleConflict,
}

impl Refusal {
    fn code(self) -> (u8, u8, &'static [u8]) {
        match self {
            Refusal::BadRequest => (4, 0, b"Bad Request\0"),
            Refusal::Unauthenticated => (4, 1, b"Unauthenticated\0"),
            Refusal::UnknownAttribute => (4, 20, b"Unknown Attribute\0\0\0"),
            Refusal::RoleConflict => (4, 87, b"Role Conflict\0\0\0"),
        }
    }
}

/// Writes the success response to a request that came from `from`; gives its length.
pub fn accept(request: &Request<'_>, from: SocketAddr, key: &hmac::Key, out: &mut [u8; ANSWER]) -> usize {
    let mut writer = Writer::new(out, 0x0101, &request.transaction);
    let [high, low] = from.port().to_be_bytes();
    let mut value = [0; 20];
    let ip = from.ip().to_canonical();
    let (family, address, length) = match ip {
        IpAddr::V4(ip) => (1, ip.to_ipv6_compatible().octets(), 8),
        IpAddr::V6(ip) => (2, ip.octets(), 20),
    };
    let address = if ip.is_ipv4() { address.get(12..).unwrap_or_default() } else { &address };
    let plain = [0, family, high, low].into_iter().chain(address.iter().copied());
    // The port with the cookie's first half; the address with the cookie and the transaction (RFC 8489 §14.2).
    let mask = [0, 0].into_iter().chain(COOKIE.into_iter().take(2)).chain(COOKIE).chain(request.transaction);
    for ((to, octet), mask) in value.iter_mut().zip(plain).zip(mask) {
        *to = octet ^ mask;
    }
    writer.attribute(XOR_MAPPED_ADDRESS, value.get(..length).unwrap_or_default());
    writer.sign(key)
}

/// Writes an error response; gives its length. Signed if the request's sender has shown that it knows the password.
pub fn refuse(
    request: &Request<'_>,
    refusal: Refusal,
    key: Option<&hmac::Key>,
    out: &mut [u8; ANSWER],
) -> usize {
    let mut writer = Writer::new(out, 0x0111, &request.transaction);
    let (class, number, reason) = refusal.code();
    let mut value = [0; 24];
    for (to, from) in value.iter_mut().zip([0, 0, class, number].iter().chain(reason)) {
        *to = *from;
    }
    // The reason without the zeros that fill it up: the length that counts is the text's.
    let length = 4 + reason.iter().take_while(|octet| **octet != 0).count();
    writer.attribute(ERROR_CODE, value.get(..length).unwrap_or_default());
    if refusal == Refusal::UnknownAttribute {
        let mut value = [0; 2 * UNKNOWN];
        let mut length = 0;
        for (to, attribute) in value.as_chunks_mut::<2>().0.iter_mut().zip(request.unknown()) {
            *to = attribute.to_be_bytes();
            length += 2;
        }
        writer.attribute(UNKNOWN_ATTRIBUTES, value.get(..length).unwrap_or_default());
    }
    match key {
        Some(key) => writer.sign(key),
        None => writer.finish(),
    }
}

fn set_length(message: &mut [u8], length: usize) {
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&u16::try_from(length).unwrap_or_default().to_be_bytes());
    }
}

/// Writes a message into a buffer that is long enough for all that is written here.
struct Writer<'a> {
    out: &'a mut [u8],
    length: usize,
}

impl<'a> Writer<'a> {
    fn new(out: &'a mut [u8], kind: u16, transaction: &[u8; 12]) -> Self {
        let mut writer = Self { out, length: 0 };
        writer.put(&kind.to_be_bytes());
        writer.put(&[0, 0]);
        writer.put(&COOKIE);
        writer.put(transaction);
        writer
    }

    fn put(&mut self, bytes: &[u8]) {
        if let Some(free) = self.out.get_mut(self.length..self.length + bytes.len()) {
            free.copy_from_slice(bytes);
            self.length += bytes.len();
        }
    }

    fn attribute(&mut self, attribute: u16, value: &[u8]) {
        self.put(&attribute.to_be_bytes());
        self.put(&u16::try_from(value.len()).unwrap_or_default().to_be_bytes());
        self.put(value);
        self.put([0; 3].get(..value.len().next_multiple_of(4) - value.len()).unwrap_or_default());
    }

    fn sign(mut self, key: &hmac::Key) -> usize {
        set_length(self.out, self.length + 24 - HEADER);
        let tag = hmac::sign(key, self.out.get(..self.length).unwrap_or_default());
        self.attribute(MESSAGE_INTEGRITY, tag.as_ref());
        self.finish()
    }

    fn finish(mut self) -> usize {
        set_length(self.out, self.length + 8 - HEADER);
        let sum = crc32fast::hash(self.out.get(..self.length).unwrap_or_default()) ^ FINGERPRINT_XOR;
        self.attribute(FINGERPRINT, &sum.to_be_bytes());
        self.length
    }
}

/// Requests as a full agent makes them, for tests and fuzzers.
#[cfg(any(test, feature = "fuzz"))]
pub mod testing {
    use super::{
        FINGERPRINT, FINGERPRINT_XOR, HEADER, MESSAGE_INTEGRITY, PRIORITY, USE_CANDIDATE, USERNAME, Writer,
    };
    use super::{ICE_CONTROLLED, ICE_CONTROLLING, set_length};
    use ring::hmac;

    /// What a check says.
    #[derive(Debug, Clone)]
    pub struct Check {
        /// USERNAME, if there is one.
        pub username: Option<String>,
        /// The password that it is signed with, if it is.
        pub password: Option<String>,
        /// PRIORITY.
        pub priority: u32,
        /// USE-CANDIDATE.
        pub nominate: bool,
        /// ICE-CONTROLLED and not ICE-CONTROLLING.
        pub controlled: bool,
        /// Attributes besides, put before the integrity.
        pub others: Vec<(u16, Vec<u8>)>,
        /// Whether there is a FINGERPRINT.
        pub fingerprint: bool,
    }

    impl Check {
        /// Its datagram.
        #[must_use]
        pub fn write(&self, transaction: [u8; 12]) -> Vec<u8> {
            let mut out = [0; 2048];
            let mut writer = Writer::new(&mut out, 0x0001, &transaction);
            if let Some(username) = &self.username {
                writer.attribute(USERNAME, username.as_bytes());
            }
            writer.attribute(PRIORITY, &self.priority.to_be_bytes());
            writer.attribute(if self.controlled { ICE_CONTROLLED } else { ICE_CONTROLLING }, &[7; 8]);
            if self.nominate {
                writer.attribute(USE_CANDIDATE, &[]);
            }
            for (attribute, value) in &self.others {
                writer.attribute(*attribute, value);
            }
            if let Some(password) = &self.password {
                let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
                set_length(writer.out, writer.length + 24 - HEADER);
                let tag = hmac::sign(&key, writer.out.get(..writer.length).unwrap_or_default());
                writer.attribute(MESSAGE_INTEGRITY, tag.as_ref());
            }
            set_length(writer.out, writer.length - HEADER);
            if self.fingerprint {
                set_length(writer.out, writer.length + 8 - HEADER);
                let sum =
                    crc32fast::hash(writer.out.get(..writer.length).unwrap_or_default()) ^ FINGERPRINT_XOR;
                writer.attribute(FINGERPRINT, &sum.to_be_bytes());
            }
            let length = writer.length;
            out.get(..length).unwrap_or_default().to_vec()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 5769 §2.1: a request with the password `VOkJxbRl1RmTxUk/WvJxBt`.
    const RFC_5769_REQUEST: &[u8] = &[
        0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa,
        0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73, 0x74, 0x20,
        0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff, 0x80, 0x29, 0x00,
        0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09, 0x65, 0x76, 0x74, 0x6a,
        0x3a, 0x68, 0x36, 0x76, 0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c, 0xbf,
        0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49, 0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28,
        0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
    ];

    fn key(password: &str) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes())
    }

    fn request(datagram: &[u8]) -> Request<'_> {
        let Some(Message::Request(request)) = read(datagram) else { panic!("a request") };
        request
    }

    #[test]
    fn the_request_of_rfc_5769_is_read() {
        let request = request(RFC_5769_REQUEST);
        assert_eq!(request.username, Some(&b"evtj:h6vY"[..]));
        assert_eq!((request.priority, request.controlled, request.use_candidate), (0x6e00_01ff, true, false));
        assert!(request.is_signed_with(&key("VOkJxbRl1RmTxUk/WvJxBt")));
        assert!(!request.is_signed_with(&key("VOkJxbRl1RmTxUk/WvJxBT")));
        assert_eq!(request.unknown().count(), 0);
    }

    #[test]
    fn a_bit_changed_anywhere_is_noticed() {
        for at in 0..(RFC_5769_REQUEST.len() - 8) * 8 {
            let mut changed = RFC_5769_REQUEST.to_vec();
            changed[at / 8] ^= 1 << (at % 8);
            // A length that now goes over the fingerprint hides it: then the integrity is wrong.
            let noticed = match read(&changed) {
                Some(Message::Request(request)) => !request.is_signed_with(&key("VOkJxbRl1RmTxUk/WvJxBt")),
                other => other.is_none(),
            };
            assert!(noticed, "bit {at}");
        }
    }

    /// The mapped addresses of RFC 5769 §2.2 and §2.3, with that request's transaction.
    #[test]
    fn addresses_are_masked_as_in_rfc_5769() {
        let request = request(RFC_5769_REQUEST);
        let mut out = [0; ANSWER];
        let length = accept(&request, "192.0.2.1:32853".parse().unwrap(), &key("p"), &mut out);
        let value = [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
        assert_eq!(out[HEADER..HEADER + 12], value);
        assert_eq!(length, HEADER + 12 + 24 + 8);
        let mapped = accept(&request, "[::ffff:192.0.2.1]:32853".parse().unwrap(), &key("p"), &mut out);
        assert_eq!((mapped, &out[HEADER..HEADER + 12]), (length, &value[..]));
        let address = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
        let length = accept(&request, address, &key("p"), &mut out);
        let value = [
            0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5,
            0xbe, 0xd2, 0xb9, 0xd9,
        ];
        assert_eq!(out[HEADER + 4..HEADER + 24], value);
        assert_eq!(length, HEADER + 24 + 24 + 8);
    }

    /// An answer is STUN too: the reader finds its fingerprint right.
    #[test]
    fn answers_are_well_formed() {
        let check = testing::Check {
            username: None,
            password: Some("p".to_owned()),
            priority: 1,
            nominate: true,
            controlled: false,
            others: (0..9).map(|at| (0x7000 + at, vec![1])).collect(),
            fingerprint: true,
        };
        let datagram = check.write([3; 12]);
        let request = request(&datagram);
        assert_eq!(request.unknown().count(), UNKNOWN);
        let mut out = [0; ANSWER];
        for refusal in
            [Refusal::BadRequest, Refusal::Unauthenticated, Refusal::UnknownAttribute, Refusal::RoleConflict]
        {
            for key in [None, Some(&key("p"))] {
                let length = refuse(&request, refusal, key, &mut out);
                assert_eq!(read(&out[..length]), Some(Message::Silent), "{refusal:?}");
                assert_eq!(out[8..20], [3; 12]);
            }
        }
        let length = refuse(&request, Refusal::RoleConflict, None, &mut out);
        assert_eq!(out[HEADER..length - 8], *b"\0\x09\0\x11\0\0\x04\x57Role Conflict\0\0\0");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0..108_usize, value: u8) {
            let _ = read(&bytes);
            let mut request = RFC_5769_REQUEST.to_vec();
            request[at] = value;
            let _ = read(&request);
            // Without the fingerprint, which would hide what is behind it.
            let mut request = request[..100].to_vec();
            request[3] = 80;
            if let Some(Message::Request(request)) = read(&request) {
                let _ = request.is_signed_with(&key("VOkJxbRl1RmTxUk/WvJxBt"));
            }
        }
    }
}
