//! Which peer holds how many of the transactions, and of the dialogs: no peer may have them all.

use std::collections::HashMap;

use super::neighbours::Neighbour;

/// Entries of a table that all peers share, by the peer that began them.
#[derive(Debug, Default)]
pub(super) struct Held(HashMap<Neighbour, usize>);

impl Held {
    /// One more for this peer. Of addresses that belong to none no account is kept: whoever they are, they are let in for
    /// another reason.
    pub(super) fn add(&mut self, peer: Option<Neighbour>) {
        if let Some(peer) = peer {
            *self.0.entry(peer).or_insert(0) += 1;
        }
    }

    /// One less.
    pub(super) fn release(&mut self, peer: Option<Neighbour>) {
        let Some(peer) = peer else { return };
        let Some(held) = self.0.get_mut(&peer) else { return };
        *held = held.saturating_sub(1);
        if *held == 0 {
            self.0.remove(&peer);
        }
    }

    pub(super) fn of(&self, peer: Option<Neighbour>) -> usize {
        peer.and_then(|peer| self.0.get(&peer)).copied().unwrap_or(0)
    }
}

/// What one peer may hold of `max`: all but a quarter. What belongs to a dialog has an eighth more, so that a peer that has
/// filled its share can still end its calls.
pub(super) const fn share(max: usize, in_dialog: bool) -> usize {
    let share = max - max / 4;
    if in_dialog { share + max / 8 } else { share }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Face;

    #[test]
    fn each_peer_has_an_account_of_its_own() {
        let peer = |id| Some(Neighbour { face: Face::Trunk, id });
        let mut held = Held::default();
        held.add(peer(1));
        held.add(peer(1));
        held.add(peer(2));
        held.release(peer(1));
        held.release(peer(3));
        assert_eq!([peer(1), peer(2), peer(3), None].map(|peer| held.of(peer)), [1, 1, 0, 0]);
        held.release(peer(1));
        assert_eq!(held.0.len(), 1, "who holds nothing takes no room");
        assert_eq!((share(100, false), share(100, true), share(1, false)), (75, 87, 1));
    }
}
