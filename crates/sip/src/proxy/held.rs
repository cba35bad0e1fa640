//! Each peer's share of the transactions and dialogs: no peer may have them all.

use std::collections::HashMap;

use super::neighbours::Neighbour;

/// Bytes of a request that count as one transaction: more than almost all have. A longer one counts as several, so that
/// the bound of transactions bounds memory too.
const UNIT: usize = 4_096;

/// The number of transactions that a request of that many bytes counts as.
pub(super) const fn weight(bytes: usize) -> usize {
    if bytes > UNIT { bytes.div_ceil(UNIT) } else { 1 }
}

/// Entries of a table that all peers share, by the peer that began them.
#[derive(Debug, Default)]
pub(super) struct Held {
    by_peer: HashMap<Neighbour, usize>,
    total: usize,
}

impl Held {
    /// Adds to the account of a peer. Addresses that belong to no peer have no account: they are let in for another
    /// reason.
    pub(super) fn add(&mut self, peer: Option<Neighbour>, weight: usize) {
        self.total += weight;
        if let Some(peer) = peer {
            *self.by_peer.entry(peer).or_insert(0) += weight;
        }
    }

    /// Subtracts from the account of a peer.
    pub(super) fn release(&mut self, peer: Option<Neighbour>, weight: usize) {
        self.total = self.total.saturating_sub(weight);
        let Some(peer) = peer else { return };
        let Some(held) = self.by_peer.get_mut(&peer) else { return };
        *held = held.saturating_sub(weight);
        if *held == 0 {
            self.by_peer.remove(&peer);
        }
    }

    pub(super) fn of(&self, peer: Option<Neighbour>) -> usize {
        peer.and_then(|peer| self.by_peer.get(&peer)).copied().unwrap_or(0)
    }

    /// The sum over all peers.
    pub(super) const fn total(&self) -> usize {
        self.total
    }
}

/// One peer's share of `max`: all but a quarter. Requests in a dialog have an eighth more, so that a peer that has
/// filled its share can still end its calls.
pub(super) const fn share(max: usize, in_dialog: bool) -> usize {
    let share = max - max / 4;
    if in_dialog { share + max / 8 } else { share }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sidetone_call::Side;

    #[test]
    fn each_peer_has_an_account_of_its_own() {
        let peer = |id| Some(Neighbour { side: Side::Trunk, id });
        let mut held = Held::default();
        held.add(peer(1), 1);
        held.add(peer(1), 1);
        held.add(peer(2), 3);
        held.release(peer(1), 1);
        held.release(peer(3), 1);
        assert_eq!([peer(1), peer(2), peer(3), None].map(|peer| held.of(peer)), [1, 3, 0, 0]);
        held.release(peer(1), 1);
        assert_eq!(held.by_peer.len(), 1, "who holds nothing takes no room");
        assert_eq!([weight(0), weight(UNIT), weight(UNIT + 1), weight(60_000)], [1, 1, 2, 15]);
        assert_eq!((share(100, false), share(100, true), share(1, false)), (75, 87, 1));
    }
}
