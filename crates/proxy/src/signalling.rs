//! The SIP side at run time: sockets around the sans-IO core.
//!
//! The core stands behind one mutex. A task with bytes, a due timer or a DNS answer locks it, hands these in, sends the
//! output, and unlocks it. The mutex is held for microseconds and never across an await.

mod by_sip;
mod connections;
mod core;
mod lock;
mod secured;
mod streams;
mod udp;
mod websocket;

use std::collections::HashSet;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sidetone_book::Calls;
use sidetone_handover::{Inherited, doubled};
use sidetone_sip::proxy::{Destination, Output, RouteKey, RouteQuery};
use sidetone_sip::{Flow, Transport};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

pub use self::by_sip::BySip;
use self::core::Wanting;
pub use self::core::{Core, NotCarriedOn};
use self::lock::CoreLock;
pub use self::lock::{Held, HeldTimes};
use self::secured::Handshakes;
pub use self::secured::{HandshakeCounts, Secured};
use self::streams::Streams;
use self::udp::UdpSockets;
use crate::binding::cant_bind;
use crate::config::{Fault, Listen, Sip};
use crate::routing::{Candidate, Lookups, PeerName, Resolver};
use crate::tls::Tls;
use crate::trace::Tracer;
use sidetone_watch::Alarm;

/// Datagrams handled before the lock is released, at some 50 µs each: timers, TCP and other users of the core have
/// their turn in between.
const BATCH: usize = 4;
/// How long names may take before a call goes on with the addresses found so far. Less than the core's own patience.
const LOOK_UP_WITHIN: Duration = Duration::from_secs(2);

/// The running SIP side.
pub struct Signalling {
    core: CoreLock<Core>,
    /// Queues effects under the core's lock; they are carried out when that is dropped.
    calls: Arc<Calls>,
    epoch: Instant,
    udp: UdpSockets,
    streams: Streams,
    /// Bound, and not yet served.
    listeners: Mutex<Vec<(Listen, TcpListener)>>,
    /// The same, to be handed over.
    doubles: Mutex<Vec<OwnedFd>>,
    /// What takes from sockets.
    takers: Mutex<Vec<AbortHandle>>,
    /// Another process is about to have the sockets: nothing is read from them or sent any more. Changes under the
    /// core's lock.
    halted: AtomicBool,
    /// Certificates and what they are checked by; replaced by a reload.
    tls: Mutex<Option<Arc<Tls>>>,
    handshakes: Handshakes,
    alarm: Alarm,
    resolver: Mutex<Arc<Resolver>>,
    lookups: Arc<Lookups>,
    timer: Notify,
    /// Shows SIP messages to operators who trace them.
    tracer: Tracer,
}

impl Signalling {
    /// Binds every socket in the configuration, or takes it from the process before. Messages wait in the kernel's
    /// buffers until [`Self::serve`].
    ///
    /// # Errors
    /// When a socket can't be bound; the fault names it.
    pub fn bind(
        core: Core,
        alarm: Alarm,
        tracer: Tracer,
        epoch: Instant,
        inherited: &Inherited,
    ) -> Result<Arc<Self>, Fault> {
        let sip = core.config().sip.clone();
        let udp = UdpSockets::bind(&sip.listen, inherited)?;
        let tls = certificates(&sip)?;
        let mut doubles = Vec::new();
        let streams = sip.listen.iter().enumerate().filter(|(_, listen)| listen.transport.is_reliable());
        let listeners = streams.map(|(index, listen)| {
            let cant = |why| cant_bind(format!("sip.listen.{index}"), &listen.to_string(), listen.addr, &why);
            let listener = match inherited.listener(listen.addr) {
                Some(listener) => TcpListener::from_std(listener),
                None => streams::listen(listen.addr),
            };
            let listener = listener.map_err(cant)?;
            doubles.push(doubled(&listener).map_err(cant)?);
            Ok((*listen, listener))
        });
        let listeners = listeners.collect::<Result<Vec<_>, Fault>>()?;
        let resolver = Mutex::new(Arc::new(Resolver::new(&sip.nameservers)));
        Ok(Arc::new(Self {
            calls: Arc::clone(core.calls()),
            core: CoreLock::new(core),
            epoch,
            udp,
            streams: Streams::new(sip.max_connections, sip.max_connections_of_source),
            listeners: Mutex::new(listeners),
            doubles: Mutex::new(doubles),
            takers: Mutex::default(),
            halted: AtomicBool::new(false),
            tls: Mutex::new(tls),
            handshakes: Handshakes::default(),
            alarm,
            resolver,
            lookups: Arc::default(),
            timer: Notify::new(),
            tracer,
        }))
    }

    /// Starts taking calls, on the current runtime.
    pub fn serve(self: &Arc<Self>) {
        let mut takers = Vec::new();
        for number in 0..self.udp.len() {
            takers.push(self.alarm.vital("SIP over UDP", Arc::clone(self).serve_udp(number)));
        }
        let listeners = std::mem::take(&mut *self.listeners.lock().unwrap_or_else(PoisonError::into_inner));
        for (listen, listener) in listeners {
            let what = match listen.transport {
                Transport::Tls => "SIP over TLS",
                Transport::Ws | Transport::Wss => "SIP over WebSocket",
                Transport::Udp | Transport::Tcp => "SIP over TCP",
            };
            takers.push(self.alarm.vital(what, Arc::clone(self).serve_connections(listen, listener)));
        }
        takers.push(self.alarm.vital("SIP timers", Arc::clone(self).serve_timers()));
        *self.takers.lock().unwrap_or_else(PoisonError::into_inner) = takers;
        self.alarm.vital("health probes", Arc::clone(self).serve_health());
    }

    /// Time since the process's epoch, as every part of Sidetone counts it.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// The core, for control and metrics.
    pub fn core(&self) -> Held<'_, Core> {
        self.core.hold()
    }

    /// Histogram of the times that the core's lock was held.
    #[must_use]
    pub fn held_times(&self) -> HeldTimes {
        self.core.times()
    }

    /// Acts on the core, then sends its output. Effects for calls are carried out after the core's lock is dropped.
    pub fn with<R>(self: &Arc<Self>, act: impl FnOnce(&mut Core, Duration) -> R) -> R {
        let mut core = self.core();
        let now = self.now();
        let due = core.next_timeout();
        let result = act(&mut core, now);
        self.flush(&mut core, now);
        let earlier = match (core.next_timeout(), due) {
            (Some(new), Some(old)) => new < old,
            (new, None) => new.is_some(),
            (None, Some(_)) => false,
        };
        drop(core);
        self.calls.carry_out();
        if earlier {
            self.timer.notify_one();
        }
        result
    }

    /// Takes no new calls, or takes them again; returns how many are up.
    pub fn drain(&self, draining: bool) -> usize {
        let mut core = self.core();
        if core.draining() != draining {
            tracing::info!(draining, "drain");
        }
        core.drain(draining);
        core.anchor().calls()
    }

    /// Reads and sends nothing more, if calls are so that they may be left now: what comes waits for the process that
    /// takes the sockets over. The calls as they are then have been written down.
    pub fn halt_if(self: &Arc<Self>, may: impl FnOnce(&Core) -> bool) -> bool {
        let halts = self.with(|core, _| {
            let halts = may(core);
            self.halted.store(halts, Relaxed);
            halts
        });
        if !halts {
            return false;
        }
        let takers = std::mem::take(&mut *self.takers.lock().unwrap_or_else(PoisonError::into_inner));
        takers.iter().for_each(AbortHandle::abort);
        true
    }

    /// The sockets, to be handed over.
    ///
    /// # Errors
    /// When the process may open no more.
    pub fn doubled(&self) -> io::Result<Vec<OwnedFd>> {
        let mut doubles = self.udp.doubled()?;
        for listener in &*self.doubles.lock().unwrap_or_else(PoisonError::into_inner) {
            doubles.push(doubled(listener)?);
        }
        Ok(doubles)
    }

    /// New name servers, after a reload.
    pub fn set_nameservers(&self, servers: &[SocketAddr]) {
        *self.resolver.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(Resolver::new(servers));
    }

    /// Reads the certificates anew, after a reload. Connections go on as they were made; later ones meet the new
    /// certificates, and no earlier TLS session is resumed.
    ///
    /// # Errors
    /// The first fatal fault of the files; those in force stay.
    pub fn renew_certificates(&self, sip: &Sip) -> Result<(), Fault> {
        let tls = certificates(sip)?;
        *self.tls.lock().unwrap_or_else(PoisonError::into_inner) = tls;
        Ok(())
    }

    fn tls(&self) -> Option<Arc<Tls>> {
        self.tls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn resolver(&self) -> Arc<Resolver> {
        Arc::clone(&self.resolver.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes one message from the network.
    fn received(&self, core: &mut Core, now: Duration, flow: &Flow, message: Bytes) {
        // By a connection, which ends with this process.
        if self.halted.load(Relaxed) {
            return;
        }
        self.tracer.received(now, flow, &message, || core.peer(flow.remote));
        core.receive(now, flow, message);
    }

    /// The tracer of SIP messages.
    pub fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    /// Carries out the core's requests until none is left.
    fn flush(self: &Arc<Self>, core: &mut Core, now: Duration) {
        loop {
            while let Some(output) = core.poll() {
                match output {
                    Output::Send { bytes, to, connect } => {
                        self.tracer.sent(now, &to, &bytes, || core.peer(to.remote));
                        self.send(core, now, &bytes, to, connect);
                    }
                    Output::Route(query) => self.route(core, now, query),
                    Output::Probed { key, status } => core.probed(now, key, status),
                    Output::Answered { key, answer } => core.answered(now, key, answer),
                    Output::Undelivered { response, to } => core.tell_undelivered(now, response, &to),
                }
            }
            // Notifications come after the messages that they refer to: a SUBSCRIBE is answered before its NOTIFY.
            match core.next_notification(now) {
                Some(wanting) => self.tell(core, now, wanting),
                None => {
                    core.settle(now, |flow| self.secured(flow).map(|secured| secured.tls()));
                    if !core.hang_up_hopeless(now) {
                        break;
                    }
                }
            }
        }
        self.tracer.settle();
    }

    /// Notifies at once where no name has to be looked up, else after the DNS answer.
    fn tell(self: &Arc<Self>, core: &mut Core, now: Duration, wanting: Wanting) {
        let Wanting { id, pbx, hop } = wanting;
        if let Some(place) = Resolver::literal(&hop) {
            return core.notification_located(now, id, &pbx, &[place]);
        }
        let (this, resolver) = (Arc::clone(self), self.resolver());
        self.alarm.watch("a look-up", async move {
            let found = this.lookups.locate(&resolver, &hop, Some(&pbx));
            let found = tokio::time::timeout(LOOK_UP_WITHIN, found).await;
            let places = found.unwrap_or_default();
            this.with(|core, now| core.notification_located(now, id, &pbx, &places));
        });
    }

    fn send(self: &Arc<Self>, core: &mut Core, now: Duration, bytes: &Bytes, to: Destination, connect: bool) {
        if self.halted.load(Relaxed) {
            return;
        }
        match to.transport {
            Transport::Udp => {
                if self.udp.send(bytes, &to).is_err() {
                    core.send_failed(now, &to);
                }
            }
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => {
                self.send_stream(core, now, bytes, to, connect);
            }
        }
    }

    /// Answers at once where no name has to be looked up, else after the DNS answer.
    fn route(self: &Arc<Self>, core: &mut Core, now: Duration, query: RouteQuery) {
        let key = query.key;
        let source = query.source.remote;
        let candidates = match core.route(now, query) {
            Ok(candidates) => candidates,
            Err(decision) => return core.decide(now, key, decision),
        };
        if candidates.iter().all(|candidate| Resolver::literal(&candidate.address).is_some()) {
            let located = candidates
                .into_iter()
                .filter_map(|candidate| Some((Resolver::literal(&candidate.address)?, candidate)))
                .collect();
            return core.located(now, key, located);
        }
        let waiting = core.asker(source).and_then(|peer| Some((self.lookups.wait(&peer.1)?, peer)));
        let Some((waiting, peer)) = waiting else {
            let decision = core.too_many_lookups();
            return core.decide(now, key, decision);
        };
        let this = Arc::clone(self);
        self.alarm.watch("a look-up", async move {
            this.look_up(key, candidates, peer).await;
            drop(waiting);
        });
    }

    /// Look-ups and requests that found no room.
    #[must_use]
    pub fn lookups_refused(&self) -> u64 {
        self.lookups.refused()
    }

    async fn look_up(self: Arc<Self>, key: RouteKey, candidates: Vec<Candidate>, peer: PeerName) {
        let resolver = self.resolver();
        // In parallel, in order, and against one deadline: a dead name must not hold up a live one behind it.
        let deadline = tokio::time::Instant::now() + LOOK_UP_WITHIN;
        let lookups: Vec<_> = candidates
            .into_iter()
            .map(|candidate| {
                let (resolver, lookups) = (Arc::clone(&resolver), Arc::clone(&self.lookups));
                let address = candidate.address.clone();
                // A configured name's look-up is charged to no peer; a name in a request is charged to the request's
                // peer.
                let asker = candidate.peer.is_none().then(|| Arc::clone(&peer.1));
                let lookup = async move { lookups.locate(&resolver, &address, asker.as_deref()).await };
                (tokio::spawn(lookup), candidate)
            })
            .collect();
        let mut located = Vec::new();
        for (lookup, candidate) in lookups {
            let places = tokio::time::timeout_at(deadline, lookup).await;
            for place in places.ok().and_then(Result::ok).unwrap_or_default() {
                located.push((place, candidate.clone()));
            }
        }
        self.with(|core, now| core.located(now, key, located));
    }

    async fn serve_udp(self: Arc<Self>, number: usize) {
        let Some((local, socket)) = self.udp.get(number) else { return };
        let mut buffer = vec![0_u8; 65_536];
        loop {
            if socket.readable().await.is_err() {
                continue;
            }
            self.with(|core, now| {
                for _ in 0..BATCH {
                    if self.halted.load(Relaxed) {
                        break;
                    }
                    let (length, remote) = match socket.try_recv_from(&mut buffer) {
                        Ok(received) => received,
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        // An ICMP error for something sent earlier: retransmission or a timer deals with it.
                        Err(_) => continue,
                    };
                    let datagram = buffer.get(..length).unwrap_or_default();
                    // Keep-alives: CRLF pairs (RFC 5626 §3.5.1), or a few NULs as some phones send.
                    if datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
                        continue;
                    }
                    let flow = Flow { transport: Transport::Udp, local, remote };
                    self.received(core, now, &flow, Bytes::copy_from_slice(datagram));
                    self.flush(core, now);
                }
            });
            // Other tasks of the runtime need their turn: a flood keeps this socket readable for ever.
            tokio::task::yield_now().await;
        }
    }
    async fn serve_timers(self: Arc<Self>) {
        loop {
            let due = self.core().next_timeout();
            let wait = due.map_or(Duration::from_secs(3_600), |due| due.saturating_sub(self.now()));
            tokio::select! {
                () = tokio::time::sleep(wait) => self.with(Core::timeout),
                () = self.timer.notified() => {}
            }
        }
    }

    async fn serve_health(self: Arc<Self>) {
        loop {
            let (interval, hosts) = {
                let core = self.core();
                (Duration::from(core.config().health.options_interval), core.hosts())
            };
            if interval.is_zero() {
                // A reload may turn probing on.
                tokio::time::sleep(Duration::from_secs(5)).await;
                continue;
            }
            let resolver = self.resolver();
            let lookups: Vec<_> = hosts
                .into_iter()
                .map(|(peer, address)| {
                    let (resolver, host) = (Arc::clone(&resolver), address.clone());
                    (peer, host, tokio::spawn(async move { resolver.locate(&address).await }))
                })
                .collect();
            let mut seen = HashSet::new();
            for (peer, host, lookup) in lookups {
                let places = lookup.await.unwrap_or_default();
                seen.extend(places.iter().copied());
                self.with(|core, now| {
                    for place in places {
                        core.probe(now, peer, &host, place);
                    }
                });
            }
            self.core().probed_round(&seen);
            tokio::time::sleep(interval).await;
        }
    }
}

/// The certificates of `[sip.tls]`, if there are any.
fn certificates(sip: &Sip) -> Result<Option<Arc<Tls>>, Fault> {
    let Some(config) = &sip.tls else { return Ok(None) };
    match Tls::load(config) {
        Ok((tls, _)) => Ok(Some(Arc::new(tls))),
        Err(faults) => {
            let first = faults.into_iter().find(|fault| fault.fatal);
            Err(first.unwrap_or_else(|| Fault::fatal("sip.tls", "can't be used")))
        }
    }
}
