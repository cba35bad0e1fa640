//! `cost FILE [SECONDS]`: CPU time per second of speech for voice activity, features and network, alone and in a batch.
//! Run it with `RAYON_NUM_THREADS=1`; it reads this thread's CPU time, so neighbours do not matter much.
#![allow(clippy::print_stdout)]

use std::{fs, path::Path};

use candle_core::Tensor;
use sidetone_emotion::{
    FrameMark, Model, SpeechDetector,
    corpus::audio,
    features::{Extractor, FeatureConfig},
    listener::CHUNK_STEPS,
};

/// Milliseconds that this thread has spent on a CPU.
fn cpu_ms() -> Result<f64, Box<dyn std::error::Error>> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split_whitespace().next().ok_or("no schedstat")?.parse::<f64>()? / 1e6)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let pcm = audio::read(Path::new(&arguments.next().ok_or("usage: cost FILE [SECONDS]")?))?;
    let seconds: usize = arguments.next().map_or(Ok(60), |text| text.parse())?;
    let pcm: Vec<i16> = pcm.iter().copied().cycle().take(seconds * 8000).collect();
    let per_second = |ms: f64, of: f64| ms / of;
    let model = Model::embedded()?;
    println!("{} parameters", model.parameters());

    let start = cpu_ms()?;
    let mut detector = SpeechDetector::new();
    pcm.chunks(160).for_each(|packet| detector.push(packet, FrameMark::Audio));
    println!("voice activity: {:.3} ms a second of audio", per_second(cpu_ms()? - start, seconds as f64));

    let config = FeatureConfig::default();
    let samples: Vec<f32> = pcm.iter().map(|&x| f32::from(x) / 32768.0).collect();
    let mut extractor = Extractor::new(config.clone());
    let mut out = vec![0.0; config.dimensions()];
    let start = cpu_ms()?;
    let mut steps = 0;
    for window in samples.windows(config.context()).step_by(config.step()) {
        extractor.step(window, &mut out);
        steps += 1;
    }
    let heard = steps as f64 * config.step() as f64 / 8000.0;
    println!("features: {:.3} ms a second of speech", per_second(cpu_ms()? - start, heard));

    let network = model.network();
    for batch in [1usize, 8, 32] {
        let chunk = Tensor::zeros(
            (batch, CHUNK_STEPS, config.dimensions()),
            candle_core::DType::F32,
            network.device(),
        )?;
        let mut states = vec![network.fresh_state(); batch];
        let window = vec![vec![0.1f32; network.config().frame()]; 80];
        let rounds = (seconds / batch).max(8);
        let start = cpu_ms()?;
        for _ in 0..rounds {
            network.encode(&chunk, &mut states.iter_mut().collect::<Vec<_>>())?;
            let pooled: Vec<f32> =
                (0..batch).flat_map(|_| network.pooled(window.iter().map(Vec::as_slice))).collect();
            network.conclude(
                &Tensor::from_vec(pooled, (batch, 2 * network.config().channels), network.device())?,
                None,
            )?;
        }
        // A chunk is half a second of one call's speech.
        let heard = (rounds * batch) as f64 * 0.5;
        println!(
            "network, {batch} calls at a time: {:.3} ms a second of speech",
            per_second(cpu_ms()? - start, heard)
        );
    }
    Ok(())
}
