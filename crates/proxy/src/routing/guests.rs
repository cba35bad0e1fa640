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
    open: bool,
}

impl Guests {
    /// The peer of the client at that address, by its connection.
    #[must_use]
    pub fn peer(&self, at: SocketAddr) -> Option<PeerName> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.guests.get(&at).map(|guest| guest.peer.clone())
    }

    /// A client has connected, and is that peer.
    pub fn came(&self, at: SocketAddr, peer: PeerName) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.guests.insert(at, Guest { peer, open: true });
    }

    /// A client's connection is closed.
    pub fn left(&self, at: SocketAddr) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let Some(guest) = known.guests.get_mut(&at).filter(|guest| guest.open) else { return };
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
        let peer: PeerName = (Side::Trunk, "agents".into());
        for number in 0..20_000 {
            guests.came(at(number), peer.clone());
            if number > 0 {
                guests.left(at(number));
            }
        }
        assert_eq!(guests.peer(at(19_999)), Some(peer.clone()));
        assert_eq!(guests.peer(at(1)), None);
        assert_eq!(guests.peer(at(0)), Some(peer), "the connection is open");
        assert!(guests.0.read().unwrap().guests.len() <= MOST_GONE + 1);
    }
}
