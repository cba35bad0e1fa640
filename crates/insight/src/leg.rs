//! The two parties of a call, and the one of them that affect may be about.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A party of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Leg {
    /// On the carrier's side: the person who is served.
    Customer,
    /// On the PBX's side: the person, queue or bot that serves.
    Agent,
}

impl Leg {
    /// The other party.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Customer => Self::Agent,
            Self::Agent => Self::Customer,
        }
    }
}

/// Says, wherever affect is told, whose it is. There is one value; in JSON it is `"customer"`, and anything else is
/// refused on reading.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct CustomerOnly;

impl Serialize for CustomerOnly {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Leg::Customer.serialize(to)
    }
}

impl<'de> Deserialize<'de> for CustomerOnly {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Leg::deserialize(from)? {
            Leg::Customer => Ok(Self),
            Leg::Agent => {
                Err(de::Error::custom("affect is a customer's; nothing is inferred about an agent"))
            }
        }
    }
}
