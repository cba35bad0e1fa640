//! From sound to alert, with the weights and the thresholds as shipped.

use sidetone_call::Leg;
use sidetone_emotion::{FrameMark, Model, estimate_due};
use sidetone_insight::{Alert, Call, Insight, Thresholds};

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
            call.affect(estimate.at, &estimate);
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
