//! Callers who grow upset and calm down again: how soon each is told, and what the summary makes of it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use sidetone_emotion::metrics::{Figure, bootstrap};
use sidetone_insight::Phase;

use super::line::Line;

/// Upset speech within which an upset must be told.
const SOON: Duration = Duration::from_secs(10);
/// Calm speech within which the calm must be told.
const CALM_SOON: Duration = Duration::from_secs(15);
/// A shift smaller than this is none; a larger one is.
const SHIFT: f32 = 0.2;

/// One caller who was calm, grew upset and calmed down.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Turns {
    /// An alert rose before there was a reason.
    early: bool,
    /// Upset speech until the alert rose, if it did.
    heard: Option<Duration>,
    /// Calm speech until it ended, if it did.
    calmed: Option<Duration>,
    /// The summary's shift, had the caller hung up while upset, and at the end.
    shifts: (Option<f32>, Option<f32>),
}

impl Turns {
    /// Reads a call in which the caller grew upset at `upset` and was calm again from `calm` on. `while_upset` is the
    /// shift just before that.
    pub(super) fn of(line: &Line, upset: Duration, calm: Duration, while_upset: Option<f32>) -> Self {
        let rising = |from: Duration, to: Duration| {
            let mut rising = line.alerts.iter().filter(|(_, alert)| alert.phase == Phase::Rising);
            rising.find(|(at, _)| (from..to).contains(at)).map(|(at, _)| *at)
        };
        let rose = rising(upset, calm);
        let ended = rose.and_then(|rose| {
            let mut later = line.alerts.iter().filter(|(at, _)| *at > rose);
            later.find(|(_, alert)| alert.phase == Phase::Calmed).map(|(at, _)| *at)
        });
        Self {
            early: rising(Duration::ZERO, upset).is_some(),
            heard: rose.map(|at| line.speech_between(upset, at)),
            calmed: ended.map(|at| line.speech_between(calm, at.max(calm))),
            shifts: (while_upset, line.shift()),
        }
    }

    fn told_soon(&self) -> bool {
        !self.early && self.heard.is_some_and(|speech| speech <= SOON)
    }

    fn calmed_soon(&self) -> bool {
        self.calmed.is_some_and(|speech| speech <= CALM_SOON)
    }

    fn shift_right(&self) -> Option<bool> {
        let (upset, end) = (self.shifts.0?, self.shifts.1?);
        Some(upset <= -SHIFT && end.abs() < SHIFT)
    }
}

/// What came of all of them.
#[derive(Debug, Serialize)]
pub(super) struct Upsets {
    pub(super) calls: usize,
    pub(super) speakers: usize,
    /// Share told within 10 s of upset speech, with no alert before it.
    pub(super) told_soon: Option<Figure>,
    /// Share told at all while the caller was upset.
    pub(super) told: Option<Figure>,
    /// Upset speech until then, the median, in seconds.
    pub(super) median_seconds: Option<f64>,
    /// Calls with an alert before the caller was upset.
    pub(super) early: usize,
    /// Of the calls with an alert: share in which its end is told within 15 s of calm speech.
    pub(super) calmed_soon: Option<Figure>,
    /// Calm speech until then, the median of those that end, in seconds.
    pub(super) median_calm_seconds: Option<f64>,
    /// Share in which the summary's shift is at most -0.2 for whoever hangs up while upset, and within 0.2 of none for
    /// whoever has calmed down.
    pub(super) shift_right: Option<Figure>,
    /// The shift's mean, hanging up while upset, and at the end.
    pub(super) mean_shifts: Option<(f64, f64)>,
}

impl Upsets {
    /// Sums up the calls by speaker.
    pub(super) fn of(calls: &BTreeMap<String, Vec<Turns>>) -> Self {
        let share = |holds: &dyn Fn(&Turns) -> Option<bool>| {
            bootstrap(calls, 1000, |calls| {
                let known: Vec<bool> = calls.iter().filter_map(holds).collect();
                (!known.is_empty())
                    .then(|| known.iter().filter(|holds| **holds).count() as f64 / known.len() as f64)
            })
        };
        let all: Vec<Turns> = calls.values().flatten().copied().collect();
        let shifts: Vec<(f64, f64)> = all
            .iter()
            .filter_map(|turns| Some((f64::from(turns.shifts.0?), f64::from(turns.shifts.1?))))
            .collect();
        let mean = |get: fn(&(f64, f64)) -> f64| shifts.iter().map(get).sum::<f64>() / shifts.len() as f64;
        Self {
            calls: all.len(),
            speakers: calls.len(),
            told_soon: share(&|turns| Some(turns.told_soon())),
            told: share(&|turns| Some(turns.heard.is_some())),
            median_seconds: median(all.iter().filter_map(|turns| turns.heard)),
            early: all.iter().filter(|turns| turns.early).count(),
            calmed_soon: share(&|turns| turns.heard.map(|_| turns.calmed_soon())),
            median_calm_seconds: median(all.iter().filter_map(|turns| turns.calmed)),
            shift_right: share(&Turns::shift_right),
            mean_shifts: (!shifts.is_empty()).then(|| (mean(|shifts| shifts.0), mean(|shifts| shifts.1))),
        }
    }
}

fn median(times: impl Iterator<Item = Duration>) -> Option<f64> {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    times.get(times.len() / 2).map(Duration::as_secs_f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(heard: Option<u64>, calmed: Option<u64>, shifts: (f32, f32)) -> Turns {
        Turns {
            early: false,
            heard: heard.map(Duration::from_secs),
            calmed: calmed.map(Duration::from_secs),
            shifts: (Some(shifts.0), Some(shifts.1)),
        }
    }

    #[test]
    fn late_is_told_but_not_soon_and_no_alert_has_no_recovery() {
        let calls = BTreeMap::from([
            ("a".to_owned(), vec![turns(Some(4), Some(9), (-0.5, 0.1))]),
            ("b".to_owned(), vec![turns(Some(14), Some(30), (-0.1, 0.0))]),
            ("c".to_owned(), vec![turns(None, None, (-0.4, -0.4))]),
            ("d".to_owned(), vec![Turns { early: true, ..turns(Some(2), None, (-0.3, 0.0)) }]),
        ]);
        let upsets = Upsets::of(&calls);
        assert_eq!((upsets.calls, upsets.speakers, upsets.early), (4, 4, 1));
        assert_eq!(upsets.told_soon.unwrap().value, 0.25);
        assert_eq!(upsets.told.unwrap().value, 0.75);
        assert_eq!(upsets.calmed_soon.unwrap().value, 1.0 / 3.0);
        assert_eq!(upsets.shift_right.unwrap().value, 0.5);
        assert_eq!(upsets.median_seconds, Some(4.0));
    }
}
