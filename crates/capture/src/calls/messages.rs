//! SIP messages out of datagrams and TCP streams.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sidetone_sip::framing::{Frame, Framer};
use sidetone_sip::message::Limits;

use crate::datagrams::{Datagram, Transport};

/// TCP streams whose messages are followed; beyond it the one idle longest is forgotten.
const MOST_STREAMS: usize = 128;

/// A TCP stream.
#[derive(Debug)]
struct Stream {
    last: Duration,
    /// None while it isn't known where a message begins, or whether it is SIP at all.
    framer: Option<Framer>,
}

/// Reads the messages of a capture, in order of time.
#[derive(Debug, Default)]
pub(super) struct Messages {
    streams: HashMap<(SocketAddr, SocketAddr), Stream>,
}

impl Messages {
    /// The messages that a datagram completes; none for what is no SIP.
    pub(super) fn read(&mut self, now: Duration, datagram: &Datagram) -> Vec<Bytes> {
        match datagram.transport {
            Transport::Udp if is_sip(&datagram.payload) => vec![datagram.payload.clone()],
            Transport::Udp => Vec::new(),
            Transport::Tcp { follows } => self.frames(now, datagram, follows),
        }
    }

    /// Messages that these bytes of a stream complete.
    fn frames(&mut self, now: Duration, datagram: &Datagram, follows: bool) -> Vec<Bytes> {
        let key = (datagram.src, datagram.dst);
        if !self.streams.contains_key(&key) {
            let Some(start) = beginning(&datagram.payload) else { return Vec::new() };
            if start > 0 && follows {
                return Vec::new();
            }
            if self.streams.len() == MOST_STREAMS {
                let idle = self.streams.iter().min_by_key(|(_, stream)| stream.last).map(|(key, _)| *key);
                idle.map(|key| self.streams.remove(&key));
            }
        }
        let stream = self.streams.entry(key).or_insert(Stream { last: now, framer: None });
        stream.last = now;
        if !follows {
            stream.framer = None;
        }
        let mut bytes = &datagram.payload[..];
        let framer = match &mut stream.framer {
            Some(framer) => framer,
            none => {
                let Some(start) = beginning(bytes) else { return Vec::new() };
                bytes = bytes.get(start..).unwrap_or_default();
                none.insert(Framer::new(Limits::default()))
            }
        };
        framer.push(bytes);
        let mut messages = Vec::new();
        loop {
            match framer.next_frame() {
                Ok(Some(Frame::Message(message))) => messages.push(message),
                Ok(Some(Frame::Ping)) => {}
                Ok(None) => return messages,
                Err(_) => {
                    stream.framer = None;
                    return messages;
                }
            }
        }
    }
}

/// Whether a datagram begins as SIP does.
pub(super) fn is_sip(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii_start();
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    line.starts_with(b"SIP/2.0 ")
        || (line.ends_with(b" SIP/2.0") && line.first().is_some_and(u8::is_ascii_alphabetic))
}

/// Where in a stretch of a stream a SIP message seems to begin: at its first byte or, if the stretch is the middle of
/// something, at a later line. The beginning of a start line is enough, as far as it goes.
pub(super) fn beginning(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let ended = line.last() == Some(&b'\n');
        let begun = !ended && at == 0 && {
            let method = line.split(|byte| *byte == b' ').next().unwrap_or_default();
            !method.is_empty()
                && method.len() <= 32
                && method.iter().all(|byte| byte.is_ascii_uppercase() || b"/.20".contains(byte))
        };
        if is_sip(line) && ended || begun {
            return Some(at);
        }
        at += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sip_is_told_from_other_protocols() {
        for sip in [
            "INVITE sip:bob@example.com SIP/2.0\r\nVia: x",
            "SIP/2.0 200 OK\r\n",
            "\r\n\r\nBYE sip:b SIP/2.0\r\n",
        ] {
            assert!(is_sip(sip.as_bytes()), "{sip}");
        }
        for other in
            ["GET / HTTP/1.1\r\n", "", "\r\n\r\n", "\x16\x03SIP/2.0", "RTSP/1.0 200 OK\r\n", "SIP/2.0"]
        {
            assert!(!is_sip(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn the_beginning_of_a_message_in_a_stream() {
        for (stretch, start) in [
            ("INVITE sip:b SIP/2.0\r\nVia", Some(0)),
            ("INV", Some(0)),
            ("SIP/2", Some(0)),
            ("a=sendrecv\r\nSIP/2.0 200 OK\r\n", Some(12)),
            ("a=sendrecv\r\nSIP/2.0 20", None),
            ("GET / HTTP/1.1\r\nHost: x\r\n", None),
            ("\x16\x03\x01", None),
            ("", None),
        ] {
            assert_eq!(beginning(stretch.as_bytes()), start, "{stretch:?}");
        }
    }
}
