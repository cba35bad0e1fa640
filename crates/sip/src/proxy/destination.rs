//! Where a message is sent.

use std::net::SocketAddr;

use crate::{Flow, Transport};

/// Where a message is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Destination {
    /// By what.
    pub transport: Transport,
    /// The listener to send from. For a connection: the listener that the connection to `remote` was accepted on, or
    /// that a new connection shall belong to.
    pub local: SocketAddr,
    /// To where. With `local`, it names a connection.
    pub remote: SocketAddr,
}

impl From<Flow> for Destination {
    /// Back where it came from.
    fn from(flow: Flow) -> Self {
        Self { transport: flow.transport, local: flow.local, remote: flow.remote }
    }
}
