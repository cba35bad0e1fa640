//! Where speech is: a voice activity detector over 8 kHz PCM, for both legs. It infers no emotion.
//!
//! The decision comes from earshot's small recurrent network, which hears 16 ms blocks at 16 kHz; so the telephone
//! band is interpolated by two with a half-band filter (its empty upper octave is what a narrow-band talker gives such
//! a detector anyway). On top of the block scores stand an onset and a hangover, so that a turn is not cut at every
//! stop consonant.

use std::{collections::VecDeque, time::Duration};

use crate::mark::FrameMark;

/// Samples at 8 kHz that one decision covers: 16 ms.
pub const BLOCK: usize = 128;
/// Analysis sample rate, in Hz.
pub const RATE: u32 = 8000;

const ONSET_SCORE: f32 = 0.5;
const RELEASE_SCORE: f32 = 0.35;
/// Blocks above the onset score in a row before speech has begun: 48 ms.
const ONSET_BLOCKS: u32 = 3;
/// Blocks below the release score in a row before speech has ended: 240 ms, longer than a stop's closure.
const HANGOVER_BLOCKS: u32 = 15;
/// A speaking turn is reported in pieces of at most this many samples, so that talk share moves while a party speaks.
const PIECE: u64 = RATE as u64;
/// Mean square below which a block is silence whatever the network says: -66 dBFS.
const SILENCE: f32 = 2.5e-7;

/// A stretch of speech, in media time: time by samples pushed since the detector was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpeechSegment {
    /// Where it begins.
    pub from: Duration,
    /// Where it ends.
    pub to: Duration,
    /// Whether the turn ended here; `false` when the next piece of the same turn follows without a gap.
    pub ended: bool,
}

/// Streaming speech detector: push PCM of any length, poll segments.
pub struct SpeechDetector {
    upsampler: HalfBand,
    network: Box<earshot::Detector>,
    block: Vec<f32>,
    state: State,
    samples: u64,
    above: u32,
    below: u32,
    segments: VecDeque<SpeechSegment>,
    spoken: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Silent,
    /// Speaking: where the piece began that is not reported yet, and where the last block with speech ended.
    Speaking {
        piece: u64,
        last: u64,
    },
}

impl Default for SpeechDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for SpeechDetector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpeechDetector").field("samples", &self.samples).field("state", &self.state).finish()
    }
}

impl SpeechDetector {
    /// A detector at media time zero, in silence.
    pub fn new() -> Self {
        Self {
            upsampler: HalfBand::default(),
            network: earshot::Detector::default_boxed(),
            block: Vec::with_capacity(BLOCK),
            state: State::Silent,
            samples: 0,
            above: 0,
            below: 0,
            segments: VecDeque::new(),
            spoken: 0,
        }
    }

    /// Hears `pcm` (8 kHz, mono). Audio that is no voice of this party (hold, DTMF, ...) passes time as silence and
    /// ends a turn at once. Segments that are never polled are kept to the last 64.
    pub fn push(&mut self, pcm: &[i16], mark: FrameMark) {
        self.push_with(pcm, mark, &mut |_| {});
    }

    /// As [`push`](Self::push), reporting each decided block.
    pub(crate) fn push_with(&mut self, pcm: &[i16], mark: FrameMark, decided: &mut dyn FnMut(Block)) {
        if !mark.is_voice() && self.is_speaking() {
            self.close();
        }
        for &sample in pcm {
            self.block.push(if mark.is_voice() { f32::from(sample) / 32768.0 } else { 0.0 });
            if self.block.len() == BLOCK {
                let block = self.decide();
                decided(block);
            }
        }
    }

    fn decide(&mut self) -> Block {
        let power = self.block.iter().map(|x| x * x).sum::<f32>() / BLOCK as f32;
        // The network rests in digital silence, which is most of what a listening party sends.
        let score = if power < SILENCE {
            0.0
        } else {
            let mut wide = [0.0f32; 2 * BLOCK];
            self.upsampler.process(&self.block, &mut wide);
            // Between two full-scale samples the curve overshoots, which the network refuses by a panic.
            wide.iter_mut().for_each(|x| *x = x.clamp(-1.0, 1.0));
            self.network.predict_f32(&wide)
        };
        self.block.clear();
        self.samples += BLOCK as u64;
        self.above = if score >= ONSET_SCORE { self.above + 1 } else { 0 };
        self.below = if score < RELEASE_SCORE { self.below + 1 } else { 0 };
        match self.state {
            State::Silent if self.above >= ONSET_BLOCKS => {
                let piece = self.samples - u64::from(ONSET_BLOCKS) * BLOCK as u64;
                self.state = State::Speaking { piece, last: self.samples };
            }
            State::Silent => {}
            State::Speaking { .. } if self.below >= HANGOVER_BLOCKS => self.close(),
            State::Speaking { piece, last } => {
                let last = if self.below == 0 { self.samples } else { last };
                self.state = State::Speaking { piece, last };
                if last.saturating_sub(piece) >= PIECE {
                    self.report(piece, last, false);
                    self.state = State::Speaking { piece: last, last };
                }
            }
        }
        Block { end: self.samples, power, speaking: self.is_speaking() }
    }

    fn close(&mut self) {
        if let State::Speaking { piece, last } = self.state {
            self.report(piece, last, true);
        }
        self.state = State::Silent;
        self.above = 0;
    }

    fn report(&mut self, from: u64, to: u64, ended: bool) {
        self.spoken += to - from;
        self.segments.push_back(SpeechSegment { from: media_time(from), to: media_time(to), ended });
        if self.segments.len() > 64 {
            self.segments.pop_front();
        }
    }

    /// Ends the turn that is under way, as at the end of a call.
    pub fn finish(&mut self) {
        self.close();
    }

    /// The next piece of speech that is complete. Pieces come in order and never overlap.
    pub fn poll(&mut self) -> Option<SpeechSegment> {
        self.segments.pop_front()
    }

    /// Whether the party is speaking now (hangover included).
    pub fn is_speaking(&self) -> bool {
        matches!(self.state, State::Speaking { .. })
    }

    /// Media time heard so far, to the last whole block of 16 ms.
    pub fn heard(&self) -> Duration {
        media_time(self.samples)
    }

    /// Speech reported so far.
    pub fn spoken(&self) -> Duration {
        media_time(self.spoken)
    }
}

/// One decided block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    /// Sample index just after the block.
    pub(crate) end: u64,
    /// Mean square, full scale 1.
    pub(crate) power: f32,
    /// Whether a turn is open after this block.
    pub(crate) speaking: bool,
}

/// Media time of a sample index at 8 kHz.
pub(crate) fn media_time(samples: u64) -> Duration {
    Duration::from_micros(samples * 125)
}

/// Interpolation by two with a half-band windowed-sinc filter: every second output is an input sample delayed, so
/// only the odd phase is computed.
struct HalfBand {
    taps: [f32; HalfBand::TAPS],
    history: [f32; HalfBand::TAPS],
}

impl HalfBand {
    const TAPS: usize = 24;

    fn process(&mut self, narrow: &[f32], wide: &mut [f32]) {
        for (&sample, pair) in narrow.iter().zip(wide.chunks_exact_mut(2)) {
            self.history.rotate_left(1);
            if let Some(newest) = self.history.last_mut() {
                *newest = sample;
            }
            let between: f32 = self.history.iter().zip(&self.taps).map(|(x, h)| x * h).sum();
            if let [even, odd] = pair {
                *even = self.history.get(Self::TAPS / 2 - 1).copied().unwrap_or(0.0);
                *odd = between;
            }
        }
    }
}

impl Default for HalfBand {
    fn default() -> Self {
        let mut taps = [0.0f32; Self::TAPS];
        let half = Self::TAPS as f32 / 2.0;
        for (n, tap) in taps.iter_mut().enumerate() {
            let x = n as f32 - half + 0.5;
            let sinc = (std::f32::consts::PI * x).sin() / (std::f32::consts::PI * x);
            let hann = 0.5 + 0.5 * (std::f32::consts::PI * x / half).cos();
            *tap = sinc * hann;
        }
        let gain: f32 = taps.iter().sum();
        taps.iter_mut().for_each(|tap| *tap /= gain);
        Self { taps, history: [0.0; Self::TAPS] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolation_keeps_a_tone_and_adds_no_image() {
        let mut filter = HalfBand::default();
        let tone = |n: usize, rate: f32| (std::f32::consts::TAU * 1000.0 * n as f32 / rate).sin();
        let narrow: Vec<f32> = (0..800).map(|n| tone(n, 8000.0)).collect();
        let mut wide = vec![0.0; 1600];
        filter.process(&narrow, &mut wide);
        // The even phase is the input delayed by half the filter.
        let delay = HalfBand::TAPS as f32;
        for (n, &y) in wide.iter().enumerate().skip(200) {
            let expected = (std::f32::consts::TAU * 1000.0 * (n as f32 - delay) / 16000.0).sin();
            assert!((y - expected).abs() < 0.01, "{n}: {y} against {expected}");
        }
    }

    #[test]
    fn audio_clipped_at_full_scale_is_heard() {
        let square: Vec<i16> = (0..8000).map(|n| if n / 9 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
        SpeechDetector::new().push(&square, FrameMark::Audio);
    }

    #[test]
    fn silence_and_tones_on_hold_are_no_speech() {
        let mut detector = SpeechDetector::new();
        detector.push(&[0; 16000], FrameMark::Audio);
        let noise: Vec<i16> = (0..16000i64).map(|n| ((n * 7919 % 2003) - 1001) as i16).collect();
        detector.push(&noise, FrameMark::Hold);
        assert!(detector.poll().is_none());
        assert_eq!(detector.heard(), Duration::from_secs(4));
    }
}
