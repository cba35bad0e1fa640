//! Announcements toward one party of a stream: the current one, when its next packet is due, and how it is spliced into
//! the other party's packets.

use std::time::Duration;

use sidetone_announce::{Playback, Voice};
use sidetone_rtp::RtpHeader;
use sidetone_rtp::splice::{Settled, Splice};

/// After a longer break than this an announcement begins again: half a sentence is no disclosure.
const BREAK: Duration = Duration::from_secs(2);
/// A sender this late does not catch up: the packets would come in a burst.
const TOO_LATE: Duration = Duration::from_millis(100);

/// Names one announcement in one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlayId(pub u64);

/// The progress of an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Playing {
    /// The first packet of the announcement has been sent.
    Began,
    /// The announcement is over.
    Ended {
        /// Whether the party was sent all of it.
        whole: bool,
        /// The length that was played.
        played: Duration,
    },
}

/// One direction of a stream.
#[derive(Debug)]
pub(super) struct Voiceover {
    pub(super) splice: Splice,
    act: Option<Box<Act>>,
}

/// One announcement under way.
#[derive(Debug)]
struct Act {
    id: PlayId,
    playback: Playback,
    began: bool,
    /// When its next packet is to be sent; `None` while the party can't be sent anything.
    due: Option<Duration>,
    /// Since when nothing can be sent.
    paused: Duration,
}

/// The result of an attempt to send the next packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    /// There is a packet to send.
    Packet { began: Option<PlayId> },
    /// Nothing to do.
    Nothing,
    /// All of the announcement has been sent.
    Over(PlayId, Duration),
}

impl Voiceover {
    pub(super) fn new(seed: u64) -> Self {
        Self { splice: Splice::new(seed), act: None }
    }

    /// Begins an announcement, replacing the current one, if any; returns that one.
    pub(super) fn play(
        &mut self,
        now: Duration,
        id: PlayId,
        playback: Playback,
    ) -> Option<(PlayId, Duration)> {
        let before = self.stop(None);
        let due = self.splice.due().map_or(now, |due| due.max(now));
        // A stream that has been silent for a while has no pace to keep.
        let due = if due > now + TOO_LATE { now } else { due };
        self.act = Some(Box::new(Act { id, playback, began: false, due: Some(due), paused: now }));
        before
    }

    /// Stops the current announcement, or only the one with this id.
    pub(super) fn stop(&mut self, id: Option<PlayId>) -> Option<(PlayId, Duration)> {
        if id.is_some_and(|id| self.act.as_ref().is_none_or(|act| act.id != id)) {
            return None;
        }
        let act = self.act.take()?;
        self.splice.end();
        Some((act.id, act.playback.played()))
    }

    /// Takes other formats.
    pub(super) fn revoice(&mut self, voices: Vec<Voice>) {
        if let Some(act) = &mut self.act {
            act.playback.revoice(voices);
        }
    }

    /// How packets of the other party's leave, if that doesn't change by itself.
    pub(super) fn settled(&self, ssrc: u32) -> Option<Settled> {
        if self.act.is_some() { None } else { self.splice.settled(ssrc) }
    }

    /// When the next packet is to be sent.
    pub(super) fn due(&self) -> Option<Duration> {
        self.act.as_ref()?.due
    }

    /// Notes whether the party can be sent media.
    pub(super) fn reachable(&mut self, now: Duration, reachable: bool) {
        let Some(act) = &mut self.act else { return };
        match (reachable, act.due) {
            (false, Some(_)) => {
                act.due = None;
                act.paused = now;
                // The other party's packets are no longer held back.
                self.splice.end();
            }
            (true, None) => {
                if now.saturating_sub(act.paused) > BREAK {
                    act.playback.rewind();
                }
                act.due = Some(now);
            }
            _ => {}
        }
    }

    /// A packet of the other party's sound was held back.
    pub(super) fn held(&mut self, payload_type: u8, payload: &[u8]) {
        if let Some(act) = &mut self.act {
            act.playback.under(payload_type, payload);
        }
    }

    /// Writes the next packet. `source` is the payload type that the other party sends with.
    pub(super) fn speak(&mut self, now: Duration, source: Option<u8>, packet: &mut Vec<u8>) -> Spoken {
        let Some(act) = &mut self.act else { return Spoken::Nothing };
        let Some(due) = act.due else { return Spoken::Nothing };
        if !act.began
            && let Some(source) = source
        {
            act.playback.prefer(source);
        }
        packet.clear();
        // The header is written last: its timestamp step depends on the payload.
        packet.resize(sidetone_rtp::header::FIXED_HEADER, 0);
        let Some(frame) = act.playback.next(packet) else {
            let (id, played) = (act.id, act.playback.played());
            self.act = None;
            self.splice.end();
            return Spoken::Over(id, played);
        };
        if packet.len() <= sidetone_rtp::header::FIXED_HEADER {
            // A codec may decide that silence need not be sent.
            act.due = Some(due + frame.ptime);
            return Spoken::Nothing;
        }
        let began = (!std::mem::replace(&mut act.began, true)).then_some(act.id);
        let next = due + frame.ptime;
        act.due = Some(if now > next + TOO_LATE { now + frame.ptime } else { next });
        self.splice.begin();
        let octets = packet.len() - sidetone_rtp::header::FIXED_HEADER;
        let stamp = self.splice.insert(due.min(now), frame.ticks, frame.clock, octets);
        let header = RtpHeader {
            payload_type: frame.payload_type,
            marker: stamp.marker,
            sequence: stamp.sequence,
            timestamp: stamp.timestamp,
            ssrc: stamp.ssrc,
        };
        if header.put(packet).is_err() {
            return Spoken::Nothing;
        }
        Spoken::Packet { began }
    }
}
