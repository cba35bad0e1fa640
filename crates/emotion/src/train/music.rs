//! The head that tells a voice from what is none: music on hold, ringback and other tones, noise, a crowd.
//!
//! Voice activity lets some of it pass, and the network, which was taught with voices alone, hears feelings in it. The
//! head is fitted last, on the windows of a network that does not change any more: a logistic regression of what the
//! other heads see, by examples of both kinds. Voices that had no say then set its bound, for to withhold what a caller
//! says is worse than to judge a bar of music, which the alerts' logic mostly survives.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
};

use candle_core::{Device, Tensor};

use super::{
    TrainError, card,
    checkpoint::{read, save},
};
use crate::{
    corpus::{Band, Entry, Manifest, audio, background},
    frontend::{Frontend, Step},
    mark::FrameMark,
    model::{self, Meta, Model},
    network::Network,
    rng::Rng,
};

/// Frames between two windows: an estimate's hop.
const HOP: usize = 10;
/// Frames of the first window and of a whole one, as in a call.
const LEAST: usize = 20;
const WINDOW: usize = 80;
/// Share of the windows of voices that may be taken for none.
const MOST_LOST: f32 = 0.005;
/// Steps of gradient descent, each over all windows, and how far each goes.
const ROUNDS: usize = 400;
const RATE: f32 = 0.3;
/// Weight of the pull towards zero.
const DECAY: f32 = 1e-3;
/// Clips of a speaker that are strung together.
const CLIPS: usize = 12;
/// Examples of each kind that is made.
const EXAMPLES: usize = 48;
/// The kind that serves to report alone.
const RECORDED: &str = "music, recorded";

/// What to fit, on what.
#[derive(Debug, Clone)]
pub struct MusicOptions {
    /// The model.
    pub model: PathBuf,
    /// Voices: see [`crate::corpus::manifest`]. Speakers that the model keeps for testing are left out.
    pub manifest: PathBuf,
    /// The folder that its paths are in.
    pub root: PathBuf,
    /// Recordings of music: what is made here serves to fit, these to report alone. So no licence of theirs is on the
    /// weights, and the report says how what was learnt of made music holds for real music.
    pub music: Vec<PathBuf>,
    /// Most speakers of a corpus.
    pub speakers: usize,
    /// Everything random comes from this.
    pub seed: u64,
    /// Where `model.safetensors` and `CARD.md` go.
    pub out: PathBuf,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct MusicReport {
    /// The model with the head.
    pub model: PathBuf,
    /// Windows of voices, and of everything else, that it was fitted on.
    pub windows: (usize, usize),
    /// By kind, on examples that it was not fitted on: windows that voice activity lets pass, and the share of them
    /// that is taken for no voice.
    pub told: BTreeMap<String, (usize, f32)>,
}

/// One example: a pooled window as the heads see it.
type Window = Vec<f32>;

/// Fits the head and writes the model with it.
///
/// # Errors
/// See [`TrainError`]; no voices, or nothing else that voice activity lets pass.
pub fn fit(options: &MusicOptions) -> Result<MusicReport, TrainError> {
    let model = Model::open(&options.model)?;
    let meta = model.meta();
    let manifest = Manifest::read(&options.manifest)?
        .filtered(|entry| meta.corpora.contains(&entry.corpus) && !meta.held_out.contains(&entry.speaker));
    let voices = voices(&model, &manifest, options)?;
    let others = others(&model, &manifest, options)?;
    // Every third speaker, and every second piece of anything else, has no say in the weights.
    let (mut fitted, mut kept, mut bounds) = (Vec::new(), BTreeMap::<String, Vec<Window>>::new(), Vec::new());
    for (number, (corpus, windows)) in voices.into_iter().enumerate() {
        match number % 3 {
            0 => bounds.extend(windows),
            1 => kept.entry(format!("voice: {corpus}")).or_default().extend(windows),
            _ => fitted.extend(windows.into_iter().map(|window| (window, 0.0))),
        }
    }
    let voiced = fitted.len();
    for (number, (kind, windows)) in others.into_iter().enumerate() {
        if number % 2 == 0 && kind != RECORDED {
            fitted.extend(windows.into_iter().map(|window| (window, 1.0)));
        } else {
            kept.entry(kind).or_default().extend(windows);
        }
    }
    if voiced == 0 || voiced == fitted.len() || bounds.is_empty() {
        return Err(TrainError::Nothing(
            "it takes voices of three speakers, and sounds that are none".into(),
        ));
    }
    let head = Head::fit(&fitted).bounded(&bounds);
    let told = kept
        .into_iter()
        .map(|(kind, windows)| {
            let taken = windows.iter().filter(|window| head.logit(window) > 0.0).count();
            (kind, (windows.len(), taken as f32 / windows.len().max(1) as f32))
        })
        .collect();
    let windows = (voiced, fitted.len() - voiced);
    let report = MusicReport { model: options.out.join("model.safetensors"), windows, told };
    write(&model, &head, options, &report)?;
    Ok(report)
}

/// A linear reading of a window.
#[derive(Debug, Clone, PartialEq)]
struct Head {
    weight: Vec<f32>,
    bias: f32,
}

impl Head {
    /// A logistic regression in which both kinds count alike, however many windows there are of each.
    fn fit(windows: &[(Window, f32)]) -> Self {
        let width = windows.first().map_or(0, |(window, _)| window.len());
        let positive = windows.iter().map(|(_, meant)| meant).sum::<f32>().max(1.0);
        let negative = (windows.len() as f32 - positive).max(1.0);
        let (mut head, mut speed) = (Self { weight: vec![0.0; width], bias: 0.0 }, vec![0.0f32; width + 1]);
        for _ in 0..ROUNDS {
            let mut slope = vec![0.0f32; width];
            let mut offset = 0.0;
            for (window, meant) in windows {
                let said = 1.0 / (1.0 + (-head.logit(window)).exp());
                let error = (said - meant) * 0.5 / if *meant > 0.5 { positive } else { negative };
                slope.iter_mut().zip(window).for_each(|(slope, x)| *slope += error * x);
                offset += error;
            }
            // Nesterov's momentum would save half of the rounds, of a second's work.
            let (first, last) = speed.split_at_mut(width);
            for ((weight, slope), speed) in head.weight.iter_mut().zip(&slope).zip(first) {
                *speed = 0.9 * *speed - RATE * (slope + DECAY * *weight);
                *weight += *speed;
            }
            if let Some(speed) = last.first_mut() {
                *speed = 0.9 * *speed - RATE * offset;
                head.bias += *speed;
            }
        }
        head
    }

    fn logit(&self, window: &[f32]) -> f32 {
        self.bias + self.weight.iter().zip(window).map(|(weight, x)| weight * x).sum::<f32>()
    }

    /// The same with zero where no more than [`MOST_LOST`] of these voices are above it; or where it was, if that asks
    /// for more.
    fn bounded(mut self, voices: &[Window]) -> Self {
        let mut logits: Vec<f32> = voices.iter().map(|window| self.logit(window)).collect();
        logits.sort_by(f32::total_cmp);
        let place = ((1.0 - MOST_LOST) * logits.len() as f32) as usize;
        let bound = logits.get(place.min(logits.len().saturating_sub(1))).copied().unwrap_or(0.0);
        self.bias -= bound.max(0.0) + 1e-3;
        self
    }
}

/// A sound's windows, as a call would have them.
fn windows(model: &Model, pcm: &[i16]) -> Result<Vec<Window>, TrainError> {
    let network = model.network();
    let mut frontend = Frontend::new(model.meta().features.clone());
    frontend.push(&Band::G711.through(pcm), FrameMark::Audio);
    frontend.finish();
    let mut steps: Vec<Step> = std::iter::from_fn(|| frontend.poll()).collect();
    steps.truncate(steps.len() / 2 * 2);
    if steps.len() / 2 < LEAST {
        return Ok(Vec::new());
    }
    let width = network.config().inputs;
    let inputs: Vec<f32> = steps.iter().flat_map(|step| step.features.iter().copied()).collect();
    let inputs = Tensor::from_vec(inputs, (1, steps.len(), width), network.device())?;
    let frames = network.encode(&inputs, &mut [&mut network.fresh_state()])?.squeeze(0)?.to_vec2::<f32>()?;
    let ends = (LEAST..=frames.len()).step_by(HOP);
    ends.map(|end| {
        let window = frames.get(end.saturating_sub(WINDOW)..end).unwrap_or_default();
        levelled(network, &network.pooled(window.iter().map(Vec::as_slice)))
    })
    .collect()
}

fn levelled(network: &Network, pooled: &[f32]) -> Result<Window, TrainError> {
    let pooled = Tensor::from_slice(pooled, (1, pooled.len()), network.device())?;
    Ok(network.levelled(&pooled)?.flatten_all()?.to_vec1()?)
}

/// Windows of voices, speaker by speaker, with the corpus.
fn voices(
    model: &Model,
    manifest: &Manifest,
    options: &MusicOptions,
) -> Result<Vec<(String, Vec<Window>)>, TrainError> {
    let mut all = Vec::new();
    for (number, (corpus, own)) in speakers(manifest, options.speakers).into_iter().enumerate() {
        let mut rng = Rng::derive(options.seed, number as u64);
        let mut pcm = Vec::new();
        for entry in own {
            pcm.extend(audio::read(&options.root.join(&entry.path))?);
            pcm.extend((0..4000).map(|_| rng.between(-12.0, 12.0) as i16));
        }
        // On a clean line, and on one with noise and music behind, where it is a voice all the same.
        all.push((corpus.clone(), windows(model, &pcm)?));
        let mut behind: Vec<f32> = pcm.iter().map(|x| f32::from(*x)).collect();
        let sound = if rng.chance(0.5) { background::music(&mut rng) } else { noise(8000, &mut rng) };
        let ratio = rng.between(8.0, 20.0);
        background::mix(&mut behind, &sound, ratio, &mut rng);
        if let Some((_, windows)) = all.last_mut() {
            windows.extend(self::windows(model, &whole(&behind))?);
        }
    }
    Ok(all)
}

/// Some clips each of some speakers of every corpus, evenly drawn.
fn speakers(manifest: &Manifest, most: usize) -> Vec<(String, Vec<&Entry>)> {
    let mut all = Vec::new();
    for corpus in manifest.corpora() {
        let names: Vec<String> = manifest.speakers(&corpus).into_iter().collect();
        for name in names.iter().step_by(names.len().div_ceil(most.max(1)).max(1)) {
            let own: Vec<&Entry> = manifest
                .entries
                .iter()
                .filter(|entry| entry.speaker == *name && entry.class().is_some())
                .collect();
            let stride = own.len().div_ceil(CLIPS).max(1);
            all.push((corpus.clone(), own.into_iter().step_by(stride).collect()));
        }
    }
    all
}

/// Windows of what is no voice, piece by piece, with what it is.
fn others(
    model: &Model,
    manifest: &Manifest,
    options: &MusicOptions,
) -> Result<Vec<(String, Vec<Window>)>, TrainError> {
    let mut all = Vec::new();
    let mut rng = Rng::derive(options.seed, 1 << 50);
    for path in &options.music {
        all.push((RECORDED.to_owned(), windows(model, &audio::read(path)?)?));
    }
    let clips: Vec<Vec<i16>> = speakers(manifest, 12)
        .into_iter()
        .filter_map(|(_, own)| own.first().map(|entry| audio::read(&options.root.join(&entry.path))))
        .collect::<Result<_, _>>()?;
    let clips: Vec<&[i16]> = clips.iter().map(Vec::as_slice).collect();
    for _ in 0..EXAMPLES {
        let level = rng.between(300.0, 6000.0);
        for (kind, sound) in [
            ("music, made", [background::music(&mut rng), background::music(&mut rng)].concat()),
            ("tones", tones(&mut rng)),
            ("noise", noise(32_000, &mut rng)),
            ("crowd", crowd(&clips, &mut rng)),
        ] {
            let most = sound.iter().fold(1.0f32, |most, x| most.max(x.abs()));
            let pcm: Vec<f32> = sound.iter().map(|x| x / most * level).collect();
            all.push((kind.to_owned(), windows(model, &whole(&pcm))?));
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all.retain(|(_, windows)| !windows.is_empty());
    Ok(all)
}

fn whole(pcm: &[f32]) -> Vec<i16> {
    pcm.iter().map(|x| x.clamp(-32768.0, 32767.0) as i16).collect()
}

/// Supervisory tones (ITU-T E.180): two frequencies at once, on and off, or one that warbles.
fn tones(rng: &mut Rng) -> Vec<f32> {
    const PAIRS: [(f32, f32); 5] =
        [(440.0, 480.0), (400.0, 450.0), (425.0, 425.0), (480.0, 620.0), (350.0, 440.0)];
    let (low, high) = PAIRS.get(rng.below(PAIRS.len())).copied().unwrap_or((425.0, 425.0));
    let (on, off) = (1600 + rng.below(16_000), rng.below(16_000));
    let warble = rng.between(0.0, 0.03);
    (0..64_000usize)
        .map(|n| {
            let t = n as f32 / 8000.0;
            let turn = std::f32::consts::TAU * t * (1.0 + warble * (t * 12.0).sin());
            let on = if n % (on + off) < on { 1.0 } else { 0.0 };
            on * ((low * turn).sin() + (high * turn).sin()) + rng.between(-0.01, 0.01)
        })
        .collect()
}

/// Noise of the line that swells and ebbs, or it would pass for silence.
fn noise(length: usize, rng: &mut Rng) -> Vec<f32> {
    let (hz, deep) = (rng.between(0.3, 5.0), rng.between(0.0, 1.0));
    let even = background::comfort_noise(length, rng);
    let swell = |n: usize| 1.0 - deep * (0.5 + 0.5 * (std::f32::consts::TAU * hz * n as f32 / 8000.0).sin());
    even.into_iter().enumerate().map(|(n, x)| x * swell(n)).collect()
}

/// So many voices that none is anybody's.
fn crowd(clips: &[&[i16]], rng: &mut Rng) -> Vec<f32> {
    let mut sum = background::babble(clips, rng);
    for _ in 0..2 {
        sum.iter_mut().zip(background::babble(clips, rng)).for_each(|(sum, x)| *sum += x);
    }
    sum
}

fn write(model: &Model, head: &Head, options: &MusicOptions, report: &MusicReport) -> Result<(), TrainError> {
    let mut tensors: HashMap<String, Tensor> = model.network().tensors()?.into_iter().collect();
    let width = head.weight.len();
    tensors.insert("head.music.weight".into(), Tensor::from_slice(&head.weight, (width, 1), &Device::Cpu)?);
    tensors.insert("head.music.bias".into(), Tensor::from_slice(&[head.bias], 1, &Device::Cpu)?);
    std::fs::create_dir_all(&options.out)
        .map_err(|source| TrainError::Output { path: options.out.clone(), source })?;
    let before = std::fs::read_to_string(options.model.with_file_name("CARD.md")).unwrap_or_default();
    let card = card::with_music(&before, report);
    let mut network = model.meta().network.clone();
    network.music = true;
    let meta = Meta { network, card_sha256: model::card_checksum(&card), ..model.meta().clone() };
    model::write(&report.model, &meta, &tensors)?;
    save(&options.out.join("CARD.md"), card.as_bytes())?;
    Model::from_bytes(&read(&report.model)?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prop_assert, proptest};

    use super::*;

    fn drawn(count: usize, around: f32, seed: u64) -> Vec<Window> {
        let mut rng = Rng::new(seed);
        (0..count).map(|_| vec![around + rng.normal(), rng.normal(), 1.0]).collect()
    }

    #[test]
    fn two_kinds_are_told_apart_and_hardly_a_voice_is_lost() {
        let (voices, music) = (drawn(600, -2.0, 1), drawn(60, 2.0, 2));
        let windows: Vec<(Window, f32)> = voices
            .iter()
            .map(|window| (window.clone(), 0.0))
            .chain(music.into_iter().map(|window| (window, 1.0)))
            .collect();
        let head = Head::fit(&windows).bounded(&voices);
        let share = |windows: &[Window]| {
            windows.iter().filter(|window| head.logit(window) > 0.0).count() as f32 / windows.len() as f32
        };
        assert!(share(&drawn(2000, -2.0, 3)) < 0.02, "{}", share(&drawn(2000, -2.0, 3)));
        assert!(share(&drawn(2000, 2.0, 4)) > 0.85, "{}", share(&drawn(2000, 2.0, 4)));
    }

    proptest! {
        #[test]
        fn a_bound_never_loses_more_voices_than_it_may(
            logits in vec(-5.0f32..5.0, 1..400), bias in -3.0f32..3.0
        ) {
            let voices: Vec<Window> = logits.iter().map(|x| vec![*x]).collect();
            let before = Head { weight: vec![1.0], bias };
            let after = before.clone().bounded(&voices);
            let lost = voices.iter().filter(|window| after.logit(window) > 0.0).count();
            prop_assert!(lost as f32 <= MOST_LOST * voices.len() as f32 + 1.0);
            prop_assert!(after.bias <= before.bias);
        }
    }
}
