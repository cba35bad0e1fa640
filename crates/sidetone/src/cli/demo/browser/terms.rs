//! What the demo and its page both know: where everything is reached, and the key that objects.

use std::net::SocketAddr;

/// The key that objects, as the announcement says that comes along.
pub(super) const OPT_OUT: char = '9';

/// Where everything of the demo is reached, all of it on this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sockets {
    /// SIP over UDP, for the agent's phone.
    pub(super) sip: SocketAddr,
    /// SIP over WebSocket with TLS,
    pub(super) secure: SocketAddr,
    /// and without.
    pub(super) plain: SocketAddr,
    /// The page.
    pub(super) page: SocketAddr,
}
