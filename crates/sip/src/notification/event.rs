//! The Event header (RFC 6665 §8.2.1).

use std::borrow::Cow;

use crate::params::{Param, Params};
use crate::scan::{self, Cursor};

/// `package *( ";" param )`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventHeader<'a> {
    /// The package with its templates, as written.
    pub(crate) package: &'a str,
    params: Params<'a>,
}

impl<'a> EventHeader<'a> {
    /// Reads the header's value as it lies in the message.
    pub(crate) fn parse(value: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(value);
        cursor.skip_lws();
        let package = scan::text(cursor.take_while(scan::is_token)).filter(|name| !name.is_empty())?;
        Some(Self { package, params: Params::parse(value, cursor.at()).ok()? })
    }

    /// Whether it is of that package. Names compare with case (RFC 6665 §8.2.1).
    pub(crate) fn is(&self, package: &str) -> bool {
        self.package == package
    }

    /// The `id` parameter, which tells subscriptions in one dialog apart.
    pub(crate) fn id(&self) -> Option<Param<'a>> {
        self.params.find("id")
    }

    /// The value of a parameter, without the quotes around it.
    pub(crate) fn value(&self, name: &str) -> Option<Cow<'a, str>> {
        let value = self.params.value(name)?;
        let Some(quoted) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
            return Some(Cow::Borrowed(value));
        };
        if !quoted.contains('\\') {
            return Some(Cow::Borrowed(quoted));
        }
        let mut escaped = false;
        let plain = |c: &char| {
            escaped = *c == '\\' && !escaped;
            !escaped
        };
        Some(Cow::Owned(quoted.chars().filter(plain).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_id_and_quoted_values() {
        let event = EventHeader::parse(b" x-sidetone-affect ; id=7 ;call-id=\"a\\\"b\\\\c@h\"").unwrap();
        assert!(event.is("x-sidetone-affect") && !event.is("X-Sidetone-Affect"));
        assert_eq!(event.id().and_then(|id| id.value), Some("7"));
        assert_eq!(event.value("call-id").as_deref(), Some("a\"b\\c@h"));
        assert_eq!(
            EventHeader::parse(b"dialog;call-id=a@b").unwrap().value("call-id").as_deref(),
            Some("a@b")
        );
    }

    #[test]
    fn nonsense() {
        for bad in ["", ";id=1", "refer;;,", "refer;id=\"1", "a b"] {
            assert!(EventHeader::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
