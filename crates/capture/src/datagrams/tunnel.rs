//! Packets inside packets: how mirrored and tunnelled traffic reaches a capture.
//!
//! GRE (RFC 2784, 2890; version 1 of RFC 2637), ERSPAN types I to III (draft-foschiano-erspan), IP in IP (RFC 2003,
//! 4213), MPLS in IP (RFC 4023), EtherIP (RFC 3378), VXLAN (RFC 7348) and its generic extension, Geneve (RFC 8926),
//! GTP-U (3GPP TS 29.281), L2TP version 2 (RFC 2661), TZSP.

use super::link::{self, Refused};
use super::unread::Unread;

/// The protocol that a tunnel's header announces.
type Carried<'a> = Result<&'a [u8], Refused>;

/// The inner packet of an IP payload whose protocol is a tunnel; none if it is none.
pub(super) fn in_ip(protocol: u8, payload: &[u8]) -> Option<Carried<'_>> {
    const IP_IN_IP: u8 = 4;
    const IPV6: u8 = 41;
    const GRE: u8 = 47;
    const ETHER_IP: u8 = 97;
    const MPLS: u8 = 137;
    Some(match protocol {
        IP_IN_IP | IPV6 => Ok(payload),
        GRE => gre(payload),
        ETHER_IP => after(payload, 2).and_then(link::ethernet),
        MPLS => link::mpls(payload),
        _ => return None,
    })
}

/// The inner packet of a datagram to or from a tunnel's port, if its header is that tunnel's too: a phone may have
/// been given the same port for its audio, and RTP begins like none of these.
pub(super) fn in_udp(src_port: u16, dst_port: u16, payload: &[u8]) -> Option<Carried<'_>> {
    let is = |port| dst_port == port || src_port == port;
    if is(4789) || is(8472) {
        // Flags: a network identifier is given; what is reserved is zero.
        let [0x08, 0, 0, 0, _, _, _, 0, frame @ ..] = payload else { return None };
        return Some(link::ethernet(frame));
    }
    if is(4790) {
        let [flags, 0, 0, next, _, _, _, 0, rest @ ..] = payload else { return None };
        return (flags & 0xF4 == 0x04).then(|| match next {
            1 | 2 => Ok(rest),
            3 => link::ethernet(rest),
            5 => link::mpls(rest),
            _ => Err(Refused::Malformed),
        });
    }
    if is(6081) {
        let &[flags, _, high, low, _, _, _, 0, ref rest @ ..] = payload else { return None };
        return (flags >> 6 == 0).then(|| {
            let rest = after(rest, usize::from(flags & 0x3F) * 4)?;
            by_type(u16::from_be_bytes([high, low]), rest)
        });
    }
    if is(2152) {
        return gtp(payload);
    }
    if is(1701) {
        return l2tp(payload);
    }
    if is(37008) {
        return tzsp(payload);
    }
    None
}

fn after(bytes: &[u8], length: usize) -> Carried<'_> {
    bytes.get(length..).ok_or(Refused::Malformed)
}

/// An EtherType, or the number that stands for bridged Ethernet among them.
fn by_type(number: u16, bytes: &[u8]) -> Carried<'_> {
    const BRIDGED: u16 = 0x6558;
    match number {
        BRIDGED => link::ethernet(bytes),
        other => link::ether_type(other, bytes),
    }
}

fn gre(bytes: &[u8]) -> Carried<'_> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGEMENT: u16 = 0x0080;
    const ERSPAN: u16 = 0x88BE;
    const ERSPAN_3: u16 = 0x22EB;
    const PPP: u16 = 0x880B;
    let &[f0, f1, p0, p1, ref rest @ ..] = bytes else { return Err(Refused::Malformed) };
    let (flags, protocol) = (u16::from_be_bytes([f0, f1]), u16::from_be_bytes([p0, p1]));
    let field = |flag| if flags & flag != 0 { 4 } else { 0 };
    let version = flags & 7;
    let options = match version {
        0 if flags & ROUTING != 0 => return Err(Refused::Malformed), // deprecated; its length isn't stated
        0 => field(CHECKSUM) + field(KEY) + field(SEQUENCE),
        1 => field(KEY) + field(SEQUENCE) + field(ACKNOWLEDGEMENT),
        _ => return Err(Refused::Malformed),
    };
    let rest = after(rest, options)?;
    match protocol {
        PPP => link::ppp(rest),
        // Type I has no header of its own, and no sequence number in GRE's; type II has both.
        ERSPAN if flags & SEQUENCE == 0 => link::ethernet(rest),
        ERSPAN => link::ethernet(after(rest, 8)?),
        ERSPAN_3 => {
            let (header, rest) = rest.split_first_chunk::<12>().ok_or(Refused::Malformed)?;
            let [.., last] = header;
            // The last bit says that a platform's own 8 bytes follow.
            link::ethernet(after(rest, if last & 1 != 0 { 8 } else { 0 })?)
        }
        other => by_type(other, rest),
    }
}

fn gtp(payload: &[u8]) -> Option<Carried<'_>> {
    const USER_DATA: u8 = 0xFF;
    let &[flags, USER_DATA, _, _, _, _, _, _, ref rest @ ..] = payload else { return None };
    // Version 1, and not the charging protocol.
    if flags & 0xF0 != 0x30 {
        return None;
    }
    if flags & 7 == 0 {
        return Some(Ok(rest));
    }
    Some(gtp_extensions(rest))
}

/// Sequence and N-PDU numbers, then extension headers, each of which says what comes next.
fn gtp_extensions(bytes: &[u8]) -> Carried<'_> {
    let &[_, _, _, mut next, ref rest @ ..] = bytes else { return Err(Refused::Malformed) };
    let mut rest = rest;
    // Every turn takes at least four bytes away.
    while next != 0 {
        let length = rest.first().map_or(0, |quarters| usize::from(*quarters) * 4);
        let last = length.checked_sub(1).and_then(|last| rest.get(last)).ok_or(Refused::Malformed)?;
        next = *last;
        rest = after(rest, length)?;
    }
    Ok(rest)
}

fn l2tp(payload: &[u8]) -> Option<Carried<'_>> {
    const CONTROL: u8 = 0x80;
    const LENGTH: u8 = 0x40;
    const SEQUENCE: u8 = 0x08;
    const OFFSET: u8 = 0x02;
    let &[flags, 2, ref rest @ ..] = payload else { return None };
    if flags & CONTROL != 0 {
        return None;
    }
    let optional = |flag, size| if flags & flag != 0 { size } else { 0 };
    let header = optional(LENGTH, 2) + 4 + optional(SEQUENCE, 4);
    let carried = || {
        let rest = after(rest, header)?;
        if flags & OFFSET == 0 {
            return link::ppp(rest);
        }
        let &[high, low, ref rest @ ..] = rest else { return Err(Refused::Malformed) };
        link::ppp(after(rest, usize::from(u16::from_be_bytes([high, low])))?)
    };
    Some(carried())
}

/// TaZmen sniffer protocol, by which MikroTik's routers mirror: version 1, a received packet, then tagged fields.
fn tzsp(payload: &[u8]) -> Option<Carried<'_>> {
    const PADDING: u8 = 0;
    const END: u8 = 1;
    const ETHERNET: u16 = 1;
    let &[1, 0, high, low, ref fields @ ..] = payload else { return None };
    let mut rest = fields;
    loop {
        match *rest {
            [PADDING, ref more @ ..] => rest = more,
            [END, ref frame @ ..] => {
                return Some(match u16::from_be_bytes([high, low]) {
                    ETHERNET => link::ethernet(frame),
                    other => Err(Refused::Other(Unread::Link(other))),
                });
            }
            [_, length, ref more @ ..] => rest = more.get(usize::from(length)..)?,
            _ => return None,
        }
    }
}
