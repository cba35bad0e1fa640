//! Spellings of telephone numbers, and which of them denote one number.

use serde::{Deserialize, Serialize};

/// User parts that stand for a withheld number (RFC 3261 §8.1.1.3, RFC 3323 §4.1.1.3, and carriers' practice).
const WITHHELD: [&str; 8] =
    ["anonymous", "unavailable", "restricted", "unknown", "private", "withheld", "invalid", "null"];

/// `[consent.numbering]`: the reading of numbers without a country code.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Numbering {
    /// The operator's country code, as `49` or `1`. Without it, `030 1234567` and `+49 30 1234567` can't be recognised
    /// as one number.
    pub country: Option<String>,
    /// The prefix of a number within the country: `0` in most, `1` in North America, nothing in Italy or Spain.
    pub national_prefix: String,
    /// The prefix of a country code: `00` in most, `011` in North America.
    pub international_prefix: String,
}

impl Default for Numbering {
    fn default() -> Self {
        Self { country: None, national_prefix: "0".to_owned(), international_prefix: "00".to_owned() }
    }
}

/// A caller's identity, as far as a number tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Written {
    /// The number is withheld, or there is none.
    Withheld,
    /// A number with the sign of the international format, which is left out here.
    International(String),
    /// Digits only.
    Plain(String),
    /// Not a number.
    Name(String),
}

impl Numbering {
    pub(crate) fn problem(&self) -> Option<String> {
        let digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
        if let Some(country) = &self.country
            && !((1..=3).contains(&country.len()) && digits(country) && !country.starts_with('0'))
        {
            return Some(format!(
                "country `{country}` is no country code; write for example \"49\" or \"1\""
            ));
        }
        let prefixes = [&self.national_prefix, &self.international_prefix];
        prefixes
            .iter()
            .find(|prefix| prefix.len() > 4 || !digits(prefix))
            .map(|prefix| format!("prefix `{prefix}` is none; write for example \"0\" and \"00\""))
    }

    /// The one form in which a number is stored; `None` if it is withheld.
    pub(crate) fn canonical(&self, text: &str) -> Option<String> {
        self.readings(text).into_iter().next()
    }

    /// Whether the canonical form is a guess for want of a country code.
    pub(crate) fn is_ambiguous(&self, text: &str) -> bool {
        self.country.is_none() && matches!(self.written(text), Written::Plain(digits) if digits.len() > 6)
    }

    /// Whether `text` is a plausible entry: digits, no more than a number has (ITU-T E.164 §6: 15, and here the
    /// prefixes before them), or a name that is written as one, in a SIP URI.
    pub(crate) fn is_meant(&self, text: &str) -> bool {
        // A mistyped option such as `-5`: no number begins so.
        if text.trim_start().starts_with('-') {
            return false;
        }
        match self.written(text) {
            Written::Withheld => false,
            Written::International(digits) => (4..=15).contains(&digits.len()),
            Written::Plain(digits) => digits.len() <= 20,
            Written::Name(_) => {
                let text = text.trim().to_ascii_lowercase();
                (text.starts_with("sip:") || text.starts_with("sips:")) && text.contains('@')
            }
        }
    }

    /// Every number that `text` may stand for, the likeliest first: a carrier may leave out the `+` of an international
    /// number, or send a national one. A search for a refusal must try all of them.
    pub(crate) fn readings(&self, text: &str) -> Vec<String> {
        let mut readings = Vec::new();
        let mut add = |reading: String| {
            if !reading.is_empty() && !readings.contains(&reading) {
                readings.push(reading);
            }
        };
        match self.written(text) {
            Written::Withheld => {}
            Written::Name(name) => add(name),
            Written::International(digits) => {
                add(digits.clone());
                if let Some(national) =
                    self.country.as_deref().and_then(|country| digits.strip_prefix(country))
                {
                    add(format!("{}{national}", self.national_prefix));
                    add(national.to_owned());
                }
            }
            Written::Plain(digits) => {
                if let Some(country) = self.country.as_deref() {
                    let national = digits.strip_prefix(&self.national_prefix).filter(|rest| !rest.is_empty());
                    // Extensions and service numbers are not part of the public numbering plan.
                    if digits.len() > 6 {
                        if let Some(national) = national {
                            add(format!("{country}{national}"));
                        }
                        if digits.starts_with(country) {
                            add(digits.clone());
                        }
                        if national.is_none() || self.national_prefix.is_empty() {
                            add(format!("{country}{digits}"));
                        }
                    }
                }
                add(digits);
            }
        }
        readings
    }

    /// Parses a user part, or a SIP or tel URI.
    pub(crate) fn written(&self, text: &str) -> Written {
        let text = unescape(text);
        let user = user_part(&text);
        let name = user.to_lowercase();
        if name.is_empty() || WITHHELD.contains(&name.as_str()) {
            return Written::Withheld;
        }
        let digits = without_separators(user);
        let (digits, international) = if let Some(rest) = digits.strip_prefix('+') {
            (rest, true)
        } else if !self.international_prefix.is_empty()
            && digits.len() > self.international_prefix.len() + 6
            && let Some(rest) = digits.strip_prefix(&self.international_prefix)
        {
            (rest, true)
        } else {
            (digits.as_str(), false)
        };
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Written::Name(name);
        }
        if international {
            Written::International(digits.to_owned())
        } else {
            Written::Plain(digits.to_owned())
        }
    }
}

/// A number in the form that rules compare: digits without the sign of the international format, or a name in lower
/// case.
pub(crate) fn bare(text: &str) -> String {
    match Numbering::default().written(text) {
        Written::Withheld => String::new(),
        Written::International(digits) | Written::Plain(digits) => digits,
        Written::Name(name) => name,
    }
}

fn user_part(text: &str) -> &str {
    let text = text.trim();
    let text = ["sip:", "sips:", "tel:"]
        .iter()
        .find(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
        .map_or(text, |scheme| text.get(scheme.len()..).unwrap_or_default());
    text.split(['@', ';', '?']).next().unwrap_or_default().trim()
}

fn without_separators(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '-' | '.' | ' ' | '\u{a0}' | '(' | ')' | '/')).collect()
}

/// Undoes percent escapes (RFC 3986 §2.1); other text stays.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = match (first, after) {
            (b'%', [high, low, beyond @ ..]) => {
                let value = |digit: &u8| char::from(*digit).to_digit(16);
                value(high).zip(value(low)).map(|(high, low)| ((high * 16 + low) as u8, beyond))
            }
            _ => None,
        };
        let (byte, beyond) = escaped.unwrap_or((first, after));
        bytes.push(byte);
        rest = beyond;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
