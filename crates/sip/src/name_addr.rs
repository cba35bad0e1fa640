//! From, To, Contact, Route, Record-Route, Refer-To and their kind (RFC 3261 §20.10).

use std::ops::Range;

use crate::params::Params;
use crate::scan::{self, Cursor};
use crate::uri::{MalformedUri, UriView};

/// `["Display name"] <uri>*(;param)`, or `uri*(;param)`.
#[derive(Clone, Debug)]
pub struct NameAddr<'a> {
    /// As written, quotes included; bytes, since the wild sends Latin-1 here. `None` when empty.
    pub display: Option<&'a [u8]>,
    /// The URI's text, without angle brackets.
    pub uri: &'a str,
    /// Where the URI's text lies in the value.
    pub uri_range: Range<usize>,
    /// Parameters of the header, not of the URI.
    pub params: Params<'a>,
}

/// Not a name-addr or addr-spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed address")]
pub struct MalformedNameAddr;

impl<'a> NameAddr<'a> {
    /// Reads one value (see [`crate::list::Values`]) as it lies in the message. Display names are
    /// taken as they come; quotes and brackets must be balanced. The URI isn't looked into.
    ///
    /// # Errors
    /// When quotes or brackets don't close, there is no URI, or the parameters are malformed.
    pub fn parse(value: &'a [u8]) -> Result<Self, MalformedNameAddr> {
        Self::read(value).ok_or(MalformedNameAddr)
    }

    fn read(value: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(value);
        cursor.skip_lws();
        let mut ahead = cursor;
        let display = if ahead.peek() == Some(b'"') {
            Some(ahead.quoted()?)
        } else {
            let name = scan::trim(ahead.take_while(|b| !matches!(b, b'<' | b'"')));
            (!name.is_empty()).then_some(name)
        };
        ahead.skip_lws();
        if ahead.eat(b'<') {
            let start = ahead.at();
            let inner = ahead.take_while(|b| b != b'>');
            if !ahead.eat(b'>') {
                return None;
            }
            let trimmed = scan::trim_range(inner);
            let uri = inner.get(trimmed.clone())?;
            return Some(Self {
                display,
                uri: scan::text(uri).filter(|u| !u.is_empty())?,
                uri_range: start + trimmed.start..start + trimmed.end,
                params: Params::parse(value, ahead.at()).ok()?,
            });
        }
        // Without brackets, parameters belong to the header (RFC 3261 §20.10).
        let start = cursor.at();
        let uri = cursor.take_while(|b| !matches!(b, b';' | b',' | b'"' | b'>') && !scan::is_lws(b));
        Some(Self {
            display: None,
            uri: scan::text(uri).filter(|u| !u.is_empty())?,
            uri_range: start..cursor.at(),
            params: Params::parse(value, cursor.at()).ok()?,
        })
    }

    /// Looks into the URI.
    ///
    /// # Errors
    /// When it isn't one.
    pub fn uri(&self) -> Result<UriView<'a>, MalformedUri> {
        UriView::parse(self.uri)
    }

    /// The tag parameter.
    #[must_use]
    pub fn tag(&self) -> Option<&'a str> {
        self.params.value("tag")
    }
}

/// The URI in a value of From or To, as leniently: between the last brackets, or from the word that begins one on.
#[must_use]
pub fn uri(value: &[u8]) -> Option<&str> {
    if let Ok(value) = NameAddr::parse(value)
        && value.uri().is_ok()
    {
        return Some(value.uri);
    }
    let bracketed = memchr::memrchr(b'<', value).and_then(|at| {
        let inner = value.get(at + 1..)?;
        inner.get(..memchr::memchr(b'>', inner)?)
    });
    let bare = || {
        let begins = |at: &usize| {
            let rest = value.get(*at..).unwrap_or_default();
            [&b"sip:"[..], b"sips:", b"tel:"]
                .iter()
                .any(|scheme| rest.get(..scheme.len()).is_some_and(|word| word.eq_ignore_ascii_case(scheme)))
        };
        let at = (0..value.len()).find(begins)?;
        let ends = |&byte: &u8| matches!(byte, b';' | b',' | b'"' | b'>') || scan::is_lws(byte);
        value.get(at..)?.split(ends).next()
    };
    bracketed.or_else(bare).map(scan::trim).and_then(scan::text).filter(|uri| !uri.is_empty())
}

/// The tag in a value of From or To, of which nothing else has to be in order: display names come without brackets
/// around the URI, with quotes in quotes, and with quotes that never close.
#[must_use]
pub fn tag(value: &[u8]) -> Option<&str> {
    if let Ok(value) = NameAddr::parse(value) {
        return value.tag().filter(|tag| !tag.is_empty());
    }
    // The header's own parameters stand behind the last bracket, or, without brackets, behind the first semicolon.
    let end = memchr::memrchr(b'>', value).map_or(0, |at| at + 1);
    let params = value.get(end..)?;
    let named = params.split(|&byte| byte == b';').skip(1).find_map(|param| {
        let equals = memchr::memchr(b'=', param)?;
        let (name, tag) = param.split_at_checked(equals)?;
        scan::trim(name).eq_ignore_ascii_case(b"tag").then(|| scan::trim(tag.get(1..).unwrap_or_default()))
    })?;
    let whole = !named.is_empty() && named.iter().all(|&byte| scan::is_token(byte));
    scan::text(named).filter(|_| whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_in_whatever_stands_around_it() {
        for odd in [
            "\"Anonymous\" sip:anonymous@192.0.2.1;tag=a1",
            "\"\"unknown\"\" <sip:200@192.0.2.1>;tag=a1",
            "\"Sami\\\" <sip:100@192.0.2.1>;tag=a1",
            "\"open <sip:a@b;tag=not-this>;x=y; TAG = a1",
            "<sip:a@b>;tag=a1;",
            "<sip:a@b>;;tag=a1",
            "<sip:a@b;user=phone;>;tag=a1",
            "<sip:a@>;tag=a1",
            "<>;tag=a1",
        ] {
            assert_eq!(tag(odd.as_bytes()), Some("a1"), "{odd}");
        }
        assert_eq!(tag(b"<sip:a@b>;x=\xe9;tag=a1"), Some("a1"));
        for none in
            ["", "<sip:a@b", "\"tag=a\" <sip:b>", "<sip:a@b;tag=x>", "<sip:a>;tag=", "<sip:a>;tag=a b"]
        {
            assert_eq!(tag(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn the_uri_is_found_too() {
        for (odd, wanted) in [
            ("\"Anonymous\" sip:100@192.0.2.1;tag=a1", "sip:100@192.0.2.1"),
            ("\"\"unknown\"\" <sip:100@192.0.2.1>;tag=a1", "sip:100@192.0.2.1"),
            ("\"Sami\\\" <tel:+49>;tag=a1", "tel:+49"),
            ("\"open <sip:a@b>;tag=1", "sip:a@b"),
            ("Bob TEL:100", "TEL:100"),
            ("sip:a@b;tag=1", "sip:a@b"),
        ] {
            assert_eq!(uri(odd.as_bytes()), Some(wanted), "{odd}");
        }
        assert_eq!(uri(b"\"nobody\" at all"), None);
    }

    #[test]
    fn quoted_folded_and_bare() {
        let from = NameAddr::parse(
            b"\"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8",
        )
        .unwrap();
        assert_eq!((from.uri, from.tag()), ("sip:jdrosen@example.com", Some("98asjd8")));
        let to = NameAddr::parse(b"\r\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n").unwrap();
        assert_eq!((to.uri, to.tag()), ("sip:vivekg@chair-dnrc.example.com", Some("1918181833n")));
        assert!(to.display.is_none());
    }

    #[test]
    fn odd_but_readable() {
        let bytes = b"caller<sip:caller@[2001:db8::1];x=y>;tag=323";
        let value = NameAddr::parse(bytes).unwrap();
        assert_eq!(value.display, Some(&b"caller"[..]));
        assert_eq!(&bytes[value.uri_range.clone()], value.uri.as_bytes());
        assert_eq!(NameAddr::parse(b"Bell, Alexander <sip:a@b>;tag=43").unwrap().tag(), Some("43"));
        assert!(NameAddr::parse(b"\xe9t\xe9 <sip:a@b>").is_ok());
        assert!(NameAddr::parse(b"tel:+15551234;tag=1").unwrap().tag().is_some());
    }

    #[test]
    fn unbalanced() {
        for bad in
            ["", "<>", "\"Mr. J. User <sip:j.user@example.com>", "<sip:a@b", "a \"b\" <sip:c@d>", "sip:a>"]
        {
            assert!(NameAddr::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
