//! The labels of a call: its queue, its agent, its subject, as the PBX names them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One label: 1 to 64 printable characters, as a PBX, the API or the command line tells them. It is never truncated:
/// half a queue's name is another queue.
///
/// An agent's label stands for a person. It belongs into events and views of calls, never into metrics or the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(Arc<str>);

impl Label {
    /// The longest label, in characters.
    pub const LONGEST: usize = 64;

    /// The label as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is no label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a label has 1 to 64 printable characters")]
pub struct NotALabel;

impl FromStr for Label {
    type Err = NotALabel;

    fn from_str(text: &str) -> Result<Self, NotALabel> {
        let printable = !text.is_empty() && text.trim() == text && !text.chars().any(misleads);
        if printable && text.chars().count() <= Self::LONGEST {
            Ok(Self(text.into()))
        } else {
            Err(NotALabel)
        }
    }
}

/// Whether a character is not seen, or makes others be seen elsewhere: one text must not look like another.
#[must_use]
pub fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Label {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// All labels of a call. A label that nobody has told is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// The queue that the call is in.
    #[serde(deserialize_with = "member")]
    pub queue: Option<Label>,
    /// The agent who has the call.
    #[serde(deserialize_with = "member")]
    pub agent: Option<Label>,
    /// The agent's team.
    #[serde(deserialize_with = "member")]
    pub team: Option<Label>,
    /// The call's empathy tier.
    #[serde(deserialize_with = "member")]
    pub tier: Option<Label>,
    /// The call's subject, in the operator's words.
    #[serde(deserialize_with = "member")]
    pub call_type: Option<Label>,
    /// The language that the call is in, an RFC 5646 tag.
    #[serde(deserialize_with = "member")]
    pub language: Option<Label>,
}

/// A label that may be `null`, but not left out: `{}` is no set of labels.
fn member<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Label>, D::Error> {
    Option::deserialize(from)
}

/// `[teams]`: each team's agents, for PBXs that tell the agent and not the team.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Teams(BTreeMap<Label, BTreeSet<Label>>);

impl Teams {
    /// The team of an agent.
    #[must_use]
    pub fn of(&self, agent: &Label) -> Option<&Label> {
        self.0.iter().find(|(_, agents)| agents.contains(agent)).map(|(team, _)| team)
    }

    /// The two teams of an agent who is named in both, if there is such an agent.
    #[must_use]
    pub fn ambiguity(&self) -> Option<(&Label, &Label)> {
        self.0.iter().find_map(|(team, agents)| {
            let (first, _) = self.0.iter().find(|(_, others)| !others.is_disjoint(agents))?;
            (first != team).then_some((first, team))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(text: &str) -> Label {
        text.parse().unwrap()
    }

    #[test]
    fn labels_are_short_and_printable_and_unchanged() {
        for good in ["a", "2001", "Müller, Ada", &"ü".repeat(64)] {
            assert_eq!(label(good).as_str(), good);
        }
        for bad in
            ["", " ", " x", "x ", "a\u{200b}b", "a\u{202e}b", "a\nb", "\u{7f}", "\u{85}", &"x".repeat(65)]
        {
            assert_eq!(bad.parse::<Label>(), Err(NotALabel), "{bad:?}");
            let json = serde_json::to_string(bad).unwrap();
            assert!(serde_json::from_str::<Label>(&json).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_set_of_labels_is_whole() {
        let whole = serde_json::to_string(&Labels::default()).unwrap();
        assert_eq!(serde_json::from_str::<Labels>(&whole).unwrap(), Labels::default());
        assert!(serde_json::from_str::<Labels>("{}").is_err());
    }

    #[test]
    fn an_agent_is_in_one_team() {
        let teams: Teams =
            serde_json::from_str(r#"{"billing": ["2001", "2002"], "sales": ["2003"]}"#).unwrap();
        assert_eq!(teams.of(&label("2002")), Some(&label("billing")));
        assert_eq!(teams.of(&label("2004")), None);
        assert_eq!(teams.ambiguity(), None);
        let teams: Teams = serde_json::from_str(r#"{"b": ["1"], "a": ["2"], "c": ["2", "3"]}"#).unwrap();
        assert_eq!(teams.ambiguity(), Some((&label("a"), &label("c"))));
    }
}
