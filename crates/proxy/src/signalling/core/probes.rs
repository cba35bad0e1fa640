//! Health probes: OPTIONS to each host, outside of calls.

use std::collections::HashSet;
use std::time::Duration;

use sidetone_sip::proxy::{Destination, ProbeKey};

use super::Core;
use crate::routing::{HostAddress, PeerRef, Where};

impl Core {
    /// Starts a health probe.
    pub(crate) fn probe(&mut self, now: Duration, peer: PeerRef, host: &HostAddress, place: Where) {
        let (transport, remote) = place;
        // A reload may have come while the name was looked up.
        if !self.table.holds(peer) {
            return;
        }
        self.note_served(remote);
        self.note_identity(peer, host, place);
        let Some(local) = self.local_toward(now, transport, remote) else { return };
        let key = self.proxy.probe(now, Destination { transport, local, remote }, &format!("sip:{remote}"));
        self.probes.insert(key, (peer.side, self.table.name(peer).to_owned(), place));
    }

    /// Keeps the hosts that a round of probes has found; others are forgotten.
    pub(crate) fn probed_round(&mut self, places: &HashSet<Where>) {
        self.health.keep(places);
    }

    /// Takes a probe's answer, or its absence.
    pub(crate) fn probed(&mut self, now: Duration, key: ProbeKey, status: Option<u16>) {
        if let Some((call, side)) = self.hosts_asked.remove(&key) {
            return self.host_answered(now, call, side, status);
        }
        let Some((side, name, place)) = self.probes.remove(&key) else { return };
        if let Some(state) = self.health.probed(side, &name, place, status) {
            let remote = place.1;
            if state.down {
                tracing::warn!(peer = name, %remote, "a host is down: it does not answer OPTIONS");
            } else {
                tracing::info!(peer = name, %remote, "a host is up again");
            }
        }
    }
}
