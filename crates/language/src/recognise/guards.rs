//! Guards against words that nobody said.
//!
//! A network that writes what it hears writes something for music and noise as well, and is often sure of it: "Thank
//! you for watching!", since it was taught by subtitles. What gives such text away: it was written from no place in
//! particular (see `alignment`), its tokens are improbable, it goes round in circles, it doesn't end, or there was
//! hardly any sound.

use super::{Doubt, sound::RATE};

/// What a network's words must reach to be believed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limits {
    /// Mean probability of the tokens.
    pub(super) sure: f32,
    /// The same where there are few tokens: "you" and "thank you" come easily.
    pub(super) sure_of_few: f32,
    /// How far a text has to follow the sound.
    pub(super) followed: f32,
    /// The probability that nobody speaks, by the network itself, from which on nothing is believed.
    pub(super) nobody: f32,
}

/// Moonshine's. Of 78 pieces of music, noise and tones whose text was more than a word none followed by more than 0.44;
/// of 212 utterances of speech one was below 0.5, a single letter. It does not say whether anybody speaks.
pub(super) const MOONSHINE: Limits = Limits { sure: 0.5, sure_of_few: 0.6, followed: 0.5, nobody: 2.0 };
const FEW: usize = 3;
/// What is written for a breath, a click or a tone. Who says only that has said nothing.
const NOTHING: [&str; 14] = [
    "you",
    "thank you for watching",
    "thanks for watching",
    "vielen dank",
    "vielen dank f\u{fc}rs zuschauen",
    "vielen dank f\u{fc}r die aufmerksamkeit",
    "das war's",
    "bis zum n\u{e4}chsten mal",
    "untertitelung des zdf, 2020",
    "untertitelung. br 2018",
    "untertitel der amara.org-community",
    "untertitel im auftrag des zdf f\u{fc}r funk, 2017",
    "copyright wdr 2021",
    "musik",
];
/// What subtitles are signed with: nobody says it.
const SIGNED: [&str; 6] = ["untertitel", "amara.org", "zdf", "www.", "copyright", "subtitles by"];
/// Sound whose loudest 20 ms are softer than this is silence, whatever is made of it: -50 dBFS.
const SILENT: f32 = 0.003_2;
/// How often in a row a phrase may stand, and how many tokens that takes at least to be a circle.
const ROUNDS: usize = 3;
const CIRCLE: usize = 9;
const LONGEST_PHRASE: usize = 16;

/// Whether there is any sound in `pcm`, 16 kHz.
pub(super) fn silent(pcm: &[f32]) -> bool {
    let power = |block: &[f32]| block.iter().map(|x| x * x).sum::<f32>() / block.len() as f32;
    pcm.chunks(RATE as usize / 50).all(|block| power(block).sqrt() < SILENT)
}

/// Whether the last tokens are one phrase over and over.
pub(super) fn circling(tokens: &[u32]) -> bool {
    (1..=LONGEST_PHRASE).any(|phrase| {
        let rounds = ROUNDS.max(CIRCLE.div_ceil(phrase));
        let Some(begin) = tokens.len().checked_sub(rounds * phrase) else { return false };
        let tail = tokens.get(begin..).unwrap_or_default();
        tail.iter().zip(tail.iter().skip(phrase)).all(|(a, b)| a == b)
    })
}

/// Whether a text says nothing: notes of music, or what is written where nobody speaks.
fn nothing(text: &str) -> bool {
    let plain = text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    plain.is_empty() || NOTHING.contains(&plain.as_str()) || SIGNED.iter().any(|sign| plain.contains(sign))
}

/// How a transcript came about.
pub(super) struct Written<'a> {
    pub(super) pcm: &'a [f32],
    pub(super) tokens: &'a [u32],
    pub(super) text: &'a str,
    /// Whether it ended by itself.
    pub(super) ended: bool,
    pub(super) confidence: f32,
    /// How far it followed the sound.
    pub(super) followed: f32,
    /// The probability that nobody speaks; 0 if the network does not say.
    pub(super) nobody: f32,
}

impl Written<'_> {
    /// Why it should not be believed.
    pub(super) fn doubt(&self, limits: Limits) -> Option<Doubt> {
        let sure = if self.tokens.len() <= FEW { limits.sure_of_few } else { limits.sure };
        if self.tokens.is_empty() {
            None
        } else if silent(self.pcm) || nothing(self.text) || self.nobody >= limits.nobody {
            Some(Doubt::NoSpeech)
        } else if circling(self.tokens) {
            Some(Doubt::Repetition)
        } else if self.followed < limits.followed {
            Some(Doubt::NoSpeech)
        } else if !self.ended {
            Some(Doubt::TooManyWords)
        } else if self.confidence < sure {
            Some(Doubt::Unsure)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_over_and_over_is_a_circle_and_emphasis_is_none() {
        assert!(circling(&[9, 8, 1, 2, 3, 1, 2, 3, 1, 2, 3]));
        assert!(circling(&[5; 9]));
        assert!(!circling(&[5, 5, 5, 5]));
        assert!(!circling(&[1, 2, 3, 4, 1, 2, 3, 4]));
        assert!(!circling(&[1, 2, 3, 1, 2, 3, 1, 2, 4]));
        assert!(!circling(&[]));
    }

    #[test]
    fn notes_and_thanks_for_watching_are_nothing_and_other_thanks_are_something() {
        for text in ["", "♪♪♪", "You", "Thank you for watching!", "..."] {
            assert!(nothing(text), "{text}");
        }
        for text in ["Thank you.", "You said so.", "No.", "42"] {
            assert!(!nothing(text), "{text}");
        }
    }

    #[test]
    fn silence_is_told_from_a_soft_voice() {
        assert!(silent(&[]));
        assert!(silent(&[0.001; 16_000]));
        let mut soft = vec![0.0; 16_000];
        soft[8000..8640].fill(0.01);
        assert!(!silent(&soft));
    }
}
