//! Telephone-events: DTMF digits, tones and signals sent as names (RFC 4733).
//!
//! A key press travels as a run of packets that repeat the same timestamp with a growing duration,
//! its end three times over. [`reports`] reads one payload; [`Tracker`] turns the run into one
//! [`Change::Started`] and one [`Change::Ended`], whatever the network lost of it; [`Sources`] does so for a
//! stream whose sender counts its events apart from its audio.

mod sources;
mod tracker;

pub use sources::Sources;
pub use tracker::{Change, Tracker};

/// An event code (RFC 4733 §7, IANA "audio/telephone-event" registry).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Event(pub u8);

impl Event {
    /// The digit of a DTMF event (codes 0 to 15): `0`-`9`, `*`, `#`, `A`-`D`.
    #[must_use]
    pub fn digit(self) -> Option<char> {
        const DIGITS: &[u8; 16] = b"0123456789*#ABCD";
        DIGITS.get(usize::from(self.0)).map(|&d| char::from(d))
    }

    /// The event of a DTMF digit.
    #[must_use]
    pub fn from_digit(digit: char) -> Option<Self> {
        Some(Self(match digit.to_ascii_uppercase() {
            d @ '0'..='9' => d as u8 - b'0',
            '*' => 10,
            '#' => 11,
            d @ 'A'..='D' => d as u8 - b'A' + 12,
            _ => return None,
        }))
    }
}

/// One event as one packet reports it (RFC 4733 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// What.
    pub event: Event,
    /// The event is over.
    pub end: bool,
    /// Level of a DTMF digit in -dBm0, 0 to 63.
    pub volume: u8,
    /// Ticks from the event's (or its segment's) beginning until now, or until its end.
    pub duration: u16,
}

impl Report {
    /// The four bytes of this report.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event.0, u8::from(self.end) << 7 | self.volume & 0x3f, high, low]
    }
}

/// Events accepted in one packet.
pub const MAX_REPORTS: usize = 8;

/// Reads a telephone-event payload: one report, or several contiguous events packed into one packet
/// (RFC 4733 §2.5.1.5), each with the timestamp offset at which it began, in ticks after the
/// packet's. Bytes that fill no report are ignored, and so is what is beyond [`MAX_REPORTS`].
pub fn reports(payload: &[u8]) -> impl Iterator<Item = (u32, Report)> + '_ {
    let (whole, _) = payload.as_chunks::<4>();
    whole.iter().take(MAX_REPORTS).scan(0u32, |offset, &[event, flags, high, low]| {
        let report = Report {
            event: Event(event),
            end: flags & 0x80 != 0,
            volume: flags & 0x3f,
            duration: u16::from_be_bytes([high, low]),
        };
        let begins = *offset;
        *offset += u32::from(report.duration);
        Some((begins, report))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_there_and_back() {
        for code in 0..16 {
            let digit = Event(code).digit().unwrap();
            assert_eq!(Event::from_digit(digit), Some(Event(code)));
        }
        assert_eq!(Event::from_digit('b'), Some(Event(13)));
        assert_eq!(Event(16).digit(), None);
        assert_eq!(Event::from_digit('E'), None);
    }

    #[test]
    fn a_report_is_its_bytes() {
        // RFC 4733 figure 1: event 1, end, volume 10, duration 1760.
        let bytes = [1, 0x8a, 0x06, 0xe0];
        let read: Vec<_> = reports(&bytes).collect();
        assert_eq!(read, [(0, Report { event: Event(1), end: true, volume: 10, duration: 1760 })]);
        assert_eq!(read[0].1.to_bytes(), bytes);
    }

    #[test]
    fn packed_events_follow_each_other() {
        let payload = [1, 0x8a, 0x01, 0x90, 2, 0x0a, 0x00, 0x50, 9, 9];
        let starts: Vec<_> = reports(&payload).map(|(at, r)| (at, r.event.0)).collect();
        assert_eq!(starts, [(0, 1), (400, 2)]);
        assert_eq!(reports(&[1, 2, 3]).count(), 0);
        assert_eq!(reports(&[0; 1400]).count(), MAX_REPORTS);
    }
}
