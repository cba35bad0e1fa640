//! A description's lines, and the tokens in them that an anchor edits.

use std::net::IpAddr;
use std::ops::Range;

use sidetone_call::IpFamily;

use super::lines::{self, Line};
use crate::scan::{self, Cursor};

/// Most lines that are read; a description with more is refused.
const MAX_LINES: usize = 2048;

/// A session description, where it lies.
#[derive(Clone, Debug)]
pub struct Description<'a> {
    bytes: &'a [u8],
    lines: Vec<Line>,
    /// Index of the first m= line, or the number of lines.
    session_lines: usize,
    media: Vec<MediaIndex>,
}

#[derive(Clone, Debug)]
struct MediaIndex {
    lines: Range<usize>,
    kind: Range<usize>,
    /// Empty where an unreadable line has no word in the port's place.
    port: Range<usize>,
    port_number: u16,
    readable: bool,
    /// Where the port stands, with the `/count` that may follow.
    ports: Range<usize>,
    protocol: Range<usize>,
    formats: Range<usize>,
}

/// Why a description can't be anchored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SdpError {
    /// The body neither begins with `v=` nor has an m= line.
    #[error("not a session description")]
    NoVersion,
    /// More lines than any session needs.
    #[error("too many lines")]
    TooManyLines,
}

/// A c= line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection<'a> {
    /// The address as written, without TTL or count; may be a name.
    pub address: &'a str,
    /// The address, when it is one.
    pub ip: Option<IpAddr>,
    /// Its stated family.
    pub family: Option<IpFamily>,
    /// Where the addrtype (`IP4`) stands.
    pub addrtype_range: Range<usize>,
    /// Where the address and what `/` adds to it stand.
    pub address_range: Range<usize>,
}

impl Connection<'_> {
    /// `0.0.0.0` or `::`: the party wants to be sent nothing (RFC 3264 §8.4).
    #[must_use]
    pub fn is_nowhere(&self) -> bool {
        self.ip.is_some_and(|ip| ip.to_canonical().is_unspecified())
    }
}

/// An a=rtcp line (RFC 3605).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtcpPort<'a> {
    /// The port for RTCP.
    pub port: u16,
    /// Where it stands.
    pub port_range: Range<usize>,
    /// The address, when stated.
    pub connection: Option<Connection<'a>>,
    /// The text behind the port that is no address; may be empty.
    pub unreadable: Range<usize>,
}

/// One m= line and what belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct Media<'a, 'd> {
    description: &'d Description<'a>,
    index: &'d MediaIndex,
}

impl<'a> Description<'a> {
    /// Indexes the lines. An m= line that can't be read has its place among the others: what the session's other
    /// streams are doesn't depend on it.
    ///
    /// # Errors
    /// When it isn't a session description.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, SdpError> {
        let mut lines = Vec::with_capacity(32);
        for line in lines::lines(bytes) {
            if lines.len() == MAX_LINES {
                return Err(SdpError::TooManyLines);
            }
            lines.push(line);
        }
        // A description without its version describes media all the same.
        if lines.first().is_none_or(|line| line.kind != b'v') && !lines.iter().any(|line| line.kind == b'm') {
            return Err(SdpError::NoVersion);
        }
        let starts: Vec<usize> =
            lines.iter().enumerate().filter(|(_, line)| line.kind == b'm').map(|(i, _)| i).collect();
        let session_lines = starts.first().copied().unwrap_or(lines.len());
        let mut media = Vec::with_capacity(starts.len());
        for (i, &start) in starts.iter().enumerate() {
            let end = starts.get(i + 1).copied().unwrap_or(lines.len());
            let value = lines.get(start).map(|line| line.value.clone()).unwrap_or_default();
            let index = media_line(bytes, value.clone(), start..end);
            media.push(index.unwrap_or_else(|| unreadable_line(bytes, value, start..end)));
        }
        Ok(Self { bytes, lines, session_lines, media })
    }

    /// The description as it came.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The m-lines, in order.
    pub fn media(&self) -> impl ExactSizeIterator<Item = Media<'a, '_>> {
        self.media.iter().map(|index| Media { description: self, index })
    }

    /// Where the session's own section ends, if an m-line follows it.
    pub(super) fn session_end(&self) -> Option<usize> {
        self.lines.get(self.session_lines).map(|line| line.whole.start)
    }

    /// The session's c= line: the first that can be read.
    #[must_use]
    pub fn connection(&self) -> Option<Connection<'a>> {
        self.session_connections().next()
    }

    /// The session's c= lines. One is the rule; of more, some parsers take the first and some the last.
    pub(super) fn session_connections(&self) -> impl Iterator<Item = Connection<'a>> {
        self.connections(0..self.session_lines)
    }

    /// The values of c= lines of the session that can't be read.
    pub(super) fn unreadable_session_connections(&self) -> impl Iterator<Item = Range<usize>> {
        self.unreadable_connections(0..self.session_lines)
    }

    /// The session's attributes: `(name, value)`.
    pub fn attributes(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        self.attributes_in(0..self.session_lines)
    }

    /// Whole lines of attributes that `wanted` picks by what follows `a=`, in all sections.
    pub(super) fn attribute_lines(&self, wanted: impl Fn(&[u8]) -> bool) -> Vec<Range<usize>> {
        self.attributes_where(0..self.lines.len(), wanted).map(|line| line.whole.clone()).collect()
    }

    /// Whole lines of the session's own attributes that `wanted` picks.
    pub(super) fn session_attribute_lines(&self, wanted: impl Fn(&[u8]) -> bool) -> Vec<Range<usize>> {
        self.attributes_where(0..self.session_lines, wanted).map(|line| line.whole.clone()).collect()
    }

    fn attributes_where(
        &self,
        lines: Range<usize>,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> impl Iterator<Item = &Line> {
        self.of_kind(lines, b'a').filter(move |line| wanted(self.slice(&line.value)))
    }

    fn slice(&self, range: &Range<usize>) -> &'a [u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }

    fn str(&self, range: &Range<usize>) -> &'a str {
        scan::text(self.slice(range)).unwrap_or_default()
    }

    fn of_kind(&self, lines: Range<usize>, kind: u8) -> impl Iterator<Item = &Line> {
        self.lines.get(lines).unwrap_or_default().iter().filter(move |line| line.kind == kind)
    }

    fn connections(&self, lines: Range<usize>) -> impl Iterator<Item = Connection<'a>> {
        self.of_kind(lines, b'c').filter_map(|line| connection(self.bytes, line.value.clone()))
    }

    /// The values of c= lines that can't be read, but for those of networks that no datagram travels.
    fn unreadable_connections(&self, lines: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let elsewhere = |value: &[u8]| {
            let network = Cursor::new(scan::trim(value)).take_while(scan::is_token);
            [&b"TN"[..], b"ATM", b"PSTN"].contains(&network)
        };
        self.of_kind(lines, b'c').map(|line| line.value.clone()).filter(move |value| {
            connection(self.bytes, value.clone()).is_none() && !elsewhere(self.slice(value))
        })
    }

    fn attribute(&self, line: &Line) -> Option<(&'a str, Option<&'a str>)> {
        let text = scan::text(self.slice(&line.value))?.trim_start();
        Some(match text.split_once(':') {
            Some((name, value)) => (name, Some(value)),
            None => (text.trim_end(), None),
        })
    }

    fn attributes_in(&self, lines: Range<usize>) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        self.of_kind(lines, b'a').filter_map(|line| self.attribute(line))
    }
}

impl<'a> Media<'a, '_> {
    /// `audio`, `video`, `image`, …
    #[must_use]
    pub fn kind(&self) -> &'a str {
        self.description.str(&self.index.kind)
    }

    /// The port; 0 when the stream is rejected, removed or not wanted.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.index.port_number
    }

    /// Whether the m= line has media, port, protocol and format. If not, its port counts as 0.
    #[must_use]
    pub const fn is_readable(&self) -> bool {
        self.index.readable
    }

    /// Where the port stands, without the `/count` that may follow; empty where there is none.
    #[must_use]
    pub fn port_range(&self) -> Range<usize> {
        self.index.port.clone()
    }

    /// Where the port stands, with the `/count` that may follow: how many ports, one after the other.
    #[must_use]
    pub fn ports_range(&self) -> Range<usize> {
        self.index.ports.clone()
    }

    /// `RTP/AVP`, `udptl`, `TCP/MSRP`, …
    #[must_use]
    pub fn protocol(&self) -> &'a str {
        self.description.str(&self.index.protocol)
    }

    /// Where the protocol stands.
    pub(super) fn protocol_range(&self) -> Range<usize> {
        self.index.protocol.clone()
    }

    /// Whole lines of its attributes that `wanted` picks by what follows `a=`.
    pub(super) fn attribute_lines(&self, wanted: impl Fn(&[u8]) -> bool) -> Vec<Range<usize>> {
        let lines = self.description.attributes_where(self.index.lines.clone(), wanted);
        lines.map(|line| line.whole.clone()).collect()
    }

    /// The formats, as tokens.
    pub fn formats(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.description.str(&self.index.formats).split_ascii_whitespace()
    }

    /// Its own c= lines; usually none or one.
    pub fn connections(&self) -> impl Iterator<Item = Connection<'a>> {
        self.description.connections(self.index.lines.clone())
    }

    /// The values of its own c= lines that can't be read.
    pub(super) fn unreadable_connections(&self) -> impl Iterator<Item = Range<usize>> {
        self.description.unreadable_connections(self.index.lines.clone())
    }

    /// The c= that holds for it: its own, or the session's.
    #[must_use]
    pub fn connection(&self) -> Option<Connection<'a>> {
        self.connections().next().or_else(|| self.description.connection())
    }

    /// Its attributes: `(name, value)`.
    pub fn attributes(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        self.description.attributes_in(self.index.lines.clone())
    }

    /// Its a=rtcp line: the first that can be read.
    #[must_use]
    pub fn rtcp(&self) -> Option<RtcpPort<'a>> {
        self.rtcp_lines().find_map(Result::ok)
    }

    /// Its a=rtcp lines; of one that can't be read, where it lies.
    pub(super) fn rtcp_lines(&self) -> impl Iterator<Item = Result<RtcpPort<'a>, Range<usize>>> {
        let d = self.description;
        d.attributes_where(self.index.lines.clone(), |attribute| {
            name_of(attribute).eq_ignore_ascii_case(b"rtcp")
        })
        .map(|line| rtcp_line(d.bytes, line.value.clone()).ok_or_else(|| line.whole.clone()))
    }

    /// Where a c= line of its own may be inserted (RFC 8866 §5: after m= and i=), and the line end used
    /// there.
    pub(super) fn connection_place(&self) -> (usize, &'static [u8]) {
        let lines = self.description.lines.get(self.index.lines.clone()).unwrap_or_default();
        let title = lines.get(1).filter(|line| line.kind == b'i');
        self.after(title.or(lines.first()))
    }

    /// The end of its section, and the line end used there.
    pub(super) fn end_place(&self) -> (usize, &'static [u8]) {
        let lines = self.description.lines.get(self.index.lines.clone()).unwrap_or_default();
        self.after(lines.last())
    }

    fn after(&self, line: Option<&Line>) -> (usize, &'static [u8]) {
        let Some(line) = line else { return (self.description.bytes.len(), b"\r\n") };
        let end = self.description.slice(&(line.value.end..line.whole.end));
        let end: &[u8] = match end {
            b"\n" => b"\n",
            b"\r" => b"\r",
            _ => b"\r\n",
        };
        (line.whole.end, end)
    }

    /// Whether the place after a line is one where a line has ended.
    pub(super) fn is_terminated(&self, place: usize) -> bool {
        let last = place.checked_sub(1).and_then(|last| self.description.bytes.get(last));
        matches!(last, Some(b'\n' | b'\r'))
    }
}

/// The name in what follows `a=`.
pub(super) fn name_of(attribute: &[u8]) -> &[u8] {
    scan::trim(attribute.split(|&byte| byte == b':').next().unwrap_or_default())
}

/// The next word and where it lies, given where the cursor's slice begins.
fn word<'a>(cursor: &mut Cursor<'a>, base: usize) -> Option<(&'a str, Range<usize>)> {
    cursor.skip_lws();
    let start = base + cursor.at();
    let word = scan::text(cursor.take_while(|b| !scan::is_lws(b)))?;
    (!word.is_empty()).then_some((word, start..base + cursor.at()))
}

fn media_line(bytes: &[u8], value: Range<usize>, lines: Range<usize>) -> Option<MediaIndex> {
    let mut cursor = Cursor::new(bytes.get(value.clone())?);
    let (_, kind) = word(&mut cursor, value.start)?;
    let (ports, port) = word(&mut cursor, value.start)?;
    let digits = ports.split_once('/').map_or(ports, |(port, _)| port);
    let port_number = u16::try_from(scan::decimal(digits.as_bytes())?).ok()?;
    let (_, protocol) = word(&mut cursor, value.start)?;
    let formats = value.start + cursor.at()..value.end;
    Some(MediaIndex {
        lines,
        kind,
        port: port.start..port.start + digits.len(),
        ports: port,
        port_number,
        readable: true,
        protocol,
        formats,
    })
}

/// The readable rest of a malformed m= line.
fn unreadable_line(bytes: &[u8], value: Range<usize>, lines: Range<usize>) -> MediaIndex {
    let mut cursor = Cursor::new(bytes.get(value.clone()).unwrap_or_default());
    let nothing = value.end..value.end;
    let mut next = || {
        cursor.skip_lws();
        let start = value.start + cursor.at();
        let word = cursor.take_while(|b| !scan::is_lws(b));
        if word.is_empty() { nothing.clone() } else { start..start + word.len() }
    };
    let (kind, port) = (next(), next());
    MediaIndex {
        lines,
        kind,
        ports: port.clone(),
        port,
        port_number: 0,
        readable: false,
        protocol: nothing.clone(),
        formats: nothing,
    }
}

/// `nettype addrtype address[/ttl[/count]]`
fn connection(bytes: &[u8], value: Range<usize>) -> Option<Connection<'_>> {
    let mut cursor = Cursor::new(bytes.get(value.clone())?);
    let (nettype, _) = word(&mut cursor, value.start)?;
    if !nettype.eq_ignore_ascii_case("IN") {
        return None;
    }
    let (addrtype, addrtype_range) = word(&mut cursor, value.start)?;
    let (address, address_range) = word(&mut cursor, value.start)?;
    let address = address.split_once('/').map_or(address, |(address, _)| address);
    let family = match addrtype {
        _ if addrtype.eq_ignore_ascii_case("IP4") => Some(IpFamily::V4),
        _ if addrtype.eq_ignore_ascii_case("IP6") => Some(IpFamily::V6),
        _ => None,
    };
    Some(Connection { address, ip: crate::host::literal(address), family, addrtype_range, address_range })
}

/// `rtcp:port [nettype addrtype address]`
fn rtcp_line(bytes: &[u8], value: Range<usize>) -> Option<RtcpPort<'_>> {
    let text = bytes.get(value.clone())?;
    let base = value.start + memchr::memchr(b':', text)? + 1;
    let mut cursor = Cursor::new(bytes.get(base..value.end)?);
    let (digits, port_range) = word(&mut cursor, base)?;
    let port = u16::try_from(scan::decimal(digits.as_bytes())?).ok()?;
    let behind = base + cursor.at();
    let connection = connection(bytes, behind..value.end);
    let blank = connection.is_some() || scan::trim(bytes.get(behind..value.end)?).is_empty();
    let unreadable = if blank { behind..behind } else { behind..value.end };
    Some(RtcpPort { port, port_range, connection, unreadable })
}
