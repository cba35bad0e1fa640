//! Sanitising of text: a peer's text for display, and sent text so that it can be nothing but a value.

/// The longest name or id of a channel that is accepted.
const LONGEST_ID: usize = 150;

/// A value for a line of a line protocol: control characters, above all line ends, become spaces.
pub(crate) fn one_line(value: &str) -> String {
    value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A peer's text for a log line: printable and short.
pub(crate) fn shown(value: &str) -> String {
    one_line(value.trim()).chars().take(120).collect()
}

/// Whether this can be the id or the name of a channel: graphic ASCII, not too long.
pub(crate) fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Percent-encodes everything but unreserved characters (RFC 3986, section 2.3).
pub(crate) fn percent(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.push(char::from_digit(u32::from(digit), 16).unwrap_or('0').to_ascii_uppercase());
            }
        }
    }
    out
}

/// The longest beginning of `text` of at most `most` bytes, and the rest.
pub(crate) fn cut(text: &str, most: usize) -> (&str, &str) {
    text.split_at(text.floor_char_boundary(most))
}

/// The rest of a name after a prefix, in any case: `SIDETONE_TELL_QUEUE` yields `QUEUE`.
pub(crate) fn after_prefix<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let head = name.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| name.get(prefix.len()..)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_stays_a_value() {
        assert_eq!(one_line("a\r\nAction: Command\0"), "a  Action: Command ");
        assert_eq!(percent("PJSIP/a b&c=ü"), "PJSIP%2Fa%20b%26c%3D%C3%BC");
        assert!(is_id("PJSIP/sidetone-00000000") && !is_id("a b") && !is_id("") && !is_id("a\n"));
        assert_eq!(after_prefix("sidetone_tell_Queue", "SIDETONE_TELL_"), Some("Queue"));
        assert_eq!(after_prefix("SIDETONE_TE", "SIDETONE_TELL_"), None);
    }

    proptest! {
        #[test]
        fn nothing_breaks_out(value in ".*") {
            prop_assert!(!one_line(&value).contains(char::is_control));
            prop_assert!(percent(&value).bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)));
            let (head, tail) = cut(&value, 7);
            prop_assert!(head.len() <= 7);
            prop_assert_eq!([head, tail].concat(), value);
        }
    }
}
