//! SIPp's message log, read back.

use std::net::IpAddr;
use std::path::Path;

/// Which way a message went, as SIPp tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// SIPp sent it.
    Sent,
    /// SIPp received it.
    Received,
}

/// One message of the log, its bytes as they were on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Sent or received.
    pub way: Way,
    /// The whole message.
    pub bytes: Vec<u8>,
}

/// Reads a log written by `-trace_msg`; gates and a message that is still being written are left out.
///
/// # Panics
/// When the log can't be understood.
#[must_use]
pub fn read(path: &Path) -> Vec<Seen> {
    let log = std::fs::read(path).unwrap_or_default();
    let mut rest = log.as_slice();
    let mut seen = Vec::new();
    // `UDP message sent (523 bytes):` and `UDP message received [294] bytes :`; SIPp 3.8 has brackets for both.
    while let Some(start) = find(rest, b" message ") {
        let line = &rest[start + b" message ".len()..];
        let way = if line.starts_with(b"sent (") || line.starts_with(b"sent [") {
            Way::Sent
        } else if line.starts_with(b"received [") {
            Way::Received
        } else {
            rest = line;
            continue;
        };
        let Some(head_end) = find(line, b"\n\n") else { break };
        let digits =
            line.iter().skip_while(|byte| !byte.is_ascii_digit()).take_while(|byte| byte.is_ascii_digit());
        let length: usize = digits.map(|byte| char::from(*byte)).collect::<String>().parse().unwrap();
        let Some(bytes) = line.get(head_end + 2..head_end + 2 + length) else { break };
        if !bytes.starts_with(b"GATE ") {
            seen.push(Seen { way, bytes: bytes.to_vec() });
        }
        rest = &line[head_end + 2 + length..];
    }
    seen
}

impl Seen {
    /// The start line, without its end.
    #[must_use]
    pub fn start_line(&self) -> String {
        String::from_utf8_lossy(self.head_lines().first().copied().unwrap_or_default()).into_owned()
    }

    /// The status of a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.start_line().strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// The method of a request, or of the request that a response answers.
    #[must_use]
    pub fn method(&self) -> String {
        let cseq = self.header("CSeq").unwrap_or_default();
        cseq.split_whitespace().nth(1).unwrap_or_default().to_owned()
    }

    /// The header lines with the start line in front, without line ends.
    #[must_use]
    pub fn head_lines(&self) -> Vec<&[u8]> {
        let head = find(&self.bytes, b"\r\n\r\n").map_or(self.bytes.as_slice(), |end| &self.bytes[..end]);
        split_lines(head)
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        find(&self.bytes, b"\r\n\r\n").map_or(&[], |end| &self.bytes[end + 4..])
    }

    /// The first value of a header, trimmed.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers(name).into_iter().next()
    }

    /// All values of a header, trimmed.
    #[must_use]
    pub fn headers(&self, name: &str) -> Vec<String> {
        self.head_lines()
            .iter()
            .skip(1)
            .filter_map(|line| {
                let line = String::from_utf8_lossy(line).into_owned();
                let (this, value) = line.split_once(':')?;
                this.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
            .collect()
    }

    /// The SDP, if it carries any.
    #[must_use]
    pub fn sdp(&self) -> Option<Sdp> {
        let body = String::from_utf8_lossy(self.body()).into_owned();
        body.starts_with("v=0").then(|| Sdp::read(&body))
    }
}

/// The parts of a session description that the tests look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sdp {
    /// Its streams, in order.
    pub streams: Vec<Stream>,
}

/// One m-line with what stands below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// `audio`, `video`, ...
    pub kind: String,
    /// The port; 0 for a refused stream.
    pub port: u16,
    /// The address that holds for this stream.
    pub address: Option<IpAddr>,
    /// The port of a=rtcp.
    pub rtcp: Option<u16>,
    /// All lines below the m-line.
    pub lines: Vec<String>,
}

impl Sdp {
    fn read(body: &str) -> Self {
        let mut session = None;
        let mut streams: Vec<Stream> = Vec::new();
        for line in body.lines() {
            let address = line.strip_prefix("c=IN IP").and_then(|rest| rest.get(2..)?.trim().parse().ok());
            if let Some(rest) = line.strip_prefix("m=") {
                let mut words = rest.split(' ');
                let kind = words.next().unwrap_or_default().to_owned();
                let port = words.next().and_then(|port| port.parse().ok()).unwrap_or_default();
                streams.push(Stream { kind, port, address: session, rtcp: None, lines: Vec::new() });
            } else if let Some(stream) = streams.last_mut() {
                stream.lines.push(line.to_owned());
                if address.is_some() {
                    stream.address = address;
                }
                if let Some(rest) = line.strip_prefix("a=rtcp:") {
                    stream.rtcp = rest.split(' ').next().and_then(|port| port.parse().ok());
                }
            } else if address.is_some() {
                session = address;
            }
        }
        Self { streams }
    }
}

/// Where a needle first stands in a haystack.
pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

pub(crate) fn split_lines(text: &[u8]) -> Vec<&[u8]> {
    text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect()
}
