//! The clips of an epoch, each varied: its sound a few times for all, its features each time it is heard.

use std::collections::BTreeMap;

use super::{
    TrainError, TrainOptions,
    batch::{crop, mask},
    callers::{Caller, turns},
    sounds::{Sound, evenly},
    targets::Target,
    trainer::{Taught, Trainer},
    warp::warp,
};
use crate::{
    corpus::{Clip, manifest::UNLABELLED},
    features::FeatureConfig,
    network::STEPS_PER_FRAME,
    rng::Rng,
};

/// Share of the clips that are heard as if nothing was known of the caller.
const STRANGERS: f32 = 0.3;

/// How a caller is heard: over which of their lines, and with which warp of their voice.
#[derive(Debug, Clone, Copy)]
struct Way {
    line: usize,
    voice: u64,
}

/// A clip of an epoch, varied.
pub(super) struct Heard {
    pub(super) clip: Clip,
    pub(super) target: Target,
    /// What the teacher says, a row a frame, and its summary; empty for a clip that it was not asked about.
    pub(super) taught: Vec<f32>,
    pub(super) summary: Vec<f32>,
    /// Whose clip it is, by place among the epoch's callers, if their manner is to be known.
    pub(super) caller: Option<usize>,
}

impl Trainer<'_> {
    /// The epoch's clips, each varied anew.
    pub(super) fn vary(
        &mut self,
        training: &[&Sound],
        rng: &mut Rng,
    ) -> Result<(Vec<Heard>, Vec<Caller>), TrainError> {
        let mut by_corpus: BTreeMap<&str, Vec<&Sound>> = BTreeMap::new();
        for sound in training {
            by_corpus.entry(&sound.entry.corpus).or_default().push(sound);
        }
        let others: Vec<&[i16]> = evenly(training, 200).iter().map(|sound| sound.pcm.as_slice()).collect();
        let (mut heard, mut callers) = (Vec::new(), Vec::new());
        for (corpus, mut sounds) in by_corpus {
            rng.shuffle(&mut sounds);
            let most = self.options.most_of.get(corpus).copied().unwrap_or(self.options.most_clips);
            let labelled = sounds.iter().any(|sound| sound.entry.emotion != UNLABELLED);
            let least = if labelled { self.options.least_clips.min(most) } else { 0 };
            let count = sounds.len().clamp(least, most);
            if self.shape().caller {
                for turn in turns(&sounds, count, rng) {
                    // One line, and one voice, for all that is heard of this caller now.
                    let way = Way { line: rng.below(self.options.variants.max(1)), voice: rng.next_u64() };
                    let before: Vec<Clip> =
                        turn.before.iter().map(|sound| self.as_heard(sound, &others, way).0).collect();
                    let place = (!before.is_empty()).then_some(callers.len());
                    callers.extend((!before.is_empty()).then(|| Caller::new(before)));
                    for sound in turn.clips {
                        let caller = place.filter(|_| !rng.chance(STRANGERS));
                        let (whole, speed) = self.as_heard(sound, &others, way);
                        let clip = crop(&whole, self.features.dimensions(), rng);
                        heard.extend(self.lesson(sound, clip, speed, caller, rng));
                    }
                }
                continue;
            }
            for sound in sounds.into_iter().cycle().take(count) {
                let (whole, speed) = self.variation(sound, &others, rng);
                let part = crop(&whole, self.features.dimensions(), rng);
                let clip = warp(&part, &self.features, &self.options.augmentation, rng);
                heard.extend(self.lesson(sound, clip, speed, None, rng));
            }
        }
        Ok((heard, callers))
    }

    /// What a varied clip teaches; `None` if there is nothing of it.
    fn lesson(
        &self,
        sound: &Sound,
        mut clip: Clip,
        speed: f32,
        caller: Option<usize>,
        rng: &mut Rng,
    ) -> Option<Heard> {
        let target = self.teaching.target(&sound.entry)?;
        clip.truncate(clip.steps / STEPS_PER_FRAME * STEPS_PER_FRAME, self.features.dimensions());
        if clip.steps < STEPS_PER_FRAME {
            return None;
        }
        let ends = clip.ends.iter().skip(STEPS_PER_FRAME - 1).step_by(STEPS_PER_FRAME);
        let ends: Vec<u64> = ends.copied().collect();
        let (mut taught, mut summary) = (Vec::new(), Vec::new());
        if let Some(Taught { teacher, .. }) = &self.taught
            && let Some(rows) = teacher.rows(&sound.name(), &ends, speed)
        {
            summary = teacher.summary(&rows);
            taught = rows;
        }
        if self.options.augmentation.blank {
            mask(&mut clip, &self.features, &self.blank, rng);
        }
        Some(Heard { clip, target, taught, summary, caller })
    }

    /// A clip as another caller might have sounded, and how many times as long it is.
    fn variation(&mut self, sound: &Sound, others: &[&[i16]], rng: &mut Rng) -> (Clip, f32) {
        if self.options.variants == 0 {
            return made(self.options, &self.features, sound, others, rng);
        }
        // Each from its own seed, so that a resumed training makes the same ones.
        let key = (sound.key, rng.below(self.options.variants));
        let part = (key.0 * self.options.variants + key.1) as u64 | 1 << 40;
        let mut own = Rng::derive(self.options.seed, part);
        let make = || made(self.options, &self.features, sound, others, &mut own);
        self.varied.entry(key).or_insert_with(make).clone()
    }

    /// The same of a caller of whom several clips are heard alike: the line is theirs, and so is the voice.
    fn as_heard(&mut self, sound: &Sound, others: &[&[i16]], way: Way) -> (Clip, f32) {
        let speaker = self.speakers.get(&sound.entry.speaker).copied().unwrap_or_default();
        let mut own = Rng::derive(self.options.seed, (speaker * 64 + way.line) as u64 | 1 << 41);
        let make = || made(self.options, &self.features, sound, others, &mut own);
        let (clip, speed) = self.varied.entry((sound.key, way.line)).or_insert_with(make);
        let mut clip = warp(clip, &self.features, &self.options.augmentation, &mut Rng::new(way.voice));
        clip.truncate(clip.steps / STEPS_PER_FRAME * STEPS_PER_FRAME, self.features.dimensions());
        (clip, *speed)
    }
}

/// A clip's sound, varied.
fn made(
    options: &TrainOptions,
    features: &FeatureConfig,
    sound: &Sound,
    others: &[&[i16]],
    rng: &mut Rng,
) -> (Clip, f32) {
    let (pcm, speed) = options.augmentation.apply(&sound.pcm, others, rng);
    (Clip::new(&pcm, features), speed)
}
