//! Redaction of SIP messages: telephone numbers are hashed, and content that isn't known to be harmless is left out.
//!
//! A message is not cleaned but written anew from its parsed parts, so that an unforeseen header shows its name and its
//! length and nothing else. Hashes are those of the events: one number, one hash. Addresses of machines stay, and so
//! does the Call-ID unless it holds a number. Of bodies only session descriptions are shown, without names and keys.

mod fields;
mod methods;
mod numbers;
mod sdp;

use bytes::Bytes;
use sidetone_events::{NumberHasher, Parties, SipCallId};
use sidetone_sip::message::{Message, Name, StartLine};
use sidetone_sip::name_addr;
use sidetone_sip::uri::UriView;

use numbers::Numbers;
pub(crate) use numbers::Remembered;

/// Most header lines that are shown of one message.
const MOST_HEADERS: usize = 128;

/// A redacted SIP message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The first line.
    pub(crate) start: String,
    /// A request's method.
    pub(crate) method: Option<String>,
    /// A response's status.
    pub(crate) status: Option<u16>,
    /// A response's reason phrase.
    pub(crate) reason: String,
    /// Number and method of CSeq.
    pub(crate) cseq: Option<(u32, String)>,
    /// Whether To has a tag: a dialog's request, or a final response.
    pub(crate) to_tag: bool,
    /// The Call-ID, as events show it unless another party's number stands in it.
    pub(crate) call_id: String,
    /// The topmost branch, which the messages of one transaction share.
    pub(crate) branch: Option<String>,
    headers: Vec<(String, String)>,
    body: String,
    /// The session description's offer or answer, on one line.
    pub(crate) media: Option<String>,
}

impl Shown {
    /// The whole message, as SIP again.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}\r\n", self.start);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n{}", self.body.len(), self.body));
        text
    }
}

/// The data that finds a message's call; never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Belongs {
    pub(crate) call_id: String,
    /// The Call-ID as the call's events show it.
    pub(crate) in_events: String,
    /// Whether From withholds the caller's number, so that the Call-ID can't be checked for it.
    pub(crate) withheld: bool,
}

/// Redacts a message; `None` if the bytes are no SIP message.
///
/// The numbers of a call are remembered from message to message: a response lacks the INVITE's P-Asserted-Identity, but
/// repeats the Call-ID that may be made of it.
pub(crate) fn message(
    hasher: &NumberHasher,
    remembered: &mut Remembered,
    bytes: &Bytes,
) -> Option<(Shown, Belongs)> {
    // Long: the parts of a message, each shown by its own rule.
    let message = Message::parse(bytes.clone()).ok()?;
    let numbers = remembered.with(message.call_id(), &Numbers::of(&message));
    let field = fields::Fields::new(hasher, &numbers);
    let (start, method, status, reason) = match message.start() {
        StartLine::Request { method, uri } => {
            let method = field.method(method);
            (format!("{method} {} SIP/2.0", field.uri(uri)), Some(method), None, String::new())
        }
        StartLine::Response { status, reason } => {
            let reason = field.text(&String::from_utf8_lossy(reason));
            (format!("SIP/2.0 {status} {reason}"), None, Some(status), reason)
        }
    };
    let call_id = message.call_id().to_owned();
    let caller = user(&message, Name::From);
    let callee = user(&message, Name::To);
    let in_events =
        SipCallId::shown(hasher, &call_id, Parties { caller: &caller, callee: &callee }).to_string();
    let shown_id = if numbers.stand_in(&call_id) && in_events == call_id {
        hasher.mask(&call_id)
    } else {
        in_events.clone()
    };

    let is_sdp = message
        .header(Name::ContentType)
        .is_some_and(|it| it.text().to_ascii_lowercase().starts_with("application/sdp"));
    let (mut body, mut media) = (String::new(), None);
    let mut headers = Vec::new();
    for header in message.headers().take(MOST_HEADERS) {
        match header.name {
            Name::ContentLength => {}
            Name::CallId => headers.push(("Call-ID".to_owned(), shown_id.clone())),
            _ => headers.push((field.name(&header), field.value(&header, &shown_id, &call_id))),
        }
    }
    if is_sdp {
        body = sdp::redacted(&field, message.body());
        media = sdp::summary(&body);
    } else if !message.body().is_empty() {
        headers.push(("X-Body-Left-Out".to_owned(), format!("{} bytes", message.body().len())));
    }
    let shown = Shown {
        start,
        method,
        status,
        reason,
        cseq: message.cseq().map(|cseq| (cseq.number, field.method(cseq.method))),
        to_tag: message.to_tag().is_some(),
        call_id: shown_id,
        branch: message.top_via().and_then(|via| via.branch().map(|branch| field.word(branch))),
        headers,
        body,
        media,
    };
    let withheld = hasher.hash(&caller).is_none();
    Some((shown, Belongs { call_id, in_events, withheld }))
}

/// The user part of the URI in From or To, however odd the header is; read in the same way as for the call's events.
fn user(message: &Message, name: Name) -> String {
    let uri = message.header(name).and_then(|header| name_addr::uri(header.value));
    let uri = uri.and_then(|uri| UriView::parse(uri).ok());
    uri.and_then(|uri| uri.user_unescaped()).unwrap_or_default().into_owned()
}

#[cfg(test)]
mod dissected;
#[cfg(test)]
mod tests;
