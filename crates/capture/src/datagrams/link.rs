//! What stands before the IP packet in a frame.

use crate::pcap::Link;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86DD;
/// IEEE 802.1Q, 802.1ad, and the tag that stood for the latter before it was a standard.
const VLAN_TAGS: [u16; 3] = [0x8100, 0x88A8, 0x9100];

/// The IP packet in `frame`, with whatever follows it; none if it carries another protocol.
pub(super) fn network_layer(link: Link, frame: &[u8]) -> Option<&[u8]> {
    match link {
        Link::Ip => Some(frame),
        // The address family's number differs from system to system; the packet itself tells which it is.
        Link::Loopback => frame.get(4..),
        Link::Ethernet => typed(frame.get(12..)?),
        Link::LinuxCooked => typed(frame.get(14..)?),
        Link::LinuxCooked2 => {
            let (&[high, low, ..], packet) = (frame, frame.get(20..)?) else { return None };
            untagged(u16::from_be_bytes([high, low]), packet)
        }
        Link::Other(_) => None,
    }
}

/// What follows an EtherType, given the EtherType and what follows it.
fn typed(bytes: &[u8]) -> Option<&[u8]> {
    let &[high, low, ref packet @ ..] = bytes else { return None };
    untagged(u16::from_be_bytes([high, low]), packet)
}

/// Passes over VLAN tags; there are two with QinQ, and no more anywhere.
fn untagged(mut ether_type: u16, mut packet: &[u8]) -> Option<&[u8]> {
    for _ in 0..3 {
        if ether_type == IPV4 || ether_type == IPV6 {
            return Some(packet);
        }
        let &[_, _, high, low, ref rest @ ..] = packet else { return None };
        if !VLAN_TAGS.contains(&ether_type) {
            return None;
        }
        (ether_type, packet) = (u16::from_be_bytes([high, low]), rest);
    }
    None
}
