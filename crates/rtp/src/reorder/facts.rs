//! The input of a reorder buffer beside packets, and its output.

use std::time::Duration;

use super::Delay;

/// How a [`Reorder`](super::Reorder) is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long a missing packet is waited for.
    pub delay: Delay,
    /// Packets held at most, 8 to 256. Beyond that new ones are dropped and counted. At a packet
    /// every 10 ms and a delay of 200 ms, 20 are in use.
    pub capacity: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { delay: Delay::default(), capacity: 64 }
    }
}

/// A packet's facts that only the owner of the payload format knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timing {
    /// RTP clock of its payload type in Hz.
    pub clock_rate: u32,
    /// How much audio it carries, in ticks of that clock; 0 for what stands beside the audio:
    /// telephone-events, comfort-noise descriptions, unknown payload types.
    pub duration: u32,
}

/// A packet whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Payload type.
    pub payload_type: u8,
    /// Marker bit.
    pub marker: bool,
    /// Sequence number with its cycles.
    pub sequence: u64,
    /// RTP timestamp.
    pub timestamp: u32,
    /// When it came.
    pub arrived: Duration,
    /// Audio in it, in ticks, as it was pushed.
    pub duration: u32,
    /// Payload bytes.
    pub payload: &'a [u8],
}

/// Why the stream starts anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The packet is the first one.
    Start,
    /// Another SSRC took over.
    Ssrc,
    /// The sequence numbers jumped.
    Sequence,
    /// The RTP clock rate changed.
    Clock,
}

/// The buffer's output, in the stream's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Played<'a> {
    /// The next packet.
    Packet(Packet<'a>),
    /// Packets were lost here.
    Lost {
        /// How many.
        count: u32,
        /// How much audio was in them, in ticks: as many usual durations, as far as the timestamps
        /// around the hole allow.
        ticks: u32,
    },
    /// Nothing was sent for that many ticks.
    Silence {
        /// How long.
        ticks: u32,
    },
    /// The next packet has nothing to do with those before it.
    Restart {
        /// Why.
        cause: Cause,
        /// The stream's synchronisation source.
        ssrc: u32,
        /// Time from the stream's last packet to its own arrival; zero at the start.
        pause: Duration,
    },
}

/// The buffer's verdict on a packet that was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pushed {
    /// The packet will come out.
    Queued,
    /// It, or its loss, has come out already.
    Late,
    /// The packet is held or has come out already.
    Duplicate,
    /// The packet's SSRC or sequence number is foreign; the next packet will tell whether it is kept.
    Foreign,
    /// There was no room.
    Overflow,
}

/// Counts of a reorder buffer. All but `ticks` are packets or occurrences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReorderCounters {
    /// Packets that came out.
    pub played: u64,
    /// Packets that came out lost.
    pub lost: u64,
    /// Packets that came after they had been given up.
    pub late: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets of a foreign SSRC or sequence that nothing came of.
    pub strays: u64,
    /// Packets dropped for want of room, or with a stream that was replaced before it was read.
    pub overflow: u64,
    /// Restarts, the first one not counted.
    pub restarts: u64,
    /// Timestamps that arrival times did not bear out.
    pub timestamp_jumps: u64,
}
