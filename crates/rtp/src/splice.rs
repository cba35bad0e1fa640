//! One stream out of two sources: packets of our own between those of a party, without the listener's noticing.
//!
//! A listener that is played an announcement in the middle of a call must see one stream: one SSRC, sequence numbers
//! without a gap, timestamps that run on, and sender reports that agree with them (RFC 3550 §5.1, §6.4.1). Before the
//! first announcement a [`Splice`] only watches, and everything passes as it came. Afterwards the source's numbers are
//! shifted by constants, until the source begins a new stream, which again passes as it comes.

mod control;

use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::header::RtpView;
use crate::sequence::{MAX_MISORDER, step, ticks_between};

/// A pause up to this long is none: the next packet follows the one before as if it had come in time. It is longer
/// than a packet and shorter than any pause that a talker makes.
const SEAMLESS: Duration = Duration::from_millis(100);

/// Most packets of our own that may have been sent since what another process has written down.
const MOST_UNKNOWN: u128 = 3_000;

/// The longest time between two packets that is taken for the length of the first.
const LONGEST_PACKET_MS: u32 = 200;

/// The header fields of a packet for the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Synchronisation source.
    pub ssrc: u32,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp.
    pub timestamp: u32,
    /// Whether a talkspurt begins: the listener may adapt its delay here (RFC 3551 §4.1).
    pub marker: bool,
}

/// The verdict on a packet of the source's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The packet goes on as it came.
    AsItIs,
    /// The packet goes on with these fields.
    As(Stamp),
    /// The packet is held back.
    Held,
}

/// The content of a packet of the source's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Sound, or a description of its absence.
    Sound,
    /// A telephone-event: it passes even while sound is held back.
    Event,
}

/// How all packets of a source leave from now on, until something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// As they came.
    AsItIs,
    /// With another SSRC, and these added to sequence number and timestamp.
    Shifted {
        /// The SSRC that the listener knows.
        ssrc: u32,
        /// To add, modulo 2^16.
        sequence: u16,
        /// To add, modulo 2^32.
        timestamp: u32,
    },
}

/// How packets are numbered for their listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bearing {
    /// As they came.
    AsItIs,
    /// Something of our own is sent, or was a moment ago.
    Changing,
    /// By constants.
    Shifted {
        /// The SSRC of the source.
        source: u32,
        /// The SSRC that the listener knows.
        listener: u32,
        /// Added to the sequence number.
        sequence: u16,
        /// Added to the timestamp; not known before sound has come.
        timestamp: Option<u32>,
    },
}

/// One direction of a stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Splice {
    mode: Mode,
    /// The newest packet that the listener got.
    newest: Option<Sent>,
    /// The event under way: its timestamp at the source, and at the listener.
    event: Option<(u32, u32)>,
    /// The SSRC of the source's newest sound.
    sound: Option<u32>,
    /// Packets and octets that the listener has been sent under the present SSRC, modulo 2^32.
    packets: u32,
    octets: u32,
    /// The stream to begin should the source not have begun one.
    own: Stamp,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Mode {
    /// The source's packets pass as they come.
    Watching,
    /// Sound of our own is sent; the source's is held back.
    Inserting,
    /// The source has its turn again; its next packet is joined to the last one of ours.
    Joining,
    /// It has been joined.
    Shifted(Shift),
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Sent {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// How much sound the packet holds.
    ticks: u32,
    clock: u32,
    at: Duration,
}

/// How the source's numbers become the listener's.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Shift {
    source: u32,
    listener: u32,
    sequence: u16,
    /// Not known before sound has come.
    timestamp: Option<u32>,
    /// The first sequence number of the source's that is let through; forgotten when far behind, since numbers wrap.
    floor: Option<u16>,
}

impl Splice {
    /// A splice that has seen nothing. `seed` gives the numbers with which our own stream begins, should the source
    /// have sent nothing before; they ought to be unpredictable (RFC 3550 §5.1).
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // SplitMix64: neighbouring seeds have nothing in common.
        let mixed = |n: u64| {
            let mut z = seed.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        let (first, second) = (mixed(1), mixed(2));
        let own = Stamp {
            ssrc: (first >> 32) as u32,
            sequence: first as u16,
            timestamp: second as u32,
            marker: true,
        };
        Self { mode: Mode::Watching, newest: None, event: None, sound: None, packets: 0, octets: 0, own }
    }

    /// A packet of the source's wants to go on. `clock` is the RTP clock of its payload in Hz.
    pub fn forward(&mut self, now: Duration, packet: &RtpView<'_>, clock: u32, content: Content) -> Verdict {
        match content {
            Content::Sound => self.sound = Some(packet.ssrc()),
            // Events under an SSRC of their own are a stream of their own: nothing of ours is joined to it.
            Content::Event if self.sound.is_some_and(|sound| sound != packet.ssrc()) => {
                return Verdict::AsItIs;
            }
            Content::Event => {}
        }
        let verdict = match self.mode {
            Mode::Watching => self.watch(now, packet, clock, content),
            Mode::Inserting => match content {
                Content::Sound => Verdict::Held,
                Content::Event => self.beside(packet),
            },
            Mode::Joining => self.join(now, packet, clock, content),
            Mode::Shifted(shift) if shift.source == packet.ssrc() => {
                self.shifted(now, packet, clock, content, shift)
            }
            Mode::Shifted(_) => {
                // A new stream is the source's own affair.
                self.mode = Mode::Watching;
                self.event = None;
                self.watch(now, packet, clock, content)
            }
        };
        if verdict != Verdict::Held {
            self.packets = self.packets.wrapping_add(1);
            self.octets = self.octets.wrapping_add(u32::try_from(packet.payload().len()).unwrap_or(0));
        }
        verdict
    }

    /// Sound of our own follows: the source's is held back from now on.
    pub fn begin(&mut self) {
        self.mode = Mode::Inserting;
    }

    /// When the next packet of ours is due so that it keeps the pace of those before it; `None` for at once.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        self.newest.map(|newest| newest.at + length(newest.ticks, newest.clock))
    }

    /// The fields of the next packet of our own. It holds `ticks` of sound at `clock` Hz, in `octets` of payload, and
    /// is sent at `now`.
    pub fn insert(&mut self, now: Duration, ticks: u32, clock: u32, octets: usize) -> Stamp {
        let stamp = match self.newest {
            None => self.own,
            Some(newest) => {
                let (timestamp, marker) = newest.followed_at(now, clock);
                let sequence = newest.sequence.wrapping_add(1);
                Stamp { ssrc: newest.ssrc, sequence, timestamp, marker }
            }
        };
        let Stamp { ssrc, sequence, timestamp, .. } = stamp;
        self.newest = Some(Sent { ssrc, sequence, timestamp, ticks, clock, at: now });
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(u32::try_from(octets).unwrap_or(0));
        stamp
    }

    /// The source has its turn again: its next packet follows the last one of ours.
    pub fn end(&mut self) {
        if matches!(self.mode, Mode::Inserting) {
            self.mode = if self.newest.is_some() { Mode::Joining } else { Mode::Watching };
        }
    }

    /// Whether packets leave with other numbers than they came with.
    #[must_use]
    pub fn alters(&self) -> bool {
        !matches!(self.mode, Mode::Watching)
    }

    /// How packets of this SSRC of the source's leave, if it is the same for all that follow: unaltered, or with
    /// numbers shifted by constants. `None` while sound of ours is sent, and for some two seconds after it.
    #[must_use]
    pub fn settled(&self, ssrc: u32) -> Option<Settled> {
        match self.mode {
            Mode::Watching => Some(Settled::AsItIs),
            Mode::Shifted(Shift { source, listener, sequence, timestamp: Some(timestamp), floor: None })
                if source == ssrc =>
            {
                Some(Settled::Shifted { ssrc: listener, sequence, timestamp })
            }
            _ => None,
        }
    }

    /// How the source's packets are numbered for the listener, to be compared with what it was before.
    #[must_use]
    pub fn bearing(&self) -> Bearing {
        match self.mode {
            Mode::Watching => Bearing::AsItIs,
            Mode::Inserting | Mode::Joining => Bearing::Changing,
            Mode::Shifted(Shift { source, listener, sequence, timestamp, .. }) => {
                Bearing::Shifted { source, listener, sequence, timestamp }
            }
        }
    }

    /// Goes on in another process, some time after what was last known here. Sound of our own that was being sent is
    /// cut off; the source's next packet is joined to it, with room for what was sent in between: numbers that the
    /// listener has seen already must not come again.
    pub fn resume(&mut self, now: Duration) {
        if !matches!(self.mode, Mode::Inserting | Mode::Joining) {
            return;
        }
        self.mode = Mode::Joining;
        if let Some(newest) = &mut self.newest {
            let length = u64::from(newest.ticks.max(1)) * 1_000 / u64::from(newest.clock.max(1));
            let gone = now.saturating_sub(newest.at).as_millis() / u128::from(length.max(1));
            let sent = u16::try_from(gone.min(MOST_UNKNOWN)).unwrap_or(u16::MAX);
            newest.sequence = newest.sequence.wrapping_add(sent);
            newest.timestamp = newest.timestamp.wrapping_add(newest.ticks.wrapping_mul(u32::from(sent)));
            newest.at = now;
        }
    }

    fn watch(&mut self, now: Duration, packet: &RtpView<'_>, clock: u32, content: Content) -> Verdict {
        if self.newest.is_some_and(|newest| newest.ssrc != packet.ssrc()) {
            self.newest = None;
            self.event = None;
            self.packets = 0;
            self.octets = 0;
        }
        if content == Content::Event {
            // Should a key be held when sound of ours begins, its packets go on bearing this timestamp.
            self.event = Some((packet.timestamp(), packet.timestamp()));
        }
        self.note(now, packet.ssrc(), packet.sequence(), packet.timestamp(), clock, content);
        Verdict::AsItIs
    }

    /// An event beside sound of our own.
    fn beside(&mut self, packet: &RtpView<'_>) -> Verdict {
        let Some(newest) = &mut self.newest else { return Verdict::Held };
        newest.sequence = newest.sequence.wrapping_add(1);
        let Sent { ssrc, sequence, timestamp, .. } = *newest;
        let timestamp = self.event_at(packet.timestamp(), timestamp);
        Verdict::As(Stamp { ssrc, sequence, timestamp, marker: packet.marker() })
    }

    /// All packets of an event bear the timestamp of its beginning (RFC 4733 §2.2).
    fn event_at(&mut self, source: u32, begins: u32) -> u32 {
        match self.event {
            Some((known, listener)) if known == source => listener,
            _ => {
                self.event = Some((source, begins));
                begins
            }
        }
    }

    fn join(&mut self, now: Duration, packet: &RtpView<'_>, clock: u32, content: Content) -> Verdict {
        let Some(newest) = self.newest else {
            self.mode = Mode::Watching;
            return self.watch(now, packet, clock, content);
        };
        let shift = Shift {
            source: packet.ssrc(),
            listener: newest.ssrc,
            sequence: newest.sequence.wrapping_add(1).wrapping_sub(packet.sequence()),
            timestamp: None,
            floor: Some(packet.sequence()),
        };
        self.shifted(now, packet, clock, content, shift)
    }

    fn shifted(
        &mut self,
        now: Duration,
        packet: &RtpView<'_>,
        clock: u32,
        content: Content,
        mut shift: Shift,
    ) -> Verdict {
        if let Some(floor) = shift.floor {
            match i32::from(step(floor, packet.sequence())) {
                // Sent before the join: its place has been taken by a packet of ours.
                ahead if ahead < 0 && -ahead <= i32::from(MAX_MISORDER) => return Verdict::Held,
                ahead if ahead > i32::from(MAX_MISORDER) => shift.floor = None,
                _ => {}
            }
        }
        let mut marker = packet.marker();
        let timestamp = match (content, shift.timestamp) {
            (Content::Event, _) => {
                let newest = self.newest.map_or(0, |newest| newest.timestamp);
                let begins = shift.timestamp.map_or(newest, |by| packet.timestamp().wrapping_add(by));
                self.event_at(packet.timestamp(), begins)
            }
            (Content::Sound, Some(by)) => packet.timestamp().wrapping_add(by),
            (Content::Sound, None) => {
                let (timestamp, pause) =
                    self.newest.map_or((packet.timestamp(), false), |newest| newest.followed_at(now, clock));
                shift.timestamp = Some(timestamp.wrapping_sub(packet.timestamp()));
                marker |= pause;
                timestamp
            }
        };
        let sequence = packet.sequence().wrapping_add(shift.sequence);
        self.mode = Mode::Shifted(shift);
        self.note(now, shift.listener, sequence, timestamp, clock, content);
        Verdict::As(Stamp { ssrc: shift.listener, sequence, timestamp, marker })
    }

    /// Keeps in mind what the listener was sent last.
    fn note(
        &mut self,
        now: Duration,
        ssrc: u32,
        sequence: u16,
        timestamp: u32,
        clock: u32,
        content: Content,
    ) {
        let twenty_ms = clock / 50;
        let Some(newest) = &mut self.newest else {
            self.newest = Some(Sent { ssrc, sequence, timestamp, ticks: twenty_ms, clock, at: now });
            return;
        };
        let ahead = step(newest.sequence, sequence);
        if ahead <= 0 && ahead > -MAX_MISORDER.cast_signed() {
            return;
        }
        newest.sequence = sequence;
        if content == Content::Event {
            return;
        }
        let since = ticks_between(newest.timestamp, timestamp);
        let longest = i32::try_from(clock / 1_000 * LONGEST_PACKET_MS).unwrap_or(i32::MAX);
        newest.ticks = match u32::try_from(since) {
            Ok(ticks) if ahead == 1 && since > 0 && since <= longest => ticks,
            _ if clock == newest.clock => newest.ticks,
            _ => twenty_ms,
        };
        newest.timestamp = timestamp;
        newest.clock = clock;
        newest.at = now;
    }
}

impl Sent {
    /// The timestamp of sound that follows at `now`, and whether there was a pause before it.
    fn followed_at(&self, now: Duration, clock: u32) -> (u32, bool) {
        let since = now.saturating_sub(self.at);
        if since <= length(self.ticks, self.clock) + SEAMLESS {
            return (self.timestamp.wrapping_add(self.ticks), false);
        }
        let ticks = since.as_micros() * u128::from(clock) / 1_000_000;
        // Longer than the packet itself, as `since` is.
        (self.timestamp.wrapping_add(ticks as u32), true)
    }
}

/// How long so many ticks last.
fn length(ticks: u32, clock: u32) -> Duration {
    Duration::from_micros(u64::from(ticks) * 1_000_000 / u64::from(clock.max(1)))
}
