//! One SIP message: the bytes as they came, and an index of where things are in them.
//!
//! Parsing makes one pass and copies nothing. Values are read when asked for. What isn't edited (see
//! [`Edit`]) goes out as it came in: case, order, spacing, folds, unknown everything.

mod build;
mod edit;
mod error;
mod method;
mod name;
mod parse;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::Bytes;

pub use build::{RequestBuilder, ResponseBuilder, ack_to_failure, cancel, reason_phrase};
pub use edit::{Edit, HopsExhausted};
pub use error::{Flaw, ParseError};
pub use method::Method;
pub use name::Name;
pub use parse::Limits;
pub(crate) use parse::{fields, head};

use crate::cseq::CSeq;
use crate::list::Values;
use crate::name_addr::{self, NameAddr};
use crate::scan;
use crate::via::Via;

/// One message, byte for byte.
#[derive(Clone)]
pub struct Message {
    bytes: Bytes,
    start: Start,
    lines: Vec<Line>,
    /// Offset of the empty line that ends the headers.
    headers_end: u32,
    body: u32,
    excess: u32,
    /// The Call-ID, where its bytes are not UTF-8; see [`Message::call_id`].
    call_id: Option<Box<str>>,
}

/// The start line's index.
#[derive(Clone, Copy, Debug)]
enum Start {
    Request { method_end: u32, uri: (u32, u32), line_end: u32 },
    Response { status: u16, reason: (u32, u32), line_end: u32 },
}

/// A header's index: one or, when folded, several physical lines.
#[derive(Clone, Copy, Debug)]
struct Line {
    name: Name,
    start: u32,
    name_end: u32,
    value: (u32, u32),
    end: u32,
}

/// The first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartLine<'a> {
    /// `INVITE sip:bob@example.com SIP/2.0`
    Request {
        /// As written.
        method: Method<'a>,
        /// The Request-URI as written; of any scheme, not looked into.
        uri: &'a str,
    },
    /// `SIP/2.0 180 Ringing`
    Response {
        /// 100 to 699.
        status: u16,
        /// As written, possibly empty, possibly not UTF-8.
        reason: &'a [u8],
    },
}

/// One header field, where it lies.
#[derive(Clone, Debug)]
pub struct Header<'a> {
    /// Which one it is.
    pub name: Name,
    /// Its name as written.
    pub name_text: &'a str,
    /// Its value as written, without white space around it; folds, if any, still in it. The typed
    /// parsers of this crate take it so.
    pub value: &'a [u8],
    line: Range<usize>,
    value_range: Range<usize>,
}

impl<'a> Header<'a> {
    /// The value as text on one line: folds become single spaces, bytes that aren't UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> Cow<'a, str> {
        if !self.value.contains(&b'\n') {
            return String::from_utf8_lossy(self.value);
        }
        let lines = self.value.split(|&b| b == b'\n').map(scan::trim).filter(|l| !l.is_empty());
        Cow::Owned(lines.map(String::from_utf8_lossy).collect::<Vec<_>>().join(" "))
    }

    /// The values in it, commas in quotes and brackets respected.
    #[must_use]
    pub fn values(&self) -> Values<'a> {
        Values::new(self.value)
    }

    /// Where the header lies in the message, line end included.
    #[must_use]
    pub fn line(&self) -> Range<usize> {
        self.line.clone()
    }

    /// Where `value` lies in the message.
    #[must_use]
    pub fn value_range(&self) -> Range<usize> {
        self.value_range.clone()
    }
}

impl Message {
    /// Reads one message: a datagram, or what [`crate::framing`] cut out of a stream. Line ends before
    /// the start line and bytes beyond Content-Length are not part of it.
    ///
    /// # Errors
    /// See [`ParseError`], which tells what can be answered from what is to be dropped.
    pub fn parse(bytes: Bytes) -> Result<Self, ParseError> {
        parse::parse(bytes, &Limits::default())
    }

    /// [`Message::parse`] with limits of one's own.
    ///
    /// # Errors
    /// As [`Message::parse`].
    pub fn parse_with(bytes: Bytes, limits: &Limits) -> Result<Self, ParseError> {
        parse::parse(bytes, limits)
    }

    fn slice(&self, (from, to): (u32, u32)) -> &[u8] {
        self.bytes.get(from as usize..to as usize).unwrap_or_default()
    }

    /// The message as it came.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The message as it came, to share without copying.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.bytes.clone()
    }

    /// The first line.
    #[must_use]
    pub fn start(&self) -> StartLine<'_> {
        match self.start {
            Start::Request { method_end, uri, .. } => StartLine::Request {
                // Both were checked when the message was parsed.
                method: Method::parse(self.slice((0, method_end))).unwrap_or(Method::OPTIONS),
                uri: scan::text(self.slice(uri)).unwrap_or_default(),
            },
            Start::Response { status, reason, .. } => {
                StartLine::Response { status, reason: self.slice(reason) }
            }
        }
    }

    /// Whether it is a request.
    #[must_use]
    pub const fn is_request(&self) -> bool {
        matches!(self.start, Start::Request { .. })
    }

    /// The method of a request.
    #[must_use]
    pub fn method(&self) -> Option<Method<'_>> {
        match self.start() {
            StartLine::Request { method, .. } => Some(method),
            StartLine::Response { .. } => None,
        }
    }

    /// The Request-URI of a request, as written.
    #[must_use]
    pub fn request_uri(&self) -> Option<&str> {
        match self.start() {
            StartLine::Request { uri, .. } => Some(uri),
            StartLine::Response { .. } => None,
        }
    }

    /// The status of a response.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self.start {
            Start::Response { status, .. } => Some(status),
            Start::Request { .. } => None,
        }
    }

    fn view(&self, line: &Line) -> Header<'_> {
        Header {
            name: line.name,
            name_text: scan::text(self.slice((line.start, line.name_end))).unwrap_or_default(),
            value: self.slice(line.value),
            line: line.start as usize..line.end as usize,
            value_range: line.value.0 as usize..line.value.1 as usize,
        }
    }

    /// All header fields, in order.
    pub fn headers(&self) -> impl DoubleEndedIterator<Item = Header<'_>> {
        self.lines.iter().map(|line| self.view(line))
    }

    /// The header fields of that name, compact forms included, in order.
    pub fn headers_named(&self, name: Name) -> impl DoubleEndedIterator<Item = Header<'_>> {
        self.lines.iter().filter(move |line| line.name == name).map(|line| self.view(line))
    }

    /// The first header field of that name, compact form included.
    #[must_use]
    pub fn header(&self, name: Name) -> Option<Header<'_>> {
        self.lines.iter().find(|line| line.name == name).map(|line| self.view(line))
    }

    /// The header fields of that name, for names that [`Name`] doesn't list.
    pub fn headers_called<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Header<'a>> {
        self.headers().filter(move |header| header.name_text.eq_ignore_ascii_case(name))
    }

    /// All values of a header that may stand in several lines or comma-separated, in order.
    pub fn values(&self, name: Name) -> impl Iterator<Item = &[u8]> {
        self.headers_named(name).flat_map(|header| header.values().map(|value| value.bytes))
    }

    /// The first value of such a header.
    #[must_use]
    pub fn first_value(&self, name: Name) -> Option<&[u8]> {
        self.values(name).next()
    }

    /// Whether an option tag, or another token of a comma-separated header, is listed (in any case).
    #[must_use]
    pub fn lists(&self, name: Name, token: &str) -> bool {
        self.values(name).any(|value| value.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// The topmost Via value.
    #[must_use]
    pub fn top_via(&self) -> Option<Via<'_>> {
        Via::parse(self.first_value(Name::Via)?).ok()
    }

    /// The From header.
    #[must_use]
    pub fn from(&self) -> Option<NameAddr<'_>> {
        NameAddr::parse(self.header(Name::From)?.value).ok()
    }

    /// The To header.
    #[must_use]
    pub fn to(&self) -> Option<NameAddr<'_>> {
        NameAddr::parse(self.header(Name::To)?.value).ok()
    }

    /// The tag in From, however odd the rest of it is.
    #[must_use]
    pub fn from_tag(&self) -> Option<&str> {
        name_addr::tag(self.header(Name::From)?.value)
    }

    /// The tag in To, however odd the rest of it is.
    #[must_use]
    pub fn to_tag(&self) -> Option<&str> {
        name_addr::tag(self.header(Name::To)?.value)
    }

    /// The Call-ID; empty in a flawed message without one. Bytes that are not UTF-8 are read as Latin-1, which some
    /// devices send, and a space is put behind them: no Call-ID ends in one, so that this one is no other's. On the
    /// wire it stays as it came.
    #[must_use]
    pub fn call_id(&self) -> &str {
        let written = || self.header(Name::CallId).and_then(|h| scan::text(h.value));
        self.call_id.as_deref().or_else(written).unwrap_or_default()
    }

    /// The CSeq; `None` only in a flawed message.
    #[must_use]
    pub fn cseq(&self) -> Option<CSeq<'_>> {
        CSeq::parse(self.header(Name::CSeq)?.value)
    }

    /// Max-Forwards: `Err` with what stands there when it isn't a number from 0 to 255.
    ///
    /// # Errors
    /// The malformed value.
    pub fn max_forwards(&self) -> Option<Result<u8, &[u8]>> {
        let value = self.header(Name::MaxForwards)?.value;
        Some(scan::decimal(value).and_then(|n| u8::try_from(n).ok()).ok_or(value))
    }

    /// The body; empty when there is none.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.bytes.get(self.body as usize..).unwrap_or_default()
    }

    /// Where the body lies in [`Message::as_bytes`].
    #[must_use]
    pub fn body_range(&self) -> Range<usize> {
        self.body as usize..self.bytes.len()
    }

    /// Bytes that followed the body in the same datagram and were left out (RFC 3261 §18.3).
    #[must_use]
    pub const fn excess(&self) -> usize {
        self.excess as usize
    }
}

/// The kind and size of a message: its parties are not for the log.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Message");
        match self.start() {
            StartLine::Request { method, .. } => out.field("method", &method.as_str()),
            StartLine::Response { status, .. } => out.field("status", &status),
        };
        out.field("headers", &self.lines.len()).field("bytes", &self.bytes.len()).finish()
    }
}
