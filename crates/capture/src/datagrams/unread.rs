//! Names of protocols that are recognised and not read.

use std::collections::BTreeMap;
use std::fmt;

/// Kinds counted apart; hostile frames could name 65,536.
const MOST_KINDS: usize = 64;

/// A protocol that ends the way to what a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Unread {
    /// The capture's link type.
    Link(u16),
    /// An EtherType (IEEE 802).
    EtherType(u16),
    /// The protocol field of a PPP frame.
    Ppp(u16),
    /// The protocol field of IPv4, or the last next-header field of IPv6.
    IpProtocol(u8),
}

impl Unread {
    /// Whether it ordinarily stands beside calls and says nothing of them: ARP, ICMP, LLDP and their like.
    #[must_use]
    pub fn is_ordinary(self) -> bool {
        match self {
            Self::Link(_) => false,
            // ARP, LLDP, 802.1X, PTP, Wake-on-LAN, loop detection, PPPoE discovery, slow protocols; and lengths, which
            // introduce spanning tree and its like.
            Self::EtherType(number) => {
                number < 0x0600
                    || matches!(
                        number,
                        0x0806 | 0x8035 | 0x0842 | 0x88CC | 0x888E | 0x88F7 | 0x9000 | 0x8863 | 0x8809
                    )
            }
            // Everything but the data of network layers: LCP, authentication, IPCP.
            Self::Ppp(number) => number >= 0x8000,
            // ICMP, IGMP, EIGRP, ICMPv6, no next header, OSPF, PIM, VRRP.
            Self::IpProtocol(number) => matches!(number, 1 | 2 | 58 | 59 | 88 | 89 | 103 | 112),
        }
    }

    /// The protocol's name, where it has a usual one.
    fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Link(105) => "IEEE 802.11",
            Self::Link(119) => "IEEE 802.11 with Prism header",
            Self::Link(127) => "IEEE 802.11 with radiotap",
            Self::Link(107) => "Frame Relay",
            Self::Link(123) => "ATM",
            Self::Link(140) => "MTP2, SS7",
            Self::Link(141) => "MTP3, SS7",
            Self::Link(187 | 201) => "Bluetooth",
            Self::Link(189 | 220) => "USB",
            Self::Link(248) => "SCTP",
            Self::Link(147..=162) => "of the user's own",
            Self::EtherType(0x88E5) => "MACsec, encrypted",
            Self::EtherType(0x8909) => "Cisco metadata",
            Self::EtherType(0x8903) => "Cisco FabricPath",
            Self::EtherType(0x894F) => "network service header",
            Self::EtherType(0x22F3) => "TRILL",
            Self::EtherType(0x0806) => "ARP",
            Self::EtherType(0x88CC) => "LLDP",
            Self::Ppp(0x0053 | 0x0055) => "encrypted",
            Self::Ppp(0x00FB | 0x00FD) => "compressed",
            Self::Ppp(0x003D) => "multilink",
            Self::IpProtocol(1) => "ICMP",
            Self::IpProtocol(2) => "IGMP",
            Self::IpProtocol(50) => "ESP, encrypted by IPsec",
            Self::IpProtocol(58) => "ICMPv6",
            Self::IpProtocol(89) => "OSPF",
            Self::IpProtocol(108) => "IPComp, compressed",
            Self::IpProtocol(115) => "L2TPv3",
            Self::IpProtocol(132) => "SCTP",
            Self::IpProtocol(136) => "UDP-Lite",
            _ => return None,
        })
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(number) => write!(f, "link type {number}")?,
            Self::EtherType(number) if *number < 0x0600 => write!(f, "IEEE 802.2 LLC")?,
            Self::EtherType(number) => write!(f, "EtherType {number:#06x}")?,
            Self::Ppp(number) => write!(f, "PPP protocol {number:#06x}")?,
            Self::IpProtocol(number) => write!(f, "IP protocol {number}")?,
        }
        self.name().map_or(Ok(()), |name| write!(f, " ({name})"))
    }
}

/// How many frames ended in which protocol.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally(BTreeMap<Unread, u64>);

impl Tally {
    pub(super) fn count(&mut self, unread: Unread) {
        if self.0.len() < MOST_KINDS || self.0.contains_key(&unread) {
            *self.0.entry(unread).or_default() += 1;
        }
    }

    /// Kinds and frames, the most frequent first.
    pub(super) fn by_frequency(&self) -> Vec<(Unread, u64)> {
        let mut all: Vec<_> = self.0.iter().map(|(unread, count)| (*unread, *count)).collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_named_by_number_and_name() {
        assert_eq!(Unread::Link(127).to_string(), "link type 127 (IEEE 802.11 with radiotap)");
        assert_eq!(Unread::IpProtocol(50).to_string(), "IP protocol 50 (ESP, encrypted by IPsec)");
        assert_eq!(Unread::EtherType(0xABCD).to_string(), "EtherType 0xabcd");
        assert_eq!(Unread::EtherType(38).to_string(), "IEEE 802.2 LLC");
    }

    #[test]
    fn kinds_are_bounded() {
        let mut tally = Tally::default();
        (0..=u16::MAX).for_each(|number| tally.count(Unread::EtherType(number)));
        tally.count(Unread::EtherType(0));
        assert_eq!(tally.by_frequency().len(), MOST_KINDS);
        assert_eq!(tally.by_frequency()[0], (Unread::EtherType(0), 2));
    }
}
