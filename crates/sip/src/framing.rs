//! Messages out of a TCP stream (RFC 3261 §18.3, RFC 5626 §4.4.1).
//!
//! Push what was read, then take frames until there are none. The result doesn't depend on how the
//! stream was cut into reads. What is buffered is bounded, so a peer that dribbles a message holds no
//! more than one of the largest size; how long it may take is for the connection's owner to say, who
//! can tell from [`Framer::buffered`] whether a message is under way.

use bytes::{Bytes, BytesMut};

use crate::message::{Limits, Name, head};
use crate::scan;

/// Cuts one connection's byte stream into messages.
#[derive(Debug)]
pub struct Framer {
    buffer: BytesMut,
    limits: Limits,
    /// Bytes in which the end of the headers has been looked for already.
    searched: usize,
    /// Length of the message under way, once its headers are complete.
    wanted: Option<usize>,
    /// Line ends since the last message: two of them are a ping.
    line_ends: u8,
    broken: Option<FrameFlaw>,
}

/// The outcome of reading on in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// One whole message, for [`crate::Message::parse`].
    Message(Bytes),
    /// A keep-alive ping: answer with one CRLF, the pong.
    Ping,
}

/// Why the stream can't be followed any further: the connection is to be closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{flaw}")]
pub struct Broken {
    /// Its flaw.
    pub flaw: FrameFlaw,
    /// The headers of the message, if they have ended: given to
    /// [`Proxy::receive_broken`](crate::proxy::Proxy::receive_broken) before the connection is closed, they get the sender
    /// its 400 or 513.
    pub head: Option<Bytes>,
}

/// The flaw of a stream that can't be followed any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum FrameFlaw {
    /// A message larger than [`Limits::message`].
    #[error("message too large")]
    TooLarge,
    /// Too many or too long headers.
    #[error("headers too large")]
    Headers,
    /// No Content-Length: a stream can't do without.
    #[error("missing Content-Length")]
    NoContentLength,
    /// Not a number, or several that differ.
    #[error("malformed Content-Length")]
    ContentLength,
}

impl Framer {
    /// For one connection.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { buffer: BytesMut::new(), limits, searched: 0, wanted: None, line_ends: 0, broken: None }
    }

    /// Takes what was read. Frames are due to be taken before more is pushed; what goes beyond twice the
    /// largest message is refused.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.broken.is_none() {
            if self.buffer.len() + bytes.len() > self.limits.message.saturating_mul(2).max(128 * 1024) {
                self.broken = Some(FrameFlaw::TooLarge);
                return;
            }
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Bytes of a message that isn't complete yet.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// The next frame; `None` until more is pushed.
    ///
    /// # Errors
    /// When the stream can't be followed any further. It stays so.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, Broken> {
        if let Some(flaw) = self.broken {
            return Err(Broken { flaw, head: None });
        }
        self.cut().inspect_err(|broken| {
            self.broken = Some(broken.flaw);
            self.buffer.clear();
        })
    }

    fn cut(&mut self) -> Result<Option<Frame>, Broken> {
        if self.wanted.is_none() {
            if self.searched == 0 && self.skip_line_ends() {
                return Ok(Some(Frame::Ping));
            }
            match self.find_length()? {
                Some(length) => self.wanted = Some(length),
                None => return Ok(None),
            }
        }
        let Some(length) = self.wanted.filter(|&length| length <= self.buffer.len()) else { return Ok(None) };
        self.wanted = None;
        self.searched = 0;
        Ok(Some(Frame::Message(self.buffer.split_to(length).freeze())))
    }

    /// Steps over line ends between messages; true when they make a ping.
    fn skip_line_ends(&mut self) -> bool {
        let mut skipped = 0;
        let mut ping = false;
        for &byte in &self.buffer {
            match byte {
                b'\r' => {}
                b'\n' => self.line_ends += 1,
                _ => {
                    self.line_ends = 0;
                    break;
                }
            }
            skipped += 1;
            if self.line_ends == 2 {
                self.line_ends = 0;
                ping = true;
                break;
            }
        }
        let _ = self.buffer.split_to(skipped);
        ping
    }

    /// The length of the message at the buffer's start, once its headers are complete.
    fn find_length(&mut self) -> Result<Option<usize>, Broken> {
        let Some(head_len) = self.head_length() else {
            if self.buffer.len() > self.limits.message {
                return Err(Broken { flaw: FrameFlaw::TooLarge, head: None });
            }
            return Ok(None);
        };
        let broken = |flaw| {
            let head = self.buffer.get(..head_len.min(self.limits.message)).map(Bytes::copy_from_slice);
            Err(Broken { flaw, head })
        };
        let Some(lines) = head(&self.buffer, &self.limits) else { return broken(FrameFlaw::Headers) };
        let mut stated = None;
        for value in lines.filter(|(name, _)| *name == Name::ContentLength).map(|(_, value)| value) {
            let length = scan::decimal(value).and_then(|n| usize::try_from(n).ok());
            match (length, stated) {
                (Some(length), None) => stated = Some(length),
                (Some(length), Some(before)) if length == before => {}
                _ => return broken(FrameFlaw::ContentLength),
            }
        }
        let Some(body) = stated else { return broken(FrameFlaw::NoContentLength) };
        match head_len.checked_add(body) {
            Some(length) if length <= self.limits.message => Ok(Some(length)),
            _ => broken(FrameFlaw::TooLarge),
        }
    }

    /// The length of start line and headers, empty line included. Each byte is looked at once, however
    /// finely the stream is cut.
    fn head_length(&mut self) -> Option<usize> {
        loop {
            let rest = self.buffer.get(self.searched..)?;
            let at = self.searched + memchr::memchr(b'\n', rest)?;
            // The line that ends at `at` is empty when only a CR stands between it and the LF before.
            let line = self.buffer.get(..at)?;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.last() == Some(&b'\n') {
                return Some(at + 1);
            }
            self.searched = at + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "OPTIONS sip:a@b SIP/2.0\r\nl:\r\n 4\r\nX: y\r\n\r\n";

    fn frames(framer: &mut Framer) -> Result<Vec<Frame>, FrameFlaw> {
        let mut all = Vec::new();
        while let Some(frame) = framer.next_frame().map_err(|b| b.flaw)? {
            all.push(frame);
        }
        Ok(all)
    }

    fn read(stream: &[u8], chunk: usize) -> Result<Vec<Frame>, FrameFlaw> {
        let mut framer = Framer::new(Limits { message: 500, ..Limits::default() });
        let mut all = Vec::new();
        for part in stream.chunks(chunk) {
            framer.push(part);
            all.extend(frames(&mut framer)?);
        }
        Ok(all)
    }

    #[test]
    fn pipelined_messages_and_pings_in_any_chunks() {
        let message = format!("{HEAD}a\r\n\r");
        let stream = format!("\r\n\r\n{message}\r\n{message}\r\n\r\n\r\n\r\n{message}");
        let m = || Frame::Message(Bytes::from(message.clone()));
        for chunk in 1..stream.len() {
            let all = read(stream.as_bytes(), chunk).unwrap();
            assert_eq!(all, [Frame::Ping, m(), m(), Frame::Ping, Frame::Ping, m()], "chunks of {chunk}");
        }
    }

    #[test]
    fn content_length_is_due() {
        let get = |headers: &str| read(format!("OPTIONS sip:a@b SIP/2.0\r\n{headers}\r\n").as_bytes(), 7);
        assert_eq!(get("X: y\r\n"), Err(FrameFlaw::NoContentLength));
        assert_eq!(get("Content-Length: -999\r\n"), Err(FrameFlaw::ContentLength));
        assert_eq!(get("Content-Length: 1\r\nl: 2\r\n"), Err(FrameFlaw::ContentLength));
        assert_eq!(get("Content-Length: 99999\r\n"), Err(FrameFlaw::TooLarge));
        assert_eq!(get("Content-Length: 99999999999999999999999\r\n"), Err(FrameFlaw::ContentLength));
        assert_eq!(get("Content-Length: 0000\r\nl: 0\r\n").unwrap().len(), 1);
    }

    #[test]
    fn what_is_buffered_is_bounded() {
        assert_eq!(read(&[b'x'; 501], 1), Err(FrameFlaw::TooLarge));
        let mut framer = Framer::new(Limits { message: 500, ..Limits::default() });
        for _ in 0..10_000 {
            framer.push(&[b'x'; 1000]);
        }
        assert!(framer.buffered() <= 128 * 1024);
        assert_eq!(frames(&mut framer), Err(FrameFlaw::TooLarge));
    }

    #[test]
    fn a_malformed_length_leaves_a_head_to_answer_by() {
        let mut framer = Framer::new(Limits::default());
        framer.push(b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: x\r\n\r\nrest");
        let broken = framer.next_frame().unwrap_err();
        assert!(broken.head.unwrap().ends_with(b"x\r\n\r\n"));
        assert_eq!(framer.next_frame().unwrap_err().flaw, FrameFlaw::ContentLength);
    }
}
