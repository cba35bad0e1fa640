//! Which peer an address belongs to, as the shell's configuration has it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;

use sidetone_call::Side;

/// One of the peers that the configuration names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Neighbour {
    /// The side that it is on.
    pub side: Side,
    /// A number that stands for its name: the same after a restart, and never that of another peer.
    pub id: u64,
}

type Naming = dyn Fn(SocketAddr) -> Option<Neighbour> + Send + Sync;

/// Tells the peers apart by address.
pub(super) struct Neighbours(Box<Naming>);

impl Neighbours {
    pub(super) fn new(naming: impl Fn(SocketAddr) -> Option<Neighbour> + Send + Sync + 'static) -> Self {
        Self(Box::new(naming))
    }

    pub(super) fn of(&self, addr: SocketAddr) -> Option<Neighbour> {
        (self.0)(addr)
    }

    /// Whether two addresses are one party: the same peer, or for addresses that belong to none, the same host.
    pub(super) fn are_one(&self, a: SocketAddr, b: SocketAddr) -> bool {
        match (self.of(a), self.of(b)) {
            (Some(a), Some(b)) => a == b,
            _ => a.ip() == b.ip(),
        }
    }
}

impl Default for Neighbours {
    /// Knows nobody.
    fn default() -> Self {
        Self::new(|_| None)
    }
}

impl fmt::Debug for Neighbours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Neighbours")
    }
}
