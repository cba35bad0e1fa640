//! Where a request stands: outside of any dialog, or in which one, and where that leads.

use super::bindings::Registered;
use crate::proxy::destination::Destination;
use crate::proxy::neighbours::Neighbour;

/// The standing of a request: in which dialog it is, or why in none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The request bears no tag in To: it is outside of any dialog.
    Outside {
        /// The peers that have registered its next hop with its sender.
        registered: Vec<Registered>,
    },
    /// The request bears the Call-ID and From tag of another peer's request, which isn't over.
    Taken,
    /// The request is in a dialog that is held, and its sender is a party of it.
    Within(Way),
    /// The request bears a tag in To, but its sender is party to no such dialog.
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
