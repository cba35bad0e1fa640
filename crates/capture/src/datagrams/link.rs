//! Headers before the IP packet in a frame: link layers, VLAN tags, labels, PPP.

use super::unread::Unread;
use crate::pcap::record::Link;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86DD;
const MPLS: [u16; 2] = [0x8847, 0x8848];
const PPPOE_SESSION: u16 = 0x8864;
/// IEEE 802.1Q, 802.1ad, and the tags that stood for the latter before it was a standard.
const VLAN_TAGS: [u16; 4] = [0x8100, 0x88A8, 0x9100, 0x9200];
/// More tags and labels than any network puts before a packet.
const MOST_TAGS: usize = 16;

/// A frame that leads to no IP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The frame ends within its headers, or they contradict themselves.
    Malformed,
    /// The frame carries another protocol.
    Other(Unread),
}

/// The IP packet in `frame`, with whatever follows it.
pub(super) fn network_layer(link: Link, frame: &[u8]) -> Result<&[u8], Refused> {
    match link {
        Link::Ip => Ok(frame),
        // The address family's number differs from system to system; the packet itself tells which it is.
        Link::Loopback => after(frame, 4),
        Link::Ethernet => ethernet(frame),
        Link::LinuxCooked => typed(after(frame, 14)?),
        Link::LinuxCooked2 => {
            let &[high, low, ..] = frame else { return Err(Refused::Malformed) };
            ether_type(u16::from_be_bytes([high, low]), after(frame, 20)?)
        }
        Link::Ppp => ppp(frame),
        Link::PppWithDirection => ppp(after(frame, 1)?),
        Link::PppoeSession => pppoe(frame),
        // Address and control stand before an EtherType (Cisco's HDLC).
        Link::CiscoHdlc => typed(after(frame, 2)?),
        Link::NetfilterLog => netfilter_log(frame),
        // Messages that another program has taken out of their packets are read in `exported`.
        Link::ExportedPdu => Err(Refused::Malformed),
        Link::Other(number) => Err(Refused::Other(Unread::Link(number))),
    }
}

fn after(bytes: &[u8], length: usize) -> Result<&[u8], Refused> {
    bytes.get(length..).ok_or(Refused::Malformed)
}

/// The IP packet in an Ethernet frame.
pub(super) fn ethernet(frame: &[u8]) -> Result<&[u8], Refused> {
    typed(after(frame, 12)?)
}

/// The IP packet behind the EtherType that `bytes` begin with.
fn typed(bytes: &[u8]) -> Result<&[u8], Refused> {
    let &[high, low, ref packet @ ..] = bytes else { return Err(Refused::Malformed) };
    ether_type(u16::from_be_bytes([high, low]), packet)
}

/// The IP packet behind an EtherType: passes over VLAN tags, LLC, labels and PPPoE.
pub(super) fn ether_type(mut number: u16, mut packet: &[u8]) -> Result<&[u8], Refused> {
    /// Logical link control and the sub-network access protocol with no organisation of its own: an EtherType follows.
    const SNAP: [u8; 6] = [0xAA, 0xAA, 0x03, 0, 0, 0];
    for _ in 0..MOST_TAGS {
        match number {
            IPV4 | IPV6 => return Ok(packet),
            _ if VLAN_TAGS.contains(&number) => {
                let &[_, _, high, low, ref rest @ ..] = packet else { return Err(Refused::Malformed) };
                (number, packet) = (u16::from_be_bytes([high, low]), rest);
            }
            // A length: IEEE 802.3 with 802.2 behind it.
            0..0x0600 => {
                let snap = packet.strip_prefix(&SNAP).ok_or(Refused::Other(Unread::EtherType(number)))?;
                let &[high, low, ref rest @ ..] = snap else { return Err(Refused::Malformed) };
                (number, packet) = (u16::from_be_bytes([high, low]), rest);
            }
            PPPOE_SESSION => return pppoe(packet),
            _ if MPLS.contains(&number) => return mpls(packet),
            other => return Err(Refused::Other(Unread::EtherType(other))),
        }
    }
    Err(Refused::Malformed)
}

/// RFC 2516: version and type, code 0, session, length, then PPP.
fn pppoe(bytes: &[u8]) -> Result<&[u8], Refused> {
    match bytes {
        [0x11, 0, _, _, _, _, rest @ ..] => ppp(rest),
        _ => Err(Refused::Malformed),
    }
}

/// PPP (RFC 1661), with HDLC-like framing before it (RFC 1662) or without.
pub(super) fn ppp(bytes: &[u8]) -> Result<&[u8], Refused> {
    let bytes = bytes.strip_prefix(&[0xFF, 0x03]).unwrap_or(bytes);
    // The last byte of a protocol's number is odd, the others are even: so one byte may stand alone.
    let (protocol, packet) = match bytes {
        [low, rest @ ..] if low & 1 == 1 => (u16::from(*low), rest),
        [high, low, rest @ ..] => (u16::from_be_bytes([*high, *low]), rest),
        _ => return Err(Refused::Malformed),
    };
    match protocol {
        0x0021 | 0x0057 => Ok(packet),
        0x0281 | 0x0283 => mpls(packet),
        other => Err(Refused::Other(Unread::Ppp(other))),
    }
}

/// RFC 3032: labels of 32 bits up to one that says it is the last. Nothing says what follows but its first bits.
pub(super) fn mpls(mut bytes: &[u8]) -> Result<&[u8], Refused> {
    const LAST: u8 = 1;
    for _ in 0..MOST_TAGS {
        let &[_, _, flags, _, ref rest @ ..] = bytes else { return Err(Refused::Malformed) };
        bytes = rest;
        if flags & LAST != 0 {
            return match bytes.first().map(|first| first >> 4) {
                Some(4 | 6) => Ok(bytes),
                // A pseudowire's control word (RFC 4385), then Ethernet.
                Some(0) => ethernet(after(bytes, 4)?),
                Some(_) => ethernet(bytes),
                None => Err(Refused::Malformed),
            };
        }
    }
    Err(Refused::Malformed)
}

/// Linux's netfilter log: family, version, resource, then attributes, of which one is the packet. Their numbers are in
/// the byte order of the machine that captured.
fn netfilter_log(frame: &[u8]) -> Result<&[u8], Refused> {
    let attributes = after(frame, 4)?;
    payload_attribute(attributes, u16::from_le_bytes)
        .or_else(|| payload_attribute(attributes, u16::from_be_bytes))
        .ok_or(Refused::Malformed)
}

fn payload_attribute(mut bytes: &[u8], number: fn([u8; 2]) -> u16) -> Option<&[u8]> {
    const PAYLOAD: u16 = 9;
    loop {
        let &[l0, l1, t0, t1, ref rest @ ..] = bytes else { return None };
        let length = usize::from(number([l0, l1])).checked_sub(4)?;
        let value = rest.get(..length)?;
        if number([t0, t1]) & 0x7FFF == PAYLOAD {
            return Some(value);
        }
        bytes = rest.get(length.next_multiple_of(4)..)?;
    }
}
