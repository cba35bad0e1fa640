//! Which hosts place calls and which are called: where one does both, or places two at once, its calls do not show who
//! the customer is.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::doubt::Doubt;
use super::recording::Recording;

/// Hosts of one conversation that are remembered: one for each hop that it is seen at.
pub(super) const MOST_HOSTS: usize = 16;

/// Where signalling comes from. The port counts on a loopback interface alone, where all hosts have one address;
/// elsewhere a host may signal by several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Host(SocketAddr);

impl Host {
    pub(super) fn at(address: SocketAddr) -> Self {
        let ip = address.ip().to_canonical();
        Self(SocketAddr::new(ip, if ip.is_loopback() { address.port() } else { 0 }))
    }
}

/// Notes the doubts that only all calls of a capture together give.
pub(super) fn doubt(recordings: &mut [Recording]) {
    let called: HashSet<Host> = recordings.iter().flat_map(Recording::called).copied().collect();
    let connecting = connecting(recordings);
    for recording in recordings {
        let Some(placer) = recording.placer() else { continue };
        if connecting.contains(&placer) {
            recording.doubt_that(Doubt::Connects(placer.0.ip()));
        }
        if called.contains(&placer) {
            recording.doubt_that(Doubt::CallsAndIsCalled(placer.0.ip()));
        }
    }
}

/// Hosts that have placed two calls, toward different hosts, that were both answered at one time.
fn connecting(recordings: &[Recording]) -> HashSet<Host> {
    let mut placed: HashMap<Host, Vec<(Duration, Duration, Host)>> = HashMap::new();
    for recording in recordings {
        if let (Some(placer), Some(called), Some((from, to))) =
            (recording.placer(), recording.called().first().copied(), recording.talk())
        {
            placed.entry(placer).or_default().push((from, to, called));
        }
    }
    let connects = |mut calls: Vec<(Duration, Duration, Host)>| {
        calls.sort_unstable_by_key(|(from, ..)| *from);
        // While no two overlap that differ, all that go on have the same host.
        let mut latest: Option<(Duration, Host)> = None;
        calls.into_iter().any(|(from, to, called)| match latest.filter(|(end, _)| *end > from) {
            Some((_, other)) if other != called => true,
            Some((end, _)) => {
                latest = Some((end.max(to), called));
                false
            }
            None => {
                latest = Some((to, called));
                false
            }
        })
    };
    placed.into_iter().filter_map(|(placer, calls)| connects(calls).then_some(placer)).collect()
}
