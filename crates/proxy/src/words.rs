//! The SIP core's words in those of the event schema.

use sidetone_sip::anchor;

/// How a call ended.
#[must_use]
pub const fn cause(cause: anchor::Cause) -> sidetone_events::Cause {
    use sidetone_events::Cause as Told;
    match cause {
        anchor::Cause::Bye => Told::Hangup,
        anchor::Cause::Cancelled => Told::Cancelled,
        anchor::Cause::Rejected => Told::Rejected,
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
