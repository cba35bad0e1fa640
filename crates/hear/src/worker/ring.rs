//! A tap ring with the worker's delay: whether there is still time to listen to its packets.

use std::time::Duration;

use super::{CAUGHT_UP, MOST_BEHIND};
use sidetone_tap::{TapReceiver, Tapped};

/// A ring, and how far behind the worker is with it.
#[derive(Debug)]
pub(super) struct Ring {
    tap: TapReceiver,
    behind: bool,
}

/// What the worker has time for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    /// Time to listen.
    InTime,
    /// Time to check for a key only.
    Late,
}

impl Ring {
    pub(super) fn new(tap: TapReceiver) -> Self {
        Self { tap, behind: false }
    }

    /// The oldest packet.
    pub(super) fn next(&mut self, now: Duration) -> Option<(Tapped<'_>, Urgency)> {
        let tapped = self.tap.receive()?;
        let waited = now.saturating_sub(tapped.came.latest);
        self.behind = waited > if self.behind { CAUGHT_UP } else { MOST_BEHIND };
        Some((tapped, if self.behind { Urgency::Late } else { Urgency::InTime }))
    }

    pub(super) fn has_more(&self) -> bool {
        self.tap.put_in() > self.tap.taken()
    }

    /// See [`TapReceiver::taken`].
    pub(super) fn taken(&self) -> u64 {
        self.tap.taken()
    }

    /// See [`TapReceiver::put_in`].
    pub(super) fn put_in(&self) -> u64 {
        self.tap.put_in()
    }
}
