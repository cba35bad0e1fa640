//! Ids of calls and events.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::Sha256;

use crate::time::Timestamp;

/// Crockford's base 32, as ULIDs use it.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 26;
/// By which [`CallId::lot`] differs from any other hash of an id.
const LOT_KEY: &[u8] = b"sidetone lot 1";

/// Sidetone's id of a call: a [ULID](https://github.com/ulid/spec), 26 characters that sort by the time at which the
/// call began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(u128);

/// A text that is no id of a call or an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not 26 digits of Crockford's base 32 of at most 128 bits.
    #[error("not a call id: 26 digits of Crockford's base 32")]
    Call,
    /// Not a call id, a hyphen and a number from 1 on.
    #[error("not an event id: a call id, a hyphen and a number")]
    Event,
}

impl CallId {
    /// An id that no call has.
    pub(crate) const NONE: Self = Self(0);

    /// The id of a call that began at `began`; `entropy` makes it unique (its lower 80 bits are used).
    #[must_use]
    pub fn new(began: Timestamp, entropy: u128) -> Self {
        let time = u128::from(began.unix_millis()) & ((1 << 48) - 1);
        Self(time << 80 | entropy & ((1 << 80) - 1))
    }

    /// A globally unique id for a call that began at `began`.
    #[must_use]
    pub fn unique(began: Timestamp) -> Self {
        // Each hasher has keys that the standard library draws from the system, so no outsider can foresee them.
        let random = || u128::from(RandomState::new().hash_one(0_u8));
        Self::new(began, random() << 64 | random())
    }

    /// A number of `[0, 1)` by which the call is drawn by lot, as for a comparison: a keyed hash of its id, so it is
    /// the same whenever it is asked for, and tells nothing of when the call was, by whom or with whom.
    #[must_use]
    pub fn lot(self) -> f64 {
        // A key takes any length; nobody has to be kept from computing it, so it is no secret.
        let key = Hmac::<Sha256>::new_from_slice(LOT_KEY).unwrap_or_else(|_| Hmac::new(&Default::default()));
        let hash = key.chain_update(self.0.to_be_bytes()).finalize().into_bytes();
        // As many bits as an f64 holds exactly.
        let bits = hash.iter().take(8).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte)) >> 11;
        bits as f64 / (1_u64 << 53) as f64
    }

    /// When the call began, to the millisecond.
    #[must_use]
    pub fn began(self) -> Timestamp {
        Timestamp::from_unix_millis(u64::try_from(self.0 >> 80).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..LENGTH).rev().try_for_each(|place| {
            let digit = DIGITS.get((self.0 >> (5 * place)) as usize & 31).copied().unwrap_or(b'0');
            write!(f, "{}", char::from(digit))
        })
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallId({self})")
    }
}

impl FromStr for CallId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        // The first digit holds three bits: 26 digits are 130.
        if text.len() != LENGTH || !text.starts_with(['0', '1', '2', '3', '4', '5', '6', '7']) {
            return Err(IdError::Call);
        }
        text.bytes()
            .try_fold(0u128, |id, digit| {
                let value = DIGITS.iter().position(|of| *of == digit)?;
                Some(id << 5 | value as u128)
            })
            .map(Self)
            .ok_or(IdError::Call)
    }
}

/// The id of an event: its call's id and its number in that call, `01JN8X0Q3GZP5T7W9Y1B2C4D6E-12`. It is the same
/// wherever and however often the event is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    /// The call.
    pub call: CallId,
    /// The event's number in the call, from 1 on.
    pub seq: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.call, self.seq)
    }
}

impl FromStr for EventId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (call, seq) = text.split_once('-').ok_or(IdError::Event)?;
        let written = |seq: &u64| *seq > 0 && !text.contains('+') && !text.contains("-0");
        Ok(Self {
            call: call.parse().map_err(|_| IdError::Event)?,
            seq: seq.parse().ok().filter(written).ok_or(IdError::Event)?,
        })
    }
}

macro_rules! serde_by_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                std::borrow::Cow::<'de, str>::deserialize(from)?.parse().map_err(de::Error::custom)
            }
        }
    };
}
serde_by_text!(CallId);
serde_by_text!(EventId);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_call_id_is_the_ulid_of_its_time() {
        // The example of the ULID specification's reference implementation.
        let id = CallId::new(Timestamp::from_unix_millis(1_469_918_176_385), 0);
        assert_eq!(id.to_string(), "01ARYZ6S410000000000000000");
        assert_eq!(id.began(), Timestamp::from_unix_millis(1_469_918_176_385));
    }

    #[test]
    fn a_call_is_drawn_alike_whenever_it_is_asked_for_and_evenly_whenever_it_was() {
        let id = CallId::new(Timestamp::from_unix_millis(1_469_918_176_385), 0);
        // Python: hmac.new(b"sidetone lot 1", id.to_bytes(16, "big"), sha256), the first 53 bits.
        assert_eq!(id.lot(), 0.3769524497947542);
        let lots: Vec<f64> = (0..20_000)
            .map(|number| CallId::new(Timestamp::from_unix_millis(1_772_357_400_000 + number), 7).lot())
            .collect();
        assert!(lots.iter().all(|lot| (0.0..1.0).contains(lot)));
        let below = |share: f64| lots.iter().filter(|lot| **lot < share).count();
        // Four standard deviations of a binomial count: the ids are always the same, so is the count.
        assert!((1_830..=2_170).contains(&below(0.1)), "{}", below(0.1));
        assert!((9_717..=10_283).contains(&below(0.5)), "{}", below(0.5));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        let id = "01ARYZ6S410000000000000000";
        for wrong in
            ["", "81ARYZ6S410000000000000000", "01aryz6s410000000000000000", "01ARYZ6S41000000000000000U"]
        {
            assert_eq!(wrong.parse::<CallId>(), Err(IdError::Call), "{wrong}");
        }
        for wrong in
            [id, &format!("{id}-"), &format!("{id}-0"), &format!("{id}-+1"), &format!("{id}-01"), "-1"]
        {
            assert_eq!(wrong.parse::<EventId>(), Err(IdError::Event), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn ids_read_back_and_sort_by_time(millis in 0u64..1 << 47, later in 1u64..1 << 46, a: u128, b: u128, seq in 1u64..) {
            let id = CallId::new(Timestamp::from_unix_millis(millis), a);
            let next = CallId::new(Timestamp::from_unix_millis(millis + later), b);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert!(id < next && id.to_string() < next.to_string());
            let event = EventId { call: id, seq };
            prop_assert_eq!(event.to_string().parse(), Ok(event));
        }
    }
}
