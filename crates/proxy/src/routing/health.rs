//! Host health, by their answers to OPTIONS.

use std::collections::{HashMap, HashSet};

use sidetone_call::Side;

use super::dns::Where;

/// Probes and their results. Hosts are keyed by address, so that their state outlives a reload.
#[derive(Debug, Default)]
pub struct Health {
    down_after: u32,
    hosts: HashMap<Where, Host>,
}

/// A probed host.
#[derive(Debug)]
struct Host {
    side: Side,
    peer: String,
    state: HostState,
}

/// One host's health.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostState {
    /// Probes in a row without an answer.
    pub missed: u32,
    /// Whether calls avoid the host.
    pub down: bool,
    /// Whether it has ever answered.
    pub heard: bool,
}

impl Health {
    /// A host is down after `down_after` unanswered probes in a row.
    #[must_use]
    pub fn new(down_after: u32) -> Self {
        Self { down_after: down_after.max(1), hosts: HashMap::new() }
    }

    /// From now on a host is down after this many unanswered probes in a row.
    pub fn set_down_after(&mut self, down_after: u32) {
        self.down_after = down_after.max(1);
    }

    /// Takes the result of probing a peer's host; returns the new state if it changed.
    ///
    /// Any answer but 503 shows that the host is up: many PBXs answer OPTIONS with 404 or 405.
    pub fn probed(&mut self, side: Side, peer: &str, place: Where, status: Option<u16>) -> Option<HostState> {
        let host = self.hosts.entry(place).or_insert_with(|| Host {
            side,
            peer: peer.to_owned(),
            state: HostState::default(),
        });
        (host.side, host.peer) = (side, peer.to_owned());
        let was_down = host.state.down;
        if matches!(status, None | Some(503)) {
            host.state.missed = host.state.missed.saturating_add(1);
            host.state.down = host.state.missed >= self.down_after;
        } else {
            host.state = HostState { heard: true, ..HostState::default() };
        }
        (host.state.down != was_down).then_some(host.state)
    }

    /// Whether calls should avoid a host. An unknown host is given a chance.
    #[must_use]
    pub fn is_down(&self, place: Where) -> bool {
        self.hosts.get(&place).is_some_and(|host| host.state.down)
    }

    /// Forgets hosts that are no longer configured, or no longer found under a name.
    pub fn keep(&mut self, places: &HashSet<Where>) {
        self.hosts.retain(|place, _| places.contains(place));
    }

    /// Every host that has been probed: side, peer, address, state.
    pub fn hosts(&self) -> impl Iterator<Item = (Side, &str, Where, HostState)> {
        self.hosts.iter().map(|(place, host)| (host.side, host.peer.as_str(), *place, host.state))
    }
}

#[cfg(test)]
mod tests {
    use sidetone_sip::Transport;

    use super::*;

    #[test]
    fn a_host_is_down_after_enough_misses_and_up_after_one_answer() {
        let host = (Transport::Udp, "192.0.2.1:5060".parse().unwrap());
        let mut health = Health::new(2);
        let mut probed = |status| health.probed(Side::Pbx, "a", host, status).map(|state| state.down);
        assert_eq!(probed(None), None);
        assert_eq!(probed(Some(503)), Some(true));
        assert_eq!(probed(None), None);
        assert_eq!(probed(Some(404)), Some(false));
        assert!(!health.is_down(host));
    }

    #[test]
    fn a_host_that_is_gone_is_forgotten() {
        let host = (Transport::Udp, "192.0.2.1:5060".parse().unwrap());
        let mut health = Health::new(1);
        health.probed(Side::Pbx, "a", host, None);
        assert!(health.is_down(host));
        health.keep(&HashSet::new());
        assert!(!health.is_down(host));
        assert_eq!(health.hosts().count(), 0);
    }
}
