//! One recorded call on its way through the pipeline.

use std::time::{Duration, Instant};

use sidetone_events::{
    CallAnswered, CallEnded, CallId, CallRef, CallStarted, Cause, Direction, Event, Happening, Narrator,
    Parties, Timestamp,
};
use sidetone_insight::{Leg, Summary, Thresholds, TimelinePoint};
use sidetone_proxy::analysis::CallAnalysis;

use super::{Bench, Party};

/// How often the pipeline is advanced, in the call's time.
pub(super) const STEP: Duration = Duration::from_millis(100);

/// A call that has been heard to its end.
pub(super) struct Heard {
    pub(super) events: Vec<Event>,
    pub(super) summary: Summary,
    pub(super) timeline: Vec<TimelinePoint>,
    /// By the clock on the wall.
    pub(super) took: Duration,
}

/// How a recorded call ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) cause: Cause,
    pub(super) by: Option<Leg>,
    pub(super) sip_status: Option<u16>,
}

impl End {
    /// As a recording ends that says nothing of it.
    pub(super) const UNTOLD: Self = Self { cause: Cause::Hangup, by: None, sip_status: None };
}

/// A call being heard. Its time begins at zero.
pub(super) struct Replay {
    pub(super) analysis: CallAnalysis,
    narrator: Narrator,
    events: Vec<Event>,
    advanced: Duration,
    began: Instant,
}

impl Replay {
    pub(super) fn new(call: CallRef, began: Timestamp, bench: &Bench) -> Self {
        let mut analysis = CallAnalysis::new(Duration::ZERO, Thresholds::default(), &bench.model, false);
        // Whoever has a recording answers for its having been made lawfully.
        analysis.listen();
        let mut narrator = Narrator::new(call, began);
        let events = vec![narrator.tell(Duration::ZERO, CallStarted { analysed: true })];
        Self { analysis, narrator, events, advanced: Duration::ZERO, began: Instant::now() }
    }

    /// A call known by `name`, and the same one each time it is heard. `trunk` says what it comes from.
    pub(super) fn of(name: &str, trunk: &str, parties: Parties<'_>, began: Timestamp, bench: &Bench) -> Self {
        let direction = match bench.customer {
            Party::Caller => Direction::Inbound,
            Party::Callee => Direction::Outbound,
        };
        let id = CallId::new(began, u128::from(fingerprint(name.as_bytes())));
        Self::new(CallRef::new(&bench.hasher, id, name, trunk, direction, parties), began, bench)
    }

    /// The call was answered.
    pub(super) fn answered(&mut self, at: Duration) {
        self.analysis.answered(at);
        let event = self.narrator.tell(at, CallAnswered { waited: at });
        self.events.push(event);
    }

    /// Something else happened to the call.
    pub(super) fn happened(&mut self, at: Duration, happening: impl Into<Happening>) {
        let event = self.narrator.tell(at, happening);
        self.events.push(event);
    }

    /// Lets time go on, step by step, as the live worker does.
    pub(super) fn advance(&mut self, now: Duration) {
        while self.advanced + STEP <= now {
            self.advanced += STEP;
            self.analysis.advance(self.advanced);
            CallAnalysis::estimate(std::iter::once(&mut self.analysis));
            self.tell();
        }
    }

    fn tell(&mut self) {
        while let Some((at, insight)) = self.analysis.poll() {
            let event = self.narrator.tell(at, insight);
            self.events.push(event);
        }
    }

    /// Ends the call.
    pub(super) fn finish(mut self, now: Duration, end: End) -> Heard {
        self.advance(now);
        let (summary, timeline) = self
            .analysis
            .finish(now)
            .unwrap_or_else(|| (sidetone_insight::Call::new(Thresholds::default()).summary(now), Vec::new()));
        self.tell();
        let End { cause, by, sip_status } = end;
        let ended = CallEnded { cause, by, sip_status, summary: Some(summary.clone()), media: None };
        let event = self.narrator.tell(now, ended);
        self.events.push(event);
        Heard { events: self.events, summary, timeline, took: self.began.elapsed() }
    }
}

/// FNV-1a: the same file has the same call id each time.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
