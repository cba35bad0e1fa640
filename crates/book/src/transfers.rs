//! Transfers under way, by which a conversation goes on as another call.

use std::collections::VecDeque;
use std::time::Duration;

use sidetone_call::CallKey;
use sidetone_consent::Source;
use sidetone_events::{CallId, HashedNumber};

/// How long the call that somebody was asked to make may take to come. Its INVITE follows the REFER at once, or after a
/// question to the user.
pub(crate) const COMES_WITHIN: Duration = Duration::from_secs(60);
/// Most transfers that are kept in mind; beyond, the oldest is forgotten.
const MOST: usize = 1_000;

/// Transfers under way.
#[derive(Debug, Default)]
pub(crate) struct Transfers(VecDeque<Transfer>);

#[derive(Debug)]
pub(crate) struct Transfer {
    pub(crate) until: Duration,
    /// The call that is left, and its name in events.
    pub(crate) from: CallKey,
    pub(crate) from_id: CallId,
    pub(crate) customer: Option<HashedNumber>,
    /// Whom the customer is to call.
    pub(crate) target: Option<HashedNumber>,
    /// The call that the new one replaces.
    pub(crate) replaces: Option<String>,
    /// The customer has refused, and how.
    pub(crate) refused: Option<Source>,
    /// The call that the customer came back by.
    pub(crate) to: Option<CallKey>,
}

/// A call as far as it may be the goal of a transfer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) key: CallKey,
    pub(crate) customer: Option<HashedNumber>,
    pub(crate) target: Option<HashedNumber>,
}

impl Transfers {
    pub(crate) fn note(&mut self, now: Duration, transfer: Transfer) {
        self.0.retain(|it| it.until > now);
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back(transfer);
    }

    /// The transfer that a call by the customer is the goal of: the one that it replaces what it should, or, without
    /// that, the newest of the same customer to the same number.
    pub(crate) fn arrive(
        &mut self,
        now: Duration,
        call: Arrival,
        replaces: Option<&str>,
    ) -> Option<&mut Transfer> {
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
    pub(crate) fn led_to(&self, call: CallKey) -> Vec<(CallKey, CallId)> {
        self.0.iter().filter(|it| it.to == Some(call)).map(|it| (it.from, it.from_id)).collect()
    }

    /// The customer of a call has refused; returns the calls that this holds for too.
    pub(crate) fn refused(&mut self, call: CallKey, by: Source) -> Vec<CallKey> {
        let of_it = self.0.iter_mut().filter(|it| it.from == call);
        of_it
            .filter_map(|it| {
                it.refused = it.refused.or(Some(by));
                it.to
            })
            .collect()
    }
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
