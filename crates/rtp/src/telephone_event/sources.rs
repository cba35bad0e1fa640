//! The telephone-events of a stream, whichever way its sender numbers them.
//!
//! RFC 4733 §2.5.1.1 has events share the audio's SSRC and sequence numbers. Not every sender does: gateways and media
//! servers send them under an SSRC of their own, or count them by themselves, while the audio goes on between. So
//! events are followed apart from the audio's order, by SSRC and timestamp alone.

use std::time::Duration;

use super::{Change, Event, Report, Tracker, reports};
use crate::header::RtpView;

/// SSRCs whose events are followed at once; the one that was silent for longest gives way.
const MOST_SOURCES: usize = 4;
/// Reports that bear out an event under a number that nobody has announced, if they all bear the same sequence number.
const MOST_ALIKE: u8 = 3;

/// Follows the telephone-events of all SSRCs of a stream.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    trackers: Vec<Source>,
    suspect: Option<Suspect>,
}

#[derive(Debug, Clone)]
struct Source {
    ssrc: u32,
    tracker: Tracker,
}

/// A payload that may be a telephone-event.
#[derive(Debug, Clone, Copy)]
struct Suspect {
    ssrc: u32,
    payload_type: u8,
    timestamp: u32,
    sequence: u16,
    report: Report,
    seen: u8,
    /// Packets of more than one sequence number bear it out.
    borne_out: bool,
}

impl Sources {
    /// Takes in a packet whose payload type is known to carry telephone-events. Then [`poll`](Self::poll).
    pub fn receive(&mut self, now: Duration, packet: &RtpView<'_>) {
        let mut source = match self.trackers.iter().position(|source| source.ssrc == packet.ssrc()) {
            Some(place) => self.trackers.remove(place),
            None => Source { ssrc: packet.ssrc(), tracker: Tracker::new() },
        };
        // The newest stands last. What the oldest had to tell has been polled by then.
        if self.trackers.len() >= MOST_SOURCES {
            self.trackers.remove(0);
        }
        source.tracker.receive(now, packet.timestamp(), packet.marker(), packet.payload());
        self.trackers.push(source);
    }

    /// Takes in a packet whose payload type nobody has announced, or each party for something else; true if it is taken
    /// for a telephone-event.
    ///
    /// It is when it looks like one key's report and agrees with another: of the same SSRC, payload type, timestamp and
    /// key, with a duration no shorter. Audio never repeats a timestamp under another sequence number. Where all
    /// reports bear the same sequence number, as one library numbers its end packets, it takes three, and each must be
    /// an end: a network that doubles packets makes two.
    pub fn suspect(&mut self, now: Duration, packet: &RtpView<'_>) -> bool {
        let Some(report) = plausible(packet) else { return false };
        let fresh = Suspect {
            ssrc: packet.ssrc(),
            payload_type: packet.payload_type(),
            timestamp: packet.timestamp(),
            sequence: packet.sequence(),
            report,
            seen: 1,
            borne_out: false,
        };
        let suspect = match self.suspect {
            Some(known) if known.agrees(&fresh) => Suspect {
                seen: known.seen.saturating_add(1),
                borne_out: known.borne_out
                    || known.sequence != fresh.sequence
                    || known.seen + 1 >= MOST_ALIKE && known.report.end && report.end,
                ..fresh
            },
            _ => fresh,
        };
        self.suspect = Some(suspect);
        if suspect.borne_out {
            self.receive(now, packet);
        }
        suspect.borne_out
    }

    /// Ends events that have been silent for too long.
    pub fn advance(&mut self, now: Duration) {
        self.trackers.iter_mut().for_each(|source| source.tracker.advance(now));
    }

    /// The next change, in order for each SSRC.
    pub fn poll(&mut self) -> Option<Change> {
        self.trackers.iter_mut().find_map(|source| source.tracker.poll())
    }

    /// An event that is going on.
    #[must_use]
    pub fn current(&self) -> Option<Event> {
        self.trackers.iter().find_map(|source| source.tracker.current())
    }
}

impl Suspect {
    fn agrees(&self, later: &Self) -> bool {
        self.ssrc == later.ssrc
            && self.payload_type == later.payload_type
            && self.timestamp == later.timestamp
            && self.report.event == later.report.event
            && self.report.duration <= later.report.duration
    }
}

/// The report of one key that a payload may be: exactly four bytes, a key's code, the reserved bit zero (RFC 4733
/// §2.3), under a number that may mean anything (RFC 3551 §6).
fn plausible(packet: &RtpView<'_>) -> Option<Report> {
    let dynamic = matches!(packet.payload_type(), 35..=71 | 77..=127);
    let &[_, flags, _, _] = packet.payload() else { return None };
    if !dynamic || flags & 0x40 != 0 {
        return None;
    }
    reports(packet.payload()).map(|(_, report)| report).find(|report| report.event.digit().is_some())
}
