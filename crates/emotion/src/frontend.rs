//! From PCM to the steps that the network computes: only speech passes, and its level is taken out.
//!
//! Features are computed for speech alone, with a little before its onset, so silence costs nothing and the network
//! sees turns joined end to end. The level is that of this party's own speech: estimated over the first half second,
//! followed slowly afterwards. So a louder line changes nothing, while someone who grows louder within a few seconds
//! still shows.

use std::collections::VecDeque;

use crate::{
    echo::Echo,
    features::{Extractor, FeatureConfig},
    mark::FrameMark,
    vad::{Block, RATE, SpeechDetector, SpeechSegment},
};

/// Sound before a detected onset that is still looked at: 150 ms.
const PRE_ROLL: u64 = 1200;
/// Steps that the first level estimate is made from, and held back for: 0.5 s.
pub const SETTLING_STEPS: usize = 20;
/// Weight of a new step in the running level: a time constant of 4 s of speech.
const LEVEL_WEIGHT: f32 = 1.0 / 160.0;
/// Weight of a new 16 ms block in the running noise floor: a time constant of 0.5 s.
const NOISE_WEIGHT: f32 = 0.032;
/// Mean square of a step below which it tells nothing of the level: -60 dBFS.
const QUIET: f32 = 1e-6;

/// One step of speech, ready for the network.
#[derive(Debug, Clone)]
pub struct Step {
    /// Sample index just after the step's last sample.
    pub end: u64,
    /// Level-normalised features, [`FeatureConfig::dimensions`] of them.
    pub features: Vec<f32>,
    /// Mean square of the samples, full scale 1.
    pub power: f32,
    /// Part of the samples that loss concealment made up, in `[0, 1]`.
    pub concealed: f32,
}

/// Streaming front end of one customer's leg.
#[derive(Debug)]
pub struct Frontend {
    extractor: Extractor,
    detector: SpeechDetector,
    /// Samples kept, the last of which is sample `pushed - 1`.
    history: Vec<f32>,
    concealed: Vec<bool>,
    pushed: u64,
    /// End of the next step to compute.
    next: u64,
    /// No step reaches back behind this sample.
    barrier: u64,
    blocks: Vec<Block>,
    settling: Vec<Step>,
    level: Option<f32>,
    noise: Option<f32>,
    /// What may be the other party, given back by this one's telephone.
    echo: Echo,
    ready: VecDeque<Step>,
    gated: bool,
}

impl Frontend {
    /// A front end in which only detected speech passes.
    pub fn new(config: FeatureConfig) -> Self {
        let context = config.context();
        Self {
            next: config.step() as u64,
            extractor: Extractor::new(config),
            detector: SpeechDetector::new(),
            history: vec![0.0; context],
            concealed: vec![false; context],
            pushed: 0,
            barrier: 0,
            blocks: Vec::new(),
            settling: Vec::new(),
            level: None,
            noise: None,
            echo: Echo::default(),
            ready: VecDeque::new(),
            gated: true,
        }
    }

    /// A front end that lets everything pass: for clips that are known to hold nothing but one utterance.
    pub fn ungated(config: FeatureConfig) -> Self {
        Self { gated: false, ..Self::new(config) }
    }

    /// Hears `pcm` (8 kHz, mono).
    pub fn push(&mut self, pcm: &[i16], mark: FrameMark) {
        // In pieces, so that the history stays bounded however much is pushed at once.
        for piece in pcm.chunks(RATE as usize) {
            self.push_piece(piece, mark);
        }
    }

    /// Whether the other party is heard speaking where the next sound comes from: what is not as loud as this party
    /// usually is may then be that voice, given back, and does not pass.
    pub fn far_end(&mut self, speaks: bool) {
        self.echo.far_end(speaks, self.pushed);
    }

    fn push_piece(&mut self, pcm: &[i16], mark: FrameMark) {
        let voice = mark.is_voice();
        self.history.extend(pcm.iter().map(|&x| if voice { f32::from(x) / 32768.0 } else { 0.0 }));
        self.concealed.resize(self.history.len(), mark == FrameMark::Concealed);
        self.pushed += pcm.len() as u64;

        let mut blocks = std::mem::take(&mut self.blocks);
        self.detector.push_with(pcm, mark, &mut |block| blocks.push(block));
        for block in blocks.drain(..) {
            self.decided(block, voice);
        }
        self.blocks = blocks;
        if !voice {
            self.barrier = self.pushed;
        }
        self.trim();
    }

    fn decided(&mut self, block: Block, voice: bool) {
        let step = self.extractor.config().step() as u64;
        if block.speaking || (!self.gated && voice) {
            while self.next <= block.end {
                self.compute();
                self.next += step;
            }
            return;
        }
        if voice && block.power > 0.0 {
            // Averaged in decibels, for the blocks around a phrase hold its breaths and tails: a few of them
            // would drown the floor in a mean of powers.
            let noise = self.noise.unwrap_or(block.power);
            self.noise = Some(noise * (block.power / noise).powf(NOISE_WEIGHT));
        }
        let earliest = (block.end.saturating_sub(PRE_ROLL)).max(self.barrier) + step;
        if self.next < earliest {
            // Steps stay on their grid, so that pushes of any size give the same ones.
            self.next = earliest.div_ceil(step) * step;
        }
    }

    fn compute(&mut self) {
        let config = self.extractor.config();
        let behind = (self.pushed - self.next) as usize;
        let Some(end) = self.history.len().checked_sub(behind) else { return };
        let start = end.saturating_sub(config.context());
        let own = end.saturating_sub(config.step());
        let (Some(samples), Some(marks)) = (self.history.get(start..end), self.concealed.get(own..end))
        else {
            return;
        };
        if samples.len() < config.context() {
            return;
        }
        let concealed = marks.iter().filter(|x| **x).count() as f32 / marks.len().max(1) as f32;
        let mut features = vec![0.0; config.dimensions()];
        let power = self.extractor.step(samples, &mut features);
        let step = Step { end: self.next, features, power, concealed };
        if !self.echo.admits(step.end, power, self.level) {
            return;
        }
        match self.level {
            Some(_) => self.pass(step),
            None => {
                self.settling.push(step);
                if self.settling.len() == SETTLING_STEPS {
                    self.settle();
                }
            }
        }
    }

    /// Makes the first level estimate and lets the held steps pass.
    fn settle(&mut self) {
        let (sum, count) = self
            .settling
            .iter()
            .filter(|step| step.power > QUIET)
            .fold((0.0, 0), |(sum, count), step| (sum + step.power, count + 1));
        self.level = Some(if count == 0 { QUIET } else { sum / count as f32 });
        for step in std::mem::take(&mut self.settling) {
            self.pass(step);
        }
    }

    fn pass(&mut self, mut step: Step) {
        let mut level = self.level.unwrap_or(QUIET);
        if step.power > QUIET {
            level += LEVEL_WEIGHT * (step.power - level);
            self.level = Some(level);
        }
        let config = self.extractor.config();
        // A window's mel power is about its mean square times its length; the constant only centres the values.
        let reference = (level * config.window as f32).ln();
        for value in step.features.iter_mut().take(2 * config.mel_bands) {
            *value = (*value - reference).max(-config.floor);
        }
        self.ready.push_back(step);
    }

    fn trim(&mut self) {
        let keep = self.extractor.config().context() + PRE_ROLL as usize + 2 * RATE as usize / 10;
        if self.history.len() > 4 * keep {
            let surplus = self.history.len() - keep;
            self.history.drain(..surplus);
            self.concealed.drain(..surplus);
        }
    }

    /// Ends the audio: what was held back to settle the level passes, and an open turn is closed.
    pub fn finish(&mut self) {
        if !self.settling.is_empty() {
            self.settle();
        }
        self.detector.finish();
    }

    /// The next step of speech.
    pub fn poll(&mut self) -> Option<Step> {
        self.ready.pop_front()
    }

    /// Whether the party is speaking now, hangover included.
    pub(crate) fn is_speaking(&self) -> bool {
        self.detector.is_speaking()
    }

    /// The next piece of detected speech.
    pub fn poll_speech(&mut self) -> Option<SpeechSegment> {
        self.detector.poll()
    }

    /// Steps that did not pass, since they may have been the other party's.
    pub(crate) fn held_back(&self) -> u64 {
        self.echo.held_back()
    }

    /// Samples pushed so far.
    pub fn pushed(&self) -> u64 {
        self.pushed
    }

    /// Mean square of this party's speech (running), full scale 1. `None` before half a second of it.
    pub fn speech_power(&self) -> Option<f32> {
        self.level
    }

    /// Mean square between turns (running). `None` if the line was never without speech.
    pub fn noise_power(&self) -> Option<f32> {
        self.noise
    }
}
