//! What must hold of any model, whatever its labels: loud is not angry, and what is no voice raises nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use common::{cadence, caller, estimates, music, noise, telephone, tones};
use sidetone_call::{Class, Estimate};
use sidetone_emotion::{FrameMark, Model, corpus::Band, rng::Rng};

/// An estimate that an alert could come of.
fn alarming(estimate: &Estimate) -> bool {
    estimate.abstained.is_none() && estimate.distress > 0.7
}

fn heard(pcm: &[i16]) -> Vec<Estimate> {
    estimates(&Model::embedded().unwrap(), &telephone(pcm), 160, FrameMark::Audio)
}

fn mean(estimates: &[Estimate], value: impl Fn(&Estimate) -> f32) -> f32 {
    estimates.iter().map(value).sum::<f32>() / estimates.len().max(1) as f32
}

#[test]
fn gain_does_not_create_anger() {
    let speech = &caller()[..30 * 8000];
    let peak = speech.iter().map(|x| i32::from(*x).abs()).max().unwrap() as f32;
    // From a level at which neither end clips nor drowns in companding noise.
    let reference = 6000.0 / peak;
    let at = |db: f32| -> Vec<Estimate> {
        let gain = reference * 10f32.powf(db / 20.0);
        heard(&speech.iter().map(|x| (f32::from(*x) * gain) as i16).collect::<Vec<_>>())
    };
    let plain = at(0.0);
    assert!(plain.len() > 10);
    for db in [-12.0, -6.0, 6.0, 12.0] {
        let louder = at(db);
        let anger =
            mean(&louder, |e| e.probability(Class::Anger)) - mean(&plain, |e| e.probability(Class::Anger));
        let distress = mean(&louder, |e| e.distress) - mean(&plain, |e| e.distress);
        // A quiet line drowns the ends of words in companding noise, and distress follows that a little: .11 at -12 dB.
        assert!(anger.abs() < 0.05 && distress.abs() < 0.12, "{db} dB: anger {anger}, distress {distress}");
    }
}

#[test]
fn silence_and_line_noise_raise_nothing() {
    assert!(heard(&[0; 80_000]).is_empty());
    for level in [8.0, 60.0, 400.0] {
        assert!(!heard(&noise(20.0, level, 1)).iter().any(alarming), "noise of {level}");
    }
}

#[test]
fn dial_ringback_busy_and_dtmf_tones_raise_nothing() {
    let sounds = [
        ("dial", tones(&[425.0], 8.0, 6000.0)),
        ("ringback", cadence(&tones(&[440.0, 480.0], 2.0, 4000.0), 4.0, 4)),
        ("European ringback", cadence(&tones(&[425.0], 1.0, 6000.0), 4.0, 5)),
        ("busy", cadence(&tones(&[480.0, 620.0], 0.5, 4000.0), 0.5, 15)),
        ("DTMF 5", cadence(&tones(&[770.0, 1336.0], 0.2, 6000.0), 0.1, 50)),
        ("DTMF 9", cadence(&tones(&[852.0, 1477.0], 0.3, 6000.0), 0.2, 30)),
        ("fax", cadence(&tones(&[1100.0], 0.5, 8000.0), 3.0, 5)),
    ];
    for (name, pcm) in sounds {
        let alarms = heard(&pcm).into_iter().filter(alarming).count();
        assert_eq!(alarms, 0, "{name}");
    }
}

#[test]
fn music_raises_nothing() {
    for seed in 1..=4 {
        let alarms = heard(&music(20.0, seed)).into_iter().filter(alarming).count();
        assert_eq!(alarms, 0, "music {seed}");
    }
}

#[test]
fn a_few_lost_packets_move_no_estimate_far() {
    let model = Model::embedded().unwrap();
    let speech = caller();
    let plain = estimates(&model, &telephone(&speech), 160, FrameMark::Audio);
    for loss in [0.01, 0.03, 0.05] {
        let lossy = Band::G711.over_line(&speech, 0.0, loss, &mut Rng::new(11));
        let lossy = estimates(&model, &lossy, 160, FrameMark::Audio);
        let moved = (mean(&lossy, |e| e.distress) - mean(&plain, |e| e.distress)).abs();
        assert!(moved < 0.05, "{loss}: {moved}");
    }
}
