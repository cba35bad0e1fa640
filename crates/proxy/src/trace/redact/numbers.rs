//! The telephone numbers of a call, so that they are recognised in unexpected places.

use std::collections::{HashMap, VecDeque};

use sidetone_sip::message::Message;

use super::fields::ADDRESSES;

/// Trailing digits that identify a number: the subscriber's part is the same in the national and the international
/// format.
const TAIL: usize = 7;
/// Shorter numbers are extensions, or no numbers at all, and occur in many words by chance.
const LEAST: usize = 5;
/// Most numbers that are looked for; no real call has more.
const MOST: usize = 64;
/// Digits in a row that may be a number, where a call's numbers are not known.
const SUSPECT: usize = 7;
/// Most calls whose numbers are remembered, about 100 bytes each; the oldest is forgotten first.
const MOST_CALLS: usize = 2_048;

/// The last digits of a call's numbers.
#[derive(Debug, Default, Clone)]
pub(super) struct Numbers {
    tails: Vec<String>,
    /// Whether the request that began the call was seen. A response repeats From, To and Call-ID, and need not repeat
    /// the number that the Call-ID was made of.
    whole: bool,
}

impl Numbers {
    /// Collects numbers from every URI and every display name of a message, in any header.
    pub(super) fn of(message: &Message) -> Self {
        // A request without a tag in To begins a dialog; later messages refer to it.
        let whole = message.method().is_some() && message.to_tag().is_none();
        let mut numbers = Self { tails: Vec::new(), whole };
        let head = message.as_bytes().get(..message.body_range().start).unwrap_or_default();
        let head = sidetone_sip::uri::unescape(&String::from_utf8_lossy(head)).into_owned();
        let lower = head.to_ascii_lowercase();
        for scheme in ["sip:", "sips:", "tel:"] {
            for (at, _) in lower.match_indices(scheme) {
                let user = head.get(at + scheme.len()..).unwrap_or_default();
                let end = user.find(['@', ';', '>', ' ', '\r', '\n', ',', '?']).unwrap_or(user.len());
                numbers.add(user.get(..end).unwrap_or_default());
            }
        }
        // Every other piece between quotes is a display name, or close enough to one.
        for quoted in head.split('"').skip(1).step_by(2) {
            numbers.add(quoted);
        }
        // Display names without quotes, and malformed addresses: `From: 030 1234567 <sip:anonymous@invalid>`.
        for header in message.headers() {
            let name = header.name.as_str();
            let name = if name.is_empty() { header.name_text } else { name };
            if ADDRESSES.contains(&name.to_ascii_lowercase().as_str()) {
                let value = header.text();
                for part in value.split(',') {
                    numbers.add(part.split(['<', ';', '@']).next().unwrap_or_default());
                }
            }
        }
        numbers
    }

    fn join(&mut self, other: &Self) {
        self.whole |= other.whole;
        other.tails.iter().for_each(|tail| self.remember(tail));
    }

    fn add(&mut self, text: &str) {
        let digits = digits(text);
        if digits.len() >= LEAST {
            self.remember(digits.get(digits.len().saturating_sub(TAIL)..).unwrap_or(&digits));
        }
    }

    fn remember(&mut self, tail: &str) {
        if self.tails.len() < MOST && !self.tails.iter().any(|known| known == tail) {
            self.tails.push(tail.to_owned());
        }
    }

    /// Whether one of them stands in `text`, in any grouping, or digits that can only be a number.
    pub(super) fn stand_in(&self, text: &str) -> bool {
        let unescaped = text.contains('%').then(|| sidetone_sip::uri::unescape(text));
        [Some(text), unescaped.as_deref()].into_iter().flatten().any(|text| {
            let plain = digits(text);
            self.tails.iter().any(|tail| plain.contains(tail.as_str()))
                || text.split('+').skip(1).any(|after| leading_digits(after) >= SUSPECT)
                || !self.whole && longest_run(text) >= SUSPECT
        })
    }
}

/// The numbers of calls, from one message to the next.
#[derive(Debug, Default)]
pub(crate) struct Remembered {
    calls: HashMap<String, Numbers>,
    order: VecDeque<String>,
}

impl Remembered {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Adds a message's numbers to those of its call; returns all of the call's.
    pub(super) fn with(&mut self, call_id: &str, numbers: &Numbers) -> Numbers {
        if let Some(known) = self.calls.get_mut(call_id) {
            known.join(numbers);
            return known.clone();
        }
        if self.order.len() >= MOST_CALLS
            && let Some(first) = self.order.pop_front()
        {
            self.calls.remove(&first);
        }
        self.order.push_back(call_id.to_owned());
        self.calls.insert(call_id.to_owned(), numbers.clone());
        numbers.clone()
    }
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn leading_digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn longest_run(text: &str) -> usize {
    text.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0)
}
