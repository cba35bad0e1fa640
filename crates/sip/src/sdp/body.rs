//! Where in a message's body session descriptions are: the body itself, or parts of a multipart (RFC 5621), as when
//! ISUP travels beside one (RFC 3204).
//!
//! Peers differ in which bytes they take for the session's description. Few heed Content-Disposition; some take the
//! first of several, some the last; some go by a body's look where its type says nothing. A description that one of
//! them takes and we pass over leads media around us. So every part is found that is one by its type or by its look,
//! and m= lines that stand anywhere else are noticed.

use std::ops::Range;

use super::lines;
use crate::message::{Header, Message, Name, fields};
use crate::params::Params;
use crate::scan::{self, Cursor};

/// Most levels of multipart within multipart.
const MAX_DEPTH: usize = 3;
/// Most descriptions in a body that are found.
const MAX_DESCRIPTIONS: usize = 8;

/// The descriptions found in a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The descriptions of the session, in the order in which they stand.
    pub session: Vec<Located>,
    /// Those of an early session (RFC 3959).
    pub early: Vec<Located>,
    /// Something is encrypted, signed, compressed, encoded, or stands elsewhere, and may be a description.
    pub sealed: bool,
    /// m= lines stand outside of what was found.
    pub astray: bool,
}

impl Found {
    /// Whether nothing in the body could be taken for a description.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
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

/// Looks for whatever a peer could take for the description of a session.
#[must_use]
pub fn find(message: &Message) -> Found {
    let body = message.body();
    let mut search = Search { body, found: Found::default(), known: Vec::new() };
    if body.is_empty() {
        return search.found;
    }
    let values = |name| message.headers_named(name).map(|header: Header<'_>| header.value);
    let part = Part {
        kinds: values(Name::ContentType).collect(),
        encoded: values(Name::ContentEncoding).any(is_coding)
            || values(Name::ContentTransferEncoding).any(is_coding),
        early: values(Name::ContentDisposition).any(is_early),
        length: None,
    };
    search.look(0..body.len(), &part, 0);
    search.found.astray = !search.found.sealed && search.is_astray();
    search.found
}

/// The headers of a body, or of a part of it, that say what it is.
#[derive(Default)]
struct Part<'a> {
    /// Should Content-Type stand there twice, each may be the one that a peer goes by.
    kinds: Vec<&'a [u8]>,
    encoded: bool,
    early: bool,
    length: Option<Range<usize>>,
}

struct Search<'a> {
    body: &'a [u8],
    found: Found,
    /// Where descriptions were found; none lies within another.
    known: Vec<Range<usize>>,
}

impl<'a> Search<'a> {
    fn look(&mut self, range: Range<usize>, part: &Part<'_>, depth: usize) {
        let bytes = self.bytes(&range);
        let kinds = || part.kinds.iter().filter_map(|kind| media_type(kind));
        let typed = kinds().any(|kind| kind.is_sdp());
        // A sender that forgets the type may forget the media too.
        let plain = looks_described(bytes, part.kinds.is_empty());
        let has_parts = kinds().any(|kind| kind.is_multipart()) && depth < MAX_DEPTH;
        if part.encoded && !plain && (typed || has_parts) || kinds().any(|kind| kind.is_sealed()) {
            self.found.sealed = true;
        }
        if typed && (plain || !part.encoded) || plain && !has_parts {
            self.note(Located { range, length: part.length.clone() }, part.early);
        } else if has_parts {
            for kind in kinds().filter(MediaType::is_multipart) {
                self.look_into(&range, &kind, depth + 1);
            }
        }
    }

    fn look_into(&mut self, range: &Range<usize>, multipart: &MediaType<'_>, depth: usize) {
        let bytes = self.bytes(range);
        let shift = |inner: Range<usize>| range.start + inner.start..range.start + inner.end;
        let boundary =
            multipart.params.value("boundary").map(unquote).filter(|boundary| !boundary.is_empty());
        let (preamble, parts) =
            boundary.map_or((0..bytes.len(), Vec::new()), |boundary| parts(bytes, &boundary));
        // For a peer that goes by another type, or by none, what stands there is all there is.
        self.look(shift(preamble), &Part::default(), depth);
        for inner in parts {
            self.look_into_part(shift(inner), depth);
        }
    }

    fn look_into_part(&mut self, range: Range<usize>, depth: usize) {
        let bytes = self.bytes(&range);
        let (headers, content) = fields(bytes);
        let mut part = Part::default();
        for (name, at) in headers {
            let value = bytes.get(at.clone()).unwrap_or_default();
            match name {
                Name::ContentType => part.kinds.push(value),
                Name::ContentEncoding | Name::ContentTransferEncoding => part.encoded |= is_coding(value),
                Name::ContentDisposition => part.early |= is_early(value),
                Name::ContentLength => part.length = Some(range.start + at.start..range.start + at.end),
                _ => {}
            }
        }
        self.look(range.start + content..range.end, &part, depth);
    }

    fn note(&mut self, located: Located, early: bool) {
        let range = &located.range;
        let overlaps = self.known.iter().any(|known| known.start < range.end && range.start < known.end);
        if overlaps || self.known.len() >= MAX_DESCRIPTIONS {
            return;
        }
        self.known.push(range.clone());
        if early { &mut self.found.early } else { &mut self.found.session }.push(located);
    }

    /// Whether an m= line stands outside of the descriptions.
    fn is_astray(&self) -> bool {
        // Whole lines are looked at: only the place of the m= counts, for a description may end within a line.
        lines::lines(self.body)
            .filter(|line| line.kind == b'm')
            .any(|line| !self.known.iter().any(|known| known.contains(&line.whole.start)))
    }

    fn bytes(&self, range: &Range<usize>) -> &'a [u8] {
        self.body.get(range.clone()).unwrap_or_default()
    }
}

/// Whether bytes of no or another type begin as a description does, and describe media; `without_type`: or have a
/// version.
fn looks_described(bytes: &[u8], without_type: bool) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let start = scan::trim_range(bytes).start;
    let bytes = bytes.get(start..).unwrap_or_default();
    let first = lines::ranges(bytes).next().and_then(|first| lines::line(bytes, first));
    first.is_some_and(|first| {
        (without_type && first.kind == b'v') || lines::lines(bytes).any(|line| line.kind == b'm')
    })
}

/// The text before the first boundary, and the parts between the boundary's lines (RFC 2046 §5.1.1). Parts behind the
/// closing line, which are none, are among them: not everybody stops there.
fn parts(bytes: &[u8], boundary: &str) -> (Range<usize>, Vec<Range<usize>>) {
    let mut parts = Vec::new();
    let mut preamble = None;
    let mut open = None;
    let mut at = 0;
    while at < bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        let next = memchr::memchr(b'\n', rest).map_or(bytes.len(), |lf| at + lf + 1);
        let line = scan::trim(bytes.get(at..next).unwrap_or_default());
        let tail = line.strip_prefix(b"--").and_then(|l| l.strip_prefix(boundary.as_bytes()));
        if let Some(tail @ (b"" | b"--")) = tail {
            let end = before_line_end(bytes, at);
            preamble.get_or_insert(end);
            parts.extend(open.take().map(|start: usize| start..end.max(start)));
            open = (tail == b"").then_some(next);
        }
        at = next;
    }
    // A last boundary that is missing is the end of the body.
    parts.extend(open.map(|start| start..bytes.len()));
    (0..preamble.unwrap_or(bytes.len()), parts)
}

/// The line end before a boundary belongs to the boundary.
fn before_line_end(bytes: &[u8], at: usize) -> usize {
    let head = bytes.get(..at).unwrap_or_default();
    let head = head.strip_suffix(b"\n").unwrap_or(head);
    head.strip_suffix(b"\r").unwrap_or(head).len()
}

struct MediaType<'a> {
    major: &'a str,
    minor: &'a str,
    params: Params<'a>,
}

impl MediaType<'_> {
    /// application/sdp, however the first half is written.
    fn is_sdp(&self) -> bool {
        self.minor.eq_ignore_ascii_case("sdp")
    }

    /// Of parts that can be read.
    fn is_multipart(&self) -> bool {
        self.major.eq_ignore_ascii_case("multipart") && !self.is_sealed()
    }

    /// What may hold a description that can't be reached: encrypted, signed, or at another place (RFC 4483).
    fn is_sealed(&self) -> bool {
        [
            ("application", "pkcs7-mime"),
            ("multipart", "signed"),
            ("multipart", "encrypted"),
            ("message", "external-body"),
        ]
        .iter()
        .any(|(major, minor)| {
            self.major.eq_ignore_ascii_case(major) && self.minor.eq_ignore_ascii_case(minor)
        })
    }
}

fn media_type(value: &[u8]) -> Option<MediaType<'_>> {
    let mut cursor = Cursor::new(value);
    let major = scan::text(cursor.take_while(scan::is_token))?;
    cursor.skip_lws();
    if !cursor.eat(b'/') {
        return None;
    }
    cursor.skip_lws();
    let minor = scan::text(cursor.take_while(scan::is_token))?;
    let params = Params::parse(value, cursor.at()).unwrap_or_default();
    Some(MediaType { major, minor, params })
}

/// Whether a value of Content-Encoding or Content-Transfer-Encoding says that bytes aren't what they stand for.
fn is_coding(value: &[u8]) -> bool {
    !value.is_empty()
        && ![&b"identity"[..], b"7bit", b"8bit", b"binary"]
            .iter()
            .any(|plain| value.eq_ignore_ascii_case(plain))
}

fn is_early(disposition: &[u8]) -> bool {
    Cursor::new(disposition).take_while(scan::is_token).eq_ignore_ascii_case(b"early-session")
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
