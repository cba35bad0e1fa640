//! One clip on its way into one stream.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use sidetone_codec::{Codec, CodecError, Decoder, Encoder};

use crate::config::Mode;
use crate::encoded::{Encoded, encoder, spread};

/// The gain of sound under an announcement: -15 dB.
const DUCKED: f32 = 0.178;
/// The duration of fading to that gain and back.
const RAMP: Duration = Duration::from_millis(200);
/// The most of the other side's sound that waits to be mixed.
const LONGEST_WAIT: Duration = Duration::from_millis(120);

/// A clip in a format that the listener accepts.
#[derive(Debug, Clone)]
pub struct Voice {
    /// The listener's payload type for this format.
    pub payload_type: u8,
    /// The payloads.
    pub encoded: Arc<Encoded>,
}

/// A packet to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Payload type.
    pub payload_type: u8,
    /// Length of the sound, in ticks.
    pub ticks: u32,
    /// RTP clock in Hz.
    pub clock: u32,
    /// Length of the sound.
    pub ptime: Duration,
}

/// One clip on its way into one stream. It has no clock: the sender of its packets keeps the pace.
#[derive(Debug)]
pub struct Playback {
    voices: Vec<Voice>,
    /// The index of the current voice.
    current: usize,
    played: Duration,
    under: Option<Under>,
}

/// The sound under an announcement.
#[derive(Debug)]
struct Under {
    codec: Codec,
    payload_type: u8,
    decoder: Decoder,
    encoder: Encoder,
    waiting: VecDeque<i16>,
    most: usize,
    gain: f32,
    mixed: Vec<i16>,
    decoded: Vec<i16>,
}

impl Playback {
    /// A clip in each of the listener's formats, the preferred one first; `None` if there are none.
    ///
    /// # Errors
    /// [`CodecError`] if the sound under it can't be decoded.
    pub fn new(voices: Vec<Voice>, mode: Mode) -> Result<Option<Self>, CodecError> {
        let Some(first) = voices.first() else { return Ok(None) };
        let under = match mode {
            Mode::Replace => None,
            Mode::Duck => Some(Under::new(first)?),
        };
        Ok(Some(Self { voices, current: 0, played: Duration::ZERO, under }))
    }

    /// Takes other formats, after a change of the listener's SDP. The clip continues where it was.
    pub fn revoice(&mut self, voices: Vec<Voice>) {
        let speaking = self.voices.get(self.current).map(|voice| voice.payload_type);
        self.current =
            voices.iter().position(|voice| Some(voice.payload_type) == speaking).unwrap_or_default();
        self.voices = voices;
    }

    /// Changes to the other side's format, if the listener accepts it: decoders handle a constant format best.
    pub fn prefer(&mut self, payload_type: u8) {
        if let Some(voice) = self.voices.iter().position(|voice| voice.payload_type == payload_type) {
            self.current = voice;
        }
    }

    /// The length played so far.
    #[must_use]
    pub fn played(&self) -> Duration {
        self.played
    }

    /// Starts again from the beginning.
    pub fn rewind(&mut self) {
        self.played = Duration::ZERO;
    }

    /// Whether the clip needs the other side's sound.
    #[must_use]
    pub fn mixes(&self) -> bool {
        self.under.is_some()
    }

    /// Takes the other side's sound that is held back: it is mixed under the next packets.
    pub fn under(&mut self, payload_type: u8, payload: &[u8]) {
        let Some(under) = &mut self.under else { return };
        if under.payload_type != payload_type {
            return;
        }
        under.decoded.clear();
        if under.decoder.decode(payload, &mut under.decoded).is_err() {
            return;
        }
        under.waiting.extend(&under.decoded);
        let excess = under.waiting.len().saturating_sub(under.most);
        under.waiting.drain(..excess);
    }

    /// Appends the next payload to `out`; `None` when the clip is finished.
    pub fn next(&mut self, out: &mut Vec<u8>) -> Option<Frame> {
        let voice = self.voices.get(self.current)?;
        let encoded = &voice.encoded;
        let ptime = encoded.ptime();
        let number =
            usize::try_from(self.played.as_micros() / ptime.as_micros().max(1)).unwrap_or(usize::MAX);
        let payload = encoded.payload(number)?;
        let frame = Frame {
            payload_type: voice.payload_type,
            ticks: encoded.ticks(),
            clock: encoded.codec().clock_rate(),
            ptime,
        };
        let left = ptime * u32::try_from(encoded.packets() - number).unwrap_or(u32::MAX);
        let mixed = match &mut self.under {
            Some(under) => under.mix(voice, number, left, out),
            None => false,
        };
        if !mixed {
            out.extend_from_slice(payload);
        }
        self.played += ptime;
        Some(frame)
    }
}

impl Under {
    fn new(voice: &Voice) -> Result<Self, CodecError> {
        let codec = *voice.encoded.codec();
        let decoder = Decoder::new(&codec)?;
        let a_second = usize::try_from(decoder.native_rate()).unwrap_or(0) * usize::from(decoder.channels());
        let most = a_second * LONGEST_WAIT.as_millis() as usize / 1_000;
        Ok(Self {
            codec,
            payload_type: voice.payload_type,
            encoder: encoder(&codec)?,
            waiting: VecDeque::with_capacity(2 * most),
            most,
            gain: 1.0,
            mixed: Vec::with_capacity(most),
            decoded: Vec::with_capacity(2 * most),
            decoder,
        })
    }

    /// Appends packet `number` with waiting sound mixed under it; false if this voice can't be mixed.
    fn mix(&mut self, voice: &Voice, number: usize, left: Duration, out: &mut Vec<u8>) -> bool {
        if *voice.encoded.codec() != self.codec || self.encoder.channels() != self.decoder.channels() {
            return false;
        }
        let Some(sound) = voice.encoded.sound(number) else { return false };
        let channels = self.encoder.channels();
        self.mixed.clear();
        spread(sound, channels, &mut self.mixed);
        let goal = if left <= RAMP { 1.0 } else { DUCKED };
        let ramp = RAMP.as_secs_f32() * self.decoder.native_rate() as f32 * f32::from(channels);
        let step = (1.0 - DUCKED) / ramp;
        for sample in &mut self.mixed {
            self.gain =
                if self.gain < goal { (self.gain + step).min(goal) } else { (self.gain - step).max(goal) };
            let under = f32::from(self.waiting.pop_front().unwrap_or(0)) * self.gain;
            *sample = sample.saturating_add(under as i16);
        }
        let before = out.len();
        if self.encoder.encode(&self.mixed, out).is_err() {
            out.truncate(before);
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clip::Clip;

    fn clip() -> Clip {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        for n in 0..8_000 {
            writer.write_sample((4_000.0 * (f64::from(n) * 0.3).sin()) as i16).unwrap();
        }
        writer.finalize().unwrap();
        bytes.set_position(0);
        Clip::read("tone", bytes, -23.0).unwrap()
    }

    fn voice(payload_type: u8, codec: Codec, ptime: u16) -> Voice {
        Voice { payload_type, encoded: Arc::new(Encoded::new(&clip(), &codec, ptime).unwrap()) }
    }

    fn play(playback: &mut Playback) -> Vec<(Frame, Vec<u8>)> {
        std::iter::from_fn(|| {
            let mut payload = Vec::new();
            playback.next(&mut payload).map(|frame| (frame, payload))
        })
        .collect()
    }

    #[test]
    fn it_plays_every_packet_once_and_ends() {
        let voice = voice(0, Codec::Pcmu, 20);
        let mut playback = Playback::new(vec![voice.clone()], Mode::Replace).unwrap().unwrap();
        let played = play(&mut playback);
        assert_eq!(played.len(), voice.encoded.packets());
        for (n, (frame, payload)) in played.iter().enumerate() {
            assert_eq!((frame.payload_type, frame.ticks, frame.clock), (0, 160, 8_000));
            assert_eq!(Some(&payload[..]), voice.encoded.payload(n));
        }
        assert_eq!(playback.played(), voice.encoded.ptime() * played.len() as u32);
    }

    #[test]
    fn another_codec_or_packet_length_goes_on_where_the_first_was() {
        let mut playback = Playback::new(vec![voice(0, Codec::Pcmu, 20)], Mode::Replace).unwrap().unwrap();
        let mut out = Vec::new();
        for _ in 0..12 {
            playback.next(&mut out).unwrap();
        }
        let other = voice(9, Codec::G722, 40);
        playback.revoice(vec![other.clone()]);
        out.clear();
        let frame = playback.next(&mut out).unwrap();
        assert_eq!((frame.payload_type, frame.ptime), (9, Duration::from_millis(40)));
        assert_eq!(Some(&out[..]), other.encoded.payload(6));
    }

    #[test]
    fn the_other_side_s_codec_is_preferred_where_it_is_known() {
        let voices = vec![voice(8, Codec::Pcma, 20), voice(0, Codec::Pcmu, 20)];
        let mut playback = Playback::new(voices, Mode::Replace).unwrap().unwrap();
        playback.prefer(0);
        playback.prefer(77);
        assert_eq!(playback.next(&mut Vec::new()).unwrap().payload_type, 0);
    }

    #[test]
    fn speech_goes_on_quieter_under_the_announcement_and_comes_back() {
        let mut playback = Playback::new(vec![voice(0, Codec::Pcmu, 20)], Mode::Duck).unwrap().unwrap();
        let mut decoder = Decoder::new(&Codec::Pcmu).unwrap();
        let said = sidetone_codec::g711::to_ulaw(8_000);
        let said = sidetone_codec::g711::to_ulaw(i16::from(said == 0).max(8_000));
        let mut levels = Vec::new();
        loop {
            playback.under(0, &[said; 160]);
            let mut payload = Vec::new();
            if playback.next(&mut payload).is_none() {
                break;
            }
            let mut pcm = Vec::new();
            decoder.decode(&payload, &mut pcm).unwrap();
            // The announcement is a tone with zero mean; the sound under it is a constant.
            levels.push(pcm.iter().map(|&x| i32::from(x)).sum::<i32>() / 160);
        }
        let middle = levels[levels.len() / 2];
        assert!((1_000..2_000).contains(&middle), "{levels:?}");
        assert!(*levels.first().unwrap() > 6_000 && *levels.last().unwrap() > 6_000, "{levels:?}");
    }

    #[test]
    fn what_waits_is_bounded_and_its_lack_is_silence() {
        let mut playback = Playback::new(vec![voice(0, Codec::Pcmu, 20)], Mode::Duck).unwrap().unwrap();
        for _ in 0..1_000 {
            playback.under(0, &[0x55; 160]);
        }
        let waiting = playback.under.as_ref().unwrap().waiting.len();
        assert!(waiting <= 8 * 120, "{waiting}");
        assert!(!play(&mut playback).is_empty());
    }

    #[test]
    fn without_a_format_there_is_nothing_to_play() {
        assert!(Playback::new(Vec::new(), Mode::Replace).unwrap().is_none());
    }
}
