//! Clients whose peer is known by their connection, not by their address: browsers anywhere, and telephony peers that a
//! certificate names.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use super::shares::PeerName;

/// Clients that have left, whose peer is still known: their dialogs go on by their next connection.
const MOST_GONE: usize = 8_192;

/// The clients, shared by all tables.
#[derive(Debug, Clone, Default)]
pub struct Guests(Arc<RwLock<Known>>);

#[derive(Debug, Default)]
struct Known {
    guests: HashMap<SocketAddr, Guest>,
    /// Those that have left, the first to leave first.
    gone: VecDeque<SocketAddr>,
}

#[derive(Debug)]
struct Guest {
    peer: PeerName,
    /// Our end of the connection.
    local: SocketAddr,
    open: bool,
}

impl Guests {
    /// The peer of the client at that address, by its connection, and whether that is open still.
    #[must_use]
    pub fn peer(&self, at: SocketAddr) -> Option<(PeerName, bool)> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.guests.get(&at).map(|guest| (guest.peer.clone(), guest.open))
    }

    /// A client has connected from `at` to `local`, and is that peer.
    pub fn came(&self, (local, at): (SocketAddr, SocketAddr), peer: PeerName) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.guests.insert(at, Guest { peer, local, open: true });
    }

    /// A client's connection is closed. One that never was a guest's says nothing of another from the same address.
    pub fn left(&self, (local, at): (SocketAddr, SocketAddr)) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let guest = known.guests.get_mut(&at).filter(|guest| guest.open && guest.local == local);
        let Some(guest) = guest else { return };
        guest.open = false;
        known.gone.push_back(at);
        if known.gone.len() > MOST_GONE
            && let Some(first) = known.gone.pop_front()
            && known.guests.get(&first).is_some_and(|guest| !guest.open)
        {
            known.guests.remove(&first);
        }
    }
}

#[cfg(test)]
mod tests {
    use sidetone_call::Side;

    use super::*;

    fn at(number: u32) -> SocketAddr {
        SocketAddr::from((std::net::Ipv4Addr::from_bits(number), 5_000))
    }

    #[test]
    fn who_has_left_is_known_until_many_others_have() {
        let guests = Guests::default();
        let (here, peer): (_, PeerName) = (at(1 << 30), (Side::Trunk, "agents".into()));
        for number in 0..20_000 {
            guests.came((here, at(number)), peer.clone());
            if number > 0 {
                guests.left((here, at(number)));
            }
        }
        assert_eq!(guests.peer(at(19_999)), Some((peer.clone(), false)));
        assert_eq!(guests.peer(at(1)), None);
        // A connection to another of our sockets, which was refused.
        guests.left((at(1), at(0)));
        assert_eq!(guests.peer(at(0)), Some((peer, true)), "the connection is open");
        assert!(guests.0.read().unwrap().guests.len() <= MOST_GONE + 1);
    }
}
