//! Which address is whose.

use std::collections::HashMap;
use std::net::SocketAddr;

use sidetone_call::Side;

use crate::calls::options::MOST_CALLS;

/// Addresses remembered: a few for each call.
const MOST_ADDRESSES: usize = MOST_CALLS * 16;

/// The owner of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    /// Index of the call.
    pub(super) call: usize,
    /// Index of the m-line.
    pub(super) stream: usize,
    /// The party.
    pub(super) side: Side,
    /// Whether the m-line carries audio.
    pub(super) is_audio: bool,
}

/// From where to where packets go.
pub(super) type Route = (SocketAddr, SocketAddr);

/// Addresses that parties have named in their SDP, or were found to send from. Whoever names one last, has it.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    named: HashMap<SocketAddr, Owner>,
    found: HashMap<SocketAddr, Owner>,
    /// The named ports at the addresses that signalling came from: where audio comes from when both parties named
    /// private addresses.
    outside: HashMap<SocketAddr, Owner>,
}

impl Addresses {
    /// A party wants its media there. Gives who had named that address before.
    pub(super) fn claim(&mut self, address: SocketAddr, owner: Owner) -> Option<Owner> {
        if self.named.len() >= MOST_ADDRESSES && !self.named.contains_key(&address) {
            return None;
        }
        self.found.remove(&address);
        self.named.insert(address, owner)
    }

    /// A party that named another address signals from this one, and may have its audio there.
    pub(super) fn suspect(&mut self, address: SocketAddr, owner: Owner) {
        if self.outside.len() < MOST_ADDRESSES || self.outside.contains_key(&address) {
            self.outside.insert(address, owner);
        }
    }

    /// The party that sent a packet from the first address to the second. A party may send from another address than
    /// the one it named (behind a NAT it does): then it is known by whom it sends to, and from then on by that address.
    pub(super) fn sender(&mut self, (src, dst): Route) -> Option<Owner> {
        let other = |owner: &Owner| Owner { side: owner.side.other(), ..*owner };
        let by_receiver = self.named.get(&dst).map(other);
        let by_sender = self.named.get(&src).copied();
        if let Some(sender) =
            by_sender.filter(|sender| by_receiver.is_none_or(|owner| owner.call <= sender.call))
        {
            return Some(sender);
        }
        if let Some(sender) = by_receiver {
            if self.found.len() < MOST_ADDRESSES {
                self.found.insert(src, sender);
            }
            return Some(sender);
        }
        let found = self.found.get(&src).copied().or_else(|| self.found.get(&dst).map(other));
        found.or_else(|| self.outside.get(&src).copied()).or_else(|| self.outside.get(&dst).map(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn owner(call: usize, side: Side) -> Owner {
        Owner { call, stream: 0, side, is_audio: true }
    }

    #[test]
    fn senders_are_known_by_either_end() {
        let mut addresses = Addresses::default();
        addresses.claim(addr(1), owner(0, Side::Trunk));
        assert_eq!(addresses.sender((addr(1), addr(99))), Some(owner(0, Side::Trunk)));
        assert_eq!(addresses.sender((addr(98), addr(1))), Some(owner(0, Side::Pbx)));
        assert_eq!(addresses.sender((addr(5), addr(6))), None);
    }

    #[test]
    fn who_sends_from_elsewhere_is_known_by_that_address_too() {
        let mut addresses = Addresses::default();
        addresses.claim(addr(1), owner(0, Side::Trunk)); // a private address that no packet carries
        addresses.claim(addr(2), owner(0, Side::Pbx));
        assert_eq!(addresses.sender((addr(50), addr(2))), Some(owner(0, Side::Trunk)));
        assert_eq!(addresses.sender((addr(51), addr(50))), Some(owner(0, Side::Pbx)));
    }

    #[test]
    fn parties_behind_address_translation_are_known_by_where_they_signal_from() {
        let mut addresses = Addresses::default();
        addresses.suspect(addr(1), owner(0, Side::Trunk));
        assert_eq!(addresses.sender((addr(1), addr(2))), Some(owner(0, Side::Trunk)));
        assert_eq!(addresses.sender((addr(2), addr(1))), Some(owner(0, Side::Pbx)));
        addresses.claim(addr(1), owner(1, Side::Pbx));
        assert_eq!(
            addresses.sender((addr(1), addr(2))),
            Some(owner(1, Side::Pbx)),
            "a named address goes before"
        );
    }

    #[test]
    fn the_latest_call_has_the_address() {
        let mut addresses = Addresses::default();
        addresses.claim(addr(1), owner(0, Side::Trunk));
        addresses.claim(addr(2), owner(0, Side::Pbx));
        addresses.claim(addr(1), owner(1, Side::Pbx));
        assert_eq!(addresses.sender((addr(1), addr(2))), Some(owner(1, Side::Pbx)));
        assert_eq!(addresses.sender((addr(2), addr(1))), Some(owner(1, Side::Trunk)));
    }
}
