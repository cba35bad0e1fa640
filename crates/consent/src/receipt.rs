//! The receipt of a call: its disclosure, and the customer's answer.

mod describe;
mod vcon;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use vcon::{Export, Said};

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
    /// When the call began; times in `record` count from here.
    pub started: Moment,
    /// When the call ended.
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
    /// The call's subject, as the PBX named it.
    pub call_type: Option<String>,
    /// The reason for the policy.
    pub reason: Reason,
    /// The basis on which the operator relies, as configured (`consent.lawful_basis`); absent where none is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lawful_basis: Option<LawfulBasis>,
    /// The course of the consent.
    pub record: Record,
    /// The node that the call was on, where the configuration names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Node>,
    /// The running build.
    pub build: String,
    /// SHA-256 of the model, in hexadecimal, if one was loaded.
    pub model: Option<String>,
}

/// A telephone number's hash as events show it: 24 hexadecimal digits. Other text is refused, so no number can get in.
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
