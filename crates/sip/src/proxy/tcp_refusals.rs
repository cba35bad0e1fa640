//! Targets that have lately refused TCP.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

/// The targets of a proxy are few; this many are remembered.
const CAPACITY: usize = 64;

/// Targets that could not be reached over TCP, so that each large request to them need not wait for that again.
#[derive(Debug, Default)]
pub(super) struct TcpRefusals {
    /// With the time until which it counts; the oldest first.
    targets: VecDeque<(SocketAddr, Duration)>,
}

impl TcpRefusals {
    pub(super) fn note(&mut self, target: SocketAddr, until: Duration) {
        self.targets.retain(|(t, _)| *t != target);
        if self.targets.len() >= CAPACITY {
            self.targets.pop_front();
        }
        self.targets.push_back((target, until));
    }

    pub(super) fn lately(&self, now: Duration, target: SocketAddr) -> bool {
        self.targets.iter().any(|(t, until)| *t == target && now < *until)
    }
}
