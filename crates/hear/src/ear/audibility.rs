//! Whether arriving packets can be heard. Packets that yield no sound for ten seconds are reported once, with the
//! reason; the report is withdrawn when sound comes after all.
//!
//! A second is judged by its majority, since a decoder makes sound of many a packet that it was not meant for. Packets
//! without sound by their nature (telephone-events, comfort noise) count on neither side. Decoding alone is not enough:
//! packets whose sound fills less than a quarter of the time between them count as yielding none.

use sidetone_call::Untappable;
use std::time::Duration;

use sidetone_codec::Codec;

/// Packets must yield no sound for this long before that is reported.
const UNHEARD: Duration = Duration::from_secs(10);
/// The period that is judged at once.
const SECOND: Duration = Duration::from_secs(1);
/// A pause this long separates one stream from the next: packets that keep a NAT's port open (RFC 6263) come less
/// often.
const PAUSE: Duration = Duration::from_secs(2);
/// Sound must fill one part in this many of the time that passes: shorter pieces are snippets, from payloads that were
/// cut.
const LEAST_SHARE: u32 = 4;
/// The time between two packets counts up to this. A longer gap is silence that was not sent, and with whole packets at
/// either end of it (10 ms are the shortest in use) it is no fault.
const LONGEST_GAP: Duration = Duration::from_millis(40);
/// This many packets make a stream: a second of audio.
const STREAM: u32 = 50;
/// The octets by which SRTP lengthens a payload: its authentication tag of 32 or 80 bits (RFC 3711 §5.2), 128 bits of
/// AEAD (RFC 7714 §12), each also with a key identifier of four octets.
const SRTP_TAGS: [u32; 6] = [4, 8, 10, 14, 16, 20];

/// A change of audibility.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audible {
    /// Whether there is sound again; otherwise there is none.
    pub restored: bool,
    /// Why there was, or is, no sound.
    pub reason: Untappable,
}

/// Counts of packets: heard, and not heard by reason.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    heard: u32,
    codec: u32,
    payload_type: u32,
    undecodable: u32,
    /// Packets without use beside the others: too late, or duplicates by their numbers.
    superfluous: u32,
    /// The length of the sound heard, and the time that passed.
    sound: Duration,
    time: Duration,
}

impl Counts {
    const fn unheard(self) -> u32 {
        self.codec.saturating_add(self.payload_type).saturating_add(self.undecodable)
    }

    /// Snippets are not heard. Superfluous packets are the network's doing if others are heard; otherwise their sender
    /// numbers packets wrongly.
    fn judged(mut self) -> Self {
        if self.sound.saturating_mul(LEAST_SHARE) < self.time {
            self.undecodable = self.undecodable.saturating_add(std::mem::take(&mut self.heard));
        }
        if self.heard == 0 {
            self.undecodable = self.undecodable.saturating_add(self.superfluous);
        }
        self.superfluous = 0;
        self
    }

    /// Counts a packet whose sound has this length, or none, and that came this long after the previous one.
    fn count(&mut self, heard: Result<Duration, Untappable>, after: Duration) {
        let count = match heard {
            Ok(sound) => {
                self.sound = self.sound.saturating_add(sound);
                self.time = self.time.saturating_add(after.min(LONGEST_GAP));
                &mut self.heard
            }
            Err(Untappable::UnknownCodec) => &mut self.codec,
            Err(Untappable::UnknownPayloadType) => &mut self.payload_type,
            Err(_) => &mut self.undecodable,
        };
        *count = count.saturating_add(1);
    }

    fn add(&mut self, other: Self) {
        self.codec = self.codec.saturating_add(other.codec);
        self.payload_type = self.payload_type.saturating_add(other.payload_type);
        self.undecodable = self.undecodable.saturating_add(other.undecodable);
    }

    fn reason(self) -> Untappable {
        if self.codec >= self.payload_type.max(self.undecodable) {
            Untappable::UnknownCodec
        } else if self.payload_type >= self.undecodable {
            Untappable::UnknownPayloadType
        } else {
            Untappable::Undecodable
        }
    }
}

/// The previous audio packet.
#[derive(Debug, Clone, Copy)]
struct Before {
    sequence: u64,
    timestamp: u32,
    duration: u32,
}

/// Watches the packets of one leg.
#[derive(Debug, Default)]
pub(super) struct Audibility {
    /// When the second that is being counted began, with its first packet.
    begun: Option<Duration>,
    second: Counts,
    /// When the seconds without sound began, and their counts.
    since: Option<Duration>,
    unheard: Counts,
    newest: Duration,
    before: Option<Before>,
    told: Option<Untappable>,
    change: Option<Audible>,
}

impl Audibility {
    /// A packet that should carry sound came at `at`; `heard` is its yield.
    pub(super) fn packet(&mut self, at: Duration, heard: Result<Duration, Untappable>) {
        self.advance(at);
        let after = at.saturating_sub(self.newest);
        if at.saturating_sub(self.newest) > PAUSE {
            (self.since, self.unheard) = (None, Counts::default());
        }
        self.newest = self.newest.max(at);
        self.begun.get_or_insert(at);
        self.second.count(heard, after);
    }

    /// A packet came at `at` that is too late, or a duplicate by its number.
    pub(super) fn superfluous(&mut self, at: Duration) {
        self.advance(at);
        self.newest = self.newest.max(at);
        self.begun.get_or_insert(at);
        self.second.superfluous = self.second.superfluous.saturating_add(1);
    }

    /// Advances to `now`.
    pub(super) fn advance(&mut self, now: Duration) {
        let Some(begun) = self.begun.filter(|begun| now.saturating_sub(*begun) >= SECOND) else { return };
        self.begun = None;
        let second = std::mem::take(&mut self.second).judged();
        if second.heard >= second.unheard() {
            (self.since, self.unheard) = (None, Counts::default());
            if let Some(reason) = self.told.take() {
                self.change = Some(Audible { restored: true, reason });
            }
            return;
        }
        let since = *self.since.get_or_insert(begun);
        self.unheard.add(second);
        let long = (begun + SECOND).saturating_sub(since) >= UNHEARD;
        if long && self.told.is_none() && self.unheard.unheard() >= STREAM {
            let reason = self.unheard.reason();
            self.told = Some(reason);
            self.change = Some(Audible { restored: false, reason });
        }
    }

    /// Whether an audio packet can be of its codec: one that is longer than the time to the next is encrypted, or of
    /// another codec. Any bytes can be decoded as G.711, and sound like noise.
    pub(super) fn fits(&mut self, codec: &Codec, sequence: u64, timestamp: u32, duration: u32) -> bool {
        let before = self.before.replace(Before { sequence, timestamp, duration });
        let Some(before) = before.filter(|before| before.sequence + 1 == sequence) else {
            return true;
        };
        let step = timestamp.wrapping_sub(before.timestamp);
        let Some(excess) = before.duration.checked_sub(step).filter(|_| step > 0) else { return true };
        match codec {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => !SRTP_TAGS.contains(&excess),
            // The first octet, which states an Opus packet's length, is encrypted too.
            Codec::Opus(_) => excess == 0,
            _ => true,
        }
    }

    /// The change since the last time.
    pub(super) fn poll(&mut self) -> Option<Audible> {
        self.change.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    const FRAME: Duration = ms(20);

    /// Sends a packet each 20 ms; returns the reports and their times.
    fn run(
        this: &mut Audibility,
        from: u64,
        to: u64,
        heard: impl Fn(u64) -> Option<Result<Duration, Untappable>>,
    ) -> Vec<(u64, Audible)> {
        let mut told = Vec::new();
        for now in (from..to).step_by(20) {
            if let Some(heard) = heard(now) {
                this.packet(ms(now), heard);
            }
            this.advance(ms(now));
            told.extend(this.poll().map(|change| (now, change)));
        }
        told
    }

    const LOST: Audible = Audible { restored: false, reason: Untappable::UnknownPayloadType };

    #[test]
    fn ten_seconds_without_sound_are_told_once_and_taken_back_once() {
        let mut this = Audibility::default();
        assert_eq!(run(&mut this, 0, 5_000, |_| Some(Ok(FRAME))), []);
        let unheard = |_| Some(Err(Untappable::UnknownPayloadType));
        assert_eq!(run(&mut this, 5_000, 60_000, unheard), [(15_000, LOST)]);
        assert_eq!(
            run(&mut this, 60_000, 90_000, |_| Some(Ok(FRAME))),
            [(61_000, Audible { restored: true, ..LOST })]
        );
        assert_eq!(run(&mut this, 90_000, 99_900, unheard), []);
    }

    #[test]
    fn the_reason_is_that_of_the_most() {
        let mut this = Audibility::default();
        let mixed = |now| {
            let cut = now % 200 == 0;
            Some(Err(if cut { Untappable::Undecodable } else { Untappable::UnknownCodec }))
        };
        let told = run(&mut this, 0, 12_000, mixed);
        assert_eq!(told, [(10_000, Audible { restored: false, reason: Untappable::UnknownCodec })]);
    }

    /// Half of an encrypted Opus stream's packets happen to be decodable.
    #[test]
    fn a_second_is_judged_by_its_majority() {
        let mut this = Audibility::default();
        let third = |now| Some(if now % 60 == 0 { Ok(FRAME) } else { Err(Untappable::Undecodable) });
        assert_eq!(run(&mut this, 0, 11_000, third).len(), 1);
        let mut this = Audibility::default();
        let damaged = |now| Some(if now % 60 == 0 { Err(Untappable::Undecodable) } else { Ok(FRAME) });
        assert_eq!(run(&mut this, 0, 60_000, damaged), []);
    }

    /// Cut payloads can be decoded, and yield next to nothing: 1 to 39 octets of G.711 where 160 should be.
    #[test]
    fn snippets_are_not_heard() {
        let cut = Audible { restored: false, reason: Untappable::Undecodable };
        for octets in [1, 2, 5, 20, 39] {
            let mut this = Audibility::default();
            let snippet = |_| Some(Ok(Duration::from_micros(125 * octets)));
            assert_eq!(run(&mut this, 0, 20_000, snippet), [(10_000, cut)], "{octets}");
            assert_eq!(run(&mut this, 20_000, 40_000, |_| Some(Ok(FRAME))).len(), 1, "{octets}");
        }
        for octets in [40, 80] {
            let mut this = Audibility::default();
            let short = |_| Some(Ok(Duration::from_micros(125 * octets)));
            assert_eq!(run(&mut this, 0, 20_000, short), [], "{octets}");
        }
    }

    /// Whole packets with long gaps between them, as in a pause whose noise is sent now and then.
    #[test]
    fn silence_that_is_not_sent_is_no_fault() {
        for every in [40, 60, 200, 400] {
            for frame in [10, 20] {
                let mut this = Audibility::default();
                let noise = |now| (now % every == 0).then_some(Ok(ms(frame)));
                assert_eq!(run(&mut this, 0, 60_000, noise), [], "{frame} ms each {every} ms");
            }
        }
    }

    #[test]
    fn silence_and_keep_alives_are_no_stream() {
        let mut this = Audibility::default();
        assert_eq!(run(&mut this, 0, 60_000, |_| None), []);
        let seldom = |now| (now % 15_000 == 0).then_some(Err(Untappable::UnknownPayloadType));
        assert_eq!(run(&mut this, 60_000, 4_000_000, seldom), []);
        let now_and_then = |now| (now % 1_000 == 0).then_some(Err(Untappable::UnknownPayloadType));
        assert_eq!(run(&mut this, 4_000_000, 4_030_000, now_and_then), []);
    }

    #[test]
    fn what_is_longer_than_its_time_is_encrypted() {
        let fits = |codec: &Codec, duration, step: u32| {
            let mut this = Audibility::default();
            (0..5_u16).all(|n| this.fits(codec, n.into(), u32::from(n) * step, duration))
        };
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
            assert!(fits(&codec, 160, 160) && fits(&codec, 160, 8_000), "{codec:?}");
            assert!(fits(&codec, 240, 160), "a careless clock");
            for tag in SRTP_TAGS {
                assert!(!fits(&codec, 160 + tag, 160), "{codec:?} {tag}");
            }
        }
        let opus = Codec::from_rtpmap("opus", 48_000, 2, "").unwrap();
        assert!(fits(&opus, 960, 960) && fits(&opus, 960, 19_200));
        assert!(!fits(&opus, 2_880, 960));
    }
}
