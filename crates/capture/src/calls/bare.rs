//! RTP that no signalling explains.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use sidetone_rtp::RtpView;
use sidetone_sip::Face;
use sidetone_sip::anchor::{Direction, EndPlan, Format, MediaKind, StreamPlan};

use super::addresses::Route;
use super::recording::{OVERHEAD, Origin, Recording};
use super::{Happening, Options, Parties, formats};

/// Flows that may turn out to be RTP; beyond it the one that was silent longest is forgotten.
const MOST_FLOWS: usize = 4096;
/// Fewer packets than this prove nothing: other protocols look like RTP now and then.
const FEWEST: usize = 10;
/// Sequence numbers of RTP follow on each other at least this often.
const ORDERLY: f64 = 0.5;
/// A sequence number follows on another if it is ahead of it by no more than this.
const NEAR: u16 = 100;

/// There is no room for another packet.
pub(super) struct Full;

/// Flows that look like RTP.
#[derive(Debug, Default)]
pub(super) struct BareRtp {
    flows: HashMap<(SocketAddr, SocketAddr, u32), Flow>,
}

#[derive(Debug)]
struct Flow {
    last: Duration,
    sequence: u16,
    /// Packets that follow on the one before.
    orderly: usize,
    packets: Vec<(Duration, Vec<u8>)>,
    bytes: usize,
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
    /// Takes a packet that may be RTP, if it fits into `room` bytes; gives the room that is left.
    pub(super) fn observe(
        &mut self,
        now: Duration,
        (src, dst): Route,
        rtp: &RtpView<'_>,
        bytes: &[u8],
        room: usize,
    ) -> Result<usize, Full> {
        let size = bytes.len() + OVERHEAD;
        let mut room = room.checked_sub(size).ok_or(Full)?;
        let key = (src, dst, rtp.ssrc());
        if self.flows.len() == MOST_FLOWS && !self.flows.contains_key(&key) {
            room += self.forget();
        }
        let flow = self.flows.entry(key).or_insert_with(|| Flow {
            last: now,
            sequence: rtp.sequence(),
            orderly: 0,
            packets: Vec::new(),
            bytes: 0,
        });
        let ahead = rtp.sequence().wrapping_sub(flow.sequence);
        flow.orderly += usize::from((1..=NEAR).contains(&ahead));
        flow.sequence = rtp.sequence();
        flow.last = now;
        flow.bytes += size;
        flow.packets.push((now, bytes.to_vec()));
        Ok(room)
    }

    /// Forgets the flow that was silent longest; gives the bytes that it held.
    fn forget(&mut self) -> usize {
        let oldest = self.flows.iter().min_by_key(|(_, flow)| flow.last).map(|(key, _)| *key);
        oldest.and_then(|key| self.flows.remove(&key)).map_or(0, |flow| flow.bytes)
    }

    /// The calls that the flows are. `began` is when the capture did, since the Unix epoch.
    pub(super) fn finish(self, began: Duration, options: &Options) -> Vec<Recording> {
        let mut flows: Vec<_> = self.flows.into_iter().filter(|(_, flow)| flow.is_rtp()).collect();
        flows.sort_by_key(|(key, flow)| (flow.first(), *key));
        let formats = formats::assumed(&options.formats);
        let mut calls: Vec<Pair> = Vec::new();
        for ((src, dst, _), flow) in flows {
            let known = calls.iter().position(|call| call.is_between(src, dst));
            let known = known.or_else(|| calls.iter().position(|call| call.is_answered_by(src, dst, &flow)));
            let index = known.unwrap_or(calls.len());
            if known.is_none() {
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
        calls.into_iter().map(|call| call.recording(began, options, &formats)).collect()
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
    bytes: Vec<u8>,
}

impl Pair {
    /// Whether a flow goes between the same two addresses, in either direction.
    fn is_between(&self, src: SocketAddr, dst: SocketAddr) -> bool {
        let (a, b) = self.caller;
        (src, dst) == (a, b) || (src, dst) == (b, a) || self.callee == Some((src, dst))
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

    fn recording(mut self, began: Duration, options: &Options, formats: &[Format]) -> Recording {
        self.packets.sort_by_key(|packet| packet.at);
        let (caller, callee) = self.caller;
        let mut recording = Recording::begun(Origin::Rtp { caller, callee }, began + self.from);
        let end = |address| EndPlan {
            remote_rtp: Some(address),
            formats: formats.to_vec(),
            direction: Direction::SendRecv,
            ..EndPlan::default()
        };
        let caller_face = options.customer.caller_face();
        let (trunk, pbx) = match caller_face {
            Face::Trunk => (end(caller), end(callee)),
            Face::Pbx => (end(callee), end(caller)),
        };
        let plan = StreamPlan { kind: MediaKind::Audio, trunk, pbx, tappable: Ok(()), answered: true };
        recording.plan(Duration::ZERO, 0, plan);
        recording.fact(Duration::ZERO, Happening::Answered);
        let mut parties = Parties::default();
        for Packet { at, by_caller, route, bytes } in self.packets {
            let face = if by_caller { caller_face } else { caller_face.other() };
            if parties.accepts(at, face, 0, route) {
                recording.packet(at.saturating_sub(self.from), 0, face, &bytes);
            }
        }
        recording
    }
}
