//! The meaning of payload types on a leg (RFC 3264 §5.1), by both parties' descriptions.

use sidetone_call::{EndPlan, Format, Untappable};
use sidetone_codec::Codec;

/// The static number of comfort noise (RFC 3389), and the one that it had before: sent even where no description lists
/// it.
const COMFORT_NOISE: [u8; 2] = [13, 19];

/// The payload types of one direction.
#[derive(Debug, Default)]
pub(super) struct Formats {
    known: Vec<(u8, Codec)>,
    /// Numbers that either party has listed, a bit each, whether or not it can be decoded.
    listed: u128,
    /// Numbers that carry telephone-events for one party and something else for the other.
    disputed: u128,
    /// Numbers whose packets carry several encodings (RFC 2198).
    redundant: u128,
}

/// A packet's relation to keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The packet holds telephone-events.
    Event,
    /// The packet may hold them: nobody has listed its number, or the parties list it for different formats.
    Suspect,
    /// The packet holds none.
    Other,
}

impl Formats {
    /// The receiver's description defines the numbers; a number that only the sender lists has the sender's meaning.
    pub(super) fn new(receiver: &EndPlan, sender: &EndPlan) -> Self {
        let mut this = Self::default();
        let mut events = [0; 2];
        let mut others = [0; 2];
        for (party, plan) in [receiver, sender].into_iter().enumerate() {
            for format in &plan.formats {
                let number = bit(format.payload_type);
                this.listed |= number;
                if format.encoding.eq_ignore_ascii_case("red") {
                    this.redundant |= number;
                }
                let of = if format.encoding.eq_ignore_ascii_case("telephone-event") {
                    &mut events
                } else {
                    &mut others
                };
                if let Some(of) = of.get_mut(party) {
                    *of |= number;
                }
                if this.codec(format.payload_type).is_some() {
                    continue;
                }
                let Format { encoding, clock_rate, channels, fmtp, .. } = format;
                if let Some(codec) = Codec::from_rtpmap(encoding, *clock_rate, *channels, fmtp) {
                    this.known.push((format.payload_type, codec));
                }
            }
        }
        let ([mine, theirs], [other_mine, other_theirs]) = (events, others);
        this.disputed = (mine & other_theirs) | (theirs & other_mine);
        this
    }

    pub(super) fn codec(&self, payload_type: u8) -> Option<&Codec> {
        self.known.iter().find(|(known, _)| *known == payload_type).map(|(_, codec)| codec)
    }

    /// Whether packets under that number hold several encodings (RFC 2198).
    pub(super) fn is_redundant(&self, payload_type: u8) -> bool {
        self.redundant & bit(payload_type) != 0
    }

    /// Why a packet under that number can't be heard, if its number alone says so.
    pub(super) fn unheard(&self, payload_type: u8) -> Option<Untappable> {
        if self.codec(payload_type).is_some() || COMFORT_NOISE.contains(&payload_type) {
            None
        } else if self.listed & bit(payload_type) == 0 {
            Some(Untappable::UnknownPayloadType)
        } else {
            Some(Untappable::UnknownCodec)
        }
    }

    /// Whether a packet under that number holds keys.
    pub(super) fn role(&self, payload_type: u8) -> Role {
        if self.listed & bit(payload_type) == 0 || self.disputed & bit(payload_type) != 0 {
            Role::Suspect
        } else if matches!(self.codec(payload_type), Some(Codec::TelephoneEvent { .. })) {
            Role::Event
        } else {
            Role::Other
        }
    }
}

fn bit(payload_type: u8) -> u128 {
    1_u128.checked_shl(payload_type.into()).unwrap_or(0)
}
