//! Changes to a message, made in one copy when it is written out.

use std::net::SocketAddr;
use std::ops::Range;

use bytes::Bytes;

use super::{Header, Message, Name, Start};

/// A list of changes to one message. Everything they don't name stays byte for byte, and
/// Content-Length follows the body.
///
/// Every offset means the message as it came, so the order in which changes are asked for doesn't
/// matter, with two exceptions: insertions at one place stand in the order they were made, and a change
/// that overlaps an earlier one takes its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    splices: Vec<Splice>,
    state_length: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Splice {
    at: Range<usize>,
    with: Vec<u8>,
}

/// Max-Forwards has reached zero (RFC 3261 §16.3, step 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Max-Forwards is zero")]
pub struct HopsExhausted;

impl Edit {
    /// No change.
    #[must_use]
    pub const fn new() -> Self {
        Self { splices: Vec::new(), state_length: false }
    }

    /// Whether nothing is to be changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.splices.is_empty() && !self.state_length
    }

    /// Puts `with` in the place of the bytes `at`; an empty range inserts.
    pub fn splice(&mut self, at: Range<usize>, with: impl Into<Vec<u8>>) {
        if !at.is_empty() {
            self.splices.retain(|s| s.at.end <= at.start || at.end <= s.at.start);
        }
        self.splices.push(Splice { at, with: with.into() });
    }

    /// Another Request-URI; no effect on a response.
    pub fn set_request_uri(&mut self, message: &Message, uri: &str) {
        if let Start::Request { uri: (from, to), .. } = message.start {
            self.splice(from as usize..to as usize, one_line(uri));
        }
    }

    /// A new first value of a header, as a line of its own above the first; without one, below the Vias.
    pub fn push_first(&mut self, message: &Message, name: Name, value: &str) {
        let at = match message.header(name) {
            Some(first) => first.line.start,
            None if name == Name::Via => message.first_line_end(),
            None => {
                message.headers_named(Name::Via).next_back().map_or(message.first_line_end(), |v| v.line.end)
            }
        };
        self.splice(at..at, line(name.as_str(), value));
    }

    /// A new header, below all others.
    pub fn append(&mut self, message: &Message, name: &str, value: &str) {
        let at = message.headers_end as usize;
        self.splice(at..at, line(name, value));
    }

    /// Another value for one header.
    pub fn replace_value(&mut self, header: &Header<'_>, value: &str) {
        let mut with = one_line(value);
        if header.value_range.is_empty() {
            with.insert(0, b' ');
        }
        self.splice(header.value_range(), with);
    }

    /// Takes one header away.
    pub fn remove(&mut self, header: &Header<'_>) {
        self.splice(header.line(), Vec::new());
    }

    /// Takes away the first `count` values of a header, wherever they stand: alone in a line, or in front
    /// of others. Gives the number that were there to take.
    pub fn remove_first_values(&mut self, message: &Message, name: Name, count: usize) -> usize {
        let mut left = count;
        for header in message.headers_named(name) {
            if left == 0 {
                break;
            }
            let (mut taken, mut keep) = (0, None);
            for value in header.values() {
                if taken == left {
                    keep = Some(value.range.start);
                    break;
                }
                taken += 1;
            }
            left -= taken;
            match keep {
                Some(offset) => {
                    let start = header.value_range.start;
                    self.splice(start..start + offset, Vec::new());
                }
                None => self.remove(&header),
            }
        }
        count - left
    }

    /// Puts a Via on top: `SIP/2.0/UDP host:port;branch=…`.
    pub fn push_via(&mut self, message: &Message, value: &str) {
        self.push_first(message, Name::Via, value);
    }

    /// Takes the topmost Via value away.
    pub fn pop_via(&mut self, message: &Message) {
        self.remove_first_values(message, Name::Via, 1);
    }

    /// Counts Max-Forwards down, or sets it to `default` when it is absent (RFC 3261 §16.6, step 3).
    /// A value that isn't a number is set to `default` too.
    ///
    /// # Errors
    /// When it is zero.
    pub fn count_down_hops(&mut self, message: &Message, default: u8) -> Result<(), HopsExhausted> {
        let Some(header) = message.header(Name::MaxForwards) else {
            self.push_first(message, Name::MaxForwards, &default.to_string());
            return Ok(());
        };
        let hops = match message.max_forwards() {
            Some(Ok(hops)) => hops.checked_sub(1).ok_or(HopsExhausted)?,
            _ => default,
        };
        self.replace_value(&header, &hops.to_string());
        Ok(())
    }

    /// Notes in the topmost Via where the request really came from (RFC 3261 §18.2.1, RFC 3581 §4):
    /// `received` when sent-by says otherwise or `rport` is asked for, and `rport` when asked for.
    pub fn fill_received(&mut self, message: &Message, source: SocketAddr) {
        for splice in received(message, source) {
            self.splice(splice.at, splice.with);
        }
    }

    /// Another body. Content-Length follows; Content-Type doesn't.
    pub fn set_body(&mut self, message: &Message, body: impl Into<Vec<u8>>) {
        let range = message.body_range();
        self.splices.retain(|s| s.at.start < range.start);
        self.splices.push(Splice { at: range, with: body.into() });
    }

    /// Puts `with` in the place of the body's bytes `at`, counted from the body's start.
    pub fn splice_body(&mut self, message: &Message, at: Range<usize>, with: impl Into<Vec<u8>>) {
        let body = message.body_range();
        let clamp = |offset: usize| (body.start + offset).min(body.end);
        self.splice(clamp(at.start)..clamp(at.end), with);
    }

    /// Sees to it that a Content-Length is stated, as a stream needs it.
    pub fn state_content_length(&mut self) {
        self.state_length = true;
    }

    /// The message with all changes made. Without changes it is the same bytes, not a copy.
    #[must_use]
    pub fn apply(&self, message: &Message) -> Bytes {
        let length = self.content_length(message);
        if self.splices.is_empty() && length.is_empty() {
            return message.bytes();
        }
        let mut order: Vec<&Splice> = self.splices.iter().chain(&length).collect();
        // At one place insertions come before what is taken away there.
        order.sort_by_key(|s| (s.at.start, !s.at.is_empty()));
        let grown: usize = order.iter().map(|s| s.with.len()).sum();
        let bytes = message.as_bytes();
        let mut out = Vec::with_capacity(bytes.len() + grown);
        let mut at = 0;
        for splice in order {
            // Only an insertion can fall inside what another change takes away; it goes with it.
            if let Some(kept) = bytes.get(at..splice.at.start) {
                out.extend_from_slice(kept);
                out.extend_from_slice(&splice.with);
                at = splice.at.end;
            }
        }
        out.extend_from_slice(bytes.get(at..).unwrap_or_default());
        Bytes::from(out)
    }

    /// Every Content-Length, should there be several: they were equal, and stay so.
    fn content_length(&self, message: &Message) -> Vec<Splice> {
        let body = message.body_range();
        let edits = || self.splices.iter().filter(|s| s.at.start >= body.start);
        let header = message.header(Name::ContentLength);
        let added: usize = edits().map(|s| s.with.len()).sum();
        let removed: usize = edits().map(|s| s.at.len()).sum();
        if added == removed && !(self.state_length && header.is_none()) {
            return Vec::new();
        }
        let length = (body.len() + added).saturating_sub(removed).to_string();
        if header.is_none() {
            let at = message.headers_end as usize;
            return vec![Splice { at: at..at, with: line("Content-Length", &length) }];
        }
        let stated = |header: Header<'_>| {
            let space = if header.value_range.is_empty() { " " } else { "" };
            Splice { at: header.value_range(), with: format!("{space}{length}").into_bytes() }
        };
        message.headers_named(Name::ContentLength).map(stated).collect()
    }
}

impl Message {
    fn first_line_end(&self) -> usize {
        match self.start {
            Start::Request { line_end, .. } | Start::Response { line_end, .. } => line_end as usize,
        }
    }

    /// The header lines of that name as they came, with `received` and `rport` of `source` filled in if
    /// they are Vias.
    pub(super) fn copy_lines(&self, name: Name, source: Option<SocketAddr>, out: &mut Vec<u8>) {
        let mut splices = source.filter(|_| name == Name::Via).map_or_else(Vec::new, |s| received(self, s));
        splices.sort_by_key(|s| s.at.start);
        let mut splices = splices.into_iter().peekable();
        for header in self.headers_named(name) {
            let mut at = header.line.start;
            while let Some(splice) = splices.next_if(|s| s.at.end <= header.line.end) {
                out.extend_from_slice(self.bytes.get(at..splice.at.start).unwrap_or_default());
                out.extend_from_slice(&splice.with);
                at = splice.at.end;
            }
            let rest = self.bytes.get(at..header.line.end).unwrap_or_default();
            out.extend_from_slice(rest);
        }
    }
}

fn received(message: &Message, source: SocketAddr) -> Vec<Splice> {
    let Some(header) = message.header(Name::Via) else { return Vec::new() };
    let Some(value) = header.values().next() else { return Vec::new() };
    let Ok(via) = crate::via::Via::parse(value.bytes) else { return Vec::new() };
    let base = header.value_range.start + value.range.start;
    let mut splices = Vec::new();
    let source_ip = source.ip().to_canonical();
    let rport = via.params.find("rport");
    let due = rport.is_some() || via.host_ip().is_none_or(|ip| ip.to_canonical() != source_ip);
    if let Some(param) = rport {
        let stated = param.value.and_then(|v| v.parse::<u16>().ok());
        if stated != Some(source.port()) {
            let at = base + param.span.start..base + param.span.end;
            splices.push(Splice { at, with: format!("rport={}", source.port()).into_bytes() });
        }
    }
    match via.params.find("received") {
        // The sender's own claim is not to be believed.
        Some(param) if via.received().map(|ip| ip.to_canonical()) != Some(source_ip) => {
            let at = base + param.span.start..base + param.span.end;
            splices.push(Splice { at, with: format!("received={source_ip}").into_bytes() });
        }
        None if due => {
            let at = base + value.bytes.len();
            splices.push(Splice { at: at..at, with: format!(";received={source_ip}").into_bytes() });
        }
        _ => {}
    }
    splices
}

/// Nothing that is put into a header can start a line of its own.
pub(super) fn one_line(text: &str) -> Vec<u8> {
    text.bytes().map(|b| if matches!(b, b'\r' | b'\n' | 0) { b' ' } else { b }).collect()
}

pub(super) fn line(name: &str, value: &str) -> Vec<u8> {
    let mut line = one_line(name);
    line.extend_from_slice(b": ");
    line.extend(one_line(value));
    line.extend_from_slice(b"\r\n");
    line
}
