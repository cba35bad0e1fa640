//! Urgency and satisfaction, reasoned from what a text is about and how it is said: the one place for these rules.

use sidetone_call::{Estimate, Topic};

use super::topics::Topics;

/// What each topic says of urgency, `[0, 1]`: how sure one may be, from it alone, that this should be dealt with at
/// once.
///
/// A word of haste says it outright. A person in need or in mourning should not wait, but seldom says by when. Who
/// threatens with a lawyer, wants to leave or calls again has waited long enough to be dealt with before a first
/// question.
const URGENT: [(Topic, f32); 6] = [
    (Topic::Urgent, 1.0),
    (Topic::Hardship, 0.4),
    (Topic::Bereavement, 0.3),
    (Topic::Legal, 0.25),
    (Topic::RepeatContact, 0.25),
    (Topic::Cancel, 0.15),
];

/// What each topic takes from satisfaction. Who asks for money back or calls again is seldom content; who mourns or is
/// in need says nothing of the service.
const DISSATISFIED: [(Topic, f32); 6] = [
    (Topic::Complaint, 0.9),
    (Topic::Legal, 0.8),
    (Topic::RepeatContact, 0.5),
    (Topic::Cancel, 0.5),
    (Topic::Supervisor, 0.4),
    (Topic::Refund, 0.4),
];

/// How far feeling moves satisfaction where no topic does: it may be about anything.
const BY_FEELING: f32 = 0.4;

/// Whether any of these holds, each weighed: the chance that not all fail.
fn any(topics: &Topics, weights: &[(Topic, f32)]) -> f32 {
    1.0 - weights.iter().map(|(topic, weight)| 1.0 - weight * topics.probability(*topic)).product::<f32>()
}

/// How soon something has to happen, `[0, 1]`.
pub(super) fn urgency(topics: &Topics) -> f32 {
    any(topics, &URGENT).clamp(0.0, 1.0)
}

/// Dissatisfied to satisfied with the service, `[-1, 1]`.
pub(super) fn satisfaction(topics: &Topics, affect: &Estimate) -> f32 {
    let (bad, good) = (any(topics, &DISSATISFIED), 0.8 * topics.probability(Topic::Thanks));
    let told = good * (1.0 - bad) - bad;
    let felt = if affect.abstained.is_some() { 0.0 } else { affect.valence };
    (told + BY_FEELING * felt * (1.0 - told.abs())).clamp(-1.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(topic: Option<Topic>) -> Topics {
        let probabilities = Topic::ALL.map(|other| if Some(other) == topic { 1.0 } else { 0.0 });
        Topics { probabilities, mentions: Vec::new() }
    }

    #[test]
    fn haste_is_urgent_and_thanks_are_not() {
        assert_eq!(urgency(&about(Some(Topic::Urgent))), 1.0);
        assert_eq!(urgency(&about(Some(Topic::Thanks))), 0.0);
    }

    #[test]
    fn complaints_weigh_on_satisfaction_and_mourning_does_not() {
        let calm = Estimate::default();
        assert!(satisfaction(&about(Some(Topic::Complaint)), &calm) < -0.8);
        assert!(satisfaction(&about(Some(Topic::Thanks)), &calm) > 0.7);
        assert_eq!(satisfaction(&about(Some(Topic::Bereavement)), &calm), 0.0);
    }
}
