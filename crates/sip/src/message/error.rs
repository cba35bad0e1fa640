//! A message's flaw, and whether its sender can be told.

use super::Message;

/// Why bytes are not a message that can be acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// Nothing but line ends: a keep-alive (RFC 5626 §4.4.1).
    #[error("empty")]
    Empty,
    /// Larger than [`super::Limits::message`].
    #[error("message too large")]
    TooLarge,
    /// More header lines than [`super::Limits::headers`].
    #[error("too many headers")]
    TooManyHeaders,
    /// A header longer than [`super::Limits::line`], folds included.
    #[error("header too long")]
    LineTooLong,
    /// Neither a request line nor a status line.
    #[error("malformed start line")]
    StartLine,
    /// A version other than SIP/2.0.
    #[error("version not supported")]
    Version,
    /// The headers don't end.
    #[error("truncated headers")]
    Truncated,
    /// A NUL or a lone CR in a header, or a fold with nothing before it.
    #[error("malformed header")]
    Header,
    /// A header that every message carries is missing.
    #[error("missing header")]
    MissingHeader,
    /// A header that may stand only once stands twice, or Content-Length twice with different lengths.
    #[error("repeated header")]
    RepeatedHeader,
    /// Call-ID is empty.
    #[error("malformed Call-ID")]
    CallId,
    /// CSeq is malformed or out of range.
    #[error("malformed CSeq")]
    CSeq,
    /// CSeq names another method than the request line.
    #[error("CSeq method differs")]
    MethodMismatch,
    /// The first Via is malformed.
    #[error("malformed Via")]
    Via,
    /// From is empty.
    #[error("malformed From")]
    From,
    /// To is empty.
    #[error("malformed To")]
    To,
    /// Content-Length isn't a number.
    #[error("malformed Content-Length")]
    ContentLength,
    /// Content-Length asks for more body than there is.
    #[error("body shorter than Content-Length")]
    ShortBody,
}

/// A message that can't be acted on.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{flaw}")]
pub struct ParseError {
    /// The first flaw that was found.
    pub flaw: Flaw,
    view: Option<Box<Message>>,
}

impl ParseError {
    pub(super) fn new(flaw: Flaw, view: Option<Message>) -> Self {
        Self { flaw, view: view.map(Box::new) }
    }

    /// The lenient view to build the error response from, when the bytes are a request with a Via, well-formed
    /// or not: without it there is no response. An ACK among them gets none either.
    #[must_use]
    pub fn answerable(&self) -> Option<&Message> {
        self.view.as_deref()
    }

    /// The status to answer with.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self.flaw {
            Flaw::Version => 505,
            Flaw::TooLarge => 513,
            _ => 400,
        }
    }

    /// The reason phrase to answer with.
    #[must_use]
    pub fn reason(&self) -> String {
        match self.status() {
            505 => "Version Not Supported".to_owned(),
            513 => "Message Too Large".to_owned(),
            _ => format!("Bad Request ({})", self.flaw),
        }
    }
}
