//! RTCP of a spliced stream (RFC 3550 §6): reports that agree with what was sent.

use std::time::Duration;

use super::{Mode, Splice};
use crate::rtcp::Compound;

/// Packet types (RFC 3550 §12.1).
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;

const BLOCK: usize = 24;

impl Splice {
    /// Brings RTCP from the source into agreement with what the listener was sent. False if it must not go on: it says
    /// goodbye for a stream that goes on, or can't be understood.
    ///
    /// A datagram that is not changed stays byte for byte.
    pub fn from_source(&self, now: Duration, datagram: &mut [u8]) -> bool {
        if !self.alters() {
            return true;
        }
        if Compound::parse_reduced(datagram).is_err() {
            return false;
        }
        let mut at = 0;
        while let Some((kind, next)) = packet_at(datagram, at) {
            let source = word(datagram, at + 4).unwrap_or(0);
            match kind {
                // The stream goes on for the listener; once it has been joined, the source may well end it.
                GOODBYE if self.is_spliced(source) && !matches!(self.mode, Mode::Shifted(_)) => return false,
                SENDER_REPORT if self.is_spliced(source) => {
                    self.rename(datagram, at + 4);
                    if let Some(timestamp) = self.timestamp_at(now, word(datagram, at + 16).unwrap_or(0)) {
                        put(datagram, at + 16, timestamp);
                    }
                    put(datagram, at + 20, self.packets);
                    put(datagram, at + 24, self.octets);
                }
                RECEIVER_REPORT | DESCRIPTION | GOODBYE => self.rename(datagram, at + 4),
                _ => {}
            }
            at = next;
        }
        true
    }

    /// Brings RTCP from the listener into agreement with what the source has sent: its report blocks speak of the
    /// source's own SSRC and sequence numbers again.
    pub fn from_listener(&self, datagram: &mut [u8]) {
        let (Mode::Shifted(shift), Ok(_)) = (self.mode, Compound::parse_reduced(datagram)) else { return };
        let mut at = 0;
        while let Some((kind, next)) = packet_at(datagram, at) {
            let first = match kind {
                SENDER_REPORT => Some(at + 28),
                RECEIVER_REPORT => Some(at + 8),
                _ => None,
            };
            let count = match first {
                Some(_) => usize::from(datagram.get(at).copied().unwrap_or(0) & 0x1f),
                None => 0,
            };
            let first = first.unwrap_or(at);
            for block in (0..count).map(|n| first + n * BLOCK) {
                if word(datagram, block) == Some(shift.listener) {
                    put(datagram, block, shift.source);
                    let highest = word(datagram, block + 8).unwrap_or(0);
                    // The lower half is the sequence number, the upper half counts its cycles.
                    let by = i32::from(shift.sequence.cast_signed());
                    put(datagram, block + 8, highest.wrapping_sub(by.cast_unsigned()));
                }
            }
            at = next;
        }
    }

    /// Whether the listener knows this stream of the source's, under whatever SSRC.
    fn is_spliced(&self, ssrc: u32) -> bool {
        match self.mode {
            Mode::Watching => false,
            // Whichever stream the source has now is the one that will be joined.
            Mode::Inserting | Mode::Joining => true,
            Mode::Shifted(shift) => shift.source == ssrc,
        }
    }

    fn rename(&self, datagram: &mut [u8], at: usize) {
        let Some(ssrc) = word(datagram, at) else { return };
        let listener = match self.mode {
            Mode::Shifted(shift) if shift.source == ssrc => Some(shift.listener),
            Mode::Inserting | Mode::Joining => self.newest.map(|newest| newest.ssrc),
            Mode::Shifted(_) | Mode::Watching => None,
        };
        if let Some(listener) = listener {
            put(datagram, at, listener);
        }
    }

    /// The listener's timestamp for the instant of a sender report.
    fn timestamp_at(&self, now: Duration, source: u32) -> Option<u32> {
        if let Mode::Shifted(shift) = self.mode
            && let Some(by) = shift.timestamp
        {
            return Some(source.wrapping_add(by));
        }
        // A report is sent the moment it is made, so its instant is now.
        let newest = self.newest?;
        let since = now.saturating_sub(newest.at).as_micros() * u128::from(newest.clock) / 1_000_000;
        Some(newest.timestamp.wrapping_add(since as u32))
    }
}

/// The type of the packet at a place in a checked datagram, and where the next one begins.
fn packet_at(datagram: &[u8], at: usize) -> Option<(u8, usize)> {
    let &[_, kind, high, low] = datagram.get(at..)?.first_chunk()?;
    Some((kind, at + 4 * (usize::from(u16::from_be_bytes([high, low])) + 1)))
}

fn word(datagram: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*datagram.get(at..)?.first_chunk()?))
}

fn put(datagram: &mut [u8], at: usize, value: u32) {
    if let Some(place) = datagram.get_mut(at..at + 4) {
        place.copy_from_slice(&value.to_be_bytes());
    }
}
