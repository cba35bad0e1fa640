//! What another process needs to carry a stream on.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sidetone_call::CallKey;
use sidetone_rtp::latch::Latch;
use sidetone_rtp::splice::{Bearing, Splice};
use sidetone_rtp::stats::StreamStats;

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
}

/// What relay threads leave to another process.
#[derive(Debug, Default)]
pub struct Halted {
    /// The streams of each call.
    pub kept: Vec<(CallKey, Vec<StreamKept>)>,
    /// The media sockets of all calls.
    pub sockets: Vec<OwnedFd>,
}

/// Where RTP and RTCP to a party go, and how what goes there is numbered.
type End = (Option<SocketAddr>, Option<SocketAddr>, Bearing);

/// What must not be lost of a stream if a call is to be carried on: of the trunk's party and of the PBX's.
pub(crate) type Bearings = (End, End);
