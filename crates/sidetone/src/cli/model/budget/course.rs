//! Calls that take a course: their callers change how they speak, on a quiet line or beside an agent and noise.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use sidetone_emotion::metrics::{Figure, bootstrap};
use sidetone_emotion::model::Model as Network;
use sidetone_emotion::rng::Rng;
use sidetone_insight::{Phase, Thresholds};

use super::line::Line;
use super::trace::{At, Trace};
use super::upset::Turns;
use super::voices::{Speakers, hiss, late, mixed, string};
use super::{AFTER, BEFORE, CROSSTALK, HISS, LATE, UPSET};

/// Who calls, and what is drawn for them.
pub(super) struct Stage<'a> {
    pub(super) model: &'a Arc<Network>,
    pub(super) speakers: &'a Speakers,
    pub(super) rng: &'a mut Rng,
    pub(super) trace: &'a mut Trace,
}

/// One call among those of its caller.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number {
    /// The caller's place among the speakers.
    pub(super) place: usize,
    /// Which of their calls it is. Every second one has an agent who comes back, and noise on the line.
    pub(super) call: usize,
}

impl Number {
    pub(super) fn busy(self) -> bool {
        self.call % 2 == 1
    }
}

impl Stage<'_> {
    /// The caller says `clips` in random order, `length` samples with the pauses.
    fn say(
        &mut self,
        line: &mut Line,
        number: Number,
        phase: &str,
        clips: &[Vec<i16>],
        length: usize,
    ) -> anyhow::Result<()> {
        let name = self.speakers.0.get(number.place).map_or("", |speaker| speaker.name.as_str());
        let at = At { scene: name, call: number.call, phase };
        let voice = string(clips, length, self.rng);
        let trace = &mut *self.trace;
        let mut note = |estimate: &_| trace.note(at, estimate);
        if !number.busy() {
            return line.hear(&voice, &[], &mut note);
        }
        let agent = self.speakers.other(number.place, length, false, self.rng);
        let noisy = mixed(&voice, &hiss(&voice, self.rng), HISS);
        line.hear(&mixed(&noisy, &late(&agent, LATE), CROSSTALK), &agent, &mut note)
    }

    /// Calm, then upset, then calm again.
    pub(super) fn upset(&mut self, number: Number) -> anyhow::Result<Turns> {
        let speakers = self.speakers;
        let Some(speaker) = speakers.0.get(number.place) else { return Ok(Turns::default()) };
        let mut line = Line::new(self.model, Thresholds::default());
        self.say(&mut line, number, "before", &speaker.calm, BEFORE)?;
        let upset = line.now();
        self.say(&mut line, number, "upset", &speaker.upset, UPSET)?;
        let (calm, while_upset) = (line.now(), line.shift());
        self.say(&mut line, number, "after", &speaker.calm, AFTER)?;
        Ok(Turns::of(&line, upset, calm, while_upset))
    }

    /// Upset from the first word: whether that raises an alert before they have done.
    pub(super) fn at_once(&mut self, number: Number) -> anyhow::Result<bool> {
        let speakers = self.speakers;
        let Some(speaker) = speakers.0.get(number.place) else { return Ok(false) };
        let mut line = Line::new(self.model, Thresholds::default());
        self.say(&mut line, number, "at once", &speaker.upset, UPSET)?;
        Ok(rose(&line))
    }

    /// Calm, then happy: whether that raises an alert, which nothing is a reason for.
    pub(super) fn happy(&mut self, number: Number) -> anyhow::Result<bool> {
        let speakers = self.speakers;
        let Some(speaker) = speakers.0.get(number.place) else { return Ok(false) };
        let mut line = Line::new(self.model, Thresholds::default());
        self.say(&mut line, number, "calm before joy", &speaker.calm, BEFORE)?;
        self.say(&mut line, number, "happy", &speaker.happy, UPSET)?;
        Ok(rose(&line))
    }
}

fn rose(line: &Line) -> bool {
    line.alerts.iter().any(|(_, alert)| alert.phase == Phase::Rising)
}

/// How many calls of one course raised an alert.
#[derive(Debug, Serialize)]
pub(super) struct Alerted {
    pub(super) calls: usize,
    pub(super) speakers: usize,
    pub(super) alerted: usize,
    pub(super) share: Option<Figure>,
}

impl Alerted {
    /// Sums up by speaker.
    pub(super) fn of(calls: &BTreeMap<String, Vec<bool>>) -> Self {
        let share = |calls: &[bool]| {
            (!calls.is_empty())
                .then(|| calls.iter().filter(|alerted| **alerted).count() as f64 / calls.len() as f64)
        };
        Self {
            calls: calls.values().map(Vec::len).sum(),
            speakers: calls.len(),
            alerted: calls.values().flatten().filter(|alerted| **alerted).count(),
            share: bootstrap(calls, 1000, share),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_counted_by_call_and_shared_out_by_speaker() {
        let calls = BTreeMap::from([
            ("a".to_owned(), vec![true, true]),
            ("b".to_owned(), vec![false, true]),
            ("c".to_owned(), vec![false, false]),
        ]);
        let alerted = Alerted::of(&calls);
        assert_eq!((alerted.calls, alerted.speakers, alerted.alerted), (6, 3, 3));
        let share = alerted.share.unwrap();
        assert_eq!(share.value, 0.5);
        assert!(share.low < 0.5 && share.high > 0.5, "{share:?}");
        assert!(Alerted::of(&BTreeMap::new()).share.is_none());
    }
}
