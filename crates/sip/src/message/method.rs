//! Request methods: a token, compared with case (RFC 3261 §7.1).

use std::fmt;

use crate::scan;

/// A method, as written. Known ones can be matched on: `match method { Method::INVITE => … }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Method<'a>(&'a str);

#[allow(missing_docs)] // each is the RFC's own name
impl Method<'static> {
    pub const ACK: Self = Self("ACK");
    pub const BYE: Self = Self("BYE");
    pub const CANCEL: Self = Self("CANCEL");
    pub const INFO: Self = Self("INFO");
    pub const INVITE: Self = Self("INVITE");
    pub const MESSAGE: Self = Self("MESSAGE");
    pub const NOTIFY: Self = Self("NOTIFY");
    pub const OPTIONS: Self = Self("OPTIONS");
    pub const PRACK: Self = Self("PRACK");
    pub const PUBLISH: Self = Self("PUBLISH");
    pub const REFER: Self = Self("REFER");
    pub const REGISTER: Self = Self("REGISTER");
    pub const SUBSCRIBE: Self = Self("SUBSCRIBE");
    pub const UPDATE: Self = Self("UPDATE");
}

impl<'a> Method<'a> {
    /// Takes a token; `None` when it isn't one.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        if text.is_empty() || !text.iter().all(|&b| scan::is_token(b)) {
            return None;
        }
        scan::text(text).map(Self)
    }

    /// As written.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }
}

impl fmt::Display for Method<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
