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

#[cfg(test)]
mod tests {
    use super::*;

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
        for bad in [
            "",
            "<>",
            "\"Mr. J. User <sip:j.user@example.com>",
            "<sip:a@b",
            "a \"b\" <sip:c@d>",
            "<sip:a>;;",
            "sip:a>",
        ] {
            assert!(NameAddr::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
