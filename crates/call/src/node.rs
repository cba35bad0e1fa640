//! The name of a node.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The configured name of one of several Sidetones that serve one contact centre: 1 to 32 letters, digits, `-`, `_` and
/// `.`. It stands in the events and receipts of its calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node(Arc<str>);

/// A text that is no name of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a node's name has 1 to 32 letters, digits, `-`, `_` and `.`, as in \"edge-1\"")]
pub struct NotANode;

impl FromStr for Node {
    type Err = NotANode;

    fn from_str(text: &str) -> Result<Self, NotANode> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if (1..=32).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.into()))
        } else {
            Err(NotANode)
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for good in ["a", "edge-1", "eu_west.2", &"x".repeat(32)] {
            assert_eq!(good.parse::<Node>().unwrap().to_string(), good);
        }
        for bad in ["", "a b", "edge/1", "kölN", "a\"b", &"x".repeat(33)] {
            assert_eq!(bad.parse::<Node>(), Err(NotANode), "{bad}");
        }
    }
}
