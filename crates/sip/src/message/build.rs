//! Messages of our own: responses, and the few requests that a proxy makes.

use std::net::SocketAddr;

use bytes::Bytes;

use super::edit::{line, one_line};
use super::{Message, Method, Name, StartLine};
use crate::name_addr;

/// A response to a request: Via, From, To, Call-ID and CSeq are copied byte for byte.
#[derive(Clone, Debug)]
pub struct ResponseBuilder<'a> {
    request: &'a Message,
    status: u16,
    reason: String,
    to_tag: Option<String>,
    source: Option<SocketAddr>,
    more: Vec<u8>,
    body: Vec<u8>,
}

impl<'a> ResponseBuilder<'a> {
    /// A response with the RFC's own reason phrase and no body.
    #[must_use]
    pub fn new(request: &'a Message, status: u16) -> Self {
        Self {
            request,
            status,
            reason: reason_phrase(status).to_owned(),
            to_tag: None,
            source: None,
            more: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Another reason phrase.
    #[must_use]
    pub fn reason(mut self, reason: &str) -> Self {
        reason.clone_into(&mut self.reason);
        self
    }

    /// A tag for To, added if To has none. Due in every response but 100 (RFC 3261 §8.2.6.2).
    #[must_use]
    pub fn to_tag(mut self, tag: &str) -> Self {
        self.to_tag = Some(tag.to_owned());
        self
    }

    /// Fills `received` and `rport` into the topmost Via, as [`super::Edit::fill_received`] does.
    #[must_use]
    pub fn source(mut self, source: SocketAddr) -> Self {
        self.source = Some(source);
        self
    }

    /// One more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.more.extend(line(name, value));
        self
    }

    /// A body and its type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.more.extend(line("Content-Type", content_type));
        self.body = body.into();
        self
    }

    /// The response.
    #[must_use]
    pub fn build(self) -> Bytes {
        let mut out = Vec::with_capacity(512 + self.more.len() + self.body.len());
        out.extend_from_slice(format!("SIP/2.0 {} ", self.status).as_bytes());
        out.extend(one_line(&self.reason));
        out.extend_from_slice(b"\r\n");
        self.request.copy_lines(Name::Via, self.source, &mut out);
        self.request.copy_lines(Name::From, None, &mut out);
        self.copy_to(&mut out);
        self.request.copy_lines(Name::CallId, None, &mut out);
        self.request.copy_lines(Name::CSeq, None, &mut out);
        if self.status == 100 {
            self.request.copy_lines(Name::Timestamp, None, &mut out);
        }
        out.extend_from_slice(&self.more);
        out.extend(line("Content-Length", &self.body.len().to_string()));
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
        Bytes::from(out)
    }

    fn copy_to(&self, out: &mut Vec<u8>) {
        let Some(to) = self.request.header(Name::To) else { return };
        let bytes = self.request.as_bytes();
        let tagged = name_addr::tag(to.value).is_some();
        match self.to_tag.as_deref().filter(|_| !tagged) {
            Some(tag) => {
                out.extend_from_slice(bytes.get(to.line.start..to.value_range.end).unwrap_or_default());
                out.extend_from_slice(if to.value.ends_with(b";") { b"tag=" } else { b";tag=" });
                out.extend(one_line(tag));
                out.extend_from_slice(bytes.get(to.value_range.end..to.line.end).unwrap_or_default());
            }
            None => out.extend_from_slice(bytes.get(to.line.clone()).unwrap_or_default()),
        }
    }
}

/// A request, header by header.
#[derive(Clone, Debug)]
pub struct RequestBuilder {
    head: Vec<u8>,
}

impl RequestBuilder {
    /// A request line. Headers follow in the order given; Content-Length is added by `build`.
    #[must_use]
    pub fn new(method: Method<'_>, uri: &str) -> Self {
        let mut head = Vec::with_capacity(512);
        head.extend_from_slice(method.as_str().as_bytes());
        head.push(b' ');
        head.extend(one_line(uri));
        head.extend_from_slice(b" SIP/2.0\r\n");
        Self { head }
    }

    /// One header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.head.extend(line(name, value));
        self
    }

    /// The same with a Via on top: for requests that are written before it is known where they go.
    #[must_use]
    pub fn via(&self, value: &str) -> Self {
        let at = memchr::memchr(b'\n', &self.head).map_or(self.head.len(), |end| end + 1);
        let (first, rest) = self.head.split_at_checked(at).unwrap_or((&self.head, &[]));
        Self { head: [first, &line("Via", value), rest].concat() }
    }

    /// The request, without a body.
    #[must_use]
    pub fn build(self) -> Bytes {
        self.body(&[])
    }

    /// The request, with a body whose Content-Type was given as a header.
    #[must_use]
    pub fn body(mut self, body: &[u8]) -> Bytes {
        self.head.extend(line("Content-Length", &body.len().to_string()));
        self.head.extend_from_slice(b"\r\n");
        self.head.extend_from_slice(body);
        Bytes::from(self.head)
    }
}

/// The CANCEL for a request as it was sent (RFC 3261 §9.1): its Request-URI, topmost Via, From, To,
/// Call-ID, Route and CSeq number.
#[must_use]
pub fn cancel(sent: &Message) -> Option<Bytes> {
    in_its_transaction(sent, Method::CANCEL, sent)
}

/// The ACK for a final response other than 2xx to an INVITE as it was sent (RFC 3261 §17.1.1.3): as
/// [`cancel`], but with the response's To.
#[must_use]
pub fn ack_to_failure(sent: &Message, response: &Message) -> Option<Bytes> {
    in_its_transaction(sent, Method::ACK, response)
}

fn in_its_transaction(sent: &Message, method: Method<'_>, to_of: &Message) -> Option<Bytes> {
    let StartLine::Request { uri, .. } = sent.start() else { return None };
    let mut head = RequestBuilder::new(method, uri).head;
    head.extend_from_slice(b"Via: ");
    head.extend_from_slice(sent.first_value(Name::Via)?);
    head.extend_from_slice(b"\r\n");
    sent.copy_lines(Name::Route, None, &mut head);
    head.extend(line("Max-Forwards", "70"));
    sent.copy_lines(Name::From, None, &mut head);
    to_of.copy_lines(Name::To, None, &mut head);
    sent.copy_lines(Name::CallId, None, &mut head);
    head.extend(line("CSeq", &format!("{} {method}", sent.cseq()?.number)));
    Some(RequestBuilder { head }.build())
}

/// The reason phrase of RFC 3261 §21 and its extensions; `Unknown` for a status that none defines. It is long since it
/// is the table of them.
#[must_use]
pub const fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        199 => "Early Dialog Terminated",
        200 => "OK",
        202 => "Accepted",
        204 => "No Notification",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        380 => "Alternative Service",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        412 => "Conditional Request Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        440 => "Max-Breadth Exceeded",
        469 => "Bad Info Package",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        493 => "Undecipherable",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        580 => "Precondition Failure",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        _ => "Unknown",
    }
}
