//! What telephony does to speech, for training and evaluation: codecs, loss, gain, noise, rooms, lines.

use serde::{Deserialize, Serialize};

use crate::{corpus::audio::resample, rng::Rng};

/// The way from the caller's mouth to the analysis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Band {
    /// G.711 µ-law.
    G711,
    /// G.711 A-law.
    G711a,
    /// As recorded, brought to 8 kHz.
    Wide,
}

impl Band {
    /// The name used on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::G711 => "g711",
            Self::G711a => "g711a",
            Self::Wide => "wide",
        }
    }

    /// Every band, for help texts.
    pub const ALL: [Self; 3] = [Self::G711, Self::G711a, Self::Wide];

    /// The band of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|band| band.name() == name)
    }

    /// Speech made louder or softer, through this band, with packets lost.
    #[must_use]
    pub fn over_line(self, pcm: &[i16], gain_db: f32, loss: f32, rng: &mut Rng) -> Vec<i16> {
        let gain = 10f32.powf(gain_db / 20.0);
        let louder: Vec<i16> =
            pcm.iter().map(|&x| (f32::from(x) * gain).clamp(-32768.0, 32767.0) as i16).collect();
        let mut heard = self.through(&louder);
        if loss > 0.0 {
            lose(&mut heard, loss, rng);
        }
        heard
    }

    /// Speech (8 kHz, mono) as it comes out at the other end.
    #[must_use]
    pub fn through(self, pcm: &[i16]) -> Vec<i16> {
        match self {
            Self::G711 => pcm.iter().map(|&x| mu_law(x)).collect(),
            Self::G711a => pcm.iter().map(|&x| a_law(x)).collect(),
            Self::Wide => pcm.to_vec(),
        }
    }
}

/// How strongly training varies a clip.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Augmentation {
    /// Largest change of speed and pitch, as a fraction.
    pub speed: f32,
    /// Largest change of level in dB.
    pub gain_db: f32,
    /// Largest tilt of the line's frequency response in dB over the band.
    pub tilt_db: f32,
    /// Probability of added noise.
    pub noise: f32,
    /// Probability of a room.
    pub room: f32,
    /// Probability of lost packets.
    pub loss: f32,
}

impl Default for Augmentation {
    fn default() -> Self {
        Self { speed: 0.12, gain_db: 12.0, tilt_db: 6.0, noise: 0.4, room: 0.25, loss: 0.25 }
    }
}

impl Augmentation {
    /// A clip as another caller on another line might have sounded, and how many times as long it is.
    #[must_use]
    pub fn apply(&self, pcm: &[i16], rng: &mut Rng) -> (Vec<i16>, f32) {
        let mut x: Vec<f32> = pcm.iter().map(|&x| f32::from(x)).collect();
        let mut speed = 1.0;
        if self.speed > 0.0 && rng.chance(0.7) {
            speed += rng.between(-self.speed, self.speed);
            x = resample(&x, speed);
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
        if rng.chance(self.noise) {
            let power = x.iter().map(|x| x * x).sum::<f32>() / x.len().max(1) as f32;
            noise(&mut x, power, rng.between(8.0, 35.0), rng);
        }
        let pcm: Vec<i16> = x.into_iter().map(|x| x.clamp(-32768.0, 32767.0) as i16).collect();
        let band = match rng.below(4) {
            0 => Band::Wide,
            1 => Band::G711a,
            _ => Band::G711,
        };
        let mut pcm = band.through(&pcm);
        if rng.chance(self.loss) {
            lose(&mut pcm, rng.between(0.01, 0.08), rng);
        }
        (pcm, speed)
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

/// Loses packets of 20 ms in short bursts; what is lost fades out from the last pitch-long stretch before it.
fn lose(pcm: &mut [i16], rate: f32, rng: &mut Rng) {
    const PACKET: usize = 160;
    let mut lost = false;
    for start in (PACKET..pcm.len()).step_by(PACKET) {
        lost = rng.chance(if lost { 0.3 } else { rate });
        if lost {
            for n in start..(start + PACKET).min(pcm.len()) {
                let earlier = pcm.get(n - PACKET).copied().unwrap_or(0);
                if let Some(x) = pcm.get_mut(n) {
                    *x = (f32::from(earlier) * 0.8) as i16;
                }
            }
        }
    }
}

/// ITU-T G.711 µ-law there and back.
fn mu_law(x: i16) -> i16 {
    const BIAS: i32 = 132;
    let sign = if x < 0 { -1 } else { 1 };
    let magnitude = (i32::from(x).abs().min(32635)) + BIAS;
    let exponent = 31 - (magnitude as u32).leading_zeros() - 7;
    let mantissa = (magnitude >> (exponent + 3)) & 15;
    let back = ((((mantissa << 3) + BIAS) << exponent) - BIAS) * sign;
    back as i16
}

/// ITU-T G.711 A-law there and back.
fn a_law(x: i16) -> i16 {
    let sign = if x < 0 { -1 } else { 1 };
    let magnitude = i32::from(x).abs().min(32767) >> 4;
    let back = if magnitude < 32 {
        ((magnitude >> 1) << 1) + 1
    } else {
        let exponent = 31 - (magnitude as u32).leading_zeros() - 4;
        ((magnitude >> exponent) << exponent) + (1 << (exponent - 1))
    };
    (back * 16 * sign).clamp(-32768, 32767) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn companding_errs_by_less_than_half_a_step_of_its_segment() {
        for x in (-32000..32000).step_by(7) {
            for (there, finest) in [(mu_law(x), 4.0), (a_law(x), 17.0)] {
                let error = (f32::from(there) - f32::from(x)).abs();
                assert!(error <= finest + f32::from(x).abs() / 30.0, "{x} became {there}");
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_clip() {
        let pcm: Vec<i16> = (0..8000).map(|n| ((n * 37) % 4001 - 2000) as i16).collect();
        let augmentation = Augmentation::default();
        let first = augmentation.apply(&pcm, &mut Rng::new(5));
        assert_eq!(first, augmentation.apply(&pcm, &mut Rng::new(5)));
        assert_ne!(first, augmentation.apply(&pcm, &mut Rng::new(6)));
    }
}
