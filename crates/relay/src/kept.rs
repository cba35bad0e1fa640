//! What another process needs to carry a stream on.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sidetone_call::{CallKey, Keying};
use sidetone_rtp::latch::Latch;
use sidetone_rtp::splice::{Bearing, Splice};
use sidetone_rtp::stats::StreamStats;
use sidetone_srtp::Reached;

/// One stream of a call: whom it is heard from, how its packets are numbered, and what has been counted. The times are
/// on the clock of the process that wrote it, which goes on in the next one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StreamKept {
    /// Index of the m-line.
    pub(crate) stream: usize,
    pub(crate) trunk: EndKept,
    pub(crate) pbx: EndKept,
}

/// One party of a stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EndKept {
    pub(crate) rtp: Latch,
    pub(crate) rtcp: Latch,
    pub(crate) stats: StreamStats,
    /// Toward this party.
    pub(crate) splice: Splice,
    pub(crate) octets: u64,
    pub(crate) rtcp_packets: u64,
    pub(crate) rejected: u64,
    pub(crate) undeliverable: u64,
    pub(crate) unheard: u64,
    pub(crate) last_heard: Option<Duration>,
    pub(crate) by_kernel: u64,
    pub(crate) untold: u64,
    /// Where its SRTP ends here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) guard: Option<GuardKept>,
}

/// The keys of one party's packets, and how far the numbers under each have gone.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct GuardKept {
    pub(crate) theirs: Vec<KeyKept>,
    pub(crate) ours: Vec<KeyKept>,
}

/// One key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KeyKept {
    #[serde(with = "sidetone_call::spelt_out")]
    pub(crate) keying: Keying,
    pub(crate) reached: Reached,
}

impl StreamKept {
    /// Whether it holds keys: then it must be sealed before it leaves the process.
    #[must_use]
    pub const fn is_secret(&self) -> bool {
        self.trunk.guard.is_some() || self.pbx.guard.is_some()
    }
}

/// What relay threads leave to another process.
#[derive(Debug, Default)]
pub struct Halted {
    /// The streams of each call.
    pub kept: Vec<(CallKey, Vec<StreamKept>)>,
    /// The media sockets of all calls.
    pub sockets: Vec<OwnedFd>,
}

/// Changes as soon as a party's SRTP must be written down anew: keys are added, a roll-over counter goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) keys: usize,
    pub(crate) rollovers: u64,
    pub(crate) offsets: u64,
}

/// Where RTP and RTCP to a party go, and how what goes there is numbered.
/// With SRTP, its state too.
type End = (Option<SocketAddr>, Option<SocketAddr>, Bearing, Turn);

/// What must not be lost of a stream if a call is to be carried on: of the trunk's party and of the PBX's.
pub(crate) type Bearings = (End, End);
