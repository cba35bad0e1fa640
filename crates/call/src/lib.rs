//! The vocabulary that all crates share. One thing has one type here, and one name in every place: in events, the log,
//! the metrics and on the terminal.
//!
//! | module | words |
//! | --- | --- |
//! | [`side`] | the two sides of a call, and the parties there |
//! | [`key`] | a call's key within one process |
//! | [`label`] | the labels of a call: queue, agent, team, tier, call type, language |
//! | [`node`] | the name of a node |
//! | [`stream`] | a media stream as the parties have agreed on it |
//! | [`plane`] | the signalling side's interface to the media relay |
//! | [`protection`] | the protection of a leg's media by us: suites and keys |
//! | [`untappable`] | why a stream can't be listened to |
//! | [`ending`] | how a call ended |
//! | [`estimate`] | how the customer seemed to feel in a stretch of speech or text |
//! | [`words`] | what a party has said, and what it tells |
//! | [`nature`] | how a message to a PBX may be treated while it waits |
//!
//! This crate has types only: no I/O, no clock, no state.
#![forbid(unsafe_code)]

pub mod ending;
pub mod estimate;
pub mod key;
pub mod label;
pub mod nature;
pub mod node;
pub mod plane;
pub mod protection;
pub mod side;
pub mod stream;
pub mod untappable;
pub mod words;

pub use ending::Cause;
pub use estimate::{Abstention, Class, Estimate, Evidence, Modality};
pub use key::CallKey;
pub use label::{Label, Labels, NotALabel, Teams, misleads};
pub use nature::Nature;
pub use node::Node;
pub use plane::{Exhausted, IpFamily, LocalMedia, MediaPlane};
pub use protection::{DtlsPlan, IcePlan, Keying, Protection, SpeltOut, SrtpKeys, Suite, spelt_out};
pub use side::{CustomerOnly, Leg, Side};
pub use stream::{Direction, EndPlan, Format, MediaKind, Security, StreamPlan};
pub use untappable::Untappable;
pub use words::{Act, AgentUtterance, Mention, Told, Topic, Utterance};

#[cfg(test)]
mod tests {
    use super::*;

    /// The word that serde writes for a value.
    fn written(word: &impl serde::Serialize) -> String {
        serde_json::to_value(word).unwrap().as_str().unwrap().to_owned()
    }

    #[test]
    fn the_log_has_the_words_of_the_events() {
        use Cause::{Cancelled, Failed, Hangup, MediaTimeout, NoAnswer, Rejected, Terminated};
        for cause in [Hangup, Cancelled, Rejected, NoAnswer, MediaTimeout, Terminated, Failed] {
            assert_eq!(written(&cause), cause.as_str());
        }
        for reason in [
            Untappable::Srtp,
            Untappable::Dtls,
            Untappable::Fax,
            Untappable::NotAudio,
            Untappable::NotRelayed,
            Untappable::UnknownCodec,
            Untappable::Unreadable,
            Untappable::UnknownPayloadType,
            Untappable::Undecodable,
        ] {
            assert_eq!(written(&reason), reason.as_str());
        }
        for leg in [Leg::Customer, Leg::Agent] {
            assert_eq!(written(&leg), leg.as_str());
            assert_eq!(leg.other().other(), leg);
        }
        for (place, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(written(&class), class.name());
            assert_eq!(class.index(), place);
        }
    }

    #[test]
    fn a_side_has_one_leg() {
        for side in [Side::Trunk, Side::Pbx] {
            assert_eq!(side.other().other(), side);
            assert_ne!(side.leg(), side.other().leg());
        }
    }

    #[test]
    fn feelings_are_read_as_the_customers_or_not_at_all() {
        assert_eq!(written(&CustomerOnly), "customer");
        let refused = serde_json::from_str::<CustomerOnly>(r#""agent""#).unwrap_err().to_string();
        assert!(refused.contains("affect is a customer's"), "{refused}");
    }
}
