//! Counts talk, overlap, silence, hold and turns by walking the stretches of both legs in order of time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::pace::PaceMeter;
use super::spans::Spans;
use super::{Conduct, LegConduct, Response};
use crate::cues::Running;
use crate::number::{share, whole};
use crate::thresholds::ConductThresholds;
use sidetone_call::Leg;

/// Stretches held per track before the oldest are counted early.
const PENDING: usize = 256;

/// A stretch of the call during which nothing changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    pub(crate) from: Duration,
    pub(crate) to: Duration,
    pub(crate) customer: bool,
    pub(crate) agent: bool,
    pub(crate) hold: bool,
}

/// Both legs' talk. What is told is held back until [`ConductThresholds::settle`] has passed, because the legs
/// are heard through separate buffers and their stretches come in any order; then it is counted once and for all.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Meter {
    customer: Talker,
    agent: Talker,
    hold: Spans,
    /// Since when each leg holds the call.
    held_by: [Option<Duration>; 2],
    holds: u32,
    counted_to: Duration,
    overlap: Run,
    silence: Run,
    hold_total: Duration,
    /// Who talked last, and until when, if the other could still answer them.
    floor: Option<(Leg, Duration)>,
    begun: bool,
    /// One leg can't be heard at all: nothing is known of shares and of silence.
    one_sided: bool,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Talker {
    spans: Spans,
    talking: bool,
    talk: Duration,
    turns: u32,
    overlaps_begun: u32,
    responses: u32,
    response_total: Duration,
    response_longest: Duration,
    pace: PaceMeter,
}

/// Stretches of one kind: the one going on, their total and the longest.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Run {
    current: Duration,
    total: Duration,
    longest: Duration,
    noticed: u32,
    by: Option<Leg>,
}

impl Meter {
    /// `leg` talked from `from` to `to`. What lies in time already counted is too late and left out.
    pub(crate) fn speech(&mut self, leg: Leg, from: Duration, to: Duration, thresholds: &ConductThresholds) {
        let on_hold = self.on_hold();
        let from = from.max(self.counted_to);
        let talker = self.talker_mut(leg);
        let new = talker.spans.insert(from, to);
        if !on_hold {
            talker.pace.speech(new, thresholds);
        }
    }

    pub(crate) fn syllables(&mut self, leg: Leg, count: u32) {
        if !self.on_hold() {
            self.talker_mut(leg).pace.syllables(count);
        }
    }

    /// One leg isn't there to be heard.
    pub(crate) fn one_sided(&mut self) {
        self.one_sided = true;
    }

    /// `leg` put the other on hold.
    pub(crate) fn hold(&mut self, leg: Leg, at: Duration) {
        if !self.on_hold() {
            self.holds = self.holds.saturating_add(1);
        }
        self.held_by_mut(leg).get_or_insert(at);
    }

    /// `leg` took the other off hold; the call goes on when neither holds it.
    pub(crate) fn resume(&mut self, leg: Leg, at: Duration) {
        if let Some(since) = self.held_by_mut(leg).take() {
            self.hold.insert(since.max(self.counted_to), at);
        }
    }

    pub(crate) fn on_hold(&self) -> bool {
        self.held_by.iter().any(Option::is_some)
    }

    /// The customer's speech outside hold.
    pub(crate) fn customer_speech(&self) -> Duration {
        self.customer.pace.total_speech()
    }

    /// Counts everything before `to`, telling each stretch to `tell`.
    pub(crate) fn count_to(
        &mut self,
        to: Duration,
        thresholds: &ConductThresholds,
        mut tell: impl FnMut(Stretch),
    ) {
        while self.counted_to < to {
            let from = self.counted_to;
            let open = self.held_by.iter().flatten().min().copied();
            let edges = [
                self.customer.spans.edge_after(from),
                self.agent.spans.edge_after(from),
                self.hold.edge_after(from),
                open.filter(|since| *since > from),
            ];
            let until = edges.into_iter().flatten().min().unwrap_or(to).min(to);
            let stretch = Stretch {
                from,
                to: until,
                customer: self.customer.spans.covers(from),
                agent: self.agent.spans.covers(from),
                hold: self.hold.covers(from) || open.is_some_and(|since| since <= from),
            };
            self.count(stretch, thresholds);
            tell(stretch);
            self.counted_to = until;
            self.customer.spans.forget_before(until);
            self.agent.spans.forget_before(until);
            self.hold.forget_before(until);
        }
    }

    /// Where counting must go at once because too much is held back, if it is.
    pub(crate) fn overfull(&self) -> Option<Duration> {
        [&self.customer.spans, &self.agent.spans, &self.hold]
            .into_iter()
            .filter(|spans| spans.len() > PENDING)
            .filter_map(Spans::oldest_end)
            .max()
    }

    fn count(&mut self, stretch: Stretch, thresholds: &ConductThresholds) {
        let length = stretch.to - stretch.from;
        if stretch.hold {
            self.hold_total = self.hold_total.saturating_add(length);
            self.overlap.end();
            self.silence.end();
            self.floor = None;
            self.customer.talking = false;
            self.agent.talking = false;
            return;
        }
        let before = (self.customer.talking, self.agent.talking);
        self.take_floor(Leg::Customer, stretch, before);
        self.take_floor(Leg::Agent, stretch, before);
        self.customer.set(stretch.customer, length);
        self.agent.set(stretch.agent, length);
        self.begun |= stretch.customer || stretch.agent;
        if stretch.customer && stretch.agent {
            self.overlap.by = self.overlap.by.or(match before {
                (true, false) => Some(Leg::Agent),
                (false, true) => Some(Leg::Customer),
                _ => None,
            });
            if self.overlap.extend(length, thresholds.overlap.into())
                && let Some(leg) = self.overlap.by
            {
                let begun = &mut self.talker_mut(leg).overlaps_begun;
                *begun = begun.saturating_add(1);
            }
        } else {
            self.overlap.end();
        }
        if stretch.customer || stretch.agent || !self.begun {
            self.silence.end();
        } else {
            self.silence.extend(length, Duration::ZERO);
        }
        match (stretch.customer, stretch.agent) {
            (true, false) => self.floor = Some((Leg::Customer, stretch.to)),
            (false, true) => self.floor = Some((Leg::Agent, stretch.to)),
            (true, true) => self.floor = None,
            (false, false) => {}
        }
    }

    /// Counts a turn and a response when `leg` begins to talk.
    fn take_floor(&mut self, leg: Leg, stretch: Stretch, before: (bool, bool)) {
        let (mine, others) = match leg {
            Leg::Customer => ((before.0, stretch.customer), (before.1, stretch.agent)),
            Leg::Agent => ((before.1, stretch.agent), (before.0, stretch.customer)),
        };
        if mine != (false, true) {
            return;
        }
        let answers = match self.floor {
            Some((last, until)) if last == leg.other() && others == (false, false) => {
                Some(stretch.from.saturating_sub(until))
            }
            _ => None,
        };
        let continues = matches!(self.floor, Some((last, _)) if last == leg) && others == (false, false);
        let talker = self.talker_mut(leg);
        if !continues {
            talker.turns = talker.turns.saturating_add(1);
        }
        if let Some(gap) = answers {
            talker.responses = talker.responses.saturating_add(1);
            talker.response_total = talker.response_total.saturating_add(gap);
            talker.response_longest = talker.response_longest.max(gap);
        }
    }

    pub(crate) fn conduct(&self, is_final: bool, thresholds: &ConductThresholds) -> Conduct {
        // Of one leg alone nothing is a share of anything, and its pauses are not the call's.
        let all =
            if self.one_sided { Duration::ZERO } else { self.customer.talk.saturating_add(self.agent.talk) };
        let heard = |silence: Duration| if self.one_sided { Duration::ZERO } else { whole(silence) };
        Conduct {
            is_final,
            customer: self.customer.conduct(all, thresholds),
            agent: self.agent.conduct(all, thresholds),
            overlap: whole(self.overlap.total),
            overlaps: self.overlap.noticed,
            silence: heard(self.silence.total),
            longest_silence: heard(self.silence.longest),
            hold: whole(self.hold_total),
            holds: self.holds,
        }
    }

    /// What goes on at the end of what has been counted. Of one leg alone no silence is known.
    pub(crate) fn running(&self) -> Option<Running> {
        let running = Running { silence: self.silence.current, agent_talks: self.agent.talking };
        (!self.one_sided).then_some(running)
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    pub(crate) fn held(&self) -> usize {
        self.customer.spans.len() + self.agent.spans.len() + self.hold.len()
    }

    fn talker_mut(&mut self, leg: Leg) -> &mut Talker {
        match leg {
            Leg::Customer => &mut self.customer,
            Leg::Agent => &mut self.agent,
        }
    }

    fn held_by_mut(&mut self, leg: Leg) -> &mut Option<Duration> {
        let [customer, agent] = &mut self.held_by;
        match leg {
            Leg::Customer => customer,
            Leg::Agent => agent,
        }
    }
}

impl Talker {
    fn set(&mut self, talking: bool, length: Duration) {
        self.talking = talking;
        if talking {
            self.talk = self.talk.saturating_add(length);
        }
    }

    fn conduct(&self, all: Duration, thresholds: &ConductThresholds) -> LegConduct {
        LegConduct {
            talk: whole(self.talk),
            talk_share: share(self.talk, all),
            turns: self.turns,
            overlaps_begun: self.overlaps_begun,
            response: (self.responses > 0).then(|| Response {
                count: self.responses,
                mean: whole(self.response_total / self.responses),
                longest: whole(self.response_longest),
            }),
            pace: self.pace.pace(thresholds),
        }
    }
}

impl Run {
    /// Goes on; says whether it has just become as long as `noticed`.
    fn extend(&mut self, length: Duration, noticed: Duration) -> bool {
        let was = self.current;
        self.current = self.current.saturating_add(length);
        self.total = self.total.saturating_add(length);
        self.longest = self.longest.max(self.current);
        let now = was < noticed && self.current >= noticed;
        self.noticed = self.noticed.saturating_add(u32::from(now));
        now
    }

    fn end(&mut self) {
        self.current = Duration::ZERO;
        self.by = None;
    }
}
