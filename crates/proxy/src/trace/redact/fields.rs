//! Header fields, and the URIs, hosts and words in them.

use std::fmt::Write as _;

use sidetone_events::NumberHasher;
use sidetone_sip::Method;
use sidetone_sip::host;
use sidetone_sip::list::Values;
use sidetone_sip::message::Header;
use sidetone_sip::name_addr::NameAddr;
use sidetone_sip::notification::SERVICE_USER;
use sidetone_sip::params::Params;
use sidetone_sip::uri::{Scheme, UriView};
use sidetone_sip::via::Via;

use super::numbers::Numbers;
use crate::trace::redact::methods::METHODS;

/// The longest value that is shown, in characters.
const LONGEST: usize = 256;
/// Digits in a row that make a text count as a number of some kind.
const RUN: usize = 5;
/// The same in an attribute of SDP, where clock rates, bit rates and ports stand.
const RUN_IN_SDP: usize = 7;
/// Hexadecimal digits in a row that may be a device's own address or serial number.
const SERIAL: usize = 12;
/// The longest unknown parameter name that is shown.
const LONGEST_PARAM: usize = 24;
/// The longest header name outside the RFCs that is shown.
const LONGEST_NAME: usize = 40;

/// Headers that hold addresses.
pub(super) const ADDRESSES: [&str; 18] = [
    "from",
    "to",
    "contact",
    "route",
    "record-route",
    "service-route",
    "path",
    "p-asserted-identity",
    "p-preferred-identity",
    "p-called-party-id",
    "p-associated-uri",
    "remote-party-id",
    "diversion",
    "history-info",
    "refer-to",
    "referred-by",
    "reply-to",
    "target-uri",
];
/// Headers that by their RFCs hold words, numbers of their own and software's names.
const TEXTS: [&str; 29] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "allow",
    "allow-events",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "date",
    "error-info",
    "event",
    "info-package",
    "max-breadth",
    "mime-version",
    "p-early-media",
    "priority",
    "privacy",
    "proxy-require",
    "reason",
    "recv-info",
    "refer-sub",
    "request-disposition",
    "require",
    "server",
    "subscription-state",
    "supported",
    "unsupported",
    "user-agent",
];
/// Headers with counters: their numbers belong to no person.
const COUNTS: [&str; 9] = [
    "cseq",
    "expires",
    "max-forwards",
    "min-expires",
    "min-se",
    "rack",
    "retry-after",
    "rseq",
    "session-expires",
];
/// Parameters whose values say nothing of a person.
const PARAMS: [&str; 24] = [
    "branch",
    "cause",
    "counter",
    "expires",
    "index",
    "lr",
    "maddr",
    "method",
    "ob",
    "party",
    "privacy",
    "q",
    "reason",
    "received",
    "refresher",
    "rport",
    "screen",
    "tag",
    "to-tag",
    "from-tag",
    "transport",
    "ttl",
    "user",
    "early-only",
];

/// Redacts fields of one message.
pub(super) struct Fields<'a> {
    hasher: &'a NumberHasher,
    numbers: &'a Numbers,
}

impl<'a> Fields<'a> {
    pub(super) const fn new(hasher: &'a NumberHasher, numbers: &'a Numbers) -> Self {
        Self { hasher, numbers }
    }

    /// A header's name: a non-standard name may hold anything.
    pub(super) fn name(&self, header: &Header<'_>) -> String {
        let known = header.name.as_str();
        if !known.is_empty() {
            return known.to_owned();
        }
        let name = header.name_text;
        let plain = name.len() <= LONGEST_NAME && !name.bytes().any(|byte| byte.is_ascii_digit());
        if plain { self.word(name) } else { self.hasher.mask(name) }
    }

    /// A header's value. `call_id` is the shown form of the message's own.
    pub(super) fn value(&self, header: &Header<'_>, shown_id: &str, call_id: &str) -> String {
        let name = match header.name.as_str() {
            "" => header.name_text.to_ascii_lowercase(),
            known => known.to_ascii_lowercase(),
        };
        let left_out = || format!("({} bytes)", header.value.len());
        let listed = |write: &dyn Fn(&[u8]) -> Option<String>| {
            let values: Vec<String> =
                Values::new(header.value).map(|value| write(value.bytes).unwrap_or_else(left_out)).collect();
            values.join(", ")
        };
        match name.as_str() {
            "via" => listed(&|value| self.via(value)),
            name if COUNTS.contains(&name) => self.count(&header.text()),
            "replaces" | "target-dialog" | "in-reply-to" => self.replaces(&header.text(), shown_id, call_id),
            // RFC 7989 allows 32 hexadecimal digits and nothing else, or tools can't read the header. This is the nil
            // session's.
            "session-id" => "0".repeat(32),
            name if ADDRESSES.contains(&name) => listed(&|value| self.address(value)),
            name if TEXTS.contains(&name) => self.text(&header.text()),
            _ => left_out(),
        }
    }

    pub(super) fn method(&self, method: Method<'_>) -> String {
        if METHODS.contains(&method) { method.as_str().to_owned() } else { self.word(method.as_str()) }
    }

    fn via(&self, value: &[u8]) -> Option<String> {
        let via = Via::parse(value).ok()?;
        let mut text = format!("SIP/2.0/{} {}", self.word(via.transport), self.host(via.host));
        if let Some(port) = via.port {
            let _ = write!(text, ":{port}");
        }
        self.params(&mut text, &via.params);
        Some(text)
    }

    fn address(&self, value: &[u8]) -> Option<String> {
        if value == b"*" {
            return Some("*".to_owned());
        }
        let address = NameAddr::parse(value).ok()?;
        let mut text = format!("<{}>", self.uri(address.uri));
        self.params(&mut text, &address.params);
        Some(text)
    }

    fn params(&self, text: &mut String, params: &Params<'_>) {
        for param in params {
            self.param(text, param.name, param.value);
        }
    }

    fn param(&self, text: &mut String, name: &str, value: Option<&str>) {
        let known = PARAMS.contains(&name.to_ascii_lowercase().as_str());
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let named = known || name.len() <= LONGEST_PARAM && name.bytes().all(plain);
        let _ = write!(text, ";{}", if named { self.word(name) } else { self.hasher.mask(name) });
        match value {
            Some(value) if known && host::literal(value).is_some() => _ = write!(text, "={value}"),
            Some(value) if known => _ = write!(text, "={}", self.word(value)),
            Some(_) => text.push_str("=-"),
            None => {}
        }
    }

    /// Another call's id, and the tags of its dialog.
    fn replaces(&self, value: &str, shown_id: &str, call_id: &str) -> String {
        let (id, rest) = value.split_once(';').map_or((value, ""), |(id, rest)| (id.trim(), rest));
        let mut text = if id == call_id { shown_id.to_owned() } else { self.word(id) };
        for param in rest.split(';').filter(|param| !param.trim().is_empty()) {
            let (name, value) =
                param.split_once('=').map_or((param, None), |(name, value)| (name, Some(value.trim())));
            self.param(&mut text, name.trim(), value);
        }
        text
    }

    /// A URI with its user hashed.
    pub(super) fn uri(&self, uri: &str) -> String {
        let left_out = || format!("sip:({}-bytes)", uri.len());
        let Ok(view) = UriView::parse(uri) else { return left_out() };
        let scheme = match view.scheme() {
            Scheme::Sip => "sip",
            Scheme::Sips => "sips",
            Scheme::Tel => return format!("tel:{}", self.user(uri)),
            Scheme::Other if uri.to_ascii_lowercase().starts_with("urn:service:") => return self.word(uri),
            Scheme::Other => return left_out(),
        };
        let mut text = format!("{scheme}:");
        if let Some(user) = view.userinfo() {
            // A password, if there is one, goes with the user.
            let _ = write!(text, "{}@", self.user(user));
        }
        text.push_str(&self.host(view.host()));
        if let Some(port) = view.port() {
            let _ = write!(text, ":{port}");
        }
        for (name, value) in view.params() {
            self.param(&mut text, name, value);
        }
        text
    }

    fn user(&self, user: &str) -> String {
        if user == SERVICE_USER {
            return user.to_owned();
        }
        self.hasher.hash(user).map_or_else(|| "anonymous".to_owned(), |hash| hash.to_string())
    }

    /// A host: an address as it is, a name unless a number stands in it.
    pub(super) fn host(&self, host: &str) -> String {
        if host::literal(host).is_some() { host.to_owned() } else { self.word(host) }
    }

    /// A free-form word: shown unless a number of the message's stands in it.
    pub(super) fn word(&self, word: &str) -> String {
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | ',' | ';' | '"');
        if self.numbers.stand_in(word) || word.len() > LONGEST || !word.chars().all(plain) {
            self.hasher.mask(word)
        } else {
            word.to_owned()
        }
    }

    /// Shows counters and their punctuation; of any other text the length.
    fn count(&self, text: &str) -> String {
        if self.numbers.stand_in(text) {
            return format!("({} bytes)", text.len());
        }
        let counter = |word: &str| word.len() <= 10 && word.bytes().all(|byte| byte.is_ascii_digit());
        let known = |word: &str| {
            let number = word.split_once('=').map_or(word, |(_, number)| number);
            counter(number)
                || matches!(word, "refresher=uac" | "refresher=uas")
                || METHODS.iter().any(|method| method.as_str() == word)
        };
        let words = text.split_inclusive([' ', ';']).map(|piece| {
            let word = piece.trim_end_matches([' ', ';']);
            let end = piece.get(word.len()..).unwrap_or_default();
            let word = if word.is_empty() || known(word) { word.to_owned() } else { self.hasher.mask(word) };
            format!("{word}{end}")
        });
        words.collect()
    }

    /// Text: without long runs of digits, and left out if a number of the message's stands in it.
    pub(super) fn text(&self, text: &str) -> String {
        self.text_with(text, RUN)
    }

    /// The value of an attribute of SDP.
    pub(super) fn attribute(&self, text: &str) -> String {
        self.text_with(text, RUN_IN_SDP)
    }

    fn text_with(&self, text: &str, longest: usize) -> String {
        if self.numbers.stand_in(text) {
            return format!("({} bytes)", text.len());
        }
        let mut shown = String::new();
        let mut run = String::new();
        let plain = text.chars().filter(|c| !c.is_control()).take(LONGEST);
        for c in plain.chain([' ']) {
            if c.is_ascii_hexdigit() {
                run.push(c);
                continue;
            }
            shown.push_str(&harmless(&run, longest));
            run.clear();
            // Other scripts have digits of their own.
            shown.push(if c.is_ascii() { c } else { '?' });
        }
        shown.truncate(shown.trim_end().len());
        shown
    }
}

/// Shows a run of hexadecimal digits unless it is a serial number; long runs of decimal ones are replaced by their
/// length.
fn harmless(run: &str, longest: usize) -> String {
    if run.len() >= SERIAL && run.bytes().any(|byte| byte.is_ascii_digit()) {
        return format!("({} hex digits)", run.len());
    }
    let mut shown = String::new();
    let mut rest = run;
    while !rest.is_empty() {
        let decimal = rest.bytes().take_while(u8::is_ascii_digit).count();
        let other = rest.bytes().skip(decimal).take_while(|byte| !byte.is_ascii_digit()).count();
        if decimal >= longest {
            let _ = write!(shown, "({decimal} digits)");
        } else {
            shown.push_str(rest.get(..decimal).unwrap_or_default());
        }
        shown.push_str(rest.get(decimal..decimal + other).unwrap_or_default());
        rest = rest.get(decimal + other..).unwrap_or_default();
    }
    shown
}
