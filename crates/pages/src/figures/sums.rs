//! Days summed up, and the figures that such sums give.

use std::collections::BTreeMap;

use sidetone_store::{Day, Grouping};

use super::estimate::{Change, Estimate, Ratio, SMALLEST_GROUP, Share, Sums};

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
    /// Of the calls of which it is known, the share that resolved the caller's matter.
    Resolution,
    /// Of the calls that could be followed, the share whose caller called again within seven days.
    Repeats,
    /// Of the calls whose outcome tells, the share that was escalated.
    Escalations,
    /// Callers' own scores of the empathy shown, from 1 to 5, in the mean.
    Empathy,
}

impl Measure {
    /// Each of them, in the order of the page.
    pub const ALL: [Self; 12] = [
        Self::Shift,
        Self::Recovery,
        Self::Upset,
        Self::Answered,
        Self::Handling,
        Self::Resolution,
        Self::Repeats,
        Self::Escalations,
        Self::Empathy,
        Self::Consent,
        Self::OptOut,
        Self::Coverage,
    ];
}

pub(super) use sidetone_store::FEWEST_AGENTS;

/// Whether a day's sums are of a group, and not of one person.
fn is_group(day: &Day) -> bool {
    let personal = day.by != Grouping::Trunk && (1..FEWEST_AGENTS).contains(&day.agents);
    day.calls >= SMALLEST_GROUP && !personal
}

/// The days that a director is told of: groups of days that are over, and never what two answers differ by. A day that
/// is not over grows call by call. Where all groups of a day but one are told, that one is the rest of the day's sum:
/// then the smallest of the others is left out beside it, until what is left out together is a group.
#[must_use]
pub fn for_directors(days: Vec<Day>, today: u64) -> Vec<Day> {
    let mut told: Vec<Day> = Vec::with_capacity(days.len());
    let mut of_day: BTreeMap<(u64, String), Vec<Day>> = BTreeMap::new();
    for day in days.into_iter().filter(|day| day.day < today) {
        of_day.entry((day.day, day.direction.clone())).or_default().push(day);
    }
    for days in of_day.into_values() {
        let (mut groups, mut rest): (Vec<Day>, Vec<Day>) = days.into_iter().partition(is_group);
        groups.sort_by_key(|day| std::cmp::Reverse(day.calls));
        while !rest.is_empty() && !are_group(&rest) {
            let Some(smallest) = groups.pop() else { break };
            rest.push(smallest);
        }
        told.append(&mut groups);
    }
    told.sort_by(|a, b| (a.day, &a.label, &a.direction).cmp(&(b.day, &b.label, &b.direction)));
    told
}

/// Whether what is left out is a group by itself. Its agents are at least those of the row that has most.
fn are_group(rest: &[Day]) -> bool {
    let calls: u64 = rest.iter().map(|day| day.calls).sum();
    let agents = rest.iter().map(|day| day.agents).max().unwrap_or_default();
    let by_trunk = rest.iter().all(|day| day.by == Grouping::Trunk);
    calls >= SMALLEST_GROUP && (by_trunk || !(1..FEWEST_AGENTS).contains(&agents))
}

/// Sums over days.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Total {
    pub(crate) calls: u64,
    answered: u64,
    handled_ms: u64,
    handled_squares: f64,
    agreed: u64,
    opted_out: u64,
    speech_ms: u64,
    judged_ms: u64,
    speech_squares: f64,
    judged_squares: f64,
    speech_by_judged: f64,
    /// Days have calls whose spread was not kept: their figures have no interval.
    unspread: bool,
    judged: u64,
    upset: u64,
    recovered: u64,
    shift: Sums,
    settled: u64,
    resolved: u64,
    followed: u64,
    repeated: u64,
    outcomes: u64,
    escalated: u64,
    empathy: Sums,
    /// Agents on the day that had most.
    agents: u64,
    /// Only the count of calls is told.
    sealed: bool,
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
        add(&mut self.settled, day.settled);
        add(&mut self.resolved, day.resolved);
        add(&mut self.followed, day.followed);
        add(&mut self.repeated, day.repeated);
        add(&mut self.outcomes, day.outcomes);
        add(&mut self.escalated, day.escalated);
        add(&mut self.empathy.n, day.surveys);
        self.empathy.sum += day.empathy_sum;
        self.empathy.squares += day.empathy_squares;
        self.agents = self.agents.max(day.agents);
        self.shift.sum += day.shift_sum;
        self.shift.squares += day.shift_squares;
        self.handled_squares += day.handled_squares;
        self.speech_squares += day.speech_squares;
        self.judged_squares += day.judged_squares;
        self.speech_by_judged += day.speech_by_judged;
        self.unspread |= day.handled_ms > 0 && day.handled_squares <= 0.0;
        self.unspread |= day.judged_ms > 0 && day.judged_squares <= 0.0;
    }

    /// Lengths of calls, in seconds; none where their spread is not known.
    fn handled(&self) -> Option<Sums> {
        let sum = self.handled_ms as f64 / 1e3;
        let known = Sums { n: self.answered, sum, squares: self.handled_squares };
        (!self.unspread).then_some(known)
    }

    /// Of speech, the share that was judged.
    fn coverage(&self) -> Option<Ratio> {
        let ratio = Ratio {
            n: self.judged,
            part: self.judged_ms as f64 / 1e3,
            whole: self.speech_ms as f64 / 1e3,
            part_squares: self.judged_squares,
            whole_squares: self.speech_squares,
            products: self.speech_by_judged,
        };
        (!self.unspread).then_some(ratio)
    }

    fn share(&self, measure: Measure) -> Option<Share> {
        if self.sealed {
            return None;
        }
        let share = |cases, of| Some(Share { cases, of });
        match measure {
            Measure::Recovery => share(self.recovered, self.upset),
            Measure::Upset => share(self.upset, self.judged),
            Measure::Answered => share(self.answered, self.calls),
            Measure::Consent => share(self.agreed, self.calls),
            Measure::OptOut => share(self.opted_out, self.calls),
            Measure::Resolution => share(self.resolved, self.settled),
            Measure::Repeats => share(self.repeated, self.followed),
            Measure::Escalations => share(self.escalated, self.outcomes),
            Measure::Shift | Measure::Handling | Measure::Coverage | Measure::Empathy => None,
        }
    }

    /// Whether the calls are those of one or two agents, as far as they name their agents. Their figures would be
    /// those of persons.
    pub(crate) fn is_personal(&self) -> bool {
        (1..FEWEST_AGENTS).contains(&self.agents)
    }

    /// The same with its count of calls alone.
    pub(crate) fn without_figures(self) -> Self {
        Self { sealed: true, ..self }
    }

    /// A figure; `None` of a small group.
    pub(crate) fn estimate(&self, measure: Measure) -> Option<Estimate> {
        if self.sealed {
            return None;
        }
        match measure {
            Measure::Shift => self.shift.estimate(),
            Measure::Empathy => self.empathy.estimate(),
            // Without squares there is no interval.
            Measure::Handling => match self.handled() {
                Some(handled) => handled.estimate().map(|it| it.times(1e3)),
                None => ratio(self.handled_ms, self.answered, self.answered),
            },
            Measure::Coverage => match self.coverage() {
                Some(coverage) => coverage.estimate(),
                None => ratio(self.judged_ms.min(self.speech_ms), self.speech_ms, self.judged),
            },
            _ => self.share(measure)?.estimate(),
        }
    }

    /// How a figure compares with that of these earlier sums, where an interval tells.
    pub(crate) fn change_from(&self, before: &Self, measure: Measure) -> Option<Change> {
        if self.sealed || before.sealed {
            return None;
        }
        if measure == Measure::Shift {
            return self.shift.change_from(before.shift);
        }
        if measure == Measure::Empathy {
            return self.empathy.change_from(before.empathy);
        }
        match measure {
            Measure::Handling => self.handled()?.change_from(before.handled()?),
            Measure::Coverage => self.coverage()?.change_from(before.coverage()?),
            _ => self.share(measure)?.change_from(before.share(measure)?),
        }
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
        label: trunk.to_owned(),
        direction: "inbound".to_owned(),
        calls,
        answered: calls * 9 / 10,
        handled_ms: calls * 9 / 10 * 240_000,
        handled_squares: (calls * 9 / 10) as f64 * 60_000.0,
        speech_squares: calls as f64 * 9_000.0,
        judged_squares: calls as f64 * 5_500.0,
        speech_by_judged: calls as f64 * 6_900.0,
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
        settled: calls,
        resolved: calls * 8 / 10,
        followed: calls / 2,
        repeated: calls / 10,
        outcomes: calls / 4,
        escalated: calls / 50,
        surveys: calls / 4,
        agents: 12,
        empathy_sum: (calls / 4) as f64 * 4.0,
        empathy_squares: (calls / 4) as f64 * 17.0,
        ..Day::default()
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
        for measure in Measure::ALL {
            let (low, high) = value(measure).interval.unwrap();
            assert!(low < value(measure).value && value(measure).value < high, "{measure:?}");
        }
        // Days of before such sums were kept have the figure, and no interval that would be too narrow.
        let old = Day { handled_squares: 0.0, ..day(3, "a", 100) };
        let total = Total::of(&[day(1, "a", 100), old]);
        let handling = total.estimate(Measure::Handling).unwrap();
        assert_eq!((handling.value, handling.interval), (240_000.0, None));
        assert_eq!(total.change_from(&total, Measure::Handling), None);
    }

    #[test]
    fn what_callers_and_outcomes_tell_has_its_own_number_of_calls() {
        let total = Total::of(&[day(1, "a", 200)]);
        let told = |measure| total.estimate(measure).map(|it| ((it.value * 100.0).round(), it.n));
        assert_eq!(told(Measure::Resolution), Some((80.0, 200)));
        assert_eq!(told(Measure::Repeats), Some((20.0, 100)));
        assert_eq!(told(Measure::Escalations), Some((8.0, 50)));
        assert_eq!(told(Measure::Empathy), Some((400.0, 50)));
        let before = Total::of(&[Day { empathy_sum: 100.0, ..day(1, "a", 200) }]);
        assert_eq!(total.change_from(&before, Measure::Empathy), Some(Change::Higher));
    }

    #[test]
    fn a_team_of_two_is_no_group() {
        let of = |by, agents| Day { by, agents, ..day(1, "a", 100) };
        assert!(!is_group(&of(Grouping::Team, 1)) && !is_group(&of(Grouping::Queue, 2)));
        assert!(is_group(&of(Grouping::Team, 3)) && is_group(&of(Grouping::Trunk, 1)));
        assert!(is_group(&of(Grouping::Team, 0)), "calls that name no agent");
        assert!(!is_group(&day(1, "a", 9)));
    }

    #[test]
    fn a_director_is_told_of_groups_of_days_that_are_over_and_of_nothing_by_difference() {
        let of = |number, label: &str, calls, agents| Day {
            by: Grouping::Team,
            agents,
            ..day(number, label, calls)
        };
        let told = |days: Vec<Day>| -> Vec<(u64, String)> {
            for_directors(days, 9).into_iter().map(|day| (day.day, day.label)).collect()
        };
        let named = |day: u64, label: &str| (day, label.to_owned());
        // Today grows call by call.
        assert_eq!(told(vec![of(8, "north", 40, 5), of(9, "north", 40, 5)]), [named(8, "north")]);
        // One team of two agents would be the rest of the day: the smaller of the others goes with it.
        let days = vec![of(1, "north", 40, 5), of(1, "south", 30, 4), of(1, "pair", 20, 2)];
        assert_eq!(told(days), [named(1, "north")]);
        // Nine calls and nine calls are a group together, if their agents are.
        let days = vec![of(1, "north", 40, 5), of(1, "a", 9, 4), of(1, "b", 9, 3)];
        assert_eq!(told(days), [named(1, "north")]);
        // Nobody is left to hide behind.
        assert_eq!(told(vec![of(1, "north", 40, 5), of(1, "one", 3, 1)]), []);
        assert_eq!(told(vec![of(1, "north", 40, 5), of(1, "south", 30, 4)]).len(), 2);
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
