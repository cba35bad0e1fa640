//! From timestamps and arrival times to the ticks between packets.

use std::time::Duration;

use super::slab::Slot;
use crate::sequence::ticks_between;
use crate::stats::ticks;

/// The gap between the end of the packets so far and the beginning of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    /// Ticks of silence.
    pub(super) ticks: u32,
    /// The timestamp said something else, which arrival times did not bear out.
    pub(super) jumped: bool,
}

/// The timeline of one stream at one clock rate.
///
/// `position` counts the ticks that came out. A packet's *slack* is how much later it arrived than
/// the timeline would have it, compared with the packets that came through fastest. Real silence
/// shows as slack: nothing came while time went on. So a gap is believed up to the slack, with some
/// allowance for the jitter of what came through fastest. An allowance that was taken is not granted
/// again: only packets that follow each other without a gap tell how fast the fastest come through.
/// Silence that time does not bear out so can't outlast the audio that was really sent.
#[derive(Debug)]
pub(super) struct Timeline {
    clock_rate: u32,
    /// Timestamp that continues what came out.
    expected: u32,
    /// Ticks that came out.
    position: i64,
    begun: Duration,
    /// The least (arrival - position) lately.
    fastest: i64,
    /// The next packet does not follow the one before it without a gap.
    after_gap: bool,
    /// The duration that packets usually have.
    usual: u32,
}

impl Timeline {
    /// A timeline that begins with a packet of that timestamp and arrival.
    pub(super) fn new(clock_rate: u32, timestamp: u32, begun: Duration) -> Self {
        Self { clock_rate, expected: timestamp, position: 0, begun, fastest: 0, after_gap: false, usual: 0 }
    }

    pub(super) fn clock_rate(&self) -> u32 {
        self.clock_rate
    }

    /// The gap before a packet.
    pub(super) fn gap_before(&self, slot: &Slot) -> Gap {
        if slot.timing.duration == 0 {
            // A telephone-event stands beside the audio: it repeats the timestamp of its beginning.
            return Gap { ticks: 0, jumped: false };
        }
        let step = i64::from(ticks_between(self.expected, slot.timestamp));
        let slack = self.slack(slot);
        if step < -self.allowance() || step > slack + self.allowance() {
            Gap { ticks: clamp(slack), jumped: true }
        } else {
            // A small step back is a sender that re-cuts its packets: it goes on without a gap.
            Gap { ticks: clamp(step), jumped: false }
        }
    }

    /// Puts the silence before a packet behind us; the packet itself then has no gap before it.
    pub(super) fn step_over(&mut self, gap: Gap, slot: &Slot) {
        if slot.timing.duration > 0 {
            self.expected = slot.timestamp;
            self.position += i64::from(gap.ticks);
            self.after_gap |= gap.ticks > 0 || gap.jumped;
        }
    }

    /// Puts a packet behind us.
    pub(super) fn play(&mut self, slot: &Slot) {
        let duration = slot.timing.duration;
        if duration == 0 {
            return;
        }
        let lateness = self.lateness(slot);
        if lateness > self.fastest {
            // Drift between the sender's clock and ours: the fastest one ages by a tick a packet.
            self.fastest += 1;
        } else if !self.after_gap {
            self.fastest = lateness.max(self.fastest - i64::from(duration));
        }
        self.after_gap = false;
        self.usual = duration;
        self.expected = slot.timestamp.wrapping_add(duration);
        self.position += i64::from(duration);
    }

    /// Puts `count` lost packets behind us, `next` being the one after them; their ticks.
    pub(super) fn lose(&mut self, count: u64, next: &Slot) -> u32 {
        let step = i64::from(ticks_between(self.expected, next.timestamp));
        let believed = self.slack(next) + self.allowance();
        let all = i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(i64::from(self.usual));
        let ticks = if next.timing.duration == 0 || step > believed || step < 0 {
            // No help from the timestamp.
            clamp(all.min(believed))
        } else {
            clamp(all.min(step))
        };
        self.position += i64::from(ticks);
        self.expected = self.expected.wrapping_add(ticks);
        self.after_gap = true;
        ticks
    }

    /// How much later a packet came than the timeline has it.
    fn lateness(&self, slot: &Slot) -> i64 {
        let elapsed = ticks(slot.arrived.saturating_sub(self.begun), self.clock_rate);
        i64::try_from(elapsed).unwrap_or(i64::MAX).saturating_sub(self.position)
    }

    /// Negative while an allowance is taken.
    fn slack(&self, slot: &Slot) -> i64 {
        self.lateness(slot).saturating_sub(self.fastest)
    }

    /// A quarter of a second: a gap may be announced so much before time has borne it out, for the
    /// packets before it may have been held up on the way.
    fn allowance(&self) -> i64 {
        i64::from(self.clock_rate / 4)
    }
}

fn clamp(ticks: i64) -> u32 {
    u32::try_from(ticks.max(0)).unwrap_or(u32::MAX)
}
