//! The settings that a proxy is built with.

use std::net::SocketAddr;
use std::time::Duration;

use crate::Transport;
use crate::host::HostPort;
use crate::transaction::Timers;

/// A socket that the shell has bound for the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its transport.
    pub transport: Transport,
    /// The bound address. [`crate::Flow::local`] and [`super::Destination::local`] name listeners by it.
    pub addr: SocketAddr,
    /// How neighbours reach it: written into Via, Record-Route and Path.
    pub advertised: HostPort,
}

impl Listener {
    /// A listener that neighbours reach at the address it is bound to.
    #[must_use]
    pub fn bound(transport: Transport, addr: SocketAddr) -> Self {
        Self { transport, addr, advertised: addr.into() }
    }
}

/// Settings of a [`super::Proxy`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// Every socket that messages come and go by.
    pub listeners: Vec<Listener>,
    /// Whether our connections by TLS are offered for requests in the other direction (RFC 5923 §5): only where a
    /// certificate of our own authenticates them.
    pub alias: bool,
    /// Further host names that mean this proxy in a Route or a Request-URI.
    pub hostnames: Vec<String>,
    /// The user part by which SUBSCRIBEs and what follows them are addressed to this proxy itself
    /// ([`super::RouteKind::Service`]); without one, all are sent on.
    pub service_user: Option<String>,
    /// Transaction timers.
    pub timers: Timers,
    /// How long a target may stay entirely silent before the next one is tried or, of a new call, a 503 given.
    pub failover_after: Duration,
    /// How long the shell may take to answer [`super::Output::Route`]; then the request gets a 503.
    pub route_within: Duration,
    /// How long a probe waits for its answer.
    pub probe_within: Duration,
    /// Requests being worked on, and targets being tried for them, at most. Beyond it new requests get a 503 with
    /// Retry-After, for which no state is kept. One peer gets three quarters of them.
    pub max_transactions: usize,
    /// Requests that may have made dialogs, and are held with these, at most. Beyond it, new ones get a 503. One peer
    /// gets three quarters of them.
    pub max_dialogs: usize,
    /// Seals the marks by which dialogs are recognised after a restart: the same in every life, and known to nobody
    /// else. Without one, dialogs of an earlier life are unknown.
    pub dialog_key: Option<[u8; 16]>,
    /// The Retry-After of that 503; whole seconds.
    pub retry_after: Duration,
    /// A request of more octets than this goes over TCP even if its target says UDP, when there is a TCP listener
    /// in the target's address family (RFC 3261 §18.1.1).
    pub udp_limit: usize,
    /// After a target has refused TCP, its large requests go over UDP for this long without another try.
    pub tcp_refused_for: Duration,
}

impl Settings {
    /// Ordinary settings with these listeners.
    #[must_use]
    pub fn new(listeners: Vec<Listener>) -> Self {
        Self { listeners, ..Self::default() }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listeners: Vec::new(),
            alias: false,
            hostnames: Vec::new(),
            service_user: None,
            timers: Timers::default(),
            failover_after: Duration::from_secs(4),
            route_within: Duration::from_secs(5),
            probe_within: Duration::from_secs(4),
            max_transactions: 100_000,
            max_dialogs: 100_000,
            dialog_key: None,
            retry_after: Duration::from_secs(5),
            udp_limit: 1300,
            tcp_refused_for: Duration::from_secs(600),
        }
    }
}
