//! One leg's way from RTP packets to marked 8 kHz PCM, and to what may be heard in it.

use std::time::Duration;

use sidetone_codec::{AnalysisBand, Codec, Decoder};
use sidetone_emotion::listener::Listener;
use sidetone_emotion::mark::FrameMark;
use sidetone_emotion::pace::SyllableCounter;
use sidetone_emotion::vad::SpeechDetector;
use sidetone_rtp::RtpView;
use sidetone_rtp::reorder::{Packet, Played, Reorder, Settings, Timing};
use sidetone_rtp::telephone_event::Tracker;
use sidetone_sip::anchor::EndPlan;

/// Samples a second of everything that is listened to.
const RATE: u64 = 8_000;
/// A leg that sends nothing for this long is silent; the ear does not wait for its next packet to say so.
const SILENT_AFTER: Duration = Duration::from_millis(500);
/// What is left open when silence is assumed, for packets still on their way.
const SILENT_UNTIL: Duration = Duration::from_millis(200);
/// The longest silence written at once; a longer one is a leap.
const LONGEST_FILL: Duration = Duration::from_secs(30);

/// A leg's ear. What it may do is fixed when it is made: only one made of a [`Listener`], which needs a customer's
/// leg, leads to the network.
pub(super) struct Ear {
    role: Role,
    pace: SyllableCounter,
    syllables: u32,
    formats: Vec<(u8, Codec)>,
    decoder: Option<Decoding>,
    /// Taken out while its packets are worked on, since it lends out one payload at a time.
    reorder: Option<Box<Reorder>>,
    events: Tracker,
    resync: bool,
    clock_rate: u32,
    /// Call time of the first sample; none before it.
    begin: Option<Duration>,
    pushed: u64,
    /// Silence that was written before the stream itself told of it, in samples.
    ahead: u64,
    early: bool,
    held: bool,
    native: Vec<i16>,
    pcm: Vec<i16>,
}

/// What an ear leads to.
enum Role {
    /// Conduct and, through the network, affect.
    Listening(Box<Listener>),
    /// Conduct only.
    Attending(Box<SpeechDetector>),
}

struct Decoding {
    payload_type: u8,
    decoder: Decoder,
    band: AnalysisBand,
}

impl Ear {
    /// The customer's ear.
    pub(super) fn listening(listener: Listener) -> Self {
        Self::new(Role::Listening(Box::new(listener)))
    }

    /// The agent's ear: no emotion is heard by it.
    pub(super) fn attending() -> Self {
        Self::new(Role::Attending(Box::new(SpeechDetector::new())))
    }

    fn new(role: Role) -> Self {
        Self {
            role,
            pace: SyllableCounter::new(),
            syllables: 0,
            formats: Vec::new(),
            decoder: None,
            reorder: Some(Box::new(Reorder::new(Settings::default()))),
            events: Tracker::new(),
            resync: false,
            clock_rate: 8_000,
            begin: None,
            pushed: 0,
            ahead: 0,
            early: true,
            held: false,
            native: Vec::new(),
            pcm: Vec::new(),
        }
    }

    /// Payload types mean what the receiver's SDP says; a number that only the sender lists is taken at its word.
    pub(super) fn expect(&mut self, receiver: &EndPlan, sender: &EndPlan) {
        self.formats.clear();
        for format in receiver.formats.iter().chain(&sender.formats) {
            if self.formats.iter().any(|(known, _)| *known == format.payload_type) {
                continue;
            }
            let codec =
                Codec::from_rtpmap(&format.encoding, format.clock_rate, format.channels, &format.fmtp);
            if let Some(codec) = codec {
                self.formats.push((format.payload_type, codec));
            }
        }
        // A number may mean another codec now.
        self.decoder = None;
    }

    pub(super) fn answered(&mut self, _at: Duration) {
        self.early = false;
    }

    pub(super) fn held(&mut self, held: bool) {
        self.held = held;
    }

    fn codec(&self, payload_type: u8) -> Option<&Codec> {
        self.formats.iter().find(|(known, _)| *known == payload_type).map(|(_, codec)| codec)
    }

    /// A packet that came at call time `at`.
    pub(super) fn packet(&mut self, at: Duration, packet: &[u8]) {
        let Ok(view) = RtpView::parse(packet) else { return };
        let duration = match self.codec(view.payload_type()) {
            Some(codec) => {
                let duration = codec.duration(view.payload());
                if duration > 0 {
                    self.clock_rate = codec.clock_rate();
                }
                duration
            }
            None => 0,
        };
        if let Some(reorder) = &mut self.reorder {
            reorder.push(at, &view, Timing { clock_rate: self.clock_rate, duration });
        }
        self.play(at);
    }

    /// Time has come to `now` in the call.
    pub(super) fn advance(&mut self, now: Duration) {
        self.play(now);
        self.events.advance(now);
        let Some(begin) = self.begin else { return };
        let written = begin + samples(self.pushed);
        if now.saturating_sub(written) > SILENT_AFTER {
            let mark =
                if self.events.current().is_some() { FrameMark::Dtmf } else { FrameMark::ComfortNoise };
            let fill = count(now.saturating_sub(written).saturating_sub(SILENT_UNTIL).min(LONGEST_FILL));
            self.silence(fill, mark);
            self.ahead += fill;
        }
    }

    /// The audio is over.
    pub(super) fn finish(&mut self, now: Duration) {
        if let Some(reorder) = &mut self.reorder {
            reorder.finish();
        }
        self.play(now);
        match &mut self.role {
            Role::Listening(listener) => listener.finish(),
            Role::Attending(detector) => detector.finish(),
        }
    }

    /// Decoded audio that never was packets, at 8 kHz.
    pub(super) fn pcm(&mut self, pcm: &[i16]) {
        self.begin.get_or_insert(Duration::ZERO);
        self.early = false;
        self.give(pcm, FrameMark::Audio);
    }

    fn play(&mut self, now: Duration) {
        let Some(mut reorder) = self.reorder.take() else { return };
        while let Some(played) = reorder.pop(now) {
            match played {
                Played::Packet(packet) => self.decode(&packet),
                Played::Lost { ticks, .. } => self.conceal(ticks),
                Played::Silence { ticks } => {
                    let fill = self.in_samples(ticks);
                    let told = fill.min(self.ahead);
                    self.ahead -= told;
                    let mark = if self.events.current().is_some() {
                        FrameMark::Dtmf
                    } else {
                        FrameMark::ComfortNoise
                    };
                    self.silence(fill - told, mark);
                }
                Played::Restart { .. } => {
                    self.decoder = None;
                    self.events.restart(now);
                    self.resync = true;
                }
            }
        }
        self.reorder = Some(reorder);
    }

    fn decode(&mut self, packet: &Packet<'_>) {
        if std::mem::take(&mut self.resync) {
            self.leap_to(packet.arrived);
        }
        match self.codec(packet.payload_type) {
            Some(Codec::TelephoneEvent { .. }) => {
                self.events.receive(packet.arrived, packet.timestamp, packet.marker, packet.payload);
            }
            // What follows is silence by its timestamps; what it would sound like is of no interest here.
            Some(Codec::ComfortNoise { .. }) => {}
            Some(codec) => {
                let codec = *codec;
                self.begin.get_or_insert(packet.arrived);
                if self.decoder.as_ref().is_none_or(|decoding| decoding.payload_type != packet.payload_type) {
                    let Ok(decoder) = Decoder::for_analysis(&codec) else { return };
                    let Ok(band) = AnalysisBand::new(decoder.native_rate(), decoder.channels()) else {
                        return;
                    };
                    self.decoder = Some(Decoding { payload_type: packet.payload_type, decoder, band });
                }
                let Some(decoding) = &mut self.decoder else { return };
                self.native.clear();
                let decoded = decoding.decoder.decode(packet.payload, &mut self.native).is_ok();
                let mark = match (decoded, self.events.current()) {
                    (_, Some(_)) => FrameMark::Dtmf,
                    (true, None) => FrameMark::Audio,
                    // A payload that can't be decoded sounds as if it had been lost.
                    (false, None) => FrameMark::Concealed,
                };
                if !decoded {
                    self.native.clear();
                    decoding.decoder.conceal(
                        native_samples(packet.duration, decoding, self.clock_rate),
                        &mut self.native,
                    );
                }
                self.banded(mark);
            }
            None => {}
        }
    }

    fn conceal(&mut self, ticks: u32) {
        let Some(decoding) = &mut self.decoder else {
            let fill = self.in_samples(ticks);
            return self.silence(fill, FrameMark::Concealed);
        };
        self.native.clear();
        decoding.decoder.conceal(native_samples(ticks, decoding, self.clock_rate), &mut self.native);
        self.banded(FrameMark::Concealed);
    }

    /// What the decoder made, brought to 8 kHz and given on.
    fn banded(&mut self, mark: FrameMark) {
        let Some(decoding) = &mut self.decoder else { return };
        let mut pcm = std::mem::take(&mut self.pcm);
        pcm.clear();
        decoding.band.push(&self.native, &mut pcm);
        self.give(&pcm, mark);
        self.pcm = pcm;
    }

    fn silence(&mut self, samples: u64, mark: FrameMark) {
        const ZEROS: [i16; 800] = [0; 800];
        let mut left = usize::try_from(samples).unwrap_or(0);
        while left > 0 {
            let piece = left.min(ZEROS.len());
            self.give(ZEROS.get(..piece).unwrap_or_default(), mark);
            left -= piece;
        }
    }

    /// Brings the leg's timeline to a packet's arrival, after a break that nobody measured in ticks.
    fn leap_to(&mut self, at: Duration) {
        let Some(begin) = self.begin else { return };
        let written = begin + samples(self.pushed);
        self.silence(count(at.saturating_sub(written).min(LONGEST_FILL)), FrameMark::ComfortNoise);
        self.ahead = 0;
    }

    fn give(&mut self, pcm: &[i16], mark: FrameMark) {
        let mark = match mark {
            FrameMark::Audio | FrameMark::Concealed if self.held => FrameMark::Hold,
            FrameMark::Audio | FrameMark::Concealed if self.early => FrameMark::Early,
            other => other,
        };
        self.pushed += pcm.len() as u64;
        if mark.is_voice() {
            self.syllables += self.pace.push(pcm);
        }
        match &mut self.role {
            Role::Listening(listener) => listener.push(pcm, mark),
            Role::Attending(detector) => detector.push(pcm, mark),
        }
    }

    fn in_samples(&self, ticks: u32) -> u64 {
        u64::from(ticks) * RATE / u64::from(self.clock_rate.max(1))
    }

    /// From media time to call time.
    pub(super) fn call_time(&self, media: Duration) -> Duration {
        self.begin.unwrap_or_default() + media
    }

    /// The next piece of speech, in call time.
    pub(super) fn poll_speech(&mut self) -> Option<(Duration, Duration)> {
        let segment = match &mut self.role {
            Role::Listening(listener) => listener.poll_speech(),
            Role::Attending(detector) => detector.poll(),
        }?;
        Some((self.call_time(segment.from), self.call_time(segment.to)))
    }

    /// Syllables since the last time.
    pub(super) fn take_syllables(&mut self) -> u32 {
        std::mem::take(&mut self.syllables)
    }

    pub(super) fn listener(&self) -> Option<&Listener> {
        match &self.role {
            Role::Listening(listener) => Some(listener),
            Role::Attending(_) => None,
        }
    }

    pub(super) fn listener_mut(&mut self) -> Option<&mut Listener> {
        match &mut self.role {
            Role::Listening(listener) => Some(listener),
            Role::Attending(_) => None,
        }
    }

    /// Audio that was given to the listener, of whatever kind.
    pub(super) fn listened(&self) -> Duration {
        self.listener().map_or(Duration::ZERO, Listener::heard)
    }
}

fn samples(count: u64) -> Duration {
    Duration::from_micros(count * (1_000_000 / RATE))
}

fn count(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(0) * RATE / 1_000_000
}

fn native_samples(ticks: u32, decoding: &Decoding, clock_rate: u32) -> usize {
    let native = u64::from(ticks) * u64::from(decoding.decoder.native_rate()) / u64::from(clock_rate.max(1));
    usize::try_from(native).unwrap_or(0)
}
