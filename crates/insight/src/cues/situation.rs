//! The state of a call as cues see it, built from what is told about it.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sidetone_call::{Act, Label, Labels, Leg, Topic};

use super::measure::{Aspect, Measure};
use crate::affect::{AffectUpdate, Alert, AlertKind, Phase, State, Trend};
use crate::conduct::Conduct;

/// How long what was told of the customer stands for how they are.
const FRESH: Duration = Duration::from_secs(10);
/// The stretch that shares and counts of interruptions are about.
const WINDOW: Duration = Duration::from_secs(60);
/// How long what the customer has said is what the call is about.
const SAID: Duration = Duration::from_secs(30);
/// Samples of conduct kept: two a second for the window, and some more.
const SAMPLES: usize = 160;
/// The conversation's opening, from its first word.
const OPENING: Duration = Duration::from_secs(20);
/// How long a hold that is over still matters.
const AFTER_HOLD: Duration = Duration::from_secs(10);
/// Talk within [`TURN_WINDOW`] by which a party has the floor: less is a listener's "mhm".
const TURN: Duration = Duration::from_secs(1);
/// See [`TURN`].
const TURN_WINDOW: Duration = Duration::from_secs(5);
/// The least talk in the window that a share of it says something about.
const ENOUGH_TALK: Duration = Duration::from_secs(20);

/// What is going on at the moment that is counted, beside the totals of [`Conduct`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// How long nobody has talked.
    pub silence: Duration,
    /// Whether the agent talks.
    pub agent_talks: bool,
}

/// Totals at one time.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Sample {
    at: Duration,
    talk: [Duration; 2],
    begun: [u32; 2],
}

/// What has been told of a call so far.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Situation {
    affect: Option<(Duration, AffectUpdate)>,
    /// Since when an alert of each kind is up.
    up: [Option<Duration>; 2],
    calmed: Option<Duration>,
    first_word: Option<Duration>,
    conduct: Option<Conduct>,
    running: Option<Running>,
    samples: VecDeque<Sample>,
    /// The other's talk when each party last lost the floor, as totals of the party that has talked since.
    floor: [Duration; 2],
    held_by: [Option<Duration>; 2],
    resumed: Option<Duration>,
    labels: Labels,
    /// Urgency and satisfaction by the customer's words, and since when.
    words: Option<(Duration, [f32; 2])>,
    topic: Option<(Duration, Topic)>,
    /// When the agent's words last acknowledged the customer's trouble; `None` as long as no words of theirs are known.
    acknowledged: Option<Duration>,
}

const fn place(leg: Leg) -> usize {
    match leg {
        Leg::Customer => 0,
        Leg::Agent => 1,
    }
}

impl Situation {
    /// An update about the customer was told.
    pub fn affect(&mut self, at: Duration, update: &AffectUpdate) {
        // Whoever is judged has spoken, though conduct may not have been told yet.
        self.first_word.get_or_insert(at);
        self.affect = Some((at, update.clone()));
    }

    /// An alert rose or calmed.
    pub fn alert(&mut self, at: Duration, alert: &Alert) {
        let [frustration, distress] = &mut self.up;
        let up = match alert.alert {
            AlertKind::Frustration => frustration,
            AlertKind::Distress => distress,
        };
        match alert.phase {
            Phase::Rising => *up = Some(at),
            Phase::Calmed => {
                *up = None;
                if self.up.iter().all(Option::is_none) {
                    self.calmed = Some(at);
                }
            }
        }
    }

    /// How both have talked up to `at`; `running` where it is known what goes on just then, as it is live.
    pub fn conduct(&mut self, at: Duration, conduct: &Conduct, running: Option<Running>) {
        self.running = running;
        let talk = [conduct.customer.talk, conduct.agent.talk];
        let begun = [conduct.customer.overlaps_begun, conduct.agent.overlaps_begun];
        if self.first_word.is_none() && talk.iter().any(|talk| !talk.is_zero()) {
            self.first_word = Some(at);
        }
        // Whoever talks for long enough has the floor: the other's turn is over.
        let recent = self.since(at, TURN_WINDOW, talk, begun);
        let before = self.samples.back().copied().unwrap_or_default();
        for leg in [Leg::Customer, Leg::Agent] {
            let (me, other) = (place(leg), place(leg.other()));
            let talks = talk.get(me) > before.talk.get(me);
            if talks
                && recent.talk.get(me).is_some_and(|talk| *talk >= TURN)
                && let (Some(floor), Some(talk)) = (self.floor.get_mut(other), talk.get(other))
            {
                *floor = *talk;
            }
        }
        self.conduct = Some(conduct.clone());
        if self.samples.len() >= SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample { at, talk, begun });
    }

    /// `leg` put the other on hold.
    pub fn hold(&mut self, leg: Leg, at: Duration) {
        if let Some(held) = self.held_by.get_mut(place(leg)) {
            held.get_or_insert(at);
        }
    }

    /// `leg` took the other off hold.
    pub fn resume(&mut self, leg: Leg, at: Duration) {
        if let Some(held) = self.held_by.get_mut(place(leg))
            && held.take().is_some()
            && self.held_by.iter().all(Option::is_none)
        {
            self.resumed = Some(at);
        }
    }

    /// The customer has said something: how urgent it is by their words, and how satisfied they are.
    pub fn words(&mut self, at: Duration, urgency: f32, satisfaction: f32) {
        self.words = Some((at, [urgency, satisfaction]));
    }

    /// The agent has said something that does this.
    pub fn agent_said(&mut self, at: Duration, acts: &[Act]) {
        let acknowledges = acts.iter().any(|act| matches!(act, Act::Acknowledgement | Act::Apology));
        if acknowledges || self.acknowledged.is_none() {
            self.acknowledged = Some(if acknowledges { at } else { Duration::ZERO });
        }
    }

    /// The customer has named a topic.
    pub fn topic(&mut self, at: Duration, topic: Topic) {
        self.topic = Some((at, topic));
    }

    /// The call's labels, as the PBX tells them.
    pub fn labels(&mut self, labels: &Labels) {
        self.labels.clone_from(labels);
    }

    /// The customer objects: nothing that was inferred of them is known any more.
    pub fn forget_affect(&mut self) {
        self.affect = None;
        self.up = [None; 2];
        self.calmed = None;
        self.words = None;
        self.topic = None;
        self.acknowledged = None;
    }

    /// What was added in the last `window` up to the totals at `at`.
    fn since(&self, at: Duration, window: Duration, talk: [Duration; 2], begun: [u32; 2]) -> Sample {
        let from = at.saturating_sub(window);
        // The newest sample that is not inside the window, else the beginning of the call.
        let before = self.samples.iter().rev().find(|sample| sample.at <= from).copied().unwrap_or_default();
        let [customer, agent] = talk;
        let [customer_before, agent_before] = before.talk;
        let [by_customer, by_agent] = begun;
        let [by_customer_before, by_agent_before] = before.begun;
        Sample {
            at: before.at,
            talk: [customer.saturating_sub(customer_before), agent.saturating_sub(agent_before)],
            begun: [by_customer.saturating_sub(by_customer_before), by_agent.saturating_sub(by_agent_before)],
        }
    }

    /// The state at `now`.
    #[must_use]
    pub fn moment(&self, now: Duration) -> Moment {
        let mut moment = Moment::default();
        let mut set = |measure: Measure, value: Option<f32>| moment.set(measure, value);
        let ago = |since: Duration| now.saturating_sub(since).as_secs_f32();

        let affect = self.affect.as_ref().filter(|(at, _)| now.saturating_sub(*at) <= FRESH);
        let affect = affect.map(|(_, update)| update);
        set(Measure::Distress, affect.map(|it| it.distress));
        set(Measure::Valence, affect.map(|it| it.valence));
        set(Measure::Arousal, affect.map(|it| it.arousal));
        let relative = affect.and_then(|it| it.relative);
        set(Measure::DistressRise, relative.map(|it| it.distress));
        set(Measure::ArousalRise, relative.map(|it| it.arousal));
        let up = self.up.iter().flatten().min().copied();
        set(Measure::UpsetFor, up.map(ago));
        set(Measure::CalmFor, self.calmed.filter(|_| up.is_none()).map(ago));

        let conduct = self.conduct.as_ref();
        let held = self.held_by.iter().flatten().min().copied();
        if let Some(conduct) = conduct {
            let talk = [conduct.customer.talk, conduct.agent.talk];
            let begun = [conduct.customer.overlaps_begun, conduct.agent.overlaps_begun];
            let at = self.samples.back().map_or(now, |sample| sample.at);
            let recent = self.since(at, WINDOW, talk, begun);
            let [customer, agent] = recent.talk;
            let all = customer.saturating_add(agent);
            let share = (all >= ENOUGH_TALK).then(|| agent.as_secs_f32() / all.as_secs_f32());
            set(Measure::AgentShare, share.filter(|_| conduct.agent.talk_share.is_some()));
            let [by_customer, by_agent] = recent.begun;
            set(Measure::Interruptions, Some(by_agent as f32));
            set(Measure::Interrupted, Some(by_customer as f32));
            let [customer_floor, agent_floor] = self.floor;
            set(Measure::AgentTurn, Some(conduct.agent.talk.saturating_sub(agent_floor).as_secs_f32()));
            set(
                Measure::CustomerTurn,
                Some(conduct.customer.talk.saturating_sub(customer_floor).as_secs_f32()),
            );
            set(Measure::AgentPace, conduct.agent.pace.map(|pace| pace.words_per_minute));
            set(Measure::CustomerPace, conduct.customer.pace.map(|pace| pace.words_per_minute));
            set(Measure::Holds, Some(conduct.holds as f32));
            set(Measure::HoldTotal, Some(conduct.hold.as_secs_f32()));
        }
        let silence = |running: Running| if held.is_some() { 0.0 } else { running.silence.as_secs_f32() };
        set(Measure::Silence, self.running.map(silence));
        set(Measure::Hold, Some(held.map_or(0.0, ago)));
        set(Measure::Call, self.first_word.map(ago));

        let words = self.words.filter(|(at, _)| now.saturating_sub(*at) <= SAID);
        set(Measure::Urgency, words.map(|(_, [urgency, _])| urgency));
        set(Measure::Satisfaction, words.map(|(_, [_, satisfaction])| satisfaction));

        // Since the upset began, or since it was last acknowledged.
        let unacknowledged = self.acknowledged.zip(up).map(|(acknowledged, up)| ago(acknowledged.max(up)));
        set(Measure::Unacknowledged, unacknowledged);

        moment.said = self.topic.filter(|(at, _)| now.saturating_sub(*at) <= SAID).map(|(_, topic)| topic);
        moment.agent_talks = self.running.is_some_and(|running| running.agent_talks);
        moment.state = affect.map(|it| it.state);
        moment.trend = affect.map(|it| it.trend);
        let [frustration, distress] = self.up;
        moment.alert = match (frustration, distress) {
            (Some(_), _) => Some(AlertKind::Frustration),
            (None, Some(_)) => Some(AlertKind::Distress),
            (None, None) => None,
        };
        moment.phase = if held.is_some() {
            "hold"
        } else if self.resumed.is_some_and(|at| now.saturating_sub(at) <= AFTER_HOLD) {
            "after-hold"
        } else if self.first_word.is_none_or(|at| now.saturating_sub(at) <= OPENING) {
            "opening"
        } else {
            "talk"
        };
        moment.labels.clone_from(&self.labels);
        moment
    }

    /// How many things are held, for tests of the bound.
    pub(crate) fn held(&self) -> usize {
        self.samples.len()
    }
}

/// The state of a call at one moment.
#[derive(Debug, Clone, Default)]
pub struct Moment {
    values: [Option<f32>; Measure::ALL.len()],
    state: Option<State>,
    trend: Option<Trend>,
    alert: Option<AlertKind>,
    said: Option<Topic>,
    phase: &'static str,
    agent_talks: bool,
    labels: Labels,
}

impl Moment {
    fn set(&mut self, measure: Measure, value: Option<f32>) {
        let place = Measure::ALL.iter().position(|it| *it == measure);
        if let Some(slot) = place.and_then(|place| self.values.get_mut(place)) {
            *slot = value.filter(|value| value.is_finite());
        }
    }

    /// The same with a measure's value.
    #[must_use]
    pub fn with(mut self, measure: Measure, value: f32) -> Self {
        self.set(measure, Some(value));
        self
    }

    /// The same with an aspect's word; a word that the aspect does not have leaves it unknown.
    #[must_use]
    pub fn with_word(mut self, aspect: Aspect, word: &str) -> Self {
        let label = || word.parse::<Label>().ok();
        match aspect {
            Aspect::State => self.state = State::ALL.into_iter().find(|state| state.word() == word),
            Aspect::Trend => self.trend = Trend::ALL.into_iter().find(|trend| trend.word() == word),
            Aspect::Alert => self.alert = AlertKind::ALL.into_iter().find(|kind| kind.word() == word),
            Aspect::Phase => {
                self.phase =
                    Aspect::Phase.words().iter().find(|phase| **phase == word).copied().unwrap_or("");
            }
            Aspect::Said => self.said = Topic::ALL.into_iter().find(|topic| topic.name() == word),
            Aspect::Queue => self.labels.queue = label(),
            Aspect::Team => self.labels.team = label(),
            Aspect::Tier => self.labels.tier = label(),
            Aspect::CallType => self.labels.call_type = label(),
            Aspect::Language => self.labels.language = label(),
        }
        self
    }

    /// The same with the agent talking, or not.
    #[must_use]
    pub fn talking(mut self, agent_talks: bool) -> Self {
        self.agent_talks = agent_talks;
        self
    }

    /// A measure's value, if it is known.
    #[must_use]
    pub fn value(&self, measure: Measure) -> Option<f32> {
        let place = Measure::ALL.iter().position(|it| *it == measure)?;
        self.values.get(place).copied().flatten()
    }

    /// An aspect's word, if it is known.
    #[must_use]
    pub fn word(&self, aspect: Aspect) -> Option<&str> {
        match aspect {
            Aspect::State => self.state.map(State::word),
            Aspect::Trend => self.trend.map(Trend::word),
            Aspect::Alert => Some(self.alert.map_or("none", AlertKind::word)),
            Aspect::Phase => Some(self.phase).filter(|phase| !phase.is_empty()),
            Aspect::Said => Some(self.said.map_or("nothing", Topic::name)),
            Aspect::Queue => self.labels.queue.as_ref().map(Label::as_str),
            Aspect::Team => self.labels.team.as_ref().map(Label::as_str),
            Aspect::Tier => self.labels.tier.as_ref().map(Label::as_str),
            Aspect::CallType => self.labels.call_type.as_ref().map(Label::as_str),
            Aspect::Language => self.labels.language.as_ref().map(Label::as_str),
        }
    }

    /// Whether the agent talks just now.
    #[must_use]
    pub fn agent_talks(&self) -> bool {
        self.agent_talks
    }

    /// Whether an alert is up.
    #[must_use]
    pub fn has_alert(&self) -> bool {
        self.alert.is_some()
    }

    /// Whether the customer seems upset: an alert is up, or their state is negative.
    #[must_use]
    pub fn is_upset(&self) -> bool {
        self.alert.is_some()
            || matches!(self.state, Some(State::Negative | State::Frustrated | State::Distressed))
    }
}
