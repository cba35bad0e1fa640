//! One relayed stream, without its sockets: from a packet and its source to its destination.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sidetone_announce::{Playback, Voice};
use sidetone_call::{EndPlan, MediaKind, Side, StreamPlan, Untappable};
use sidetone_rtp::header::{RtpMut, RtpView};
use sidetone_rtp::latch::{Latch, Policy, Senders};
use sidetone_rtp::splice::{Content, Settled, Verdict};
use sidetone_rtp::stats::StreamStats;
use sidetone_rtp::{PacketKind, classify};

use super::kept::{Bearings, EndKept, StreamKept};
use super::link::Link;
use super::protection::{Change, Changes, Guard, LinkChange};
use super::report::{EndReport, StreamReport};
use super::voiceover::{PlayId, Spoken, Voiceover};

/// One of a stream's two ports on a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Component {
    Rtp,
    Rtcp,
}

/// A packet from the latched source of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Admitted {
    kind: PacketKind,
    component: Component,
    /// Whether the packet may be sound, so that the worker gets a copy. True also for unparsable packets: the worker
    /// reports that they can't be heard.
    pub(super) audio: bool,
}

/// The fate of a packet that was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Send it from the other side's port `via` to `to`.
    Forward { via: Component, to: SocketAddr },
    /// An announcement takes the packet's place.
    Held,
    /// No destination is known.
    Undeliverable,
}

/// How the RTP of a party passes from now on, until something happens: what the kernel may do by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heading {
    /// Whose packets.
    pub(super) source: SocketAddr,
    pub(super) ssrc: u32,
    /// Payload types that are not for the kernel, a bit each: key presses, and what may be RTCP.
    pub(super) up: u128,
    pub(super) to: SocketAddr,
    pub(super) leaves: Settled,
}

/// Payload types that RTCP would seem to have (RFC 5761 §4).
const LIKE_RTCP: u128 = 0xffff_ffff << 64;

/// A stream between two parties.
#[derive(Debug)]
pub(super) struct Relay {
    trunk: End,
    pbx: End,
    /// Whether the payload is RTP that can be read; otherwise any packet from a permitted source may latch.
    readable: bool,
}

#[derive(Debug)]
struct End {
    rtp: Latch,
    rtcp: Latch,
    mux: bool,
    stats: StreamStats,
    clock_rates: [u32; 128],
    /// Payload types of this party's telephone-events, a bit each.
    events: u128,
    /// Whether this party wants media at all.
    receives: bool,
    /// Announcements toward this party.
    voiceover: Voiceover,
    guard: Guard,
    /// What leads to the keys of a handshake.
    link: Option<Box<Link>>,
    /// Its checks have stopped: it no longer consents to being sent media (RFC 7675 §5.1).
    lapsed: bool,
    octets: u64,
    rtcp_packets: u64,
    rejected: u64,
    rejected_from: Option<IpAddr>,
    undeliverable: u64,
    unheard: u64,
    last_heard: Option<Duration>,
    /// Packets of this party that the kernel forwarded, and those of them of which nothing else is known.
    by_kernel: u64,
    untold: u64,
}

impl End {
    fn new(policy: Policy, seed: u64) -> Self {
        Self {
            rtp: Latch::new(policy).unannounced(),
            rtcp: Latch::rtcp(policy).unannounced(),
            mux: false,
            stats: StreamStats::new(),
            clock_rates: [8_000; 128],
            events: 0,
            receives: true,
            voiceover: Voiceover::new(seed),
            guard: Guard::default(),
            link: None,
            lapsed: false,
            octets: 0,
            rtcp_packets: 0,
            rejected: 0,
            rejected_from: None,
            undeliverable: 0,
            unheard: 0,
            last_heard: None,
            by_kernel: 0,
            untold: 0,
        }
    }

    /// Takes this party's description of its media. The party knows our port once the `other` party's description has
    /// passed on to it: that is the message with our port.
    fn expect(&mut self, plan: &EndPlan, other: &EndPlan) {
        if other.signalled_from.is_some() {
            self.rtp.announce();
            self.rtcp.announce();
        }
        match self.link.as_ref().filter(|link| link.does_ice()) {
            // Its checks say where it is, and its description doesn't.
            Some(link) => self.settle(link.nominated()),
            None => {
                self.rtp.expect(plan.remote_rtp, plan.signalled_from);
                self.rtcp.expect(plan.remote_rtcp.or(plan.remote_rtp), plan.signalled_from);
            }
        }
        self.mux = plan.mux;
        self.receives = plan.direction.receives();
    }

    /// Whether media of our own would arrive at this party, and be understood there.
    fn is_audience(&self) -> bool {
        self.receives && !self.lapsed && !self.guard.is_awaiting() && self.rtp.target().is_some()
    }

    /// The way to this party, or the keys, may have come or gone: an announcement waits for them.
    fn address(&mut self, now: Duration) {
        let reachable = self.is_audience();
        self.voiceover.reachable(now, reachable);
    }

    /// ICE has found the party there, or nowhere yet.
    fn settle(&mut self, at: Option<SocketAddr>) {
        if at.is_some() {
            self.rtp.announce();
            self.rtcp.announce();
        }
        self.rtp.expect(at, at.map(|at| at.ip()));
        self.rtcp.expect(at, at.map(|at| at.ip()));
    }

    /// Takes what the control side has derived from the descriptions.
    fn change(&mut self, change: Change) {
        match change {
            Change::Handshake(LinkChange::Begin(number, agent)) => {
                self.guard.await_keys();
                self.lapsed = false;
                self.link = Some(Box::new(Link::new(number, agent)));
            }
            Change::Handshake(LinkChange::Restart(ours, theirs)) => {
                if let Some(link) = self.link.as_deref_mut() {
                    link.restart(&ours, &theirs);
                }
            }
            Change::Same => {}
            other => {
                (self.link, self.lapsed) = (None, false);
                self.guard.change(other);
            }
        }
    }

    /// The receiver's SDP defines the payload types (RFC 3264 §5.1).
    fn clocks_from(&mut self, receiver: &EndPlan) {
        self.events = 0;
        for format in &receiver.formats {
            if format.encoding.eq_ignore_ascii_case("telephone-event") {
                self.events |= 1_u128.checked_shl(format.payload_type.into()).unwrap_or(0);
            }
            if let Some(rate) = self.clock_rates.get_mut(usize::from(format.payload_type)) {
                *rate = format.clock_rate;
            }
        }
    }

    /// Clock rate of a packet's timestamp, in Hz.
    fn clock(&self, packet: &RtpView<'_>) -> u32 {
        self.clock_rates.get(usize::from(packet.payload_type())).copied().unwrap_or(8_000)
    }

    /// Fits a packet of this party in with the announcement toward the other party.
    fn fit(&self, toward: &mut Voiceover, now: Duration, packet: &RtpView<'_>, clock: u32) -> Verdict {
        let event = self.events.checked_shr(packet.payload_type().into()).unwrap_or(0) & 1 == 1;
        let content = if event { Content::Event } else { Content::Sound };
        let verdict = toward.splice.forward(now, packet, clock, content);
        if verdict == Verdict::Held {
            toward.held(packet.payload_type(), packet.payload());
        }
        verdict
    }

    /// The destination of packets for this party.
    fn target(&self, component: Component) -> Option<(Component, SocketAddr)> {
        match component {
            _ if self.lapsed => None,
            Component::Rtcp if !self.mux => self.rtcp.target().map(|to| (Component::Rtcp, to)),
            _ => self.rtp.target().map(|to| (Component::Rtp, to)),
        }
    }

    fn keep(&self) -> EndKept {
        EndKept {
            rtp: self.rtp.clone(),
            rtcp: self.rtcp.clone(),
            stats: self.stats.clone(),
            splice: self.voiceover.splice.clone(),
            octets: self.octets,
            rtcp_packets: self.rtcp_packets,
            rejected: self.rejected,
            undeliverable: self.undeliverable,
            unheard: self.unheard,
            last_heard: self.last_heard,
            by_kernel: self.by_kernel,
            untold: self.untold,
            // Keys of a handshake are not kept: it could not go on.
            guard: if self.link.is_none() { self.guard.keep() } else { None },
        }
    }

    fn resume(&mut self, now: Duration, kept: EndKept) {
        (self.rtp, self.rtcp, self.stats) = (kept.rtp, kept.rtcp, kept.stats);
        self.voiceover.splice = kept.splice;
        self.voiceover.splice.resume(now);
        self.stats.resume();
        self.octets = kept.octets;
        self.rtcp_packets = kept.rtcp_packets;
        self.rejected = kept.rejected;
        self.undeliverable = kept.undeliverable;
        self.unheard = kept.unheard;
        self.last_heard = kept.last_heard;
        (self.by_kernel, self.untold) = (kept.by_kernel, kept.untold);
        if let Some(guard) = kept.guard {
            self.guard.resume(guard);
        }
        self.address(now);
    }

    fn report(&self) -> EndReport {
        let seen = self.stats.snapshot();
        EndReport {
            packets: seen.packets + self.untold,
            octets: self.octets,
            // What was untold is missing in the sequence as if it had been lost.
            lost: seen.lost.saturating_sub(self.untold),
            duplicates: seen.duplicates,
            reordered: seen.reordered,
            jitter_ms: seen.jitter_ms,
            rtcp_packets: self.rtcp_packets,
            rejected: self.rejected,
            rejected_from: self.rejected_from,
            unauthentic: self.guard.unauthentic,
            replayed: self.guard.replayed,
            suite: self.guard.suite(),
            undeliverable: self.undeliverable,
            payload_type: seen.payload_type,
            last_heard: self.last_heard,
            unheard: self.unheard,
            by_kernel: self.by_kernel,
        }
    }
}

#[cfg(test)]
impl Relay {
    /// Contexts of the party's keys and of ours on a side.
    pub(super) fn contexts_held(&self, side: Side) -> (usize, usize) {
        let end = if side == Side::Trunk { &self.trunk } else { &self.pbx };
        end.guard.contexts_held()
    }
}

impl Relay {
    /// A stream in its initial state. `seed` should be unpredictable: if an announcement begins a stream, SSRC,
    /// sequence number and timestamp follow from it.
    pub(super) fn new(policy: Policy, seed: u64) -> Self {
        Self { trunk: End::new(policy, seed), pbx: End::new(policy, !seed), readable: true }
    }

    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Trunk => &mut self.trunk,
            Side::Pbx => &mut self.pbx,
        }
    }

    /// Warns of the senders in the port's previous call.
    pub(super) fn beware(&mut self, side: Side, component: Component, of: &Senders) {
        self.latch(side, component).beware(of);
    }

    /// The senders to a port.
    pub(super) fn senders(&mut self, side: Side, component: Component) -> Senders {
        self.latch(side, component).senders()
    }

    fn latch(&mut self, side: Side, component: Component) -> &mut Latch {
        let end = self.end(side);
        match component {
            Component::Rtp => &mut end.rtp,
            Component::Rtcp => &mut end.rtcp,
        }
    }

    /// Takes what SDP has agreed on.
    pub(super) fn plan(&mut self, now: Duration, plan: &StreamPlan) {
        self.readable = plan.kind == MediaKind::Audio
            && !matches!(plan.tappable, Err(Untappable::Dtls | Untappable::Fax));
        self.trunk.expect(&plan.trunk, &plan.pbx);
        self.pbx.expect(&plan.pbx, &plan.trunk);
        self.trunk.clocks_from(&plan.pbx);
        self.pbx.clocks_from(&plan.trunk);
        self.trunk.address(now);
        self.pbx.address(now);
    }

    /// Takes the keys of ends whose SRTP ends here.
    pub(super) fn guard(&mut self, changes: Changes) {
        self.trunk.change(changes.trunk);
        self.pbx.change(changes.pbx);
    }

    /// Takes the keys that the call's handshake with this number has given for the end of the party on `side`, or that
    /// there are none any more. Those of one that is not in force any more come too late.
    pub(super) fn keyed(&mut self, now: Duration, side: Side, number: u64, change: Change) {
        let end = self.end(side);
        if end.link.as_ref().is_some_and(|link| link.number() == number) {
            end.guard.change(change);
            end.address(now);
        }
    }

    /// What leads to a handshake with the party on `side`, if there is to be one.
    pub(super) fn link(&mut self, side: Side) -> Option<&mut Link> {
        self.end(side).link.as_deref_mut()
    }

    /// ICE has found the party on `side` there.
    pub(super) fn settle(&mut self, now: Duration, side: Side, at: SocketAddr) {
        let end = self.end(side);
        end.settle(Some(at));
        end.lapsed = false;
        end.address(now);
    }

    /// Another second has passed.
    pub(super) fn age(&mut self) {
        self.trunk.guard.age();
        self.pbx.guard.age();
    }

    /// The checks of the party on `side` have stopped, or go on. Nothing is sent to it meanwhile.
    pub(super) fn lapse(&mut self, now: Duration, side: Side, lapsed: bool) {
        let end = self.end(side);
        end.lapsed = lapsed;
        end.address(now);
    }

    /// Whether a party may send from there that does no ICE.
    pub(super) fn permits(&mut self, side: Side, source: SocketAddr) -> bool {
        self.end(side).rtp.permits(source)
    }

    /// Unprotects a packet of the party on `side` in place, and gives its new length; `None` if it is to be dropped.
    /// Comes before [`Self::admit`]: only an authentic packet teaches an address.
    pub(super) fn unprotect(&mut self, side: Side, packet: &mut [u8]) -> Option<usize> {
        let end = self.end(side);
        if !end.guard.is_up() {
            return Some(packet.len());
        }
        let kind = classify(packet);
        // These lead to the keys, and are not protected by them.
        if end.link.is_some() && matches!(kind, PacketKind::Stun | PacketKind::Dtls) {
            return None;
        }
        end.guard.unprotect(kind, packet)
    }

    /// Protects a packet for the party on `side` in place, and gives its new length; `None` if it can't be.
    pub(super) fn protect(&mut self, side: Side, buffer: &mut [u8], length: usize) -> Option<usize> {
        let guard = &mut self.end(side).guard;
        if guard.is_up() {
            let kind = classify(buffer.get(..length)?);
            guard.protect(kind, buffer, length)
        } else {
            Some(length)
        }
    }

    /// Begins an announcement toward a party; returns the one that it replaces, and how much of that was played.
    pub(super) fn play(
        &mut self,
        now: Duration,
        toward: Side,
        id: PlayId,
        playback: Playback,
    ) -> Option<(PlayId, Duration)> {
        let end = self.end(toward);
        let before = end.voiceover.play(now, id, playback);
        end.address(now);
        before
    }

    /// Stops the announcement `id`, or any that plays; returns how much of it was played.
    pub(super) fn stop(&mut self, toward: Side, id: Option<PlayId>) -> Option<(PlayId, Duration)> {
        self.end(toward).voiceover.stop(id)
    }

    /// Other formats for the announcement that plays.
    pub(super) fn revoice(&mut self, toward: Side, voices: Vec<Voice>) {
        self.end(toward).voiceover.revoice(voices);
    }

    /// When the next packet of an announcement is due.
    pub(super) fn due(&self, toward: Side) -> Option<Duration> {
        match toward {
            Side::Trunk => self.trunk.voiceover.due(),
            Side::Pbx => self.pbx.voiceover.due(),
        }
    }

    /// Writes the next packet of an announcement, and returns its destination.
    pub(super) fn speak(
        &mut self,
        now: Duration,
        toward: Side,
        packet: &mut Vec<u8>,
    ) -> (Spoken, Option<SocketAddr>) {
        let source = self.end(toward.other()).stats.snapshot().payload_type;
        let end = self.end(toward);
        let to = end.rtp.target();
        match to.filter(|_| end.is_audience()) {
            Some(to) => {
                let spoken = end.voiceover.speak(now, source, packet);
                let sent = !matches!(spoken, Spoken::Packet { .. }) || end.guard.protect_alone(packet);
                (spoken, Some(to).filter(|_| sent))
            }
            None => {
                end.voiceover.reachable(now, false);
                (Spoken::Nothing, None)
            }
        }
    }

    /// The two ends, that of the party on `side` first.
    fn ends(&mut self, side: Side) -> (&mut End, &mut End) {
        match side {
            Side::Trunk => (&mut self.trunk, &mut self.pbx),
            Side::Pbx => (&mut self.pbx, &mut self.trunk),
        }
    }

    /// Judges a packet from the party on `side`, received on that side's port `component`, and counts it. `None` if its
    /// source is not allowed.
    pub(super) fn admit(
        &mut self,
        now: Duration,
        side: Side,
        component: Component,
        source: SocketAddr,
        packet: &[u8],
    ) -> Option<Admitted> {
        let readable = self.readable;
        let (from, _) = self.ends(side);
        let kind = classify(packet);
        let latch = match component {
            Component::Rtp => &mut from.rtp,
            Component::Rtcp => &mut from.rtcp,
        };
        // Only media may teach an address; a stray datagram from the right host must not move a stream.
        let teaches = match component {
            Component::Rtp => kind == PacketKind::Rtp || !readable,
            Component::Rtcp => kind == PacketKind::Rtcp || !readable,
        };
        let known = if teaches {
            latch.accept_stream(now, source, ssrc(kind, packet)).is_accepted()
        } else {
            latch.source() == Some(source) || latch.target() == Some(source)
        };
        if !known {
            from.rejected += 1;
            from.rejected_from = Some(source.ip());
            return None;
        }
        let rtp = component == Component::Rtp && kind == PacketKind::Rtp;
        if rtp || !readable {
            from.last_heard = Some(now);
            from.octets += packet.len() as u64;
        }
        let audio = rtp && readable;
        if audio && let Ok(view) = RtpView::parse(packet) {
            let clock = from.clock(&view);
            from.stats.receive(now, &view, clock);
        } else if kind == PacketKind::Rtcp {
            from.rtcp_packets += 1;
        }
        Some(Admitted { kind, component, audio })
    }

    /// Fits an admitted packet in with the announcement toward the other party, and returns its destination. The
    /// packet's header may change, so copies of it are made before.
    pub(super) fn splice(&mut self, now: Duration, side: Side, of: Admitted, packet: &mut [u8]) -> Outcome {
        let readable = self.readable;
        let (from, toward) = self.ends(side);
        if of.audio {
            if let Ok(view) = RtpView::parse(packet) {
                let clock = from.clock(&view);
                match from.fit(&mut toward.voiceover, now, &view, clock) {
                    Verdict::AsItIs => {}
                    Verdict::Held => return Outcome::Held,
                    Verdict::As(stamp) => {
                        if let Ok(mut header) = RtpMut::parse(packet) {
                            header.set_ssrc(stamp.ssrc);
                            header.set_sequence(stamp.sequence);
                            header.set_timestamp(stamp.timestamp);
                            header.set_marker(stamp.marker);
                        }
                    }
                }
            }
        } else if of.kind == PacketKind::Rtcp && readable {
            from.voiceover.splice.from_listener(packet);
            if !toward.voiceover.splice.from_source(now, packet) {
                return Outcome::Held;
            }
        }
        let component = if of.kind == PacketKind::Rtcp && readable { Component::Rtcp } else { of.component };
        match toward.target(component) {
            Some((via, to)) => Outcome::Forward { via, to },
            None => {
                from.undeliverable += 1;
                Outcome::Undeliverable
            }
        }
    }

    /// How the RTP of the party on `side` passes, if the kernel can do it: speech in the clear both ways, from a
    /// settled source to a known place, with nothing of ours in between.
    pub(super) fn heading(&mut self, side: Side) -> Option<Heading> {
        if !self.readable {
            return None;
        }
        let (from, toward) = self.ends(side);
        let plain = |end: &End| !end.guard.is_up() && end.link.is_none() && !end.lapsed;
        if !plain(from) || !plain(toward) {
            return None;
        }
        let sender = from.rtp.settled()?;
        let ssrc = sender.ssrc?;
        let leaves = toward.voiceover.settled(ssrc)?;
        let to = toward.rtp.target()?;
        Some(Heading { source: sender.address, ssrc, up: from.events | LIKE_RTCP, to, leaves })
    }

    /// The kernel has forwarded a packet from `side`; or so many of which it can tell nothing else.
    pub(super) fn by_kernel(&mut self, side: Side, packets: u64, untold: u64) {
        let end = self.end(side);
        end.by_kernel += packets;
        end.untold += untold;
    }

    /// A copy of a packet from `side` found no room.
    pub(super) fn unheard(&mut self, side: Side) {
        match side {
            Side::Trunk => self.trunk.unheard += 1,
            Side::Pbx => self.pbx.unheard += 1,
        }
    }

    /// Where packets come from and go to, and how they are numbered.
    pub(super) fn bearings(&self) -> Bearings {
        let of = |end: &End| {
            (end.rtp.target(), end.rtcp.target(), end.voiceover.splice.bearing(), end.guard.turn())
        };
        (of(&self.trunk), of(&self.pbx))
    }

    /// Whether it is told every second, for numbers that must not be used twice.
    pub(super) fn is_counted_closely(&self) -> bool {
        self.trunk.guard.is_up() || self.pbx.guard.is_up()
    }

    /// What another process needs to carry the stream on.
    pub(super) fn keep(&self, stream: usize) -> StreamKept {
        StreamKept { stream, trunk: self.trunk.keep(), pbx: self.pbx.keep() }
    }

    /// Goes on as the stream was in an earlier process, under the plan that it has.
    pub(super) fn resume(&mut self, now: Duration, kept: StreamKept) {
        self.trunk.resume(now, kept.trunk);
        self.pbx.resume(now, kept.pbx);
    }

    pub(super) fn report(&self, stream: usize) -> StreamReport {
        StreamReport { stream, trunk: self.trunk.report(), pbx: self.pbx.report() }
    }
}

/// The SSRC of RTP, or the sender's SSRC of RTCP.
fn ssrc(kind: PacketKind, packet: &[u8]) -> Option<u32> {
    let at = match kind {
        PacketKind::Rtp => 8..12,
        PacketKind::Rtcp => 4..8,
        _ => return None,
    };
    packet.get(at)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use sidetone_call::Direction;
    use sidetone_rtp::header::RtpHeader;

    use super::*;

    /// The result for a packet.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Passed {
        Forward { via: Component, to: SocketAddr, audio: bool },
        Held,
        Undeliverable,
        Rejected,
    }

    impl Relay {
        /// In the relay thread's order: admit, splice, send.
        fn packet(
            &mut self,
            now: Duration,
            side: Side,
            component: Component,
            source: SocketAddr,
            packet: &mut [u8],
        ) -> Passed {
            let Some(admitted) = self.admit(now, side, component, source, packet) else {
                return Passed::Rejected;
            };
            match self.splice(now, side, admitted, packet) {
                Outcome::Forward { via, to } => Passed::Forward { via, to, audio: admitted.audio },
                Outcome::Held => Passed::Held,
                Outcome::Undeliverable => Passed::Undeliverable,
            }
        }
    }

    const CARRIER: &str = "192.0.2.1:4000";
    const PBX: &str = "198.51.100.1:6000";
    const ATTACKER: &str = "203.0.113.9:4000";

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn end(address: &str, mux: bool) -> EndPlan {
        let rtp = at(address);
        let rtcp = SocketAddr::new(rtp.ip(), rtp.port() + u16::from(!mux));
        EndPlan {
            remote_rtp: Some(rtp),
            remote_rtcp: Some(rtcp),
            signalled_from: Some(rtp.ip()),
            mux,
            direction: Direction::SendRecv,
            ..EndPlan::default()
        }
    }

    fn relay(mux: bool) -> Relay {
        let mut relay = Relay::new(Policy::Signalled, 1);
        relay.plan(ms(0), &plan(end(CARRIER, mux), end(PBX, mux)));
        relay
    }

    fn plan(trunk: EndPlan, pbx: EndPlan) -> StreamPlan {
        StreamPlan { kind: MediaKind::Audio, trunk, pbx, tappable: Ok(()), answered: true }
    }

    fn rtp(sequence: u16) -> Vec<u8> {
        let mut packet = Vec::new();
        RtpHeader { sequence, timestamp: u32::from(sequence) * 160, ssrc: 7, ..RtpHeader::default() }
            .write(&mut packet)
            .unwrap();
        packet.extend_from_slice(&[0xff; 160]);
        packet
    }

    /// An empty receiver report.
    const RTCP: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 7];

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn audio_goes_to_the_other_party_both_ways() {
        let mut relay = relay(false);
        let to = |address| Passed::Forward { via: Component::Rtp, to: at(address), audio: true };
        assert_eq!(relay.packet(ms(0), Side::Trunk, Component::Rtp, at(CARRIER), &mut rtp(1)), to(PBX));
        assert_eq!(relay.packet(ms(1), Side::Pbx, Component::Rtp, at(PBX), &mut rtp(1)), to(CARRIER));
        assert_eq!(relay.report(0).trunk.packets, 1);
    }

    #[test]
    fn a_party_behind_nat_is_answered_where_it_sends_from() {
        let mut relay = relay(false);
        let behind_nat = at("192.0.2.1:51234");
        relay.packet(ms(0), Side::Trunk, Component::Rtp, behind_nat, &mut rtp(1));
        let back = relay.packet(ms(1), Side::Pbx, Component::Rtp, at(PBX), &mut rtp(1));
        assert_eq!(back, Passed::Forward { via: Component::Rtp, to: behind_nat, audio: true });
    }

    #[test]
    fn a_third_party_is_refused_before_and_after_the_stream_begins() {
        let mut relay = relay(false);
        for n in 0..50 {
            assert_eq!(
                relay.packet(ms(n), Side::Trunk, Component::Rtp, at(ATTACKER), &mut rtp(n as u16)),
                Passed::Rejected
            );
        }
        relay.packet(ms(60), Side::Trunk, Component::Rtp, at(CARRIER), &mut rtp(1));
        for n in 0..500 {
            let sprayed = SocketAddr::new(at(ATTACKER).ip(), 1_024 + n);
            assert_eq!(
                relay.packet(ms(10_000), Side::Trunk, Component::Rtp, sprayed, &mut rtp(n)),
                Passed::Rejected
            );
        }
        let back = relay.packet(ms(10_001), Side::Pbx, Component::Rtp, at(PBX), &mut rtp(1));
        assert_eq!(back, Passed::Forward { via: Component::Rtp, to: at(CARRIER), audio: true });
        assert_eq!(relay.report(0).trunk.rejected, 550);
    }

    #[test]
    fn another_port_of_the_right_host_cannot_take_a_live_stream() {
        let mut relay = relay(false);
        let neighbour = at("192.0.2.1:9999");
        for n in 0..200_u16 {
            let now = ms(u64::from(n) * 20);
            relay.packet(now, Side::Trunk, Component::Rtp, at(CARRIER), &mut rtp(n));
            assert_eq!(
                relay.packet(now, Side::Trunk, Component::Rtp, neighbour, &mut rtp(n)),
                Passed::Rejected
            );
        }
    }

    /// The port's previous call has ended, and its party behind the same SBC still sends.
    #[test]
    fn the_last_calls_late_sender_is_not_heard_in_the_next() {
        let mut relay = Relay::new(Policy::Signalled, 1);
        let late = at("192.0.2.1:20000");
        let sent = |relay: &mut Relay, now, source| {
            relay.packet(ms(now), Side::Trunk, Component::Rtp, source, &mut rtp(now as u16))
        };
        assert_eq!(sent(&mut relay, 0, late), Passed::Rejected);
        // The INVITE has passed: the carrier has told its address, and does not know ours yet.
        relay.plan(ms(5), &plan(end(CARRIER, false), EndPlan::default()));
        assert_eq!(sent(&mut relay, 10, late), Passed::Rejected);
        relay.plan(ms(15), &plan(end(CARRIER, false), end(PBX, false)));
        assert_eq!(sent(&mut relay, 20, late), Passed::Rejected);
        let behind_nat = at("192.0.2.1:51234");
        assert!(matches!(sent(&mut relay, 30, behind_nat), Passed::Forward { .. }));
        assert_eq!(sent(&mut relay, 60_000, late), Passed::Rejected);
        assert_eq!(relay.report(0).trunk.packets, 1);
    }

    /// The party's next packet comes after both sides of the next call are described.
    #[test]
    fn the_last_calls_sender_that_goes_on_is_not_heard_and_hears_nothing() {
        let (mut last, mut next) = (relay(false), relay(false));
        let late = at("192.0.2.1:20000");
        for component in [Component::Rtp, Component::Rtcp] {
            let sent = |relay: &mut Relay| {
                let mut packet = if component == Component::Rtp { rtp(1) } else { RTCP.to_vec() };
                relay.packet(ms(0), Side::Trunk, component, late, &mut packet)
            };
            assert!(matches!(sent(&mut last), Passed::Forward { .. }));
            next.beware(Side::Trunk, component, &last.senders(Side::Trunk, component));
            assert_eq!(sent(&mut next), Passed::Rejected, "{component:?}");
        }
        let back = next.packet(ms(1), Side::Pbx, Component::Rtp, at(PBX), &mut rtp(1));
        assert!(matches!(back, Passed::Forward { to, .. } if to == at(CARRIER)));
    }

    #[test]
    fn the_address_in_sdp_wins_the_stream_back_at_once() {
        let mut relay = relay(false);
        let neighbour = at("192.0.2.1:9999");
        for n in 0..500_u16 {
            let now = ms(u64::from(n) * 20);
            relay.packet(now, Side::Trunk, Component::Rtp, neighbour, &mut rtp(n));
        }
        let party = relay.packet(ms(10_000), Side::Trunk, Component::Rtp, at(CARRIER), &mut rtp(1));
        assert!(matches!(party, Passed::Forward { .. }));
        let back = relay.packet(ms(10_001), Side::Pbx, Component::Rtp, at(PBX), &mut rtp(1));
        assert!(matches!(back, Passed::Forward { to, .. } if to == at(CARRIER)));
    }

    #[test]
    fn what_is_no_media_teaches_no_address() {
        let mut relay = relay(false);
        let moved = at("192.0.2.1:7777");
        assert_eq!(
            relay.packet(ms(0), Side::Trunk, Component::Rtp, moved, &mut b"hello".to_vec()),
            Passed::Rejected
        );
        let back = relay.packet(ms(1), Side::Pbx, Component::Rtp, at(PBX), &mut rtp(1));
        assert_eq!(back, Passed::Forward { via: Component::Rtp, to: at(CARRIER), audio: true });
    }

    #[test]
    fn rtcp_goes_by_its_own_port_or_shares_the_other() {
        let mut apart = relay(false);
        let from = at("192.0.2.1:4001");
        assert_eq!(
            apart.packet(ms(0), Side::Trunk, Component::Rtcp, from, &mut RTCP.clone()),
            Passed::Forward { via: Component::Rtcp, to: at("198.51.100.1:6001"), audio: false }
        );
        let mut shared = relay(true);
        assert_eq!(
            shared.packet(ms(0), Side::Trunk, Component::Rtp, at(CARRIER), &mut RTCP.clone()),
            Passed::Forward { via: Component::Rtp, to: at(PBX), audio: false }
        );
        assert_eq!(shared.report(0).trunk.rtcp_packets, 1);
    }

    #[test]
    fn a_party_without_an_address_gets_nothing_until_it_has_one_again() {
        let mut relay = relay(false);
        let mut held = end(PBX, false);
        held.remote_rtp = None;
        held.remote_rtcp = None;
        relay.plan(ms(0), &plan(end(CARRIER, false), held));
        let sent = relay.packet(ms(0), Side::Trunk, Component::Rtp, at(CARRIER), &mut rtp(1));
        assert_eq!(sent, Passed::Undeliverable);
        relay.plan(ms(0), &plan(end(CARRIER, false), end("198.51.100.1:6002", false)));
        let sent = relay.packet(ms(20), Side::Trunk, Component::Rtp, at(CARRIER), &mut rtp(2));
        assert_eq!(sent, Passed::Forward { via: Component::Rtp, to: at("198.51.100.1:6002"), audio: true });
    }

    #[test]
    fn a_fax_passes_as_it_is() {
        let mut relay = Relay::new(Policy::Signalled, 1);
        let fax = StreamPlan {
            kind: MediaKind::Image,
            tappable: Err(Untappable::Fax),
            ..plan(end(CARRIER, false), end(PBX, false))
        };
        relay.plan(ms(0), &fax);
        let sent = relay.packet(ms(0), Side::Trunk, Component::Rtp, at(CARRIER), &mut [0, 1, 2, 3, 4]);
        assert_eq!(sent, Passed::Forward { via: Component::Rtp, to: at(PBX), audio: false });
        let sent = relay.packet(ms(0), Side::Trunk, Component::Rtp, at(ATTACKER), &mut [0, 1, 2, 3, 4]);
        assert_eq!(sent, Passed::Rejected);
    }
}
