//! Which language a text is in, roughly: enough to know whether the models can read it.

use serde::{Deserialize, Serialize};

use super::tokens::{Kind, Token};

/// A language that a text seems to be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tongue {
    /// English, or a text too short to say otherwise.
    #[serde(rename = "en")]
    English,
    /// German.
    #[serde(rename = "de")]
    German,
    /// A language that the models don't know.
    #[serde(rename = "other")]
    Other,
}

/// Words that are common in English and not in the others.
const ENGLISH: &[&str] = &[
    "the", "and", "you", "i", "is", "to", "of", "it", "my", "that", "this", "for", "have", "with", "was",
    "your", "are", "not", "but", "what", "can", "a", "be", "please", "would", "want", "im", "i'm", "it's",
    "do", "we", "they", "just", "need", "been", "dont", "he", "she", "at", "from", "there", "will", "thanks",
    "thank", "yes", "hello", "get", "got", "if", "or", "how", "so", "on", "has", "his", "her", "all",
    "about", "when", "your", "by", "me", "no",
];
/// The same of German.
const GERMAN: &[&str] = &[
    "ich",
    "und",
    "der",
    "die",
    "das",
    "nicht",
    "ist",
    "mein",
    "meine",
    "sie",
    "wir",
    "ein",
    "eine",
    "zu",
    "mit",
    "habe",
    "bitte",
    "danke",
    "auf",
    "den",
    "es",
    "ihr",
    "ihnen",
    "m\u{f6}chte",
    "f\u{fc}r",
    "einen",
    "aber",
    "haben",
    "wie",
    "mir",
    "mich",
    "seit",
    "sich",
    "war",
    "noch",
    "kein",
    "keine",
    "auch",
    "wird",
    "guten",
    "tag",
    "bei",
    "dass",
    "von",
    "kann",
    "schon",
    "im",
    "dem",
    "will",
    "jetzt",
    "heute",
    "wurde",
    "oder",
    "ihre",
    "meinen",
    "ja",
    "nein",
];
/// Of some that are neither: French, Spanish, Italian, Portuguese, Dutch, Polish, Turkish, Swedish.
const OTHERS: &[&str] = &[
    "je",
    "vous",
    "est",
    "les",
    "une",
    "pas",
    "pour",
    "avec",
    "mon",
    "ma",
    "suis",
    "merci",
    "que",
    "el",
    "los",
    "una",
    "por",
    "para",
    "con",
    "pero",
    "mi",
    "estoy",
    "quiero",
    "gracias",
    "il",
    "che",
    "non",
    "sono",
    "voglio",
    "mio",
    "grazie",
    "per",
    "n\u{e3}o",
    "meu",
    "minha",
    "quero",
    "obrigado",
    "uma",
    "het",
    "een",
    "niet",
    "ik",
    "mijn",
    "wil",
    "nie",
    "jest",
    "moje",
    "chc\u{119}",
    "si\u{119}",
    "dzi\u{119}kuj\u{119}",
    "bir",
    "ve",
    "istiyorum",
    "benim",
    "inte",
    "jag",
    "och",
    "mitt",
    "vill",
    "le",
    "la",
    "des",
    "du",
    "est\u{e1}",
    "muy",
    "como",
    "sur",
    "plus",
    "della",
];

impl Tongue {
    /// The language of these tokens. Where two are mixed the models' own wins: half a sentence in English still tells.
    pub(super) fn of(tokens: &[Token]) -> Self {
        let (mut english, mut german, mut others, mut strange, mut words) =
            (0usize, 0usize, 0usize, 0usize, 0usize);
        for token in tokens.iter().filter(|token| token.kind == Kind::Word) {
            let word = token.text.as_str();
            words += 1;
            english += usize::from(ENGLISH.contains(&word));
            german += usize::from(GERMAN.contains(&word));
            others += usize::from(OTHERS.contains(&word));
            strange += usize::from(word.chars().any(|c| c.is_alphabetic() && !is_latin(c)));
        }
        if 2 * strange > words || (others > 2 * english && others > german && others > 1) {
            Self::Other
        } else if german > english && german > others {
            Self::German
        } else if english == 0 && words >= 8 {
            Self::Other
        } else {
            Self::English
        }
    }
}

fn is_latin(c: char) -> bool {
    (c as u32) < 0x250
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tokens::tokens;

    #[test]
    fn languages_are_told_apart_and_mixtures_are_read() {
        let of = |text: &str| Tongue::of(&tokens(text));
        assert_eq!(of("I want to cancel my contract"), Tongue::English);
        assert_eq!(of("cancel"), Tongue::English);
        assert_eq!(of("Ich m\u{f6}chte meinen Vertrag k\u{fc}ndigen, und zwar sofort"), Tongue::German);
        assert_eq!(of("Je suis tr\u{e8}s m\u{e9}content de votre service et je veux annuler"), Tongue::Other);
        assert_eq!(
            of(
                "\u{42f} \u{445}\u{43e}\u{447}\u{443} \u{43e}\u{442}\u{43c}\u{435}\u{43d}\u{438}\u{442}\u{44c}"
            ),
            Tongue::Other
        );
        assert_eq!(of("hola quiero cancel my subscription please, it is too expensive"), Tongue::English);
    }
}
