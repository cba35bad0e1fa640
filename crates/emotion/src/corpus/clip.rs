//! A clip as the network sees it.

use crate::{
    features::FeatureConfig,
    frontend::{Frontend, Step},
    mark::FrameMark,
    network::STEPS_PER_FRAME,
};

/// Steps below which a clip is rather heard whole than cut to its detected speech: 0.8 s.
const LEAST_STEPS: usize = 32;

/// Level-normalised features of a clip's speech.
#[derive(Debug, Clone)]
pub struct Clip {
    /// Row by row, [`FeatureConfig::dimensions`] values a step.
    pub values: Vec<f32>,
    /// Steps in it: a whole number of frames.
    pub steps: usize,
    /// Sample index just after each step, in the PCM it was made from.
    pub ends: Vec<u64>,
}

impl Clip {
    /// Puts PCM (8 kHz, mono) through the very front end of a call. Where that finds hardly any speech (a sigh, a
    /// laugh) everything passes, for a corpus vouches for what is in its clips.
    pub fn new(pcm: &[i16], config: &FeatureConfig) -> Self {
        let mut steps = hear(Frontend::new(config.clone()), pcm);
        if steps.len() < LEAST_STEPS {
            steps = hear(Frontend::ungated(config.clone()), pcm);
        }
        let count = steps.len() / STEPS_PER_FRAME * STEPS_PER_FRAME;
        steps.truncate(count);
        let ends = steps.iter().map(|step| step.end).collect();
        let values = steps.into_iter().flat_map(|step| step.features).collect();
        Self { values, steps: count, ends }
    }
}

impl Clip {
    /// Drops what lies behind the first `steps`, of `size` values each.
    pub(crate) fn truncate(&mut self, steps: usize, size: usize) {
        self.steps = self.steps.min(steps);
        self.values.truncate(self.steps * size);
        self.ends.truncate(self.steps);
    }
}

fn hear(mut frontend: Frontend, pcm: &[i16]) -> Vec<Step> {
    frontend.push(pcm, FrameMark::Audio);
    // The detector lags by a block and its lookahead; let it see the end.
    frontend.push(&[0; 256], FrameMark::Audio);
    frontend.finish();
    std::iter::from_fn(|| frontend.poll()).collect()
}
