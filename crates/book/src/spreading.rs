//! Refusals that outlive their call: a customer who said no is transferred, and the conversation goes on as another
//! call.

use std::time::Duration;

use sidetone_call::{CallKey, Side};
use sidetone_consent::{Input, Say, Source, State};
use sidetone_events::Direction;

use sidetone_sip::anchor::Replaced;

use crate::book::Book;
use crate::transfers::{Arrival, COMES_WITHIN, Transfer};

impl Book {
    /// A party is asked to call somebody else.
    pub(crate) fn referred(
        &mut self,
        now: Duration,
        key: CallKey,
        by: Side,
        user: &str,
        replaces: Option<Replaced>,
    ) {
        let Some(entry) = self.calls.get(&key) else { return };
        // A customer who refers an agent elsewhere leaves the conversation.
        if by != Side::Pbx {
            return;
        }
        let transfer = Transfer {
            until: now + COMES_WITHIN,
            from: key,
            from_id: entry.call().id,
            trunk: entry.trunk().to_owned(),
            customer: entry.customer(),
            target: self.hasher.hash(user),
            replaces,
            refused: refusal(self, key),
            to: Vec::new(),
            elsewhere: Vec::new(),
        };
        self.transfers.note(now, transfer);
    }

    /// A call has begun that may continue another one. `replaces` is the dialog whose place it takes; `before` is the
    /// call with that dialog, if it is one of ours.
    pub(crate) fn arrived(
        &mut self,
        now: Duration,
        key: CallKey,
        replaces: Option<&Replaced>,
        before: Option<CallKey>,
    ) {
        let Self { calls, transfers, .. } = self;
        let Some(entry) = calls.get(&key) else { return };
        let mut refused = None;
        // The customer is the party that was referred.
        if entry.call().direction == Direction::Inbound {
            let (trunk, customer, target) = (entry.trunk(), entry.customer(), entry.call().callee);
            refused = transfers.arrive(now, Arrival { key, trunk, customer, target }, replaces);
        }
        // The conversation is the same, whichever side takes the call over.
        let refused = refused.or_else(|| refusal(self, before?));
        if let Some(source) = refused {
            self.consent(key, now, Input::Told { say: Say::Refused, source });
        }
    }

    /// The customer of a call has refused. The same customer's refusal holds in the call that this one was transferred
    /// to. To the customer, the call that it came from is the same call: all that was inferred there is erased too.
    pub(crate) fn refusal_spreads(&mut self, now: Duration, key: CallKey, by: Source) {
        for to in self.transfers.refused(key, by) {
            self.consent(to, now, Input::Told { say: Say::Refused, source: by });
        }
        for (from, id) in self.transfers.led_to(key) {
            if self.calls.contains_key(&from) {
                self.consent(from, now, Input::Told { say: Say::Refused, source: by });
            } else {
                self.effects.erase(id);
            }
        }
    }
}

/// Whether the customer of a call has refused, and how.
fn refusal(book: &Book, key: CallKey) -> Option<Source> {
    let machine = &book.calls.get(&key)?.consent.machine;
    (machine.state() == State::OptedOut).then(|| machine.record().by)
}
