//! One flow of audio at a time for each party.

use std::time::Duration;

use sidetone_call::Side;

use super::addresses::Route;

/// A flow that has been silent for this long gives way to another of the same party.
const SILENT: Duration = Duration::from_millis(100);
/// Flows followed: two a stream, and no call has more streams.
const MOST_FLOWS: usize = 32;

/// The flows that a call's parties are heard by. What is captured at two hops, or before and after a relay, comes in
/// two flows at once; what follows a change of address, in one after the other.
#[derive(Debug, Default)]
pub(super) struct Parties {
    flows: Vec<Flow>,
}

#[derive(Debug)]
struct Flow {
    side: Side,
    stream: usize,
    route: Route,
    heard: Duration,
}

impl Parties {
    /// Whether the party is heard by another flow at that time.
    pub(super) fn hear_elsewhere(&self, now: Duration, side: Side, stream: usize, route: Route) -> bool {
        let flow = self.flows.iter().find(|flow| (flow.side, flow.stream) == (side, stream));
        flow.is_some_and(|flow| flow.route != route && now.saturating_sub(flow.heard) < SILENT)
    }

    /// Whether a packet of that flow is the party's audio.
    pub(super) fn accepts(&mut self, now: Duration, side: Side, stream: usize, route: Route) -> bool {
        let Some(flow) = self.flows.iter_mut().find(|flow| (flow.side, flow.stream) == (side, stream)) else {
            if self.flows.len() == MOST_FLOWS {
                return false;
            }
            self.flows.push(Flow { side, stream, route, heard: now });
            return true;
        };
        if flow.route != route && now.saturating_sub(flow.heard) < SILENT {
            return false;
        }
        flow.route = route;
        flow.heard = now;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[test]
    fn one_flow_at_a_time() {
        let mut parties = Parties::default();
        let route = |port| (SocketAddr::from(([127, 0, 0, 1], port)), SocketAddr::from(([127, 0, 0, 1], 9)));
        let mut accepts = |ms, side, port| parties.accepts(Duration::from_millis(ms), side, 0, route(port));
        for ms in (0..200).step_by(20) {
            assert!(accepts(ms, Side::Trunk, 1), "the first goes on");
            assert!(!accepts(ms + 1, Side::Trunk, 2), "its copy at the next hop is passed over");
            assert!(accepts(ms + 2, Side::Pbx, 3), "the other party has its own");
        }
        assert!(!accepts(279, Side::Trunk, 2));
        assert!(accepts(280, Side::Trunk, 2), "a flow that follows a silent one");
        assert!(!accepts(281, Side::Trunk, 1));
    }
}
