//! German numbers: in one word, and in several.

use super::item::{Form, Item};
use super::token::Tokens;

pub(super) fn german_unit(word: &str) -> Option<u32> {
    Some(match word {
        "null" | "nul" => 0,
        "eins" => 1,
        "zwei" | "zwo" => 2,
        "drei" => 3,
        "vier" => 4,
        "fuenf" | "funf" | "fuenef" => 5,
        "sechs" => 6,
        "sieben" => 7,
        "acht" => 8,
        "neun" => 9,
        _ => return None,
    })
}

/// A number that is one German word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spoken {
    value: u32,
    single: bool,
}

impl Spoken {
    pub(super) fn item(self, end: usize) -> Item {
        Item::new(end, self.value.to_string(), if self.single { Form::Digit } else { Form::Compound })
    }
}

pub(super) fn german(word: &str) -> Option<Spoken> {
    /// The longest number below a million has fewer letters.
    const LONGEST: usize = 72;
    if word.len() > LONGEST || matches!(word, "hundert" | "tausend" | "ein") {
        return None;
    }
    if let Some(value) = german_unit(word) {
        return Some(Spoken { value, single: true });
    }
    german_value(word).map(|value| Spoken { value, single: false })
}

/// A German number in several words: `ein und vierzig`, `vier tausend ein hundert elf`.
pub(super) fn german_apart(tokens: &Tokens, at: usize) -> Option<Item> {
    let word = |index: usize| tokens.get(index).map(|t| t.plain.as_str()).unwrap_or_default();
    let one = |index: usize| if word(index) == "ein" { Some(1) } else { german_value(word(index)) };
    let small = |index: usize| {
        let first = one(index).filter(|value| *value < 100)?;
        let second = german_tens(word(index + 2)).filter(|value| *value >= 20 && value % 10 == 0);
        match second.filter(|_| word(index + 1) == "und" && (1..10).contains(&first)) {
            Some(tens) => Some((first + tens, index + 3)),
            None => Some((first, index + 1)),
        }
    };
    let (mut value, mut end) = small(at)?;
    for (name, scale) in [("hundert", 100), ("tausend", 1000), ("hundert", 100)] {
        if word(end) == name && value < 1000 {
            value *= scale;
            end += 1;
            end += usize::from(word(end) == "und" && small(end + 1).is_some());
            if let Some((more, after)) = small(end) {
                let hundreds = scale == 1000 && word(after) == "hundert";
                value += if hundreds { more * 100 } else { more };
                end = if hundreds { after + 1 } else { after };
                if hundreds && let Some((rest, after)) = small(end) {
                    value += rest;
                    end = after;
                }
            }
        }
    }
    (end > at + 1).then(|| Item::new(end, value.to_string(), Form::Compound))
}

/// The value of a German number below a million.
pub(super) fn german_value(word: &str) -> Option<u32> {
    match word.split_once("tausend") {
        Some((before, after)) => {
            let thousands = if before.is_empty() { 1 } else { german_hundreds(before)? };
            let after = after.strip_prefix("und").filter(|rest| !rest.is_empty()).unwrap_or(after);
            let rest = if after.is_empty() { 0 } else { german_hundreds(after)? };
            Some(thousands * 1000 + rest)
        }
        None => german_hundreds(word),
    }
}

/// Below 10,000, by hundreds: einhundertfünf, neunzehnhundertachtzig.
fn german_hundreds(word: &str) -> Option<u32> {
    match word.split_once("hundert") {
        Some((before, after)) => {
            let hundreds = if before.is_empty() { 1 } else { german_tens(before)? };
            let after = after.strip_prefix("und").filter(|rest| !rest.is_empty()).unwrap_or(after);
            let rest = if after.is_empty() { 0 } else { german_tens(after)? };
            Some(hundreds * 100 + rest)
        }
        None => german_tens(word),
    }
}

pub(super) fn german_tens(word: &str) -> Option<u32> {
    let tens = |word: &str| {
        Some(match word {
            "zwanzig" => 20,
            "dreissig" | "dreizig" => 30,
            "vierzig" => 40,
            "fuenfzig" | "funfzig" => 50,
            "sechzig" => 60,
            "siebzig" => 70,
            "achtzig" => 80,
            "neunzig" => 90,
            _ => return None,
        })
    };
    let teen = |word: &str| {
        Some(match word {
            "zehn" => 10,
            "elf" => 11,
            "zwoelf" | "zwolf" => 12,
            "dreizehn" => 13,
            "vierzehn" => 14,
            "fuenfzehn" | "funfzehn" => 15,
            "sechzehn" => 16,
            "siebzehn" => 17,
            "achtzehn" => 18,
            "neunzehn" => 19,
            "ein" => 1,
            _ => return None,
        })
    };
    german_unit(word).or_else(|| teen(word)).or_else(|| tens(word)).or_else(|| {
        // The first `und` may belong to no number, so both sides are held to be one.
        let (before, after) = word.split_once("und")?;
        let unit = if before == "ein" { 1 } else { german_unit(before)? };
        Some(unit + tens(after)?)
    })
}
