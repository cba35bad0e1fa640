//! One call in the book.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

use sidetone_call::{CallKey, Cause, EndPlan, MediaKind, Side, StreamPlan, Topic};
use sidetone_events::{
    CallEnded, CallRef, CallSecured, Direction, Event, Happening, HashedNumber, LegMedia, MediaQuality,
    Narrator, Signalling, Timestamp,
};
use sidetone_insight::cues::{CueShown, CueTold};
use sidetone_insight::{
    AffectUpdate, Alert, Conduct, Insight, Phase as AlertPhase, Summary, TimelinePoint, WordsTopic,
};

use crate::consent::Consent;
use crate::labels::Labelled;
use crate::quality::{Change, Watch};
use crate::secured::Secured;
use crate::transcript::WordsView;
use crate::view::{CallView, CueView, LegView, Phase, SignallingView, StreamView, codec_name};
use sidetone_relay::{EndReport, StreamReport};

/// What was inferred of a call, as its view shows it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Inferred {
    affect: Option<AffectUpdate>,
    alert: Option<Alert>,
    conduct: Option<Conduct>,
    cue: Option<(u64, bool, CueShown)>,
}

/// After this many breakdowns of its analysis, a call goes on without analysis.
const MOST_BROKEN: u32 = 3;
/// Probability from which a topic may change a call's tier,
const SURE: f32 = 0.9;
/// in an utterance of so many words.
const SENTENCE: usize = 4;
/// Most events of a call that may be told without its being written down: at the end of the process not all may have
/// reached the disk, which `live_on` allows for.
const MOST_UNKNOWN: u64 = 500;
/// Letters of an id's end that may name a call: 30 random bits.
const SHORT_ID: usize = 6;

/// How a call ended.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct End {
    by: Option<Side>,
    status: Option<u16>,
    cause: Cause,
    at: Duration,
}

/// One call.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    key: CallKey,
    narrator: Narrator,
    /// How many events had been told when it was last written down.
    #[serde(skip)]
    kept_told: u64,
    sip_call_id: String,
    /// The trunk that the call runs by. Its events name the trunk of its first choice, the same throughout.
    trunk: String,
    pbx: String,
    origin: Duration,
    answered_at: Option<Duration>,
    ringing: bool,
    held_since: [Option<Duration>; 2],
    /// The SIP core tells them anew in another process.
    #[serde(skip)]
    plans: BTreeMap<usize, StreamPlan>,
    #[serde(skip)]
    reports: BTreeMap<usize, StreamReport>,
    #[serde(skip, default = "nothing_watched")]
    watch: Watch,
    /// How SIP travels on the trunk's side and on the PBX's, and the side of the caller.
    signalling: [Option<Signalling>; 2],
    from_side: Side,
    #[serde(skip)]
    secured: Secured,
    #[serde(skip)]
    worker: Option<usize>,
    /// Times that the call's analysis broke.
    broken: u32,
    pub(crate) consent: Consent,
    pub(crate) labelled: Labelled,
    began: Timestamp,
    #[serde(skip)]
    media_open: bool,
    end: Option<End>,
    /// Since when the call waits for its media and its summary. `ended_at` can be earlier: news of a BYE comes late.
    closing_since: Option<Duration>,
    /// What was inferred is kept by whoever infers it.
    #[serde(skip)]
    affect: Option<AffectUpdate>,
    #[serde(skip)]
    alert: Option<Alert>,
    #[serde(skip)]
    conduct: Option<Conduct>,
    #[serde(skip)]
    pub(crate) cue: Option<CueView>,
    #[serde(skip)]
    pub(crate) words: WordsView,
    /// What another process has inferred, until somebody listens again.
    #[serde(skip)]
    pub(crate) inferred_before: Option<Vec<u8>>,
    #[serde(skip)]
    summary: Option<Summary>,
    #[serde(skip)]
    timeline: Vec<TimelinePoint>,
}

/// A watch that is begun anew with the call in another process.
fn nothing_watched() -> Watch {
    Watch::new(Duration::ZERO)
}

const fn index(side: Side) -> usize {
    match side {
        Side::Trunk => 0,
        Side::Pbx => 1,
    }
}

impl Entry {
    pub(crate) fn new(
        key: CallKey,
        call: CallRef,
        began: Timestamp,
        sip_call_id: String,
        pbx: String,
        origin: Duration,
        consent: Consent,
    ) -> Self {
        Self {
            key,
            consent,
            labelled: Labelled::default(),
            began,
            trunk: call.trunk.clone(),
            narrator: Narrator::new(call, began),
            kept_told: 0,
            sip_call_id,
            pbx,
            origin,
            answered_at: None,
            ringing: false,
            held_since: [None; 2],
            plans: BTreeMap::new(),
            reports: BTreeMap::new(),
            watch: Watch::new(origin),
            signalling: [None, None],
            from_side: Side::Trunk,
            secured: Secured::default(),
            worker: None,
            broken: 0,
            media_open: true,
            end: None,
            closing_since: None,
            affect: None,
            alert: None,
            conduct: None,
            cue: None,
            words: WordsView::default(),
            inferred_before: None,
            summary: None,
            timeline: Vec::new(),
        }
    }

    /// Goes on in another process: nobody listens yet, and media have not been heard of. Events that the last process
    /// has told since the call was written down are not known, so that the next one's number is beyond theirs.
    pub(crate) fn live_on(&mut self, now: Duration) {
        self.narrator.leap(2 * MOST_UNKNOWN);
        self.watch = Watch::new(now);
        self.media_open = true;
        self.closing_since = self.closing_since.map(|_| now);
    }

    /// Whether so many events have been told since the call was written down.
    pub(crate) fn is_told_often(&self, events: u64) -> bool {
        self.narrator.told() >= self.kept_told + events
    }

    /// It is written down.
    pub(crate) fn note_kept(&mut self) {
        self.kept_told = self.narrator.told();
    }

    pub(crate) fn key(&self) -> CallKey {
        self.key
    }

    pub(crate) fn call(&self) -> &CallRef {
        self.narrator.call()
    }

    pub(crate) fn pbx(&self) -> &str {
        &self.pbx
    }

    /// The trunk that the call runs by.
    pub(crate) fn trunk(&self) -> &str {
        &self.trunk
    }

    /// The worker that listens to the call, if one does.
    pub(crate) fn worker(&self) -> Option<usize> {
        self.worker
    }

    /// The peer on `side` that has answered.
    pub(crate) fn answered_by(&mut self, side: Side, peer: &str) {
        let name = match side {
            Side::Trunk => &mut self.trunk,
            Side::Pbx => &mut self.pbx,
        };
        peer.clone_into(name);
    }

    /// The caller's SIP travels like this.
    pub(crate) fn calls_by(&mut self, from: Side, how: Signalling) {
        self.from_side = from;
        self.signalled(from, Some(how));
    }

    /// The SIP of the party that has answered travels like this.
    pub(crate) fn answers_by(&mut self, how: Option<Signalling>) {
        self.signalled(self.from_side.other(), how);
    }

    fn signalled(&mut self, side: Side, how: Option<Signalling>) {
        if let Some(place) = self.signalling.get_mut(index(side)) {
            *place = how;
        }
    }

    /// Assigns the call to a worker, which listens from now on.
    pub(crate) fn engage(&mut self, worker: usize) {
        self.worker = Some(worker);
    }

    /// The call's analysis has broken down and is given up.
    pub(crate) fn broke(&mut self) {
        self.broken += 1;
        self.sum_up(None, Vec::new());
    }

    /// Whether a worker may still listen for key presses: after repeated breakdowns none does.
    pub(crate) fn is_sound(&self) -> bool {
        self.broken < MOST_BROKEN
    }

    /// When the call was over.
    pub(crate) fn ended_at(&self) -> Option<Duration> {
        self.end.map(|end| end.at)
    }

    /// When the INVITE was seen.
    pub(crate) fn began(&self) -> Timestamp {
        self.began
    }

    /// Zero of the call's own time, on the process's clock.
    pub(crate) fn origin(&self) -> Duration {
        self.origin
    }

    /// The Call-ID as it stands in the INVITE.
    pub(crate) fn sip_call_id(&self) -> &str {
        &self.sip_call_id
    }

    /// Erases the inferences about the customer.
    pub(crate) fn forget(&mut self) {
        self.affect = None;
        self.alert = None;
        self.conduct = None;
        self.cue = None;
        self.words = WordsView::default();
        self.inferred_before = None;
        self.summary = None;
        self.timeline.clear();
    }

    /// What was inferred, as the call's view shows it.
    pub(crate) fn inferred(&self) -> Inferred {
        let cue = self.cue.as_ref();
        Inferred {
            affect: self.affect.clone(),
            // Its words are never written down.
            alert: self.alert.clone().map(|alert| Alert { phrase: None, ..alert }),
            conduct: self.conduct.clone(),
            cue: cue.map(|view| (view.shown_at_ms, view.acknowledged, view.cue.clone())),
        }
    }

    /// Shows again what another process has inferred.
    pub(crate) fn infer_again(&mut self, inferred: Inferred) {
        let Inferred { affect, alert, conduct, cue } = inferred;
        (self.affect, self.alert, self.conduct) = (affect, alert, conduct);
        self.cue = cue.map(|(shown_at_ms, acknowledged, cue)| CueView { shown_at_ms, acknowledged, cue });
    }

    /// The stream of the conversation, and its plan.
    pub(crate) fn talk(&self) -> Option<(usize, &StreamPlan)> {
        let stream = self.conversation()?;
        Some((stream, self.plans.get(&stream)?))
    }

    /// One stream's plan.
    pub(crate) fn stream_plan(&self, stream: usize) -> Option<&StreamPlan> {
        self.plans.get(&stream)
    }

    /// Each stream's plan.
    pub(crate) fn plans(&self) -> impl Iterator<Item = (usize, &StreamPlan)> {
        self.plans.iter().map(|(stream, plan)| (*stream, plan))
    }

    /// Since when the call is answered.
    pub(crate) fn answered_at(&self) -> Option<Duration> {
        self.answered_at
    }

    /// Since when each side holds the other.
    pub(crate) fn holds(&self) -> impl Iterator<Item = (Side, Duration)> {
        let [trunk, pbx] = self.held_since;
        [(Side::Trunk, trunk), (Side::Pbx, pbx)].into_iter().filter_map(|(side, since)| Some((side, since?)))
    }

    /// The customer's number, hashed.
    pub(crate) fn customer(&self) -> Option<HashedNumber> {
        match self.call().direction {
            Direction::Inbound => self.call().caller,
            Direction::Outbound => self.call().callee,
            Direction::Unknown => None,
        }
    }

    /// Whether the SIP Call-ID is this one, in the form of events and the log, where a part of it may be hashed.
    pub(crate) fn is_shown_as(&self, sip_call_id: &str) -> bool {
        self.call().sip_call_id.as_str() == sip_call_id
    }

    /// Whether Sidetone's id ends in these letters, if there are enough of them.
    pub(crate) fn id_ends_with(&self, end: &str) -> bool {
        end.len() >= SHORT_ID && self.call().id.to_string().ends_with(&end.to_ascii_uppercase())
    }

    /// Makes an event at a time on the process's clock.
    pub(crate) fn tell(&mut self, now: Duration, happening: impl Into<Happening>) -> Event {
        self.narrator.tell(now.saturating_sub(self.origin), happening)
    }

    /// Makes an event at a time in the call.
    pub(crate) fn tell_at(&mut self, at: Duration, happening: impl Into<Happening>) -> Event {
        self.narrator.tell(at, happening)
    }

    pub(crate) fn ring(&mut self) {
        self.ringing = true;
    }

    /// Takes the answer; returns how long the caller waited for it.
    pub(crate) fn answer(&mut self, at: Duration) -> Duration {
        self.answered_at = Some(at);
        if let Some(plan) = self.conversation().and_then(|stream| self.plans.get(&stream)) {
            self.watch.plan(at, plan, true);
        }
        at.saturating_sub(self.origin)
    }

    pub(crate) fn hold(&mut self, by: Side, at: Duration) {
        if let Some(since) = self.held_since.get_mut(index(by)) {
            *since = Some(at);
        }
    }

    /// Takes the end of a hold; returns how long it was.
    pub(crate) fn resume(&mut self, by: Side, at: Duration) -> Duration {
        let since = self.held_since.get_mut(index(by)).and_then(Option::take);
        since.map_or(Duration::ZERO, |since| at.saturating_sub(since))
    }

    fn held(&self) -> bool {
        self.held_since.iter().any(Option::is_some)
    }

    pub(crate) fn plan(&mut self, now: Duration, stream: usize, plan: StreamPlan) {
        self.plans.insert(stream, plan);
        if let Some(plan) = self.conversation().and_then(|stream| self.plans.get(&stream)) {
            self.watch.plan(now, plan, self.answered_at.is_some());
        }
    }

    /// The stream of the conversation: the first audio m-line that both parties have accepted, else the first.
    fn conversation(&self) -> Option<usize> {
        let audio = || self.plans.iter().filter(|(_, plan)| plan.kind == MediaKind::Audio);
        let open = |plan: &StreamPlan| plan.trunk.is_there() && plan.pbx.is_there();
        audio().find(|(_, plan)| open(plan)).or_else(|| audio().next()).map(|(stream, _)| *stream)
    }

    /// What a report tells anew of how this call's legs are protected.
    pub(crate) fn secured_by(&mut self, report: &StreamReport) -> Vec<CallSecured> {
        match self.plans.get(&report.stream) {
            Some(plan) if self.answered_at.is_some() => self.secured.news(plan, report),
            _ => Vec::new(),
        }
    }

    /// Takes a stream's state; returns the change in how media flow.
    pub(crate) fn media(&mut self, now: Duration, report: StreamReport, timeout: Duration) -> Option<Change> {
        self.reports.insert(report.stream, report);
        if self.end.is_some() {
            return None;
        }
        // Before the answer nobody has to send anything; timer C ends a call that rings for ever.
        let timeout = if self.answered_at.is_some() { timeout } else { Duration::ZERO };
        let newest =
            self.reports.values().flat_map(|report| [report.trunk.last_heard, report.pbx.last_heard]).max();
        let held = self.held();
        if self.conversation() == Some(report.stream)
            && let Some(change) = self.watch.rejected(now, &report)
        {
            return Some(change);
        }
        if let Some(change) = self.watch.timed_out(now, newest.flatten(), held, timeout) {
            return Some(change);
        }
        if self.conversation() == Some(report.stream) { self.watch.one_way(now, &report) } else { None }
    }

    /// Since when nothing has come from either side, if that was reported and still holds.
    pub(crate) fn quiet(&self) -> Option<Duration> {
        self.watch.quiet().filter(|_| self.end.is_none())
    }

    pub(crate) fn media_closed(&mut self, reports: Vec<StreamReport>) {
        self.media_open = false;
        self.reports.extend(reports.into_iter().map(|report| (report.stream, report)));
    }

    pub(crate) fn insight(&mut self, at: Duration, insight: &Insight) {
        match insight {
            // The call's view shows the voice's estimate only.
            Insight::AffectUpdate(update) if update.modality.is_voice() => self.affect = Some(update.clone()),
            Insight::AffectUpdate(_) => {}
            Insight::Alert(alert) => {
                self.alert = (alert.phase == AlertPhase::Rising).then(|| alert.clone());
            }
            Insight::Words(words) => self.words.said(words),
            Insight::Topic(topic) => self.words.named(topic),
            Insight::Conduct(conduct) => self.conduct = Some(conduct.clone()),
            Insight::Cue(CueTold::Shown(cue)) => {
                self.cue = Some(CueView { shown_at_ms: millis(at), cue: cue.clone(), acknowledged: false });
            }
            Insight::Cue(CueTold::Cleared(cleared)) => {
                self.cue.take_if(|view| view.cue.number == cleared.number);
            }
            // Nobody is shown these.
            Insight::Cue(CueTold::Withheld(_) | CueTold::Judged(_)) => {}
        }
    }

    /// The topic, if it is as sure as what changes a call's tier has to be: "and died" alone may be of a car.
    pub(crate) fn sure_of(&self, topic: &WordsTopic) -> Option<Topic> {
        let said = self.words.said.back().map_or(0, |said| said.text.split_whitespace().count());
        (topic.probability >= SURE && said >= SENTENCE).then_some(topic.topic)
    }

    /// The analysis is finished.
    pub(crate) fn sum_up(&mut self, summary: Option<Summary>, timeline: Vec<TimelinePoint>) {
        self.worker = None;
        self.summary = summary;
        self.timeline = timeline;
    }

    pub(crate) fn end(
        &mut self,
        now: Duration,
        by: Option<Side>,
        status: Option<u16>,
        cause: Cause,
        at: Duration,
    ) {
        self.end = Some(End { by, status, cause, at });
        self.closing_since = Some(now);
    }

    pub(crate) fn closing_since(&self) -> Option<Duration> {
        self.closing_since
    }

    pub(crate) fn cause(&self) -> Option<Cause> {
        self.end.map(|end| end.cause)
    }

    /// The party that ended the call, if one did, and the status that refused it.
    pub(crate) fn ended_by(&self) -> (Option<&'static str>, Option<u16>) {
        let by = self.end.and_then(|end| end.by).map(|side| side.leg().as_str());
        (by, self.end.and_then(|end| end.status))
    }

    /// How long the parties talked.
    pub(crate) fn talked(&self) -> Option<Duration> {
        Some(self.end?.at.saturating_sub(self.answered_at?))
    }

    pub(crate) fn was_answered(&self) -> bool {
        self.answered_at.is_some()
    }

    /// Whether the call is over.
    pub(crate) fn is_over(&self) -> bool {
        self.end.is_some()
    }

    /// Whether the call is over and both media and analysis have reported.
    pub(crate) fn is_done(&self) -> bool {
        self.end.is_some() && !self.media_open && self.worker.is_none()
    }

    /// The last event of the call.
    pub(crate) fn ended_event(mut self, now: Duration) -> Event {
        let end = self.end.unwrap_or(End { by: None, status: None, cause: Cause::Terminated, at: now });
        let media = self.conversation().and_then(|stream| self.quality(stream));
        let summary = self.summary.take().filter(|_| self.was_answered());
        let ended =
            CallEnded { cause: end.cause, by: end.by.map(Side::leg), sip_status: end.status, summary, media };
        self.tell(end.at, ended)
    }

    fn quality(&self, stream: usize) -> Option<MediaQuality> {
        let (plan, report) = (self.plans.get(&stream)?, self.reports.get(&stream)?);
        let analysed = self.narrator_analysed();
        let of = |end: &EndReport, receiver: &EndPlan, sender: &EndPlan| LegMedia {
            codec: end.payload_type.map(|number| codec_name(number, receiver, sender)),
            packets: end.packets,
            lost: end.lost,
            // Rounded to three decimals, as every number in events.
            jitter_ms: ((end.jitter_ms * 1e3).round() / 1e3) as f32,
            rejected: end.rejected,
            unheard: if analysed { end.unheard } else { 0 },
        };
        Some(MediaQuality {
            customer: of(&report.trunk, &plan.pbx, &plan.trunk),
            agent: of(&report.pbx, &plan.trunk, &plan.pbx),
        })
    }

    fn narrator_analysed(&self) -> bool {
        self.summary.is_some() || self.worker.is_some()
    }

    fn phase(&self) -> Phase {
        match (self.end, self.answered_at) {
            (Some(_), _) => Phase::Ended,
            (None, Some(_)) if self.held() => Phase::Held,
            (None, Some(_)) => Phase::Talking,
            (None, None) if self.ringing => Phase::Ringing,
            (None, None) => Phase::Calling,
        }
    }

    /// The call as the command line shows it.
    pub(crate) fn view(&self, now: Duration) -> CallView {
        let call = self.call();
        CallView {
            id: call.id.to_string(),
            sip_call_id: call.sip_call_id.to_string(),
            direction: call.direction,
            trunk: self.trunk.clone(),
            pbx: self.pbx.clone(),
            caller: call.caller.map(|hash| hash.to_string()),
            callee: call.callee.map(|hash| hash.to_string()),
            phase: self.phase(),
            age_ms: millis(now.saturating_sub(self.origin)),
            talking_ms: self.answered_at.map(|at| millis(now.saturating_sub(at))),
            analysed: self.worker.is_some() && self.consent.machine.may_analyse(),
            consent: self.consent.machine.state(),
            policy: self.consent.machine.terms().policy,
            labels: self.labelled.labels().clone(),
            party: self.consent.party,
            affect: self.affect.clone(),
            alert: self.alert.clone(),
            conduct: self.conduct.clone(),
            cue: self.cue.clone(),
            words: Some(self.words.clone()).filter(|words| !words.is_empty()),
            signalling: SignallingView::new(self.signalling.clone()),
            streams: self.plans.iter().map(|(index, plan)| self.stream(*index, plan)).collect(),
        }
    }

    fn stream(&self, index: usize, plan: &StreamPlan) -> StreamView {
        let report = self.reports.get(&index).copied().unwrap_or_default();
        StreamView {
            index,
            kind: match plan.kind {
                MediaKind::Audio => "audio",
                MediaKind::Video => "video",
                MediaKind::Image => "image",
                MediaKind::Other => "other",
            },
            untappable: plan.tappable.err().map(|reason| reason.to_string()),
            customer: LegView::new(&report.trunk, &plan.pbx, &plan.trunk),
            agent: LegView::new(&report.pbx, &plan.trunk, &plan.pbx),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
