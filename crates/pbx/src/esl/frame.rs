//! The text of FreeSWITCH's event socket: header lines, an empty line, and as many bytes as Content-Length says.

use crate::fault::Fault;
use crate::text::one_line;

/// The longest header block that is accepted.
const HEADERS: usize = 64 * 1024;
/// The longest body that is accepted: a list of twenty thousand channels.
const BODY: usize = 16 * 1024 * 1024;

/// A frame as received. Bytes in its headers that aren't UTF-8 are replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Frame {
    /// The first value of a header; names are case-insensitive.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The answer to a command or an API call: `+OK …`, `-ERR …`, or a value.
    pub(crate) fn reply(&self) -> String {
        let reply = match self.get("Reply-Text") {
            Some(text) => text.to_owned(),
            None => String::from_utf8_lossy(&self.body).into_owned(),
        };
        reply.trim_end_matches(['\r', '\n']).to_owned()
    }
}

/// Splits incoming bytes into whole frames.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    buffer: Vec<u8>,
    /// Bytes already searched without finding the end of a header block.
    searched: usize,
    /// The headers of a frame whose body is incomplete.
    begun: Option<(Frame, usize)>,
}

impl Reader {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame.
    ///
    /// # Errors
    /// When the bytes are no frame of an event socket.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, Fault> {
        if let Some((frame, length)) = self.begun.take() {
            return self.body(frame, length);
        }
        let blank = self.buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        if blank > 0 {
            self.buffer.drain(..blank);
            self.searched = 0;
        }
        let Some(end) = self.end_of_headers() else {
            self.searched = self.buffer.len().saturating_sub(2);
            let first = memchr::memchr(b'\n', &self.buffer).and_then(|end| self.buffer.get(..end));
            if first.is_some_and(|line| !line.contains(&b':')) {
                return Err(Fault::Malformed("a header without a colon"));
            }
            if self.buffer.len() > HEADERS {
                return Err(Fault::Malformed("headers without end"));
            }
            return Ok(None);
        };
        self.searched = 0;
        if end > HEADERS {
            return Err(Fault::Malformed("headers without end"));
        }
        let block = self.buffer.get(..end).unwrap_or_default();
        let mut frame = Frame::default();
        for line in block.split(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(line);
            let line = line.trim_end_matches('\r');
            if line.is_empty() {
                continue;
            }
            let Some((key, value)) = line.split_once(':') else {
                return Err(Fault::Malformed("a header without a colon"));
            };
            frame.headers.push((key.trim().to_owned(), value.trim_start_matches(' ').to_owned()));
        }
        self.buffer.drain(..end);
        let length = match frame.get("Content-Length").map(str::trim) {
            None => 0,
            Some(text) => text.parse().map_err(|_| Fault::Malformed("a length that is no number"))?,
        };
        if length > BODY {
            return Err(Fault::Malformed("a body that is too long"));
        }
        self.body(frame, length)
    }

    fn body(&mut self, mut frame: Frame, length: usize) -> Result<Option<Frame>, Fault> {
        if self.buffer.len() < length {
            self.begun = Some((frame, length));
            return Ok(None);
        }
        let rest = self.buffer.split_off(length);
        frame.body = std::mem::replace(&mut self.buffer, rest);
        Ok(Some(frame))
    }

    /// The length of the header block with its empty line.
    fn end_of_headers(&self) -> Option<usize> {
        let mut at = self.searched;
        while let Some(found) = memchr::memchr(b'\n', self.buffer.get(at..)?) {
            let next = at + found + 1;
            match (self.buffer.get(next), self.buffer.get(next + 1)) {
                (Some(b'\n'), _) => return Some(next + 1),
                (Some(b'\r'), Some(b'\n')) => return Some(next + 2),
                _ => at = next,
            }
        }
        None
    }

    #[cfg(test)]
    fn held(&self) -> usize {
        self.buffer.len()
    }
}

/// Writes one command. No value can end its line.
#[derive(Debug)]
pub(crate) struct Command<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Command<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>, line: &str) -> Self {
        out.extend_from_slice(one_line(line).as_bytes());
        out.push(b'\n');
        Self { out }
    }

    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        self.out.extend_from_slice(tame(&one_line(value)).as_bytes());
        self.out.push(b'\n');
        self
    }

    pub(crate) fn end(self) {
        self.out.push(b'\n');
    }

    /// Adds a body. FreeSWITCH reads it as text up to the first NUL.
    pub(crate) fn body(self, body: &str) {
        let length = body.len().to_string();
        let it = self.header("Content-Length", &length);
        it.out.push(b'\n');
        it.out.extend_from_slice(body.as_bytes());
    }
}

/// FreeSWITCH takes every command that holds both `reload` or `unload` and `mod_event_socket`, in any case and in any
/// header, for the order to do just that (`parse_command`). Callers choose their Call-IDs and names, so one of the two
/// words must not get through.
fn tame(value: &str) -> String {
    const WORD: &str = "mod_event_socket";
    let mut tamed = String::with_capacity(value.len());
    let mut rest = value;
    // Lower-casing ASCII letters keeps byte positions.
    while let Some((before, found)) =
        rest.to_ascii_lowercase().find(WORD).and_then(|at| rest.split_at_checked(at))
    {
        tamed.push_str(before);
        let (word, after) = found.split_at_checked(WORD.len()).unwrap_or((found, ""));
        tamed.push_str(&word.replace('_', "-"));
        rest = after;
    }
    tamed + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_caller_can_have_the_event_socket_restarted() {
        for (value, tamed) in [
            ("reload-mod_event_socket@carrier", "reload-mod-event-socket@carrier"),
            ("MOD_event_SOCKETmod_event_socket", "MOD-event-SOCKETmod-event-socket"),
            ("mod_event_socke", "mod_event_socke"),
            ("ümod_event_socketß_", "ümod-event-socketß_"),
        ] {
            let mut out = Vec::new();
            Command::new(&mut out, "sendevent CUSTOM").header("Sidetone-SIP-Call-ID", value).end();
            let sent = String::from_utf8(out).unwrap();
            assert_eq!(sent, format!("sendevent CUSTOM\nSidetone-SIP-Call-ID: {tamed}\n\n"));
        }
    }

    #[test]
    fn frames_are_read_however_they_are_cut() {
        let bytes = b"Content-Type: auth/request\n\nContent-Type: command/reply\nReply-Text: +OK accepted\n\n\
            Content-Length: 12\nContent-Type: text/event-json\n\n{\"a\":\"\\n\\n\"}Content-Type: api/response\r\nContent-Length: 4\r\n\r\n+OK\n";
        for cut in 1..bytes.len() {
            let mut reader = Reader::default();
            let mut frames = Vec::new();
            for piece in bytes.chunks(cut) {
                reader.push(piece);
                while let Some(frame) = reader.next().unwrap() {
                    frames.push(frame);
                }
            }
            assert_eq!(frames.len(), 4, "{cut}");
            assert_eq!(frames[1].reply(), "+OK accepted");
            assert_eq!(frames[2].body, b"{\"a\":\"\\n\\n\"}");
            assert_eq!(frames[3].reply(), "+OK");
        }
    }

    #[test]
    fn what_is_no_frame_is_noticed() {
        for wrong in [
            "HTTP/1.1 400 Bad Request\r\n\r\n",
            "SSH-2.0-OpenSSH_9.2\r\n",
            "Content-Length: many\n\n",
            "Content-Length: -1\n\n",
            "Content-Length: 99999999999999999999\n\n",
            "Content-Length: 16777217\n\n",
        ] {
            let mut reader = Reader::default();
            reader.push(wrong.as_bytes());
            assert!(matches!(reader.next(), Err(Fault::Malformed(_))), "{wrong:?}");
        }
        let mut reader = Reader::default();
        let held = (0..100).find_map(|_| {
            reader.push(&[b'x'; 4_096]);
            reader.next().is_err().then(|| reader.held())
        });
        assert!(held.unwrap() <= HEADERS + 4_096);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in ".{0,200}", body in "[^\\x00]{1,400}") {
            let mut out = Vec::new();
            Command::new(&mut out, &format!("X: {value}")).header("Value", &value).body(&body);
            let mut reader = Reader::default();
            reader.push(&out);
            let frame = reader.next().unwrap().unwrap();
            let sent = tame(&one_line(&value));
            prop_assert_eq!(frame.get("Value").unwrap(), sent.trim_start_matches(' '));
            prop_assert_eq!(frame.headers.len(), 3);
            prop_assert_eq!(frame.body, body.as_bytes());
            prop_assert_eq!(reader.held(), 0);
        }
    }
}
