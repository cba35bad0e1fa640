//! Contacts that a registrar has accepted. By a binding a peer may be called at a host that no configuration names; a
//! REGISTER alone makes none.
//!
//! A binding holds between two peers. Only the registrar's peer may use it, only toward the peer that registered, and a
//! literal address is bound only if it is that peer's own.

use std::collections::HashMap;
use std::time::Duration;

use crate::proxy::destination::Destination;
use crate::proxy::held::{self, Held};
use crate::proxy::neighbours::Neighbour;

/// Hosts that are bound, over all peers.
const MOST: usize = 20_000;
/// Peers that have the same host bound at the same registrar.
const MOST_OF_A_HOST: usize = 8;
/// The table is searched for bindings that have run out this often at most, however many requests find it full.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// A peer that may be called at a host which it has registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    /// The peer that registered.
    pub peer: Neighbour,
    /// Where its REGISTER came from.
    pub heard: Destination,
}

#[derive(Debug)]
pub(super) struct Binding {
    pub(super) registered: Registered,
    pub(super) until: Duration,
}

/// All bindings, by hashed host and registrar.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    by_host: HashMap<(u64, Neighbour), Vec<Binding>>,
    held: Held,
    len: usize,
    swept: Duration,
}

impl Bindings {
    /// The peers that have registered that host with `registrar`.
    pub(super) fn of(&self, now: Duration, host: u64, registrar: Neighbour) -> Vec<Registered> {
        let bound = self.by_host.get(&(host, registrar)).map_or(&[][..], Vec::as_slice);
        bound.iter().filter(|binding| binding.until > now).map(|binding| binding.registered).collect()
    }

    pub(super) fn bind(&mut self, now: Duration, host: u64, registrar: Neighbour, binding: Binding) {
        let peer = binding.registered.peer;
        let known = self.by_host.get_mut(&(host, registrar));
        if let Some(known) =
            known.and_then(|known| known.iter_mut().find(|known| known.registered.peer == peer))
        {
            // Several users of a PBX are registered with one host, so the end of one of them ends nothing here.
            known.until = known.until.max(binding.until);
            known.registered = binding.registered;
            return;
        }
        if self.is_full(peer) {
            self.sweep(now);
        }
        if self.is_full(peer) {
            return;
        }
        let bound = self.by_host.entry((host, registrar)).or_default();
        if bound.len() < MOST_OF_A_HOST {
            bound.push(binding);
            self.held.add(Some(peer), 1);
            self.len += 1;
        }
    }

    fn is_full(&self, peer: Neighbour) -> bool {
        self.len >= MOST || self.held.of(Some(peer)) >= held::share(MOST, false)
    }

    fn sweep(&mut self, now: Duration) {
        if now.saturating_sub(self.swept) < SWEEP_EVERY {
            return;
        }
        self.swept = now;
        let (held, len) = (&mut self.held, &mut self.len);
        self.by_host.retain(|_, bound| {
            bound.retain(|binding| {
                let lasts = binding.until > now;
                if !lasts {
                    held.release(Some(binding.registered.peer), 1);
                    *len -= 1;
                }
                lasts
            });
            !bound.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Transport;
    use sidetone_call::Side;

    const PBX: Neighbour = Neighbour { side: Side::Pbx, id: 1 };

    fn trunk(id: u64) -> Neighbour {
        Neighbour { side: Side::Trunk, id }
    }

    fn binding(peer: Neighbour, until: u64) -> Binding {
        let at = |addr: &str| addr.parse().unwrap();
        let heard = Destination {
            transport: Transport::Udp,
            local: at("192.0.2.1:5060"),
            remote: at("198.51.100.1:5060"),
        };
        Binding { registered: Registered { peer, heard }, until: Duration::from_secs(until) }
    }

    #[test]
    fn no_peer_has_all_the_room_and_what_has_run_out_takes_none() {
        let mut bindings = Bindings::default();
        let now = Duration::from_secs(10);
        for host in 0..MOST as u64 {
            bindings.bind(now, host, PBX, binding(trunk(1), 20));
        }
        assert_eq!(bindings.len, held::share(MOST, false));
        bindings.bind(now, 0, PBX, binding(trunk(2), 20));
        let of: Vec<u64> = bindings.of(now, 0, PBX).iter().map(|registered| registered.peer.id).collect();
        assert_eq!(of, [1, 2]);
        assert!(bindings.of(now, 0, Neighbour { side: Side::Pbx, id: 2 }).is_empty());
        bindings.bind(Duration::from_secs(30), 70_000, PBX, binding(trunk(1), 40));
        assert_eq!((bindings.len, bindings.by_host.len()), (1, 1));
        assert_eq!(bindings.held.of(Some(trunk(1))), 1);
    }
}
