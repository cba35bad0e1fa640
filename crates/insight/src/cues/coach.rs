//! The coach of one call: which cue is shown, until when, and what followed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rule::Cue;
use super::set::CueSet;
use super::situation::Moment;
use super::told::{Answer, Cause, Cleared, CueCleared, CueJudged, CueShown, CueText, CueWithheld};
use crate::number::{round3, whole};

/// A cue stays for so long at least, if nothing more urgent comes: to read a line and to act on it takes that long.
const SHORTEST: Duration = Duration::from_secs(6);
/// What caused a cue has passed when it has not held for so long.
const LINGER: Duration = Duration::from_secs(2);
/// From this priority on a cue does not wait for the gap, and takes the place of one that is far below it.
const URGENT: u16 = 900;
/// An urgent cue comes so long after an ordinary one at the earliest,
const AFTER_ORDINARY: Duration = Duration::from_secs(4);
/// and so long after an urgent one: two instructions in a row are none.
const AFTER_URGENT: Duration = Duration::from_secs(12);
/// How far below a cue must be to be replaced.
const FAR: u16 = 100;
/// When what followed a cue is looked at.
const JUDGED_AFTER: Duration = Duration::from_secs(30);
/// At the end of a call what followed is looked at if there was this much time for anything to follow.
const LEAST_JUDGED: Duration = Duration::from_secs(10);

/// Something to tell about a cue.
#[derive(Debug, Clone, PartialEq)]
pub enum CueTold {
    /// It is shown.
    Shown(CueShown),
    /// It would be shown, if this call's cues were not withheld.
    Withheld(CueWithheld),
    /// It is no longer shown.
    Cleared(CueCleared),
    /// What followed it.
    Judged(CueJudged),
}

/// The coach of one call.
#[derive(Debug, Clone)]
pub struct Coach {
    set: Arc<CueSet>,
    so_far: SoFar,
}

/// What was shown in the call so far. Places are those of the cues in the set.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct SoFar {
    /// Whether the lot has it that this call's cues are withheld. Everything goes on as if they were shown, so that
    /// such a call differs in nothing else from one whose cues are.
    withholds: bool,
    /// Beside each cue of the set.
    tracks: Vec<Track>,
    shown: Option<Shown>,
    /// All cues, by which they are numbered; and those that the agent saw.
    all: Paced,
    seen: Paced,
    to_judge: VecDeque<ToJudge>,
}

/// How many cues there were, and when the last ones came.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Paced {
    count: u32,
    shown: Option<Duration>,
    urgent: Option<Duration>,
}

impl Paced {
    fn note(&mut self, now: Duration, is_urgent: bool) {
        self.count = self.count.saturating_add(1);
        self.shown = Some(now);
        if is_urgent {
            self.urgent = Some(now);
        }
    }
}

/// What is remembered of a cue in this call.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Track {
    /// Since when its conditions have held.
    held_since: Option<Duration>,
    cleared_at: Option<Duration>,
    was_shown: bool,
    /// The agent took it away: they have read it.
    dismissed: bool,
}

/// The cue that is shown.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Shown {
    place: usize,
    number: u32,
    since: Duration,
    /// Since when its conditions have not held.
    passed_since: Option<Duration>,
    /// The agent does not see it.
    withheld: bool,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct ToJudge {
    place: usize,
    number: u32,
    since: Duration,
    was_upset: bool,
    had_alert: bool,
}

/// What another process needs to go on coaching a call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CoachKept {
    /// The cue at each place.
    cues: Vec<String>,
    so_far: SoFar,
}

impl Coach {
    pub(crate) fn kept(&self) -> CoachKept {
        let cues = self.set.cues.iter().map(|cue| cue.id.clone()).collect();
        CoachKept { cues, so_far: self.so_far.clone() }
    }

    /// Goes on as another process has coached the call. The cues may have changed in between: what was of one that is
    /// gone is forgotten.
    pub(crate) fn go_on(&mut self, kept: &CoachKept) {
        let CoachKept { cues, so_far } = kept;
        let now_at = |place: usize| {
            let id = cues.get(place)?;
            self.set.cues.iter().position(|cue| cue.id == *id)
        };
        let mut tracks = vec![Track::default(); self.set.cues.len()];
        for (place, track) in so_far.tracks.iter().enumerate() {
            if let Some(slot) = now_at(place).and_then(|place| tracks.get_mut(place)) {
                *slot = *track;
            }
        }
        let shown = so_far.shown.and_then(|shown| Some(Shown { place: now_at(shown.place)?, ..shown }));
        let to_judge = so_far.to_judge.iter();
        let to_judge =
            to_judge.filter_map(|cue| Some(ToJudge { place: now_at(cue.place)?, ..*cue })).collect();
        self.so_far = SoFar { tracks, shown, to_judge, ..so_far.clone() };
    }

    /// A coach with these cues, for a call that begins.
    #[must_use]
    pub fn new(set: Arc<CueSet>) -> Self {
        let tracks = vec![Track::default(); set.cues.len()];
        Self { set, so_far: SoFar { tracks, ..SoFar::default() } }
    }

    /// The same coach, for a call that was drawn with this number of `[0, 1)`: its cues are withheld if that is below
    /// [`CueSet::holdout`].
    #[must_use]
    pub fn drawn(self, lot: f64) -> Self {
        let so_far = SoFar { withholds: lot < self.set.holdout, ..self.so_far };
        Self { so_far, ..self }
    }

    /// Looks at the call as it is `now`; to be called about twice a second, in order of time.
    pub fn step(&mut self, now: Duration, moment: &Moment) -> Vec<CueTold> {
        let mut told = Vec::new();
        let set = Arc::clone(&self.set);
        for (cue, track) in set.cues.iter().zip(&mut self.so_far.tracks) {
            track.held_since = match track.held_since {
                _ if !cue.holds(moment) => None,
                since => since.or(Some(now)),
            };
        }
        let best = self.best(now, moment);
        if let Some(why) = self.is_to_clear(now, best) {
            told.extend(self.clear(now, why).map(CueTold::Cleared));
        }
        if self.so_far.shown.is_none()
            && let Some(place) = best
        {
            told.extend(self.show(now, place, moment));
        }
        while self.so_far.to_judge.front().is_some_and(|cue| now.saturating_sub(cue.since) >= JUDGED_AFTER) {
            told.extend(self.judge(moment).map(CueTold::Judged));
        }
        told
    }

    /// The cue that is to be shown, if one may be.
    fn best(&self, now: Duration, moment: &Moment) -> Option<usize> {
        let past = |since: Option<Duration>, wait: Duration| {
            since.is_none_or(|since| now.saturating_sub(since) >= wait)
        };
        let is_due = |cue: &Cue| {
            // Nothing that the agent has not seen keeps a cue from them that is always shown.
            let paced = if cue.always { &self.so_far.seen } else { &self.so_far.all };
            let urgent_may = past(paced.shown, AFTER_ORDINARY) && past(paced.urgent, AFTER_URGENT);
            paced.count < self.set.most
                && (past(paced.shown, self.set.gap) || cue.priority >= URGENT && urgent_may)
        };
        let may = |(_, (cue, track)): &(usize, (&Cue, &Track))| {
            cue.enabled
                && track.held_since.is_some_and(|since| now.saturating_sub(since) >= cue.lasting)
                && !track.dismissed
                && !(cue.once && track.was_shown)
                && past(track.cleared_at, cue.cooldown)
                && (cue.while_agent_talks || !moment.agent_talks())
                && is_due(cue)
                && cue.in_language(&self.set.language).is_some_and(|(_, line, _)| line.is_known(moment))
        };
        let shown = self.so_far.shown.map(|shown| shown.place);
        let all = self.set.cues.iter().zip(&self.so_far.tracks).enumerate();
        let others = all.filter(|(place, _)| Some(*place) != shown).filter(may);
        // Of equals the first in the file: `max_by_key` would take the last.
        let best = others.min_by_key(|(_, (cue, _))| std::cmp::Reverse(cue.priority));
        best.map(|(place, _)| place)
    }

    fn is_to_clear(&mut self, now: Duration, best: Option<usize>) -> Option<Cleared> {
        let shown = self.so_far.shown.as_mut()?;
        let holds = self.so_far.tracks.get(shown.place).is_some_and(|track| track.held_since.is_some());
        shown.passed_since = if holds { None } else { shown.passed_since.or(Some(now)) };
        let shown = *shown;
        let cue = self.set.cues.get(shown.place)?;
        let age = now.saturating_sub(shown.since);
        if age >= cue.show {
            return Some(Cleared::Expired);
        }
        let passed = shown.passed_since.is_some_and(|since| now.saturating_sub(since) >= LINGER);
        if passed && age >= SHORTEST {
            return Some(Cleared::Passed);
        }
        let best = best.and_then(|place| self.set.cues.get(place))?;
        if shown.withheld && best.always {
            return Some(Cleared::Replaced);
        }
        let urgent = best.priority >= URGENT && best.priority >= cue.priority.saturating_add(FAR);
        urgent.then_some(Cleared::Replaced)
    }

    fn show(&mut self, now: Duration, place: usize, moment: &Moment) -> Option<CueTold> {
        let cue = self.set.cues.get(place)?;
        let (language, line, reason) = cue.in_language(&self.set.language)?;
        let (withheld, is_urgent) = (self.so_far.withholds && !cue.always, cue.priority >= URGENT);
        self.so_far.all.note(now, is_urgent);
        if !withheld {
            self.so_far.seen.note(now, is_urgent);
        }
        let number = self.so_far.all.count;
        self.so_far.shown = Some(Shown { place, number, since: now, passed_since: None, withheld });
        if let Some(track) = self.so_far.tracks.get_mut(place) {
            track.was_shown = true;
        }
        let was_upset = moment.is_upset();
        let had_alert = moment.has_alert();
        self.so_far.to_judge.push_back(ToJudge { place, number, since: now, was_upset, had_alert });
        if withheld {
            return Some(CueTold::Withheld(CueWithheld {
                cue: cue.id.clone(),
                number,
                priority: cue.priority,
            }));
        }
        let others = cue.line.keys().filter(|tag| *tag != language).filter_map(|tag| {
            let (tag, line, reason) = cue.in_language(tag)?;
            Some((tag.to_owned(), CueText { line: line.filled(moment), reason: reason.map(str::to_owned) }))
        });
        let others = others.collect();
        let because = cue.causes(moment).map(|condition| Cause {
            condition: condition.to_string(),
            value: condition.measure().and_then(|measure| moment.value(measure)).map(round3),
        });
        Some(CueTold::Shown(CueShown {
            cue: cue.id.clone(),
            number,
            line: line.filled(moment),
            reason: reason.map(str::to_owned),
            language: language.to_owned(),
            others,
            priority: cue.priority,
            expires: whole(cue.show),
            because: because.collect(),
            compared: self.set.holdout > 0.0 && !cue.always,
        }))
    }

    /// Takes the cue away that is shown; `None` if the agent saw none.
    fn clear(&mut self, now: Duration, why: Cleared) -> Option<CueCleared> {
        let shown = self.so_far.shown.take()?;
        if let Some(track) = self.so_far.tracks.get_mut(shown.place) {
            track.cleared_at = Some(now);
        }
        if shown.withheld {
            return None;
        }
        let cue = self.set.cues.get(shown.place)?.id.clone();
        let age = whole(now.saturating_sub(shown.since));
        Some(CueCleared { cue, number: shown.number, why, shown: age })
    }

    /// Looks at what followed the cue that has waited longest for it.
    fn judge(&mut self, moment: &Moment) -> Option<CueJudged> {
        let ToJudge { place, number, was_upset, had_alert, .. } = self.so_far.to_judge.pop_front()?;
        let cue = self.set.cues.get(place)?;
        let adopted = cue.still_called_for(moment).map(|still| !still);
        let judged = moment.word(super::Aspect::State).is_some();
        // By the measure by which they seemed upset: whose alert has calmed is calmer, though not pleased yet.
        let is_upset = if had_alert { moment.has_alert() } else { moment.is_upset() };
        let recovered = (was_upset && judged).then_some(!is_upset);
        Some(CueJudged { cue: cue.id.clone(), number, adopted, recovered })
    }

    /// The agent answers a cue. One that is dismissed is cleared, and not shown again in this call.
    pub fn answer(&mut self, now: Duration, number: u32, answer: Answer) -> Option<CueTold> {
        let is_it = |shown: &Shown| !shown.withheld && shown.number == number && answer == Answer::Dismissed;
        let shown = self.so_far.shown.filter(is_it)?;
        let cleared = self.clear(now, Cleared::Dismissed)?;
        if let Some(track) = self.so_far.tracks.get_mut(shown.place) {
            track.dismissed = true;
        }
        Some(CueTold::Cleared(cleared))
    }

    /// Takes the cue away that is shown, and forgets what was to be judged: nobody is listened to for now.
    pub fn hush(&mut self, now: Duration) {
        let _ = self.clear(now, Cleared::Consent);
        self.so_far.to_judge.clear();
        self.so_far.tracks.iter_mut().for_each(|track| track.held_since = None);
    }

    /// The call is over.
    pub fn finish(&mut self, now: Duration, moment: &Moment) -> Vec<CueTold> {
        let mut told: Vec<CueTold> =
            self.clear(now, Cleared::Ended).map(CueTold::Cleared).into_iter().collect();
        while let Some(cue) = self.so_far.to_judge.front().copied() {
            if now.saturating_sub(cue.since) < LEAST_JUDGED {
                break;
            }
            told.extend(self.judge(moment).map(CueTold::Judged));
        }
        told
    }

    /// How many things are held that grow, for tests of the bound.
    pub(crate) fn held(&self) -> usize {
        self.so_far.to_judge.len()
    }
}
