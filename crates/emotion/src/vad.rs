//! Where speech is: a voice activity detector over 8 kHz PCM, for both legs. It infers no emotion.
//!
//! The decision comes from earshot's small recurrent network, which hears 16 ms blocks at 16 kHz; so the telephone
//! band is interpolated by two with a half-band filter (its empty upper octave is what a narrow-band talker gives such
//! a detector anyway). On top of the block scores stand an onset and a hangover, so that a turn is not cut at every
//! stop consonant.
//!
//! The network likes to stay: after a last word it takes the noise of a quiet line for speech for up to three seconds,
//! in which the other party answers. So a turn stays open as long as the network says, but the speech that is reported
//! of it ends with the last block that is not far below its loudest.

use std::{collections::VecDeque, time::Duration};

use crate::mark::FrameMark;
use crate::pace::SyllableCounter;

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
/// Mean square below which nobody begins to speak: -60 dBFS. A quiet line is no louder.
const FLOOR: f32 = 1e-6;
/// Blocks of a quiet line that the network hears before it rests there: 500 ms, in which it comes to rest too.
const SETTLING: u32 = 31;
/// Blocks that it hears first when it wakes up: those that its own window and context reach back to.
const REACH: usize = 4;
/// Mean square of a block, as a part of the loudest block lately, below which it is no speech: 30 dB.
const FAINT: f32 = 1e-3;
/// What is left of the loudest block after another one: 1.5 dB less in a second, so that a party who becomes quiet for
/// good is heard again, and the noise after a last word is not.
const FORGET: f32 = 0.9945;
/// Samples without an audible block that end a stretch of speech within a turn: 500 ms. Shorter pauses, between words
/// and sentences, belong to the speech, as in every count of words a minute.
const PAUSE: u64 = RATE as u64 / 2;
/// Nuclei that wait for the end of their piece at most: more than anybody can speak in one.
const NUCLEI: usize = 64;

/// A stretch of speech, in media time: time by samples pushed since the detector was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpeechSegment {
    /// Where it begins.
    pub from: Duration,
    /// Where it ends.
    pub to: Duration,
    /// Whether the stretch ended here; `false` when its next piece follows without a gap.
    pub ended: bool,
    /// Syllable nuclei found in the stretch since its last piece. They are known some 110 ms after they sounded, so one
    /// near a piece's end is counted with the next.
    pub syllables: u32,
}

/// Streaming speech detector: push PCM of any length, poll segments.
pub struct SpeechDetector {
    upsampler: HalfBand,
    network: Box<earshot::Detector>,
    block: [f32; BLOCK],
    /// Samples of the block that are there.
    filled: usize,
    /// Blocks in a row in which the line was quiet while nobody spoke, up to [`SETTLING`].
    quiet: u32,
    /// The last blocks that the network has not heard.
    unheard: VecDeque<[f32; BLOCK]>,
    state: State,
    samples: u64,
    /// Where the last block with speech ended.
    last_audible: u64,
    above: u32,
    below: u32,
    /// Mean square of the loudest block lately.
    loudest: f32,
    syllables: SyllableCounter,
    /// Samples at which nuclei were found, not yet counted with a piece.
    nuclei: VecDeque<u64>,
    segments: VecDeque<SpeechSegment>,
    spoken: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Silent,
    /// A turn is open; between two stretches of it nothing is audible.
    Speaking(Option<Stretch>),
}

/// Audible speech within a turn, in samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    from: u64,
    /// Where the piece began that is not reported yet.
    piece: u64,
    /// Where the last block with speech ended.
    last: u64,
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
            block: [0.0; BLOCK],
            filled: 0,
            quiet: 0,
            unheard: VecDeque::new(),
            state: State::Silent,
            samples: 0,
            last_audible: 0,
            above: 0,
            below: 0,
            loudest: 0.0,
            syllables: SyllableCounter::new(),
            nuclei: VecDeque::new(),
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
        let mut left = pcm;
        while !left.is_empty() {
            let (piece, rest) = left.split_at(left.len().min(BLOCK - self.filled));
            left = rest;
            let room = self.block.get_mut(self.filled..self.filled + piece.len()).unwrap_or_default();
            if mark.is_voice() {
                room.iter_mut().zip(piece).for_each(|(x, sample)| *x = f32::from(*sample) / 32768.0);
            } else {
                room.fill(0.0);
            }
            let nuclei = &mut self.nuclei;
            self.syllables.hear(room, |nucleus| {
                if nuclei.len() == NUCLEI {
                    nuclei.pop_front();
                }
                nuclei.push_back(nucleus);
            });
            self.filled += piece.len();
            if self.filled == BLOCK {
                self.filled = 0;
                let block = self.decide();
                decided(block);
            }
        }
    }

    fn decide(&mut self) -> Block {
        let power = self.block.iter().map(|x| x * x).sum::<f32>() / BLOCK as f32;
        let score = self.score(power);
        self.samples += BLOCK as u64;
        self.above = if score >= ONSET_SCORE { self.above + 1 } else { 0 };
        self.below = if score < RELEASE_SCORE { self.below + 1 } else { 0 };
        self.loudest = (self.loudest * FORGET).max(if self.above > 0 { power } else { 0.0 });
        let is_audible = self.below == 0 && power >= self.loudest * FAINT;
        if is_audible {
            self.last_audible = self.samples;
        }
        match self.state {
            State::Silent if self.above >= ONSET_BLOCKS => {
                let from = self.samples - u64::from(ONSET_BLOCKS) * BLOCK as u64;
                self.state = State::Speaking(Some(Stretch { from, piece: from, last: self.samples }));
            }
            State::Silent => {}
            State::Speaking(_) if self.below >= HANGOVER_BLOCKS => self.close(),
            State::Speaking(Some(stretch)) => self.go_on(stretch, is_audible),
            State::Speaking(None) if is_audible => {
                let from = self.samples - BLOCK as u64;
                self.state = State::Speaking(Some(Stretch { from, piece: from, last: self.samples }));
            }
            State::Speaking(None) => {}
        }
        Block { end: self.samples, power, speaking: self.is_speaking() }
    }

    /// How likely the block is speech, in `[0, 1]`. The network rests in digital silence and on a line that is quiet,
    /// which is most of what a listening party sends.
    fn score(&mut self, power: f32) -> f32 {
        if power < SILENCE {
            return 0.0;
        }
        if power >= FLOOR || self.is_speaking() {
            self.quiet = 0;
        } else if self.quiet < SETTLING {
            self.quiet += 1;
        } else {
            if self.unheard.len() == REACH {
                self.unheard.pop_front();
            }
            self.unheard.push_back(self.block);
            return 0.0;
        }
        while let Some(block) = self.unheard.pop_front() {
            self.predict(&block);
        }
        let block = self.block;
        self.predict(&block)
    }

    fn predict(&mut self, block: &[f32; BLOCK]) -> f32 {
        let mut wide = [0.0f32; 2 * BLOCK];
        self.upsampler.process(block, &mut wide);
        // Between two full-scale samples the curve overshoots, which the network refuses by a panic.
        wide.iter_mut().for_each(|x| *x = x.clamp(-1.0, 1.0));
        self.network.predict_f32(&wide)
    }

    /// One more block of the turn: the stretch becomes longer, is reported in part, or has ended.
    fn go_on(&mut self, mut stretch: Stretch, is_audible: bool) {
        if is_audible {
            stretch.last = self.samples;
        }
        if self.samples - stretch.last >= PAUSE {
            self.report(stretch, true);
            self.state = State::Speaking(None);
            return;
        }
        if stretch.last.saturating_sub(stretch.piece) >= PIECE {
            self.report(stretch, false);
            stretch.piece = stretch.last;
        }
        self.state = State::Speaking(Some(stretch));
    }

    fn close(&mut self) {
        if let State::Speaking(Some(stretch)) = self.state {
            self.report(stretch, true);
        }
        self.state = State::Silent;
        self.above = 0;
    }

    fn report(&mut self, stretch: Stretch, ended: bool) {
        let Stretch { from, piece, last } = stretch;
        let found = self.nuclei.iter().filter(|at| (from..last).contains(at)).count();
        self.nuclei.retain(|at| *at >= last);
        if last <= piece {
            return;
        }
        self.spoken += last - piece;
        self.segments.push_back(SpeechSegment {
            from: media_time(piece),
            to: media_time(last),
            ended,
            syllables: u32::try_from(found).unwrap_or(u32::MAX),
        });
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
        matches!(self.state, State::Speaking(_))
    }

    /// Whether speech was audible within the last `tail` samples: narrower than a turn, which may stay open over a
    /// quiet line.
    pub fn sounded_within(&self, tail: u64) -> bool {
        matches!(self.state, State::Speaking(_)) && self.samples.saturating_sub(self.last_audible) <= tail
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
    /// The samples that the filter reaches back to, then the block.
    samples: [f32; HalfBand::TAPS + BLOCK],
}

impl HalfBand {
    const TAPS: usize = 24;

    fn process(&mut self, narrow: &[f32; BLOCK], wide: &mut [f32; 2 * BLOCK]) {
        self.samples.copy_within(BLOCK.., 0);
        if let Some(newest) = self.samples.last_chunk_mut() {
            *newest = *narrow;
        }
        // Tap by tap over the whole block: sums of neighbours go side by side in the processor's vectors, and each adds
        // up in the order of its taps.
        let mut between = [0.0f32; BLOCK];
        for (tap, reached) in self.taps.iter().zip(self.samples.windows(BLOCK).skip(1)) {
            for (sum, sample) in between.iter_mut().zip(reached) {
                *sum += sample * tap;
            }
        }
        let delayed = self.samples.get(Self::TAPS / 2..).unwrap_or_default();
        for ((pair, even), odd) in wide.as_chunks_mut::<2>().0.iter_mut().zip(delayed).zip(&between) {
            *pair = [*even, *odd];
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
        Self { taps, samples: [0.0; Self::TAPS + BLOCK] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpolation_keeps_a_tone_and_adds_no_image() {
        let mut filter = HalfBand::default();
        let tone = |n: usize, rate: f32| (std::f32::consts::TAU * 1000.0 * n as f32 / rate).sin();
        let narrow: Vec<f32> = (0..7 * BLOCK).map(|n| tone(n, 8000.0)).collect();
        let mut wide = vec![0.0; 2 * narrow.len()];
        let blocks = narrow.as_chunks().0.iter().zip(wide.as_chunks_mut().0);
        blocks.for_each(|(narrow, wide)| filter.process(narrow, wide));
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
