//! RTP that no signalling explains.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sidetone_call::{Direction, EndPlan, Format, MediaKind, Side, StreamPlan};

use super::addresses::Route;
use super::recording::{Origin, Recording};
use super::signalling::Orphan;
use super::unprotect::{Outcome, Sender, Unprotect};
use super::{Happening, Parties, formats};
use crate::calls::options::{MOST_CALLS, Options};

/// Flows that may turn out to be RTP; beyond it the one that was silent longest is forgotten.
const MOST_FLOWS: usize = 4096;
/// Flows that have ended and are kept; the packets of more are dropped.
const MOST_ENDED: usize = 65_536;
/// Fewer packets than this prove nothing: other protocols look like RTP now and then.
const FEWEST: usize = 10;
/// Sequence numbers of RTP follow on each other at least this often.
const ORDERLY: f64 = 0.5;
/// A sequence number follows on another if it is ahead of it by no more than this.
const NEAR: u16 = 100;

/// Audio that pauses longer than this, both ways, and comes back from another source is another call.
const BETWEEN_CALLS: Duration = Duration::from_secs(30);

/// A flow's way and source.
type Key = (SocketAddr, SocketAddr, u32);

/// Flows that look like RTP.
#[derive(Debug, Default)]
pub(super) struct BareRtp {
    flows: HashMap<Key, Flow>,
    /// Flows that have paused so long that what came next was another.
    ended: Vec<(Key, Flow)>,
    dropped: u64,
}

#[derive(Debug)]
struct Flow {
    last: Duration,
    sequence: u16,
    /// Packets that follow on the one before.
    orderly: usize,
    packets: Vec<(Duration, Bytes)>,
}

impl Flow {
    fn is_rtp(&self) -> bool {
        self.packets.len() >= FEWEST && self.orderly as f64 >= ORDERLY * self.packets.len() as f64
    }

    fn first(&self) -> Duration {
        self.packets.first().map(|(at, _)| *at).unwrap_or_default()
    }
}

impl BareRtp {
    /// Takes a packet that may be RTP, with its source and sequence number.
    pub(super) fn observe(
        &mut self,
        now: Duration,
        (src, dst): Route,
        (ssrc, sequence): (u32, u16),
        bytes: Bytes,
    ) {
        let key = (src, dst, ssrc);
        if self.flows.len() == MOST_FLOWS && !self.flows.contains_key(&key) {
            self.rest();
        }
        let new = || Flow { last: now, sequence, orderly: 0, packets: Vec::new() };
        let flow = self.flows.entry(key).or_insert_with(new);
        let ahead = sequence.wrapping_sub(flow.sequence);
        let follows = (1..=NEAR).contains(&ahead);
        if !follows && now.saturating_sub(flow.last) > BETWEEN_CALLS {
            let ended = std::mem::replace(flow, Flow { packets: vec![(now, bytes)], ..new() });
            return self.keep(key, ended);
        }
        flow.orderly += usize::from(follows);
        flow.sequence = sequence;
        flow.last = now;
        flow.packets.push((now, bytes));
    }

    /// Keeps a flow that has ended, if it was RTP.
    fn keep(&mut self, key: Key, flow: Flow) {
        if !flow.is_rtp() {
            return;
        }
        if self.ended.len() < MOST_ENDED {
            self.ended.push((key, flow));
        } else {
            self.dropped += flow.packets.len() as u64;
        }
    }

    /// Packets of flows beyond those that are kept.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Makes room: takes the flow that was silent longest for ended.
    fn rest(&mut self) {
        let oldest = self.flows.iter().min_by_key(|(_, flow)| flow.last).map(|(key, _)| *key);
        if let Some((key, flow)) = oldest.and_then(|key| self.flows.remove_entry(&key)) {
            self.keep(key, flow);
        }
    }

    /// The calls that the flows are. `began` is when the capture did, since the Unix epoch; `orphans` are descriptions
    /// of audio in calls whose beginning was not captured.
    pub(super) fn finish(
        self,
        began: Duration,
        options: &Options,
        orphans: &[Orphan],
        unprotect: &mut Unprotect,
    ) -> Vec<Recording> {
        let mut flows = self.ended;
        flows.extend(self.flows.into_iter().filter(|(_, flow)| flow.is_rtp()));
        flows.sort_by_key(|(key, flow)| (flow.first(), *key));
        let formats = formats::assumed(&options.formats);
        let mut calls: Vec<Pair> = Vec::new();
        for ((src, dst, _), flow) in flows {
            // The latest of several calls between the same addresses may still go on.
            let known = calls.iter().rposition(|call| call.is_between(src, dst, &flow));
            let known = known.or_else(|| calls.iter().rposition(|call| call.is_answered_by(src, dst, &flow)));
            let index = known.unwrap_or(calls.len());
            if known.is_none() {
                if calls.len() == MOST_CALLS {
                    continue;
                }
                calls.push(Pair {
                    caller: (src, dst),
                    callee: None,
                    from: flow.first(),
                    to: flow.last,
                    packets: Vec::new(),
                });
            }
            if let Some(call) = calls.get_mut(index) {
                call.take(src, dst, flow);
            }
        }
        calls.into_iter().map(|call| call.recording(began, &formats, orphans, unprotect)).collect()
    }
}

/// Flows that are one call.
struct Pair {
    /// The way of the first flow.
    caller: Route,
    /// The way of the flow that answers it, where its ports are others.
    callee: Option<Route>,
    from: Duration,
    to: Duration,
    packets: Vec<Packet>,
}

struct Packet {
    at: Duration,
    by_caller: bool,
    route: Route,
    bytes: Bytes,
}

impl Pair {
    /// Whether a flow goes between the same two addresses, in either direction, and no long silence lies between.
    fn is_between(&self, src: SocketAddr, dst: SocketAddr, flow: &Flow) -> bool {
        let (a, b) = self.caller;
        let is_between = (src, dst) == (a, b) || (src, dst) == (b, a) || self.callee == Some((src, dst));
        is_between && flow.first() <= self.to + BETWEEN_CALLS
    }

    /// Whether a flow goes back between the same machines while the first one runs: some phones send from another
    /// port than they listen on.
    fn is_answered_by(&self, src: SocketAddr, dst: SocketAddr, flow: &Flow) -> bool {
        let (a, b) = self.caller;
        let answered = self.packets.iter().any(|packet| !packet.by_caller);
        // On one machine every flow would answer every other.
        !answered && a.ip() != b.ip() && (src.ip(), dst.ip()) == (b.ip(), a.ip()) && flow.first() <= self.to
    }

    fn take(&mut self, src: SocketAddr, dst: SocketAddr, flow: Flow) {
        let (a, b) = self.caller;
        let by_caller = (src, dst) == (a, b);
        if !by_caller && (src, dst) != (b, a) {
            self.callee = Some((src, dst));
        }
        self.to = self.to.max(flow.last);
        let packet = |(at, bytes)| Packet { at, by_caller, route: (src, dst), bytes };
        self.packets.extend(flow.packets.into_iter().map(packet));
    }

    /// How the call is known: by its addresses or, where a later message of it describes one of them, by that.
    fn origin(&self, orphans: &[Orphan]) -> Origin {
        let (caller, callee) = self.caller;
        let by = |address| orphans.iter().rfind(|orphan: &&Orphan| orphan.address == address);
        let sip = |orphan: &Orphan, from: &str, to: &str| Origin::Sip {
            call_id: orphan.call_id.clone(),
            from: from.to_owned(),
            to: to.to_owned(),
        };
        by(caller)
            .map(|orphan| sip(orphan, &orphan.name, &orphan.other))
            .or_else(|| by(callee).map(|orphan| sip(orphan, &orphan.other, &orphan.name)))
            .unwrap_or(Origin::Rtp { caller, callee })
    }

    fn recording(
        mut self,
        began: Duration,
        formats: &[Format],
        orphans: &[Orphan],
        unprotect: &mut Unprotect,
    ) -> Recording {
        self.packets.sort_by_key(|packet| packet.at);
        let (caller, callee) = self.caller;
        let mut recording = Recording::begun(self.origin(orphans), began + self.from, None);
        let end = |address| {
            // Negotiated formats go before the usual ones.
            let told = orphans.iter().rfind(|orphan| orphan.address == address);
            let told = told.map(|orphan| orphan.formats.as_slice()).unwrap_or_default();
            let is_told =
                |format: &&Format| !told.iter().any(|other| other.payload_type == format.payload_type);
            EndPlan {
                remote_rtp: Some(address),
                formats: told.iter().chain(formats.iter().filter(is_told)).cloned().collect(),
                direction: Direction::SendRecv,
                ..EndPlan::default()
            }
        };
        let plan = StreamPlan {
            kind: MediaKind::Audio,
            trunk: end(caller),
            pbx: end(callee),
            tappable: Ok(()),
            answered: true,
        };
        recording.plan(Duration::ZERO, 0, plan);
        recording.fact(Duration::ZERO, Happening::Answered);
        let mut parties = Parties::default();
        for Packet { at, by_caller, route, bytes } in self.packets {
            let side = if by_caller { Side::Trunk } else { Side::Pbx };
            let in_call = at.saturating_sub(self.from);
            let (bytes, is_opened) = match unprotect.open(at, Sender::On(route), || None, route, bytes) {
                Outcome::Plain(bytes) => (bytes, false),
                Outcome::Opened(bytes) => (bytes, true),
                Outcome::Repeated => continue,
                Outcome::Sealed(why) => {
                    recording.sealed(in_call, 0, side, route.0, why);
                    continue;
                }
            };
            if parties.accepts(at, side, 0, route) {
                if is_opened {
                    recording.opened(0, side);
                }
                recording.packet(in_call, 0, side, route.0, bytes);
            }
        }
        recording
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flows_that_have_ended_are_bounded_and_the_packets_of_more_are_counted() {
        let mut bare = BareRtp::default();
        let at = |port| std::net::SocketAddr::from(([192, 0, 2, 1], port));
        let rtp = || Flow {
            last: Duration::ZERO,
            sequence: 0,
            orderly: FEWEST,
            packets: vec![(Duration::ZERO, Bytes::new()); FEWEST],
        };
        for ssrc in 0..MOST_ENDED + 3 {
            bare.keep((at(4_000), at(5_000), ssrc as u32), rtp());
        }
        assert_eq!(bare.ended.len(), MOST_ENDED);
        assert_eq!(bare.dropped(), 3 * FEWEST as u64);
        bare.keep((at(4_000), at(5_000), 0), Flow { packets: Vec::new(), ..rtp() });
        assert_eq!(bare.dropped(), 3 * FEWEST as u64, "what is no RTP is no loss");
    }
}
