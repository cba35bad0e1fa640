//! What telephony does to speech, for training and evaluation: codecs, loss, gain, noise, rooms, lines. Codecs and
//! concealment are the very ones of a call.

use serde::{Deserialize, Serialize};
use sidetone_codec::{AnalysisBand, Codec, CodecError, Decoder, Encoder, OpusSettings};

use crate::{
    corpus::{audio::resample, background},
    rng::Rng,
};

/// The way from the caller's mouth to the analysis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Band {
    /// G.711 µ-law.
    G711,
    /// G.711 A-law.
    G711a,
    /// G.722.
    G722,
    /// Opus at 16 kHz.
    Opus,
    /// As recorded, brought to 8 kHz.
    Wide,
}

/// Samples at 8 kHz in a packet: 20 ms.
const PACKET: usize = 160;

impl Band {
    /// Every band, for help texts.
    pub const ALL: [Self; 5] = [Self::G711, Self::G711a, Self::G722, Self::Opus, Self::Wide];

    /// The name used on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::G711 => "g711",
            Self::G711a => "g711a",
            Self::G722 => "g722",
            Self::Opus => "opus",
            Self::Wide => "wide",
        }
    }

    /// The band of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|band| band.name() == name)
    }

    fn codec(self) -> Option<Codec> {
        match self {
            Self::G711 => Some(Codec::Pcmu),
            Self::G711a => Some(Codec::Pcma),
            Self::G722 => Some(Codec::G722),
            Self::Opus => Codec::from_rtpmap("opus", 48_000, 2, ""),
            Self::Wide => None,
        }
    }

    /// Speech (8 kHz, mono) as it comes out at the other end.
    #[must_use]
    pub fn through(self, pcm: &[i16]) -> Vec<i16> {
        self.over_line(pcm, 0.0, 0.0, &mut Rng::new(0))
    }

    /// Speech made louder or softer, through this band in packets of 20 ms, of which a share `loss` is lost in short
    /// bursts and concealed as in a call.
    #[must_use]
    pub fn over_line(self, pcm: &[i16], gain_db: f32, loss: f32, rng: &mut Rng) -> Vec<i16> {
        let gain = 10f32.powf(gain_db / 20.0);
        let louder: Vec<i16> =
            pcm.iter().map(|&x| (f32::from(x) * gain).clamp(-32768.0, 32767.0) as i16).collect();
        // What goes in is always fit for the codecs; if one refused, the speech would go on uncoded.
        match self.codec().map(|codec| coded(&codec, &louder, loss, rng)) {
            Some(Ok(heard)) => heard,
            Some(Err(_)) | None => louder,
        }
    }
}

/// Encodes, loses, conceals and decodes, packet by packet.
fn coded(codec: &Codec, pcm: &[i16], loss: f32, rng: &mut Rng) -> Result<Vec<i16>, CodecError> {
    let (mut encoder, factor) = match codec {
        Codec::Opus(_) => {
            let settings = OpusSettings::default();
            (Encoder::with(codec, 16_000, &settings)?, 2)
        }
        Codec::G722 => (Encoder::new(codec)?, 2),
        _ => (Encoder::new(codec)?, 1),
    };
    let mut decoder = Decoder::for_analysis(codec)?;
    let rate = decoder.native_rate();
    let sent: Vec<i16> = if factor == 1 {
        pcm.to_vec()
    } else {
        let narrow: Vec<f32> = pcm.iter().map(|&x| f32::from(x)).collect();
        let wide = resample(&narrow, factor as f32);
        wide.into_iter().map(|x| x.clamp(-32768.0, 32767.0) as i16).collect()
    };
    let channels = usize::from(encoder.channels());
    let (mut decoded, mut payload, mut lost) = (Vec::new(), Vec::new(), false);
    for packet in sent.chunks(PACKET * factor) {
        let mut frame = packet.to_vec();
        frame.resize(PACKET * factor, 0);
        let interleaved: Vec<i16> = frame.iter().flat_map(|&x| std::iter::repeat_n(x, channels)).collect();
        payload.clear();
        encoder.encode(&interleaved, &mut payload)?;
        lost = loss > 0.0 && rng.chance(if lost { 0.3 } else { loss });
        if lost {
            decoder.conceal(rate as usize / 50, &mut decoded);
        } else {
            decoder.decode(&payload, &mut decoded)?;
        }
    }
    let mut heard = Vec::with_capacity(pcm.len() + PACKET);
    if rate == 8000 {
        heard = decoded;
    } else {
        // A codec's own rate is always one that the analysis band takes.
        match AnalysisBand::new(rate, decoder.channels()) {
            Ok(mut band) => {
                band.push(&decoded, &mut heard);
            }
            Err(_) => heard = pcm.to_vec(),
        }
    }
    heard.truncate(pcm.len());
    Ok(heard)
}

/// How strongly training varies a clip: first its sound, once for each variant; then its features, each time it is
/// heard.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// Largest change of speed and pitch together, as a fraction.
    pub speed: f32,
    /// Largest change of level in dB.
    pub gain_db: f32,
    /// Largest tilt of the line's frequency response in dB over the band.
    pub tilt_db: f32,
    /// Probability of added noise, comfort noise among it.
    pub noise: f32,
    /// Probability of other voices behind.
    pub babble: f32,
    /// Probability of music behind.
    pub music: f32,
    /// Probability of a room.
    pub room: f32,
    /// Probability of a recording that is driven into its limit: who shouts does that, and it must tell nothing.
    pub clipping: f32,
    /// Probability of lost packets.
    pub loss: f32,
    /// Whether codecs other than G.711 are used.
    pub codecs: bool,
    /// Largest shift of the formants, as a fraction, in the features.
    pub formants: f32,
    /// Largest shift of the pitch in semitones, in the features.
    pub intonation: f32,
    /// Largest change of tempo, as a fraction, in the features.
    pub tempo: f32,
    /// Spread of the line's colour in dB, in the features.
    pub colour_db: f32,
    /// Probability of a raised noise floor, in the features.
    pub floor: f32,
    /// Whether bands and stretches of time are blanked.
    pub blank: bool,
}

impl Default for Augmentation {
    fn default() -> Self {
        Self {
            speed: 0.12,
            gain_db: 12.0,
            tilt_db: 6.0,
            noise: 0.3,
            babble: 0.15,
            music: 0.1,
            room: 0.25,
            clipping: 0.25,
            loss: 0.25,
            codecs: true,
            formants: 0.15,
            intonation: 3.0,
            tempo: 0.15,
            colour_db: 2.0,
            floor: 0.25,
            blank: true,
        }
    }
}

impl Augmentation {
    /// No variation: every clip as recorded, through G.711 µ-law.
    pub fn none() -> Self {
        Self {
            speed: 0.0,
            gain_db: 0.0,
            tilt_db: 0.0,
            noise: 0.0,
            babble: 0.0,
            music: 0.0,
            room: 0.0,
            clipping: 0.0,
            loss: 0.0,
            codecs: false,
            formants: 0.0,
            intonation: 0.0,
            tempo: 0.0,
            colour_db: 0.0,
            floor: 0.0,
            blank: false,
        }
    }

    /// A clip as another caller on another line might have sounded, and how many times as long it is. `others` are
    /// clips to make babble of.
    #[must_use]
    pub fn apply(&self, pcm: &[i16], others: &[&[i16]], rng: &mut Rng) -> (Vec<i16>, f32) {
        let mut x: Vec<f32> = pcm.iter().map(|&x| f32::from(x)).collect();
        let mut speed = 1.0;
        if self.speed > 0.0 && rng.chance(0.7) {
            speed += rng.between(-self.speed, self.speed);
            x = resample(&x, speed);
        }
        if self.clipping > 0.0 && rng.chance(self.clipping) {
            clip(&mut x, rng.between(0.0005, 0.03));
        }
        if rng.chance(self.babble) {
            let behind = background::babble(others, rng);
            background::mix(&mut x, &behind, rng.between(6.0, 25.0), rng);
        }
        if rng.chance(self.music) {
            let behind = background::music(rng);
            background::mix(&mut x, &behind, rng.between(6.0, 25.0), rng);
        }
        if rng.chance(self.room) {
            room(&mut x, rng);
        }
        if self.tilt_db > 0.0 && rng.chance(0.6) {
            tilt(&mut x, rng.between(-self.tilt_db, self.tilt_db));
        }
        let peak = x.iter().fold(1.0f32, |peak, x| peak.max(x.abs()));
        let gain = 10f32.powf(rng.between(-self.gain_db, self.gain_db) / 20.0).min(32000.0 / peak);
        x.iter_mut().for_each(|x| *x *= gain);
        // Drawn before the noise, which takes a number a sample: so one seed is one line for clips of any length.
        let band = match rng.below(8) {
            _ if !self.codecs => Band::G711,
            0 => Band::Wide,
            1 => Band::G722,
            2 => Band::Opus,
            3 => Band::G711a,
            _ => Band::G711,
        };
        let loss = if rng.chance(self.loss) { rng.between(0.01, 0.08) } else { 0.0 };
        if rng.chance(self.noise) {
            if rng.chance(0.3) {
                let behind = background::comfort_noise(8000, rng);
                background::mix(&mut x, &behind, rng.between(12.0, 40.0), rng);
            } else {
                let power = x.iter().map(|x| x * x).sum::<f32>() / x.len().max(1) as f32;
                noise(&mut x, power, rng.between(8.0, 35.0), rng);
            }
        }
        let pcm: Vec<i16> = x.into_iter().map(|x| x.clamp(-32768.0, 32767.0) as i16).collect();
        (band.over_line(&pcm, 0.0, loss, rng), speed)
    }
}

/// Cuts off all that is louder than all but a `share` of the samples.
fn clip(x: &mut [f32], share: f32) {
    let mut sizes: Vec<f32> = x.iter().map(|x| x.abs()).collect();
    sizes.sort_by(f32::total_cmp);
    let place = (sizes.len() as f32 * (1.0 - share)) as usize;
    if let Some(most) = sizes.get(place).copied() {
        x.iter_mut().for_each(|x| *x = x.clamp(-most, most));
    }
}

/// First-order shelving: high frequencies up or down against low ones.
fn tilt(x: &mut [f32], db: f32) {
    let gain = 10f32.powf(db / 20.0);
    let mut low = 0.0;
    for x in x {
        low += 0.45 * (*x - low);
        *x = low + gain * (*x - low);
    }
}

/// A few early reflections and a decaying tail.
fn room(x: &mut [f32], rng: &mut Rng) {
    let echoes: Vec<(usize, f32)> = (0..12)
        .map(|n| {
            let delay = 20 + rng.below(60 + 90 * n);
            (delay, rng.between(-0.35, 0.35) * (-(delay as f32) / 500.0).exp())
        })
        .collect();
    let dry = x.to_vec();
    for (delay, gain) in echoes {
        for (wet, source) in x.iter_mut().skip(delay).zip(&dry) {
            *wet += gain * source;
        }
    }
}

/// White to brownish noise at a signal-to-noise ratio.
fn noise(x: &mut [f32], power: f32, snr_db: f32, rng: &mut Rng) {
    let colour = rng.between(0.0, 0.95);
    let deviation = (power * 10f32.powf(-snr_db / 10.0) * (1.0 - colour * colour)).sqrt();
    let mut state = 0.0;
    for x in x {
        state = colour * state + deviation * rng.normal();
        *x += state;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_band_gives_the_speech_back_at_its_length_and_level() {
        let pcm: Vec<i16> = (0..16_000)
            .map(|n| (6000.0 * (std::f32::consts::TAU * 300.0 * n as f32 / 8000.0).sin()) as i16)
            .collect();
        let power = |x: &[i16]| x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / x.len() as f64;
        for band in Band::ALL {
            for loss in [0.0, 0.05] {
                let heard = band.over_line(&pcm, 0.0, loss, &mut Rng::new(4));
                assert!(heard.len().abs_diff(pcm.len()) < 80, "{band:?}");
                let ratio = power(&heard[800..15_000]) / power(&pcm);
                assert!((0.7..1.3).contains(&ratio), "{band:?} at {loss}: {ratio}");
            }
            assert_eq!(Band::from_name(band.name()), Some(band));
        }
    }

    #[test]
    fn a_driven_recording_is_cut_off_at_its_loudest() {
        let mut x: Vec<f32> = (0..1000).map(|n| n as f32 - 500.0).collect();
        clip(&mut x, 0.02);
        assert!(x.iter().filter(|x| x.abs() >= 490.0).count() >= 20);
        assert_eq!(x.iter().fold(0.0f32, |most, x| most.max(x.abs())), 490.0);
        clip(&mut [], 0.02);
    }

    #[test]
    fn the_same_seed_gives_the_same_clip() {
        let pcm: Vec<i16> = (0..8000).map(|n| ((n * 37) % 4001 - 2000) as i16).collect();
        let augmentation = Augmentation::default();
        let first = augmentation.apply(&pcm, &[&pcm], &mut Rng::new(5));
        assert_eq!(first, augmentation.apply(&pcm, &[&pcm], &mut Rng::new(5)));
        assert_ne!(first, augmentation.apply(&pcm, &[&pcm], &mut Rng::new(6)));
    }
}
