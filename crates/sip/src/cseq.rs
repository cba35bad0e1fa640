//! The CSeq header (RFC 3261 §20.16).

use crate::message::Method;
use crate::scan::{self, Cursor};

/// A CSeq value: `4711 INVITE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CSeq<'a> {
    /// Sequence number; the RFC asks for less than 2^31, 32 bits are accepted.
    pub number: u32,
    /// Method of the request that this is, or that is answered.
    pub method: Method<'a>,
}

impl<'a> CSeq<'a> {
    /// Reads a CSeq value as it lies in the message; `None` when it is malformed or out of range.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(value);
        cursor.skip_lws();
        let number = scan::decimal(cursor.take_while(|b| b.is_ascii_digit()))?;
        let number = u32::try_from(number).ok()?;
        if !cursor.peek().is_some_and(scan::is_lws) {
            return None;
        }
        cursor.skip_lws();
        let method = Method::parse(cursor.take_while(scan::is_token))?;
        cursor.skip_lws();
        cursor.peek().is_none().then_some(Self { number, method })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_and_zero_padded() {
        let cseq = CSeq::parse(b"0009\r\n  INVITE").unwrap();
        assert_eq!((cseq.number, cseq.method), (9, Method::INVITE));
    }

    #[test]
    fn out_of_range_or_malformed() {
        for bad in ["36893488147419103232 INVITE", "-1 INVITE", "INVITE", "1", "1INVITE", "1 INVITE x", ""] {
            assert_eq!(CSeq::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
