//! Packets that lead to the keys of a leg: checks, answered in place, and DTLS, passed on.

use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use sidetone_call::Side;
use sidetone_handshake::Fact;

use super::{Batch, Port, RelayThread, Stream};
use crate::handshakes::{Handshakes, Leg, Message};
use crate::link::{Task, Unchecked};
use crate::relay::Component;

/// Takes a packet that is no media: on a leg that awaits or has the keys of a handshake it may lead there. Anything
/// else did not open.
pub(super) fn negotiate(
    stream: &mut Stream,
    port: &Port,
    now: Instant,
    from: SocketAddr,
    packet: &[u8],
    handshakes: Option<&Handshakes>,
    batch: &mut Batch,
) {
    let (Component::Rtp, Some(link)) = (port.component, stream.relay.link(port.side)) else {
        batch.unauthentic += 1;
        return;
    };
    let number = link.number();
    let leg = Leg { call: stream.call, stream: stream.index, side: port.side, number };
    match link.receive(now, from, packet) {
        Task::Answer(answer, fact) => {
            batch.checks += 1;
            if !answer.is_empty() && port.socket.send_to(answer, from).is_err() {
                batch.send_errors += 1;
            }
            if let Some(Fact::Nominated(at)) = fact {
                stream.relay.settle(port.side, at);
                if let Some(handshakes) = handshakes {
                    handshakes.tell(Message::Aim(leg, at));
                }
            }
        }
        Task::Shake(checked) => {
            let permitted = checked != Err(Unchecked) || stream.relay.permits(port.side, from);
            let may_pass = permitted && stream.relay.link(port.side).is_some_and(|link| link.may_pass(now));
            if !may_pass {
                batch.rejected += 1;
            } else if let Some(handshakes) = handshakes {
                handshakes.pass(leg, from, packet);
            }
        }
        Task::Drop => batch.unauthentic += 1,
    }
}

impl RelayThread {
    /// Sends a datagram of a handshake.
    pub(super) fn send(&mut self, leg: Leg, to: SocketAddr, bytes: &[u8]) {
        let Some((_, stream)) = self.stream(leg.call, leg.stream) else { return };
        let out = stream.port(leg.side, Component::Rtp, to.is_ipv6()).and_then(|out| self.ports.get(out));
        if out.is_none_or(|out| out.socket.send_to(bytes, to).is_err()) {
            self.batch.send_errors += 1;
        }
    }

    /// Tells the handshakes of a stream where ICE has found their parties: one that begins after that does not know.
    pub(super) fn aim_again(&mut self, number: usize) {
        let (Some(stream), Some(handshakes)) = (self.streams.get_mut(number), &self.handshakes) else {
            return;
        };
        for side in [Side::Trunk, Side::Pbx] {
            if let Some(link) = stream.relay.link(side)
                && let Some(at) = link.nominated()
            {
                let leg = Leg { call: stream.call, stream: stream.index, side, number: link.number() };
                handshakes.tell(Message::Aim(leg, at));
            }
        }
    }

    /// Notices parties whose checks have stopped.
    pub(super) fn look_after_links(&mut self) {
        let now = Instant::now();
        for (_, stream) in &mut self.streams {
            for side in [Side::Trunk, Side::Pbx] {
                if let Some(Fact::Lapsed(_)) = stream.relay.link(side).and_then(|link| link.tick(now)) {
                    self.totals.lapsed.fetch_add(1, Relaxed);
                }
            }
        }
    }
}
