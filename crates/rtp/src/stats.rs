//! Loss, order and jitter of a stream of RTP packets (RFC 3550 A.1, A.3, A.8).

use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::header::RtpView;
use crate::sequence::{self, MAX_DROPOUT, MAX_MISORDER};

/// How one packet stood to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The first of a stream, of a new SSRC, or of a sequence that restarted.
    First,
    /// The successor of the newest one.
    InOrder,
    /// Newer than the newest by more than one: that many between are missing so far.
    Gap(u16),
    /// Older than the newest: it had been overtaken by that many numbers.
    Reordered(u16),
    /// Already there.
    Duplicate,
    /// A sequence number from nowhere. If the next packet follows it, the sequence has restarted.
    Stray,
}

/// The state of a stream at some moment. Counts cover the whole stream, all its SSRCs together.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// Packets received, duplicates and strays included.
    pub packets: u64,
    /// Payload bytes received.
    pub octets: u64,
    /// Packets that were sent but haven't come. Those that come late are taken off again.
    pub lost: u64,
    /// Packets that came after a newer one.
    pub reordered: u64,
    /// Packets that came more than once.
    pub duplicates: u64,
    /// Packets whose sequence number didn't belong to the stream.
    pub strays: u64,
    /// Times that the sequence numbers started anew under the same SSRC.
    pub restarts: u64,
    /// Times that another SSRC took over.
    pub ssrc_changes: u64,
    /// Times that the payload type changed, telephone-events not being told apart.
    pub payload_type_changes: u64,
    /// Times that the timestamp jumped by more than [`StreamStats::MAX_TRANSIT_STEP`] against
    /// arrival time.
    pub timestamp_jumps: u64,
    /// Interarrival jitter in ticks of the RTP clock.
    pub jitter_ticks: u32,
    /// Interarrival jitter in milliseconds.
    pub jitter_ms: f64,
    /// The largest jitter so far in milliseconds.
    pub max_jitter_ms: f64,
    /// The longest time between two arrivals.
    pub longest_gap: Duration,
    /// When the first packet came.
    pub first_at: Option<Duration>,
    /// When the newest packet came.
    pub last_at: Option<Duration>,
    /// The current SSRC.
    pub ssrc: Option<u32>,
    /// The newest payload type.
    pub payload_type: Option<u8>,
    /// The highest sequence number received, with its cycles, as in a receiver report.
    pub highest_sequence: u32,
}

impl Snapshot {
    /// The share of the packets sent that were lost, 0 to 1.
    #[must_use]
    pub fn loss_ratio(&self) -> f64 {
        let unique = self.packets.saturating_sub(self.duplicates + self.strays);
        let sent = self.lost + unique;
        if sent == 0 { 0.0 } else { self.lost as f64 / sent as f64 }
    }
}

/// Loss and jitter since the previous report (RFC 3550 A.3), as a receiver report block states them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Share of the interval's packets that were lost, in 256ths.
    pub fraction_lost: u8,
    /// Packets lost since the current SSRC began, at most 2^23 - 1.
    pub cumulative_lost: u32,
    /// Highest sequence number received, with cycles.
    pub highest_sequence: u32,
    /// Jitter in ticks.
    pub jitter_ticks: u32,
}

/// Sequence numbers of one SSRC.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Source {
    ssrc: u32,
    base: u64,
    highest: u64,
    /// Bit i: number `highest - i` has been received.
    seen: u128,
    /// Distinct packets received.
    unique: u64,
    /// The number that would confirm a restart.
    restart: Option<u16>,
    reported_expected: u64,
    reported_unique: u64,
}

impl Source {
    fn new(ssrc: u32, sequence: u16) -> Self {
        let first = sequence::first(sequence);
        Self {
            ssrc,
            base: first,
            highest: first,
            seen: 1,
            unique: 1,
            restart: None,
            reported_expected: 0,
            reported_unique: 0,
        }
    }

    fn expected(&self) -> u64 {
        self.highest - self.base + 1
    }

    fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.unique)
    }

    /// Places a sequence number; [`Arrival::First`] says that the sequence restarts with it.
    fn receive(&mut self, number: u16) -> Arrival {
        let step = sequence::step(self.highest as u16, number);
        if step > 0 && step.unsigned_abs() < MAX_DROPOUT {
            let ahead = step.unsigned_abs();
            self.highest += u64::from(ahead);
            self.seen = self.seen.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
            self.unique += 1;
            self.restart = None;
            return if ahead == 1 { Arrival::InOrder } else { Arrival::Gap(ahead - 1) };
        }
        let behind = step.unsigned_abs();
        if step <= 0 && behind <= MAX_MISORDER {
            let bit = 1u128 << behind;
            if self.seen & bit != 0 {
                return Arrival::Duplicate;
            }
            self.seen |= bit;
            self.unique += 1;
            self.base = self.base.min(self.highest - u64::from(behind));
            return Arrival::Reordered(behind);
        }
        if self.restart == Some(number) {
            return Arrival::First;
        }
        self.restart = Some(number.wrapping_add(1));
        Arrival::Stray
    }
}

/// Interarrival jitter (RFC 3550 A.8).
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Jitter {
    clock_rate: u32,
    /// Arrival and RTP timestamp of the packet before, in ticks.
    previous: Option<(u32, u32)>,
    /// In 16ths of a tick.
    scaled: u32,
    largest_ms: f64,
}

impl Jitter {
    /// Takes a packet in; true if the two clocks have parted by more than the allowed step.
    fn receive(&mut self, now: Duration, timestamp: u32, clock_rate: u32) -> bool {
        if clock_rate != self.clock_rate {
            *self = Self { clock_rate, largest_ms: self.largest_ms, ..Self::default() };
        }
        let arrival = ticks(now, clock_rate) as u32;
        let Some((last_arrival, last_timestamp)) = self.previous.replace((arrival, timestamp)) else {
            return false;
        };
        if timestamp == last_timestamp {
            // Several packets of one instant, a telephone-event's updates: only the first was on time.
            self.previous = Some((last_arrival, last_timestamp));
            return false;
        }
        let transit_step = arrival
            .wrapping_sub(last_arrival)
            .wrapping_sub(timestamp.wrapping_sub(last_timestamp))
            .cast_signed()
            .unsigned_abs();
        if u64::from(transit_step) > ticks(StreamStats::MAX_TRANSIT_STEP, clock_rate) {
            return true;
        }
        self.scaled = self.scaled.saturating_add(transit_step).saturating_sub((self.scaled + 8) >> 4);
        self.largest_ms = self.largest_ms.max(self.in_ms());
        false
    }

    fn in_ticks(&self) -> u32 {
        self.scaled >> 4
    }

    fn in_ms(&self) -> f64 {
        if self.clock_rate == 0 {
            return 0.0;
        }
        f64::from(self.scaled) / 16.0 * 1000.0 / f64::from(self.clock_rate)
    }
}

/// Statistics of one direction of one media stream.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct StreamStats {
    source: Option<Source>,
    jitter: Jitter,
    /// Losses of sources that are over.
    past_lost: u64,
    totals: Snapshot,
}

impl StreamStats {
    /// A step between timestamp and arrival time above this is a jump of the sender's clock and
    /// stays out of the jitter.
    pub const MAX_TRANSIT_STEP: Duration = Duration::from_secs(5);

    /// Statistics of a stream from which nothing has come.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on in another process, some time after what was last known here: what came meanwhile was counted by nobody,
    /// and is not to be taken for lost.
    pub fn resume(&mut self) {
        if let Some(source) = self.source.take() {
            self.past_lost += source.lost();
        }
        self.jitter.previous = None;
    }

    /// Takes in a packet that came at `now`. `clock_rate` is the RTP clock of its payload type in
    /// Hz (8000 for G.722, 48000 for Opus); jitter starts anew when it changes.
    pub fn receive(&mut self, now: Duration, packet: &RtpView<'_>, clock_rate: u32) -> Arrival {
        let totals = &mut self.totals;
        totals.packets += 1;
        totals.octets += packet.payload().len() as u64;
        totals.first_at.get_or_insert(now);
        if let Some(last) = totals.last_at.replace(now) {
            totals.longest_gap = totals.longest_gap.max(now.saturating_sub(last));
        }
        if totals.payload_type.replace(packet.payload_type()).is_some_and(|t| t != packet.payload_type()) {
            totals.payload_type_changes += 1;
        }

        let arrival = self.place(packet);
        match arrival {
            Arrival::First => self.jitter.previous = None,
            Arrival::Reordered(_) => self.totals.reordered += 1,
            Arrival::Duplicate => self.totals.duplicates += 1,
            Arrival::Stray => self.totals.strays += 1,
            Arrival::InOrder | Arrival::Gap(_) => {}
        }
        if !matches!(arrival, Arrival::Duplicate | Arrival::Stray)
            && self.jitter.receive(now, packet.timestamp(), clock_rate)
        {
            self.totals.timestamp_jumps += 1;
        }
        arrival
    }

    fn place(&mut self, packet: &RtpView<'_>) -> Arrival {
        let fresh = Source::new(packet.ssrc(), packet.sequence());
        let Some(source) = &mut self.source else {
            self.source = Some(fresh);
            return Arrival::First;
        };
        if source.ssrc != packet.ssrc() {
            self.totals.ssrc_changes += 1;
            self.past_lost += source.lost();
            *source = fresh;
            return Arrival::First;
        }
        let arrival = source.receive(packet.sequence());
        if arrival == Arrival::First {
            // The packet before this one, a stray until now, was the first of the restart.
            self.totals.restarts += 1;
            self.totals.strays = self.totals.strays.saturating_sub(1);
            self.past_lost += source.lost();
            *source = Source::new(packet.ssrc(), packet.sequence().wrapping_sub(1));
            source.receive(packet.sequence());
        }
        arrival
    }

    /// When the newest packet came.
    #[must_use]
    pub fn last_at(&self) -> Option<Duration> {
        self.totals.last_at
    }

    /// Everything known about the stream so far.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            lost: self.past_lost + self.source.as_ref().map_or(0, Source::lost),
            jitter_ticks: self.jitter.in_ticks(),
            jitter_ms: self.jitter.in_ms(),
            max_jitter_ms: self.jitter.largest_ms,
            ssrc: self.source.map(|source| source.ssrc),
            highest_sequence: self.source.map_or(0, |source| reported(source.highest)),
            ..self.totals
        }
    }

    /// Closes an interval for a receiver report on the current SSRC and begins the next one.
    pub fn report(&mut self) -> Option<Interval> {
        let source = self.source.as_mut()?;
        let expected = source.expected() - source.reported_expected;
        let received = source.unique - source.reported_unique;
        source.reported_expected = source.expected();
        source.reported_unique = source.unique;
        let lost = expected.saturating_sub(received);
        Some(Interval {
            fraction_lost: (lost * 256).checked_div(expected).map_or(0, |f| f.min(255) as u8),
            cumulative_lost: source.lost().min(0x7f_ffff) as u32,
            highest_sequence: reported(source.highest),
            jitter_ticks: self.jitter.in_ticks(),
        })
    }
}

/// An extended number as a report carries it: cycles from zero, 32 bits.
fn reported(extended: u64) -> u32 {
    extended.wrapping_sub(1 << 16) as u32
}

/// `time` in ticks of a clock.
pub(crate) fn ticks(time: Duration, clock_rate: u32) -> u64 {
    let rate = u64::from(clock_rate);
    time.as_secs().wrapping_mul(rate).wrapping_add(u64::from(time.subsec_nanos()) * rate / 1_000_000_000)
}
