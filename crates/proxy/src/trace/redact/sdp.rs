//! Session descriptions (RFC 8866) without names and keys.

use std::fmt::Write as _;

use super::fields::Fields;

/// Most lines that are shown of one description.
const MOST_LINES: usize = 256;
/// The longest parameter name that is shown without its value.
const LONGEST_NAME: usize = 32;
/// Attributes whose values describe media, and nothing of a person.
const ATTRIBUTES: [&str; 20] = [
    "group",
    "ice-lite",
    "inactive",
    "maxptime",
    "mid",
    "ptime",
    "recvonly",
    "rtcp",
    "rtcp-fb",
    "rtcp-mux",
    "rtpmap",
    "sendonly",
    "sendrecv",
    "setup",
    "silencesupp",
    "t38faxmaxbuffer",
    "t38faxratemanagement",
    "t38faxudpec",
    "t38faxversion",
    "t38maxbitrate",
];

pub(super) fn redacted(field: &Fields<'_>, body: &[u8]) -> String {
    let body = String::from_utf8_lossy(body);
    let mut shown = String::new();
    for line in body.lines().take(MOST_LINES) {
        let Some((kind, value)) = line.split_once('=') else { continue };
        let value = match kind {
            "v" => "0".to_owned(),
            "o" => origin(field, value),
            "s" => "-".to_owned(),
            "c" => words(value, |word| field.host(word)),
            "m" | "b" => words(value, |word| field.word(word)),
            "t" => "0 0".to_owned(),
            "a" => attribute(field, value),
            // Titles, mail addresses, telephone numbers (p=), keys (k=).
            _ => continue,
        };
        let _ = write!(shown, "{kind}={value}\r\n");
    }
    shown
}

/// `o=name id version IN IP4 address`: the name is removed.
fn origin(field: &Fields<'_>, value: &str) -> String {
    let mut parts = value.split_ascii_whitespace().skip(1);
    let mut number = || {
        let number = parts.next().filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()));
        // A number that belongs to a party is replaced by a neutral one.
        number.filter(|number| field.word(number) == **number).unwrap_or("0").to_owned()
    };
    let (id, version) = (number(), number());
    let mut rest = value.split_ascii_whitespace().skip(3);
    let net = field.word(rest.next().unwrap_or("IN"));
    let family = field.word(rest.next().unwrap_or("IP4"));
    let host = field.host(rest.next().unwrap_or("0.0.0.0"));
    format!("- {id} {version} {net} {family} {host}")
}

fn words(value: &str, write: impl Fn(&str) -> String) -> String {
    value.split_ascii_whitespace().map(write).collect::<Vec<_>>().join(" ")
}

fn attribute(field: &Fields<'_>, value: &str) -> String {
    let (name, value) = value.split_once(':').map_or((value, None), |(name, value)| (name, Some(value)));
    let known = ATTRIBUTES.contains(&name.to_ascii_lowercase().as_str());
    match value {
        None => field.word(name),
        Some(value) if name.eq_ignore_ascii_case("fmtp") => format!("fmtp:{}", parameters(field, value)),
        Some(value) if known => format!("{}:{}", field.word(name), field.attribute(value)),
        Some(value) if name.eq_ignore_ascii_case("crypto") => crypto(field, value),
        Some(value) => format!("{}:({} bytes)", field.word(name), value.len()),
    }
}

/// `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:…` (RFC 4568 §9.1) with zeros for the key. The length stays the suite's,
/// since tools take a description with another length for malformed.
fn crypto(field: &Fields<'_>, value: &str) -> String {
    let mut words = value.split_ascii_whitespace();
    let tag = words.next().filter(|tag| tag.len() <= 2 && tag.bytes().all(|byte| byte.is_ascii_digit()));
    let (Some(tag), Some(suite)) = (tag, words.next()) else {
        return format!("x-crypto:({} bytes)", value.len());
    };
    format!("crypto:{tag} {} inline:{}", field.word(suite), zeros(key_octets(suite)))
}

/// Octets of a suite's master key and salt (RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §14).
fn key_octets(suite: &str) -> usize {
    match suite.to_ascii_uppercase() {
        gcm if gcm.starts_with("AEAD_AES_256") => 44,
        gcm if gcm.starts_with("AEAD_AES_128") => 28,
        cm if cm.starts_with("AES_256_CM") => 46,
        cm if cm.starts_with("AES_192_CM") => 38,
        _ => 30,
    }
}

/// This many octets of zero in base64 (RFC 4648 §4).
fn zeros(octets: usize) -> String {
    let ending = ["", "AA==", "AAA="].get(octets % 3).copied().unwrap_or_default();
    format!("{}{ending}", "AAAA".repeat(octets / 3))
}

/// The value of `a=fmtp`: `96 name=value;name=value`. A redacted parameter gets a name whose format tools don't know,
/// since they decode the parameters that they know (`sprop-parameter-sets` is base64).
fn parameters(field: &Fields<'_>, value: &str) -> String {
    let (format, rest) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
    let format = if format.len() <= 3 { field.word(format) } else { "0".to_owned() };
    if field.attribute(value).starts_with('(') {
        // A number may be split over several parameters.
        return format!("{format} x-left-out=({} bytes)", value.len());
    }
    let shown = rest.split(';').map(|parameter| {
        let shown = field.attribute(parameter);
        if shown == parameter.trim_end() {
            return parameter.to_owned();
        }
        let name = parameter.split('=').next().unwrap_or_default().trim();
        let plain = name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-');
        let name = if plain && name.len() <= LONGEST_NAME { field.word(name) } else { "left-out".to_owned() };
        format!("x-{name}=({} bytes)", parameter.len())
    });
    let shown = shown.collect::<Vec<_>>().join(";");
    format!("{format} {shown}").trim_end().to_owned()
}

/// Each m-line's content, on one line: `audio 192.0.2.1:4000 PCMU telephone-event sendrecv`.
pub(super) fn summary(body: &str) -> Option<String> {
    let mut session = String::new();
    let mut direction = "sendrecv";
    let mut streams: Vec<Stream> = Vec::new();
    for (kind, value) in body.lines().filter_map(|line| line.trim_end().split_once('=')) {
        match (kind, streams.last_mut()) {
            ("m", _) => streams.extend(Stream::new(value, &session, direction)),
            ("c", None) => session = value.rsplit(' ').next().unwrap_or_default().to_owned(),
            ("c", Some(stream)) => stream.host = value.rsplit(' ').next().unwrap_or_default().to_owned(),
            ("a", None) => direction = way(value).unwrap_or(direction),
            ("a", Some(stream)) => stream.attribute(value),
            _ => {}
        }
    }
    let streams: Vec<String> = streams.iter().map(Stream::to_string).collect();
    (!streams.is_empty()).then(|| streams.join("; "))
}

fn way(attribute: &str) -> Option<&'static str> {
    ["sendrecv", "sendonly", "recvonly", "inactive"].into_iter().find(|way| *way == attribute)
}

struct Stream {
    kind: String,
    host: String,
    port: String,
    formats: Vec<(String, String)>,
    secure: bool,
    direction: &'static str,
}

impl Stream {
    fn new(line: &str, host: &str, direction: &'static str) -> Option<Self> {
        let mut words = line.split(' ');
        let (kind, port, protocol) = (words.next()?, words.next()?, words.next()?);
        let formats = words.map(|number| (number.to_owned(), usual(number).to_owned())).collect();
        let secure = protocol.contains("SAVP");
        Some(Self {
            kind: kind.to_owned(),
            host: host.to_owned(),
            port: port.to_owned(),
            formats,
            secure,
            direction,
        })
    }

    fn attribute(&mut self, value: &str) {
        if let Some(direction) = way(value) {
            self.direction = direction;
        }
        if let Some((number, encoding)) = value.strip_prefix("rtpmap:").and_then(|map| map.split_once(' '))
            && let Some((_, name)) = self.formats.iter_mut().find(|(known, _)| known == number)
        {
            encoding.split('/').next().unwrap_or(encoding).clone_into(name);
        }
    }
}

impl std::fmt::Display for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.port == "0" {
            return write!(f, "{} refused", self.kind);
        }
        write!(f, "{} {}:{}", self.kind, self.host, self.port)?;
        for (number, name) in &self.formats {
            write!(f, " {}", if name.is_empty() { number } else { name })?;
        }
        let secure = if self.secure { " encrypted" } else { "" };
        write!(f, "{secure} {}", self.direction)
    }
}

/// Encodings with static payload types (RFC 3551 table 4).
fn usual(number: &str) -> &'static str {
    match number {
        "0" => "PCMU",
        "3" => "GSM",
        "8" => "PCMA",
        "9" => "G722",
        "13" => "CN",
        "18" => "G729",
        _ => "",
    }
}
