//! The two sides of a call, and the parties there.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The direction of a party, seen from the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Side {
    /// The carrier's side: the customer is there.
    Trunk,
    /// The PBX's side: the agent, or the bot, is there.
    Pbx,
}

impl Side {
    /// The other side of the proxy.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Trunk => Self::Pbx,
            Self::Pbx => Self::Trunk,
        }
    }

    /// The party whose voice comes from that side. Where an agent may be on the trunk's side, nobody is listened to
    /// (docs/CONSENT.md), so this holds for every call in which it matters.
    #[must_use]
    pub const fn leg(self) -> Leg {
        match self {
            Self::Trunk => Leg::Customer,
            Self::Pbx => Leg::Agent,
        }
    }

    /// The side's word in configuration and log: `trunk` or `pbx`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trunk => "trunk",
            Self::Pbx => "pbx",
        }
    }
}

/// A party of a call, by its role in the conversation. A recording or a chat has legs, and no sides.
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
    pub const fn other(self) -> Self {
        match self {
            Self::Customer => Self::Agent,
            Self::Agent => Self::Customer,
        }
    }

    /// The leg's word in events and the log: `customer` or `agent`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Agent => "agent",
        }
    }
}

/// States whose affect it is, wherever affect is reported. The one value is `"customer"` in JSON, and anything else is
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
