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

#[cfg(test)]
mod tests {
    use sidetone_rtp::header::RtpHeader;
    use sidetone_sip::anchor::Direction;

    use super::*;

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
        let mut relay = Relay::new(Policy::Signalled);
        relay.plan(&plan(end(CARRIER, mux), end(PBX, mux)));
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
        let to = |address| Outcome::Forward { via: Component::Rtp, to: at(address), audio: true };
        assert_eq!(relay.packet(ms(0), Face::Trunk, Component::Rtp, at(CARRIER), &rtp(1)), to(PBX));
        assert_eq!(relay.packet(ms(1), Face::Pbx, Component::Rtp, at(PBX), &rtp(1)), to(CARRIER));
        assert_eq!(relay.report(0).trunk.packets, 1);
    }

    #[test]
    fn a_party_behind_nat_is_answered_where_it_sends_from() {
        let mut relay = relay(false);
        let behind_nat = at("192.0.2.1:51234");
        relay.packet(ms(0), Face::Trunk, Component::Rtp, behind_nat, &rtp(1));
        let back = relay.packet(ms(1), Face::Pbx, Component::Rtp, at(PBX), &rtp(1));
        assert_eq!(back, Outcome::Forward { via: Component::Rtp, to: behind_nat, audio: true });
    }

    #[test]
    fn a_third_party_is_refused_before_and_after_the_stream_begins() {
        let mut relay = relay(false);
        for n in 0..50 {
            assert_eq!(
                relay.packet(ms(n), Face::Trunk, Component::Rtp, at(ATTACKER), &rtp(n as u16)),
                Outcome::Rejected
            );
        }
        relay.packet(ms(60), Face::Trunk, Component::Rtp, at(CARRIER), &rtp(1));
        for n in 0..500 {
            let sprayed = SocketAddr::new(at(ATTACKER).ip(), 1_024 + n);
            assert_eq!(
                relay.packet(ms(10_000), Face::Trunk, Component::Rtp, sprayed, &rtp(n)),
                Outcome::Rejected
            );
        }
        let back = relay.packet(ms(10_001), Face::Pbx, Component::Rtp, at(PBX), &rtp(1));
        assert_eq!(back, Outcome::Forward { via: Component::Rtp, to: at(CARRIER), audio: true });
        assert_eq!(relay.report(0).trunk.rejected, 550);
    }

    #[test]
    fn another_port_of_the_right_host_cannot_take_a_live_stream() {
        let mut relay = relay(false);
        let neighbour = at("192.0.2.1:9999");
        for n in 0..200_u16 {
            let now = ms(u64::from(n) * 20);
            relay.packet(now, Face::Trunk, Component::Rtp, at(CARRIER), &rtp(n));
            assert_eq!(relay.packet(now, Face::Trunk, Component::Rtp, neighbour, &rtp(n)), Outcome::Rejected);
        }
    }

    #[test]
    fn what_is_no_media_teaches_no_address() {
        let mut relay = relay(false);
        let moved = at("192.0.2.1:7777");
        assert_eq!(relay.packet(ms(0), Face::Trunk, Component::Rtp, moved, b"hello"), Outcome::Rejected);
        let back = relay.packet(ms(1), Face::Pbx, Component::Rtp, at(PBX), &rtp(1));
        assert_eq!(back, Outcome::Forward { via: Component::Rtp, to: at(CARRIER), audio: true });
    }

    #[test]
    fn rtcp_goes_by_its_own_port_or_shares_the_other() {
        let mut apart = relay(false);
        let from = at("192.0.2.1:4001");
        assert_eq!(
            apart.packet(ms(0), Face::Trunk, Component::Rtcp, from, &RTCP),
            Outcome::Forward { via: Component::Rtcp, to: at("198.51.100.1:6001"), audio: false }
        );
        let mut shared = relay(true);
        assert_eq!(
            shared.packet(ms(0), Face::Trunk, Component::Rtp, at(CARRIER), &RTCP),
            Outcome::Forward { via: Component::Rtp, to: at(PBX), audio: false }
        );
        assert_eq!(shared.report(0).trunk.rtcp_packets, 1);
    }

    #[test]
    fn a_party_without_an_address_gets_nothing_until_it_has_one_again() {
        let mut relay = relay(false);
        let mut held = end(PBX, false);
        held.remote_rtp = None;
        held.remote_rtcp = None;
        relay.plan(&plan(end(CARRIER, false), held));
        let sent = relay.packet(ms(0), Face::Trunk, Component::Rtp, at(CARRIER), &rtp(1));
        assert_eq!(sent, Outcome::Undeliverable);
        relay.plan(&plan(end(CARRIER, false), end("198.51.100.1:6002", false)));
        let sent = relay.packet(ms(20), Face::Trunk, Component::Rtp, at(CARRIER), &rtp(2));
        assert_eq!(sent, Outcome::Forward { via: Component::Rtp, to: at("198.51.100.1:6002"), audio: true });
    }

    #[test]
    fn a_fax_passes_as_it_is() {
        let mut relay = Relay::new(Policy::Signalled);
        let fax = StreamPlan {
            kind: MediaKind::Image,
            tappable: Err(Untappable::T38),
            ..plan(end(CARRIER, false), end(PBX, false))
        };
        relay.plan(&fax);
        let sent = relay.packet(ms(0), Face::Trunk, Component::Rtp, at(CARRIER), &[0, 1, 2, 3, 4]);
        assert_eq!(sent, Outcome::Forward { via: Component::Rtp, to: at(PBX), audio: false });
        let sent = relay.packet(ms(0), Face::Trunk, Component::Rtp, at(ATTACKER), &[0, 1, 2, 3, 4]);
        assert_eq!(sent, Outcome::Rejected);
    }
}
