//! Where the responses to a request go (RFC 3261 §18.2.2, RFC 3581 §4).

use std::net::SocketAddr;

use super::destination::Destination;
use crate::Flow;
use crate::via::Via;

/// Where the responses to a request go, and where else if that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReplyPath {
    pub(super) to: Destination,
    /// Whether a connection may be opened: not for the connection that the request came on, but for its stand-in.
    pub(super) connect: bool,
    fallback: Option<SocketAddr>,
}

impl ReplyPath {
    /// For a request with this topmost Via.
    ///
    /// Responses go to the address that the request really came from, whatever maddr says: no third party can be
    /// made to receive them.
    pub(super) fn of(source: &Flow, via: &Via<'_>) -> Self {
        let transport = source.transport;
        let stated = SocketAddr::new(source.remote.ip(), via.port.unwrap_or(transport.default_port()));
        let mut to = Destination::from(*source);
        if !transport.is_reliable() {
            if via.params.find("rport").is_none() {
                to.remote = stated;
            }
            return Self { to, connect: true, fallback: None };
        }
        // Nobody listens where a WebSocket client says that it is (RFC 7118 §5.1).
        let fallback = Some(stated).filter(|s| *s != source.remote && !transport.is_websocket());
        Self { to, connect: false, fallback }
    }

    /// Back to where the message came from: for requests so broken that their Via can't be read.
    pub(super) fn to_source(source: &Flow) -> Self {
        Self { to: Destination::from(*source), connect: false, fallback: None }
    }

    /// For a response of which nothing more is known than that it could not be sent there: the address in its topmost
    /// Via, if that is another.
    pub(super) fn stated(to: &Destination, via: &Via<'_>) -> Option<Destination> {
        let remote = SocketAddr::new(to.remote.ip(), via.port.unwrap_or(to.transport.default_port()));
        let listens = to.transport.is_reliable() && !to.transport.is_websocket();
        (listens && remote != to.remote).then_some(Destination { remote, ..*to })
    }

    /// The connection is gone: turns to the address in Via. Returns whether there was one to turn to.
    pub(super) fn fall_back(&mut self) -> bool {
        let Some(remote) = self.fallback.take() else { return false };
        self.to.remote = remote;
        self.connect = true;
        true
    }

    /// Whether something could still be sent again after a failure.
    pub(super) fn has_fallback(&self) -> bool {
        self.fallback.is_some()
    }
}
