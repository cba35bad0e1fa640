//! Clips as a model hears them.

use std::{path::Path, sync::Arc};

use super::{EvalError, EvalOptions, clock};
use crate::{
    corpus::{Band, Clip, Entry, Manifest, audio},
    manner::first_calm,
    model::{Calibration, Model, Reading},
    rng::Rng,
    score::{pooled, read},
};
use sidetone_call::Class;

/// A clip after a model has heard it.
#[derive(Clone)]
pub(super) struct Heard {
    pub(super) entry: Entry,
    pub(super) class: Class,
    /// Its pooled window, and how many steps of speech went into it.
    pub(super) pooled: Vec<f32>,
    pub(super) steps: usize,
    pub(super) logits: Vec<f32>,
    /// Of the model that heard it.
    pub(super) calibration: Arc<Calibration>,
    pub(super) distress: f32,
    pub(super) valence: f32,
    pub(super) arousal: f32,
    /// Length in seconds and level in dB, of the recording.
    pub(super) length: f32,
    pub(super) level: f32,
}

/// Hearing clips, and what it takes.
pub(super) struct Hearing<'a> {
    pub(super) root: &'a Path,
    pub(super) options: &'a EvalOptions,
    pub(super) progress: &'a mut dyn FnMut(usize, usize),
    pub(super) done: usize,
    pub(super) of: usize,
    /// CPU time for what is not the model's work: reading, and the line.
    pub(super) reading_ms: f64,
    /// Audio heard.
    pub(super) seconds: f64,
}

impl<'a> Hearing<'a> {
    /// Nothing heard yet; `progress` is told clips done and `of`.
    pub(super) fn new(
        root: &'a Path,
        options: &'a EvalOptions,
        of: usize,
        progress: &'a mut dyn FnMut(usize, usize),
    ) -> Self {
        Self { root, options, progress, done: 0, of, reading_ms: 0.0, seconds: 0.0 }
    }

    pub(super) fn hear(
        &mut self,
        model: &Model,
        calibration: &Calibration,
        manifest: &Manifest,
        band: Band,
    ) -> Result<Vec<Heard>, EvalError> {
        let mut rng = Rng::new(7);
        let calibration = Arc::new(calibration.clone());
        let mut all = Vec::new();
        for entry in &manifest.entries {
            let before = clock::CpuTime::start();
            let recorded = audio::read(&self.root.join(&entry.path))?;
            let pcm = band.over_line(&recorded, self.options.gain_db, self.options.loss, &mut rng);
            self.reading_ms += before.elapsed_ms().unwrap_or(0.0);
            self.seconds += pcm.len() as f64 / 8000.0;
            let clip = Clip::new(&pcm, &model.meta().features);
            let Some(class) = entry.class() else { continue };
            if clip.steps > 0 {
                let pooled = pooled(model.network(), &clip)?;
                let (logits, affect) = read(model.network(), &pooled, None)?;
                let Reading { distress, valence, arousal, .. } = calibration.read(&logits, &affect);
                let power = recorded.iter().map(|x| f32::from(*x).powi(2)).sum::<f32>()
                    / recorded.len().max(1) as f32;
                let level = 10.0 * (power + 1.0).log10();
                let length = recorded.len() as f32 / 8000.0;
                let (entry, calibration) = (entry.clone(), Arc::clone(&calibration));
                let steps = clip.steps;
                all.push(Heard {
                    entry,
                    class,
                    pooled,
                    steps,
                    logits,
                    calibration,
                    distress,
                    valence,
                    arousal,
                    length,
                    level,
                });
            }
            self.done += 1;
            (self.progress)(self.done, self.of);
        }
        Ok(all)
    }
}

/// The same clips beside their speakers' own manner, as known from each one's first calm clips. These are taken out,
/// and so are speakers who have none. `None` for a model that does not hear it.
pub(super) fn beside_manner(
    model: &Model,
    calibration: &Calibration,
    heard: &[Heard],
) -> Result<Option<Vec<Heard>>, EvalError> {
    if !model.network().config().caller {
        return Ok(None);
    }
    let calibration = Arc::new(calibration.clone());
    let (manners, used) =
        first_calm(heard.iter().map(|clip| (&clip.entry, clip.pooled.as_slice(), clip.steps)));
    let mut all = Vec::new();
    for (_, clip) in heard.iter().enumerate().filter(|(place, _)| !used.contains(place)) {
        let Some(own) = manners.get(&clip.entry.speaker) else { continue };
        let (logits, affect) = read(model.network(), &clip.pooled, Some(own))?;
        let Reading { distress, valence, arousal, .. } = calibration.read(&logits, &affect);
        let calibration = Arc::clone(&calibration);
        all.push(Heard { logits, calibration, distress, valence, arousal, ..clip.clone() });
    }
    Ok(Some(all))
}
