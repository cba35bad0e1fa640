//! From sound to alert, with the weights and the thresholds as shipped.

use sidetone_call::Leg;
use sidetone_emotion::{FrameMark, Model, SpeechDetector, estimate_due};
use sidetone_insight::{Alert, Call, Insight, Summary, Thresholds};

/// The alerts of a call whose customer is heard saying `pcm`.
pub(crate) fn alerts(pcm: &[i16]) -> Vec<Alert> {
    let told = told(pcm, &[]).0.into_iter();
    told.filter_map(|insight| if let Insight::Alert(alert) = insight { Some(alert) } else { None }).collect()
}

/// All that is told of a call whose customer is heard saying `pcm` while the agent says `agent`, and its summary.
pub(crate) fn told(pcm: &[i16], agent: &[i16]) -> (Vec<Insight>, Summary) {
    let mut listener = super::listener(&Model::embedded().unwrap());
    let mut speech = SpeechDetector::new();
    let mut call = Call::new(Thresholds::default());
    let mut all = Vec::new();
    for (number, packet) in pcm.chunks(160).enumerate() {
        speech.push(agent.chunks(160).nth(number).unwrap_or(&[0; 160]), FrameMark::Audio);
        listener.far_end(speech.sounded_within(1280));
        listener.push(packet, FrameMark::Audio);
        while let Some(segment) = listener.poll_speech() {
            call.speech(Leg::Customer, segment.from, segment.to);
        }
        for (_, estimate) in estimate_due(&mut [&mut listener]) {
            call.affect(estimate.at, &estimate);
        }
        call.advance(listener.heard());
        all.extend(std::iter::from_fn(|| call.poll()).map(|(_, insight)| insight));
    }
    (all, call.summary(listener.heard()))
}
