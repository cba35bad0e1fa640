//! The cookie exchange of a server (RFC 6347 §4.2.1), before there is an engine.
//!
//! A ClientHello from an address that nothing speaks for costs one HMAC and a reply that is smaller than itself, and
//! leaves nothing behind. Only one that brings the cookie of its own address gets an engine, a key and a signature.
use std::net::{IpAddr, SocketAddr};

use ring::hmac;

/// What a datagram is to a server that waits.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// No ClientHello of DTLS 1.2, or not its beginning: nothing to answer.
    Other,
    /// One without this address's cookie: to be answered with this HelloVerifyRequest.
    Unverified([u8; HELLO_VERIFY]),
    /// One with it.
    Verified(Verified),
}

/// A ClientHello with its address's cookie.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verified {
    pub(crate) cookie: [u8; COOKIE],
    /// A ClientHello that it may have followed: without a cookie, and the first message. An engine that is fed it
    /// stands where a server stands that has sent its HelloVerifyRequest, for neither of the two is part of what the
    /// handshake's hash goes over.
    pub(crate) first: Vec<u8>,
}

pub(crate) const COOKIE: usize = 32;
/// Record header, handshake header, version, the cookie's length, the cookie.
const HELLO_VERIFY: usize = RECORD + HANDSHAKE + 3 + COOKIE;
const RECORD: usize = 13;
const HANDSHAKE: usize = 12;
/// A client's random value.
const RANDOM: usize = 32;

/// The client's random value in a datagram that begins a ClientHello: another one is another handshake.
pub(crate) fn random(datagram: &[u8]) -> Option<[u8; RANDOM]> {
    Hello::parse(datagram)?.random.try_into().ok()
}

/// What to do with a datagram from `from`. `key` is the session's own, so that a cookie is of no use to another one.
pub(crate) fn open(key: &hmac::Key, from: SocketAddr, datagram: &[u8]) -> Opening {
    let Some(hello) = Hello::parse(datagram) else { return Opening::Other };
    let mut context = hmac::Context::with_key(key);
    match from.ip().to_canonical() {
        IpAddr::V4(ip) => context.update(&ip.octets()),
        IpAddr::V6(ip) => context.update(&ip.octets()),
    }
    context.update(&from.port().to_be_bytes());
    context.update(hello.random);
    let tag = context.sign();
    let mut cookie = [0; COOKIE];
    for (to, from) in cookie.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    // Over all of it, so that the time tells nothing of how much is right.
    let differs = hello.cookie.iter().zip(cookie).fold(0, |differs, (one, other)| differs | (one ^ other));
    if hello.cookie.len() == COOKIE && differs == 0 {
        Opening::Verified(Verified { cookie, first: hello.first() })
    } else {
        Opening::Unverified(hello_verify(&cookie))
    }
}

fn hello_verify(cookie: &[u8; COOKIE]) -> [u8; HELLO_VERIFY] {
    // The record is number 0 of ours whichever ClientHello it answers, as the engine's would be, so that no later
    // record bears a number that the client has seen.
    let mut out = [0; HELLO_VERIFY];
    let head: &[u8] = &[
        22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 47, // handshake, DTLS 1.0, epoch 0, number 0, length
        3, 0, 0, 35, 0, 0, 0, 0, 0, 0, 0,
        35, // hello_verify_request, length, message 0, all of it in one fragment
        0xfe, 0xff, 32, // DTLS 1.0, as RFC 6347 has it whichever version follows
    ];
    for (to, from) in out.iter_mut().zip(head.iter().chain(cookie)) {
        *to = *from;
    }
    out
}

/// The beginning of a ClientHello, with its cookie: all of it, or its first fragment.
struct Hello<'a> {
    random: &'a [u8],
    cookie: &'a [u8],
}

impl<'a> Hello<'a> {
    fn parse(datagram: &'a [u8]) -> Option<Self> {
        let (record, handshake) = datagram.split_at_checked(RECORD)?;
        let &[22, 0xfe, _, 0, 0, _, _, _, _, _, _, high, low] = record else { return None };
        let handshake = handshake.get(..usize::from(u16::from_be_bytes([high, low])))?;
        let (header, body) = handshake.split_at_checked(HANDSHAKE)?;
        let &[1, 0, _, _, _, _, 0, 0, 0, 0, fragment_high, fragment_low] = header else { return None };
        let body = body.get(..usize::from(u16::from_be_bytes([fragment_high, fragment_low])))?;
        let (version, rest) = body.split_at_checked(2)?;
        if version != [0xfe, 0xfd] {
            return None;
        }
        let (random, rest) = rest.split_at_checked(RANDOM)?;
        let (&length, rest) = rest.split_first()?;
        let (_session, rest) = rest.split_at_checked(usize::from(length))?;
        let (&length, rest) = rest.split_first()?;
        let (cookie, _) = rest.split_at_checked(usize::from(length))?;
        Some(Self { random, cookie })
    }

    /// The least that an engine takes for the client's first message: its random value, one suite, no compression.
    fn first(&self) -> Vec<u8> {
        [
            &[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 54][..],
            &[1, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 42, 0xfe, 0xfd],
            self.random,
            &[0, 0, 0, 2, 0xc0, 0x2b, 1, 0],
        ]
        .concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[9; 32])
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// A ClientHello with this cookie.
    fn hello(cookie: &[u8]) -> Vec<u8> {
        let mut body = vec![0xfe, 0xfd];
        body.extend([5; 32]);
        body.extend([3, 1, 2, 3]); // session id
        body.push(u8::try_from(cookie.len()).unwrap());
        body.extend(cookie);
        body.extend([0, 2, 0xc0, 0x2b, 1, 0, 0, 0]); // one suite, one compression, no extensions
        let length = u8::try_from(body.len()).unwrap();
        let mut datagram = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1, 0, length + 12];
        datagram.extend([1, 0, 0, length, 0, 1, 0, 0, 0, 0, 0, length]);
        datagram.extend(body);
        datagram
    }

    fn cookie_for(from: &str) -> [u8; COOKIE] {
        let Opening::Unverified(reply) = open(&key(), address(from), &hello(&[])) else {
            panic!("has no cookie yet")
        };
        *reply.last_chunk().unwrap()
    }

    #[test]
    fn a_cookie_is_asked_for_and_then_taken() {
        let cookie = cookie_for("192.0.2.1:5000");
        let Opening::Verified(verified) = open(&key(), address("192.0.2.1:5000"), &hello(&cookie)) else {
            panic!("this address's cookie")
        };
        assert_eq!(verified.cookie, cookie);
        assert_eq!(verified.first.len(), 13 + 12 + 42);
        assert!(matches!(open(&key(), address("192.0.2.1:5000"), &verified.first), Opening::Unverified(_)));
    }

    #[test]
    fn a_cookie_replayed_from_another_address_or_to_another_session_is_asked_for_again() {
        let cookie = cookie_for("192.0.2.1:5000");
        for other in ["192.0.2.1:5001", "192.0.2.2:5000", "[2001:db8::1]:5000"] {
            assert!(
                matches!(open(&key(), address(other), &hello(&cookie)), Opening::Unverified(_)),
                "{other}"
            );
        }
        let other = hmac::Key::new(hmac::HMAC_SHA256, &[8; 32]);
        assert!(matches!(open(&other, address("192.0.2.1:5000"), &hello(&cookie)), Opening::Unverified(_)));
    }

    #[test]
    fn a_cookie_in_part_is_none() {
        let cookie = cookie_for("192.0.2.1:5000");
        for length in 0..COOKIE {
            let opening = open(&key(), address("192.0.2.1:5000"), &hello(&cookie[..length]));
            assert!(matches!(opening, Opening::Unverified(_)), "{length}");
        }
    }

    #[test]
    fn the_reply_is_smaller_than_what_it_answers() {
        assert!(HELLO_VERIFY < hello(&[]).len() + 60, "a real ClientHello has suites and extensions");
        assert_eq!(hello_verify(&[1; COOKIE]).len(), 60);
    }

    #[test]
    fn what_is_no_client_hello_or_not_its_beginning_is_not_answered() {
        let whole = hello(&[]);
        for length in 0..whole.len() {
            assert_eq!(open(&key(), address("192.0.2.1:5000"), &whole[..length]), Opening::Other);
        }
        for (at, value) in [(0, 23), (1, 3), (4, 1), (13, 2), (21, 1), (25, 0xfc), (26, 0xff), (24, 10)] {
            let mut broken = whole.clone();
            broken[at] = value;
            assert_eq!(open(&key(), address("192.0.2.1:5000"), &broken), Opening::Other, "octet {at}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0..80_usize, value: u8) {
            let _ = open(&key(), address("192.0.2.1:5000"), &bytes);
            let mut hello = hello(&[4; 32]);
            if let Some(octet) = hello.get_mut(at) {
                *octet = value;
            }
            let _ = open(&key(), address("192.0.2.1:5000"), &hello);
        }
    }
}
