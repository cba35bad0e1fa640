//! Comma-separated header values (RFC 3261 §7.3.1), commas inside quotes and angle brackets respected.

use std::ops::Range;

use crate::scan;

/// The values in one header field's value. Empty ones (`a,,b`) are yielded as empty slices, so that
/// the caller can tell `badly formed` from `absent`; a value that is all white space yields nothing.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    bytes: &'a [u8],
    /// Start of the next value; `None` when the last has been given out.
    next: Option<usize>,
}

impl<'a> Values<'a> {
    /// Splits a header field's value as it lies in the message (folds are white space).
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        let blank = scan::trim_range(bytes).is_empty();
        Self { bytes, next: (!blank).then_some(0) }
    }
}

/// One value of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    /// The value, without white space around it.
    pub bytes: &'a [u8],
    /// Where those bytes lie in the list.
    pub range: Range<usize>,
    /// Where the value and the comma after it lie: what to cut when it goes.
    pub cut: Range<usize>,
}

impl<'a> Iterator for Values<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let start = self.next?;
        let rest = self.bytes.get(start..)?;
        let comma = comma(rest).map(|at| start + at);
        let end = comma.unwrap_or(self.bytes.len());
        self.next = comma.map(|at| at + 1);
        let raw = self.bytes.get(start..end)?;
        let inner = scan::trim_range(raw);
        let range = start + inner.start..start + inner.end;
        Some(Value { bytes: self.bytes.get(range.clone())?, range, cut: start..self.next.unwrap_or(end) })
    }
}

/// The first comma that separates values.
fn comma(bytes: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped, mut bracketed) = (false, false, false);
    for (i, &b) in bytes.iter().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if !bracketed => quoted = !quoted,
            _ if quoted => {}
            b'<' => bracketed = true,
            b'>' => bracketed = false,
            b',' if !bracketed => return Some(i),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(s: &str) -> Vec<&str> {
        Values::new(s.as_bytes()).map(|v| std::str::from_utf8(v.bytes).unwrap()).collect()
    }

    #[test]
    fn commas_in_quotes_and_brackets_do_not_split() {
        assert_eq!(
            split(r#""Watson, \",T" <sip:a,b@h;x=1,2>;q=1 , <sip:c@h>,sip:d@h"#),
            [r#""Watson, \",T" <sip:a,b@h;x=1,2>;q=1"#, "<sip:c@h>", "sip:d@h"]
        );
    }

    #[test]
    fn empty_values_are_seen() {
        assert_eq!(split("a,,b,"), ["a", "", "b", ""]);
        assert!(split(" \r\n ").is_empty());
    }

    #[test]
    fn cuts_cover_the_comma() {
        let values: Vec<_> = Values::new(b" a , b").map(|v| v.cut).collect();
        assert_eq!(values, [0..4, 4..6]);
    }
}
