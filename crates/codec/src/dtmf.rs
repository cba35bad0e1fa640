//! DTMF in the sound itself (ITU-T Q.23, Q.24): eight Goertzel filters over blocks of 12.75 ms.
//!
//! A key counts when two blocks in a row agree on it, which takes 26 to 38 ms: within the 40 ms that Q.24 asks a
//! receiver to accept. Speech that resembles a key (talk-off) is kept out by the balance of the two tones, their share
//! of all energy, and the absence of their second harmonics.

#![allow(clippy::indexing_slicing)] // fixed arrays of eight and four

use std::f32::consts::TAU;

/// Sample rate that is listened to, in Hz.
pub const RATE: u32 = 8_000;
/// At 8 kHz the block in which the eight frequencies lie nearest to whole cycles.
const BLOCK: usize = 102;
const LOW: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];
/// -36 dBm0, roughly: quieter tones are somebody else's.
const LEAST_POWER: f32 = 1.2e-5;
/// The tones of a key hold this share of a block's energy.
const LEAST_SHARE: f32 = 0.7;
/// How much stronger one tone of a group is than the others of its group.
const LEAST_LEAD: f32 = 6.3;
/// The most that the high tone may exceed the low one ("twist"): 4 dB and a little; and the other way round, 8 dB.
const MOST_TWIST: f32 = 3.2;
const MOST_REVERSE_TWIST: f32 = 7.0;
/// Second harmonics of a voice hold at least so much; those of a key do not.
const MOST_HARMONIC: f32 = 0.12;

/// Listens for keys in one stream.
#[derive(Debug, Clone, Default)]
pub struct Detector {
    block: Vec<f32>,
    /// The key that the block before was taken for.
    before: Option<char>,
    /// The key that is down, and the blocks since it was last heard.
    down: Option<(char, u8)>,
}

impl Detector {
    /// A detector that has heard nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes 8 kHz PCM; calls `pressed` for each key when it goes down.
    pub fn push(&mut self, pcm: &[i16], mut pressed: impl FnMut(char)) {
        for sample in pcm {
            self.block.push(f32::from(*sample) / 32_768.0);
            if self.block.len() == BLOCK {
                let key = key(&self.block);
                self.block.clear();
                if let Some(key) = self.judge(key) {
                    pressed(key);
                }
            }
        }
    }

    fn judge(&mut self, heard: Option<char>) -> Option<char> {
        let agreed = heard.filter(|_| heard == self.before);
        self.before = heard;
        match (&mut self.down, agreed) {
            (Some((down, gone)), Some(key)) if *down == key => {
                *gone = 0;
                None
            }
            (_, Some(key)) => {
                self.down = Some((key, 0));
                Some(key)
            }
            // A short drop-out is not a second press.
            (Some((_, gone)), None) => {
                *gone += 1;
                if *gone > 2 {
                    self.down = None;
                }
                None
            }
            (None, None) => None,
        }
    }
}

/// The key that a block sounds like.
fn key(block: &[f32]) -> Option<char> {
    let energy: f32 = block.iter().map(|x| x * x).sum();
    if energy / (BLOCK as f32) < LEAST_POWER {
        return None;
    }
    let low = LOW.map(|hz| power(block, hz));
    let high = HIGH.map(|hz| power(block, hz));
    let (row, low_power) = leader(&low)?;
    let (column, high_power) = leader(&high)?;
    let twisted = high_power > low_power * MOST_TWIST || low_power > high_power * MOST_REVERSE_TWIST;
    // A sine of energy E over N samples has the Goertzel power E N / 2.
    let share = 2.0 * (low_power + high_power) / (energy * BLOCK as f32);
    // Those of the low tones lie among the high tones, where this short a block can't tell them apart.
    let voiced = power(block, 2.0 * HIGH[column]) > MOST_HARMONIC * high_power;
    (!twisted && share > LEAST_SHARE && !voiced).then(|| KEYS[row][column])
}

/// The strongest of a group, if it leads clearly.
fn leader(powers: &[f32; 4]) -> Option<(usize, f32)> {
    let (index, &most) = powers.iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    let clear = powers.iter().enumerate().all(|(n, power)| n == index || power * LEAST_LEAD < most);
    clear.then_some((index, most))
}

/// Goertzel's algorithm: the squared magnitude at one frequency.
fn power(block: &[f32], hz: f32) -> f32 {
    let twice = 2.0 * (TAU * hz / RATE as f32).cos();
    let (mut one, mut two) = (0.0, 0.0);
    for x in block {
        let next = x + twice * one - two;
        two = one;
        one = next;
    }
    one * one + two * two - twice * one * two
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tones(key: char, ms: usize, low_level: f32, high_level: f32) -> Vec<i16> {
        let (row, column) = (0..4)
            .flat_map(|row| (0..4).map(move |column| (row, column)))
            .find(|(row, column)| KEYS[*row][*column] == key)
            .unwrap();
        (0..8 * ms)
            .map(|n| {
                let t = n as f32 / 8_000.0;
                let sum =
                    low_level * (TAU * LOW[row] * t).sin() + high_level * (TAU * HIGH[column] * t).sin();
                (sum * 32_767.0) as i16
            })
            .collect()
    }

    fn heard(pcm: &[i16]) -> String {
        let mut detector = Detector::new();
        let mut keys = String::new();
        for frame in pcm.chunks(160) {
            detector.push(frame, |key| keys.push(key));
        }
        keys
    }

    #[test]
    fn every_key_is_heard_once_at_any_level_and_twist_a_phone_may_have() {
        for key in KEYS.iter().flatten() {
            for (low, high) in [(0.3, 0.3), (0.02, 0.02), (0.2, 0.28), (0.28, 0.15)] {
                for ms in [50, 80, 400] {
                    let mut pcm = vec![0; 333];
                    pcm.extend(tones(*key, ms, low, high));
                    pcm.extend([0; 800]);
                    assert_eq!(heard(&pcm), key.to_string(), "{low} {high} {ms} ms");
                }
            }
        }
    }

    #[test]
    fn keys_one_after_the_other_and_the_same_key_again_are_told_apart() {
        let mut pcm = Vec::new();
        for key in "1999#0".chars() {
            pcm.extend(tones(key, 60, 0.2, 0.2));
            pcm.extend([0; 480]);
        }
        assert_eq!(heard(&pcm), "1999#0");
    }

    #[test]
    fn through_g711_and_noise_a_key_is_a_key() {
        let mut noise = 1_u32;
        let mut pcm = tones('9', 100, 0.1, 0.1);
        for sample in &mut pcm {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let with_noise = sample.saturating_add(((noise >> 16) as i16) / 64);
            *sample = crate::g711::from_ulaw(crate::g711::to_ulaw(with_noise));
        }
        assert_eq!(heard(&pcm), "9");
    }

    #[test]
    fn single_tones_music_and_noise_are_no_keys() {
        let mut noise = 7_u32;
        let hiss: Vec<i16> = (0..80_000)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (noise >> 16) as i16 / 8
            })
            .collect();
        assert_eq!(heard(&hiss), "");
        for hz in (300..3_400).step_by(25) {
            let tone: Vec<i16> =
                (0..4_000).map(|n| (8_000.0 * (TAU * hz as f32 * n as f32 / 8_000.0).sin()) as i16).collect();
            assert_eq!(heard(&tone), "", "{hz}");
        }
        // A sawtooth glides like a voice, with all its harmonics.
        let mut phase = 0.0_f32;
        let glide: Vec<i16> = (0..80_000)
            .map(|n| {
                phase = (phase + (100.0 + n as f32 / 200.0) / 8_000.0).fract();
                ((phase - 0.5) * 16_000.0) as i16
            })
            .collect();
        assert_eq!(heard(&glide), "");
    }
}
