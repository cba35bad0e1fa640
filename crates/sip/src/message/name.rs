//! Header names that the proxy has a use for, and their compact forms.

/// A header that the wire layer, the proxy or the anchor looks for. Every other header is
/// [`Name::Other`] and found by its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // each is the RFC's own name
pub enum Name {
    Allow,
    CallId,
    Contact,
    ContentDisposition,
    ContentEncoding,
    ContentLength,
    ContentType,
    CSeq,
    Date,
    Event,
    Expires,
    From,
    MaxForwards,
    Path,
    PAssertedIdentity,
    ProxyRequire,
    RAck,
    Reason,
    RecordRoute,
    ReferTo,
    Replaces,
    Require,
    RetryAfter,
    Route,
    RSeq,
    SessionExpires,
    Subject,
    Supported,
    Timestamp,
    To,
    Unsupported,
    UserAgent,
    Via,
    Other,
}

/// Known names with their canonical text and compact form (RFC 3261 §7.3.3 and the IANA registry).
const TABLE: [(Name, &str, Option<u8>); 33] = [
    (Name::Allow, "Allow", None),
    (Name::CallId, "Call-ID", Some(b'i')),
    (Name::Contact, "Contact", Some(b'm')),
    (Name::ContentDisposition, "Content-Disposition", None),
    (Name::ContentEncoding, "Content-Encoding", Some(b'e')),
    (Name::ContentLength, "Content-Length", Some(b'l')),
    (Name::ContentType, "Content-Type", Some(b'c')),
    (Name::CSeq, "CSeq", None),
    (Name::Date, "Date", None),
    (Name::Event, "Event", Some(b'o')),
    (Name::Expires, "Expires", None),
    (Name::From, "From", Some(b'f')),
    (Name::MaxForwards, "Max-Forwards", None),
    (Name::Path, "Path", None),
    (Name::PAssertedIdentity, "P-Asserted-Identity", None),
    (Name::ProxyRequire, "Proxy-Require", None),
    (Name::RAck, "RAck", None),
    (Name::Reason, "Reason", None),
    (Name::RecordRoute, "Record-Route", None),
    (Name::ReferTo, "Refer-To", Some(b'r')),
    (Name::Replaces, "Replaces", None),
    (Name::Require, "Require", None),
    (Name::RetryAfter, "Retry-After", None),
    (Name::Route, "Route", None),
    (Name::RSeq, "RSeq", None),
    (Name::SessionExpires, "Session-Expires", Some(b'x')),
    (Name::Subject, "Subject", Some(b's')),
    (Name::Supported, "Supported", Some(b'k')),
    (Name::Timestamp, "Timestamp", None),
    (Name::To, "To", Some(b't')),
    (Name::Unsupported, "Unsupported", None),
    (Name::UserAgent, "User-Agent", None),
    (Name::Via, "Via", Some(b'v')),
];

impl Name {
    /// Recognises a header name in any case, long or compact.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        let hit = match text {
            [letter] => {
                let letter = letter.to_ascii_lowercase();
                TABLE.iter().find(|(_, _, compact)| *compact == Some(letter))
            }
            _ => TABLE.iter().find(|(_, long, _)| long.as_bytes().eq_ignore_ascii_case(text)),
        };
        hit.map_or(Self::Other, |(name, ..)| *name)
    }

    /// The canonical text; empty for [`Name::Other`].
    #[must_use]
    pub fn as_str(self) -> &'static str {
        TABLE.iter().find(|(name, ..)| *name == self).map_or("", |(_, long, _)| long)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_compact_and_unknown() {
        assert_eq!(Name::of(b"cAlL-iD"), Name::CallId);
        assert_eq!(Name::of(b"I"), Name::CallId);
        assert_eq!(Name::of(b"X-Whatever"), Name::Other);
        assert_eq!(Name::of(b"q"), Name::Other);
        for (name, text, _) in TABLE {
            assert_eq!(Name::of(text.as_bytes()), name);
            assert_eq!(name.as_str(), text);
        }
    }
}
