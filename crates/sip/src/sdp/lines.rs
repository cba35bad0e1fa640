//! How a description falls into lines: as the most lenient peer would have it.
//!
//! RFC 8866 has lines that end in CRLF and begin with a small letter and `=`. Some parsers also take a lone CR for a
//! line's end (pjmedia, sofia-sip), pass over white space in front of the letter (sofia-sip), or take capitals. A line
//! that one of them reads and we do not would lead media around us, so all of that counts as a line here.

use std::ops::Range;

/// One line of the form `x=…`.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// The letter, in lower case.
    pub(super) kind: u8,
    /// The text behind `=`.
    pub(super) value: Range<usize>,
    /// From the beginning of the line to the end of its line end.
    pub(super) whole: Range<usize>,
}

/// Where the lines lie, their ends included: CRLF, LF or CR.
pub(super) fn ranges(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let end = match memchr::memchr2(b'\r', b'\n', rest) {
            None => bytes.len(),
            Some(cr) if rest.get(cr..cr + 2) == Some(b"\r\n") => at + cr + 2,
            Some(end) => at + end + 1,
        };
        Some(std::mem::replace(&mut at, end)..end)
    })
}

/// The line at a place, if it is of the form `x=…`.
pub(super) fn line(bytes: &[u8], whole: Range<usize>) -> Option<Line> {
    let text = bytes.get(whole.clone())?;
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let letter = blanks(text);
    let kind = text.get(letter).filter(|kind| kind.is_ascii_alphabetic())?.to_ascii_lowercase();
    let equals = letter + 1 + blanks(text.get(letter + 1..)?);
    let value = whole.start + equals + 1..whole.start + text.len();
    (text.get(equals) == Some(&b'=')).then_some(Line { kind, value, whole })
}

/// All lines of the form `x=…`.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = Line> {
    ranges(bytes).filter_map(|whole| line(bytes, whole))
}

fn blanks(text: &[u8]) -> usize {
    text.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_ends_a_line_and_every_spelling_begins_one() {
        let text = b"v=0\r\no=x\rc=y\nnone\r\n\r\n m=a\r\nM =b\nmm=c\r=d\rt=";
        assert_eq!(ranges(text).map(|at| at.len()).sum::<usize>(), text.len());
        let seen: Vec<_> =
            lines(text).map(|line| (line.kind, std::str::from_utf8(&text[line.value]).unwrap())).collect();
        assert_eq!(seen, [(b'v', "0"), (b'o', "x"), (b'c', "y"), (b'm', "a"), (b'm', "b"), (b't', "")]);
    }
}
