//! Facts that change in mid-call, and the terms with them.

use std::time::Duration;

use super::{Machine, Stage, Terms};
use crate::{Policy, Source, State};

impl Machine {
    /// Takes new terms, as far as the call allows: once the customer has heard anything, or has been listened to, only
    /// stricter terms are taken.
    ///
    /// - [`Policy::Never`] ends analysis and erases the inferences.
    /// - [`Policy::OptIn`] pauses analysis and asks, unless the customer has agreed already.
    /// - Other policies ask nothing more of a customer who has been told.
    pub fn retell(&mut self, now: Duration, terms: Terms) {
        if self.ended || self.is_final() || terms == self.terms {
            return;
        }
        let stricter = strictness(terms.policy) > strictness(self.terms.policy);
        if !stricter && !self.is_untouched() {
            return;
        }
        self.record.policy = terms.policy;
        self.terms = terms;
        match (self.terms.policy, self.state) {
            (Policy::Never, State::Excluded) => self.excluded_for_good = self.terms.binding,
            (Policy::Never, _) => self.exclude(now, Source::Policy, self.terms.binding),
            (_, State::Excluded) => {
                self.change(now, State::Pending, Source::Policy, false);
                self.advance(now);
            }
            (Policy::OptIn, State::Given) if self.agreed.is_none() => {
                self.state = State::Pending;
                self.reconcile(now);
                self.change(now, State::Pending, Source::Policy, false);
                self.advance(now);
            }
            (_, State::Failed) if !self.untappable => {
                self.change(now, State::Pending, Source::Policy, false);
                self.advance(now);
            }
            _ => self.advance(now),
        }
        self.reconcile(now);
    }

    /// Whether no announcement has been played and nothing inferred.
    fn is_untouched(&self) -> bool {
        matches!(self.state, State::Pending | State::Excluded)
            && !matches!(self.stage, Stage::Requested(_) | Stage::Playing(_))
            && !self.heard
            && !self.record.was_analysed()
    }
}

/// The strictness of a policy: its demands before a customer is listened to.
fn strictness(policy: Policy) -> u8 {
    match policy {
        Policy::GivenUpstream => 0,
        Policy::AnnounceElsewhere => 1,
        Policy::Notice => 2,
        Policy::OptIn => 3,
        Policy::Never => 4,
    }
}
