//! The text of Asterisk's manager interface: `Key: value` lines; an empty line ends a message.

use crate::fault::Fault;
use crate::text::{cut, one_line};

/// The longest message that is accepted.
const LONGEST: usize = 256 * 1024;
/// The most lines in a message that is accepted.
const MOST_LINES: usize = 1_000;
/// Asterisk refuses lines from 1024 bytes on, and messages of more than 128 lines.
const LINE: usize = 1_000;
/// Of those, the lines that may carry a piece of JSON.
const PIECES: usize = 100;

/// A message as received. Bytes that aren't UTF-8 are replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Message {
    headers: Vec<(String, String)>,
}

impl Message {
    /// The first value of a header; names are case-insensitive.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The headers that follow the first one of that name.
    pub(crate) fn after<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut headers = self.headers.iter();
        let _ = headers.find(|(key, _)| key.eq_ignore_ascii_case(name));
        headers.map(|(key, value)| (key.as_str(), value.as_str()))
    }

    fn parse(text: &[u8]) -> Self {
        let lines = text.split(|byte| *byte == b'\n');
        let headers = lines.filter_map(|line| {
            let line = String::from_utf8_lossy(line);
            let (key, value) = line.trim_end_matches('\r').split_once(':')?;
            Some((key.trim().to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned()))
        });
        Self { headers: headers.collect() }
    }
}

/// Splits incoming bytes into whole messages.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    buffer: Vec<u8>,
    /// Bytes already searched without finding the end of a message.
    searched: usize,
    greeted: bool,
}

impl Reader {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message.
    ///
    /// # Errors
    /// When the bytes are no message of this interface.
    pub(crate) fn next(&mut self) -> Result<Option<Message>, Fault> {
        if !self.greeted {
            // A line by itself: "Asterisk Call Manager/11.0.0".
            const GREETING: &[u8] = b"Asterisk Call Manager/";
            let begins = self.buffer.iter().zip(GREETING).all(|(a, b)| a == b);
            let Some(end) = memchr::memchr(b'\n', &self.buffer) else {
                let endless = self.buffer.len() > 200;
                return if begins && !endless {
                    Ok(None)
                } else {
                    Err(Fault::Malformed("no greeting of a manager interface"))
                };
            };
            if !begins || end < GREETING.len() {
                return Err(Fault::Malformed("no greeting of a manager interface"));
            }
            self.buffer.drain(..=end);
            self.greeted = true;
        }
        loop {
            let rest = self.buffer.get(self.searched..).unwrap_or_default();
            let Some(at) = memchr::memmem::find(rest, b"\r\n\r\n") else {
                self.searched = self.buffer.len().saturating_sub(3);
                if self.buffer.len() > LONGEST {
                    return Err(Fault::Malformed("a message without end"));
                }
                return Ok(None);
            };
            let end = self.searched + at;
            let message = self.buffer.get(..end).unwrap_or_default();
            if message.len() > LONGEST || memchr::memchr_iter(b'\n', message).count() >= MOST_LINES {
                return Err(Fault::Malformed("a message of too many lines"));
            }
            let message = Message::parse(message);
            self.buffer.drain(..end + 4);
            self.searched = 0;
            // Line ends alone are the keep-alive of some proxies.
            if !message.headers.is_empty() {
                return Ok(Some(message));
            }
        }
    }

    #[cfg(test)]
    fn held(&self) -> usize {
        self.buffer.len()
    }
}

/// Writes one action. No value can end its line.
#[derive(Debug)]
pub(crate) struct Action<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Action<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>, name: &str, id: &str) -> Self {
        Self { out }.header("Action", name).header("ActionID", id)
    }

    /// Adds a header; a value that is too long for Asterisk is cut off.
    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        let value = one_line(value);
        let (value, _) = cut(&value, LINE - 2 - name.len().min(LINE / 2));
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        self.out.extend_from_slice(value.as_bytes());
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// Adds a text that may be longer than a line: `JSON-Parts: 2`, `JSON-1: …`, `JSON-2: …`. A text longer than a
    /// message is left out.
    pub(crate) fn json(mut self, json: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = json;
        while !rest.is_empty() {
            let (piece, more) = cut(rest, LINE - 16);
            // Asterisk trims a space at the end of a line.
            let piece_end = piece.trim_end_matches(' ').len();
            let piece_end = if more.is_empty() || piece_end == 0 { piece.len() } else { piece_end };
            let (piece, more) = rest.split_at(piece_end);
            pieces.push(piece);
            rest = more;
        }
        if pieces.len() > PIECES {
            return self;
        }
        self = self.header("JSON-Parts", &pieces.len().to_string());
        for (place, piece) in pieces.iter().enumerate() {
            self = self.header(&format!("JSON-{}", place + 1), piece);
        }
        self
    }

    pub(crate) fn end(self) {
        self.out.extend_from_slice(b"\r\n");
    }
}

/// Undoes Asterisk's escapes of a value in VarSet: `\"`, `\\`, `\n` and so on.
pub(crate) fn unescape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('a') => out.push('\u{7}'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('v') => out.push('\u{b}'),
            Some(other) => out.push(other),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(reader: &mut Reader) -> Vec<Message> {
        std::iter::from_fn(|| reader.next().unwrap()).collect()
    }

    #[test]
    fn messages_are_read_however_they_are_cut() {
        let bytes = b"Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nActionID: 1\r\nMessage: a: b\r\n\r\n\r\n\r\nEvent: X\r\nValue: \r\n\r\n";
        for cut in 1..bytes.len() {
            let mut reader = Reader::default();
            let mut messages = Vec::new();
            for piece in bytes.chunks(cut) {
                reader.push(piece);
                messages.extend(all(&mut reader));
            }
            assert_eq!(messages.len(), 2, "{cut}");
            assert_eq!(messages[0].get("message"), Some("a: b"));
            assert_eq!(messages[1].get("VALUE"), Some(""));
        }
    }

    #[test]
    fn a_stranger_is_noticed_at_once() {
        for stranger in
            ["SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 400 Bad", "Content-Type: auth/request\n\n", "\n", "Ast\n"]
        {
            let mut reader = Reader::default();
            reader.push(stranger.as_bytes());
            assert!(matches!(reader.next(), Err(Fault::Malformed(_))), "{stranger:?}");
        }
        let mut reader = Reader::default();
        reader.push(b"Asterisk Call Manager/");
        reader.push(&[b'9'; 300]);
        assert!(reader.next().is_err());
    }

    #[test]
    fn a_message_without_end_is_given_up() {
        let mut reader = Reader::default();
        reader.push(b"Asterisk Call Manager/11.0.0\r\n");
        let line = [b'x'; 4_096];
        let held = (0..1_000).find_map(|_| {
            reader.push(&line);
            reader.next().is_err().then(|| reader.held())
        });
        assert!(held.unwrap() <= LONGEST + line.len());
    }

    #[test]
    fn nothing_can_be_smuggled_into_an_action() {
        let mut out = Vec::new();
        Action::new(&mut out, "Setvar", "7")
            .header("Value", "x\r\n\r\nAction: Command\r\nCommand: core stop now")
            .end();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches("\r\n").count(), 4, "{text}");
        assert_eq!(text.matches("\r\n\r\n").count(), 1, "{text}");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in "[^\\p{Cc}]{0,1200}", json in "[ -~ü€]{0,5000}") {
            let mut out = b"Asterisk Call Manager/11.0.0\r\n".to_vec();
            Action::new(&mut out, "UserEvent", "1").header("Value", &value).json(&json).end();
            let lines: Vec<_> = out.split(|byte| *byte == b'\n').collect();
            prop_assert!(lines.iter().all(|line| line.len() < 1_024) && lines.len() <= 128);
            let mut reader = Reader::default();
            reader.push(&out);
            let message = reader.next().unwrap().unwrap();
            prop_assert!(value.starts_with(message.get("Value").unwrap()));
            let parts: usize = message.get("JSON-Parts").unwrap().parse().unwrap();
            let joined: String = (1..=parts).map(|n| message.get(&format!("JSON-{n}")).unwrap().to_owned()).collect();
            prop_assert_eq!(joined, json);
        }

        #[test]
        fn what_asterisk_escapes_is_unescaped(value in "[^\\p{Cc}]*") {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('?', "\\?");
            prop_assert_eq!(unescape(&escaped), value);
        }
    }
}
