//! The counters of an anchor, for metrics.

/// Counts since the anchor was built. Each only ever grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Calls that were made known.
    pub calls: u64,
    /// New calls refused since [`Settings::max_calls`](super::Settings::max_calls) was reached.
    pub refused_full: u64,
    /// Requests refused for want of media ports.
    pub refused_ports: u64,
    /// Requests refused for SDP that can't be read, or has too many m-lines.
    pub refused_sdp: u64,
    /// Requests refused for SDP that aims media at an address where it must not go.
    pub refused_aims: u64,
    /// Requests refused since our policy allows none of the protection that they offer for their media.
    pub refused_security: u64,
    /// Answers that take up none of the protection that policy demands: their media was rejected.
    pub insecure_answers: u64,
    /// m-lines in responses and ACKs that do so: nothing is sent there.
    pub misaimed: u64,
    /// Descriptions that couldn't be read: an m-line in them, which was rejected on its way; in responses and ACKs,
    /// all of it, which passed as it was; and m= lines outside of any description, which passed too.
    pub unreadable: u64,
    /// Bodies that passed unread since they are encrypted, signed, compressed or elsewhere.
    pub sealed: u64,
    /// Descriptions of early sessions that passed as they were.
    pub early_sessions: u64,
    /// m-lines whose port became 0 for want of ports where nothing could be refused.
    pub streams_dropped: u64,
    /// Messages with SDP of calls that aren't known, passed as they were.
    pub strays: u64,
    /// Calls ended by one of the time limits.
    pub reaped: u64,
    /// Facts lost since nobody took them.
    pub facts_lost: u64,
}
