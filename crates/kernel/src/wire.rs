//! What the program in the kernel and the relay tell each other, byte by byte: in step with `bpf/forward.c`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Bytes of a key of `flows`.
pub(crate) const KEY: usize = 36;
/// Bytes of a value of `flows`.
pub(crate) const FLOW: usize = 88;
/// Bytes of a value of `counts`.
pub(crate) const COUNT: usize = 48;
/// Bytes before the packet in a record.
pub(crate) const HEAD: usize = 24;
/// Ways that there can be at a time.
pub(crate) const MOST_WAYS: u32 = 65_536;

const COPIED: u32 = 1;
const SHIFTED: u32 = 2;
const CROSSED: u32 = 4;

/// Names a way: its number, below 65,536, and which of the ways that have had the number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WayId {
    /// The number.
    pub number: u32,
    /// The generation.
    pub generation: u32,
}

/// By how much a source's numbers are shifted for its listener, who has been sent packets of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift {
    /// The SSRC that the listener knows.
    pub ssrc: u32,
    /// To add to the sequence number, modulo 2^16.
    pub sequence: u16,
    /// To add to the timestamp, modulo 2^32.
    pub timestamp: u32,
}

/// One direction of a settled stream: whose packets pass, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// Our address that the source sends to.
    pub local: SocketAddr,
    /// The latched source.
    pub source: SocketAddr,
    /// The SSRC of its packets.
    pub ssrc: u32,
    /// Our address that packets leave from.
    pub from: SocketAddr,
    /// The other party.
    pub to: SocketAddr,
    /// New numbers, if an announcement was played.
    pub shift: Option<Shift>,
    /// Payload types that go up to the socket instead, a bit each: events, and what may be RTCP.
    pub up: u128,
    /// Whether records hold whole packets rather than headers.
    pub copied: bool,
    /// Type of service, traffic class.
    pub tos: u8,
}

impl Way {
    /// Whether each two addresses that stand in one packet are of one family.
    pub(crate) fn is_possible(&self) -> bool {
        is_v6(self.local) == is_v6(self.source) && is_v6(self.from) == is_v6(self.to)
    }

    /// Whether packets leave in another address family than the one that they came in.
    pub(crate) fn is_crossed(&self) -> bool {
        is_v6(self.local) != is_v6(self.to)
    }

    pub(crate) fn key(&self) -> [u8; KEY] {
        let mut key = [0; KEY];
        let mut out = Writer(&mut key);
        out.ip(self.local);
        out.ip(self.source);
        out.bytes(&self.local.port().to_be_bytes());
        out.bytes(&self.source.port().to_be_bytes());
        key
    }

    /// Reads a way as [`Self::key`] and [`Self::flow`] have written it.
    pub(crate) fn read(key: &[u8; KEY], flow: &[u8; FLOW]) -> Option<(WayId, Self)> {
        let mut key = Reader(key);
        let (local, source) = (key.ip()?, key.ip()?);
        let (local, source) = (SocketAddr::new(local, key.port()?), SocketAddr::new(source, key.port()?));
        let mut flow = Reader(flow);
        let (from, to) = (flow.ip()?, flow.ip()?);
        let (from, to) = (SocketAddr::new(from, flow.port()?), SocketAddr::new(to, flow.port()?));
        let number = u32::from_ne_bytes(flow.bytes()?);
        let generation = u32::from_ne_bytes(flow.bytes()?);
        let [_interface, _came] = [flow.bytes::<4>()?, flow.bytes::<4>()?];
        let flags = u32::from_ne_bytes(flow.bytes()?);
        let ssrc = u32::from_be_bytes(flow.bytes()?);
        let shifted_ssrc = u32::from_be_bytes(flow.bytes()?);
        let timestamp = u32::from_ne_bytes(flow.bytes()?);
        let sequence = u16::from_ne_bytes(flow.bytes()?);
        let [tos, _rest] = flow.bytes()?;
        let mut up = 0;
        for word in 0..4 {
            up |= u128::from(u32::from_ne_bytes(flow.bytes()?)) << (32 * word);
        }
        let shift = Shift { ssrc: shifted_ssrc, sequence, timestamp };
        let shift = (flags & SHIFTED != 0).then_some(shift);
        let way = Self { local, source, ssrc, from, to, shift, up, copied: flags & COPIED != 0, tos };
        Some((WayId { number, generation }, way))
    }

    /// It comes in by the interface `came`, and leaves by `interface`, which is 0 for a socket of this machine.
    pub(crate) fn flow(&self, id: WayId, came: u32, interface: u32) -> [u8; FLOW] {
        let shift = self.shift.unwrap_or(Shift { ssrc: self.ssrc, sequence: 0, timestamp: 0 });
        let flags = [(self.copied, COPIED), (self.shift.is_some(), SHIFTED), (self.is_crossed(), CROSSED)];
        let flags: u32 = flags.into_iter().filter_map(|(is_so, flag)| is_so.then_some(flag)).sum();
        let mut flow = [0; FLOW];
        let mut out = Writer(&mut flow);
        out.ip(self.from);
        out.ip(self.to);
        out.bytes(&self.from.port().to_be_bytes());
        out.bytes(&self.to.port().to_be_bytes());
        out.bytes(&id.number.to_ne_bytes());
        out.bytes(&id.generation.to_ne_bytes());
        out.bytes(&interface.to_ne_bytes());
        out.bytes(&came.to_ne_bytes());
        out.bytes(&flags.to_ne_bytes());
        out.bytes(&self.ssrc.to_be_bytes());
        out.bytes(&shift.ssrc.to_be_bytes());
        out.bytes(&shift.timestamp.to_ne_bytes());
        out.bytes(&shift.sequence.to_ne_bytes());
        out.bytes(&[self.tos, 0]);
        for word in 0..4 {
            out.bytes(&((self.up >> (32 * word)) as u32).to_ne_bytes());
        }
        flow
    }
}

fn is_v6(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_ipv6()
}

/// Puts one field behind the other.
struct Writer<'a>(&'a mut [u8]);

impl Writer<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        if let Some((field, rest)) = std::mem::take(&mut self.0).split_at_mut_checked(bytes.len()) {
            field.copy_from_slice(bytes);
            self.0 = rest;
        }
    }

    fn ip(&mut self, address: SocketAddr) {
        let bytes = match address.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        self.bytes(&bytes);
    }
}

/// Takes one field after the other.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn ip(&mut self) -> Option<IpAddr> {
        Some(IpAddr::from(self.bytes::<16>()?).to_canonical())
    }

    fn port(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.bytes()?))
    }
}

/// What the kernel has counted of a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Packets forwarded.
    pub packets: u64,
    /// Their bytes, RTP headers included.
    pub octets: u64,
    /// Those of them that there was no room to tell of.
    pub untold: u64,
    /// When the newest one came, on the system's monotonic clock; zero if there was none.
    pub last: Duration,
}

impl Count {
    pub(crate) fn read(bytes: &[u8; COUNT]) -> Self {
        let word = |at: usize| {
            let field = bytes.get(at * 8..at * 8 + 8).and_then(<[u8]>::first_chunk).copied();
            u64::from_ne_bytes(field.unwrap_or_default())
        };
        Self { packets: word(0), octets: word(1), untold: word(2), last: Duration::from_nanos(word(3)) }
    }
}

/// A packet that the kernel has forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed<'a> {
    /// Its way.
    pub id: WayId,
    /// When it came, on the system's monotonic clock.
    pub at: Duration,
    /// Its length in bytes, RTP header included.
    pub length: usize,
    /// All of it, as it came, or the twelve bytes of its header.
    pub packet: &'a [u8],
}

impl<'a> Passed<'a> {
    /// Reads a record; `None` if it is none of ours.
    pub(crate) fn read(record: &'a [u8]) -> Option<Self> {
        let (head, packet) = record.split_at_checked(HEAD)?;
        let at = u64::from_ne_bytes(*head.first_chunk()?);
        let number = u32::from_ne_bytes(*head.get(8..)?.first_chunk()?);
        let generation = u32::from_ne_bytes(*head.get(12..)?.first_chunk()?);
        let length = u16::from_ne_bytes(*head.get(16..)?.first_chunk()?);
        let copied = u16::from_ne_bytes(*head.get(18..)?.first_chunk()?);
        Some(Self {
            id: WayId { number, generation },
            at: Duration::from_nanos(at),
            length: usize::from(length),
            packet: packet.get(..usize::from(copied))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(v6: bool) -> impl Strategy<Value = SocketAddr> {
        (any::<u128>(), any::<u16>()).prop_map(move |(bits, port)| {
            // Not one that stands for an IPv4 address: no socket has that.
            let ip = if v6 {
                IpAddr::from((bits | 0xfd << 120).to_be_bytes())
            } else {
                IpAddr::from((bits as u32).to_be_bytes())
            };
            SocketAddr::new(ip, port)
        })
    }

    proptest! {
        #[test]
        fn a_way_is_read_as_it_was_written(
            (local, source, from, to) in any::<bool>().prop_flat_map(|v6| (address(v6), address(v6), address(v6), address(v6))),
            (ssrc, up, copied, tos) in any::<(u32, u128, bool, u8)>(),
            shift in proptest::option::of(any::<(u32, u16, u32)>()),
            (number, generation, came, interface) in any::<(u32, u32, u32, u32)>(),
        ) {
            let shift = shift.map(|(ssrc, sequence, timestamp)| Shift { ssrc, sequence, timestamp });
            let way = Way { local, source, ssrc, from, to, shift, up, copied, tos };
            let id = WayId { number, generation };
            prop_assert_eq!(Way::read(&way.key(), &way.flow(id, came, interface)), Some((id, way)));
        }
    }
}
