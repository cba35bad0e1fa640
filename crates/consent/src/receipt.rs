//! What is kept of each call: who was told what, when, and what they said.

mod describe;
mod vcon;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use vcon::Export;

use sidetone_call::Node;

use crate::machine::Record;
use crate::moment::Moment;
use crate::policy::{LawfulBasis, Reason};

/// The consent record of one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The call's id, as events give it.
    pub call: String,
    /// When it began; times in `record` count from here.
    pub started: Moment,
    /// When it ended.
    pub ended: Moment,
    /// Whether the call was placed towards the customer.
    pub to_customer: bool,
    /// The customer's number.
    pub customer: Option<HashedNumber>,
    /// The number that was dialled.
    pub dialled: Option<HashedNumber>,
    /// Name of the trunk.
    pub trunk: String,
    /// The queue, as the PBX named it.
    pub queue: Option<String>,
    /// The empathy tier, as the PBX named it.
    pub tier: Option<String>,
    /// What it was about, as the PBX named it.
    pub call_type: Option<String>,
    /// Why that policy.
    pub reason: Reason,
    /// The basis on which the operator relies, as configured (`consent.lawful_basis`); absent where nobody has said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lawful_basis: Option<LawfulBasis>,
    /// How it went.
    pub record: Record,
    /// The Sidetone that the call was on, where the configuration names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Node>,
    /// The build that ran.
    pub build: String,
    /// SHA-256 of the model, in hexadecimal, if one was loaded.
    pub model: Option<String>,
}

/// A telephone number's hash as events show it: 24 hexadecimal digits. Nothing else gets in, so no number can.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HashedNumber(String);

impl FromStr for HashedNumber {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if crate::hex::is(text, 24) {
            Ok(Self(text.to_owned()))
        } else {
            Err("not a hashed number: 24 hexadecimal digits")
        }
    }
}

impl fmt::Display for HashedNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for HashedNumber {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for HashedNumber {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}
