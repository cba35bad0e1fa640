//! Where a request stands: outside of any dialog, or in which one, and where that leads.

use super::bindings::Registered;
use crate::proxy::destination::Destination;
use crate::proxy::neighbours::Neighbour;

/// Whether a request belongs to a dialog, and to which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// To no dialog, and it doesn't say so.
    Outside {
        /// The peers that have registered its next hop with its sender.
        registered: Vec<Registered>,
    },
    /// It bears the Call-ID and From tag of another peer's request, which isn't over.
    Taken,
    /// To a dialog that is held, whose party its sender is.
    Within(Way),
    /// It says that it belongs to a dialog, but its sender is party to no such dialog.
    Unknown,
}

/// The way of a dialog, from the sender of a request to its other party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// Where the other party was last reached or heard from. `None` if that is not known any more since the process was
    /// started anew.
    pub hop: Option<Destination>,
    /// The request's next hop is a host that the other party has named in this dialog, by Contact or Record-Route.
    pub named: bool,
    /// Stands for the other peer, where only a mark in the Route proves the dialog.
    pub(in crate::proxy) mark: Option<u32>,
    /// The peer that has begun the dialog; `None` where only a mark proves it.
    pub(in crate::proxy) caller: Option<Neighbour>,
}
