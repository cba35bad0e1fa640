//! One leg's path from RTP packets to marked 8 kHz PCM, and on to detectors.

mod audibility;
mod decoding;
mod formats;
mod gate;
mod keys;
mod redundancy;
mod spans;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
mod timeline;

use std::time::Duration;

use sidetone_call::{EndPlan, Untappable};
use sidetone_codec::Codec;
use sidetone_consent::Medium;
use sidetone_emotion::listener::Listener;
use sidetone_emotion::mark::FrameMark;
use sidetone_emotion::vad::SpeechDetector;
use sidetone_language::utterance::{Piece, Utterances};
use sidetone_rtp::RtpView;
use sidetone_rtp::reorder::{Packet, Played, Pushed, Reorder, Settings, Timing};
use sidetone_rtp::telephone_event::Sources;

use audibility::Audibility;
pub use audibility::Audible;
use decoding::Decoding;
use formats::{Formats, Role as Kind};
use gate::{Admission, Gate};
pub(super) use keys::Keys;
use spans::Spans;
use timeline::{Timeline, samples};

/// The largest distance of an event's sequence number from the newest at which it counts in the audio's order.
const NEIGHBOURS: std::ops::RangeInclusive<i16> = -32..=64;
/// Samples without speech after which a party no longer speaks for whoever may hear them come back: 160 ms, a stop's
/// closure. The listener allows for the way back itself.
const MOMENT: u64 = 1280;
/// Silence, a tenth of a second of it.
const ZEROS: [i16; 800] = [0; 800];

/// A leg's ear. It begins deaf to all but keys. Its later abilities depend on the role that it is given: only a
/// [`Listener`], which needs a customer's leg, leads to the network.
pub(super) struct Ear {
    role: Role,
    /// The time from which its party may be heard.
    since: Option<Duration>,
    /// Decides which sound reaches the role.
    gate: Gate,
    /// Samples pushed before the role first heard sound: the role's own times count from there.
    role_since: u64,
    /// Samples that the role has heard.
    given: u64,
    keys: Option<Keys>,
    syllables: u32,
    /// The party's sound on its way to words, if it is recognised.
    utterances: Option<Box<Utterances>>,
    audibility: Audibility,
    formats: Formats,
    decoder: Option<Decoding>,
    /// Taken out while its packets are worked on, since it lends out one payload at a time.
    reorder: Option<Box<Reorder>>,
    /// Tracked apart from the audio's order: events may have a sequence of their own.
    events: Sources,
    /// SSRC and sequence number of the newest packet that was put in order.
    ordered: Option<(u32, u16)>,
    /// The newest packet was a telephone-event.
    after_event: bool,
    /// The audio has ended.
    cut_short: bool,
    /// Ticks lost, to be concealed once the next packet is known: it may hold the lost sound.
    lost: u32,
    resync: bool,
    timeline: Timeline,
    /// Samples of voice that reached the network and have not been taken yet.
    voiced: u64,
    /// When the first and the last packet came whose voice reached the network.
    span: Option<(Duration, Duration)>,
    /// When the newest sound came.
    came: Duration,
    /// Since when the call is answered.
    answered: Option<Duration>,
    held: Spans,
    native: Vec<i16>,
    pcm: Vec<i16>,
}

/// The purpose of an ear.
enum Role {
    /// Nothing: there is no consent, or no longer.
    Deaf,
    /// Conduct and, through the network, affect.
    Listening(Box<Listener>),
    /// Conduct only.
    Attending(Box<SpeechDetector>),
}

impl Ear {
    /// An ear that hears keys only; `keys` decides whether tones in the sound count too.
    pub(super) fn deaf(keys: Option<Keys>) -> Self {
        Self { keys, ..Self::new(Role::Deaf) }
    }

    /// Passes packets that come from call time `since` on to the network. Only a customer's leg can be made into a
    /// listener.
    pub(super) fn listen(&mut self, listener: Listener, since: Duration) {
        self.take_up(Role::Listening(Box::new(listener)), Some(since));
    }

    /// Detects when the party talks, from call time `since` on, and nothing of how.
    pub(super) fn attend(&mut self, since: Duration) {
        self.take_up(Role::Attending(Box::new(SpeechDetector::new())), Some(since));
    }

    /// Cuts what the party says into utterances from now on, or no longer.
    pub(super) fn recognise(&mut self, wanted: bool) {
        if wanted && self.utterances.is_none() {
            // Its time is the role's: it gets the same samples from the role's first one on.
            let mut utterances = Box::<Utterances>::default();
            utterances.skip(self.given);
            self.utterances = Some(utterances);
        } else if !wanted {
            self.utterances = None;
        }
    }

    /// The next piece of what the party says, in call time.
    pub(super) fn poll_piece(&mut self) -> Option<Piece> {
        let piece = self.utterances.as_mut()?.poll()?;
        Some(Piece { from: self.call_time(piece.from), to: self.call_time(piece.to), ..piece })
    }

    /// Passes nothing on from now on; sound in progress is dropped.
    pub(super) fn deafen(&mut self) {
        self.take_up(Role::Deaf, None);
    }

    /// The time from which its party may be heard, if it may.
    pub(super) fn is_heard_since(&self) -> Option<Duration> {
        self.since
    }

    fn take_up(&mut self, role: Role, since: Option<Duration>) {
        self.role = role;
        self.since = since;
        self.gate = since.map_or(Gate::SHUT, Gate::since);
        self.role_since = self.timeline.pushed();
        self.given = 0;
        self.syllables = 0;
        self.utterances = None;
    }

    fn new(role: Role) -> Self {
        Self {
            role,
            since: None,
            gate: Gate::SHUT,
            role_since: 0,
            given: 0,
            keys: None,
            syllables: 0,
            utterances: None,
            audibility: Audibility::default(),
            formats: Formats::default(),
            decoder: None,
            reorder: Some(Box::new(Reorder::new(Settings::default()))),
            events: Sources::default(),
            ordered: None,
            after_event: false,
            cut_short: false,
            lost: 0,
            resync: false,
            timeline: Timeline::default(),
            voiced: 0,
            span: None,
            came: Duration::ZERO,
            answered: None,
            held: Spans::default(),
            native: Vec::new(),
            pcm: Vec::new(),
        }
    }

    /// Takes the parties' descriptions of the formats that they send and take.
    ///
    /// The decoder stays until a packet comes that needs another one: most re-INVITEs change nothing about it.
    pub(super) fn expect(&mut self, receiver: &EndPlan, sender: &EndPlan) {
        self.formats = Formats::new(receiver, sender);
    }

    pub(super) fn answered(&mut self, at: Duration) {
        self.answered.get_or_insert(at);
    }

    pub(super) fn held(&mut self, at: Duration, held: bool) {
        self.held.change(at, held);
    }

    fn codec(&self, payload_type: u8) -> Option<&Codec> {
        self.formats.codec(payload_type)
    }

    /// A packet that came at call time `at`.
    pub(super) fn packet(&mut self, at: Duration, packet: &[u8]) {
        let Ok(view) = RtpView::parse(packet) else {
            return self.audibility.packet(at, Err(Untappable::Undecodable));
        };
        if self.formats.is_redundant(view.payload_type()) {
            return match redundancy::primary(&view).as_deref().map(RtpView::parse) {
                Some(Ok(primary)) => self.encoded(at, &primary),
                _ => self.audibility.packet(at, Err(Untappable::Undecodable)),
            };
        }
        self.encoded(at, &view);
    }

    /// A packet of one encoding.
    fn encoded(&mut self, at: Duration, view: &RtpView<'_>) {
        let is_key = self.hear_key(at, view);
        if is_key && !self.is_in_order(view) {
            return;
        }
        if !is_key && let Some(reason) = self.formats.unheard(view.payload_type()) {
            self.audibility.packet(at, Err(reason));
        }
        self.ordered = Some((view.ssrc(), view.sequence()));
        let timing = self.codec(view.payload_type()).map_or(Timing::default(), |codec| Timing {
            clock_rate: codec.clock_rate(),
            duration: codec.duration(view.payload()),
        });
        let is_audio = self.codec(view.payload_type()).is_some_and(Codec::is_audio);
        if let Some(reorder) = &mut self.reorder
            && reorder.push(at, view, timing) != Pushed::Queued
            && is_audio
        {
            self.audibility.superfluous(at);
        }
        self.play(at);
    }

    /// Checks a packet for a key; true if it can be nothing else. A key is heard when its packet comes, before the
    /// packet is decoded.
    fn hear_key(&mut self, at: Duration, view: &RtpView<'_>) -> bool {
        let is_event = match self.formats.role(view.payload_type()) {
            Kind::Event => {
                self.events.receive(at, view);
                true
            }
            Kind::Suspect => self.events.suspect(at, view),
            Kind::Other => false,
        };
        if let Some(keys) = &mut self.keys {
            keys.events(&mut self.events);
        }
        is_event
    }

    /// Whether an event's number belongs to the audio's sequence, so that the audio's order would miss it.
    fn is_in_order(&self, event: &RtpView<'_>) -> bool {
        self.ordered.is_some_and(|(ssrc, newest)| {
            ssrc == event.ssrc() && NEIGHBOURS.contains(&event.sequence().wrapping_sub(newest).cast_signed())
        })
    }

    /// Takes a packet without time to listen: only keys are heard in it, and its sound counts as lost.
    pub(super) fn skim(&mut self, at: Duration, packet: &[u8]) {
        self.gate.raise(at + Duration::from_micros(1));
        if self.keys.as_ref().is_some_and(Keys::hear_tones) {
            self.packet(at, packet);
        } else if let Ok(view) = RtpView::parse(packet) {
            if self.formats.is_redundant(view.payload_type()) {
                if let Some(Ok(primary)) = redundancy::primary(&view).as_deref().map(RtpView::parse) {
                    self.hear_key(at, &primary);
                }
            } else {
                self.hear_key(at, &view);
            }
        }
    }

    /// Advances the leg to `now` in the call.
    pub(super) fn advance(&mut self, now: Duration) {
        self.play(now);
        self.audibility.advance(now);
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

    /// Ends the audio.
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
        self.cut_short = true;
    }

    /// Decoded audio without packets, at 8 kHz.
    pub(super) fn pcm(&mut self, pcm: &[i16]) {
        self.timeline.begin_with_call();
        self.answered.get_or_insert(Duration::ZERO);
        // Its arrival time is its place in the call.
        let at = self.timeline.call_time(samples(self.timeline.pushed()));
        self.pass(at);
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
            Some(Codec::TelephoneEvent { .. }) => self.after_event = true,
            // By its timestamps silence follows; the comfort noise itself is of no interest here.
            Some(Codec::ComfortNoise { .. }) => {}
            Some(codec) => {
                let codec = *codec;
                self.audio(codec, packet);
                self.after_event = false;
            }
            None => {}
        }
    }

    /// Decides whether sound that came at `at` goes on to the role.
    fn pass(&mut self, at: Duration) -> Admission {
        self.came = at;
        let opened = self.gate.is_open();
        let admission = self.gate.admit(at);
        if self.gate.is_open() && !opened {
            self.role_since = self.timeline.pushed();
        }
        admission
    }

    /// During a telephone-event all sound belongs to the event.
    fn unless_event(&self, mark: FrameMark) -> FrameMark {
        if self.events.current().is_some() { FrameMark::Dtmf } else { mark }
    }

    fn silence(&mut self, samples: u64, mark: FrameMark) {
        let mut left = usize::try_from(samples).unwrap_or(0);
        while left > 0 {
            let piece = left.min(ZEROS.len());
            self.give(ZEROS.get(..piece).unwrap_or_default(), mark);
            left -= piece;
        }
    }

    /// Moves the leg's timeline to a packet's arrival, after a break without a measured length in ticks.
    fn leap_to(&mut self, at: Duration) {
        let fill = self.timeline.leap(at);
        self.silence(fill, FrameMark::ComfortNoise);
        self.timeline.landed(at);
    }

    fn give(&mut self, pcm: &[i16], mark: FrameMark) {
        let early = self.answered.is_none_or(|answered| self.came < answered);
        let mark = match mark {
            FrameMark::Audio | FrameMark::Concealed if self.held.at(self.came) => FrameMark::Hold,
            FrameMark::Audio | FrameMark::Concealed if early => FrameMark::Early,
            other => other,
        };
        self.timeline.push(pcm.len() as u64);
        if let Some(keys) = &mut self.keys {
            keys.sound(pcm, mark);
        }
        if !self.gate.is_open() {
            return;
        }
        if !self.gate.is_shut() {
            return self.hear(pcm, mark);
        }
        // Time goes on for the role, with silence.
        for piece in pcm.chunks(ZEROS.len()) {
            self.hear(ZEROS.get(..piece.len()).unwrap_or_default(), FrameMark::ComfortNoise);
        }
    }

    /// Takes sound that has been admitted.
    fn hear(&mut self, pcm: &[i16], mark: FrameMark) {
        self.given += pcm.len() as u64;
        match &mut self.role {
            Role::Listening(listener) => {
                if mark.is_voice() {
                    self.voiced += pcm.len() as u64;
                    self.span = Some((self.span.map_or(self.came, |(first, _)| first), self.came));
                }
                listener.push(pcm, mark);
            }
            Role::Attending(detector) => detector.push(pcm, mark),
            Role::Deaf => {}
        }
        let speaking = match &self.role {
            Role::Listening(listener) => listener.is_speaking(),
            Role::Attending(detector) => detector.is_speaking(),
            Role::Deaf => false,
        };
        if let Some(utterances) = &mut self.utterances {
            if mark.is_voice() {
                utterances.push(pcm, speaking);
            } else {
                utterances.silence(pcm.len());
            }
        }
    }

    /// Converts the role's time to call time.
    pub(super) fn call_time(&self, media: Duration) -> Duration {
        self.timeline.call_time(samples(self.role_since) + media)
    }

    /// Another stream is listened to from now on.
    pub(super) fn turn(&mut self) {
        self.audibility = Audibility::default();
    }

    /// Whether the packets yield sound, if that has changed.
    pub(super) fn poll_audible(&mut self) -> Option<Audible> {
        self.audibility.poll()
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
        };
        let Some(segment) = segment else {
            // All speech has been told, so an utterance that is still open is whole.
            if let Some(utterances) = self.utterances.as_mut().filter(|_| self.cut_short) {
                utterances.finish();
            }
            return None;
        };
        if let Some(utterances) = &mut self.utterances {
            utterances.speech(segment.from, segment.to, segment.ended);
        }
        self.syllables = self.syllables.saturating_add(segment.syllables);
        Some((self.call_time(segment.from), self.call_time(segment.to)))
    }

    /// Syllables in the polled pieces of speech since the last call of this method.
    pub(super) fn take_syllables(&mut self) -> u32 {
        std::mem::take(&mut self.syllables)
    }

    /// Whether the party has been heard speaking within the last moments.
    pub(super) fn speaks(&self) -> bool {
        match &self.role {
            Role::Listening(listener) => listener.is_speaking(),
            Role::Attending(detector) => detector.sounded_within(MOMENT),
            Role::Deaf => false,
        }
    }

    /// Whether the other party speaks beside what is heard next.
    pub(super) fn beside(&mut self, other_speaks: bool) {
        if let Role::Listening(listener) = &mut self.role {
            listener.far_end(other_speaks);
        }
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

    /// The voice that has reached the listener since the last time: without silence, tones, and sound from before the
    /// answer or on hold.
    pub(super) fn take_listened(&mut self) -> Duration {
        samples(std::mem::take(&mut self.voiced))
    }

    /// The same without ending the stretch.
    pub(super) fn span(&self) -> Option<(Duration, Duration)> {
        self.span
    }

    /// When the first and the last packet came whose voice reached the listener since the last time.
    pub(super) fn take_span(&mut self) -> Option<(Duration, Duration)> {
        self.span.take()
    }
}
