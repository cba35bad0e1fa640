//! From sound to alert, with the weights and the thresholds as shipped.

use sidetone_emotion::{Class as Heard, Estimate, FrameMark, Model, estimate_due};
use sidetone_insight::{Abstention, AffectSample, Alert, Call, Class, Insight, Leg, Thresholds};

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
pub(crate) fn alerts(pcm: &[i16]) -> Vec<Alert> {
    let mut listener = super::listener(&Model::embedded().unwrap());
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
