//! Packets back in order, with what is missing between them.
//!
//! Made for listening, not for playing to an ear: a packet whose turn it is comes out at once, and
//! only a hole makes those behind it wait. So order costs latency only when it was disturbed. The
//! gaps come out in ticks of the RTP clock, from which the listener keeps an exact timeline:
//!
//! ```
//! use std::time::Duration;
//! use sidetone_rtp::reorder::{Played, Reorder, Settings, Timing};
//! use sidetone_rtp::{RtpHeader, RtpView};
//!
//! let mut reorder = Reorder::new(Settings::default());
//! let mut heard = 0; // ticks
//! for (at, sequence) in [(0, 7), (20, 8), (61, 10), (62, 9)] {
//!     let mut packet = Vec::new();
//!     RtpHeader { sequence, timestamp: u32::from(sequence) * 160, ..RtpHeader::default() }.write(&mut packet)?;
//!     packet.extend_from_slice(&[0xff; 160]);
//!     let now = Duration::from_millis(at);
//!     let timing = Timing { clock_rate: 8000, duration: 160 };
//!     reorder.push(now, &RtpView::parse(&packet)?, timing);
//!     while let Some(played) = reorder.pop(now) {
//!         match played {
//!             Played::Packet(packet) => heard += packet.payload.len() as u32, // decode
//!             Played::Lost { ticks, .. } => heard += ticks,                   // conceal
//!             Played::Silence { ticks } => heard += ticks,                    // comfort noise
//!             Played::Restart { .. } => {}                                    // reset the decoder
//!         }
//!     }
//! }
//! assert_eq!(heard, 4 * 160);
//! # Ok::<(), sidetone_rtp::RtpError>(())
//! ```
//!
//! **Holes.** A hole is waited for [`Delay`] from the first packet beyond it; then it is lost. What
//! comes later still is counted late, and makes an adaptive delay longer.
//!
//! **Silence.** A step of the timestamp without a step of the sequence number is silence that was
//! never sent (discontinuous transmission, comfort noise, a held stream), not loss. It is believed
//! as far as arrival times bear it out, so the ticks that come out never run ahead of the time that
//! has passed, whatever the timestamps claim: a jump of the sender's clock yields the silence that
//! there really was, and a count.
//!
//! **Restarts.** A new SSRC, or sequence numbers out of all proportion, take over with the second
//! packet that bears them out, both packets being kept; a single stray one changes nothing.
//!
//! Everything follows from the arguments alone: the same packets at the same times come out the
//! same. So a capture file runs through as fast as it can be read, with its own timestamps as `now`.

mod delay;
mod facts;
mod slab;
mod timeline;

use std::time::Duration;

pub use delay::Delay;
pub use facts::{Cause, Packet, Played, Pushed, ReorderCounters, Settings, Timing};
use slab::{Slab, SlotId};
use timeline::Timeline;

use crate::header::RtpView;
use crate::sequence::{self, MAX_DROPOUT, MAX_MISORDER};

/// Where the current stream stands.
#[derive(Debug)]
struct Stream {
    ssrc: u32,
    /// The number that comes out next.
    next: u64,
    /// Bit i: number `next - 1 - i` came out as a packet.
    played: u128,
    timeline: Timeline,
    last_arrival: Duration,
}

/// A foreign packet that waits to be borne out.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    ssrc: u32,
    successor: u16,
    slot: SlotId,
}

/// A new stream that begins when the old one has come out.
#[derive(Debug, Clone, Copy)]
struct Takeover {
    cause: Cause,
    ssrc: u32,
    sequence: u16,
    first: SlotId,
    second: Option<SlotId>,
}

/// Puts the packets of one direction of one media stream back in order.
///
/// After each [`push`](Self::push), [`pop`](Self::pop) until `None`; and again at
/// [`next_deadline`](Self::next_deadline).
#[derive(Debug)]
pub struct Reorder {
    delay: delay::Estimator,
    slab: Slab,
    stream: Option<Stream>,
    candidate: Option<Candidate>,
    takeover: Option<Takeover>,
    /// Consecutive packets that were late, and the successor of the last one.
    late_run: Option<(u16, u32)>,
    /// Output that has happened but hasn't come out.
    restart: Option<(Cause, Duration)>,
    lost: Option<(u64, u32)>,
    /// The slot whose bytes the last pop lent out.
    lent: Option<SlotId>,
    finishing: bool,
    counters: ReorderCounters,
}

/// So many late packets in a row, each the successor of the one before, are the stream: what had
/// made them late was not.
const LATE_RUN: u32 = 25;

impl Reorder {
    /// An empty buffer.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            delay: delay::Estimator::new(settings.delay),
            slab: Slab::new(settings.capacity.clamp(8, 256)),
            stream: None,
            candidate: None,
            takeover: None,
            late_run: None,
            restart: None,
            lost: None,
            lent: None,
            finishing: false,
            counters: ReorderCounters::default(),
        }
    }

    /// Takes in a packet that came at `now`, copying its payload.
    pub fn push(&mut self, now: Duration, packet: &RtpView<'_>, timing: Timing) -> Pushed {
        self.take_back();
        if self.takeover.is_some() {
            // The reader does not keep up; the old stream's rest is dropped.
            self.counters.overflow += self.slab.clear_queue() as u64;
            self.complete_takeover();
        }
        let Some(stream) = &self.stream else {
            self.begin(Cause::Start, packet.ssrc(), packet.sequence(), now, Duration::ZERO);
            return self.queue(now, packet, timing, 0);
        };
        if packet.ssrc() != stream.ssrc {
            return self.foreign(now, packet, timing, Cause::Ssrc);
        }
        let ahead = sequence::step(stream.next as u16, packet.sequence());
        match usize::try_from(ahead) {
            Ok(ahead) if ahead < Slab::WINDOW => self.queue(now, packet, timing, ahead),
            Ok(_) => self.foreign(now, packet, timing, Cause::Sequence),
            Err(_) if ahead.unsigned_abs() > MAX_MISORDER => {
                self.foreign(now, packet, timing, Cause::Sequence)
            }
            Err(_) => self.behind(now, packet, timing, ahead.unsigned_abs()),
        }
    }

    /// The next thing in order that is due at `now`.
    pub fn pop(&mut self, now: Duration) -> Option<Played<'_>> {
        self.take_back();
        loop {
            if let Some((cause, pause)) = self.restart.take() {
                let ssrc = self.stream.as_ref()?.ssrc;
                return Some(Played::Restart { cause, ssrc, pause });
            }
            if let Some((count, ticks)) = self.lost.take() {
                return Some(Played::Lost { count: count as u32, ticks });
            }
            if self.slab.queued() == 0 {
                self.takeover?;
                self.complete_takeover();
                continue;
            }
            let stream = self.stream.as_mut()?;
            let Some(id) = self.slab.at(stream.next) else {
                return self.hole(now);
            };
            let slot = self.slab.get(id)?;
            if slot.timing.duration > 0 && stream.timeline.clock_rate() != slot.timing.clock_rate {
                let fresh = Timeline::new(slot.timing.clock_rate, slot.timestamp, slot.arrived);
                if std::mem::replace(&mut stream.timeline, fresh).clock_rate() != 0 {
                    self.counters.restarts += 1;
                    self.restart = Some((Cause::Clock, slot.arrived.saturating_sub(stream.last_arrival)));
                    continue;
                }
            }
            let gap = stream.timeline.gap_before(slot);
            if gap.jumped {
                self.counters.timestamp_jumps += 1;
            }
            stream.timeline.step_over(gap, slot);
            if gap.ticks > 0 {
                return Some(Played::Silence { ticks: gap.ticks });
            }
            stream.timeline.play(slot);
            stream.next += 1;
            stream.played = stream.played << 1 | 1;
            stream.last_arrival = slot.arrived;
            let sequence = stream.next - 1;
            self.counters.played += 1;
            self.delay.in_time();
            self.slab.unqueue(sequence);
            self.lent = Some(id);
            return self.slab.get(id).map(|slot| Played::Packet(slot.packet(sequence)));
        }
    }

    /// When [`pop`](Self::pop) will have something without another push: the moment at which the
    /// hole that is being waited for is given up.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        if self.restart.is_some() || self.lost.is_some() || self.takeover.is_some() {
            return Some(Duration::ZERO);
        }
        let stream = self.stream.as_ref()?;
        if self.slab.queued() == 0 {
            return None;
        }
        match self.slab.at(stream.next) {
            Some(_) => Some(Duration::ZERO),
            None => self.slab.earliest_arrival().map(|first| first.saturating_add(self.delay.current())),
        }
    }

    /// No more packets will come: what is held comes out without waiting for holes.
    pub fn finish(&mut self) {
        self.finishing = true;
    }

    /// How long a missing packet is waited for at the moment.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.delay.current()
    }

    /// Packets held.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.slab.queued()
    }

    /// Counts so far.
    #[must_use]
    pub fn counters(&self) -> ReorderCounters {
        self.counters
    }

    /// The slot lent out by the last pop is free again.
    fn take_back(&mut self) {
        if let Some(id) = self.lent.take() {
            self.slab.free(id);
        }
    }

    fn begin(&mut self, cause: Cause, ssrc: u32, sequence: u16, now: Duration, pause: Duration) {
        self.stream = Some(Stream {
            ssrc,
            next: sequence::first(sequence),
            played: 0,
            // Clock rate 0 until the first packet comes out and brings its own.
            timeline: Timeline::new(0, 0, now),
            last_arrival: now,
        });
        self.restart = Some((cause, pause));
        self.late_run = None;
        self.delay.forget_losses();
    }

    /// A packet that lies `ahead` of the next one, within the window.
    fn queue(&mut self, now: Duration, packet: &RtpView<'_>, timing: Timing, ahead: usize) -> Pushed {
        let Some(stream) = &self.stream else { return Pushed::Overflow };
        let number = stream.next + ahead as u64;
        if self.slab.at(number).is_some() {
            self.counters.duplicates += 1;
            return Pushed::Duplicate;
        }
        self.drop_candidate();
        self.late_run = None;
        match self.slab.store(now, packet, timing) {
            Some(id) => {
                self.slab.queue(number, id);
                Pushed::Queued
            }
            None => {
                self.counters.overflow += 1;
                Pushed::Overflow
            }
        }
    }

    /// A packet that lies `behind` the next one by one or more, within what is called late.
    fn behind(&mut self, now: Duration, packet: &RtpView<'_>, timing: Timing, behind: u16) -> Pushed {
        let Some(stream) = &self.stream else { return Pushed::Late };
        if stream.played >> (behind - 1) & 1 == 1 {
            self.counters.duplicates += 1;
            return Pushed::Duplicate;
        }
        let run = match self.late_run {
            Some((successor, run)) if successor == packet.sequence() => run + 1,
            _ => 1,
        };
        if run < LATE_RUN {
            self.late_run = Some((packet.sequence().wrapping_add(1), run));
            self.delay.late(now, stream.next - u64::from(behind));
            self.counters.late += 1;
            return Pushed::Late;
        }
        let Some(first) = self.slab.store(now, packet, timing) else {
            self.counters.overflow += 1;
            return Pushed::Overflow;
        };
        self.drop_candidate();
        self.takeover = Some(Takeover {
            cause: Cause::Sequence,
            ssrc: packet.ssrc(),
            sequence: packet.sequence(),
            first,
            second: None,
        });
        Pushed::Queued
    }

    /// A packet of another SSRC, or far away: the second in a row takes over.
    fn foreign(&mut self, now: Duration, packet: &RtpView<'_>, timing: Timing, cause: Cause) -> Pushed {
        let Some(slot) = self.slab.store(now, packet, timing) else {
            self.counters.overflow += 1;
            return Pushed::Overflow;
        };
        match self.candidate.take() {
            Some(first) if first.ssrc == packet.ssrc() && first.successor == packet.sequence() => {
                self.takeover = Some(Takeover {
                    cause,
                    ssrc: first.ssrc,
                    sequence: packet.sequence().wrapping_sub(1),
                    first: first.slot,
                    second: Some(slot),
                });
                Pushed::Queued
            }
            before => {
                self.candidate = before;
                self.drop_candidate();
                let successor = packet.sequence().wrapping_add(1);
                self.candidate = Some(Candidate { ssrc: packet.ssrc(), successor, slot });
                Pushed::Foreign
            }
        }
    }

    fn drop_candidate(&mut self) {
        if let Some(candidate) = self.candidate.take() {
            self.slab.free(candidate.slot);
            self.counters.strays += 1;
        }
    }

    /// The packet whose turn it is isn't there, though later ones are.
    fn hole(&mut self, now: Duration) -> Option<Played<'_>> {
        let first = self.slab.earliest_arrival()?;
        let waited = now.saturating_sub(first);
        let impatient = self.finishing || self.takeover.is_some() || self.slab.is_full();
        if waited < self.delay.current() && !impatient {
            return None;
        }
        let stream = self.stream.as_mut()?;
        let (number, id) = self.slab.first_from(stream.next)?;
        let count = number - stream.next;
        self.delay.gave_up(now, waited, stream.next, number);
        let ticks = self.slab.get(id).map_or(0, |slot| stream.timeline.lose(count, slot));
        stream.played = stream.played.checked_shl(count as u32).unwrap_or(0);
        stream.next = number;
        self.counters.lost += count;
        Some(Played::Lost { count: count as u32, ticks })
    }

    /// Begins the new stream, the old one being read or dropped. A step forward that can still be
    /// loss goes on as that.
    fn complete_takeover(&mut self) {
        let Some(Takeover { cause, ssrc, sequence, first, second }) = self.takeover.take() else { return };
        let Some(slot) = self.slab.get(first) else { return };
        let arrived = slot.arrived;
        match &mut self.stream {
            Some(old) if cause == Cause::Sequence && is_dropout(old.next, sequence) => {
                let count = u64::from(sequence.wrapping_sub(old.next as u16));
                // None, if what was queued before it led right up to it.
                if count > 0 {
                    self.lost = Some((count, old.timeline.lose(count, slot)));
                    old.next += count;
                    old.played = 0;
                    self.counters.lost += count;
                }
            }
            old => {
                let pause =
                    old.as_ref().map_or(Duration::ZERO, |old| arrived.saturating_sub(old.last_arrival));
                self.counters.restarts += 1;
                self.begin(cause, ssrc, sequence, arrived, pause);
            }
        }
        if let Some(stream) = &self.stream {
            self.slab.queue(stream.next, first);
            if let Some(second) = second {
                self.slab.queue(stream.next + 1, second);
            }
        }
    }
}

/// Whether a step forward from one number to another is loss rather than a restart. It lies beyond
/// the window, so that a few steps back over what has come out can be neglected.
fn is_dropout(next: u64, sequence: u16) -> bool {
    let step = sequence::step(next as u16, sequence);
    step >= 0 && step.unsigned_abs() < MAX_DROPOUT
}
