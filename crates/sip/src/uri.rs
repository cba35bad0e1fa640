//! URIs: sip and sips looked into, tel and the rest carried (RFC 3261 §19.1, RFC 3966).

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::host::{self, HostPort};
use crate::{Transport, scan};

/// A URI read where it lies.
#[derive(Clone, Copy, Debug)]
pub struct UriView<'a> {
    text: &'a str,
    components: Components,
}

/// A URI that owns its text, which it keeps as it came.
#[derive(Clone, Debug)]
pub struct Uri {
    text: String,
    components: Components,
}

impl Serialize for Uri {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Uri {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// The scheme of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`
    Tel,
    /// Anything else; it has neither user nor host here.
    Other,
}

/// Byte offsets of the components in the text (RFC 3986 §3, RFC 3261 §19.1.1). The range of an absent component is
/// empty; `host` tells an empty user from an absent one.
#[derive(Clone, Copy, Debug)]
struct Components {
    scheme: Scheme,
    /// Just after the scheme's colon.
    body: u32,
    user_end: u32,
    /// Just after `@`; equals `body` when there is none.
    host: u32,
    host_end: u32,
    port: Option<u16>,
    /// The first `;` after host and port (or after a tel number).
    params: u32,
    /// The `?`, or the end.
    headers: u32,
}

/// Not a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed URI")]
pub struct MalformedUri;

impl Scheme {
    /// Reads the word before the colon; `None` if it can't be a scheme (RFC 3986 §3.1).
    fn read(word: &str) -> Option<Self> {
        let mut letters = word.bytes();
        if !letters.next()?.is_ascii_alphabetic()
            || !letters.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        {
            return None;
        }
        Some(match word {
            _ if word.eq_ignore_ascii_case("sip") => Self::Sip,
            _ if word.eq_ignore_ascii_case("sips") => Self::Sips,
            _ if word.eq_ignore_ascii_case("tel") => Self::Tel,
            _ => Self::Other,
        })
    }
}

impl Components {
    fn read(text: &str) -> Option<Self> {
        if text.bytes().any(|b| b.is_ascii_control() || matches!(b, b' ' | b'<' | b'>' | b'"')) {
            return None;
        }
        let colon = text.find(':')?;
        let scheme = Scheme::read(text.get(..colon)?)?;
        let body = colon + 1;
        let rest = text.get(body..)?;
        if rest.is_empty() {
            return None;
        }
        let end = text.len();
        let offset = |at: usize| u32::try_from(at).ok();
        let mut components = Self {
            scheme,
            body: offset(body)?,
            user_end: offset(body)?,
            host: offset(body)?,
            host_end: offset(body)?,
            port: None,
            params: offset(end)?,
            headers: offset(end)?,
        };
        match scheme {
            Scheme::Other => {}
            Scheme::Tel => {
                let number = rest.find(';').unwrap_or(rest.len());
                components.user_end = offset(body + number)?;
                components.params = components.user_end;
            }
            Scheme::Sip | Scheme::Sips => {
                // User parts may hold `;` and `?`, and hosts can't hold `@`, so it is looked for first.
                let host = rest.find('@').map_or(body, |at| body + at + 1);
                if host > body {
                    components.user_end = offset(host - 1)?;
                }
                let tail = text.get(host..)?;
                let params = tail.find([';', '?']).map_or(end, |at| host + at);
                let headers = text.get(params..)?.find('?').map_or(end, |at| params + at);
                let (name, port) = host::split_port(text.get(host..params)?)?;
                components.host = offset(host)?;
                components.host_end = offset(host + name.len())?;
                components.port = port;
                components.params = offset(params)?;
                components.headers = offset(headers)?;
            }
        }
        Some(components)
    }
}

impl<'a> UriView<'a> {
    /// Reads a URI. The text must be the URI and nothing else.
    ///
    /// # Errors
    /// When there is no scheme, or a sip URI has no proper host and port, or it holds white space,
    /// quotes or angle brackets.
    pub fn parse(text: &'a str) -> Result<Self, MalformedUri> {
        Components::read(text).map(|components| Self { text, components }).ok_or(MalformedUri)
    }

    fn slice(&self, from: u32, to: u32) -> &'a str {
        self.text.get(from as usize..to as usize).unwrap_or_default()
    }

    /// As written.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.text
    }

    /// Its scheme.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.components.scheme
    }

    /// sip or sips: something that a message can be sent to.
    #[must_use]
    pub const fn is_sip(&self) -> bool {
        matches!(self.components.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// The userinfo before `@`, escapes kept, password included; the number of a tel URI.
    #[must_use]
    pub fn userinfo(&self) -> Option<&'a str> {
        let present = match self.components.scheme {
            Scheme::Tel => true,
            Scheme::Sip | Scheme::Sips => self.components.host > self.components.body,
            Scheme::Other => false,
        };
        present.then(|| self.slice(self.components.body, self.components.user_end))
    }

    /// The user, escapes kept, without password; the number of a tel URI.
    #[must_use]
    pub fn user(&self) -> Option<&'a str> {
        let info = self.userinfo()?;
        Some(info.split_once(':').map_or(info, |(user, _)| user))
    }

    /// The user without its escapes; the escapes stay when they aren't UTF-8.
    #[must_use]
    pub fn user_unescaped(&self) -> Option<Cow<'a, str>> {
        self.user().map(unescape)
    }

    /// The host, brackets included; empty for tel and unknown schemes.
    #[must_use]
    pub fn host(&self) -> &'a str {
        self.slice(self.components.host, self.components.host_end)
    }

    /// The host, when it is an address.
    #[must_use]
    pub fn host_ip(&self) -> Option<IpAddr> {
        host::literal(self.host())
    }

    /// The port, when stated.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.components.port
    }

    /// Host and port, owned; `None` for tel and unknown schemes.
    #[must_use]
    pub fn host_port(&self) -> Option<HostPort> {
        Some(HostPort { host: self.host().parse().ok()?, port: self.port() })
    }

    /// The parameters, in order: `(name, value)`, escapes kept.
    pub fn params(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        let text = self.slice(self.components.params, self.components.headers);
        text.split(';').filter(|p| !p.is_empty()).map(|p| match p.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (p, None),
        })
    }

    /// The first parameter of that name, in any case: `Some(None)` for a flag.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Option<&'a str>> {
        self.params().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The first parameter of that name; a flag is empty.
    fn param_or_flag(&self, name: &str) -> Option<&'a str> {
        self.param(name).map(Option::unwrap_or_default)
    }

    /// The value of that parameter; `None` when it is absent or a flag.
    #[must_use]
    pub fn param_value(&self, name: &str) -> Option<&'a str> {
        self.param(name).flatten()
    }

    /// The loose-routing flag.
    #[must_use]
    pub fn is_loose(&self) -> bool {
        self.param("lr").is_some()
    }

    /// The transport parameter as written.
    #[must_use]
    pub fn transport_param(&self) -> Option<&'a str> {
        self.param_value("transport")
    }

    /// The transport that the URI names, when it is one that is spoken here. A sips URI means TLS, whatever stream its
    /// parameter names (RFC 5630 §3.1.4), and none if that is UDP.
    #[must_use]
    pub fn transport(&self) -> Option<Transport> {
        let named = self.transport_param().map(Transport::from_word);
        if self.components.scheme != Scheme::Sips {
            return named.flatten();
        }
        match named {
            None | Some(Some(Transport::Tcp | Transport::Tls)) => Some(Transport::Tls),
            Some(Some(Transport::Ws | Transport::Wss)) => Some(Transport::Wss),
            Some(Some(Transport::Udp) | None) => None,
        }
    }

    /// The maddr parameter.
    #[must_use]
    pub fn maddr(&self) -> Option<&'a str> {
        self.param_value("maddr")
    }

    /// The headers behind `?`, without it; empty if there are none.
    #[must_use]
    pub fn headers(&self) -> &'a str {
        self.text
            .get(self.components.headers as usize..)
            .and_then(|t| t.strip_prefix('?'))
            .unwrap_or_default()
    }

    /// Whether two URIs are equal by RFC 3261 §19.1.4; other schemes compare by text (tel: without
    /// visual separators and case).
    #[must_use]
    pub fn equivalent(&self, other: &UriView<'_>) -> bool {
        if self.components.scheme != other.components.scheme {
            return false;
        }
        match self.components.scheme {
            Scheme::Other => self.text == other.text,
            Scheme::Tel => digits(self.text).eq(digits(other.text)),
            Scheme::Sip | Scheme::Sips => {
                self.userinfo().map(unescape) == other.userinfo().map(unescape)
                    && self.same_host(other)
                    && self.port() == other.port()
                    && self.params_agree(other)
                    && other.params_agree(self)
                    && same_headers(self.headers(), other.headers())
            }
        }
    }

    fn same_host(&self, other: &UriView<'_>) -> bool {
        match (self.host_ip(), other.host_ip()) {
            (Some(a), Some(b)) => a == b,
            _ => self.host().eq_ignore_ascii_case(other.host()),
        }
    }

    /// Every parameter of ours that they have too agrees, and those that count even alone are there.
    fn params_agree(&self, other: &UriView<'_>) -> bool {
        const COUNT_ALONE: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];
        self.params().all(|(name, _)| match other.param_or_flag(name) {
            Some(theirs) => {
                // A name may stand only once: the first counts.
                let ours = self.param_or_flag(name).unwrap_or_default();
                unescape(ours).eq_ignore_ascii_case(&unescape(theirs))
            }
            None => !COUNT_ALONE.iter().any(|n| n.eq_ignore_ascii_case(name)),
        })
    }

    /// An owned copy.
    #[must_use]
    pub fn to_owned(&self) -> Uri {
        Uri { text: self.text.to_owned(), components: self.components }
    }
}

impl fmt::Display for UriView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl Uri {
    /// The view with all the accessors.
    #[must_use]
    pub fn view(&self) -> UriView<'_> {
        UriView { text: &self.text, components: self.components }
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Uri {
    type Err = MalformedUri;

    fn from_str(text: &str) -> Result<Self, MalformedUri> {
        UriView::parse(text).map(|view| view.to_owned())
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// By text; see [`UriView::equivalent`] for equality by the RFC.
impl PartialEq for Uri {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Uri {}

fn digits(text: &str) -> impl Iterator<Item = u8> + '_ {
    text.bytes().filter(|b| !matches!(b, b'-' | b'.' | b'(' | b')')).map(|b| b.to_ascii_lowercase())
}

fn same_headers(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    let sorted = |text: &str| {
        let mut all: Vec<String> = text
            .split('&')
            .map(|h| match h.split_once('=') {
                Some((name, value)) => format!("{}={}", name.to_ascii_lowercase(), unescape(value)),
                None => h.to_ascii_lowercase(),
            })
            .collect();
        all.sort_unstable();
        all
    };
    sorted(a) == sorted(b)
}

/// Undoes `%hh`; text that then isn't UTF-8 is left as it was.
#[must_use]
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = match (byte, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                out.push(high << 4 | low);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8(out).map_or(Cow::Borrowed(text), Cow::Owned)
}

fn hex(byte: u8) -> Option<u8> {
    scan::text(&[byte]).and_then(|t| u8::from_str_radix(t, 16).ok()).filter(|_| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> UriView<'_> {
        UriView::parse(text).unwrap()
    }

    #[test]
    fn parts_of_a_full_uri() {
        let u = uri("sips:alice:secret@[2001:db8::1]:5061;lr;transport=TCP;maddr=[::2]?subject=x&to=a@b");
        assert_eq!((u.user(), u.userinfo()), (Some("alice"), Some("alice:secret")));
        assert_eq!((u.host(), u.port()), ("[2001:db8::1]", Some(5061)));
        assert!(u.is_loose());
        assert_eq!(u.transport(), Some(Transport::Tls));
        assert_eq!(u.maddr(), Some("[::2]"));
        assert_eq!(u.headers(), "subject=x&to=a@b");
    }

    #[test]
    fn sips_means_tls_on_whatever_stream() {
        for (text, transport) in [
            ("sip:h", None),
            ("sip:h;transport=TLS", Some(Transport::Tls)),
            ("sip:h;transport=ws", Some(Transport::Ws)),
            ("sip:h;transport=sctp", None),
            ("sips:h", Some(Transport::Tls)),
            ("sips:h;transport=tcp", Some(Transport::Tls)),
            ("sips:h;transport=ws", Some(Transport::Wss)),
            ("sips:h;transport=udp", None),
            ("sips:h;transport=sctp", None),
        ] {
            assert_eq!(uri(text).transport(), transport, "{text}");
        }
    }

    #[test]
    fn user_parts_of_the_torture_tests() {
        let crazy = "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com";
        assert_eq!(uri(crazy).host(), "example.com");
        let semicolon = uri("sip:user;par=u%40example.net@example.com");
        assert_eq!(semicolon.user_unescaped().unwrap(), "user;par=u@example.net");
        assert_eq!(uri("sip:null-%00-null@example.com").user_unescaped().unwrap(), "null-\0-null");
        assert_eq!(uri("sip:vivekg@chair-dnrc.example.com;unknownparam").param("unknownparam"), Some(None));
    }

    #[test]
    fn other_schemes_are_carried() {
        assert_eq!(uri("tel:+1-972-555-2222;phone-context=x").user(), Some("+1-972-555-2222"));
        assert_eq!(uri("nobodyKnowsThisScheme:totallyopaquecontent").scheme(), Scheme::Other);
        assert_eq!(uri("soap.beep://192.0.2.103:3002").host(), "");
        assert!(uri("tel:+19725552222").equivalent(&uri("tel:+1-972-555-2222")));
    }

    #[test]
    fn malformed() {
        for bad in [
            "",
            "sip",
            "sip:",
            ":x",
            "sip:@",
            "sip:a@",
            "sip:a@h:p",
            "sip:a@h:99999",
            "sip:a@[::1",
            "sip:a b@h",
            "<sip:a@h>",
            "sip:a@h h",
            "sip:2001:db8::10",
            "1sip:a@h",
        ] {
            assert!(UriView::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn equality_of_rfc3261_19_1_4() {
        for (a, b) in [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
            ("sip:a@h;x=1;x=2", "sip:a@h;x=1;x=3"),
            ("sip:a@[2001:db8::0:1]", "sip:a@[2001:DB8::1]"),
        ] {
            assert!(uri(a).equivalent(&uri(b)), "{a} = {b}");
        }
        for (a, b) in [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
            ("sip:a@h", "sips:a@h"),
        ] {
            assert!(!uri(a).equivalent(&uri(b)), "{a} != {b}");
        }
    }
}
