//! The telephone numbers in a message, so that they are found again where they don't belong.

use sidetone_sip::message::Message;

/// Digits by which a number is recognised: the subscriber's part is the same in the national and the international format.
const TAIL: usize = 7;
/// Fewer digits are an extension's, or no number at all, and stand in every other word by chance.
const LEAST: usize = 5;
/// Numbers that are looked for; a message with more of them is no call's.
const MOST: usize = 64;

/// How the numbers of a message end.
#[derive(Debug, Default)]
pub(super) struct Numbers(Vec<String>);

impl Numbers {
    /// From every URI and every display name of a message, whatever header they stand in.
    pub(super) fn of(message: &Message) -> Self {
        let mut numbers = Self::default();
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
        numbers
    }

    fn add(&mut self, text: &str) {
        let digits = digits(text);
        if digits.len() < LEAST || self.0.len() >= MOST {
            return;
        }
        let tail = digits.get(digits.len().saturating_sub(TAIL)..).unwrap_or(&digits).to_owned();
        if !self.0.contains(&tail) {
            self.0.push(tail);
        }
    }

    /// Whether one of them stands in `text`, in whatever grouping.
    pub(super) fn stand_in(&self, text: &str) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let plain = digits(text);
        let plain_unescaped = text.contains('%').then(|| digits(&sidetone_sip::uri::unescape(text)));
        self.0.iter().any(|tail| {
            plain.contains(tail.as_str())
                || plain_unescaped.as_ref().is_some_and(|text| text.contains(tail.as_str()))
        })
    }
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}
