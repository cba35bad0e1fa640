//! Which way a party of a call lies, and who it is.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Which way a party lies, seen from the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
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

    /// Whose voice comes from that side. Where an agent may be on the trunk's side, nobody is listened to
    /// (docs/CONSENT.md), so this holds of every call in which it matters.
    #[must_use]
    pub const fn leg(self) -> Leg {
        match self {
            Self::Trunk => Leg::Customer,
            Self::Pbx => Leg::Agent,
        }
    }

    /// The configuration's and the log's word for it: `trunk` or `pbx`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trunk => "trunk",
            Self::Pbx => "pbx",
        }
    }
}

/// A party of a call, by its part in the conversation. A recording or a chat has legs, and no sides.
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

    /// The events' and the log's word for it: `customer` or `agent`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Agent => "agent",
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
