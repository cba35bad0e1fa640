//! Reports of a relay thread.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use serde::Serialize;
use sidetone_call::{CallKey, Side, Suite};
use sidetone_rtp::latch::Senders;

use super::kept::StreamKept;
use super::voiceover::{PlayId, Playing};

/// One party's packets in a stream, and their fate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct EndReport {
    /// RTP packets taken from this party.
    pub packets: u64,
    /// Their bytes, RTP headers included.
    pub octets: u64,
    /// Packets that never came, by sequence number (RFC 3550 A.3).
    pub lost: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// Interarrival jitter in milliseconds (RFC 3550 A.8).
    pub jitter_ms: f64,
    /// RTCP packets taken.
    pub rtcp_packets: u64,
    /// Packets rejected for their source address.
    pub rejected: u64,
    /// Source of the newest rejected packet.
    #[serde(skip)]
    pub rejected_from: Option<IpAddr>,
    /// Packets of a leg whose SRTP ends here that did not open: forged, damaged, of another key, or plain.
    pub unauthentic: u64,
    /// Packets of such a leg that had come before, or too late to tell.
    pub replayed: u64,
    /// The suite of packets to this party, where SRTP ends here and its keys are known.
    pub suite: Option<Suite>,
    /// Packets without a destination: the other party's address isn't known, or is on hold.
    pub undeliverable: u64,
    /// Payload type of the newest packet.
    pub payload_type: Option<u8>,
    /// When the newest packet came, on the process's clock; absent if there was none.
    #[serde(skip)]
    pub last_heard: Option<Duration>,
    /// Copies of this party's packets that found the tap ring full.
    pub unheard: u64,
    /// Packets of this party that the kernel has forwarded.
    pub by_kernel: u64,
}

/// One m-line of one call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct StreamReport {
    /// Index of the m-line.
    pub stream: usize,
    /// Packets from the carrier's side.
    pub trunk: EndReport,
    /// Packets from the PBX's side.
    pub pbx: EndReport,
}

impl StreamReport {
    /// Packets from one side.
    #[must_use]
    pub fn end(&self, side: Side) -> &EndReport {
        match side {
            Side::Trunk => &self.trunk,
            Side::Pbx => &self.pbx,
        }
    }
}

/// A relay thread's message to the control side.
#[derive(Debug)]
pub enum Notice {
    /// Once a second: every stream's state.
    Reports(Vec<(CallKey, StreamReport)>),
    /// An announcement toward a party has begun or is over.
    Playing(CallKey, Side, PlayId, Playing),
    /// What the streams of calls need to be carried on by another process, where it has changed.
    Kept(Vec<(CallKey, Vec<StreamKept>)>),
    /// A call's sockets are closed; its last state.
    Closed(CallKey, Vec<StreamReport>),
}

/// A port of an ended call, and its senders.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left {
    /// Our address.
    pub local: SocketAddr,
    /// Senders that may go on sending there.
    pub senders: Senders,
}

/// Totals over all calls of one relay thread, for metrics. Written once a batch, never once a packet.
#[derive(Debug, Default)]
pub struct RelayTotals {
    /// Packets forwarded.
    pub packets: AtomicU64,
    /// Bytes forwarded.
    pub octets: AtomicU64,
    /// Packets lost before they got here, by sequence number; counted when a call closes.
    pub lost: AtomicU64,
    /// Packets refused for their source.
    pub rejected: AtomicU64,
    /// Packets that did not open where SRTP ends here, or had come before.
    pub unauthentic: AtomicU64,
    /// ICE checks and other STUN on legs that do ICE.
    pub checks: AtomicU64,
    /// Nominated addresses whose checks have stopped for half a minute.
    pub lapsed: AtomicU64,
    /// Packets that could not be protected: their number has left already, or the keys are not there yet.
    pub unprotected: AtomicU64,
    /// Packets without a destination.
    pub undeliverable: AtomicU64,
    /// Packets the kernel would not take.
    pub send_errors: AtomicU64,
    /// Copies dropped because a tap ring was full.
    pub tap_dropped: AtomicU64,
    /// Sockets that epoll could not watch: their packets are not received.
    pub unwatched: AtomicU64,
    /// Reports dropped since the queue was full.
    pub reports_dropped: AtomicU64,
    /// Notices of closed calls and announcements that were lost since the queue was full.
    pub notices_lost: AtomicU64,
    /// Orders that were not given to a thread that hangs.
    pub orders_lost: AtomicU64,
    /// Packets of announcements.
    pub announced: AtomicU64,
    /// Packets replaced by an announcement.
    pub held: AtomicU64,
    /// Packets that the kernel forwarded; they are among `packets`.
    pub by_kernel: AtomicU64,
    /// Those of them of which the kernel had no room to tell.
    pub untold: AtomicU64,
    /// Ways that are open in the kernel now: one for each direction of a stream.
    pub ways: AtomicU64,
    /// Streams open now.
    pub streams: AtomicU64,
    /// Streams that closed with packets from one side only, or from neither since all were rejected.
    pub one_way_streams: AtomicU64,
}
