//! Which hosts answer their OPTIONS.

use std::collections::HashMap;

use super::dns::Where;
use super::table::PeerRef;

/// Probes and what came of them.
#[derive(Debug, Default)]
pub struct Health {
    down_after: u32,
    hosts: HashMap<Where, (PeerRef, HostState)>,
}

/// What is known of one host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostState {
    /// Probes in a row without an answer.
    pub missed: u32,
    /// Whether calls avoid it.
    pub down: bool,
}

impl Health {
    /// A host is down after `down_after` unanswered probes in a row.
    #[must_use]
    pub fn new(down_after: u32) -> Self {
        Self { down_after: down_after.max(1), hosts: HashMap::new() }
    }

    /// Takes a probe's result; returns the new state if it turned.
    ///
    /// Any answer but 503 shows that somebody is at home: many PBXs answer OPTIONS with 404 or 405.
    pub fn probed(&mut self, peer: PeerRef, host: Where, status: Option<u16>) -> Option<HostState> {
        let (_, state) = self.hosts.entry(host).or_insert_with(|| (peer, HostState::default()));
        let was_down = state.down;
        if matches!(status, None | Some(503)) {
            state.missed = state.missed.saturating_add(1);
            state.down = state.missed >= self.down_after;
        } else {
            *state = HostState::default();
        }
        (state.down != was_down).then_some(*state)
    }

    /// Whether calls should avoid it. An unknown host is given a chance.
    #[must_use]
    pub fn is_down(&self, host: Where) -> bool {
        self.hosts.get(&host).is_some_and(|(_, state)| state.down)
    }

    /// Every host that has been probed.
    pub fn hosts(&self) -> impl Iterator<Item = (PeerRef, Where, HostState)> {
        self.hosts.iter().map(|(place, (peer, state))| (*peer, *place, *state))
    }
}

#[cfg(test)]
mod tests {
    use sidetone_sip::{Face, Transport};

    use super::*;

    #[test]
    fn a_host_is_down_after_enough_misses_and_up_after_one_answer() {
        let host = (Transport::Udp, "192.0.2.1:5060".parse().unwrap());
        let peer = PeerRef::first(Face::Pbx);
        let mut health = Health::new(2);
        assert!(!health.is_down(host));
        assert_eq!(health.probed(peer, host, None), None);
        assert_eq!(health.probed(peer, host, Some(503)).map(|state| state.down), Some(true));
        assert_eq!(health.probed(peer, host, None), None);
        assert!(health.is_down(host));
        assert_eq!(health.probed(peer, host, Some(404)).map(|state| state.down), Some(false));
        assert!(!health.is_down(host));
    }
}
