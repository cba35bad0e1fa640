//! Check digits and shapes of numbers.

/// Whether the digits have a card number's length and check digit (ISO/IEC 7812-1, Luhn).
pub(super) fn is_card(digits: &str) -> bool {
    (13..=19).contains(&digits.len()) && luhn(digits)
}

fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let value = u32::from(byte.wrapping_sub(b'0'));
            match (place % 2, value) {
                (0, value) => value,
                (_, value) if value < 5 => 2 * value,
                (_, value) => 2 * value - 9,
            }
        })
        .sum();
    digits.bytes().all(|byte| byte.is_ascii_digit()) && sum.is_multiple_of(10)
}

/// Countries and the lengths of their IBANs (ISO 13616 registry), of those that callers are likely to have.
const IBAN_LENGTHS: &[(&str, usize)] = &[
    ("ad", 24),
    ("ae", 23),
    ("al", 28),
    ("at", 20),
    ("az", 28),
    ("ba", 20),
    ("be", 16),
    ("bg", 22),
    ("bh", 22),
    ("br", 29),
    ("by", 28),
    ("ch", 21),
    ("cr", 22),
    ("cy", 28),
    ("cz", 24),
    ("de", 22),
    ("dk", 18),
    ("do", 28),
    ("ee", 20),
    ("eg", 29),
    ("es", 24),
    ("fi", 18),
    ("fo", 18),
    ("fr", 27),
    ("gb", 22),
    ("ge", 22),
    ("gi", 23),
    ("gl", 18),
    ("gr", 27),
    ("gt", 28),
    ("hr", 21),
    ("hu", 28),
    ("ie", 22),
    ("il", 23),
    ("iq", 23),
    ("is", 26),
    ("it", 27),
    ("jo", 30),
    ("kw", 30),
    ("kz", 20),
    ("lb", 28),
    ("lc", 32),
    ("li", 21),
    ("lt", 20),
    ("lu", 20),
    ("lv", 21),
    ("ly", 25),
    ("mc", 27),
    ("md", 24),
    ("me", 22),
    ("mk", 19),
    ("mr", 27),
    ("mt", 31),
    ("mu", 30),
    ("nl", 18),
    ("no", 15),
    ("pk", 24),
    ("pl", 28),
    ("ps", 29),
    ("pt", 25),
    ("qa", 29),
    ("ro", 24),
    ("rs", 22),
    ("sa", 24),
    ("sc", 31),
    ("se", 24),
    ("si", 19),
    ("sk", 24),
    ("sm", 27),
    ("tn", 24),
    ("tr", 26),
    ("ua", 29),
    ("va", 22),
    ("vg", 24),
    ("xk", 20),
];

/// The length of the IBANs of a country.
pub(super) fn iban_length(country: &str) -> Option<usize> {
    IBAN_LENGTHS.iter().find(|(known, _)| *known == country).map(|(_, length)| *length)
}

/// Whether `code`, in small letters and digits, begins as an IBAN does: a known country and two check digits.
pub(super) fn begins_iban(code: &str) -> bool {
    code.get(..2).is_some_and(|country| iban_length(country).is_some())
        && code.get(2..4).is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether `code` is an IBAN (ISO 13616: the country's length, and 1 modulo 97).
pub(super) fn is_iban(code: &str) -> bool {
    begins_iban(code)
        && code.get(..2).and_then(iban_length) == Some(code.len())
        && code.bytes().cycle().skip(4).take(code.len()).try_fold(0u32, |rest, byte| match byte {
            b'0'..=b'9' => Some((rest * 10 + u32::from(byte - b'0')) % 97),
            b'a'..=b'z' => Some((rest * 100 + u32::from(byte - b'a') + 10) % 97),
            _ => None,
        }) == Some(1)
}

/// Letters as `a`, digits as `9`: what a code looks like.
pub(super) fn shape(code: &str) -> String {
    code.chars().map(|c| if c.is_ascii_digit() { '9' } else { 'a' }).collect()
}

/// A postcode of the United Kingdom (BS 7666): an area, a district, a sector and a unit.
pub(super) fn is_uk_postcode(code: &str) -> bool {
    matches!(shape(code).as_str(), "a99aa" | "a999aa" | "aa99aa" | "aa999aa" | "a9a9aa" | "aa9a9aa")
}

/// A national insurance number of the United Kingdom, a German pension insurance number.
pub(super) fn is_national_id(code: &str) -> bool {
    matches!(shape(code).as_str(), "aa999999a" | "99999999a999")
}
