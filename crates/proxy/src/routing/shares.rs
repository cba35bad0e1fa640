//! The calls that each peer has begun: no peer may have them all.

use std::collections::HashMap;
use std::sync::Arc;

use sidetone_call::{CallKey, Side};

/// A peer's identity across reloads: its name, not its place in a table.
pub type PeerName = (Side, Arc<str>);

/// How many calls each peer has begun.
#[derive(Debug, Default)]
pub struct Shares {
    begun_by: HashMap<CallKey, PeerName>,
    calls: HashMap<PeerName, usize>,
}

impl Shares {
    /// A call that this peer began is up.
    pub fn begun(&mut self, call: CallKey, peer: PeerName) {
        if self.begun_by.insert(call, peer.clone()).is_none() {
            *self.calls.entry(peer).or_insert(0) += 1;
        }
    }

    /// A call is over.
    pub fn ended(&mut self, call: CallKey) {
        let Some(peer) = self.begun_by.remove(&call) else { return };
        if let Some(calls) = self.calls.get_mut(&peer) {
            *calls -= 1;
            if *calls == 0 {
                self.calls.remove(&peer);
            }
        }
    }

    /// How many calls that this peer began are up.
    #[must_use]
    pub fn of(&self, peer: &PeerName) -> usize {
        self.calls.get(peer).copied().unwrap_or(0)
    }
}

/// One peer's default part of a limit that all share: all but a quarter. So no trunk, however many of its calls ring,
/// keeps the other trunks and the PBXs from calling.
#[must_use]
pub const fn usual_share(limit: usize) -> usize {
    limit - limit / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_who_began_them() {
        let mut shares = Shares::default();
        let (a, b): (PeerName, PeerName) = ((Side::Trunk, "a".into()), (Side::Pbx, "a".into()));
        shares.begun(CallKey(1), a.clone());
        shares.begun(CallKey(2), a.clone());
        shares.begun(CallKey(3), b.clone());
        shares.ended(CallKey(2));
        shares.ended(CallKey(9));
        assert_eq!((shares.of(&a), shares.of(&b)), (1, 1));
        shares.ended(CallKey(1));
        assert_eq!(shares.of(&a), 0);
        assert_eq!([0, 1, 2, 3, 4, 100].map(usual_share), [0, 1, 2, 3, 3, 75]);
    }
}
