//! The Recv-Info header (RFC 6086 §7): for which INFO packages a party is ready.

use super::PACKAGE;
use crate::message::Message;
use crate::scan;

/// Whether the sender of a message is ready for our package; `None` if it says nothing of packages. An empty header
/// says "for none", and so does `nil`, as drafts of the RFC had it.
pub(crate) fn accepts(message: &Message) -> Option<bool> {
    let mut said = None;
    for header in message.headers_called("Recv-Info") {
        let ours = header.values().any(|value| {
            let end = value.bytes.iter().position(|&byte| byte == b';').unwrap_or(value.bytes.len());
            let name = scan::trim(value.bytes.get(..end).unwrap_or_default());
            name.eq_ignore_ascii_case(PACKAGE.as_bytes())
        });
        said = Some(said.unwrap_or(false) || ours);
    }
    said
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn said(headers: &str) -> Option<bool> {
        let text = format!(
            "INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n{headers}\r\n"
        );
        accepts(&Message::parse(Bytes::from(text)).unwrap())
    }

    #[test]
    fn listed_or_not() {
        assert_eq!(said(""), None);
        assert_eq!(said("Recv-Info:\r\n"), Some(false));
        assert_eq!(said("Recv-Info: nil\r\n"), Some(false));
        assert_eq!(said("Recv-Info: x-sidetone-affects\r\n"), Some(false));
        assert_eq!(said("Recv-Info: foo, X-Sidetone-Affect ;a=b\r\n"), Some(true));
        assert_eq!(said("Recv-Info: foo\r\nrecv-info: x-sidetone-affect\r\nRecv-Info: bar\r\n"), Some(true));
    }
}
