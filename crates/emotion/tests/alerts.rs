//! From sound to alert, with the thresholds as shipped: what must not raise one, and what must not undo one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::path::Path;

use common::{cadence, caller, listener, music, noise, recording, telephone, tones};
use sidetone_emotion::{Class as Heard, Estimate, FrameMark, Model, corpus::Band, estimate_due, rng::Rng};
use sidetone_insight::{
    Abstention, AffectSample, Alert, AlertKind, Call, Class, Insight, Leg, Phase, Thresholds,
};

fn class(heard: Heard) -> Class {
    Class::ALL[Heard::ALL.iter().position(|class| *class == heard).unwrap()]
}

fn sample(estimate: &Estimate) -> AffectSample {
    AffectSample {
        valence: estimate.valence,
        arousal: estimate.arousal,
        distress: estimate.distress,
        confidence: estimate.confidence,
        classes: estimate.classes.iter().map(|(heard, share)| (class(*heard), *share)).collect(),
        abstained: estimate.abstained.map(|_| Abstention::Unsure),
    }
}

/// The alerts of a call whose customer is heard saying `pcm`.
fn alerts(pcm: &[i16]) -> Vec<Alert> {
    let mut listener = listener(&Model::embedded().unwrap());
    let mut call = Call::new(Thresholds::default());
    let mut all = Vec::new();
    for packet in pcm.chunks(160) {
        listener.push(packet, FrameMark::Audio);
        while let Some(segment) = listener.poll_speech() {
            call.speech(Leg::Customer, segment.from, segment.to);
        }
        for (_, estimate) in estimate_due(&mut [&mut listener]) {
            call.affect(estimate.at, &sample(&estimate));
        }
        call.advance(listener.heard());
        while let Some((_, insight)) = call.poll() {
            if let Insight::Alert(alert) = insight {
                all.push(alert);
            }
        }
    }
    all
}

fn turns(alerts: &[Alert]) -> Vec<(AlertKind, Phase)> {
    alerts.iter().map(|alert| (alert.alert, alert.phase)).collect()
}

#[test]
fn the_demos_caller_grows_upset_and_calms_down() {
    let heard = turns(&alerts(&telephone(&caller())));
    assert_eq!(heard.first().unwrap().1, Phase::Rising);
    assert_eq!(heard.last().unwrap().1, Phase::Calmed);
}

#[test]
fn a_few_lost_packets_flip_no_alert() {
    let speech = caller();
    let phases = |pcm: &[i16]| -> Vec<Phase> { alerts(pcm).iter().map(|alert| alert.phase).collect() };
    let plain = phases(&telephone(&speech));
    for loss in [0.01, 0.03, 0.05] {
        let lossy = Band::G711.over_line(&speech, 0.0, loss, &mut Rng::new(11));
        assert_eq!(phases(&lossy), plain, "{loss}");
    }
}

#[test]
fn nobodys_voice_raises_no_alert() {
    let sounds = [
        ("silence", vec![0; 240_000]),
        ("comfort noise", noise(60.0, 40.0, 3)),
        ("loud noise", noise(60.0, 2000.0, 4)),
        ("ringback", cadence(&tones(&[440.0, 480.0], 2.0, 4000.0), 4.0, 6)),
        ("busy", cadence(&tones(&[480.0, 620.0], 0.5, 4000.0), 0.5, 30)),
        ("DTMF", cadence(&tones(&[770.0, 1336.0], 0.2, 6000.0), 0.1, 60)),
        ("music", (1..=3).flat_map(|seed| music(20.0, seed)).collect()),
    ];
    for (name, pcm) in sounds {
        assert_eq!(alerts(&telephone(&pcm)), [], "{name}");
    }
}

#[test]
fn a_composed_voice_that_reads_its_lines_raises_no_alert() {
    // The demo's agent, put on the customer's leg: what a prompt or a composed caller sounds like.
    let agent = recording(Path::new("demo/agent.wav"));
    for db in [-12.0, 0.0, 12.0] {
        let line = Band::G711.over_line(&agent, db, 0.0, &mut Rng::new(1));
        assert_eq!(alerts(&line), [], "{db} dB");
    }
}
