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
    ContentTransferEncoding,
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

/// Known names with their canonical text and compact form (RFC 3261 §7.3.3 and the IANA registry), by length.
const TABLE: [(Name, &str, Option<u8>); 34] = [
    (Name::To, "To", Some(b't')),
    (Name::Via, "Via", Some(b'v')),
    (Name::CSeq, "CSeq", None),
    (Name::Date, "Date", None),
    (Name::From, "From", Some(b'f')),
    (Name::Path, "Path", None),
    (Name::RAck, "RAck", None),
    (Name::RSeq, "RSeq", None),
    (Name::Allow, "Allow", None),
    (Name::Event, "Event", Some(b'o')),
    (Name::Route, "Route", None),
    (Name::Reason, "Reason", None),
    (Name::CallId, "Call-ID", Some(b'i')),
    (Name::Contact, "Contact", Some(b'm')),
    (Name::Expires, "Expires", None),
    (Name::Require, "Require", None),
    (Name::Subject, "Subject", Some(b's')),
    (Name::ReferTo, "Refer-To", Some(b'r')),
    (Name::Replaces, "Replaces", None),
    (Name::Supported, "Supported", Some(b'k')),
    (Name::Timestamp, "Timestamp", None),
    (Name::UserAgent, "User-Agent", None),
    (Name::RetryAfter, "Retry-After", None),
    (Name::Unsupported, "Unsupported", None),
    (Name::ContentType, "Content-Type", Some(b'c')),
    (Name::MaxForwards, "Max-Forwards", None),
    (Name::RecordRoute, "Record-Route", None),
    (Name::ProxyRequire, "Proxy-Require", None),
    (Name::ContentLength, "Content-Length", Some(b'l')),
    (Name::SessionExpires, "Session-Expires", Some(b'x')),
    (Name::ContentEncoding, "Content-Encoding", Some(b'e')),
    (Name::ContentDisposition, "Content-Disposition", None),
    (Name::PAssertedIdentity, "P-Asserted-Identity", None),
    (Name::ContentTransferEncoding, "Content-Transfer-Encoding", None),
];

/// Longest name in the table.
const LONGEST: usize = 25;

/// For each length, how many names in the table are shorter.
#[allow(clippy::indexing_slicing)] // evaluated by the compiler
const SHORTER: [usize; LONGEST + 2] = {
    let mut shorter = [0; LONGEST + 2];
    let mut length = 0;
    while length < shorter.len() {
        let mut row = 0;
        while row < TABLE.len() && TABLE[row].1.len() < length {
            row += 1;
        }
        shorter[length] = row;
        length += 1;
    }
    shorter
};

impl Name {
    /// Recognises a header name in any case, long or compact.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        let hit = match text {
            [letter] => {
                let letter = letter.to_ascii_lowercase();
                TABLE.iter().find(|(_, _, compact)| *compact == Some(letter))
            }
            _ => of_length(text.len()).iter().find(|(_, long, _)| long.as_bytes().eq_ignore_ascii_case(text)),
        };
        hit.map_or(Self::Other, |(name, ..)| *name)
    }

    /// The canonical text; empty for [`Name::Other`].
    #[must_use]
    pub fn as_str(self) -> &'static str {
        TABLE.iter().find(|(name, ..)| *name == self).map_or("", |(_, long, _)| long)
    }
}

fn of_length(length: usize) -> &'static [(Name, &'static str, Option<u8>)] {
    let shorter = |length| SHORTER.get(length).copied().unwrap_or(TABLE.len());
    TABLE.get(shorter(length)..shorter(length + 1)).unwrap_or_default()
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
