//! One customer's call through G.711, the listener and the alert logic as shipped.

use std::sync::Arc;
use std::time::Duration;

use sidetone_call::{Estimate, Leg as Side};
use sidetone_consent::permit::{RecordingPermit, Stated};
use sidetone_emotion::corpus::Band;
use sidetone_emotion::model::Model as Network;
use sidetone_emotion::{FrameMark, Listener, SpeechDetector, estimate_due};
use sidetone_insight::{Alert, Call, Insight, Thresholds};

/// Samples that a packet brings.
const PACKET: usize = 160;

/// Samples without speech after which an agent no longer speaks, as in a call.
const MOMENT: u64 = 1280;

/// A call under way.
pub(super) struct Line {
    listener: Listener,
    /// Hears when the agent speaks, as in a call.
    agent: SpeechDetector,
    call: Call,
    now: Duration,
    /// Pieces of detected speech so far, in order.
    speech: Vec<(Duration, Duration)>,
    pub(super) alerts: Vec<(Duration, Alert)>,
    pub(super) estimates: usize,
    pub(super) abstained: usize,
}

impl Line {
    pub(super) fn new(model: &Arc<Network>, thresholds: Thresholds) -> Self {
        Self {
            listener: Listener::new(RecordingPermit::new(Stated::Material), model.clone()),
            agent: SpeechDetector::new(),
            call: Call::new(thresholds),
            now: Duration::ZERO,
            speech: Vec::new(),
            alerts: Vec::new(),
            estimates: 0,
            abstained: 0,
        }
    }

    /// The customer is heard saying `voice` while the agent says `agent`, or nothing where that has ended; `note` is
    /// told each estimate.
    pub(super) fn hear(
        &mut self,
        voice: &[i16],
        agent: &[i16],
        note: &mut dyn FnMut(&Estimate) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut said = Band::G711.through(agent);
        said.resize(voice.len().max(said.len()), 0);
        for (packet, said) in Band::G711.through(voice).chunks(PACKET).zip(said.chunks(PACKET)) {
            self.agent.push(said, FrameMark::Audio);
            self.listener.far_end(self.agent.sounded_within(MOMENT));
            self.listener.push(packet, FrameMark::Audio);
            self.now += Duration::from_micros(packet.len() as u64 * 125);
            while self.agent.poll().is_some() {}
            while let Some(segment) = self.listener.poll_speech() {
                self.speech.push((segment.from, segment.to));
                self.call.speech(Side::Customer, segment.from, segment.to);
            }
            for (_, estimate) in estimate_due(&mut [&mut self.listener]) {
                self.estimates += 1;
                self.abstained += usize::from(estimate.abstained.is_some());
                note(&estimate)?;
                self.call.affect(estimate.at, &estimate);
            }
            self.call.advance(self.now);
            while let Some((at, insight)) = self.call.poll() {
                if let Insight::Alert(alert) = insight {
                    self.alerts.push((at, alert));
                }
            }
        }
        Ok(())
    }

    /// Time so far.
    pub(super) fn now(&self) -> Duration {
        self.now
    }

    /// Detected speech between two moments.
    pub(super) fn speech_between(&self, from: Duration, to: Duration) -> Duration {
        self.speech.iter().map(|(start, end)| (*end).min(to).saturating_sub((*start).max(from))).sum()
    }

    /// How much happier the customer sounds than at first, were the call over now.
    pub(super) fn shift(&self) -> Option<f32> {
        Some(self.call.clone().summary(self.now).sentiment?.shift)
    }
}
