//! One recorded call on its way through the pipeline.

use std::time::{Duration, Instant};

use sidetone_call::{Cause, Leg, Side};
use sidetone_capture::calls::Doubt;
use sidetone_consent::permit::{RecordingPermit, Stated};
use sidetone_events::{
    CallAnswered, CallEnded, CallId, CallRef, CallStarted, CallUntappable, Direction, Event, Happening,
    MediaState, Narrator, Parties, Timestamp,
};
use sidetone_hear::{Audible, CallAnalysis, Wording};
use sidetone_insight::cues::Coach;
use sidetone_insight::{Summary, Thresholds, TimelinePoint};

use crate::cli::analyze::bench::Bench;

/// How often the pipeline is advanced, in the call's time.
pub(super) const STEP: Duration = Duration::from_millis(100);

/// The roles of the two parties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Roles {
    /// The party on the trunk's side is the customer, in words.
    Known(String),
    /// It isn't known which party is the customer; their addresses.
    Unknown {
        /// The party whose audio came first.
        one: String,
        /// The other party.
        other: String,
        /// Why the capture leaves this open, though it shows who placed the call.
        doubt: Option<Doubt>,
    },
}

/// A recorded call, before it is analysed.
pub(super) struct Told<'a> {
    /// The call's name: a Call-ID, addresses, or the file's name. The same name yields the same call id each time.
    pub(super) name: &'a str,
    /// The source of the recording, in place of a trunk.
    pub(super) source: &'a str,
    pub(super) parties: Parties<'a>,
    pub(super) began: Timestamp,
    /// Whether the customer was called.
    pub(super) outbound: bool,
    pub(super) roles: Roles,
    /// The only party that can be heard, if there is only one.
    pub(super) alone: Option<Side>,
}

/// What became of a party's protected packets.
#[derive(Debug)]
pub(super) struct Protection {
    pub(super) address: String,
    /// Packets that a key opened.
    pub(super) opened: u64,
    /// Packets that none did.
    pub(super) sealed: u64,
    /// The same for people, with a remedy.
    pub(super) note: String,
}

/// A call that has been analysed to its end.
pub(super) struct Heard {
    pub(super) call: CallRef,
    pub(super) began: Timestamp,
    /// Whether the signalling names the call.
    pub(super) is_signalled: bool,
    /// The addresses of a call that has no other name.
    pub(super) ends: Option<(String, String)>,
    pub(super) roles: Roles,
    pub(super) one_sided: bool,
    /// Further remarks on the call.
    pub(super) notes: Vec<String>,
    /// What became of protected packets, for each party that sent some.
    pub(super) protection: Vec<Protection>,
    /// Whether any of its audio could be decoded.
    pub(super) has_audio: bool,
    pub(super) events: Vec<Event>,
    pub(super) summary: Summary,
    pub(super) timeline: Vec<TimelinePoint>,
    /// Elapsed real time.
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
    /// The end of a recording without information about it.
    pub(super) const UNTOLD: Self = Self { cause: Cause::Hangup, by: None, sip_status: None };
}

/// A call being analysed. Its time begins at zero.
pub(super) struct Replay {
    pub(super) analysis: CallAnalysis,
    call: CallRef,
    start: Timestamp,
    roles: Roles,
    one_sided: bool,
    narrator: Narrator,
    events: Vec<Event>,
    advanced: Duration,
    began: Instant,
}

impl Replay {
    pub(super) fn of(told: Told<'_>, bench: &Bench) -> Self {
        let Told { name, source, parties, began, outbound, roles, alone } = told;
        let direction = if outbound { Direction::Outbound } else { Direction::Inbound };
        let id = CallId::new(began, u128::from(fingerprint(name.as_bytes())));
        let call = CallRef::new(&bench.hasher, id, name, source, direction, parties);
        let mut analysis = CallAnalysis::new(Duration::ZERO, Thresholds::default(), &bench.model, false)
            .coached(bench.cues.clone().map(Coach::new))
            .transcribed(bench.scribe.clone().map(|scribe| (scribe, Wording::of_recording())));
        let judged = matches!(roles, Roles::Known(_));
        if judged {
            // The owner of a recording answers for its lawfulness.
            analysis.listen_to_recording(RecordingPermit::new(Stated::Customer));
        } else {
            analysis.attend();
        }
        if alone.is_some() {
            analysis.one_sided();
        }
        let mut narrator = Narrator::new(call.clone(), began);
        let events = vec![narrator.tell(Duration::ZERO, CallStarted { analysed: judged, signalling: None })];
        Self {
            analysis,
            call,
            start: began,
            roles,
            one_sided: alone.is_some(),
            narrator,
            events,
            advanced: Duration::ZERO,
            began: Instant::now(),
        }
    }

    /// Whether the customer is known.
    fn is_judged(&self) -> bool {
        matches!(self.roles, Roles::Known(_))
    }

    /// The call was answered.
    pub(super) fn answered(&mut self, at: Duration) {
        self.analysis.answered(at);
        let event = self.narrator.tell(at, CallAnswered { waited: at, signalling: None });
        self.events.push(event);
    }

    /// Another event of the call.
    pub(super) fn happened(&mut self, at: Duration, happening: impl Into<Happening>) {
        let event = self.narrator.tell(at, happening);
        self.events.push(event);
    }

    /// Advances the call step by step, as the live worker does.
    pub(super) fn advance(&mut self, now: Duration) {
        while self.advanced + STEP <= now {
            self.advanced += STEP;
            self.analysis.advance(self.advanced);
            CallAnalysis::estimate(std::iter::once(&mut self.analysis));
            self.tell();
        }
    }

    fn tell(&mut self) {
        while let Some((stream, side, Audible { restored, reason })) = self.analysis.poll_audible() {
            let stream = u32::try_from(stream).unwrap_or(u32::MAX);
            let state = if restored { MediaState::Restored } else { MediaState::Lost };
            // Where the parties' roles are unknown, the voice is attributed to neither.
            let leg = self.is_judged().then(|| side.leg());
            self.happened(self.advanced, CallUntappable { stream, reason, leg, state });
        }
        while let Some((at, insight)) = self.analysis.poll() {
            // Conduct is reported by role: for parties without one it would be a guess.
            if !self.is_judged() {
                continue;
            }
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
        let judged = self.is_judged();
        let ended = CallEnded {
            cause,
            by: by.filter(|_| judged),
            sip_status,
            summary: judged.then(|| summary.clone()),
            media: None,
        };
        let event = self.narrator.tell(now, ended);
        self.events.push(event);
        Heard {
            call: self.call,
            began: self.start,
            is_signalled: false,
            ends: None,
            roles: self.roles,
            one_sided: self.one_sided,
            notes: Vec::new(),
            protection: Vec::new(),
            has_audio: true,
            events: self.events,
            summary,
            timeline,
            took: self.began.elapsed(),
        }
    }
}

/// FNV-1a: the same file has the same call id each time.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
