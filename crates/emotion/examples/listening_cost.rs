//! `listening_cost [MODEL] FILE...`: CPU time per second of speech for voice activity, features and network, alone and
//! in a batch, on clips of 4 s cut from the files; medians of five rounds, as JSON. Run it with `RAYON_NUM_THREADS=1`;
//! it reads this thread's CPU time, so neighbours do not matter much.
#![allow(clippy::print_stdout)]

use std::{collections::BTreeMap, fs, path::Path};

use candle_core::Tensor;
use sidetone_emotion::{
    FrameMark, Model, SpeechDetector,
    corpus::audio,
    features::{Extractor, FeatureConfig},
    listener::CHUNK_STEPS,
};

type Failure = Box<dyn std::error::Error>;

const ROUNDS: usize = 5;
/// Samples in a clip: 4 s.
const CLIP: usize = 32_000;

/// Milliseconds that this thread has spent on a CPU.
fn cpu_ms() -> Result<f64, Failure> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split_whitespace().next().ok_or("no schedstat")?.parse::<f64>()? / 1e6)
}

/// The median of some rounds of `work`, in ms of CPU for each of `seconds`.
fn median(seconds: f64, mut work: impl FnMut() -> Result<(), Failure>) -> Result<f64, Failure> {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let start = cpu_ms()?;
        work()?;
        rounds.push((cpu_ms()? - start) / seconds);
    }
    rounds.sort_by(f64::total_cmp);
    Ok(rounds.get(ROUNDS / 2).copied().unwrap_or_default())
}

fn main() -> Result<(), Failure> {
    let mut files: Vec<String> = std::env::args().skip(1).collect();
    let model = match files.first() {
        Some(first) if first.ends_with(".safetensors") => Model::open(Path::new(&files.remove(0)))?,
        Some(_) => Model::embedded()?,
        None => return Err("usage: listening_cost [MODEL] FILE...".into()),
    };
    let mut clips: Vec<Vec<i16>> = Vec::new();
    for file in &files {
        clips.extend(audio::read(Path::new(file))?.chunks_exact(CLIP).map(<[i16]>::to_vec));
    }
    let seconds = (clips.len() * CLIP) as f64 / 8000.0;

    let voice = median(seconds, || {
        for clip in &clips {
            let mut detector = SpeechDetector::new();
            clip.chunks(160).for_each(|packet| detector.push(packet, FrameMark::Audio));
        }
        Ok(())
    })?;

    let config = FeatureConfig::default();
    let mut extractor = Extractor::new(config.clone());
    let mut out = vec![0.0; config.dimensions()];
    let wide: Vec<Vec<f32>> =
        clips.iter().map(|clip| clip.iter().map(|&x| f32::from(x) / 32768.0).collect()).collect();
    let steps: usize =
        wide.iter().map(|clip| clip.windows(config.context()).step_by(config.step()).len()).sum();
    let features = median((steps * config.step()) as f64 / 8000.0, || {
        for window in wide.iter().flat_map(|clip| clip.windows(config.context()).step_by(config.step())) {
            extractor.step(window, &mut out);
        }
        Ok(())
    })?;

    let network = model.network();
    let mut costs = BTreeMap::new();
    for batch in [1usize, 8, 32] {
        let chunk = Tensor::zeros(
            (batch, CHUNK_STEPS, config.dimensions()),
            candle_core::DType::F32,
            network.device(),
        )?;
        let mut states = vec![network.fresh_state(); batch];
        let window = vec![vec![0.1f32; network.config().frame()]; 80];
        let chunks = (seconds as usize / batch).max(8);
        // A chunk is half a second of one call's speech.
        let cost = median((chunks * batch) as f64 * 0.5, || {
            for _ in 0..chunks {
                network.encode(&chunk, &mut states.iter_mut().collect::<Vec<_>>())?;
                let pooled: Vec<f32> =
                    (0..batch).flat_map(|_| network.pooled(window.iter().map(Vec::as_slice))).collect();
                let pooled =
                    Tensor::from_vec(pooled, (batch, 2 * network.config().channels), network.device())?;
                network.conclude(&pooled, None, None)?;
            }
            Ok(())
        })?;
        costs.insert(batch.to_string(), cost);
    }
    let report = serde_json::json!({
        "model": model.meta().name,
        "parameters": model.parameters(),
        "clips": clips.len(),
        "seconds": seconds,
        "voice_activity": voice,
        "features": features,
        "network_by_batch": costs,
    });
    println!("{report}");
    Ok(())
}
