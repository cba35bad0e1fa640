//! One leg's way from RTP packets to marked 8 kHz PCM, and to what may be heard in it.

mod keys;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
mod timeline;

use std::time::Duration;

use sidetone_codec::{AnalysisBand, Codec, Decoder};
use sidetone_consent::Medium;
use sidetone_emotion::listener::Listener;
use sidetone_emotion::mark::FrameMark;
use sidetone_emotion::pace::SyllableCounter;
use sidetone_emotion::vad::SpeechDetector;
use sidetone_rtp::RtpView;
use sidetone_rtp::reorder::{Packet, Played, Reorder, Settings, Timing};
use sidetone_rtp::telephone_event::Tracker;
use sidetone_sip::anchor::EndPlan;

pub(super) use keys::Keys;
use timeline::{RATE, Timeline, samples};

/// The longest loss that is concealed, in samples: 1 s. Concealment has long faded by then.
const LONGEST_CONCEALED: u64 = RATE;

/// A leg's ear. It begins deaf to all but keys; what it may do later is in what it is given: only a [`Listener`], which
/// needs a customer's leg, leads to the network.
pub(super) struct Ear {
    role: Role,
    /// Media time when the role was taken up: what it says of time counts from there.
    role_since: u64,
    keys: Option<Keys>,
    pace: SyllableCounter,
    syllables: u32,
    formats: Vec<(u8, Codec)>,
    decoder: Option<Decoding>,
    /// Taken out while its packets are worked on, since it lends out one payload at a time.
    reorder: Option<Box<Reorder>>,
    events: Tracker,
    /// The newest packet was a telephone-event.
    after_event: bool,
    /// Ticks lost, to be concealed once the packet behind them is known: it may hold what was lost.
    lost: u32,
    resync: bool,
    timeline: Timeline,
    /// Samples that were given on as a voice.
    voiced: u64,
    early: bool,
    held: bool,
    native: Vec<i16>,
    pcm: Vec<i16>,
}

/// What an ear leads to.
enum Role {
    /// Nothing: there is no consent, or no longer.
    Deaf,
    /// Conduct and, through the network, affect.
    Listening(Box<Listener>),
    /// Conduct only.
    Attending(Box<SpeechDetector>),
}

struct Decoding {
    payload_type: u8,
    codec: Codec,
    decoder: Decoder,
    band: AnalysisBand,
}

impl Ear {
    /// An ear that hears keys only, if `keys` says so also those that are in the sound.
    pub(super) fn deaf(keys: Option<Keys>) -> Self {
        Self { keys, ..Self::new(Role::Deaf) }
    }

    /// Leads to the network from now on. Only a customer's leg can be made into a listener.
    pub(super) fn listen(&mut self, listener: Listener) {
        self.take_up(Role::Listening(Box::new(listener)));
    }

    /// Hears who talks when from now on, and nothing of how.
    pub(super) fn attend(&mut self) {
        self.take_up(Role::Attending(Box::new(SpeechDetector::new())));
    }

    /// Leads to nothing from now on; what was being made of the sound is dropped.
    pub(super) fn deafen(&mut self) {
        self.take_up(Role::Deaf);
    }

    fn take_up(&mut self, role: Role) {
        self.role = role;
        self.role_since = self.timeline.pushed();
        self.pace = SyllableCounter::new();
        self.syllables = 0;
        self.voiced = 0;
    }

    fn new(role: Role) -> Self {
        Self {
            role,
            role_since: 0,
            keys: None,
            pace: SyllableCounter::new(),
            syllables: 0,
            formats: Vec::new(),
            decoder: None,
            reorder: Some(Box::new(Reorder::new(Settings::default()))),
            events: Tracker::new(),
            after_event: false,
            lost: 0,
            resync: false,
            timeline: Timeline::default(),
            voiced: 0,
            early: true,
            held: false,
            native: Vec::new(),
            pcm: Vec::new(),
        }
    }

    /// Payload types mean what the receiver's SDP says; a number that only the sender lists is taken at its word.
    ///
    /// The decoder stays until a packet comes that needs another one: most re-INVITEs change nothing about it.
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
        let timing = self.codec(view.payload_type()).map_or(Timing::default(), |codec| Timing {
            clock_rate: codec.clock_rate(),
            duration: codec.duration(view.payload()),
        });
        if let Some(reorder) = &mut self.reorder {
            reorder.push(at, &view, timing);
        }
        self.play(at);
    }

    /// Time has come to `now` in the call.
    pub(super) fn advance(&mut self, now: Duration) {
        self.play(now);
        self.events.advance(now);
        if let Some(keys) = &mut self.keys {
            keys.events(&mut self.events);
        }
        let fill = self.timeline.due(now);
        if fill > 0 {
            self.silence(fill, self.unless_event(FrameMark::ComfortNoise));
            self.timeline.assume(fill);
        }
    }

    /// The audio is over.
    pub(super) fn finish(&mut self, now: Duration) {
        if let Some(reorder) = &mut self.reorder {
            reorder.finish();
        }
        self.play(now);
        self.conceal();
        match &mut self.role {
            Role::Listening(listener) => listener.finish(),
            Role::Attending(detector) => detector.finish(),
            Role::Deaf => {}
        }
    }

    /// Decoded audio that never was packets, at 8 kHz.
    pub(super) fn pcm(&mut self, pcm: &[i16]) {
        self.timeline.begin_with_call();
        self.early = false;
        self.give(pcm, FrameMark::Audio);
    }

    fn play(&mut self, now: Duration) {
        let Some(mut reorder) = self.reorder.take() else { return };
        while let Some(played) = reorder.pop(now) {
            match played {
                Played::Packet(packet) => self.decode(&packet),
                Played::Lost { ticks, .. } => self.lose(ticks),
                Played::Silence { ticks } => self.pause(ticks),
                Played::Restart { .. } => {
                    self.conceal();
                    self.decoder = None;
                    self.events.restart(now);
                    self.after_event = false;
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
                self.after_event = true;
            }
            // What follows is silence by its timestamps; what it would sound like is of no interest here.
            Some(Codec::ComfortNoise { .. }) => {}
            Some(codec) => {
                let codec = *codec;
                self.audio(codec, packet);
                self.after_event = false;
            }
            None => {}
        }
    }

    fn audio(&mut self, codec: Codec, packet: &Packet<'_>) {
        let fits =
            |decoding: &Decoding| decoding.payload_type == packet.payload_type && decoding.codec == codec;
        if !self.decoder.as_ref().is_some_and(fits) {
            // What was lost was the old codec's.
            self.conceal();
            let Ok(decoder) = Decoder::for_analysis(&codec) else { return };
            let Ok(band) = AnalysisBand::new(decoder.native_rate(), decoder.channels()) else { return };
            self.decoder = Some(Decoding { payload_type: packet.payload_type, codec, decoder, band });
        }
        self.recover(packet.payload);
        self.timeline.arrived(packet.arrived);
        let Some(decoding) = &mut self.decoder else { return };
        self.native.clear();
        let decoded = decoding.decoder.decode(packet.payload, &mut self.native).is_ok();
        if !decoded {
            // A payload that can't be decoded sounds as if it had been lost.
            self.native.clear();
            let missing = decoding.native(packet.duration);
            decoding.decoder.conceal(missing, &mut self.native);
        }
        self.banded(self.unless_event(if decoded { FrameMark::Audio } else { FrameMark::Concealed }));
    }

    /// Packets that held so many ticks were lost.
    fn lose(&mut self, ticks: u32) {
        let fill = self.in_samples(ticks);
        let told = self.timeline.redeem(fill);
        if told == 0 && fill <= LONGEST_CONCEALED {
            self.lost = self.lost.saturating_add(ticks);
            return;
        }
        // After a stretch that was written as silence there is nothing to continue.
        self.conceal();
        self.silence(fill - told, self.unless_event(FrameMark::Concealed));
        self.settle_decoder();
    }

    /// Nothing was sent for so many ticks.
    fn pause(&mut self, ticks: u32) {
        self.conceal();
        let fill = self.in_samples(ticks);
        let told = self.timeline.redeem(fill);
        let mark = if self.after_event { FrameMark::Dtmf } else { FrameMark::ComfortNoise };
        self.silence(fill - told, self.unless_event(mark));
        self.settle_decoder();
    }

    /// Silence was written past the decoder: it is not to fade over from what it last decoded.
    fn settle_decoder(&mut self) {
        if let Some(decoding) = &mut self.decoder {
            self.native.clear();
            decoding.decoder.idle(0, &mut self.native);
        }
    }

    /// Makes up what was lost before this payload, with its help.
    fn recover(&mut self, following: &[u8]) {
        self.fill_in(|decoder, samples, out| decoder.recover(samples, following, out));
    }

    /// Makes up what was lost, when nothing of use follows.
    fn conceal(&mut self) {
        self.fill_in(Decoder::conceal);
    }

    fn fill_in(&mut self, make_up: impl FnOnce(&mut Decoder, usize, &mut Vec<i16>)) {
        let lost = std::mem::take(&mut self.lost);
        let Some(decoding) = self.decoder.as_mut().filter(|_| lost > 0) else { return };
        self.native.clear();
        let missing = decoding.native(lost);
        make_up(&mut decoding.decoder, missing, &mut self.native);
        self.banded(self.unless_event(FrameMark::Concealed));
    }

    /// While a telephone-event goes on, whatever sounds is that.
    fn unless_event(&self, mark: FrameMark) -> FrameMark {
        if self.events.current().is_some() { FrameMark::Dtmf } else { mark }
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
        let fill = self.timeline.leap(at);
        self.silence(fill, FrameMark::ComfortNoise);
        self.timeline.landed(at);
    }

    fn give(&mut self, pcm: &[i16], mark: FrameMark) {
        let mark = match mark {
            FrameMark::Audio | FrameMark::Concealed if self.held => FrameMark::Hold,
            FrameMark::Audio | FrameMark::Concealed if self.early => FrameMark::Early,
            other => other,
        };
        self.timeline.push(pcm.len() as u64);
        if let Some(keys) = &mut self.keys {
            keys.sound(pcm, mark);
        }
        if matches!(self.role, Role::Deaf) {
            return;
        }
        if mark.is_voice() {
            self.voiced += pcm.len() as u64;
            self.syllables += self.pace.push(pcm);
        }
        match &mut self.role {
            Role::Listening(listener) => listener.push(pcm, mark),
            Role::Attending(detector) => detector.push(pcm, mark),
            Role::Deaf => {}
        }
    }

    /// Ticks of what was decoded last. Before that there is no stream that could have a gap.
    fn in_samples(&self, ticks: u32) -> u64 {
        self.decoder.as_ref().map_or(0, |decoding| decoding.codec.samples(ticks, AnalysisBand::RATE) as u64)
    }

    /// From the role's time to call time.
    pub(super) fn call_time(&self, media: Duration) -> Duration {
        self.timeline.call_time(samples(self.role_since) + media)
    }

    /// The next key that the party has pressed.
    pub(super) fn poll_key(&mut self) -> Option<(char, Medium)> {
        self.keys.as_mut()?.poll()
    }

    /// The next piece of speech, in call time.
    pub(super) fn poll_speech(&mut self) -> Option<(Duration, Duration)> {
        let segment = match &mut self.role {
            Role::Listening(listener) => listener.poll_speech(),
            Role::Attending(detector) => detector.poll(),
            Role::Deaf => None,
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
            Role::Attending(_) | Role::Deaf => None,
        }
    }

    pub(super) fn listener_mut(&mut self) -> Option<&mut Listener> {
        match &mut self.role {
            Role::Listening(listener) => Some(listener),
            Role::Attending(_) | Role::Deaf => None,
        }
    }

    /// The voice that was given to the listener: no silence, no tones, nothing of before the answer or on hold.
    pub(super) fn listened(&self) -> Duration {
        self.listener().map_or(Duration::ZERO, |_| samples(self.voiced))
    }
}

impl Decoding {
    /// Ticks in samples of what the decoder makes.
    fn native(&self, ticks: u32) -> usize {
        self.codec.samples(ticks, self.decoder.native_rate())
    }
}
