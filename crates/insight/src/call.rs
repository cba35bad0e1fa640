//! One call: what is heard goes in, what it means comes out.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::affect::{AffectTrack, AffectUpdate, Alert, Outcome};
use crate::conduct::{Conduct, Meter};
use crate::cues::{Answer, Coach, CoachKept, CueTold, Situation};
use crate::number::whole;
use crate::summary::Summary;
use crate::thresholds::Thresholds;
use crate::timeline::{Timeline, TimelinePoint};
use crate::words::{self, WordsFinal, WordsTopic, WordsTrack};
use sidetone_call::{AgentUtterance, Estimate, Labels, Leg, Utterance};

/// Insights held for [`Call::poll`]; whoever never polls loses the oldest.
const HELD: usize = 256;

/// How often the coach looks at the call.
const COACHED_EVERY: Duration = Duration::from_millis(500);

/// Something worth telling about a call while it goes on.
#[derive(Debug, Clone, PartialEq)]
pub enum Insight {
    /// How the customer seems to feel.
    AffectUpdate(AffectUpdate),
    /// The customer has grown upset, or calmed down.
    Alert(Alert),
    /// How both talk.
    Conduct(Conduct),
    /// A cue for the agent.
    Cue(CueTold),
    /// What a party has said.
    Words(WordsFinal),
    /// What the customer's words are about.
    Topic(WordsTopic),
}

/// What is inferred of the customer. Each modality is told by itself; alerts go by both.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Affect {
    voice: AffectTrack,
    words: WordsTrack,
}

/// One call. All times are since the call's INVITE was seen. Only [`advance`](Self::advance) moves time on; between two
/// of its calls, and up to [`settle`](crate::ConductThresholds::settle) behind it, things may be told in any order.
/// Insights come out in order of time.
#[derive(Debug, Clone)]
pub struct Call {
    thresholds: Thresholds,
    now: Duration,
    /// `None` once the customer has objected.
    affect: Option<Affect>,
    meter: Meter,
    timeline: Timeline,
    next_conduct: Duration,
    situation: Situation,
    /// `None` if the agent is shown no cues, or no longer.
    coach: Option<Coach>,
    next_look: Duration,
    /// Times that the customer had cut in when they last said something.
    interruptions: u32,
    told: VecDeque<(Duration, Insight)>,
    /// The time of the newest insight: none goes out with an earlier one.
    told_to: Duration,
}

/// What another process needs to go on with a call. It tells of what was inferred, and is to be kept no longer than
/// that may be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CallKept {
    now: Duration,
    affect: Affect,
    meter: Meter,
    timeline: Timeline,
    next_conduct: Duration,
    situation: Situation,
    coach: Option<CoachKept>,
    next_look: Duration,
    interruptions: u32,
    told_to: Duration,
}

impl Call {
    /// What another process needs to go on with this call; `None` once the customer has objected.
    #[must_use]
    pub fn kept(&self) -> Option<CallKept> {
        Some(CallKept {
            now: self.now,
            affect: self.affect.clone()?,
            meter: self.meter.clone(),
            timeline: self.timeline.clone(),
            next_conduct: self.next_conduct,
            situation: self.situation.clone(),
            coach: self.coach.as_ref().map(Coach::kept),
            next_look: self.next_look,
            interruptions: self.interruptions,
            told_to: self.told_to,
        })
    }

    /// Goes on with a call of which nothing has been heard here as another process has left it.
    pub fn go_on(&mut self, kept: CallKept) {
        self.now = self.now.max(kept.now);
        self.affect = Some(kept.affect);
        (self.meter, self.timeline, self.situation) = (kept.meter, kept.timeline, kept.situation);
        (self.next_conduct, self.next_look) = (kept.next_conduct, kept.next_look);
        (self.interruptions, self.told_to) = (kept.interruptions, kept.told_to);
        if let (Some(coach), Some(kept)) = (&mut self.coach, kept.coach) {
            coach.go_on(&kept);
        }
    }

    /// A call of which nothing has been heard.
    #[must_use]
    pub fn new(thresholds: Thresholds) -> Self {
        Self {
            now: Duration::ZERO,
            affect: Some(Affect::default()),
            meter: Meter::default(),
            timeline: Timeline::new(thresholds.timeline_points),
            next_conduct: Duration::ZERO,
            situation: Situation::default(),
            coach: None,
            next_look: Duration::ZERO,
            interruptions: 0,
            told: VecDeque::new(),
            told_to: Duration::ZERO,
            thresholds,
        }
    }

    /// The same call, whose agent is shown cues.
    #[must_use]
    pub fn coached(self, coach: Coach) -> Self {
        Self { coach: Some(coach), ..self }
    }

    /// `leg` talked from `from` to `to`. To be told as it goes on, at least once a second: pieces may be of any length,
    /// touch or repeat, but what lies further back than the settling time has been counted as silence.
    pub fn speech(&mut self, leg: Leg, from: Duration, to: Duration) {
        self.meter.speech(leg, from, to, &self.thresholds.conduct);
        while let Some(early) = self.meter.overfull() {
            self.count_to(early);
        }
    }

    /// `count` more syllables were heard from `leg`.
    pub fn syllables(&mut self, leg: Leg, count: u32) {
        self.meter.syllables(leg, count);
    }

    /// A model judged, or declined to judge, how the customer seems to feel in the window that ends at `at` in the
    /// call's time, by their voice. There is no such method about the agent. The timeline and the summary's curve are
    /// the voice's.
    pub fn affect(&mut self, at: Duration, estimate: &Estimate) {
        let Some(affect) = self.affect.as_mut() else { return };
        let outcome = affect.voice.take(at, estimate, affect.words.lift(), &self.thresholds);
        if let Some(reading) = outcome.reading {
            self.timeline.reading(at, reading);
        }
        self.moved(at, outcome);
    }

    /// The customer has said something. An estimate by words is smoothed and told apart from the voice's: a calm voice
    /// does not make angry words calm, nor the other way round. Alerts go by both.
    pub fn said(&mut self, utterance: &Utterance) {
        let Some(affect) = self.affect.as_mut() else { return };
        let at = utterance.to;
        let begun = self.meter.conduct(false, &self.thresholds.conduct).customer.overlaps_begun;
        let interruptions = begun.saturating_sub(std::mem::replace(&mut self.interruptions, begun));
        let heard = affect.words.take(utterance, interruptions, &self.thresholds);
        let judged = !heard.span.is_zero();
        let outcome = if judged {
            affect.voice.words(at, heard.span, affect.words.lift(), &self.thresholds)
        } else {
            Outcome::default()
        };
        let update = judged.then(|| affect.words.update(affect.voice.up()));
        self.situation.words(at, affect.words.urgency(), affect.words.satisfaction());
        self.tell(at, Insight::Words(words::told(utterance)));
        for topic in heard.topics {
            self.situation.topic(at, topic.topic);
            self.tell(at, Insight::Topic(topic));
        }
        self.moved(at, outcome);
        if let Some(update) = update {
            self.tell(at, Insight::AffectUpdate(update));
        }
    }

    /// The agent has said something. Nothing but conduct is taken from it.
    pub fn agent_said(&mut self, utterance: &AgentUtterance) {
        if self.affect.is_none() {
            // The customer objects, and what an agent says is of the same conversation.
            return;
        }
        self.situation.agent_said(utterance.to, &utterance.acts);
        self.tell(utterance.to, Insight::Words(words::told_of_agent(utterance)));
    }

    /// Tells what an estimate or words have led to.
    fn moved(&mut self, at: Duration, outcome: Outcome) {
        for alert in outcome.alerts {
            self.situation.alert(at, &alert);
            self.tell(at, Insight::Alert(alert));
        }
        if let Some(update) = outcome.update {
            self.situation.affect(at, &update);
            self.tell(at, Insight::AffectUpdate(update));
        }
    }

    /// The call's labels, as the PBX tells them. Cues may depend on them.
    pub fn labels(&mut self, labels: &Labels) {
        self.situation.labels(labels);
    }

    /// The agent answers a cue.
    pub fn answer(&mut self, at: Duration, number: u32, answer: Answer) {
        let told = self.coach.as_mut().and_then(|coach| coach.answer(at, number, answer));
        if let Some(told) = told {
            self.tell(at, Insight::Cue(told));
        }
    }

    /// Nobody is listened to for now: the cue that is shown is taken away, without being told.
    pub fn hush(&mut self) {
        if let Some(coach) = &mut self.coach {
            coach.hush(self.now);
        }
    }

    /// Only one leg can be heard, as in a recording of one channel: shares of talk, and silence of both, are not told.
    pub fn one_sided(&mut self) {
        self.meter.one_sided();
    }

    /// `leg` put the other one on hold.
    pub fn hold(&mut self, leg: Leg, at: Duration) {
        self.situation.hold(leg, at);
        self.meter.hold(leg, at);
    }

    /// `leg` took the other one off hold. The call goes on when neither holds it.
    pub fn resume(&mut self, leg: Leg, at: Duration) {
        self.situation.resume(leg, at);
        self.meter.resume(leg, at);
        while let Some(early) = self.meter.overfull() {
            self.count_to(early);
        }
    }

    /// The customer objects: erases everything inferred about them, and takes no estimate again. No cue is shown any
    /// more. Conduct stays; it is no inference about anyone.
    pub fn forget_affect(&mut self) {
        self.affect = None;
        self.coach = None;
        self.situation.forget_affect();
        self.timeline.erase_readings();
        self.told.retain(|(_, insight)| matches!(insight, Insight::Conduct(_)));
    }

    /// Time has come to `now`. Counts what has settled and tells conduct when that is due; to be called about once a
    /// second.
    pub fn advance(&mut self, now: Duration) {
        self.now = self.now.max(now);
        let settled = self.now.saturating_sub(self.thresholds.conduct.settle.into());
        self.count_to(settled);
        let every = Duration::from(self.thresholds.conduct.every).max(Duration::from_millis(1));
        if self.next_conduct.is_zero() {
            self.next_conduct = every;
        }
        if self.now >= self.next_conduct {
            // After a jump in time the missed ones are skipped: they would all say the same.
            let steps = self.now.as_nanos() / every.as_nanos();
            let steps = u32::try_from(steps).unwrap_or(u32::MAX).saturating_add(1);
            self.next_conduct = every.saturating_mul(steps);
            if self.meter.has_begun() {
                let conduct = self.meter.conduct(false, &self.thresholds.conduct);
                self.tell(self.now, Insight::Conduct(conduct));
            }
        }
        self.coach();
    }

    /// Lets the coach look at the call, some times a second.
    fn coach(&mut self) {
        if self.coach.is_none() || self.now < self.next_look {
            return;
        }
        self.next_look = self.now.saturating_add(COACHED_EVERY);
        let conduct = self.meter.conduct(false, &self.thresholds.conduct);
        self.situation.conduct(self.now, &conduct, self.meter.running());
        let moment = self.situation.moment(self.now);
        let told = self.coach.as_mut().map(|coach| coach.step(self.now, &moment));
        told.into_iter().flatten().for_each(|told| self.tell(self.now, Insight::Cue(told)));
    }

    /// The next thing to tell, with its time.
    pub fn poll(&mut self) -> Option<(Duration, Insight)> {
        self.told.pop_front()
    }

    /// The whole call, ended at `now`: counts everything to the end. Call it once, after which the call takes no more.
    pub fn summary(&mut self, now: Duration) -> Summary {
        self.now = self.now.max(now);
        self.count_to(self.now);
        let moment = self.situation.moment(self.now);
        let told = self.coach.take().map(|mut coach| coach.finish(self.now, &moment));
        told.into_iter().flatten().for_each(|told| self.tell(self.now, Insight::Cue(told)));
        let speech = self.meter.customer_speech();
        let nothing = AffectTrack::default();
        let affect = self.affect.as_ref().map_or(&nothing, |affect| &affect.voice);
        let words = self.affect.as_ref().and_then(|affect| affect.words.summary());
        let mut analysis = affect.analysis(speech);
        analysis.erased = self.affect.is_none();
        Summary {
            duration: whole(self.now),
            sentiment: affect.sentiment(&self.thresholds),
            alerts: affect.alerts(),
            conduct: self.meter.conduct(true, &self.thresholds.conduct),
            analysis,
            words,
        }
    }

    /// The call so far as a line to draw, in equal steps.
    #[must_use]
    pub fn timeline(&self) -> Vec<TimelinePoint> {
        self.timeline.points()
    }

    /// How both have talked so far.
    #[must_use]
    pub fn conduct(&self) -> Conduct {
        self.meter.conduct(false, &self.thresholds.conduct)
    }

    /// How many things of all kinds are held, for tests of the bound.
    #[doc(hidden)]
    #[must_use]
    pub fn held(&self) -> usize {
        let affect = self.affect.as_ref().map_or(0, |affect| affect.voice.held() + affect.words.held());
        let cues = self.situation.held() + self.coach.as_ref().map_or(0, Coach::held);
        affect + self.meter.held() + self.timeline.held() + self.told.len() + cues
    }

    fn count_to(&mut self, to: Duration) {
        let timeline = &mut self.timeline;
        self.meter.count_to(to, &self.thresholds.conduct, |stretch| timeline.talk(stretch));
    }

    fn tell(&mut self, at: Duration, insight: Insight) {
        if self.told.len() >= HELD {
            self.told.pop_front();
        }
        self.told_to = self.told_to.max(whole(at));
        self.told.push_back((self.told_to, insight));
    }
}
