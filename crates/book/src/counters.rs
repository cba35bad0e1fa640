//! Sums over all calls.

use serde::{Serialize, Serializer};
use sidetone_call::Suite;
use sidetone_consent::State;
use sidetone_insight::cues::CueTold;
use sidetone_insight::{Insight, Phase};

/// Sums over all calls, for metrics.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct CallCounters {
    /// Calls begun.
    pub started: u64,
    /// Calls answered.
    pub answered: u64,
    /// Answered calls that ended by BYE.
    pub hung_up: u64,
    /// Calls that were never answered: refused, cancelled, unreachable.
    pub unanswered: u64,
    /// Calls ended toward both parties: no media came, and one party had no such call any more.
    pub media_timeouts: u64,
    /// Calls that ended otherwise: by the operator or by a time limit.
    pub ended_otherwise: u64,
    /// Times that a call fell silent on both sides for longer than `media.timeout`.
    pub silences: u64,
    /// Times that the parties of a silent call were asked and the call went on.
    pub silences_kept: u64,
    /// Legs whose protection ends here, by suite, at each change.
    pub secured: SuiteCounts,
    /// Answers that took up none of the protection that policy demands.
    pub insecure: u64,
    /// Answers that aimed media at a forbidden address.
    pub misaimed: u64,
    /// Times that one side was silent while the other sent, or sent and was rejected.
    pub one_way: u64,
    /// Streams that could not be read.
    pub untappable: u64,
    /// Calls whose analysis broke.
    pub analysis_broken: u64,
    /// Calls whose media or summary never reported back.
    pub closed_overdue: u64,
    /// `affect.update` events.
    pub affect_updates: u64,
    /// Alerts that rose.
    pub alerts_raised: u64,
    /// Alerts that calmed.
    pub alerts_calmed: u64,
    /// Announcements begun.
    pub announcements: u64,
    /// Customers who could not be told of the analysis.
    pub announcement_failures: u64,
    /// Customers who objected.
    pub opted_out: u64,
    /// Customers who did not agree.
    pub declined: u64,
    /// Times that a customer's consent to being listened to began.
    pub consents: u64,
    /// Consent receipts that could not be filed.
    pub receipts_lost: u64,
    /// Tellings about calls that could not be understood.
    pub tellings_unknown: u64,
    /// Cues that were shown to agents.
    pub cues_shown: u64,
    /// Cues that were withheld, in calls drawn for it.
    pub cues_withheld: u64,
    /// Utterances told: `words.final` events.
    pub utterances: u64,
    /// Topics told: `words.topic` events.
    pub topics: u64,
    /// Tellings of a PBX about a call that is not its own, or about one of two that share a Call-ID.
    pub tellings_unplaced: u64,
}

impl CallCounters {
    pub(crate) fn consent(&mut self, state: State) {
        match state {
            State::Given => self.consents += 1,
            State::OptedOut => self.opted_out += 1,
            State::Declined => self.declined += 1,
            _ => {}
        }
    }

    pub(crate) fn count(&mut self, insight: &Insight) {
        match insight {
            Insight::AffectUpdate(_) => self.affect_updates += 1,
            Insight::Alert(alert) if alert.phase == Phase::Rising => self.alerts_raised += 1,
            Insight::Alert(_) => self.alerts_calmed += 1,
            Insight::Cue(CueTold::Shown(_)) => self.cues_shown += 1,
            Insight::Cue(CueTold::Withheld(_)) => self.cues_withheld += 1,
            Insight::Words(_) => self.utterances += 1,
            Insight::Topic(_) => self.topics += 1,
            Insight::Conduct(_) | Insight::Cue(_) => {}
        }
    }
}

/// A count for each suite.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SuiteCounts([u64; Suite::ALL.len()]);

impl SuiteCounts {
    pub(crate) fn add(&mut self, suite: Suite) {
        for (count, _) in self.0.iter_mut().zip(Suite::ALL).filter(|(_, one)| *one == suite) {
            *count += 1;
        }
    }

    /// Each suite's count.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Suite::ALL.iter().map(|suite| suite.as_str()).zip(self.0)
    }
}

impl Serialize for SuiteCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}
