//! Refusals that outlive their call: whoever said no is passed on, and the conversation goes on as another call.

use std::collections::VecDeque;
use std::time::Duration;

use sidetone_call::{CallKey, Side};
use sidetone_consent::{Input, Say, Source, State};
use sidetone_events::{CallId, Direction, HashedNumber};

use crate::calls::{Calls, Inner};

/// How long the call that somebody was asked to make may take to come. Its INVITE follows the REFER at once, or after a
/// question to the user.
const COMES_WITHIN: Duration = Duration::from_secs(60);
/// Most transfers that are kept in mind; beyond, the oldest is forgotten.
const MOST: usize = 1_000;

/// Transfers under way.
#[derive(Debug, Default)]
pub(crate) struct Transfers(VecDeque<Transfer>);

#[derive(Debug)]
struct Transfer {
    until: Duration,
    /// The call that is left, and its name in events.
    from: CallKey,
    from_id: CallId,
    customer: Option<HashedNumber>,
    /// Whom the customer is to call.
    target: Option<HashedNumber>,
    /// The call that the new one replaces.
    replaces: Option<String>,
    /// The customer has refused, and how.
    refused: Option<Source>,
    /// The call that the customer came back by.
    to: Option<CallKey>,
}

/// A call as far as it may be the goal of a transfer.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    key: CallKey,
    customer: Option<HashedNumber>,
    target: Option<HashedNumber>,
}

impl Transfers {
    fn note(&mut self, now: Duration, transfer: Transfer) {
        self.0.retain(|it| it.until > now);
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back(transfer);
    }

    /// The transfer that a call by the customer is the goal of: the one that it replaces what it should, or, without
    /// that, the newest of the same customer to the same number.
    fn arrive(&mut self, now: Duration, call: Arrival, replaces: Option<&str>) -> Option<&mut Transfer> {
        let goal = self.0.iter_mut().rev().filter(|it| it.until > now && it.from != call.key).find(|it| {
            let this = match (&it.replaces, replaces) {
                (Some(wanted), Some(replaces)) => wanted == replaces,
                (None, None) => {
                    it.customer == call.customer && it.target.is_some() && it.target == call.target
                }
                _ => false,
            };
            this && it.to.is_none_or(|to| to == call.key)
        })?;
        goal.to = Some(call.key);
        Some(goal)
    }

    /// The calls that were left for this one.
    fn led_to(&self, call: CallKey) -> Vec<(CallKey, CallId)> {
        self.0.iter().filter(|it| it.to == Some(call)).map(|it| (it.from, it.from_id)).collect()
    }

    /// The customer of a call has refused; returns the calls that this holds for too.
    fn refused(&mut self, call: CallKey, by: Source) -> Vec<CallKey> {
        let of_it = self.0.iter_mut().filter(|it| it.from == call);
        of_it
            .filter_map(|it| {
                it.refused = it.refused.or(Some(by));
                it.to
            })
            .collect()
    }
}

impl Calls {
    /// A party is asked to call somebody else.
    pub(crate) fn referred(
        &self,
        inner: &mut Inner,
        now: Duration,
        key: CallKey,
        by: Side,
        user: &str,
        replaces: Option<String>,
    ) {
        let Some(entry) = inner.calls.get(&key) else { return };
        // A customer who refers an agent elsewhere leaves the conversation.
        if by != Side::Pbx {
            return;
        }
        let transfer = Transfer {
            until: now + COMES_WITHIN,
            from: key,
            from_id: entry.call().id,
            customer: entry.customer(),
            target: self.hasher.hash(user),
            replaces,
            refused: refusal(inner, key),
            to: None,
        };
        inner.transfers.note(now, transfer);
    }

    /// A call has begun that may go on where another one ends. `replaces`: the Call-ID of the call whose place it takes.
    pub(crate) fn arrived(&self, inner: &mut Inner, now: Duration, key: CallKey, replaces: Option<&str>) {
        let Inner { calls, transfers, .. } = inner;
        let Some(entry) = calls.get(&key) else { return };
        let mut refused = None;
        // It is the customer who was referred.
        if entry.call().direction == Direction::Inbound {
            let arrival = Arrival { key, customer: entry.customer(), target: entry.call().callee };
            refused = transfers.arrive(now, arrival, replaces).and_then(|transfer| transfer.refused);
        }
        if refused.is_none()
            && let Some(replaces) = replaces
        {
            // Whichever side takes the call over: it is the same conversation.
            let before = calls.values().find(|it| it.sip_call_id() == replaces && it.key() != key);
            refused = before.map(crate::entry::Entry::key).and_then(|before| refusal(inner, before));
        }
        if let Some(source) = refused {
            self.consent(inner, key, now, Input::Told { say: Say::Refused, source });
        }
    }

    /// The customer of a call has refused: so has the same customer in the call that this one was transferred to. To the
    /// customer the call that it came from is the same one: what was inferred there goes too.
    pub(crate) fn refusal_spreads(&self, inner: &mut Inner, now: Duration, key: CallKey, by: Source) {
        for to in inner.transfers.refused(key, by) {
            self.consent(inner, to, now, Input::Told { say: Say::Refused, source: by });
        }
        for (from, id) in inner.transfers.led_to(key) {
            if inner.calls.contains_key(&from) {
                self.consent(inner, from, now, Input::Told { say: Say::Refused, source: by });
            } else {
                self.bus.erase(id, u64::MAX);
            }
        }
    }
}

/// Whether the customer of a call has refused, and how.
fn refusal(inner: &Inner, key: CallKey) -> Option<Source> {
    let machine = &inner.calls.get(&key)?.consent.machine;
    (machine.state() == State::OptedOut).then(|| machine.record().by)
}

#[cfg(test)]
mod tests {
    use sidetone_consent::Medium;
    use sidetone_events::{NumberHasher, Secret, Timestamp};

    use super::*;

    const BY_KEY: Source = Source::Digit(Medium::TelephoneEvent);

    fn hash(number: &str) -> Option<HashedNumber> {
        NumberHasher::salted(&Secret::new("a salt for nothing but tests")).unwrap().hash(number)
    }

    fn transfer(target: &str, replaces: Option<&str>) -> Transfer {
        Transfer {
            until: COMES_WITHIN,
            from: CallKey(1),
            from_id: CallId::new(Timestamp::from_unix_millis(1), 1),
            customer: hash("+15550100"),
            target: hash(target),
            replaces: replaces.map(str::to_owned),
            refused: Some(BY_KEY),
            to: None,
        }
    }

    fn call(key: u64, customer: &str, target: &str) -> Arrival {
        Arrival { key: CallKey(key), customer: hash(customer), target: hash(target) }
    }

    fn found(transfers: &mut Transfers, now: Duration, call: Arrival, replaces: Option<&str>) -> bool {
        transfers.arrive(now, call, replaces).is_some()
    }

    #[test]
    fn a_blind_transfer_is_known_by_who_calls_whom_and_when() {
        let now = Duration::ZERO;
        let mut transfers = Transfers::default();
        transfers.note(now, transfer("+15550142", None));
        assert!(!found(&mut transfers, now, call(2, "+15550199", "+15550142"), None), "somebody else");
        assert!(!found(&mut transfers, now, call(2, "+15550100", "+15550143"), None), "elsewhere");
        assert!(!found(&mut transfers, COMES_WITHIN, call(2, "+15550100", "+15550142"), None), "too late");
        assert!(found(&mut transfers, now, call(2, "+15550100", "+15550142"), None));
        assert!(!found(&mut transfers, now, call(3, "+15550100", "+15550142"), None), "it has come already");
    }

    #[test]
    fn an_attended_transfer_is_known_by_the_call_that_is_replaced() {
        let now = Duration::ZERO;
        let mut transfers = Transfers::default();
        transfers.note(now, transfer("+15550142", Some("consult@pbx")));
        let arrival = call(2, "+15550100", "+15550142");
        assert!(!found(&mut transfers, now, arrival, None));
        assert!(!found(&mut transfers, now, arrival, Some("other@pbx")));
        assert!(found(&mut transfers, now, arrival, Some("consult@pbx")));
    }

    #[test]
    fn who_refuses_on_the_way_has_refused_where_they_arrive() {
        let now = Duration::ZERO;
        let mut transfers = Transfers::default();
        transfers.note(now, Transfer { refused: None, ..transfer("+15550142", None) });
        assert!(transfers.refused(CallKey(9), BY_KEY).is_empty());
        assert!(found(&mut transfers, now, call(2, "+15550100", "+15550142"), None));
        assert_eq!(transfers.refused(CallKey(1), BY_KEY), [CallKey(2)]);
        assert_eq!(transfers.led_to(CallKey(2)).len(), 1);
        assert!(transfers.led_to(CallKey(1)).is_empty());
    }

    #[test]
    fn a_flood_of_transfers_is_bounded() {
        let mut transfers = Transfers::default();
        for _ in 0..3 * MOST {
            transfers.note(Duration::ZERO, transfer("+15550142", None));
        }
        assert_eq!(transfers.0.len(), MOST);
    }
}
