//! Which server transaction a request belongs to (RFC 3261 §17.2.3).

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::net::IpAddr;

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::message::{Message, Method, Name};
use crate::via::{MAGIC_COOKIE, Via};

/// Identity of a server transaction, in 128 bits.
///
/// A keyed hash stands for what it was made of: without the key nobody can make two requests collide, and by chance
/// two of 2^40 transactions do with a probability of 2^-49.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ServerKey(u128);

/// Where a request came from: the host, and the peer if several share it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source {
    pub(crate) ip: IpAddr,
    pub(crate) peer: Option<u64>,
}

/// Makes [`ServerKey`]s.
#[derive(Debug, Clone)]
pub(crate) struct Keying {
    hasher: SipHasher13,
}

impl Keying {
    pub(crate) fn new(key: (u64, u64)) -> Self {
        Self { hasher: SipHasher13::new_with_keys(key.0, key.1) }
    }

    /// The transaction of a request that has just arrived from `source`, whose topmost Via is `via`. ACK and CANCEL are
    /// asked for with `method` INVITE, and find the INVITE they belong to.
    ///
    /// A sender that repeats another's Via and branch from elsewhere has a transaction of its own: nobody can cancel a
    /// call by knowing how it was asked for.
    pub(crate) fn server(
        &self,
        request: &Message,
        via: &Via<'_>,
        method: Method<'_>,
        source: Source,
    ) -> ServerKey {
        let mut hash = Fields(self.hasher);
        match source.ip.to_canonical() {
            IpAddr::V4(ip) => hash.add(&ip.octets()),
            IpAddr::V6(ip) => hash.add(&ip.octets()),
        }
        hash.add(&source.peer.unwrap_or(0).to_be_bytes());
        match unique_branch(via) {
            Some(branch) => {
                hash.add(b"3261");
                hash.add(branch.as_bytes());
                hash.add(via.host.as_bytes());
                hash.add(&via.port.unwrap_or(5060).to_be_bytes());
            }
            // RFC 2543 elements: what stays the same from an INVITE to its ACK and CANCEL. The tag of To doesn't,
            // but CSeq already tells the requests of a dialog apart.
            None => {
                hash.add(b"2543");
                hash.add(request.request_uri().unwrap_or_default().as_bytes());
                hash.add(request.call_id().as_bytes());
                hash.add(request.from_tag().unwrap_or_default().as_bytes());
                hash.add(&request.cseq().map_or(0, |c| c.number).to_be_bytes());
                hash.add(request.first_value(Name::Via).unwrap_or_default());
            }
        }
        hash.add(method.as_str().as_bytes());
        ServerKey(hash.0.finish128().as_u128())
    }
}

/// The branch, when it identifies a transaction: the magic cookie and something after it.
fn unique_branch<'a>(via: &Via<'a>) -> Option<&'a str> {
    via.rfc3261_branch().filter(|b| b.len() > MAGIC_COOKIE.len())
}

/// Hashes a sequence of fields so that no two sequences run together.
struct Fields(SipHasher13);

impl Fields {
    fn add(&mut self, field: &[u8]) {
        self.0.write(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.0.write(field);
    }
}

/// A map by [`ServerKey`]; its keys need no hashing any more.
pub(crate) type ByServerKey<T> = HashMap<ServerKey, T, BuildHasherDefault<Taken>>;

impl Hash for ServerKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.0);
    }
}

/// Takes some bits of a [`ServerKey`] as the hash.
#[derive(Debug, Default)]
pub(crate) struct Taken(u64);

impl Hasher for Taken {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Only ServerKey is hashed by this, and it calls `write_u128`.
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    #[allow(clippy::cast_possible_truncation)] // half of the bits is enough
    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn key(via: &str, method: Method<'_>, to: &str) -> ServerKey {
        key_from(via, method, to, Source { ip: [192, 0, 2, 1].into(), peer: None })
    }

    fn key_from(via: &str, method: Method<'_>, to: &str, source: Source) -> ServerKey {
        let text = format!(
            "{method} sip:bob@biloxi.example SIP/2.0\r\nVia: {via}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>{to}\r\n\
             Call-ID: x\r\nCSeq: 7 {method}\r\n\r\n"
        );
        let message = Message::parse(Bytes::from(text)).unwrap();
        let via = message.top_via().unwrap();
        let method = if method == Method::ACK || method == Method::CANCEL { Method::INVITE } else { method };
        Keying::new((1, 2)).server(&message, &via, method, source)
    }

    #[test]
    fn an_ack_and_a_cancel_find_their_invite() {
        for via in [
            "SIP/2.0/UDP h;branch=z9hG4bK1",
            "SIP/2.0/UDP h",
            "SIP/2.0/UDP h;branch=1",
            "SIP/2.0/UDP h;branch=z9hG4bK",
        ] {
            let invite = key(via, Method::INVITE, "");
            assert_eq!(invite, key(via, Method::ACK, ";tag=2"), "{via}");
            assert_eq!(invite, key(via, Method::CANCEL, ""), "{via}");
            assert_ne!(invite, key(via, Method::BYE, ""), "{via}");
        }
    }

    #[test]
    fn the_same_via_from_elsewhere_is_another_transaction() {
        let key = |ip: [u8; 4], peer| {
            let source = Source { ip: ip.into(), peer };
            key_from("SIP/2.0/UDP h;branch=z9hG4bK1", Method::CANCEL, "", source)
        };
        assert_eq!(key([192, 0, 2, 1], Some(1)), key([192, 0, 2, 1], Some(1)));
        assert_ne!(key([192, 0, 2, 1], Some(1)), key([192, 0, 2, 2], Some(1)));
        assert_ne!(key([192, 0, 2, 1], Some(1)), key([192, 0, 2, 1], Some(2)));
    }

    #[test]
    fn branch_and_sent_by_both_count() {
        let invite = |via| key(via, Method::INVITE, "");
        let one = invite("SIP/2.0/UDP h;branch=z9hG4bK1");
        assert_eq!(one, invite("SIP/2.0/UDP h:5060;branch=z9hG4bK1;received=192.0.2.1"));
        assert_ne!(one, invite("SIP/2.0/UDP h:5061;branch=z9hG4bK1"));
        assert_ne!(one, invite("SIP/2.0/UDP g;branch=z9hG4bK1"));
        assert_ne!(one, invite("SIP/2.0/UDP h;branch=z9hG4bK2"));
    }
}
