//! Packets that were captured more than once: by a switch that mirrors both ports, on both sides of a VLAN, by two
//! interfaces at once, or in a file joined with itself.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::datagrams::Datagram;

/// A copy comes no later than this behind its original, and sometimes as late as twice that.
const WINDOW: Duration = Duration::from_secs(2);

/// Tells copies of RTP packets from packets: the same bytes, header and all, between the same addresses. No sender
/// makes two such packets within seconds, since their sequence numbers differ.
#[derive(Debug, Default)]
pub(super) struct Copies {
    /// Keyed anew for each capture, so that no file can be made to lose packets.
    hasher: RandomState,
    recent: HashSet<u64>,
    older: HashSet<u64>,
    since: Duration,
}

impl Copies {
    /// Whether this packet has come before; datagrams are to be given in order of time.
    pub(super) fn is_copy(&mut self, datagram: &Datagram) -> bool {
        if datagram.at.saturating_sub(self.since) > WINDOW {
            let far = datagram.at.saturating_sub(self.since) > 2 * WINDOW;
            self.older = if far { HashSet::new() } else { std::mem::take(&mut self.recent) };
            self.recent.clear();
            self.since = datagram.at;
        }
        let hash = self.hasher.hash_one((datagram.src, datagram.dst, &datagram.payload));
        self.older.contains(&hash) || !self.recent.insert(hash)
    }
}
