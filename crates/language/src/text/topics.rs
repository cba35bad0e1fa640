//! What a text is about, and the phrase that carries it.

use std::ops::Range;

use sidetone_call::{Mention, Topic};

use super::pieces::Piece;
use super::tongue::Tongue;
use super::weights::Weights;

/// The topics of a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Topics {
    /// Of every topic, in their order, whether it passed or not.
    pub(super) probabilities: [f32; Topic::ALL.len()],
    /// Those that passed their thresholds, likeliest first.
    pub(super) mentions: Vec<Mention>,
}

impl Topics {
    /// The probability of one topic.
    pub(super) fn probability(&self, topic: Topic) -> f32 {
        let place = Topic::ALL.iter().position(|other| *other == topic);
        place.and_then(|place| self.probabilities.get(place)).copied().unwrap_or(0.0)
    }
}

/// How likely a sentence out of its text must be to count by itself: likelier than not. That is more than most topics'
/// own thresholds ask of a whole text: the shorter, the easier mistaken. (At .9, "Hello, I want to cancel my contract."
/// drowned in whatever else was said: probabilities are calibrated by sentences of grammars that the weights don't
/// know.)
const ALONE: f32 = 0.5;

/// The topics. Each is as likely as in the piece where it is likeliest. English and German have topics, other
/// languages none.
pub(super) fn topics(weights: &Weights, text: &str, pieces: &[Piece<'_>], tongue: Tongue) -> Topics {
    let mut probabilities = [0.0f32; Topic::ALL.len()];
    let mut mentions = Vec::new();
    if tongue == Tongue::Other {
        return Topics { probabilities, mentions };
    }
    let mut best: [Option<&Piece<'_>>; Topic::ALL.len()] = [None; Topic::ALL.len()];
    for piece in pieces {
        let logits = weights.topics.logits(&piece.features);
        let answers = logits.iter().zip(&weights.meta.topics).zip(Topic::ALL);
        for ((((logit, head), topic), most), best) in answers.zip(&mut probabilities).zip(&mut best) {
            if topic == Topic::Bereavement && loses_a_thing(piece)
                || topic == Topic::Legal && names_sue(piece)
            {
                continue;
            }
            let probability = head.probability(*logit);
            if probability > *most && !(piece.alone && probability < ALONE) {
                (*most, *best) = (probability, Some(piece));
            }
        }
    }
    let heads = weights.meta.topics.iter().zip(Topic::ALL).enumerate();
    for (((at, (head, topic)), probability), piece) in heads.zip(probabilities).zip(best) {
        let Some(piece) = piece.filter(|_| probability >= head.threshold) else { continue };
        let phrase = phrase(weights, text, piece, at);
        mentions.push(Mention { topic, probability, phrase });
    }
    mentions.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    Topics { probabilities, mentions }
}

/// Whose loss would be one of a person: "we lost my husband's brother".
const KIN: [&str; 8] = ["brother", "sister", "mother", "father", "wife", "husband", "son", "daughter"];

/// Whether somebody says that they lost something of a person's, and no person: "my father's warranty card". N-grams
/// alone hear "lost my father" in it.
fn loses_a_thing(piece: &Piece<'_>) -> bool {
    let word = |at: usize| piece.tokens.get(at).map(|token| token.text.as_str());
    let lost = (0..piece.tokens.len())
        .filter(|at| word(*at).is_some_and(|it| matches!(it, "lost" | "lose" | "losing")));
    let mut lost = lost.flat_map(|at| at + 1..at + 4);
    lost.any(|at| {
        let is_owner = word(at).is_some_and(|it| it.ends_with("'s"));
        is_owner && word(at + 1).is_some_and(|thing| !KIN.contains(&thing))
    })
}

/// Words that speak of the law, whoever is called Sue.
const LAW: [&str; 8] = ["lawyer", "solicitor", "attorney", "court", "legal", "police", "ombudsman", "judge"];

/// Whether "sue" is nothing but somebody's name: "my sister Sue will call you".
fn names_sue(piece: &Piece<'_>) -> bool {
    let mut before = None;
    let (mut is_name, mut is_verb) = (false, false);
    for token in piece.tokens {
        let word = token.text.as_str();
        if LAW.contains(&word) {
            return false;
        }
        if word == "sue" {
            let is_somebody = before.is_some_and(|it| KIN.contains(&it) || FRIENDS.contains(&it));
            (is_name, is_verb) = (is_name || is_somebody, is_verb || !is_somebody);
        }
        before = Some(word);
    }
    is_name && !is_verb
}

/// Who may have a name behind it, beside kin.
const FRIENDS: [&str; 6] = ["friend", "colleague", "neighbour", "neighbor", "aunt", "partner"];

/// The words next to each other that add most to the topic, as they stand in the text.
fn phrase(weights: &Weights, text: &str, piece: &Piece<'_>, output: usize) -> String {
    let shares = weights.topics.shares(&piece.features, piece.tokens.len(), output);
    let place = strongest(&shares);
    let (Some(first), Some(last)) =
        (piece.tokens.get(place.start), piece.tokens.get(place.end.saturating_sub(1)))
    else {
        return String::new();
    };
    let phrase = text.get(first.place.start..last.place.end).unwrap_or_default();
    phrase.trim_end_matches(['.', ',', ';', ':', '\n']).to_owned()
}

/// The run with the greatest sum, each place costing the mean over all: what stands out, not everything that is not
/// against it.
fn strongest(shares: &[f32]) -> Range<usize> {
    let positive = shares.iter().map(|share| share.max(0.0)).sum::<f32>();
    let cost = positive / shares.len().max(1) as f32;
    let (mut best, mut place) = (f32::MIN, 0..0);
    let (mut sum, mut from) = (0.0f32, 0);
    for (at, share) in shares.iter().enumerate() {
        if sum <= 0.0 {
            (sum, from) = (0.0, at);
        }
        sum += share - cost;
        if sum > best {
            (best, place) = (sum, from..at + 1);
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_run_stands_out() {
        assert_eq!(strongest(&[0.1, 3.0, 2.0, 0.1, -1.0]), 1..3);
        assert_eq!(strongest(&[5.0]), 0..1);
        assert_eq!(strongest(&[]), 0..0);
    }
}
