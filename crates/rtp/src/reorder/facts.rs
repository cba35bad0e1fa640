//! What goes into a reorder buffer beside packets, and what comes out of it.

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

/// What only the payload format's owner knows about a packet.
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
    /// It is the first one.
    Start,
    /// Another SSRC took over.
    Ssrc,
    /// The sequence numbers jumped.
    Sequence,
    /// The RTP clock rate changed.
    Clock,
}

/// What comes out, in the stream's order.
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
        /// Its synchronisation source.
        ssrc: u32,
        /// Time from the stream's last packet to its own arrival; zero at the start.
        pause: Duration,
    },
}

/// What became of a packet that was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pushed {
    /// It will come out.
    Queued,
    /// It, or its loss, has come out already.
    Late,
    /// It is held or has come out already.
    Duplicate,
    /// Its SSRC or sequence number is foreign; the next packet will tell whether it is kept.
    Foreign,
    /// There was no room.
    Overflow,
}

/// What a reorder buffer has seen. All but `ticks` are packets or occurrences.
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
