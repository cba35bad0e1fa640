//! Where in a message's body the session description is: the body itself, or a part of a multipart
//! (RFC 5621), as when ISUP travels beside it (RFC 3204).

use std::ops::Range;

use crate::message::{Message, Name, fields};
use crate::params::Params;
use crate::scan::{self, Cursor};

/// Most levels of multipart within multipart.
const MAX_DEPTH: usize = 3;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// No session description.
    Nothing,
    /// One that is out of reach: encrypted, signed, or compressed. It passes as it is.
    Sealed,
    /// Here.
    Sdp(Located),
}

/// A session description in a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Where it lies, counted from the body's start.
    pub range: Range<usize>,
    /// The value of the part's own Content-Length, if it has one, to be kept true: where it lies, counted
    /// from the body's start.
    pub length: Option<Range<usize>>,
}

/// Looks for the description of the session itself: not an early session's (RFC 3959), not one that
/// is there to be shown.
#[must_use]
pub fn find(message: &Message) -> Found {
    let body = message.body();
    if body.is_empty() {
        return Found::Nothing;
    }
    let value = |name| message.header(name).map(|header| header.value);
    let kind = value(Name::ContentType);
    let sealed =
        value(Name::ContentEncoding).is_some_and(|e| !e.is_empty() && !e.eq_ignore_ascii_case(b"identity"));
    let part = Part { kind, sealed, disposition: value(Name::ContentDisposition), length: None };
    look(body, 0..body.len(), &part, 0)
}

/// What the headers of a body or of a part of it say.
struct Part<'a> {
    kind: Option<&'a [u8]>,
    sealed: bool,
    disposition: Option<&'a [u8]>,
    length: Option<Range<usize>>,
}

fn look(body: &[u8], range: Range<usize>, part: &Part<'_>, depth: usize) -> Found {
    let bytes = body.get(range.clone()).unwrap_or_default();
    let here = || Found::Sdp(Located { range: range.clone(), length: part.length.clone() });
    let Some(kind) = part.kind else {
        // Without a type at the top level the body speaks for itself.
        return if depth == 0 && bytes.starts_with(b"v=0") { here() } else { Found::Nothing };
    };
    let disposition = part.disposition.map(word).unwrap_or(b"session");
    if !disposition.eq_ignore_ascii_case(b"session") {
        return Found::Nothing;
    }
    let Some((major, minor, params)) = media_type(kind) else { return Found::Nothing };
    let is = |a: &str, b: &str| major.eq_ignore_ascii_case(a) && minor.eq_ignore_ascii_case(b);
    if is("application", "sdp") {
        return if part.sealed { Found::Sealed } else { here() };
    }
    if is("application", "pkcs7-mime") || is("multipart", "signed") || is("multipart", "encrypted") {
        return Found::Sealed;
    }
    if !major.eq_ignore_ascii_case("multipart") || depth >= MAX_DEPTH {
        return Found::Nothing;
    }
    if part.sealed {
        return Found::Sealed;
    }
    let Some(boundary) = params.value("boundary").map(unquote).filter(|b| !b.is_empty()) else {
        return Found::Nothing;
    };
    parts(bytes, &boundary)
        .into_iter()
        .map(|inner| range.start + inner.start..range.start + inner.end)
        .map(|inner| in_part(body, inner, depth + 1))
        .find(|found| *found != Found::Nothing)
        .unwrap_or(Found::Nothing)
}

fn in_part(body: &[u8], range: Range<usize>, depth: usize) -> Found {
    let bytes = body.get(range.clone()).unwrap_or_default();
    let (headers, content) = fields(bytes);
    let mut part = Part { kind: None, sealed: false, disposition: None, length: None };
    for (name, at) in headers {
        let value = bytes.get(at.clone()).unwrap_or_default();
        match name {
            Name::ContentType => part.kind = Some(value),
            Name::ContentEncoding => part.sealed = !value.eq_ignore_ascii_case(b"identity"),
            Name::ContentDisposition => part.disposition = Some(value),
            Name::ContentLength => part.length = Some(range.start + at.start..range.start + at.end),
            _ => {}
        }
    }
    look(body, range.start + content..range.end, &part, depth)
}

/// The parts between the boundary's lines; preamble and epilogue aren't among them (RFC 2046 §5.1.1).
fn parts(bytes: &[u8], boundary: &str) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut open = None;
    let mut at = 0;
    while at < bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        let next = memchr::memchr(b'\n', rest).map_or(bytes.len(), |lf| at + lf + 1);
        let line = scan::trim(bytes.get(at..next).unwrap_or_default());
        let tail = line.strip_prefix(b"--").and_then(|l| l.strip_prefix(boundary.as_bytes()));
        if let Some(tail @ (b"" | b"--")) = tail {
            if let Some(start) = open.take() {
                parts.push(start..before_line_end(bytes, at).max(start));
            }
            if tail == b"--" {
                return parts;
            }
            open = Some(next);
        }
        at = next;
    }
    // A last boundary that is missing is the end of the body.
    parts.extend(open.map(|start| start..bytes.len()));
    parts
}

/// The line end before a boundary belongs to the boundary.
fn before_line_end(bytes: &[u8], at: usize) -> usize {
    let head = bytes.get(..at).unwrap_or_default();
    let head = head.strip_suffix(b"\n").unwrap_or(head);
    head.strip_suffix(b"\r").unwrap_or(head).len()
}

fn media_type(value: &[u8]) -> Option<(&str, &str, Params<'_>)> {
    let mut cursor = Cursor::new(value);
    let major = scan::text(cursor.take_while(scan::is_token))?;
    cursor.skip_lws();
    if !cursor.eat(b'/') {
        return None;
    }
    cursor.skip_lws();
    let minor = scan::text(cursor.take_while(scan::is_token))?;
    Some((major, minor, Params::parse(value, cursor.at()).unwrap_or_default()))
}

fn word(value: &[u8]) -> &[u8] {
    Cursor::new(value).take_while(scan::is_token)
}

fn unquote(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut out = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            out.push(c);
            escaped = false;
        }
    }
    out
}
