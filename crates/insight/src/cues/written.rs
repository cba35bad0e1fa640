//! Which cue helps with what a customer has written, in a chat or a mail: by the rules on words alone.

use std::collections::BTreeMap;

use serde::Serialize;
use sidetone_call::Topic;

use super::condition::Condition;
use super::measure::{Aspect, Measure};
use super::rule::Cue;
use super::set::CueSet;
use super::situation::Moment;
use super::told::CueText;

/// What somebody who answers a written message may do first. It is told once, and counted nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// The rule's id.
    pub cue: String,
    /// The line.
    pub line: String,
    /// Why it helps; `None` if the rule gives no reason.
    pub reason: Option<String>,
    /// The language of both, an RFC 5646 tag.
    pub language: String,
    /// The same in the other languages that the rule has.
    pub others: BTreeMap<String, CueText>,
}

/// Whether a condition is on words.
pub(super) fn is_on_words(condition: &Condition) -> bool {
    match condition {
        Condition::Above(measure, _) | Condition::Below(measure, _) => {
            matches!(measure, Measure::Urgency | Measure::Satisfaction)
        }
        Condition::Is(aspect, _) | Condition::IsNot(aspect, _) => *aspect == Aspect::Said,
    }
}

impl Cue {
    /// Whether it is called for by words and by nothing else: such a rule can be asked of a written text.
    #[must_use]
    pub fn is_on_words(&self) -> bool {
        self.when.iter().chain(&self.any).all(is_on_words)
    }
}

impl CueSet {
    /// The cue with the highest priority that these topics, this urgency `[0, 1]` and this satisfaction `[-1, 1]` call
    /// for; of equals the first in the file.
    #[must_use]
    pub fn suggest(&self, topics: &[Topic], urgency: f32, satisfaction: f32) -> Option<Suggestion> {
        let moment =
            Moment::default().with(Measure::Urgency, urgency).with(Measure::Satisfaction, satisfaction);
        // One moment for each topic: in a call they are named one after another.
        let moments: Vec<Moment> = std::iter::once(moment.clone())
            .chain(topics.iter().map(|topic| moment.clone().with_word(Aspect::Said, topic.name())))
            .collect();
        let called_for = self.cues.iter().filter(|cue| cue.enabled && cue.is_on_words()).filter_map(|cue| {
            let moment = moments.iter().find(|moment| cue.holds(moment))?;
            let (language, line, reason) = cue.in_language(&self.language)?;
            line.is_known(moment).then_some((cue, moment, language, line, reason))
        });
        let (cue, moment, language, line, reason) =
            called_for.min_by_key(|(cue, ..)| std::cmp::Reverse(cue.priority))?;
        let others = cue.line.iter().filter(|(tag, _)| *tag != language).map(|(tag, line)| {
            let reason = cue.reason.get(tag).cloned();
            (tag.clone(), CueText { line: line.filled(moment), reason })
        });
        Some(Suggestion {
            cue: cue.id.clone(),
            line: line.filled(moment),
            reason: reason.map(str::to_owned),
            language: language.to_owned(),
            others: others.collect(),
        })
    }
}

impl Suggestion {
    /// The line, the reason and their language for a reader of that language, if the rule has it, else the usual ones.
    #[must_use]
    pub fn in_language(&self, language: &str) -> (&str, Option<&str>, &str) {
        match self.others.get_key_value(language) {
            Some((tag, text)) => (&text.line, text.reason.as_deref(), tag),
            None => (&self.line, self.reason.as_deref(), &self.language),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suggested(topics: &[Topic], urgency: f32) -> Option<String> {
        CueSet::shipped().unwrap().suggest(topics, urgency, -0.4).map(|it| it.cue)
    }

    #[test]
    fn what_weighs_most_is_suggested_and_nothing_where_nothing_was_named() {
        assert_eq!(suggested(&[], 0.1), None);
        assert_eq!(suggested(&[], 0.9).as_deref(), Some("name-a-time"));
        assert_eq!(suggested(&[Topic::Cancel], 0.9).as_deref(), Some("ask-what-led-to-it"));
        assert_eq!(suggested(&[Topic::Cancel, Topic::Bereavement], 0.9).as_deref(), Some("condolence"));
        assert_eq!(suggested(&[Topic::Thanks], 0.0), None);
    }

    #[test]
    fn a_rule_on_a_call_is_no_rule_on_a_text() {
        let mut set = CueSet::default();
        set.add("[[cue]]\nid = \"a\"\nwhen = [\"said = cancel\", \"hold > 5s\"]\nline.en = \"A\"").unwrap();
        assert_eq!(set.suggest(&[Topic::Cancel], 0.0, 0.0), None);
        set.add("[[cue]]\nid = \"b\"\nwhen = [\"said = cancel\"]\nline.en = \"At {urgency}\"\nline.de = \"Bei {urgency}\"")
            .unwrap();
        let found = set.suggest(&[Topic::Cancel], 0.5, 0.0).unwrap();
        assert_eq!(found.in_language("de").0, "Bei 50 %");
        assert_eq!(found.in_language("fr").0, "At 50 %");
    }
}
