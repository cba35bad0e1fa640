//! Days summed up, and the figures that such sums give.

use sidetone_store::Day;

use super::estimate::{Change, Estimate, SMALLEST_GROUP, Share, Sums};

/// A figure of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Valence at the end less valence at the start, in the mean.
    Shift,
    /// Of the calls with an alert, the share whose last one had calmed before the end.
    Recovery,
    /// Of the judged calls, the share with an alert.
    Upset,
    /// Of the calls, the share that was answered.
    Answered,
    /// Time from answer to end, in the mean, in milliseconds.
    Handling,
    /// Of the calls, the share that might be listened to at its end.
    Consent,
    /// Of the calls, the share whose customer objected.
    OptOut,
    /// Of the customers' speech, the share that estimates stand for.
    Coverage,
}

impl Measure {
    /// Each of them, in the order of the page.
    pub const ALL: [Self; 8] = [
        Self::Shift,
        Self::Recovery,
        Self::Upset,
        Self::Answered,
        Self::Handling,
        Self::Consent,
        Self::OptOut,
        Self::Coverage,
    ];
}

/// Sums over days.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Total {
    pub(crate) calls: u64,
    answered: u64,
    handled_ms: u64,
    agreed: u64,
    opted_out: u64,
    speech_ms: u64,
    judged_ms: u64,
    judged: u64,
    upset: u64,
    recovered: u64,
    shift: Sums,
}

impl Total {
    pub(crate) fn of<'a>(days: impl IntoIterator<Item = &'a Day>) -> Self {
        let mut total = Self::default();
        for day in days {
            total.add(day);
        }
        total
    }

    fn add(&mut self, day: &Day) {
        let add = |sum: &mut u64, value: u64| *sum = sum.saturating_add(value);
        add(&mut self.calls, day.calls);
        add(&mut self.answered, day.answered);
        add(&mut self.handled_ms, day.handled_ms);
        add(&mut self.agreed, day.agreed);
        add(&mut self.opted_out, day.opted_out);
        add(&mut self.speech_ms, day.speech_ms);
        add(&mut self.judged_ms, day.judged_ms);
        add(&mut self.judged, day.judged);
        add(&mut self.upset, day.upset);
        add(&mut self.recovered, day.recovered);
        add(&mut self.shift.n, day.shifts);
        self.shift.sum += day.shift_sum;
        self.shift.squares += day.shift_squares;
    }

    fn share(&self, measure: Measure) -> Option<Share> {
        let share = |cases, of| Some(Share { cases, of });
        match measure {
            Measure::Recovery => share(self.recovered, self.upset),
            Measure::Upset => share(self.upset, self.judged),
            Measure::Answered => share(self.answered, self.calls),
            Measure::Consent => share(self.agreed, self.calls),
            Measure::OptOut => share(self.opted_out, self.calls),
            Measure::Shift | Measure::Handling | Measure::Coverage => None,
        }
    }

    /// A figure; `None` of a small group.
    pub(crate) fn estimate(&self, measure: Measure) -> Option<Estimate> {
        match measure {
            Measure::Shift => self.shift.estimate(),
            // The store keeps no squares of these two, so there is no interval.
            Measure::Handling => ratio(self.handled_ms, self.answered, self.answered),
            Measure::Coverage => ratio(self.judged_ms.min(self.speech_ms), self.speech_ms, self.judged),
            _ => self.share(measure)?.estimate(),
        }
    }

    /// How a figure compares with that of these earlier sums, where an interval tells.
    pub(crate) fn change_from(&self, before: &Self, measure: Measure) -> Option<Change> {
        if measure == Measure::Shift {
            return self.shift.change_from(before.shift);
        }
        self.share(measure)?.change_from(before.share(measure)?)
    }
}

fn ratio(part: u64, whole: u64, n: u64) -> Option<Estimate> {
    let told = n >= SMALLEST_GROUP && whole > 0;
    told.then(|| Estimate { value: part as f64 / whole as f64, interval: None, n })
}

#[cfg(test)]
pub(crate) fn day(day: u64, trunk: &str, calls: u64) -> Day {
    Day {
        day,
        trunk: trunk.to_owned(),
        direction: "inbound".to_owned(),
        calls,
        answered: calls * 9 / 10,
        handled_ms: calls * 9 / 10 * 240_000,
        agreed: calls * 8 / 10,
        opted_out: calls / 50,
        speech_ms: calls * 90_000,
        judged_ms: calls * 70_000,
        judged: calls * 7 / 10,
        upset: calls / 10,
        recovered: calls / 16,
        improved: calls / 4,
        declined: calls / 8,
        shifts: calls * 7 / 10,
        shift_sum: calls as f64 * 0.04,
        shift_squares: calls as f64 * 0.05,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_days_are_those_of_their_sums() {
        let days = [day(1, "a", 100), day(2, "b", 300)];
        let total = Total::of(&days);
        let value = |measure| total.estimate(measure).unwrap();
        assert_eq!(value(Measure::Answered).value, 0.9);
        assert_eq!(value(Measure::Handling).value, 240_000.0);
        assert_eq!(value(Measure::Recovery), Share { cases: 24, of: 40 }.estimate().unwrap());
        assert_eq!(value(Measure::Upset).n, 280);
        assert!((value(Measure::Coverage).value - 7.0 / 9.0).abs() < 1e-9);
        assert_eq!(value(Measure::Coverage).interval, None);
    }

    #[test]
    fn nine_calls_have_no_figure() {
        let total = Total::of(&[day(1, "a", 9)]);
        for measure in Measure::ALL {
            assert_eq!(total.estimate(measure), None, "{measure:?}");
        }
        // Enough calls, but too few of them upset.
        let total = Total::of(&[day(1, "a", 90)]);
        assert_eq!(total.estimate(Measure::Recovery), None);
    }

    #[test]
    fn sums_beyond_reason_do_not_wrap() {
        let mut day = day(1, "a", 100);
        day.handled_ms = u64::MAX;
        assert!(Total::of(&[day.clone(), day]).estimate(Measure::Handling).unwrap().value.is_finite());
    }
}
