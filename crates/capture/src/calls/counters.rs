//! What became of a capture's datagrams.

use std::time::Duration;

/// Counts of a capture's datagrams by their use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// SIP messages, by UDP or TCP.
    pub messages: u64,
    /// Datagrams that begin like a SIP message and aren't one.
    pub malformed: u64,
    /// RTP packets of calls.
    pub packets: u64,
    /// RTP packets that came by another hop, or after their call's end.
    pub redundant: u64,
    /// SIP and RTP dropped since [`Options::most_bytes`](super::Options::most_bytes) or
    /// [`MOST_CALLS`](super::MOST_CALLS) was reached.
    pub dropped: u64,
    /// RTP packets dropped since they had come before, byte for byte, between the same addresses.
    pub copies: u64,
    /// Datagrams that stood in the file behind later ones, by more than ordinary disorder.
    pub out_of_order: u64,
    /// The largest disorder of such a datagram.
    pub farthest_out_of_order: Duration,
    /// Times that the capture's clock was set back while audio went on.
    pub clock_set_back: u64,
    /// Calls left out since they are another view of one that is there, from its other side.
    pub other_views: u64,
    /// Packets of SRTP that were opened.
    pub opened: u64,
    /// Packets of SRTP that no key here opens; they are left out.
    pub sealed: u64,
    /// Datagrams that are neither SIP nor audio: RTCP, other media, other protocols.
    pub other: u64,
}
