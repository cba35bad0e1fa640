//! IPv4 (RFC 791), IPv6 and its extension headers (RFC 8200), and the UDP or TCP header inside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::streams::Segment as Stretch;

const TCP: u8 = 6;
const UDP: u8 = 17;
const AUTHENTICATION: u8 = 51;

/// More extension headers than any packet has.
const MOST_EXTENSIONS: usize = 16;

/// One IP packet.
#[derive(Debug)]
pub(super) struct Packet<'a> {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    /// The protocol of the payload, when it is whole.
    pub(super) protocol: u8,
    pub(super) part: Part,
    pub(super) payload: &'a [u8],
}

/// How much of what was sent is in a packet.
#[derive(Debug)]
pub(super) enum Part {
    Whole,
    Fragment {
        id: u32,
        /// Where its payload belongs, in bytes.
        offset: usize,
        /// Whether nothing follows it.
        last: bool,
    },
}

/// Why a packet isn't looked into.
#[derive(Debug)]
pub(super) enum Refused {
    NotIp,
    Malformed,
    Cut,
}

impl<'a> Packet<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Refused> {
        match bytes.first().map(|first| first >> 4) {
            Some(4) => Self::parse_v4(bytes),
            Some(6) => Self::parse_v6(bytes),
            _ => Err(Refused::NotIp),
        }
    }

    fn parse_v4(bytes: &'a [u8]) -> Result<Self, Refused> {
        let &[first, _, l0, l1, i0, i1, f0, f1, _, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3, ..] =
            bytes
        else {
            return Err(Refused::Cut);
        };
        let header = usize::from(first & 0x0F) * 4;
        let length = match usize::from(u16::from_be_bytes([l0, l1])) {
            0 => bytes.len(), // segmentation left to the network card: the length is not filled in yet
            length => length,
        };
        if header < 20 || length < header {
            return Err(Refused::Malformed);
        }
        let fragment = u16::from_be_bytes([f0, f1]);
        let (offset, more) = (usize::from(fragment & 0x1FFF) * 8, fragment & 0x2000 != 0);
        let part = if offset == 0 && !more {
            Part::Whole
        } else {
            Part::Fragment { id: u32::from(u16::from_be_bytes([i0, i1])), offset, last: !more }
        };
        let payload = bytes.get(header..length).ok_or(Refused::Cut)?;
        // An authentication header (RFC 4302) stands before the whole packet's payload, as it does in IPv6.
        let (protocol, payload) = match part {
            Part::Whole if protocol == AUTHENTICATION => {
                let (protocol, _, payload) = pass_extensions(protocol, payload)?;
                (protocol, payload)
            }
            _ => (protocol, payload),
        };
        Ok(Self {
            src: Ipv4Addr::new(s0, s1, s2, s3).into(),
            dst: Ipv4Addr::new(d0, d1, d2, d3).into(),
            protocol,
            part,
            payload,
        })
    }

    fn parse_v6(bytes: &'a [u8]) -> Result<Self, Refused> {
        let (fixed, rest) = bytes.split_first_chunk::<40>().ok_or(Refused::Cut)?;
        let [_, _, _, _, l0, l1, next, _, addresses @ ..] = fixed;
        let (src, dst) = addresses.split_first_chunk::<16>().ok_or(Refused::Malformed)?;
        let dst = dst.first_chunk::<16>().ok_or(Refused::Malformed)?;
        let payload = match usize::from(u16::from_be_bytes([*l0, *l1])) {
            0 => rest,
            length => rest.get(..length).ok_or(Refused::Cut)?,
        };
        let (protocol, part, payload) = pass_extensions(*next, payload)?;
        Ok(Self {
            src: Ipv6Addr::from(*src).into(),
            dst: Ipv6Addr::from(*dst).into(),
            protocol,
            part,
            payload,
        })
    }
}

/// Passes over extension headers up to what is carried, or up to a fragment, whose own headers come when it is whole.
fn pass_extensions(mut next: u8, mut bytes: &[u8]) -> Result<(u8, Part, &[u8]), Refused> {
    const HOP_BY_HOP: u8 = 0;
    const ROUTING: u8 = 43;
    const FRAGMENT: u8 = 44;
    const DESTINATION: u8 = 60;
    const MOBILITY: u8 = 135;
    for _ in 0..MOST_EXTENSIONS {
        let length = match (next, bytes) {
            (FRAGMENT, &[after, _, o0, o1, i0, i1, i2, i3, ref rest @ ..]) => {
                let word = u16::from_be_bytes([o0, o1]);
                let (offset, more) = (usize::from(word & !7), word & 1 != 0);
                if offset == 0 && !more {
                    // An "atomic" fragment (RFC 6946) is whole.
                    (next, bytes) = (after, rest);
                    continue;
                }
                let id = u32::from_be_bytes([i0, i1, i2, i3]);
                return Ok((after, Part::Fragment { id, offset, last: !more }, rest));
            }
            (HOP_BY_HOP | ROUTING | DESTINATION | MOBILITY, &[_, length, ..]) => {
                (usize::from(length) + 1) * 8
            }
            (AUTHENTICATION, &[_, length, ..]) => (usize::from(length) + 2) * 4,
            (HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION | MOBILITY, _) => {
                return Err(Refused::Malformed);
            }
            (protocol, payload) => return Ok((protocol, Part::Whole, payload)),
        };
        next = bytes.first().copied().ok_or(Refused::Malformed)?;
        bytes = bytes.get(length..).ok_or(Refused::Malformed)?;
    }
    Err(Refused::Malformed)
}

/// The content of a whole IP payload.
#[derive(Debug)]
pub(super) enum Segment<'a> {
    Udp {
        src_port: u16,
        dst_port: u16,
        payload: &'a [u8],
    },
    Tcp {
        src_port: u16,
        dst_port: u16,
        segment: Stretch<'a>,
    },
    /// Another protocol, by its number.
    Other(u8),
}

/// Reads the UDP or TCP header.
pub(super) fn transport_layer(protocol: u8, bytes: &[u8]) -> Result<Segment<'_>, ()> {
    match (protocol, bytes) {
        (UDP, &[s0, s1, d0, d1, l0, l1, _, _, ref rest @ ..]) => {
            let payload = match usize::from(u16::from_be_bytes([l0, l1])) {
                0 => rest,
                length => length.checked_sub(8).and_then(|length| rest.get(..length)).ok_or(())?,
            };
            Ok(Segment::Udp {
                src_port: u16::from_be_bytes([s0, s1]),
                dst_port: u16::from_be_bytes([d0, d1]),
                payload,
            })
        }
        (TCP, &[s0, s1, d0, d1, n0, n1, n2, n3, _, _, _, _, offset, flags, _, _, _, _, _, _, ..]) => {
            const FIN: u8 = 0x01;
            const SYN: u8 = 0x02;
            const RST: u8 = 0x04;
            let header = usize::from(offset >> 4) * 4;
            if header < 20 {
                return Err(());
            }
            Ok(Segment::Tcp {
                src_port: u16::from_be_bytes([s0, s1]),
                dst_port: u16::from_be_bytes([d0, d1]),
                segment: Stretch {
                    sequence: u32::from_be_bytes([n0, n1, n2, n3]),
                    opens: flags & SYN != 0,
                    closes: flags & (FIN | RST) != 0,
                    bytes: bytes.get(header..).ok_or(())?,
                },
            })
        }
        (UDP | TCP, _) => Err(()),
        (other, _) => Ok(Segment::Other(other)),
    }
}
