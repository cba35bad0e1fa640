//! How fast a party speaks: syllable nuclei counted as they pass, for both legs. It infers no emotion.
//!
//! After N. H. de Jong and T. Wempe, "Praat script to detect syllable nuclei and measure speech rate automatically",
//! Behavior Research Methods 41 (2009): a nucleus is a peak of intensity that stands 1.5 dB above the dips beside it,
//! not too far below the loudest speech, and is voiced. Two things differ, since their script missed a third of the
//! syllables of fast talk on a telephone (docs/CUES.md has the figures). The intensity is that above 400 Hz, where a
//! vowel differs more from the nasals and liquids around it than in a band that holds the pitch too. And it is smoothed
//! over 40 ms and not over the 64 ms of Praat's window, in which short syllables run together.

use std::collections::VecDeque;

const HOP: usize = 80;
/// Weights of the powers of neighbouring frames of 10 ms: binomial, a deviation of one frame.
const POWERS: [f32; 5] = [1.0 / 16.0, 4.0 / 16.0, 6.0 / 16.0, 4.0 / 16.0, 1.0 / 16.0];
/// Weights of neighbouring levels in dB: binomial, a deviation of 1.4 frames.
const LEVELS: [f32; 9] = [
    1.0 / 256.0,
    8.0 / 256.0,
    28.0 / 256.0,
    56.0 / 256.0,
    70.0 / 256.0,
    56.0 / 256.0,
    28.0 / 256.0,
    8.0 / 256.0,
    1.0 / 256.0,
];
/// Frames by which both smoothings lag the sound.
const LAG: usize = POWERS.len() / 2 + LEVELS.len() / 2;
const DIP_DB: f32 = 1.5;
/// How far below the loudest speech a nucleus may lie.
const RANGE_DB: f32 = 30.0;
/// Below this nothing is speech.
const FLOOR_DB: f32 = -60.0;
/// The loudest level is forgotten at this rate, in dB per frame (3 dB/s), so that a cough does not deafen the counter.
const FORGET_DB: f32 = 0.03;
/// Normalised autocorrelation that makes a peak voiced.
const VOICED: f32 = 0.3;
/// What is left in a filter below this, full scale 1, is nothing: -400 dB.
const FADED: f32 = 1e-20;
/// Samples kept to judge voicing at a peak: 400 ms.
const KEPT: usize = 3200;
const VOICING_WINDOW: usize = 256;
const SHORTEST_LAG: usize = 18;
const LONGEST_LAG: usize = 130;

/// Streaming syllable counter over 8 kHz PCM of one party's speech.
#[derive(Debug, Clone)]
pub struct SyllableCounter {
    filter: [HighPass; 2],
    frame: Vec<f32>,
    powers: VecDeque<f32>,
    levels: VecDeque<f32>,
    /// The last samples: the newest [`KEPT`] count, and up to as many before them wait to be dropped.
    kept: Vec<f32>,
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
            filter: [HighPass::first(), HighPass::second()],
            frame: Vec::with_capacity(HOP),
            powers: VecDeque::with_capacity(POWERS.len()),
            levels: VecDeque::with_capacity(LEVELS.len()),
            kept: Vec::with_capacity(2 * KEPT),
            samples: 0,
            loudest_db: FLOOR_DB,
            dip_db: FLOOR_DB,
            peak: None,
            total: 0,
        }
    }

    /// Hears `pcm` (8 kHz, mono) and says how many nuclei were completed in it. A nucleus is known once intensity has
    /// fallen after it, some 110 ms later.
    pub fn push(&mut self, pcm: &[i16]) -> u32 {
        let (mut found, mut wide) = (0, [0.0; HOP]);
        for piece in pcm.chunks(HOP) {
            for (x, sample) in wide.iter_mut().zip(piece) {
                *x = f32::from(*sample) / 32768.0;
            }
            self.hear(wide.get(..piece.len()).unwrap_or_default(), |_| found += 1);
        }
        found
    }

    /// All nuclei so far.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Hears samples, full scale 1, and tells for each nucleus that is complete with them the index of the sample where
    /// it was.
    pub(crate) fn hear(&mut self, samples: &[f32], mut found: impl FnMut(u64)) {
        let mut left = samples;
        while !left.is_empty() {
            let (piece, rest) = left.split_at(left.len().min(HOP - self.frame.len()));
            left = rest;
            if self.kept.len() + piece.len() > 2 * KEPT {
                self.kept.drain(..self.kept.len() - KEPT);
            }
            self.kept.extend_from_slice(piece);
            self.samples += piece.len() as u64;
            let [first, second] = &mut self.filter;
            if first.is_at_rest() && second.is_at_rest() && piece.iter().all(|x| *x == 0.0) {
                // Nothing comes out of silence.
                self.frame.resize(self.frame.len() + piece.len(), 0.0);
            } else {
                self.frame.extend(piece.iter().map(|x| second.process(first.process(*x))));
                first.settle();
                second.settle();
            }
            if self.frame.len() == HOP
                && let Some(at) = self.frame()
            {
                self.total += 1;
                found(at);
            }
        }
    }

    fn frame(&mut self) -> Option<u64> {
        let power = self.frame.iter().map(|x| x * x).sum::<f32>() / HOP as f32;
        self.frame.clear();
        let mean = smoothed(&mut self.powers, power, &POWERS)?;
        let level = smoothed(&mut self.levels, 10.0 * (mean + 1e-12).log10(), &LEVELS)?;
        let now = self.samples.saturating_sub((LAG * HOP + HOP / 2) as u64);
        self.loudest_db = (self.loudest_db - FORGET_DB).max(level).max(FLOOR_DB);

        match self.peak {
            None => {
                self.dip_db = self.dip_db.min(level);
                if level >= self.dip_db + DIP_DB {
                    self.peak = Some((level, now));
                }
                None
            }
            Some((peak, _)) if level > peak => {
                self.peak = Some((level, now));
                None
            }
            Some((peak, at)) if level <= peak - DIP_DB => {
                self.peak = None;
                self.dip_db = level;
                let is_nucleus = peak > FLOOR_DB && peak >= self.loudest_db - RANGE_DB && self.voiced(at);
                is_nucleus.then_some(at)
            }
            Some(_) => None,
        }
    }

    /// Whether the samples around sample index `centre` are periodic: at one lag at least.
    fn voiced(&self, centre: u64) -> bool {
        let kept = self.kept.get(self.kept.len().saturating_sub(KEPT)..).unwrap_or_default();
        let first = self.samples - kept.len() as u64;
        let Some(start) = centre.checked_sub(first + (VOICING_WINDOW / 2) as u64) else { return false };
        let window = kept.get(start as usize..).and_then(|window| window.first_chunk::<VOICING_WINDOW>());
        let Some(window) = window else { return false };
        // The energy of the window's beginning, up to each sample.
        let mut energy = [1e-9f32; VOICING_WINDOW + 1];
        let mut sum = 1e-9;
        for (energy, x) in energy.iter_mut().skip(1).zip(window) {
            sum += x * x;
            *energy = sum;
        }
        (SHORTEST_LAG..=LONGEST_LAG).any(|lag| {
            let (Some(now), Some(then)) = (window.get(lag..), window.get(..VOICING_WINDOW - lag)) else {
                return false;
            };
            let (mut product, mut left) = (0.0f32, 1e-9f32);
            for (a, b) in now.iter().zip(then) {
                product += a * b;
                left += a * a;
            }
            let right = energy.get(VOICING_WINDOW - lag).copied().unwrap_or(1e-9);
            product / (left * right).sqrt() >= VOICED
        })
    }
}

/// Appends `value` to the last values and weights them, once there are as many as weights.
fn smoothed(held: &mut VecDeque<f32>, value: f32, weights: &[f32]) -> Option<f32> {
    if held.len() == weights.len() {
        held.pop_front();
    }
    held.push_back(value);
    (held.len() == weights.len()).then(|| held.iter().zip(weights).map(|(x, w)| x * w).sum())
}

/// One half of a Butterworth high-pass of fourth order at 400 Hz, for 8 kHz.
#[derive(Debug, Clone, Copy)]
struct HighPass {
    a1: f32,
    a2: f32,
    gain: f32,
    held: [f32; 2],
}

impl HighPass {
    fn first() -> Self {
        Self::of_quality(0.541_196_1)
    }

    fn second() -> Self {
        Self::of_quality(1.306_563)
    }

    fn of_quality(quality: f32) -> Self {
        let k = (std::f32::consts::PI * 400.0 / 8000.0).tan();
        let norm = 1.0 / (1.0 + k / quality + k * k);
        Self {
            a1: 2.0 * (k * k - 1.0) * norm,
            a2: (1.0 - k / quality + k * k) * norm,
            gain: norm,
            held: [0.0; 2],
        }
    }

    /// Whether nothing of what it has heard is left in it.
    fn is_at_rest(&self) -> bool {
        self.held == [0.0; 2]
    }

    /// Forgets what is far below any sound: it would fade for ever, in numbers that processors are slow with.
    fn settle(&mut self) {
        for held in &mut self.held {
            if held.abs() < FADED {
                *held = 0.0;
            }
        }
    }

    /// Transposed direct form II; the numerator is `gain * (1, -2, 1)`.
    fn process(&mut self, x: f32) -> f32 {
        let [first, second] = self.held;
        let y = self.gain * x + first;
        self.held = [-2.0 * self.gain * x - self.a1 * y + second, self.gain * x - self.a2 * y];
        y
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
