//! TLS handshakes of SIP connections: bounded in time, checked, counted.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use rustls::{CommonState, HandshakeKind, ProtocolVersion};
use sidetone_events::{Tls, TlsVersion};
use sidetone_sip::Transport;
use sidetone_sip::websocket::Refusal;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use super::Signalling;
use super::streams::HANDSHAKE_PATIENCE;
use crate::tls::{Failure, identities, identity};

/// What TLS has agreed on for a connection, and whom the peer's certificate names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secured {
    /// The version of the protocol.
    pub version: TlsVersion,
    /// The cipher suite, by its name in IANA's registry.
    pub cipher: String,
    /// The SIP domains that the peer's certificate speaks for; `None` if it has shown no certificate.
    pub names: Option<Vec<String>>,
}

impl Secured {
    /// Whether the peer's certificate speaks for that domain.
    pub(super) fn speaks_for(&self, domain: &str) -> bool {
        self.names.iter().flatten().any(|name| name.eq_ignore_ascii_case(domain))
    }

    /// The same for events and views of calls.
    pub(super) fn tls(&self) -> Tls {
        Tls { version: self.version, cipher: self.cipher.clone() }
    }

    fn of(state: &CommonState) -> Self {
        let version = match state.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => TlsVersion::V1_3,
            _ => TlsVersion::V1_2,
        };
        let cipher = state.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
        // rustls marks the suites of TLS 1.3, which IANA does not.
        let cipher = cipher.unwrap_or_default().replacen("TLS13_", "TLS_", 1);
        let names = state.peer_certificates().and_then(|chain| chain.first()).map(identities);
        Self { version, cipher, names }
    }
}

/// Who began a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Server,
    Client,
}

/// Counters of handshakes.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    server: Outcomes,
    client: Outcomes,
    /// WebSockets opened.
    opened: AtomicU64,
    /// Opening handshakes refused, in the order of [`Refusal::ALL`].
    refused: [AtomicU64; Refusal::ALL.len()],
    /// Opening handshakes that were not complete in time, or whose client left.
    unfinished: AtomicU64,
}

#[derive(Debug, Default)]
struct Outcomes {
    tls12: AtomicU64,
    tls13: AtomicU64,
    resumed: AtomicU64,
    /// In the order of [`Failure::ALL`].
    failed: [AtomicU64; Failure::ALL.len()],
}

/// Numbers of handshakes, for metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HandshakeCounts {
    /// TLS handshakes that succeeded: `server` or `client`, the version, the number.
    pub done: Vec<(&'static str, &'static str, u64)>,
    /// Those among them that resumed an earlier session.
    pub resumed: u64,
    /// TLS handshakes that failed: `server` or `client`, the reason, the number.
    pub failed: Vec<(&'static str, &'static str, u64)>,
    /// Opening handshakes of WebSocket: the outcome, the number.
    pub websocket: Vec<(&'static str, u64)>,
}

impl Handshakes {
    const fn of(&self, role: Role) -> &Outcomes {
        match role {
            Role::Server => &self.server,
            Role::Client => &self.client,
        }
    }

    fn done(&self, role: Role, secured: &Secured, state: &CommonState) {
        let of = self.of(role);
        let version = if secured.version == TlsVersion::V1_3 { &of.tls13 } else { &of.tls12 };
        version.fetch_add(1, Relaxed);
        if state.handshake_kind() == Some(HandshakeKind::Resumed) {
            of.resumed.fetch_add(1, Relaxed);
        }
    }

    fn failed(&self, role: Role, why: Failure) {
        let index = Failure::ALL.iter().position(|known| *known == why);
        if let Some(count) = index.and_then(|index| self.of(role).failed.get(index)) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// An opening handshake of WebSocket has succeeded, was refused, or came to nothing.
    pub(super) fn opening(&self, outcome: Result<(), Option<Refusal>>) {
        let count = match outcome {
            Ok(()) => Some(&self.opened),
            Err(None) => Some(&self.unfinished),
            Err(Some(refusal)) => {
                let index = Refusal::ALL.iter().position(|known| *known == refusal);
                index.and_then(|index| self.refused.get(index))
            }
        };
        if let Some(count) = count {
            count.fetch_add(1, Relaxed);
        }
    }

    fn counts(&self) -> HandshakeCounts {
        let mut counts = HandshakeCounts::default();
        for (role, of) in [("server", &self.server), ("client", &self.client)] {
            counts.done.push((role, "1.2", of.tls12.load(Relaxed)));
            counts.done.push((role, "1.3", of.tls13.load(Relaxed)));
            counts.resumed += of.resumed.load(Relaxed);
            let failed = Failure::ALL.iter().zip(&of.failed);
            counts.failed.extend(failed.map(|(why, count)| (role, why.as_str(), count.load(Relaxed))));
        }
        counts.websocket.push(("opened", self.opened.load(Relaxed)));
        counts.websocket.push(("unfinished", self.unfinished.load(Relaxed)));
        let refused = Refusal::ALL.iter().zip(&self.refused);
        counts.websocket.extend(refused.map(|(why, count)| (why.as_str(), count.load(Relaxed))));
        counts
    }
}

impl Signalling {
    /// Numbers of handshakes since the start.
    #[must_use]
    pub fn handshakes(&self) -> HandshakeCounts {
        self.handshakes.counts()
    }

    /// A handshake that had succeeded is not enough: the certificate is another's, or missing.
    pub(super) fn not_certified(&self, why: Failure) {
        self.handshakes.failed(Role::Server, why);
    }

    /// A connection that could not be begun, since nobody could say who should answer.
    pub(super) fn no_identity(&self) {
        self.handshakes.failed(Role::Client, Failure::NoIdentity);
    }

    /// The handshake on a connection that a client has made.
    ///
    /// # Errors
    /// The reason, which has been counted. The client was told by an alert where the protocol has one.
    pub(super) async fn accept_tls(
        &self,
        stream: TcpStream,
        transport: Transport,
    ) -> Result<(server::TlsStream<TcpStream>, Secured), Failure> {
        let Some(tls) = self.tls() else { return Err(Failure::Other) };
        let config = if transport == Transport::Tls { &tls.peers } else { &tls.browsers };
        let accepted = timeout(HANDSHAKE_PATIENCE, TlsAcceptor::from(Arc::clone(config)).accept(stream));
        let stream = match accepted.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(self.fail(Role::Server, Failure::of(&error))),
            Err(_) => return Err(self.fail(Role::Server, Failure::Slow)),
        };
        let state = stream.get_ref().1;
        let secured = Secured::of(state);
        self.handshakes.done(Role::Server, &secured, state);
        Ok((stream, secured))
    }

    /// The handshake on a connection of our own, to a server that has to be `host`.
    ///
    /// # Errors
    /// The reason, which has been counted.
    pub(super) async fn connect_tls(
        &self,
        stream: TcpStream,
        host: &str,
    ) -> Result<(client::TlsStream<TcpStream>, Secured), Failure> {
        let Some(tls) = self.tls() else { return Err(Failure::Other) };
        let Some(name) = identity(host) else { return Err(self.fail(Role::Client, Failure::NoIdentity)) };
        let connector = TlsConnector::from(Arc::clone(&tls.client));
        let stream = match timeout(HANDSHAKE_PATIENCE, connector.connect(name, stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(self.fail(Role::Client, Failure::of(&error))),
            Err(_) => return Err(self.fail(Role::Client, Failure::Slow)),
        };
        let state = stream.get_ref().1;
        let secured = Secured::of(state);
        self.handshakes.done(Role::Client, &secured, state);
        Ok((stream, secured))
    }

    fn fail(&self, role: Role, why: Failure) -> Failure {
        self.handshakes.failed(role, why);
        why
    }
}
