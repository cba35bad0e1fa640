//! What is told about cues: the data of their events.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::written::is_on_words;
use crate::millis;

/// A cue is shown to the agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CueShown {
    /// The rule's id.
    pub cue: String,
    /// The cue's number in its call, from 1 on: by which it is acknowledged or dismissed.
    pub number: u32,
    /// The line that the agent reads.
    pub line: String,
    /// Why it helps, for an agent who wants to know; `None` if the rule gives no reason.
    pub reason: Option<String>,
    /// The language of both, an RFC 5646 tag.
    pub language: String,
    /// The same in the other languages that the rule has.
    pub others: BTreeMap<String, CueText>,
    /// 0 to 1000: of two cues that could be shown, the one with the higher priority is.
    pub priority: u16,
    /// It is cleared after so long at the latest.
    #[serde(rename = "expires_ms", with = "millis")]
    pub expires: Duration,
    /// The conditions that held, with what was measured.
    pub because: Vec<Cause>,
    /// Whether the call's lot could have withheld it: some calls' cues are withheld ([`CueSet::holdout`]), and the rule
    /// is not one that is always shown. Such calls are compared with those whose cues were withheld.
    ///
    /// [`CueSet::holdout`]: super::CueSet::holdout
    #[serde(default)]
    pub compared: bool,
}

/// A cue would have been shown, in a call whose cues are withheld to learn whether cues help. Nobody sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CueWithheld {
    /// The rule's id.
    pub cue: String,
    /// The number that the cue would have had in its call.
    pub number: u32,
    /// Its priority, 0 to 1000.
    pub priority: u16,
}

/// A cue in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CueText {
    /// The line that the agent reads.
    pub line: String,
    /// Why it helps.
    pub reason: Option<String>,
}

impl CueShown {
    /// The line, the reason and their language for a reader of that language, if the rule has it, else the usual ones.
    #[must_use]
    pub fn in_language(&self, language: &str) -> (&str, Option<&str>, &str) {
        match self.others.get_key_value(language) {
            Some((tag, text)) => (&text.line, text.reason.as_deref(), tag),
            None => (&self.line, self.reason.as_deref(), &self.language),
        }
    }

    /// The same without the conditions on what the customer said; `None` if it has none.
    #[must_use]
    pub fn without_words(&self) -> Option<Self> {
        let (on_words, others): (Vec<Cause>, Vec<Cause>) =
            self.because.iter().cloned().partition(Cause::is_on_words);
        (!on_words.is_empty()).then(|| Self { because: others, ..self.clone() })
    }
}

/// A condition that held when a cue was shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    /// The condition as the rule writes it: `agent_pace > 190`.
    pub condition: String,
    /// The measure's value; `None` of a condition on a word.
    pub value: Option<f32>,
}

impl Cause {
    fn is_on_words(&self) -> bool {
        // What can't be read may be anything.
        self.condition.parse().map_or(true, |condition| is_on_words(&condition))
    }
}

/// A cue is no longer shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CueCleared {
    /// The rule's id.
    pub cue: String,
    /// The cue's number in its call.
    pub number: u32,
    /// Why.
    pub why: Cleared,
    /// How long it was shown.
    #[serde(rename = "shown_ms", with = "millis")]
    pub shown: Duration,
}

/// Why a cue is no longer shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cleared {
    /// What caused it has passed.
    Passed,
    /// It was shown for as long as its rule allows.
    Expired,
    /// Another one with a higher priority took its place.
    Replaced,
    /// The agent dismissed it.
    Dismissed,
    /// The call is over.
    Ended,
    /// The customer may not be listened to any more.
    Consent,
}

impl Cleared {
    /// The word that events write.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Expired => "expired",
            Self::Replaced => "replaced",
            Self::Dismissed => "dismissed",
            Self::Ended => "ended",
            Self::Consent => "consent",
        }
    }
}

/// What followed a cue, half a minute after it was shown or at the call's end.
///
/// It says what came after, not what came of it: much passes by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CueJudged {
    /// The rule's id.
    pub cue: String,
    /// The cue's number in its call.
    pub number: u32,
    /// Whether what the agent does no longer fulfils the rule: they slowed down, they let the customer talk. `None` of
    /// a rule that is not about what the agent does.
    pub adopted: Option<bool>,
    /// Whether a customer who seemed upset no longer does: whose alert was up has none any more, whose mood was
    /// negative is not. `None` if they did not seem so, or nothing was judged since.
    pub recovered: Option<bool>,
}

/// An agent's answer to a cue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// It was seen, and is kept in view.
    Acknowledged,
    /// It is taken away. That counts against nobody.
    Dismissed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_on_words_are_left_out_where_words_may_not_be_kept() {
        let cause = |condition: &str| Cause { condition: condition.to_owned(), value: None };
        let cue = |because: &[&str]| CueShown {
            cue: "a".to_owned(),
            number: 1,
            line: "A".to_owned(),
            reason: None,
            language: "en".to_owned(),
            others: BTreeMap::new(),
            priority: 1,
            expires: Duration::ZERO,
            because: because.iter().map(|it| cause(it)).collect(),
            compared: false,
        };
        let kept = cue(&["said = cancel, refund", "agent_pace > 190", "urgency > 70 %"]).without_words();
        assert_eq!(kept.unwrap(), cue(&["agent_pace > 190"]));
        assert_eq!(cue(&["agent_pace > 190"]).without_words(), None);
    }
}
