//! The opening handshake of SIP over WebSocket, as its server sees it (RFC 6455 §4.2, RFC 7118 §4.2).
//!
//! Browsers connect for whatever page asks them to, with the user's network behind them. So a page's origin has to be
//! on a list (RFC 6455 §10.2), and a client has to ask for the subprotocol `sip`: a page that means another service is
//! turned away before it can send a SIP message.

use crate::scan;

/// The subprotocol of RFC 7118.
pub const SUBPROTOCOL: &str = "sip";
/// The longest head of a request that is read, in bytes.
pub const LONGEST_HEAD: usize = 8_192;
/// The one version of the protocol (RFC 6455 §4.1).
const VERSION: &str = "13";
/// A key is 16 bytes in base64 (RFC 6455 §4.1).
const KEY_LENGTH: usize = 24;

/// Origins whose pages may speak SIP.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    /// `scheme://host[:port]`, in lower case.
    listed: Vec<String>,
    any: bool,
}

/// A request that opens a WebSocket for SIP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The client's key, from which the answer's `Sec-WebSocket-Accept` is computed (RFC 6455 §4.2.2).
    pub key: String,
    /// The length of the request's head: whatever follows belongs to the WebSocket.
    pub length: usize,
}

/// Why a request opens no WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The head is longer than [`LONGEST_HEAD`].
    #[error("the request is too long")]
    TooLong,
    /// The bytes are no HTTP/1.1 request.
    #[error("no HTTP/1.1 request")]
    Malformed,
    /// The method isn't GET.
    #[error("the method is not GET")]
    Method,
    /// The request doesn't ask for a WebSocket.
    #[error("no WebSocket is asked for")]
    NoUpgrade,
    /// The request asks for another version than 13.
    #[error("another version of WebSocket than 13")]
    Version,
    /// The key is missing, or no key.
    #[error("no Sec-WebSocket-Key")]
    Key,
    /// The subprotocol `sip` is not among those that the client offers.
    #[error("the subprotocol \"sip\" is not offered")]
    Subprotocol,
    /// The page's origin is on no list.
    #[error("a page of this origin may not speak SIP here")]
    Origin,
}

impl Origins {
    /// A list of origins, such as `https://agents.example`; `*` stands for every origin.
    #[must_use]
    pub fn new<'a>(origins: impl IntoIterator<Item = &'a str>) -> Self {
        let mut list = Self::default();
        for origin in origins {
            if origin == "*" {
                list.any = true;
            } else {
                list.listed.push(origin.to_ascii_lowercase());
            }
        }
        list
    }

    /// Whether that value of Origin is allowed. Without one the client is no browser.
    fn allow(&self, origin: Option<&str>) -> bool {
        let Some(origin) = origin else { return true };
        self.any || self.listed.iter().any(|listed| origin.eq_ignore_ascii_case(listed))
    }
}

impl Opening {
    /// Reads the head of a request; `None` until it is complete.
    ///
    /// # Errors
    /// When it opens no WebSocket for SIP. The connection is to be closed after [`Refusal::response`].
    pub fn read(bytes: &[u8], origins: &Origins) -> Result<Option<Self>, Refusal> {
        let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
            return if bytes.len() >= LONGEST_HEAD { Err(Refusal::TooLong) } else { early(bytes) };
        };
        let length = end + 4;
        if length > LONGEST_HEAD {
            return Err(Refusal::TooLong);
        }
        let head = bytes.get(..end).and_then(scan::text).ok_or(Refusal::Malformed)?;
        let mut lines = head.split("\r\n");
        request_line(lines.next().unwrap_or_default())?;
        let fields = lines.map(field).collect::<Option<Vec<_>>>().ok_or(Refusal::Malformed)?;
        let key = judge(&Fields(fields), origins)?;
        Ok(Some(Self { key, length }))
    }

    /// The response that opens the WebSocket; `accept` is the value that follows from the key.
    #[must_use]
    pub fn response(accept: &str) -> String {
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
        )
    }
}

/// Turns what can't become a GET away at once: no sender of anything else is waited for.
fn early(bytes: &[u8]) -> Result<Option<Opening>, Refusal> {
    let start = bytes.get(..4).unwrap_or(bytes);
    if b"GET ".starts_with(start) {
        return Ok(None);
    }
    let is_method = bytes.iter().take_while(|byte| **byte != b' ').all(u8::is_ascii_uppercase);
    // Another method is answered once its head is complete; what is no text is no request.
    if is_method { Ok(None) } else { Err(Refusal::Malformed) }
}

fn request_line(line: &str) -> Result<(), Refusal> {
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Refusal::Malformed);
    };
    if version != "HTTP/1.1" || target.is_empty() || !method.bytes().all(scan::is_token) {
        return Err(Refusal::Malformed);
    }
    if method == "GET" { Ok(()) } else { Err(Refusal::Method) }
}

/// A header field, without white space around its value.
fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let is_name = !name.is_empty() && name.bytes().all(scan::is_token);
    is_name.then(|| (name, value.trim_matches([' ', '\t'])))
}

struct Fields<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Fields<'a> {
    fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// The only field of that name.
    fn one(&self, name: &str) -> Option<&'a str> {
        let mut all = self.all(name);
        all.next().filter(|_| all.next().is_none())
    }

    /// Whether a word is in the list that the fields of that name make.
    fn lists(&self, name: &str, word: &str) -> bool {
        self.all(name).flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(word))
    }
}

/// The key of a request that may open a WebSocket.
fn judge(fields: &Fields<'_>, origins: &Origins) -> Result<String, Refusal> {
    if fields.one("Host").is_none() {
        return Err(Refusal::Malformed);
    }
    if !fields.lists("Upgrade", "websocket") || !fields.lists("Connection", "upgrade") {
        return Err(Refusal::NoUpgrade);
    }
    if fields.one("Sec-WebSocket-Version") != Some(VERSION) {
        return Err(Refusal::Version);
    }
    let origin = fields.one("Origin");
    if !origins.allow(origin) || origin.is_none() && fields.all("Origin").next().is_some() {
        return Err(Refusal::Origin);
    }
    if !fields.lists("Sec-WebSocket-Protocol", SUBPROTOCOL) {
        return Err(Refusal::Subprotocol);
    }
    let is_key = |key: &&str| {
        let digits = key.strip_suffix("==").unwrap_or_default();
        key.len() == KEY_LENGTH && digits.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
    };
    fields.one("Sec-WebSocket-Key").filter(is_key).map(str::to_owned).ok_or(Refusal::Key)
}

impl Refusal {
    /// Every refusal.
    pub const ALL: [Self; 8] = [
        Self::TooLong,
        Self::Malformed,
        Self::Method,
        Self::NoUpgrade,
        Self::Version,
        Self::Key,
        Self::Subprotocol,
        Self::Origin,
    ];

    /// Its name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Malformed => "malformed",
            Self::Method => "method",
            Self::NoUpgrade => "no_upgrade",
            Self::Version => "version",
            Self::Key => "key",
            Self::Subprotocol => "subprotocol",
            Self::Origin => "origin",
        }
    }

    /// The status that says so, with what the client should have done (RFC 6455 §4.2.2, §4.4; RFC 9110 §15.5).
    const fn status(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::TooLong => (431, "Request Header Fields Too Large", ""),
            Self::Malformed | Self::Key | Self::Subprotocol => (400, "Bad Request", ""),
            Self::Method => (405, "Method Not Allowed", "Allow: GET\r\n"),
            Self::NoUpgrade => (426, "Upgrade Required", "Upgrade: websocket\r\n"),
            Self::Version => (426, "Upgrade Required", "Sec-WebSocket-Version: 13\r\n"),
            Self::Origin => (403, "Forbidden", ""),
        }
    }

    /// The whole response, after which the connection is closed.
    #[must_use]
    pub fn response(self) -> String {
        let (status, reason, fields) = self.status();
        let text = format!("{self}\n");
        format!(
            "HTTP/1.1 {status} {reason}\r\n{fields}Connection: close\r\nContent-Type: text/plain\r\n\
             Content-Length: {}\r\n\r\n{text}",
            text.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The request of RFC 7118 §4.1.
    const HELLO: &str = "GET / HTTP/1.1\r\nHost: sip-ws.example.com\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Origin: http://www.example.com\r\nSec-WebSocket-Protocol: sip\r\nSec-WebSocket-Version: 13\r\n\r\n";

    fn read(request: &str) -> Result<Option<Opening>, Refusal> {
        Opening::read(request.as_bytes(), &Origins::new(["http://www.example.com"]))
    }

    #[test]
    fn the_rfc_s_request_opens_a_websocket() {
        let opening = read(HELLO).unwrap().unwrap();
        assert_eq!((opening.key.as_str(), opening.length), ("dGhlIHNhbXBsZSBub25jZQ==", HELLO.len()));
        let more = format!("{HELLO}\u{1}\u{2}");
        assert_eq!(read(&more).unwrap().unwrap().length, HELLO.len());
        for cut in 0..HELLO.len() {
            assert_eq!(read(&HELLO[..cut]), Ok(None), "{cut} bytes");
        }
    }

    #[test]
    fn browsers_write_it_in_their_own_way() {
        let firefox = HELLO
            .replace("Connection: Upgrade", "connection: keep-alive, Upgrade")
            .replace("Protocol: sip", "Protocol: chat, SIP")
            .replace("Origin: http://www", "origin:http://WWW");
        assert!(read(&firefox).unwrap().is_some());
        let no_browser = HELLO.replace("Origin: http://www.example.com\r\n", "");
        assert!(read(&no_browser).unwrap().is_some());
        let any = Opening::read(HELLO.replace("www.", "evil.").as_bytes(), &Origins::new(["*"]));
        assert!(any.unwrap().is_some());
    }

    #[test]
    fn each_refusal_has_its_reason_and_status() {
        for (from, to, refusal, status) in [
            ("GET /", "POST /", Refusal::Method, "405"),
            ("HTTP/1.1", "HTTP/1.0", Refusal::Malformed, "400"),
            ("Host:", "Hoist:", Refusal::Malformed, "400"),
            ("Host:", " Host:", Refusal::Malformed, "400"),
            ("Upgrade: websocket", "Upgrade: h2c", Refusal::NoUpgrade, "426"),
            ("Version: 13", "Version: 8", Refusal::Version, "426"),
            ("Protocol: sip", "Protocol: sipx", Refusal::Subprotocol, "400"),
            ("Sec-WebSocket-Protocol: sip\r\n", "", Refusal::Subprotocol, "400"),
            ("//www.", "//evil.", Refusal::Origin, "403"),
            ("Origin: http://www.example.com", "Origin: null", Refusal::Origin, "403"),
            ("\r\nOrigin:", "\r\nOrigin: http://www.example.com\r\nOrigin:", Refusal::Origin, "403"),
            ("ub25jZQ==", "ub25jZQ", Refusal::Key, "400"),
            ("dGhl", "dGh%", Refusal::Key, "400"),
        ] {
            assert!(HELLO.contains(from), "{from}");
            assert_eq!(read(&HELLO.replacen(from, to, 1)), Err(refusal), "{from} -> {to}");
            let response = refusal.response();
            assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
        }
        assert_eq!(read(&format!("GET /{}", "x".repeat(LONGEST_HEAD))), Err(Refusal::TooLong));
    }

    #[test]
    fn what_is_no_http_is_turned_away_at_its_first_bytes() {
        for garbage in [&b"\x16\x03\x01\x02"[..], b"\0", b"OPTIONS\tsip:", b"get /", b"\r\n\r\n", b"GE\xff"] {
            assert!(Opening::read(garbage, &Origins::default()).is_err(), "{garbage:?}");
        }
        let latin = HELLO.replace("sip-ws", "\u{fc}").into_bytes();
        let latin: Vec<u8> = latin.into_iter().filter(|byte| *byte != 0xc3).collect();
        assert_eq!(Opening::read(&latin, &Origins::default()), Err(Refusal::Malformed));
    }
}
