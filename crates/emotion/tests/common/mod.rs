//! Sounds of our own making, and helpers to listen to them.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

pub(crate) mod alerts;

use std::{collections::HashMap, path::Path, sync::Arc};

use candle_core::{DType, Device, Tensor};
use sidetone_call::Estimate;
use sidetone_consent::permit::{RecordingPermit, Stated};
use sidetone_emotion::{
    FrameMark, Listener, Model, estimate_due,
    features::FeatureConfig,
    model::{self, Calibration, Licence, Meta},
    network::NetworkConfig,
    rng::Rng,
};

/// A small network with random weights, written to a file: right in form, worthless in substance.
pub(crate) fn write_random_model(path: &Path, card_sha256: &str) -> Meta {
    write_random(path, card_sha256, false)
}

/// The same; with `caller`, one that hears each window beside its caller's own manner, and is otherwise the same.
pub(crate) fn write_random(path: &Path, card_sha256: &str, caller: bool) -> Meta {
    let network = NetworkConfig {
        inputs: 112,
        stem: 16,
        channels: 16,
        dilations: vec![1, 2],
        heads: 2,
        hidden: 8,
        caller,
        music: false,
    };
    let plain = NetworkConfig { caller: false, ..network.clone() };
    let mut tensors: HashMap<String, Tensor> =
        plain.initial(&mut Rng::new(1), &Device::Cpu).unwrap().into_iter().collect();
    if caller {
        let mut rng = Rng::new(2);
        let values: Vec<f32> = (0..32 * 8).map(|_| rng.normal()).collect();
        tensors.insert("head.caller.weight".into(), Tensor::from_vec(values, (32, 8), &Device::Cpu).unwrap());
        tensors.insert("head.caller.bias".into(), Tensor::zeros(8, DType::F32, &Device::Cpu).unwrap());
    }
    let meta = Meta {
        name: "random".into(),
        licence: Licence::Open,
        corpora: vec![],
        held_out: vec![],
        heard: vec![],
        seed: 1,
        features: FeatureConfig::default(),
        network,
        classes: sidetone_call::Class::ALL.to_vec(),
        calibration: Calibration::default(),
        beside_manner: caller.then(|| Calibration { temperature: 2.0, ..Calibration::default() }),
        card_sha256: card_sha256.into(),
    };
    model::write(path, &meta, &tensors).unwrap();
    meta
}

pub(crate) fn listener(model: &Arc<Model>) -> Listener {
    Listener::new(RecordingPermit::new(Stated::Material), model.clone())
}

/// Pushes `pcm` in packets of `packet` samples, estimating after each.
pub(crate) fn estimates(model: &Arc<Model>, pcm: &[i16], packet: usize, mark: FrameMark) -> Vec<Estimate> {
    let mut listener = listener(model);
    let mut all = Vec::new();
    for piece in pcm.chunks(packet) {
        listener.push(piece, mark);
        all.extend(estimate_due(&mut [&mut listener]).into_iter().map(|(_, estimate)| estimate));
    }
    all
}

/// The demo's caller: synthetic speech of this project's own making.
pub(crate) fn caller() -> Vec<i16> {
    recording(Path::new("demo/caller.wav"))
}

/// A recording of the repository.
pub(crate) fn recording(path: &Path) -> Vec<i16> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    hound::WavReader::open(path).unwrap().samples::<i16>().map(Result::unwrap).collect()
}

/// G.711 µ-law and back, as every call here goes.
pub(crate) fn telephone(pcm: &[i16]) -> Vec<i16> {
    sidetone_emotion::corpus::Band::G711.through(pcm)
}

/// A sum of sines at 8 kHz.
pub(crate) fn tones(hz: &[f32], seconds: f32, gain: f32) -> Vec<i16> {
    (0..(seconds * 8000.0) as usize)
        .map(|n| {
            let t = n as f32 / 8000.0;
            (gain * hz.iter().map(|hz| (std::f32::consts::TAU * hz * t).sin()).sum::<f32>()) as i16
        })
        .collect()
}

/// `on` seconds of `sound`, `off` seconds of silence, again and again.
pub(crate) fn cadence(sound: &[i16], off: f32, times: usize) -> Vec<i16> {
    let silence = vec![0; (off * 8000.0) as usize];
    (0..times).flat_map(|_| sound.iter().chain(&silence).copied()).collect()
}

/// Noise like that of a line, `level` being its peak.
pub(crate) fn noise(seconds: f32, level: f32, seed: u64) -> Vec<i16> {
    let mut rng = Rng::new(seed);
    (0..(seconds * 8000.0) as usize).map(|_| rng.between(-level, level) as i16).collect()
}

/// Chords with a melody over them and a beat beneath: hold music of the simplest kind.
pub(crate) fn music(seconds: f32, seed: u64) -> Vec<i16> {
    let mut rng = Rng::new(seed);
    let scale = [0, 2, 4, 5, 7, 9, 11, 12];
    let note = |semitones: i32| 220.0 * (semitones as f32 / 12.0).exp2();
    let mut pcm = Vec::new();
    let beat = 3200;
    let mut chord = [0, 4, 7];
    while pcm.len() < (seconds * 8000.0) as usize {
        let melody = note(12 + scale[rng.below(8)]);
        if (pcm.len() / beat).is_multiple_of(4) {
            let root = [0, 5, 7, 9][rng.below(4)];
            chord = [root, root + 4, root + 7];
        }
        for n in 0..beat {
            let t = n as f32 / 8000.0;
            let decay = (-3.0 * t).exp();
            let mut x = 0.0;
            for semitones in chord {
                for harmonic in 1..4 {
                    let hz = note(semitones) * harmonic as f32;
                    x += 0.5 / harmonic as f32 * (std::f32::consts::TAU * hz * t).sin();
                }
            }
            for harmonic in 1..6 {
                x += decay / harmonic as f32 * (std::f32::consts::TAU * melody * harmonic as f32 * t).sin();
            }
            x += if n < 300 { rng.between(-1.0, 1.0) * (-(n as f32) / 80.0).exp() } else { 0.0 };
            pcm.push((2500.0 * x) as i16);
        }
    }
    pcm
}
