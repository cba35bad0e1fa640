//! One relayed stream, without its sockets: given a packet and where it came from, where does it go?

use std::net::SocketAddr;
use std::time::Duration;

use sidetone_rtp::header::RtpView;
use sidetone_rtp::latch::{Latch, Policy};
use sidetone_rtp::stats::StreamStats;
use sidetone_rtp::{PacketKind, classify};
use sidetone_sip::Face;
use sidetone_sip::anchor::{EndPlan, MediaKind, StreamPlan, Untappable};

use super::report::{EndReport, StreamReport};

/// Which of a stream's two ports on a face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Component {
    Rtp,
    Rtcp,
}

/// What to do with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Send it from the other face's port `via` to `to`.
    Forward { via: Component, to: SocketAddr, audio: bool },
    /// It came from someone who has no business here.
    Rejected,
    /// Nobody is known to send it to.
    Undeliverable,
}

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
    octets: u64,
    rtcp_packets: u64,
    rejected: u64,
    undeliverable: u64,
    unheard: u64,
    last_heard: Option<Duration>,
}

impl End {
    fn new(policy: Policy) -> Self {
        Self {
            rtp: Latch::new(policy),
            rtcp: Latch::rtcp(policy),
            mux: false,
            stats: StreamStats::new(),
            clock_rates: [8_000; 128],
            octets: 0,
            rtcp_packets: 0,
            rejected: 0,
            undeliverable: 0,
            unheard: 0,
            last_heard: None,
        }
    }

    fn expect(&mut self, plan: &EndPlan) {
        self.rtp.expect(plan.remote_rtp, plan.signalled_from);
        self.rtcp.expect(plan.remote_rtcp.or(plan.remote_rtp), plan.signalled_from);
        self.mux = plan.mux;
    }

    /// Payload types mean what the receiver's SDP says they mean (RFC 3264 §5.1).
    fn clocks_from(&mut self, receiver: &EndPlan) {
        for format in &receiver.formats {
            if let Some(rate) = self.clock_rates.get_mut(usize::from(format.payload_type)) {
                *rate = format.clock_rate;
            }
        }
    }

    /// Where to send what is meant for this party.
    fn target(&self, component: Component) -> Option<(Component, SocketAddr)> {
        match component {
            Component::Rtcp if !self.mux => self.rtcp.target().map(|to| (Component::Rtcp, to)),
            _ => self.rtp.target().map(|to| (Component::Rtp, to)),
        }
    }

    fn report(&self) -> EndReport {
        let seen = self.stats.snapshot();
        EndReport {
            packets: seen.packets,
            octets: self.octets,
            lost: seen.lost,
            duplicates: seen.duplicates,
            reordered: seen.reordered,
            jitter_ms: seen.jitter_ms,
            rtcp_packets: self.rtcp_packets,
            rejected: self.rejected,
            undeliverable: self.undeliverable,
            payload_type: seen.payload_type,
            last_heard: self.last_heard,
            unheard: self.unheard,
        }
    }
}

impl Relay {
    pub(super) fn new(policy: Policy) -> Self {
        Self { trunk: End::new(policy), pbx: End::new(policy), readable: true }
    }

    /// Takes what SDP has agreed on.
    pub(super) fn plan(&mut self, plan: &StreamPlan) {
        self.readable = plan.kind == MediaKind::Audio
            && !matches!(plan.tappable, Err(Untappable::Dtls | Untappable::T38));
        self.trunk.expect(&plan.trunk);
        self.pbx.expect(&plan.pbx);
        self.trunk.clocks_from(&plan.pbx);
        self.pbx.clocks_from(&plan.trunk);
    }

    /// A packet from the party on `face`, taken from that face's port `component`.
    pub(super) fn packet(
        &mut self,
        now: Duration,
        face: Face,
        component: Component,
        source: SocketAddr,
        packet: &[u8],
    ) -> Outcome {
        let readable = self.readable;
        let (from, toward) = match face {
            Face::Trunk => (&mut self.trunk, &self.pbx),
            Face::Pbx => (&mut self.pbx, &self.trunk),
        };
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
            latch.accept(now, source).is_accepted()
        } else {
            latch.source() == Some(source) || latch.target() == Some(source)
        };
        if !known {
            from.rejected += 1;
            return Outcome::Rejected;
        }
        let rtp = component == Component::Rtp && kind == PacketKind::Rtp;
        if rtp || !readable {
            from.last_heard = Some(now);
            from.octets += packet.len() as u64;
        }
        let mut audio = false;
        if rtp && readable {
            if let Ok(view) = RtpView::parse(packet) {
                let clock = from.clock_rates.get(usize::from(view.payload_type())).copied().unwrap_or(8_000);
                from.stats.receive(now, &view, clock);
                audio = true;
            }
        } else if kind == PacketKind::Rtcp {
            from.rtcp_packets += 1;
        }
        let component = if kind == PacketKind::Rtcp && readable { Component::Rtcp } else { component };
        match toward.target(component) {
            Some((via, to)) => Outcome::Forward { via, to, audio },
            None => {
                from.undeliverable += 1;
                Outcome::Undeliverable
            }
        }
    }

    /// A copy of a packet from `face` found no room.
    pub(super) fn unheard(&mut self, face: Face) {
        match face {
            Face::Trunk => self.trunk.unheard += 1,
            Face::Pbx => self.pbx.unheard += 1,
        }
    }

    pub(super) fn report(&self, stream: usize) -> StreamReport {
        StreamReport { stream, trunk: self.trunk.report(), pbx: self.pbx.report() }
    }
}
