//! Listening to one customer: PCM in, estimates out, as the call goes.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use candle_core::Tensor;
use sidetone_consent::permit::Permission;
use sidetone_drill::Fault;

use crate::{
    frontend::{Frontend, Step},
    manner::OwnManner,
    mark::FrameMark,
    model::Model,
    network::{Manner, STEPS_PER_FRAME, State},
    vad::{SpeechSegment, media_time},
};
use sidetone_call::{Abstention, Class, Estimate, Evidence, Modality};

/// Steps that are encoded at a time: 0.5 s of speech, and so an estimate each.
pub const CHUNK_STEPS: usize = 20;
/// The speech that each estimate adds.
const HOP: Duration = Duration::from_millis(500);
/// Frames that the first estimate needs: 1.0 s of speech.
const LEAST_FRAMES: usize = 20;
/// Frames that are pooled: the last 4 s of speech.
const WINDOW_FRAMES: usize = 80;
/// Speech older than this is no longer part of how the caller feels now.
const STALE: u64 = 20 * 8000;
/// Steps that may wait for [`estimate_due`]: 60 s of speech, after which the oldest are dropped and counted.
const BACKLOG: usize = 2400;
/// Calls whose chunks go through the network in one product.
const BATCH: usize = 32;

/// Speech must stand this far above the noise between turns.
const LEAST_SNR_DB: f32 = 4.0;
/// No more of the speech than this may have been made up.
const MOST_CONCEALED: f32 = 0.3;

/// One encoded frame, 50 ms of speech.
#[derive(Debug)]
struct Frame {
    values: Vec<f32>,
    end: u64,
    power: f32,
    concealed: f32,
}

/// The ear on one customer's leg. Only a permit makes one: of a live call that is what its consent machine gives, for
/// as long as there is consent ([`sidetone_consent::permit`]).
///
/// ```compile_fail,E0277
/// use sidetone_emotion::{Listener, Model};
/// let listener = Listener::new((), Model::embedded().unwrap()); // nobody has agreed to anything
/// ```
#[derive(Debug)]
pub struct Listener {
    model: Arc<Model>,
    frontend: Frontend,
    pending: VecDeque<Step>,
    state: State,
    frames: VecDeque<Frame>,
    /// How this caller sounds by themselves, for a network that hears windows beside it.
    manner: OwnManner,
    dropped: u64,
}

impl Listener {
    /// A listener at media time zero.
    // The permit is taken by value: it is used up.
    pub fn new(permit: impl Permission, model: Arc<Model>) -> Self {
        drop(permit);
        Self::unchecked(model, true)
    }

    /// A listener on a recorded clip, for training and evaluation on corpora.
    pub(crate) fn unchecked(model: Arc<Model>, gated: bool) -> Self {
        let features = model.meta().features.clone();
        Self {
            frontend: if gated { Frontend::new(features) } else { Frontend::ungated(features) },
            pending: VecDeque::new(),
            state: model.network().fresh_state(),
            frames: VecDeque::new(),
            manner: OwnManner::default(),
            dropped: 0,
            model,
        }
    }

    /// Hears `pcm` (8 kHz, mono), all of one kind. Features are computed here; the network waits for
    /// [`estimate_due`].
    pub fn push(&mut self, pcm: &[i16], mark: FrameMark) {
        // In pieces, so that a long push fills the backlog in order.
        for piece in pcm.chunks(8000) {
            self.frontend.push(piece, mark);
            self.collect();
        }
    }

    /// Whether the other party is heard speaking beside what is pushed next. Then what is softer than this customer
    /// usually is does not reach the network: it may be the other one's voice, given back by a telephone.
    pub fn far_end(&mut self, speaks: bool) {
        self.frontend.far_end(speaks);
    }

    /// Sound that did not reach the network for that reason.
    pub fn held_back(&self) -> Duration {
        media_time(self.frontend.held_back() * self.model.meta().features.step() as u64)
    }

    /// Ends the audio: speech that was held back to settle the level is released.
    pub fn finish(&mut self) {
        self.frontend.finish();
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(step) = self.frontend.poll() {
            if self.pending.len() == BACKLOG {
                self.pending.pop_front();
                self.dropped += 1;
            }
            self.pending.push_back(step);
        }
    }

    /// Whether another half second of speech waits for the network.
    pub fn is_due(&self) -> bool {
        self.pending.len() >= CHUNK_STEPS
    }

    /// The next piece of detected speech: the listener's own detector, so a customer's leg needs no second one.
    pub fn poll_speech(&mut self) -> Option<SpeechSegment> {
        self.frontend.poll_speech()
    }

    /// Whether the customer is speaking now, a pause of 240 ms included.
    pub fn is_speaking(&self) -> bool {
        self.frontend.is_speaking()
    }

    /// Media time heard so far.
    pub fn heard(&self) -> Duration {
        media_time(self.frontend.pushed())
    }

    /// Speech that was dropped because the network was never run on it.
    pub fn dropped(&self) -> Duration {
        media_time(self.dropped * self.model.meta().features.step() as u64)
    }

    /// The model it listens with.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Puts encoded frames at the end of the window.
    fn extend(&mut self, steps: &[Step], rows: Vec<Vec<f32>>) {
        for (values, pair) in rows.into_iter().zip(steps.chunks(STEPS_PER_FRAME)) {
            let count = pair.len().max(1) as f32;
            self.frames.push_back(Frame {
                values,
                end: pair.last().map_or(0, |step| step.end),
                power: pair.iter().map(|step| step.power).sum::<f32>() / count,
                concealed: pair.iter().map(|step| step.concealed).sum::<f32>() / count,
            });
        }
        let newest = self.frames.back().map_or(0, |frame| frame.end);
        while self.frames.len() > WINDOW_FRAMES
            || self.frames.front().is_some_and(|frame| frame.end + STALE < newest)
        {
            self.frames.pop_front();
        }
    }

    fn evidence(&self) -> Evidence {
        let count = self.frames.len().max(1) as f32;
        let power = self.frames.iter().map(|frame| frame.power).sum::<f32>() / count;
        let frame = (STEPS_PER_FRAME * self.model.meta().features.step()) as u64;
        let span = match (self.frames.front(), self.frames.back()) {
            (Some(oldest), Some(newest)) => newest.end + frame - oldest.end,
            _ => 0,
        };
        let noise = self.frontend.noise_power().unwrap_or(0.0);
        // What is measured as speech holds the noise too.
        let clean = (power - noise).max(1e-12);
        Evidence {
            window: media_time(span),
            speech: media_time(self.frames.len() as u64 * frame),
            snr_db: (10.0 * (clean / noise.max(1e-12)).log10()).clamp(-20.0, 60.0),
            level_dbfs: 10.0 * power.max(1e-12).log10(),
            concealed: self.frames.iter().map(|frame| frame.concealed).sum::<f32>() / count,
        }
    }

    /// Reads the raw outputs for the window whose pooled values are `window`, and learns from it how this caller
    /// sounds. Where `music` is above 0 it is likelier no voice than one.
    fn conclude(&mut self, logits: &[f32], affect: &[f32], music: f32, window: &[f32]) -> Estimate {
        let calibration = self.model.meta().calibration_for(self.manner.known().is_some());
        let reading = calibration.read(logits, affect);
        let least_confidence = calibration.least_confidence;
        let mut classes: Vec<(Class, f32)> = Class::ALL.into_iter().zip(reading.probabilities).collect();
        classes.sort_by(|a, b| b.1.total_cmp(&a.1));
        let confidence = classes.first().map_or(0.0, |(_, probability)| *probability);
        let evidence = self.evidence();
        let abstained = if evidence.speech < Duration::from_secs(1) {
            Some(Abstention::TooLittleSpeech)
        } else if evidence.concealed > MOST_CONCEALED {
            Some(Abstention::TooMuchLoss)
        } else if music > 0.0 {
            Some(Abstention::Music)
        } else if evidence.snr_db < LEAST_SNR_DB {
            Some(Abstention::TooNoisy)
        } else if confidence < least_confidence {
            Some(Abstention::Unsure)
        } else {
            None
        };
        let heard_well = matches!(abstained, None | Some(Abstention::Unsure));
        if self.model.network().config().caller && heard_well {
            let speech = if self.manner.is_empty() { evidence.speech } else { HOP };
            self.manner.take(window, speech, reading.distress);
        }
        Estimate {
            modality: Modality::Voice,
            at: media_time(self.frames.back().map_or(0, |frame| frame.end)),
            valence: reading.valence,
            arousal: reading.arousal,
            distress: reading.distress,
            classes,
            confidence,
            evidence,
            abstained,
        }
    }

    /// Begins anew, with nothing heard yet.
    fn forget(&mut self) {
        self.state = self.model.network().fresh_state();
        self.frames.clear();
    }

    fn failed(&self) -> Estimate {
        let even = 1.0 / Class::ALL.len() as f32;
        Estimate {
            modality: Modality::Voice,
            at: self.heard(),
            valence: 0.0,
            arousal: 0.0,
            distress: 0.0,
            classes: Class::ALL.into_iter().map(|class| (class, even)).collect(),
            confidence: 0.0,
            evidence: self.evidence(),
            abstained: Some(Abstention::Fault),
        }
    }
}

/// Runs the network for every listener that has half a second of speech waiting, all calls of one model together, until
/// none is due. Returns each estimate with its listener's place in `listeners`; several of one listener come in
/// order of time. The first of a call comes after 1.0 s of speech, then one every 0.5 s.
pub fn estimate_due(listeners: &mut [&mut Listener]) -> Vec<(usize, Estimate)> {
    let mut estimates = Vec::new();
    loop {
        let Some(first) = listeners.iter().find(|listener| listener.is_due()) else { return estimates };
        let model = first.model.clone();
        let mut batch: Vec<(usize, &mut Listener)> = listeners
            .iter_mut()
            .enumerate()
            .filter(|(_, listener)| listener.is_due() && Arc::ptr_eq(&listener.model, &model))
            .map(|(place, listener)| (place, &mut **listener))
            .take(BATCH)
            .collect();
        let chunks: Vec<Vec<Step>> =
            batch.iter_mut().map(|(_, listener)| listener.pending.drain(..CHUNK_STEPS).collect()).collect();
        if run(&model, &mut batch, &chunks, &mut estimates).is_err() {
            estimates.extend(batch.iter().map(|(place, listener)| (*place, listener.failed())));
        }
    }
}

fn run(
    model: &Model,
    batch: &mut [(usize, &mut Listener)],
    chunks: &[Vec<Step>],
    estimates: &mut Vec<(usize, Estimate)>,
) -> candle_core::Result<()> {
    let network = model.network();
    let device = network.device();
    let inputs: Vec<f32> = chunks.iter().flatten().flat_map(|step| step.features.iter().copied()).collect();
    let steps = Tensor::from_vec(inputs, (batch.len(), CHUNK_STEPS, network.config().inputs), device)?;
    let mut states: Vec<&mut State> = batch.iter_mut().map(|(_, listener)| &mut listener.state).collect();
    let frames = network.encode(&steps, &mut states)?.to_vec3::<f32>()?;
    for (((_, listener), rows), steps) in batch.iter_mut().zip(frames).zip(chunks) {
        listener.extend(steps, rows);
    }

    let mut ready: Vec<&mut (usize, &mut Listener)> =
        batch.iter_mut().filter(|(_, listener)| listener.frames.len() >= LEAST_FRAMES).collect();
    if ready.is_empty() {
        return Ok(());
    }
    let width = 2 * network.config().channels;
    let windows: Vec<f32> = ready
        .iter()
        .flat_map(|(_, listener)| network.pooled(listener.frames.iter().map(|frame| frame.values.as_slice())))
        .collect();
    let pooled = Tensor::from_slice(&windows, (ready.len(), width), device)?;
    let manners = ready.iter().map(|(_, listener)| listener.manner.known());
    let manner = if network.config().caller { Some(Manner::of(manners, width, device)?) } else { None };
    let outputs = network.conclude(&pooled, manner.as_ref(), None)?;
    let (mut logits, affect) = (outputs.logits.to_vec2::<f32>()?, outputs.affect.to_vec2::<f32>()?);
    if sidetone_drill::is_on(Fault::ModelNan) {
        logits.iter_mut().flatten().for_each(|logit| *logit = f32::NAN);
    }
    let music: Vec<f32> = match &outputs.music {
        Some(music) => music.flatten_all()?.to_vec1()?,
        None => vec![f32::NEG_INFINITY; logits.len()],
    };
    let read = logits.iter().zip(&affect).zip(&music).zip(windows.chunks_exact(width));
    let ready = ready.iter_mut().map(|it| &mut **it);
    for ((place, listener), (((logits, affect), music), window)) in ready.zip(read) {
        // One that is no number would stay in all that is smoothed, for the rest of the call.
        let sound = logits.iter().chain(affect).chain(window).all(|value| value.is_finite());
        if !sound || music.is_nan() {
            listener.forget();
            estimates.push((*place, listener.failed()));
            continue;
        }
        estimates.push((*place, listener.conclude(logits, affect, *music, window)));
    }
    Ok(())
}
