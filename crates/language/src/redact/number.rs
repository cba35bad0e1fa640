//! Numbers in every way that they are written or said: one item of a longer number at a time.

use super::german::{german, german_apart, german_tens, german_unit};
use super::item::{Form, Item};
use super::lexicon::{SPELLING, UNIT};
use super::token::{Shape, Tokens};
use crate::tongue::Language;

/// The number that begins at `at`.
pub(super) fn number(tokens: &Tokens, at: usize, language: Language) -> Option<Item> {
    let token = tokens.get(at)?;
    match token.shape {
        Shape::Digits => Some(Item::new(at + 1, token.plain.clone(), Form::Written)),
        Shape::Word => repeated(tokens, at, language)
            .or_else(|| language.has_english().then(|| english(tokens, at)).flatten())
            .or_else(|| if language.has_german() { german_apart(tokens, at) } else { None })
            .or_else(|| {
                let spoken = if language.has_german() { german(&token.plain) } else { None };
                spoken.map(|spoken| spoken.item(at + 1))
            })
            .or_else(|| glued(&token.plain, language).map(|digits| Item::new(at + 1, digits, Form::Digit))),
        _ => None,
    }
}

/// `double four`, `triple oh`, `doppel drei`.
fn repeated(tokens: &Tokens, at: usize, language: Language) -> Option<Item> {
    let mal = tokens.get(at + 1).is_some_and(|t| matches!(t.plain.as_str(), "times" | "time" | "mal"));
    let counted = unit(&tokens.get(at)?.plain, language).filter(|count| mal && (2..=9).contains(count));
    let times = match tokens.get(at)?.plain.as_str() {
        _ if counted.is_some() => usize::try_from(counted?).ok()?,
        "double" | "doppel" | "doppelte" | "doppelt" | "zweimal" | "twice" => 2,
        "triple" | "treble" | "dreifach" | "dreifache" | "dreimal" | "thrice" => 3,
        "quadruple" | "vierfach" | "vierfache" | "viermal" => 4,
        _ => return None,
    };
    let mut next = at + 1 + usize::from(counted.is_some());
    while tokens
        .get(next)
        .is_some_and(|t| t.sign() == Some('-') || matches!(t.plain.as_str(), "die" | "the" | "a"))
    {
        if next > at + 3 {
            return None;
        }
        next += 1;
    }
    let token = tokens.get(next)?;
    let value = unit(&token.plain, language)
        .or_else(|| sound(&token.plain))
        .or_else(|| zero_letter(&token.plain))
        .or_else(|| token.plain.parse().ok().filter(|value: &u32| *value < 10))?;
    Some(Item::new(next + 1, value.to_string().repeat(times), Form::Digit))
}

/// A digit that is also a letter or a cry.
pub(super) fn zero_letter(word: &str) -> Option<u32> {
    matches!(word, "o" | "oh" | "owe" | "ooh").then_some(0)
}

/// Words that are hardly anything but a digit where one stands beside them.
pub(super) fn sound(word: &str) -> Option<u32> {
    Some(match word {
        "o" | "oh" | "owe" | "ooh" | "zeros" | "zeroes" => 0,
        "won" | "wan" | "ones" => 1,
        "twos" => 2,
        "threes" => 3,
        "fore" | "fours" => 4,
        "fife" | "fives" => 5,
        "sicks" | "sex" | "sixes" => 6,
        "sevens" => 7,
        "eights" => 8,
        "nines" => 9,
        _ => return None,
    })
}

/// Words that a recogniser writes for a digit: counted as one only between digits.
pub(super) fn homophone(word: &str, language: Language) -> Option<u32> {
    let english = match word {
        "won" | "wan" | "ones" => Some(1),
        "to" | "too" | "tu" | "twos" => Some(2),
        "tree" | "free" | "threes" => Some(3),
        "for" | "fore" | "far" | "fours" | "fo" => Some(4),
        "fife" | "hive" | "fives" => Some(5),
        "sex" | "sicks" | "sick" | "sixes" => Some(6),
        "heaven" | "sevens" => Some(7),
        "ate" | "hate" | "eights" => Some(8),
        "nein" | "nigh" | "nines" | "mine" | "line" => Some(9),
        "hero" | "zeros" | "zeroes" => Some(0),
        _ => None,
    };
    let german = match word {
        "ein" | "eine" | "einst" => Some(1),
        "zweite" | "zweit" => Some(2),
        "frei" => Some(3),
        "fuer" | "wir" | "vie" => Some(4),
        "sex" | "sex'" => Some(6),
        "sieb" | "lieben" | "sieden" => Some(7),
        "auch" | "ach" => Some(8),
        "neu" | "nein" => Some(9),
        _ => None,
    };
    english
        .filter(|_| language.has_english())
        .or_else(|| german.filter(|_| language.has_german()))
        .or_else(|| zero_letter(word))
}

/// A digit's word.
pub(super) fn unit(word: &str, language: Language) -> Option<u32> {
    let english = match word {
        "zero" | "nought" | "naught" | "nil" => Some(0),
        "one" => Some(1),
        "two" => Some(2),
        "three" => Some(3),
        "four" => Some(4),
        "five" => Some(5),
        "six" => Some(6),
        "seven" => Some(7),
        "eight" => Some(8),
        "nine" | "niner" => Some(9),
        _ => None,
    };
    english.filter(|_| language.has_english()).or_else(|| german_unit(word).filter(|_| language.has_german()))
}

fn english_teen(word: &str) -> Option<u32> {
    Some(match word {
        "ten" => 10,
        "eleven" => 11,
        "twelve" => 12,
        "thirteen" => 13,
        "fourteen" => 14,
        "fifteen" => 15,
        "sixteen" => 16,
        "seventeen" => 17,
        "eighteen" => 18,
        "nineteen" => 19,
        _ => return None,
    })
}

fn english_tens(word: &str) -> Option<u32> {
    Some(match word {
        "twenty" => 20,
        "thirty" => 30,
        "forty" | "fourty" => 40,
        "fifty" => 50,
        "sixty" => 60,
        "seventy" => 70,
        "eighty" => 80,
        "ninety" => 90,
        _ => return None,
    })
}

/// A number of English words, read as far as it goes: `one hundred and five`, `nineteen`, `four thousand one hundred`.
fn english(tokens: &Tokens, at: usize) -> Option<Item> {
    let hundred =
        |index: usize| tokens.get(index).is_some_and(|t| matches!(t.plain.as_str(), "hundred" | "thousand"));
    let a = tokens.get(at).is_some_and(|t| t.plain == "a") && hundred(at + 1);
    let (mut value, mut end) = if a { (1, at + 1) } else { below_hundred(tokens, at)? };
    let single = end == at + 1 && value < 10;
    let mut large = false;
    for (word, scale, rest) in [("hundred", 100, 100), ("thousand", 1000, 1000)] {
        if tokens.get(end).is_some_and(|t| t.plain == word) && value > 0 && value < 1000 {
            value *= scale;
            end += 1;
            large = true;
            let after = if tokens.get(end).is_some_and(|t| t.plain == "and") { end + 1 } else { end };
            let below = below_hundred(tokens, after).map(|(more, after)| match tokens.get(after) {
                Some(t) if rest == 1000 && t.plain == "hundred" && more < 10 => {
                    let hundreds = more * 100;
                    let next = if tokens.get(after + 1).is_some_and(|t| t.plain == "and") {
                        after + 2
                    } else {
                        after + 1
                    };
                    below_hundred(tokens, next)
                        .map_or((hundreds, after + 1), |(more, after)| (hundreds + more, after))
                }
                // `seven hundred, nine hundred` are two.
                Some(t) if rest == 100 && more < 10 && matches!(t.plain.as_str(), "hundred" | "thousand") => {
                    (0, after)
                }
                _ => (more, after),
            });
            if let Some((more, after)) = below.filter(|(more, _)| *more > 0) {
                value += more;
                end = after;
            }
        }
    }
    let form = if single && !large { Form::Digit } else { Form::Compound };
    Some(Item::new(end, value.to_string(), form))
}

fn below_hundred(tokens: &Tokens, at: usize) -> Option<(u32, usize)> {
    let word = tokens.get(at)?.plain.as_str();
    let english_unit = |word: &str| unit(word, Language::English);
    if let Some(value) = english_unit(word).or_else(|| english_teen(word)) {
        return Some((value, at + 1));
    }
    let tens = english_tens(word)?;
    let hyphen = tokens.get(at + 1).is_some_and(|t| t.sign() == Some('-'));
    let next = if hyphen { at + 2 } else { at + 1 };
    match tokens.get(next).and_then(|t| english_unit(&t.plain)).filter(|value| *value > 0) {
        Some(value) => Some((tens + value, next + 1)),
        None => Some((tens, at + 1)),
    }
}

/// Digits that were written as one word: `nulleinssieben`, `fouroneone`.
fn glued(word: &str, language: Language) -> Option<String> {
    /// The longest number that is one piece, `siebenundvierzig`, and the shortest.
    const PIECE: std::ops::RangeInclusive<usize> = 2..=20;
    const LONGEST: usize = 120;
    if word.len() > LONGEST {
        return None;
    }
    let mut digits = String::new();
    let mut rest = word;
    let mut pieces = 0;
    while !rest.is_empty() {
        let (value, length) = PIECE.rev().find_map(|length| {
            let piece = rest.get(..length)?;
            let english = || {
                unit(piece, Language::English).or_else(|| english_teen(piece)).or_else(|| english_tens(piece))
            };
            let value = language.has_english().then(english).flatten();
            let value =
                value.or_else(|| german_tens(piece).filter(|_| language.has_german() && piece != "ein"))?;
            Some((value, length))
        })?;
        digits.push_str(&value.to_string());
        rest = rest.get(length..)?;
        pieces += 1;
    }
    (pieces > 1).then_some(digits)
}

/// A letter, or a few, of a code: `D`, `DE` in DE89, `delta`, `D wie Dora`, `D for David`.
pub(super) fn letters(tokens: &Tokens, at: usize, language: Language) -> Option<Item> {
    let token = tokens.get(at)?;
    if !token.is_word() {
        return None;
    }
    if let Some(letter) = token.letter() {
        let spelled = |words: &[&str]| {
            words
                .iter()
                .zip(at + 1..)
                .all(|(word, index)| tokens.get(index).is_some_and(|t| t.plain == *word))
        };
        let said =
            [&["as", "in"][..], &["for"], &["wie"], &["like"]].into_iter().find(|words| spelled(words));
        let end = said.map(|words| at + 1 + words.len()).filter(|end| {
            tokens.get(*end).is_some_and(|t| t.is_word() && t.plain.starts_with(letter) && t.plain.len() > 1)
        });
        return Some(Item::new(end.map_or(at + 1, |end| end + 1), letter, Form::Letters));
    }
    if token.is(SPELLING) {
        let beside = |index: Option<usize>| {
            index.and_then(|index| tokens.get(index)).is_some_and(|t| {
                t.letter().is_some()
                    || t.is_digits()
                    || unit(&t.plain, language).is_some()
                    || (t.is(SPELLING) && !matches!(t.plain.as_str(), "for" | "as" | "in" | "wie"))
            })
        };
        let spelling = !matches!(token.plain.as_str(), "for" | "as" | "in" | "wie");
        if spelling && (beside(at.checked_sub(1)) || beside(Some(at + 1))) {
            return Some(Item::new(at + 1, token.plain.chars().take(1).collect::<String>(), Form::Letters));
        }
    }
    // Letters that stand against digits, and are neither their unit nor the ending of an ordinal.
    let digits_after = tokens.get(at + 1).is_some_and(|t| t.is_digits() && t.joined);
    let digits_before = token.joined && tokens.before(at, 1).is_some_and(super::token::Token::is_digits);
    let suffix = token.is(UNIT)
        || matches!(token.plain.as_str(), "st" | "nd" | "rd" | "th" | "er" | "s" | "ten" | "te");
    (token.plain.len() <= 4 && token.plain.is_ascii() && (digits_after || (digits_before && !suffix)))
        .then(|| Item::new(at + 1, token.plain.clone(), Form::Letters))
}
