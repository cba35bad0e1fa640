//! Packets that lead to the keys of a leg: checks, answered in place, and DTLS, passed on.

use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use sidetone_call::Side;
use sidetone_handshake::Fact;

use super::{Batch, Port, RelayThread, Stream};
use crate::handshakes::{Handshakes, Leg, Message};
use crate::link::{Task, Unchecked};
use crate::relay::Component;

/// When a packet came: on the process's clock, and on the one that sessions go by.
#[derive(Clone, Copy)]
pub(super) struct Came {
    pub(super) now: Duration,
    pub(super) instant: Instant,
}

/// Takes a packet that is no media: on a leg that awaits or has the keys of a handshake it may lead there. Anything
/// else did not open. Whether the party can be reached now, and could not before.
pub(super) fn negotiate(
    stream: &mut Stream,
    port: &Port,
    Came { now, instant }: Came,
    from: SocketAddr,
    packet: &[u8],
    handshakes: Option<&Handshakes>,
    batch: &mut Batch,
) -> bool {
    let (Component::Rtp, Some(link)) = (port.component, stream.relay.link(port.side)) else {
        batch.unauthentic += 1;
        return false;
    };
    let number = link.number();
    let leg = Leg { call: stream.call, stream: stream.index, side: port.side, number };
    match link.receive(instant, from, packet) {
        Task::Answer(answer, fact) => {
            batch.checks += 1;
            if !answer.is_empty() && port.socket.send_to(answer, from).is_err() {
                batch.send_errors += 1;
            }
            match fact {
                // Whoever may nominate may do so again and again; what that costs has an end.
                Some(Fact::Nominated(_)) if !may_pass(stream, port.side, instant) => {
                    batch.rejected += 1;
                    return false;
                }
                Some(Fact::Nominated(at)) => {
                    stream.relay.settle(now, port.side, at);
                    if let Some(handshakes) = handshakes {
                        handshakes.tell(Message::Aim(leg, at));
                    }
                }
                Some(Fact::Resumed(_)) => stream.relay.lapse(now, port.side, false),
                Some(Fact::Lapsed(_)) | None => return false,
            }
            return true;
        }
        Task::Shake(checked) => {
            let permitted = checked != Err(Unchecked) || stream.relay.permits(port.side, from);
            if !permitted || !may_pass(stream, port.side, instant) {
                batch.rejected += 1;
            } else if let Some(handshakes) = handshakes {
                handshakes.pass(leg, from, packet);
            }
        }
        Task::Drop => batch.unauthentic += 1,
    }
    false
}

fn may_pass(stream: &mut Stream, side: Side, instant: Instant) -> bool {
    stream.relay.link(side).is_some_and(|link| link.may_pass(instant))
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

    /// Once a second: keys of old come to their end, and parties whose checks have stopped are sent nothing more.
    pub(super) fn look_after_links(&mut self, now: Duration) {
        let instant = self.epoch + now;
        for (_, stream) in &mut self.streams {
            stream.relay.age();
            for side in [Side::Trunk, Side::Pbx] {
                if let Some(Fact::Lapsed(_)) = stream.relay.link(side).and_then(|link| link.tick(instant)) {
                    self.totals.lapsed.fetch_add(1, Relaxed);
                    stream.relay.lapse(now, side, true);
                }
            }
        }
    }
}
