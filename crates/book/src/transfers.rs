//! Transfers under way: each continues a conversation as another call.

use std::collections::VecDeque;
use std::time::Duration;

use sidetone_call::CallKey;
use sidetone_consent::Source;
use sidetone_events::{CallId, HashedNumber};
use sidetone_sip::anchor::Replaced;

/// How long the referred call may take to come. Its INVITE follows the REFER at once, or after a question to the user.
pub(crate) const COMES_WITHIN: Duration = Duration::from_secs(60);
/// Most transfers that are remembered; beyond, the oldest is forgotten.
const MOST: usize = 1_000;
/// Most calls that are remembered as the goal of one transfer, on its own trunk and on others each.
const MOST_GOALS: usize = 8;

/// Transfers under way.
#[derive(Debug, Default)]
pub(super) struct Transfers(VecDeque<Transfer>);

#[derive(Debug)]
pub(crate) struct Transfer {
    pub(crate) until: Duration,
    /// The call that is left, and its name in events.
    pub(crate) from: CallKey,
    pub(crate) from_id: CallId,
    /// The trunk that the customer is on.
    pub(crate) trunk: String,
    pub(crate) customer: Option<HashedNumber>,
    /// The number that the customer is to call.
    pub(crate) target: Option<HashedNumber>,
    /// The dialog that the new call replaces.
    pub(crate) replaces: Option<Replaced>,
    /// The customer has refused, and how.
    pub(crate) refused: Option<Source>,
    /// The calls by which the customer may have come back. No call takes that place from another: a forged look-alike
    /// must not keep a refusal from the customer's own call.
    pub(crate) to: Vec<CallKey>,
    /// The same, on other trunks: a carrier may have several. A refusal passes on to these calls, and none passes back.
    pub(crate) elsewhere: Vec<CallKey>,
}

/// A call that may be the goal of a transfer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival<'a> {
    pub(crate) key: CallKey,
    pub(crate) trunk: &'a str,
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

    /// How the customer has refused in a call whose goal this one is: matched by the dialog that it replaces, or,
    /// without one, by caller and callee.
    pub(crate) fn arrive(
        &mut self,
        now: Duration,
        call: Arrival<'_>,
        replaces: Option<&Replaced>,
    ) -> Option<Source> {
        let mut refused = None;
        for it in self.0.iter_mut().filter(|it| it.until > now && it.from != call.key) {
            let this = match (&it.replaces, replaces) {
                (Some(wanted), Some(replaces)) => wanted == replaces,
                (None, None) => {
                    it.customer == call.customer && it.target.is_some() && it.target == call.target
                }
                _ => false,
            };
            if this {
                let goals = if it.trunk == call.trunk { &mut it.to } else { &mut it.elsewhere };
                if goals.len() < MOST_GOALS && !goals.contains(&call.key) {
                    goals.push(call.key);
                }
                refused = it.refused.or(refused);
            }
        }
        refused
    }

    /// The calls that were left for this one.
    pub(crate) fn led_to(&self, call: CallKey) -> Vec<(CallKey, CallId)> {
        self.0.iter().filter(|it| it.to.contains(&call)).map(|it| (it.from, it.from_id)).collect()
    }

    /// The customer of a call has refused; returns the other calls that this refusal holds for.
    pub(crate) fn refused(&mut self, call: CallKey, by: Source) -> Vec<CallKey> {
        let of_it = self.0.iter_mut().filter(|it| it.from == call);
        of_it
            .flat_map(|it| {
                it.refused = it.refused.or(Some(by));
                it.to.iter().chain(&it.elsewhere).copied()
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
            trunk: "carrier".to_owned(),
            customer: hash("+15550100"),
            target: hash(target),
            replaces: replaces.map(Replaced::parse),
            refused: Some(BY_KEY),
            to: Vec::new(),
            elsewhere: Vec::new(),
        }
    }

    fn call(key: u64, customer: &str, target: &str) -> Arrival<'static> {
        Arrival { key: CallKey(key), trunk: "carrier", customer: hash(customer), target: hash(target) }
    }

    fn found(transfers: &mut Transfers, now: Duration, call: Arrival<'_>, replaces: Option<&str>) -> bool {
        transfers.arrive(now, call, replaces.map(Replaced::parse).as_ref()).is_some()
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
        assert!(found(&mut transfers, now, call(3, "+15550100", "+15550142"), None), "tried once more");
    }

    #[test]
    fn an_attended_transfer_is_known_by_the_call_that_is_replaced() {
        let now = Duration::ZERO;
        let mut transfers = Transfers::default();
        transfers.note(now, transfer("+15550142", Some("consult@pbx;to-tag=7;from-tag=8")));
        let arrival = call(2, "+15550100", "+15550142");
        assert!(!found(&mut transfers, now, arrival, None));
        for other in ["other@pbx;to-tag=7;from-tag=8", "consult@pbx", "consult@pbx;to-tag=7;from-tag=9"] {
            assert!(!found(&mut transfers, now, arrival, Some(other)), "{other}");
        }
        assert!(found(&mut transfers, now, arrival, Some("consult@pbx;from-tag=8;to-tag=7")));
    }

    /// Another trunk that knows of the consultation neither takes anything from the customer's call nor refuses in the
    /// customer's name.
    #[test]
    fn no_call_takes_the_goal_from_another() {
        let now = Duration::ZERO;
        for replaces in [None, Some("consult@pbx;to-tag=7;from-tag=8")] {
            let mut transfers = Transfers::default();
            transfers.note(now, Transfer { refused: None, ..transfer("+15550142", replaces) });
            let theirs = |key| Arrival { trunk: "other", ..call(key, "+15550100", "+15550142") };
            for key in 100..200 {
                found(&mut transfers, now, theirs(key), replaces);
            }
            found(&mut transfers, now, call(2, "+15550100", "+15550142"), replaces);
            assert!(transfers.led_to(CallKey(100)).is_empty());
            assert_eq!(transfers.led_to(CallKey(2)).len(), 1);
            assert!(transfers.refused(CallKey(1), BY_KEY).contains(&CallKey(2)));
            assert!(found(&mut transfers, now, call(3, "+15550100", "+15550142"), replaces));
            assert_eq!(transfers.0[0].elsewhere.len(), MOST_GOALS);
        }
    }

    #[test]
    fn who_refuses_on_the_way_has_refused_where_they_arrive() {
        let now = Duration::ZERO;
        let mut transfers = Transfers::default();
        transfers.note(now, Transfer { refused: None, ..transfer("+15550142", None) });
        assert!(transfers.refused(CallKey(9), BY_KEY).is_empty());
        assert!(
            !found(&mut transfers, now, call(2, "+15550100", "+15550142"), None),
            "nobody has refused yet"
        );
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
