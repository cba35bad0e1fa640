//! The SIP core's words in those of the event schema.

use serde::Serialize;
use sidetone_sip::{Side, anchor};

use sidetone_hear::leg;

/// The word that events have for something, for the log: one fact has one name wherever it is told.
pub(crate) fn word(of: &impl Serialize) -> String {
    // Whatever is no word in events has none here.
    serde_json::to_value(of).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A side's party, as events name it.
pub(crate) fn party(side: Side) -> String {
    word(&leg(side))
}

/// How a call ended.
#[must_use]
pub const fn cause(cause: anchor::Cause) -> sidetone_events::Cause {
    use sidetone_events::Cause as Told;
    match cause {
        anchor::Cause::Bye => Told::Hangup,
        anchor::Cause::Cancelled => Told::Cancelled,
        // A refusal of our own has no party in `by`.
        anchor::Cause::Rejected | anchor::Cause::Refused => Told::Rejected,
        anchor::Cause::Unreachable => Told::NoAnswer,
        anchor::Cause::MediaTimeout => Told::MediaTimeout,
        anchor::Cause::Operator => Told::Terminated,
        anchor::Cause::TimeLimit => Told::Failed,
    }
}

/// Why packets can't be heard.
#[must_use]
pub const fn inaudible(reason: sidetone_hear::Inaudible) -> sidetone_events::Untappable {
    use sidetone_events::Untappable as Told;
    use sidetone_hear::Inaudible;
    match reason {
        Inaudible::UnknownCodec => Told::UnknownCodec,
        Inaudible::UnknownPayloadType => Told::UnknownPayloadType,
        Inaudible::Undecodable => Told::Undecodable,
    }
}

/// Why a stream can't be listened to.
#[must_use]
pub const fn untappable(reason: anchor::Untappable) -> sidetone_events::Untappable {
    use sidetone_events::Untappable as Told;
    match reason {
        anchor::Untappable::Srtp => Told::Srtp,
        anchor::Untappable::Dtls => Told::Dtls,
        anchor::Untappable::T38 => Told::Fax,
        anchor::Untappable::NotAudio => Told::NotAudio,
        anchor::Untappable::NotRelayed | anchor::Untappable::EarlySession => Told::NotRelayed,
        anchor::Untappable::UnknownCodec => Told::UnknownCodec,
        anchor::Untappable::Sealed | anchor::Untappable::Unreadable => Told::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use sidetone_consent::Policy;
    use sidetone_events::{AnnouncementPhase, Direction, Untappable};

    use super::*;

    #[test]
    fn the_log_has_the_words_of_the_events() {
        let words = [
            word(&cause(anchor::Cause::Bye)),
            word(&cause(anchor::Cause::Unreachable)),
            word(&Direction::Inbound),
            word(&Policy::GivenUpstream),
            word(&AnnouncementPhase::Started),
            word(&Untappable::UnknownCodec),
            party(Side::Trunk),
            party(Side::Pbx),
        ];
        let events = [
            "hangup",
            "no-answer",
            "inbound",
            "given-upstream",
            "started",
            "unknown-codec",
            "customer",
            "agent",
        ];
        assert_eq!(words, events);
        assert_eq!(word(&[1]), "", "no word");
    }

    #[test]
    fn a_refusal_of_our_own_is_not_told_as_an_answer_that_nobody_gave() {
        assert_eq!(cause(anchor::Cause::Refused), sidetone_events::Cause::Rejected);
    }
}
