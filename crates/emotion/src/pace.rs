//! How fast a party speaks: syllable nuclei counted as they pass, for both legs. It infers no emotion.
//!
//! After N. H. de Jong and T. Wempe, "Praat script to detect syllable nuclei and measure speech rate automatically",
//! Behavior Research Methods 41 (2009): a nucleus is a peak of intensity that stands at least 2 dB above the dip before
//! it, not too far below the loudest speech, and is voiced.

use std::collections::VecDeque;

const HOP: usize = 80;
/// Frames of 10 ms that intensity is smoothed over: Praat's window at a pitch floor of 50 Hz.
const SMOOTHING: usize = 6;
const DIP_DB: f32 = 2.0;
/// How far below the loudest speech a nucleus may lie.
const RANGE_DB: f32 = 25.0;
/// Below this nothing is speech.
const FLOOR_DB: f32 = -60.0;
/// The loudest level is forgotten at this rate, in dB per frame (3 dB/s), so that a cough does not deafen the counter.
const FORGET_DB: f32 = 0.03;
/// Normalised autocorrelation that makes a peak voiced.
const VOICED: f32 = 0.4;
/// Samples kept to judge voicing at a peak: 400 ms.
const KEPT: usize = 3200;
const VOICING_WINDOW: usize = 256;
const SHORTEST_LAG: usize = 18;
const LONGEST_LAG: usize = 130;

/// Streaming syllable counter over 8 kHz PCM of one party's speech.
#[derive(Debug, Clone)]
pub struct SyllableCounter {
    frame: Vec<f32>,
    powers: VecDeque<f32>,
    kept: VecDeque<f32>,
    /// Samples pushed so far.
    samples: u64,
    loudest_db: f32,
    dip_db: f32,
    peak: Option<(f32, u64)>,
    total: u64,
}

impl Default for SyllableCounter {
    fn default() -> Self {
        Self::new()
    }
}

impl SyllableCounter {
    /// A counter that has heard nothing.
    pub fn new() -> Self {
        Self {
            frame: Vec::with_capacity(HOP),
            powers: VecDeque::with_capacity(SMOOTHING),
            kept: VecDeque::with_capacity(KEPT),
            samples: 0,
            loudest_db: FLOOR_DB,
            dip_db: FLOOR_DB,
            peak: None,
            total: 0,
        }
    }

    /// Hears `pcm` (8 kHz, mono) and says how many nuclei were completed in it. A nucleus is known once intensity has
    /// fallen after it, some 50 ms later.
    pub fn push(&mut self, pcm: &[i16]) -> u32 {
        let mut found = 0;
        for &sample in pcm {
            let x = f32::from(sample) / 32768.0;
            if self.kept.len() == KEPT {
                self.kept.pop_front();
            }
            self.kept.push_back(x);
            self.samples += 1;
            self.frame.push(x);
            if self.frame.len() == HOP {
                found += u32::from(self.frame());
            }
        }
        self.total += u64::from(found);
        found
    }

    /// All nuclei so far.
    pub fn total(&self) -> u64 {
        self.total
    }

    fn frame(&mut self) -> bool {
        let power = self.frame.iter().map(|x| x * x).sum::<f32>() / HOP as f32;
        self.frame.clear();
        if self.powers.len() == SMOOTHING {
            self.powers.pop_front();
        }
        self.powers.push_back(power);
        let mean = self.powers.iter().sum::<f32>() / self.powers.len() as f32;
        let level = 10.0 * (mean + 1e-12).log10();
        self.loudest_db = (self.loudest_db - FORGET_DB).max(level).max(FLOOR_DB);

        match self.peak {
            None => {
                self.dip_db = self.dip_db.min(level);
                if level >= self.dip_db + DIP_DB {
                    self.peak = Some((level, self.samples));
                }
                false
            }
            Some((peak, _)) if level > peak => {
                self.peak = Some((level, self.samples));
                false
            }
            Some((peak, at)) if level <= peak - DIP_DB => {
                self.peak = None;
                self.dip_db = level;
                peak > FLOOR_DB && peak >= self.loudest_db - RANGE_DB && self.voiced(at)
            }
            Some(_) => false,
        }
    }

    /// Whether the samples around the intensity peak found at sample index `at` are periodic.
    fn voiced(&mut self, at: u64) -> bool {
        // The smoothed peak lags the sound by half the smoothing window.
        let centre = at.saturating_sub((SMOOTHING * HOP / 2) as u64);
        let first = self.samples - self.kept.len() as u64;
        let Some(start) = centre.checked_sub(first + (VOICING_WINDOW / 2) as u64) else { return false };
        let window = self.kept.make_contiguous();
        let Some(window) = window.get(start as usize..start as usize + VOICING_WINDOW) else { return false };
        let mut best = 0.0f32;
        for lag in SHORTEST_LAG..=LONGEST_LAG {
            let (Some(now), Some(then)) = (window.get(lag..), window.get(..VOICING_WINDOW - lag)) else {
                break;
            };
            let (mut product, mut left, mut right) = (0.0f32, 1e-9f32, 1e-9f32);
            for (a, b) in now.iter().zip(then) {
                product += a * b;
                left += a * a;
                right += b * b;
            }
            best = best.max(product / (left * right).sqrt());
        }
        best >= VOICED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `count` vowel-like bursts of `on` samples (a 140 Hz pulse train through one formant), `off` samples apart.
    fn syllables(count: usize, on: usize, off: usize, gain: f32) -> Vec<i16> {
        let mut pcm = vec![0i16; 1600];
        for _ in 0..count {
            for n in 0..on {
                let t = n as f32 / 8000.0;
                let envelope = (std::f32::consts::PI * n as f32 / on as f32).sin();
                let voice: f32 =
                    (1..12).map(|h| (std::f32::consts::TAU * 140.0 * h as f32 * t).sin() / h as f32).sum();
                pcm.push((gain * envelope * voice) as i16);
            }
            pcm.extend(std::iter::repeat_n(0, off));
        }
        pcm.extend(std::iter::repeat_n(0, 1600));
        pcm
    }

    #[test]
    fn each_voiced_burst_is_one_nucleus_at_any_level() {
        for gain in [300.0, 3000.0, 10000.0] {
            let mut counter = SyllableCounter::new();
            assert_eq!(counter.push(&syllables(12, 1200, 400, gain)), 12, "gain {gain}");
        }
    }

    #[test]
    fn pieces_of_any_size_count_the_same() {
        let pcm = syllables(9, 1000, 600, 4000.0);
        let mut whole = SyllableCounter::new();
        whole.push(&pcm);
        let mut pieces = SyllableCounter::new();
        pcm.chunks(37).for_each(|piece| {
            pieces.push(piece);
        });
        assert_eq!(whole.total(), pieces.total());
    }

    #[test]
    fn silence_and_unvoiced_bursts_count_nothing() {
        let mut counter = SyllableCounter::new();
        assert_eq!(counter.push(&[0; 16000]), 0);
        let mut rng = crate::rng::Rng::new(3);
        let hiss: Vec<i16> = (0..16000)
            .map(|n| if n % 2000 < 1000 { rng.between(-3000.0, 3000.0) as i16 } else { 0 })
            .collect();
        assert_eq!(counter.push(&hiss), 0);
    }
}
