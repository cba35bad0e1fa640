//! Events for the tests.

use std::time::Duration;

use sidetone_call::{CustomerOnly, Modality};
use sidetone_events::{
    CallEnded, CallId, CallRef, CallStarted, Direction, Event, Narrator, NumberHasher, Parties, Timestamp,
};
use sidetone_insight::{Alert, AlertKind, Phase};

pub(crate) const BEGAN: u64 = 1_772_357_400_125;

/// A value that no other event has: it must be gone once it is erased.
pub(crate) const MARK: &str = "0.7181";

pub(crate) fn at(millis: u64) -> Timestamp {
    Timestamp::from_unix_millis(BEGAN + millis)
}

pub(crate) fn narrator(call: u128) -> Narrator {
    let id = CallId::new(at(0), call);
    let parties = Parties { caller: "+4930123456789", callee: "+49800555000" };
    let hasher = NumberHasher::with_random_salt().unwrap();
    Narrator::new(CallRef::new(&hasher, id, "x@y", "carrier", Direction::Inbound, parties), at(0))
}

/// An event without inferences.
pub(crate) fn started(call: &mut Narrator) -> Event {
    call.tell(Duration::ZERO, CallStarted { analysed: true, signalling: None })
}

/// An event with an inference, and [`MARK`] in it.
pub(crate) fn upset(call: &mut Narrator) -> Event {
    let alert = Alert {
        leg: CustomerOnly,
        modality: Modality::Voice,
        stands_on: vec![sidetone_insight::Basis::Voice],
        phrase: None,
        alert: AlertKind::Frustration,
        phase: Phase::Rising,
        score: 0.7181,
        valence: -0.52,
        arousal: 0.47,
        confidence: 0.83,
        lasted: None,
    };
    call.tell(Duration::from_secs(41), sidetone_events::Happening::AffectAlert(alert))
}

pub(crate) fn ended(call: &mut Narrator) -> Event {
    let cause = sidetone_call::Cause::Hangup;
    call.tell(
        Duration::from_secs(90),
        CallEnded { cause, by: None, sip_status: None, summary: None, media: None },
    )
}
