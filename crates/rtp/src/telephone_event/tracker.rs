//! One start and one end for each event.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Event, Report, reports};
use crate::sequence::ticks_between;

/// Something happened to an event. For every event there is exactly one `Started` and, later or at
/// once, exactly one `Ended`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The first report of an event came, be it the last one of which the rest was lost.
    Started {
        /// What.
        event: Event,
        /// RTP timestamp of its beginning.
        timestamp: u32,
        /// Level in -dBm0, 0 to 63.
        volume: u8,
    },
    /// The event is over.
    Ended {
        /// What.
        event: Event,
        /// RTP timestamp of its beginning.
        timestamp: u32,
        /// How long it lasted in ticks, over all segments, as far as it was heard.
        duration: u32,
        /// The key's end was reported; otherwise it was inferred from silence or from the next event.
        end_seen: bool,
    },
}

#[derive(Debug, Clone, Copy)]
struct Current {
    event: Event,
    /// Timestamp of the event's beginning.
    start: u32,
    /// Timestamp of the current segment's beginning; `start` but for events beyond 0xFFFF ticks.
    segment: u32,
    /// Ticks into the current segment.
    duration: u16,
    heard: Duration,
}

impl Current {
    fn total(&self) -> u32 {
        self.segment.wrapping_sub(self.start).saturating_add(u32::from(self.duration))
    }
}

/// Follows the telephone-events of one SSRC.
///
/// Tolerates any loss, duplication and reordering of an event's packets; events beyond 0xFFFF ticks,
/// which come in segments (RFC 4733 §2.5.1.3); and senders that move the timestamp along with the
/// duration. Call [`Tracker::advance`] now and then, so that an event whose every end packet was
/// lost ends too.
#[derive(Debug, Clone, Default)]
pub struct Tracker {
    current: Option<Current>,
    /// The newest event that is over, and when it ended.
    over: Option<(Current, Duration)>,
    changes: VecDeque<Change>,
}

/// A segment's full length in ticks; the next one begins where it ends.
const SEGMENT: i32 = 0xffff;

/// Changes that wait to be polled; the oldest give way.
const MAX_CHANGES: usize = 64;

impl Tracker {
    /// An event of which nothing is heard for this long is over. Updates come every packetisation
    /// time, at most 60 ms apart.
    pub const SILENCE: Duration = Duration::from_millis(250);

    /// How long after an event older timestamps are taken for its stragglers. Beyond that they are
    /// news from a sender whose clock has jumped.
    const STRAGGLERS: Duration = Duration::from_secs(1);

    /// A tracker that has heard nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the payload of a packet with that RTP timestamp and marker bit. Then
    /// [`poll`](Self::poll).
    pub fn receive(&mut self, now: Duration, timestamp: u32, marker: bool, payload: &[u8]) {
        self.advance(now);
        for (offset, report) in reports(payload) {
            self.report(now, timestamp.wrapping_add(offset), marker && offset == 0, report);
        }
    }

    /// Ends an event that has been silent for too long.
    pub fn advance(&mut self, now: Duration) {
        if self.current.is_some_and(|current| now.saturating_sub(current.heard) >= Self::SILENCE) {
            self.end(now, false);
        }
    }

    /// The SSRC changed: ends what is going on, and forgets the old timestamps.
    pub fn restart(&mut self, now: Duration) {
        self.end(now, false);
        self.over = None;
    }

    /// The next change, in order.
    pub fn poll(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// The event that is going on.
    #[must_use]
    pub fn current(&self) -> Option<Event> {
        self.current.map(|current| current.event)
    }

    fn report(&mut self, now: Duration, start: u32, marker: bool, report: Report) {
        match &mut self.current {
            Some(current) if continues(current, start, marker, report) => {
                if ticks_between(current.segment, start) == SEGMENT {
                    current.segment = start;
                    current.duration = report.duration;
                }
                current.duration = current.duration.max(report.duration);
                current.heard = now;
            }
            // The report is of an event before this one. Another key at the same timestamp comes from a sender whose
            // clock stands still.
            Some(current)
                if report.event == current.event && ticks_between(current.segment, start) <= 0
                    || ticks_between(current.segment, start) < 0 =>
            {
                return;
            }
            current => {
                if current.is_none() && self.is_straggler(now, start, marker, report) {
                    return;
                }
                self.end(now, false);
                self.current = Some(Current {
                    event: report.event,
                    start,
                    segment: start,
                    duration: report.duration,
                    heard: now,
                });
                self.tell(Change::Started { event: report.event, timestamp: start, volume: report.volume });
            }
        }
        if report.end {
            self.end(now, true);
        }
    }

    /// Whether a report that comes while nothing goes on belongs to what is already over.
    fn is_straggler(&self, now: Duration, start: u32, marker: bool, report: Report) -> bool {
        self.over.is_some_and(|(over, at)| {
            let age = now.saturating_sub(at);
            let ahead = ticks_between(over.segment, start);
            let same = over.event == report.event;
            (same && ahead == 0 && age < Self::STRAGGLERS * 5)
                || (ahead < 0 && age < Self::STRAGGLERS)
                // The sender moves the timestamp along: a new press can't begin before the old ended.
                || (same && !marker && ahead > 0 && ahead < i32::from(over.duration))
        })
    }

    fn end(&mut self, now: Duration, end_seen: bool) {
        if let Some(current) = self.current.take() {
            self.over = Some((current, now));
            self.tell(Change::Ended {
                event: current.event,
                timestamp: current.start,
                duration: current.total(),
                end_seen,
            });
        }
    }

    fn tell(&mut self, change: Change) {
        if self.changes.len() == MAX_CHANGES {
            self.changes.pop_front();
        }
        self.changes.push_back(change);
    }
}

/// Whether a report is about the event that goes on.
fn continues(current: &Current, start: u32, marker: bool, report: Report) -> bool {
    if report.event != current.event {
        return false;
    }
    let ahead = ticks_between(current.segment, start);
    ahead == 0
        || (!marker && ahead == SEGMENT)
        || (!marker
            && (1..=i32::from(current.duration)).contains(&ahead)
            && report.duration >= current.duration)
}
