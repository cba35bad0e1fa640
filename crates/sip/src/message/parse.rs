//! The one pass over the bytes.

use std::ops::Range;

use bytes::Bytes;

use super::{Flaw, Line, Message, Method, Name, ParseError, Start};
use crate::cseq::CSeq;
use crate::list::Values;
use crate::scan;
use crate::via::Via;

/// Bounds on what is read. They hold memory and time, not taste: all are far above what RFC 4475's
/// longest messages need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest message in bytes.
    pub message: usize,
    /// Most header fields.
    pub headers: usize,
    /// Longest header field in bytes, folds included.
    pub line: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message: 128 * 1024, headers: 256, line: 16 * 1024 }
    }
}

/// Headers that stand exactly once in every message, but for Via, which stands at least once.
const MANDATORY: [Name; 5] = [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq];
/// Headers that dialogs and transactions are told apart by: two of them, and neighbours would choose differently.
const SINGLE: [Name; 4] = [Name::From, Name::To, Name::CallId, Name::CSeq];

pub(super) fn parse(bytes: Bytes, limits: &Limits) -> Result<Message, ParseError> {
    let lead = bytes.iter().position(|b| !matches!(b, b'\r' | b'\n')).unwrap_or(bytes.len());
    let bytes = if lead > 0 { bytes.slice(lead..) } else { bytes };
    if bytes.is_empty() {
        return Err(ParseError::new(Flaw::Empty, None));
    }
    if u32::try_from(bytes.len()).is_err() {
        return Err(ParseError::new(Flaw::TooLarge, None));
    }
    let mut flaw = (bytes.len() > limits.message).then_some(Flaw::TooLarge);
    let (start, line_end) = match start_line(&bytes) {
        Ok(found) => found,
        Err((later, Some(found))) => {
            flaw = flaw.or(Some(later));
            found
        }
        Err((flaw, None)) => return Err(ParseError::new(flaw, None)),
    };
    let index = index(&bytes, line_end, limits);
    flaw = flaw.or(index.flaw);
    let mut message = Message {
        bytes,
        start,
        lines: index.lines,
        headers_end: offset(index.headers_end),
        body: offset(index.body),
        excess: 0,
        call_id: None,
    };
    message.call_id = message.header(Name::CallId).and_then(|header| latin1(header.value));
    flaw =
        flaw.or_else(|| presence(&message)).or_else(|| values(&message)).or_else(|| cut_body(&mut message));
    match flaw {
        None => Ok(message),
        Some(flaw) => {
            // A response can do without what the request lacks, but not without its Vias (RFC 4475 §3.3.1).
            let answerable = message.is_request() && message.header(Name::Via).is_some();
            Err(ParseError::new(flaw, answerable.then_some(message)))
        }
    }
}

/// Offsets are 32 bits wide: the length was checked before any is made.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

type Found = (Start, usize);

/// The start line and where the line after it begins. An error may still bring a start line that is
/// good enough to answer by.
fn start_line(bytes: &[u8]) -> Result<Found, (Flaw, Option<Found>)> {
    let drop = (Flaw::StartLine, None);
    let end = memchr::memchr(b'\n', bytes).ok_or(drop)? + 1;
    let line = bytes.get(..end - 1).unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.contains(&b'\r') || line.contains(&0) {
        return Err(drop);
    }
    if line.get(..4).is_some_and(|v| v.eq_ignore_ascii_case(b"SIP/")) {
        return status_line(line, end).ok_or(drop);
    }
    let method_end = line.iter().position(|&b| b == b' ').ok_or(drop)?;
    Method::parse(line.get(..method_end).unwrap_or_default()).ok_or(drop)?;
    let uri_end = line.iter().rposition(|&b| b == b' ').unwrap_or(method_end);
    let uri_start = method_end + 1;
    let version = line.get(uri_end + 1..).unwrap_or_default();
    let uri = line.get(uri_start..uri_end).and_then(scan::text);
    let found = |uri: (usize, usize)| {
        let uri = (offset(uri.0), offset(uri.1));
        (Start::Request { method_end: offset(method_end), uri, line_end: offset(end) }, end)
    };
    let Some(uri) = uri.filter(|u| is_uri_text(u)) else {
        // Spaces in the wrong places or a bracketed URI: the line is recognisably SIP's, so it is answered.
        let sip =
            scan::trim(line).len() > 8 && line.windows(8).any(|word| word.eq_ignore_ascii_case(b" SIP/2.0"));
        return Err((Flaw::StartLine, sip.then(|| found((uri_start, uri_start)))));
    };
    let found = found((uri_start, uri_start + uri.len()));
    if version.eq_ignore_ascii_case(b"SIP/2.0") {
        Ok(found)
    } else if version.get(..4).is_some_and(|v| v.eq_ignore_ascii_case(b"SIP/")) {
        Err((Flaw::Version, Some(found)))
    } else {
        Err(drop)
    }
}

/// A URI's characters; what scheme and form it has is for the router to judge.
fn is_uri_text(uri: &str) -> bool {
    !uri.is_empty() && !uri.bytes().any(|b| b.is_ascii_control() || matches!(b, b' ' | b'<' | b'>' | b'"'))
}

fn status_line(line: &[u8], end: usize) -> Option<Found> {
    let rest = line.get(7..).filter(|_| line.get(..7).is_some_and(|v| v.eq_ignore_ascii_case(b"SIP/2.0")))?;
    let rest = rest.strip_prefix(b" ")?;
    let digits = rest.get(..3)?;
    let status = u16::try_from(scan::decimal(digits)?).ok().filter(|s| (100..700).contains(s))?;
    let reason_at = match rest.get(3) {
        // The space is due even before an empty reason, but is often forgotten.
        None => line.len(),
        Some(b' ') => 12,
        Some(_) => return None,
    };
    Some((
        Start::Response { status, reason: (offset(reason_at), offset(line.len())), line_end: offset(end) },
        end,
    ))
}

struct Index {
    lines: Vec<Line>,
    headers_end: usize,
    body: usize,
    /// Lines that are no header fields.
    odd: usize,
    flaw: Option<Flaw>,
}

/// Indexes header fields up to the empty line. After a flaw it goes on, so that an answer can be built.
fn index(bytes: &[u8], first: usize, limits: &Limits) -> Index {
    let mut index = Index {
        lines: Vec::with_capacity(24),
        headers_end: bytes.len(),
        body: bytes.len(),
        odd: 0,
        flaw: None,
    };
    let mut at = first;
    if matches!(bytes.get(at), Some(b' ' | b'\t')) {
        // A fold with nothing before it: some take it for a part of the start line, others for a header.
        index.flaw = Some(Flaw::Header);
    }
    loop {
        let Some(mut line) = physical_line(bytes, at) else {
            index.flaw = index.flaw.or(Some(Flaw::Truncated));
            return index;
        };
        if line.text.is_empty() {
            index.headers_end = at;
            index.body = line.next;
            return index;
        }
        let start = at;
        let mut clean = line.clean();
        let head = line.text;
        let mut text_end = start + head.len();
        at = line.next;
        while matches!(bytes.get(at), Some(b' ' | b'\t')) {
            line = match physical_line(bytes, at) {
                Some(fold) => fold,
                None => break,
            };
            clean &= line.clean();
            text_end = at + line.text.len();
            at = line.next;
        }
        if at - start > limits.line {
            index.flaw = index.flaw.or(Some(Flaw::LineTooLong));
        }
        if index.lines.len() >= limits.headers {
            index.flaw = index.flaw.or(Some(Flaw::TooManyHeaders));
            return index;
        }
        if !clean {
            index.flaw = index.flaw.or(Some(Flaw::Header));
        }
        // A line that is no header field is nothing that a proxy needs: it is passed over, and stays in the message
        // (RFC 3261 §16.3 step 1). It counts toward the limit, so that looking for it costs no more than others do.
        match field(bytes, start, head, text_end, at) {
            Some(line) => index.lines.push(line),
            None if index.odd < limits.headers => index.odd += 1,
            None => {
                index.flaw = index.flaw.or(Some(Flaw::TooManyHeaders));
                return index;
            }
        }
    }
}

struct Physical<'a> {
    text: &'a [u8],
    /// Where the next line begins.
    next: usize,
}

impl Physical<'_> {
    /// A CR in the middle of a line, or a NUL, is read differently by different parsers: not passed on. Only a
    /// backslash makes a NUL legal (RFC 3261 §25.1 `quoted-pair`).
    fn clean(&self) -> bool {
        memchr::memchr2_iter(b'\r', 0, self.text).all(|at| {
            let before = at.checked_sub(1).and_then(|at| self.text.get(at));
            self.text.get(at) == Some(&0) && before == Some(&b'\\')
        })
    }
}

/// Lines end in CRLF. LF alone is taken as an end too, since the peers behind us take it so: a message
/// must not mean one thing here and another there.
fn physical_line(bytes: &[u8], at: usize) -> Option<Physical<'_>> {
    let rest = bytes.get(at..)?;
    let end = memchr::memchr(b'\n', rest)?;
    let text = rest.get(..end)?;
    Some(Physical { text: text.strip_suffix(b"\r").unwrap_or(text), next: at + end + 1 })
}

fn field(bytes: &[u8], start: usize, head: &[u8], text_end: usize, end: usize) -> Option<Line> {
    let colon = memchr::memchr(b':', head)?;
    let name = head.get(..colon)?;
    let name_len = name.iter().rposition(|&b| !matches!(b, b' ' | b'\t'))? + 1;
    let name = name.get(..name_len)?;
    if !name.iter().all(|&b| scan::is_token(b)) {
        return None;
    }
    let value_at = start + colon + 1;
    let value = scan::trim_range(bytes.get(value_at..text_end)?);
    Some(Line {
        name: Name::of(name),
        start: offset(start),
        name_end: offset(start + name_len),
        value: (offset(value_at + value.start), offset(value_at + value.end)),
        end: offset(end),
    })
}

/// The header fields of a message whose headers are complete, body or not: name and value. `None` when
/// they go beyond the limits.
pub(crate) fn head<'a>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Option<impl Iterator<Item = (Name, &'a [u8])> + use<'a>> {
    let first = memchr::memchr(b'\n', bytes)? + 1;
    let index = index(bytes, first, limits);
    if matches!(index.flaw, Some(Flaw::TooManyHeaders | Flaw::LineTooLong)) {
        return None;
    }
    Some(
        index
            .lines
            .into_iter()
            .filter_map(|line| Some((line.name, bytes.get(line.value.0 as usize..line.value.1 as usize)?))),
    )
}

/// The header fields of a MIME part, name and where the value lies, and where its content begins.
pub(crate) fn fields(bytes: &[u8]) -> (impl Iterator<Item = (Name, Range<usize>)>, usize) {
    let index = index(bytes, 0, &Limits { headers: 32, ..Limits::default() });
    let fields =
        index.lines.into_iter().map(|line| (line.name, line.value.0 as usize..line.value.1 as usize));
    (fields, index.body)
}

fn presence(message: &Message) -> Option<Flaw> {
    let count = |name| message.lines.iter().filter(|line| line.name == name).count();
    if MANDATORY.iter().any(|&name| count(name) == 0) {
        return Some(Flaw::MissingHeader);
    }
    let lengths_differ = || {
        let mut lengths = message.headers_named(Name::ContentLength).map(|h| scan::decimal(h.value));
        let first = lengths.next();
        lengths.any(|length| Some(length) != first)
    };
    (SINGLE.iter().any(|&name| count(name) > 1) || lengths_differ()).then_some(Flaw::RepeatedHeader)
}

/// The values that routing and answering rest on.
fn values(message: &Message) -> Option<Flaw> {
    let value = |name| message.header(name).map(|header| header.value).unwrap_or_default();
    // Every Via is read on the way: ours when the request comes round again, the others' when the response goes back.
    let proper = |value: &[u8]| value.first().is_some_and(|&byte| scan::is_token(byte));
    let via =
        message.headers_named(Name::Via).all(|h| !h.value.is_empty() && h.values().all(|v| proper(v.bytes)));
    let top = Values::new(value(Name::Via)).next();
    if !via || top.is_none_or(|v| Via::parse(v.bytes).is_err()) {
        return Some(Flaw::Via);
    }
    let Some(cseq) = CSeq::parse(value(Name::CSeq)) else { return Some(Flaw::CSeq) };
    if message.method().is_some_and(|method| method != cseq.method) {
        return Some(Flaw::MethodMismatch);
    }
    // A proxy needs only the tags of From and To: other flaws in them are for the parties to make out.
    if value(Name::From).is_empty() {
        return Some(Flaw::From);
    }
    if value(Name::To).is_empty() {
        return Some(Flaw::To);
    }
    value(Name::CallId).is_empty().then_some(Flaw::CallId)
}

/// A value that isn't UTF-8, read as Latin-1, with a space behind it; none if it is UTF-8.
fn latin1(value: &[u8]) -> Option<Box<str>> {
    if scan::text(value).is_some() {
        return None;
    }
    Some(value.iter().map(|&byte| char::from(byte)).chain([' ']).collect())
}

/// Holds the body to its Content-Length.
fn cut_body(message: &mut Message) -> Option<Flaw> {
    let header = message.header(Name::ContentLength)?;
    let Some(length) = scan::decimal(header.value) else { return Some(Flaw::ContentLength) };
    let present = message.body().len();
    match usize::try_from(length).ok().and_then(|length| present.checked_sub(length)) {
        None => Some(Flaw::ShortBody),
        Some(excess) => {
            message.excess = offset(excess);
            message.bytes.truncate(message.bytes.len() - excess);
            None
        }
    }
}
