//! Sums over all calls.

use serde::Serialize;
use sidetone_consent::State;
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
    /// Calls taken down since no media came.
    pub media_timeouts: u64,
    /// Calls that ended otherwise: by the operator, by a time limit.
    pub ended_otherwise: u64,
    /// Times that one side was silent while the other sent.
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
    /// Customers who could not be told.
    pub announcement_failures: u64,
    /// Customers who objected.
    pub opted_out: u64,
    /// Customers who did not agree.
    pub declined: u64,
    /// Times that a customer could be listened to from then on.
    pub consents: u64,
    /// Consent receipts that could not be filed.
    pub receipts_lost: u64,
    /// What was told of calls and could not be understood.
    pub tellings_unknown: u64,
    /// What a PBX told of a call that is not its own, or of two that it does not tell apart.
    pub tellings_unplaced: u64,
}

impl CallCounters {
    pub(super) fn consent(&mut self, state: State) {
        match state {
            State::Given => self.consents += 1,
            State::OptedOut => self.opted_out += 1,
            State::Declined => self.declined += 1,
            _ => {}
        }
    }

    pub(super) fn count(&mut self, insight: &Insight) {
        match insight {
            Insight::AffectUpdate(_) => self.affect_updates += 1,
            Insight::Alert(alert) if alert.phase == Phase::Rising => self.alerts_raised += 1,
            Insight::Alert(_) => self.alerts_calmed += 1,
            Insight::Conduct(_) => {}
        }
    }
}
