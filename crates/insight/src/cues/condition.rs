//! One condition of a cue, as a rule writes it: `agent_pace > 190`, `upset_for > 5s`, `queue = billing, claims`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::measure::{Aspect, Measure, Scale};
use super::situation::Moment;
use crate::period::Period;
use crate::spelling::did_you_mean;

/// Most words that one aspect is compared with.
const MOST_WORDS: usize = 32;

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// A measure is above a value.
    Above(Measure, f32),
    /// A measure is below a value.
    Below(Measure, f32),
    /// An aspect is one of these words.
    Is(Aspect, Vec<String>),
    /// An aspect is none of these words; what is unknown is none of them.
    IsNot(Aspect, Vec<String>),
}

impl Condition {
    /// Whether it holds. What isn't known is neither above nor below anything.
    #[must_use]
    pub fn holds(&self, moment: &Moment) -> bool {
        let is = |aspect, words: &[String]| {
            moment.word(aspect).is_some_and(|is| words.iter().any(|word| word.eq_ignore_ascii_case(is)))
        };
        match self {
            Self::Above(measure, value) => moment.value(*measure).is_some_and(|is| is > *value),
            Self::Below(measure, value) => moment.value(*measure).is_some_and(|is| is < *value),
            Self::Is(aspect, words) => is(*aspect, words),
            Self::IsNot(aspect, words) => !is(*aspect, words),
        }
    }

    /// The measure, if it is about one.
    #[must_use]
    pub fn measure(&self) -> Option<Measure> {
        match self {
            Self::Above(measure, _) | Self::Below(measure, _) => Some(*measure),
            Self::Is(..) | Self::IsNot(..) => None,
        }
    }

    /// Whether it is about what was inferred of the customer.
    #[must_use]
    pub fn is_affect(&self) -> bool {
        match self {
            Self::Above(measure, _) | Self::Below(measure, _) => measure.is_affect(),
            Self::Is(aspect, _) | Self::IsNot(aspect, _) => aspect.is_affect(),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Above(measure, value) => write!(f, "{} > {}", measure.name(), written(*measure, *value)),
            Self::Below(measure, value) => write!(f, "{} < {}", measure.name(), written(*measure, *value)),
            Self::Is(aspect, words) => write!(f, "{} = {}", aspect.name(), words.join(", ")),
            Self::IsNot(aspect, words) => write!(f, "{} != {}", aspect.name(), words.join(", ")),
        }
    }
}

fn written(measure: Measure, value: f32) -> String {
    match measure.scale() {
        Scale::Time => Period(Duration::from_secs_f32(value.clamp(0.0, 1e6))).to_string(),
        Scale::Share | Scale::Plain => value.to_string(),
    }
}

/// Text that is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotACondition {
    /// It has not the shape of one.
    #[error("`{0}` is no condition; write it as `agent_pace > 190` or `queue = billing, claims`")]
    Shape(String),
    /// It is about nothing that is known.
    #[error("nothing is called `{name}`; {known}")]
    Unknown {
        /// What it is about.
        name: String,
        /// What there is.
        known: String,
    },
    /// A number is compared as a word, or a word as a number.
    #[error("`{name}` is compared by {with}")]
    Comparison {
        /// The measure or aspect.
        name: &'static str,
        /// The signs that it takes.
        with: &'static str,
    },
    /// The value can't be one of that measure.
    #[error("`{value}` is no value of `{name}`; {must}")]
    Value {
        /// The measure or aspect.
        name: &'static str,
        /// What was written.
        value: String,
        /// What it must be.
        must: String,
    },
}

impl FromStr for Condition {
    type Err = NotACondition;

    fn from_str(text: &str) -> Result<Self, NotACondition> {
        let shape = || NotACondition::Shape(text.to_owned());
        let at = text.find(['>', '<', '=', '!']).ok_or_else(shape)?;
        let (name, rest) = text.split_at(at);
        let name = name.trim();
        let signs = ["!=", ">", "<", "="];
        let (sign, value) =
            signs.iter().find_map(|sign| Some((*sign, rest.strip_prefix(sign)?.trim()))).ok_or_else(shape)?;
        if name.is_empty() || value.is_empty() {
            return Err(shape());
        }
        if let Some(measure) = Measure::parse(name) {
            let value = number(measure, value)?;
            return match sign {
                ">" => Ok(Self::Above(measure, value)),
                "<" => Ok(Self::Below(measure, value)),
                _ => Err(NotACondition::Comparison { name: measure.name(), with: "`>` or `<`" }),
            };
        }
        if let Some(aspect) = Aspect::parse(name) {
            let words = words(aspect, value)?;
            return match sign {
                "=" => Ok(Self::Is(aspect, words)),
                "!=" => Ok(Self::IsNot(aspect, words)),
                _ => Err(NotACondition::Comparison { name: aspect.name(), with: "`=` or `!=`" }),
            };
        }
        let known = Measure::ALL.iter().map(|it| it.name()).chain(Aspect::ALL.iter().map(|it| it.name()));
        Err(NotACondition::Unknown { name: name.to_owned(), known: did_you_mean(name, known) })
    }
}

fn number(measure: Measure, text: &str) -> Result<f32, NotACondition> {
    let (least, most) = measure.range();
    let must = || match measure.scale() {
        Scale::Plain => format!("it goes from {least} to {most}"),
        Scale::Share => "it goes from 0 to 1, or from 0 % to 100 %".to_owned(),
        Scale::Time => format!("it is a time of at most {}, as in 25s", written(measure, most)),
    };
    let value = match measure.scale() {
        Scale::Time => text.parse::<Period>().ok().map(|period| period.0.as_secs_f32()),
        Scale::Share => match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse::<f32>().ok().map(|percent| percent / 100.0),
            None => text.parse().ok(),
        },
        Scale::Plain => text.parse().ok(),
    };
    let value = value.filter(|value: &f32| (least..=most).contains(value));
    value.ok_or_else(|| NotACondition::Value { name: measure.name(), value: text.to_owned(), must: must() })
}

fn words(aspect: Aspect, text: &str) -> Result<Vec<String>, NotACondition> {
    let words: Vec<String> = text.split(',').map(|word| word.trim().to_owned()).collect();
    let wrong = |value: &str, must: String| NotACondition::Value {
        name: aspect.name(),
        value: value.to_owned(),
        must,
    };
    if words.len() > MOST_WORDS {
        return Err(wrong(text, format!("at most {MOST_WORDS} words are compared at once")));
    }
    for word in &words {
        let known = aspect.words();
        if word.is_empty() {
            return Err(wrong(text, "a word is missing between commas".to_owned()));
        }
        if !known.is_empty() && !known.iter().any(|known| known.eq_ignore_ascii_case(word)) {
            return Err(wrong(word, did_you_mean(word, known.iter().copied())));
        }
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_read_as_they_are_written() {
        for text in [
            "agent_pace > 190",
            "upset_for > 5s",
            "hold > 1m30s",
            "valence < -0.25",
            "queue = billing, claims",
            "phase != hold",
        ] {
            let read = text.parse::<Condition>();
            // Periods have one unit.
            if text.contains("1m30s") {
                assert!(read.is_err());
                continue;
            }
            assert_eq!(read.unwrap().to_string(), text);
        }
        assert_eq!("agent_share>70 %".parse(), Ok(Condition::Above(Measure::AgentShare, 0.7)));
    }

    #[test]
    fn what_is_no_condition_says_what_would_be_one() {
        let said = |text: &str| text.parse::<Condition>().unwrap_err().to_string();
        assert!(
            said("agent_pce > 190").contains("did you mean `agent_pace`?"),
            "{}",
            said("agent_pce > 190")
        );
        assert_eq!(said("agent_pace = 190"), "`agent_pace` is compared by `>` or `<`");
        assert_eq!(
            said("state > 3"),
            "`3` is no value of `state`; known are neutral, positive, negative, frustrated, distressed"
        );
        assert_eq!(said("hold > 90"), "`90` is no value of `hold`; it is a time of at most 3600s, as in 25s");
        assert_eq!(
            said("distress > 1.5"),
            "`1.5` is no value of `distress`; it goes from 0 to 1, or from 0 % to 100 %"
        );
        for text in
            ["", "agent_pace", "> 3", "agent_pace >", "agent_pace > NaN", "queue = a,,b", "é > 3", "!"]
        {
            assert!(text.parse::<Condition>().is_err(), "{text}");
        }
    }
}
