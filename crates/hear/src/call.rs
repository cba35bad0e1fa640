//! One call's pipeline: packets or PCM of both legs in, insights out.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sidetone_call::{Abstention, Estimate, Labels, Leg, MediaKind, Side, StreamPlan};
use sidetone_consent::permit::Permission;
use sidetone_consent::{ListeningPermit, Medium, RecordingPermit};
use sidetone_emotion::listener::{Listener, estimate_due};
use sidetone_emotion::model::Model;
use sidetone_insight::cues::{Answer, Coach};
use sidetone_insight::{Call, CallKept, Insight, Summary, Thresholds, TimelinePoint};
use sidetone_language::reader::{Said, Speaker};

use sidetone_tap::Arrival;

use super::ear::{Audible, Ear, Keys};
use super::words::{Dictation, Rank, Scribe, Wording};

/// Most streams of a call that are remembered. Calls have one audio stream, seldom two.
const MAX_STREAMS: usize = 16;
/// Ranks that agents' words come behind those of all customers.
const BEHIND: Rank = 100;
/// How often it is told what another process needs to go on.
const KEPT_EVERY: Duration = Duration::from_secs(10);
/// Most stretches of listening that are recorded separately; beyond it the last one grows.
const MOST_STRETCHES: usize = 32;

/// Listens to one call, from the moment that it may. Before, and after it no longer may, it hears keys and nothing
/// else: there is no listener then that a frame could reach.
///
/// Its input times are on the process's clock; its output times are in the call's own time, which begins at `origin`.
///
/// A live call takes the permit of a live call, and no other:
///
/// ```compile_fail,E0308
/// use sidetone_consent::permit::{RecordingPermit, Stated};
/// fn listen(call: &mut sidetone_hear::CallAnalysis) {
///     call.listen(RecordingPermit::new(Stated::Customer), std::time::Duration::ZERO);
/// }
/// ```
pub struct CallAnalysis {
    origin: Duration,
    model: Arc<Model>,
    thresholds: Thresholds,
    listening: bool,
    /// Keys are also detected as tones in the sound.
    in_band: bool,
    /// Where the customer's utterances are recognised, if they may be.
    scribe: Option<Scribe>,
    /// Whether the call's labels let words be recognised, and how much its caller matters.
    wording: Wording,
    /// The customer's utterances on their way to words, and the agent's.
    dictations: [Option<Dictation>; 2],
    /// The words so far of an utterance that goes on, if they have changed since they were told.
    so_far: Option<Option<String>>,
    /// When the call was over: only words are awaited.
    closed: Option<Duration>,
    /// The call was listened to, and the summary has to say so even if all was erased.
    listened: bool,
    customer: Ear,
    /// On further streams only the customer's keys are heard: an objection holds wherever it is pressed.
    beside: BTreeMap<usize, Ear>,
    agent: Ear,
    insight: Call,
    /// The streams that could be listened to.
    plans: BTreeMap<usize, StreamPlan>,
    /// The stream that is listened to.
    stream: Option<usize>,
    /// Whether the party on the trunk's side and the one on the PBX's holds the other.
    holds: [bool; 2],
    ready: VecDeque<(Duration, Insight)>,
    /// When the customer's voice reached the network.
    heard: Vec<(Duration, Duration)>,
    /// When to tell again what another process needs to go on, in the call's time; `None` if no other one would.
    keep_at: Option<Duration>,
    now: Duration,
}

/// What another process needs to go on listening.
#[derive(Debug, Serialize, Deserialize)]
struct AnalysisKept {
    insight: CallKept,
    heard: Vec<(Duration, Duration)>,
}

impl CallAnalysis {
    /// A call without consent, of which nothing has been heard. With `in_band`, keys are also detected as tones in the
    /// customer's sound.
    #[must_use]
    pub fn new(origin: Duration, thresholds: Thresholds, model: &Arc<Model>, in_band: bool) -> Self {
        Self {
            origin,
            model: Arc::clone(model),
            listening: false,
            listened: false,
            customer: Ear::deaf(Some(Keys::new(in_band))),
            beside: BTreeMap::new(),
            in_band,
            scribe: None,
            wording: Wording::default(),
            dictations: [None, None],
            so_far: None,
            closed: None,
            agent: Ear::deaf(None),
            insight: Call::new(thresholds.clone()),
            thresholds,
            plans: BTreeMap::new(),
            stream: None,
            holds: [false; 2],
            ready: VecDeque::new(),
            heard: Vec::new(),
            keep_at: None,
            now: Duration::ZERO,
        }
    }

    /// Tells from now on what another process needs to go on with the call ([`Self::take_kept`]), and at once. Goes on
    /// as another one has left it, if one has.
    pub fn keep(&mut self, before: Option<&[u8]>) {
        self.keep_at = Some(Duration::ZERO);
        let Some(before) = before else { return };
        match serde_json::from_slice(before) {
            Ok(AnalysisKept { insight, heard }) => {
                self.insight.go_on(insight);
                self.heard = heard;
                self.listened = true;
            }
            // What stands there is inferred of somebody, and nothing for the log.
            Err(_) => tracing::warn!("what was inferred of a call before can't be read: it begins anew"),
        }
    }

    /// What another process needs to go on with the call, if it is time to tell: now and then, and at once when
    /// somebody was told something that has an end. Nothing while nobody is listened to.
    pub fn take_kept(&mut self) -> Option<Vec<u8>> {
        self.keep_at.take_if(|at| *at <= self.now)?;
        self.keep_at = Some(self.now + KEPT_EVERY);
        let insight = self.insight.kept().filter(|_| self.listening)?;
        let mut heard = self.heard.clone();
        heard.extend(self.customer.span());
        serde_json::to_vec(&AnalysisKept { insight, heard }).ok()
    }

    /// The same call, whose agent has this coach.
    #[must_use]
    pub fn coached(self, coach: Option<Coach>) -> Self {
        let Some(coach) = coach else { return self };
        Self { insight: self.insight.coached(coach), ..self }
    }

    /// The same call, whose customer's words are recognised, as far as its labels allow.
    #[must_use]
    pub fn transcribed(self, words: Option<(Scribe, Wording)>) -> Self {
        let Some((scribe, wording)) = words else { return self };
        Self { scribe: Some(scribe), wording, ..self }
    }

    /// The call's labels, as the PBX tells them.
    pub fn labels(&mut self, labels: &Labels) {
        self.insight.labels(labels);
        self.wording.labels(labels);
        self.take_down();
    }

    /// Begins to have words recognised, or ends it, as consent and labels say.
    fn take_down(&mut self) {
        let rank = self.wording.rank();
        let wanted = [self.wording.allows(), self.wording.allows_agent()];
        let tongue = self.wording.tongue();
        let parties = [(&mut self.customer, Leg::Customer), (&mut self.agent, Leg::Agent)];
        for (((ear, leg), wanted), dictation) in parties.into_iter().zip(wanted).zip(&mut self.dictations) {
            let scribe = self.scribe.as_ref().filter(|_| self.listening && wanted);
            ear.recognise(scribe.is_some());
            match (scribe, &mut *dictation) {
                (Some(_), Some(dictation)) if *dictation.tongue() == tongue => {
                    dictation.rank(rank_of(leg, rank));
                }
                // What waits in a language that nobody speaks would come back as nonsense: it goes with the old one.
                (Some(scribe), none) => {
                    let speaker: fn() -> Speaker =
                        if leg == Leg::Customer { Speaker::customer } else { Speaker::agent };
                    *none = Some(scribe.begin(speaker, rank_of(leg, rank), tongue.clone()));
                }
                (None, dictation) => *dictation = None,
            }
        }
        if self.dictations.iter().all(Option::is_none) {
            self.so_far = None;
        }
    }

    /// The agent answers a cue.
    pub fn answer(&mut self, at: Duration, number: u32, answer: Answer) {
        self.insight.answer(self.call_time(at), number, answer);
        self.gather();
    }

    /// Consent exists since `since`, as the permit proves: listens to packets that came no earlier, whenever they are
    /// decoded.
    pub fn listen(&mut self, permit: ListeningPermit, since: Duration) {
        self.begin(permit, since);
    }

    /// Listens to all of a recording; its owner answers for that.
    pub fn listen_to_recording(&mut self, permit: RecordingPermit) {
        self.begin(permit, Duration::ZERO);
    }

    /// Begins to listen. The customer speaks on the trunk's side and gets the one listener that the permit makes. Of
    /// the agent, on the PBX's side, only the times of speech are taken. Both wait for the customer's consent, for
    /// conduct is a statement about the conversation.
    fn begin(&mut self, permit: impl Permission, since: Duration) {
        if std::mem::replace(&mut self.listening, true) {
            return;
        }
        self.listened = true;
        let since = self.call_time(since);
        self.customer.listen(Listener::new(permit, Arc::clone(&self.model)), since);
        self.agent.attend(since);
        self.take_down();
    }

    /// Detects only when each party talks, and nothing of how: for recordings whose customer is unknown.
    pub fn attend(&mut self) {
        self.listening = true;
        self.listened = true;
        self.customer.attend(Duration::ZERO);
        self.agent.attend(Duration::ZERO);
    }

    /// The recording has one leg only, as with one channel.
    pub fn one_sided(&mut self) {
        self.insight.one_sided();
    }

    /// Consent has ended: listens to nothing from now on. With `erase`, all that was inferred is erased too.
    pub fn deafen(&mut self, erase: bool) {
        self.listening = false;
        self.note_heard();
        self.customer.deafen();
        self.agent.deafen();
        // What waits for a recogniser goes, and what it is at is given up.
        self.dictations = [None, None];
        self.so_far = None;
        self.insight.hush();
        if erase {
            self.insight = Call::new(self.thresholds.clone());
            self.insight.forget_affect();
            self.ready.clear();
        }
    }

    /// Records the stretch of listening that ends; a call has few of them.
    fn note_heard(&mut self) {
        let Some(heard) = self.customer.take_span() else { return };
        let full = self.heard.len() >= MOST_STRETCHES;
        match self.heard.last_mut() {
            Some(last) if full => last.1 = heard.1,
            _ => self.heard.push(heard),
        }
    }

    /// When in the call the customer's voice reached the network: from the first packet to the last of each stretch of
    /// listening. Complete when the call is finished. Erasing keeps it, for it says nothing about a person.
    #[must_use]
    pub fn heard(&self) -> Vec<(Duration, Duration)> {
        self.heard.clone()
    }

    /// The next key that the customer has pressed.
    pub fn poll_key(&mut self) -> Option<(char, Medium)> {
        self.customer.poll_key().or_else(|| self.beside.values_mut().find_map(Ear::poll_key))
    }

    fn ear(&mut self, side: Side) -> &mut Ear {
        match side {
            Side::Trunk => &mut self.customer,
            Side::Pbx => &mut self.agent,
        }
    }

    fn call_time(&self, at: Duration) -> Duration {
        at.saturating_sub(self.origin)
    }

    /// Takes what SDP has agreed on.
    pub fn plan(&mut self, stream: usize, plan: &StreamPlan) {
        if readiness(plan) == Readiness::None {
            self.plans.remove(&stream);
        } else if self.plans.len() < MAX_STREAMS || self.plans.contains_key(&stream) {
            self.plans.insert(stream, plan.clone());
        }
        self.choose();
    }

    /// Chooses the readiest stream; among equals the current one, else the first.
    fn choose(&mut self) {
        let best = self
            .plans
            .iter()
            .max_by_key(|(stream, plan)| (readiness(plan), self.stream == Some(**stream), Reverse(**stream)));
        let best_stream = best.map(|(stream, _)| *stream);
        if self.stream != best_stream {
            self.stream = best_stream;
            self.customer.turn();
            self.agent.turn();
        }
        if let Some((_, plan)) = best {
            // The other party's SDP defines a party's payload types (RFC 3264 §5.1).
            self.customer.expect(&plan.pbx, &plan.trunk);
            self.agent.expect(&plan.trunk, &plan.pbx);
        }
        self.beside.retain(|stream, _| self.plans.contains_key(stream) && self.stream != Some(*stream));
        for (stream, plan) in self.plans.iter().filter(|(stream, _)| self.stream != Some(**stream)) {
            let keys = || Ear::deaf(Some(Keys::new(self.in_band)));
            self.beside.entry(*stream).or_insert_with(keys).expect(&plan.pbx, &plan.trunk);
        }
    }

    /// The call was answered: conversation begins.
    pub fn answered(&mut self, at: Duration) {
        let at = self.call_time(at);
        self.customer.answered(at);
        self.agent.answered(at);
    }

    /// The party on `side` put the other one on hold.
    pub fn held(&mut self, side: Side, at: Duration) {
        let at = self.call_time(at);
        self.hold(at, side, true);
        self.insight.hold(side.leg(), at);
    }

    /// The party on `side` ended the hold.
    pub fn resumed(&mut self, side: Side, at: Duration) {
        let at = self.call_time(at);
        self.hold(at, side, false);
        self.insight.resume(side.leg(), at);
    }

    /// Both may hold at once; there is a conversation again when neither does.
    fn hold(&mut self, at: Duration, side: Side, held: bool) {
        let [trunk, pbx] = &mut self.holds;
        match side {
            Side::Trunk => *trunk = held,
            Side::Pbx => *pbx = held,
        }
        let held = *trunk || *pbx;
        self.customer.held(at, held);
        self.agent.held(at, held);
    }

    /// The customer's listener must know when the agent speaks: a telephone gives that voice back.
    fn tell_who_speaks(&mut self, side: Side) {
        if side == Side::Trunk {
            self.customer.beside(self.agent.speaks());
        }
    }

    /// A copied RTP packet from the party on `side`.
    pub fn packet(&mut self, came: impl Into<Arrival>, stream: usize, side: Side, packet: &[u8]) {
        let Arrival { earliest, latest } = came.into();
        let (earliest, at) = (self.call_time(earliest), self.call_time(latest));
        if self.stream != Some(stream) {
            if let Some(ear) = self.beside.get_mut(&stream).filter(|_| side == Side::Trunk) {
                ear.packet(at, packet);
            }
            return;
        }
        self.tell_who_speaks(side);
        let ear = self.ear(side);
        if ear.is_heard_since().is_some_and(|since| earliest < since && since <= at) {
            // The packet may have waited in its socket since before there was consent.
            ear.skim(at, packet);
        } else {
            ear.packet(at, packet);
        }
    }

    /// Takes a packet without time to listen: only the customer's keys are heard in it.
    pub fn skim(&mut self, at: Duration, stream: usize, side: Side, packet: &[u8]) {
        let at = self.call_time(at);
        if self.stream == Some(stream) {
            self.ear(side).skim(at, packet);
        } else if let Some(ear) = self.beside.get_mut(&stream).filter(|_| side == Side::Trunk) {
            ear.skim(at, packet);
        }
    }

    /// Decoded audio of the party on `side`, 8 kHz mono, continuing the previous block: for recordings without packets.
    pub fn pcm(&mut self, side: Side, pcm: &[i16]) {
        self.tell_who_speaks(side);
        self.ear(side).pcm(pcm);
    }

    /// Advances the call to `now`.
    pub fn advance(&mut self, now: Duration) {
        let now = self.call_time(now);
        self.now = now;
        if self.closed.is_some() {
            return self.read();
        }
        self.customer.advance(now);
        self.agent.advance(now);
        self.beside.values_mut().for_each(|ear| ear.advance(now));
        if self.listening {
            self.collect();
            self.insight.advance(now);
            self.gather();
        }
    }

    /// Ends the call. Remaining insights stay in [`poll`](Self::poll). A call that was never listened to has no
    /// summary; a call with everything erased has one that says so.
    pub fn finish(&mut self, now: Duration) -> Option<(Summary, Vec<TimelinePoint>)> {
        self.close(now);
        let end = self.closed.unwrap_or_default();
        if !self.listened {
            return None;
        }
        self.read();
        self.insight.advance(end);
        let summary = self.insight.summary(end);
        self.gather();
        Some((summary, self.insight.timeline()))
    }

    /// The call is over: nothing more is heard, but words of its last utterances may still come. Whoever has time for
    /// them waits while [`awaits_words`](Self::awaits_words) before they [`finish`](Self::finish).
    pub fn close(&mut self, now: Duration) {
        if self.closed.is_some() {
            return;
        }
        let end = self.call_time(now);
        self.customer.finish(end);
        self.agent.finish(end);
        self.note_heard();
        if self.listened {
            Self::estimate(std::iter::once(&mut *self));
            self.collect();
        }
        self.closed = Some(end);
    }

    /// Whether utterances are still being recognised.
    #[must_use]
    pub fn awaits_words(&self) -> bool {
        self.dictations.iter().flatten().any(Dictation::awaits)
    }

    /// The words so far of an utterance that goes on, redacted, if they have changed.
    pub fn take_so_far(&mut self) -> Option<Option<String>> {
        self.so_far.take()
    }

    /// Whether enough new speech waits for the network.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.customer.listener().is_some_and(Listener::is_due)
    }

    /// Runs the network once for every call that has enough new speech; returns the number of estimates, and of those
    /// among them that the network failed at.
    pub fn estimate<'a>(calls: impl Iterator<Item = &'a mut CallAnalysis>) -> (usize, usize) {
        let mut due: Vec<&mut CallAnalysis> = calls.filter(|call| call.is_due()).collect();
        let mut listeners: Vec<&mut Listener> =
            due.iter_mut().filter_map(|call| call.customer.listener_mut()).collect();
        let estimates = estimate_due(&mut listeners);
        let failed = |(_, estimate): &&(usize, Estimate)| estimate.abstained == Some(Abstention::Fault);
        let counts = (estimates.len(), estimates.iter().filter(failed).count());
        for (index, estimate) in estimates {
            if let Some(call) = due.get_mut(index) {
                call.take(&estimate);
            }
        }
        counts
    }

    fn take(&mut self, estimate: &Estimate) {
        let at = self.customer.call_time(estimate.at);
        self.insight.affect(at, estimate);
        self.gather();
    }

    /// Passes the ears' observations to the insight.
    fn collect(&mut self) {
        for (leg, ear) in [(Leg::Customer, &mut self.customer), (Leg::Agent, &mut self.agent)] {
            while let Some((from, to)) = ear.poll_speech() {
                self.insight.speech(leg, from, to);
            }
            let syllables = ear.take_syllables();
            if syllables > 0 {
                self.insight.syllables(leg, syllables);
            }
        }
        let [customer, agent] = &mut self.dictations;
        for (ear, dictation) in [(&mut self.customer, customer), (&mut self.agent, agent)] {
            let Some(dictation) = dictation else { continue };
            while let Some(piece) = ear.poll_piece() {
                dictation.give(piece);
            }
        }
        self.read();
    }

    /// Takes the words that have come.
    fn read(&mut self) {
        let [customer, agent] = &mut self.dictations;
        for said in customer.iter_mut().flat_map(Dictation::take) {
            match said {
                Said::SoFar { text, .. } => self.so_far = Some(Some(text)),
                Said::Customer(utterance) => {
                    self.so_far = Some(None);
                    self.insight.said(&utterance);
                }
                // Of a customer's mouth no agent's words come.
                Said::Agent(_) => {}
            }
        }
        for said in agent.iter_mut().flat_map(Dictation::take) {
            if let Said::Agent(utterance) = said {
                if let Some(customer) = customer {
                    customer.asked(&utterance.text);
                }
                self.insight.agent_said(&utterance);
            }
        }
        self.gather();
    }

    fn gather(&mut self) {
        while let Some(told) = self.insight.poll() {
            if matches!(told.1, Insight::Alert(_) | Insight::Cue(_)) {
                self.keep_at = self.keep_at.map(|_| Duration::ZERO);
            }
            self.ready.push_back(told);
        }
    }

    /// The next insight, with its time in the call.
    pub fn poll(&mut self) -> Option<(Duration, Insight)> {
        self.ready.pop_front()
    }

    /// Whether a party's packets can be heard, if that has changed: with the m-line and the party's side.
    pub fn poll_audible(&mut self) -> Option<(usize, Side, Audible)> {
        let stream = self.stream?;
        [Side::Trunk, Side::Pbx]
            .into_iter()
            .find_map(|side| self.ear(side).poll_audible().map(|audible| (stream, side, audible)))
    }

    /// The customer's voice that has reached the network's features since the last time.
    pub fn take_heard(&mut self) -> Duration {
        self.customer.take_listened()
    }
}

/// Customers come first: agents' words have their turn where there is time.
fn rank_of(leg: Leg, rank: Rank) -> Rank {
    match leg {
        Leg::Customer => rank.min(BEHIND - 1),
        Leg::Agent => rank.min(BEHIND - 1) + BEHIND,
    }
}

/// How close a stream is to carrying audible speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Readiness {
    /// The stream can't be heard, or is rejected.
    None,
    /// One party has not described its media address yet, or wants no media for now.
    Half,
    /// Media flows both ways.
    Open,
}

fn readiness(plan: &StreamPlan) -> Readiness {
    if plan.kind != MediaKind::Audio || plan.tappable.is_err() {
        return Readiness::None;
    }
    match (plan.trunk.is_there(), plan.pbx.is_there()) {
        (true, true) => Readiness::Open,
        (false, false) => Readiness::None,
        _ => Readiness::Half,
    }
}
