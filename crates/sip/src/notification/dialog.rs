//! The dialog state by which a request is sent within a dialog (RFC 3261 §12.2.1.1).

use crate::message::{Message, Method, Name, RequestBuilder};
use crate::name_addr::NameAddr;
use crate::uri::{Uri, UriView};
use serde::{Deserialize, Serialize};

/// The most hops in a route set that are followed.
const MOST_ROUTES: usize = 16;
/// Longest of the values that are kept, in bytes.
const LONGEST: usize = 1_024;

/// One side's view of a dialog: it writes to the other.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Dialog {
    pub(crate) call_id: String,
    /// From, tag included.
    pub(crate) local: String,
    /// To, tag included.
    pub(crate) remote: String,
    /// Where the other side is to be reached: its Contact.
    pub(crate) target: Option<Uri>,
    /// URIs to go by, the nearest first.
    pub(crate) routes: Vec<Uri>,
}

impl Dialog {
    /// From the values of From and To as they stand in a message, with `routes` to be set afterwards. None if one is
    /// too long, or the Call-ID is not UTF-8: it could not be written again as it came.
    pub(crate) fn new(call_id: &str, local: &str, remote: &str) -> Option<Self> {
        if [call_id, local, remote].iter().any(|value| value.len() > LONGEST) || call_id.ends_with(' ') {
            return None;
        }
        Some(Self {
            call_id: call_id.to_owned(),
            local: local.to_owned(),
            remote: remote.to_owned(),
            target: None,
            routes: Vec::new(),
        })
    }

    /// Where its next request is to be sent. `None` if it can't be: no Contact, or one of another scheme; or the first
    /// hop is a strict router, for whom requests of our own are not rewritten.
    pub(crate) fn next_hop(&self) -> Option<Uri> {
        let target = self.target.as_ref()?;
        let hop = self.routes.first().unwrap_or(target);
        let passable = self.routes.is_empty() || hop.view().is_loose();
        (hop.view().is_sip() && target.view().is_sip() && passable).then(|| hop.clone())
    }

    /// The head of a request.
    pub(crate) fn request(&self, method: Method<'_>, cseq: u32) -> Option<RequestBuilder> {
        let mut head = RequestBuilder::new(method, self.target.as_ref()?.as_str());
        for route in &self.routes {
            head = head.header("Route", &format!("<{}>", route.as_str()));
        }
        let head = head
            .header("Max-Forwards", "70")
            .header("From", &self.local)
            .header("To", &self.remote)
            .header("Call-ID", &self.call_id)
            .header("CSeq", &format!("{cseq} {method}"));
        Some(head)
    }

    /// The other side has moved: takes the Contact of its message, if it has one.
    pub(crate) fn refresh(&mut self, message: &Message) {
        if let Some(target) = contact(message) {
            self.target = Some(target);
        }
    }
}

/// The Contact of a message.
pub(crate) fn contact(message: &Message) -> Option<Uri> {
    let value = message.first_value(Name::Contact)?;
    owned(NameAddr::parse(value).ok()?.uri().ok()?)
}

/// The URIs in Record-Route, from the top. `None` if one can't be read, or there are too many.
pub(crate) fn record_routes(message: &Message) -> Option<Vec<Uri>> {
    let values: Vec<&[u8]> = message.values(Name::RecordRoute).take(MOST_ROUTES + 1).collect();
    if values.len() > MOST_ROUTES {
        return None;
    }
    values.into_iter().map(|value| owned(NameAddr::parse(value).ok()?.uri().ok()?)).collect()
}

fn owned(uri: UriView<'_>) -> Option<Uri> {
    let uri = uri.to_owned();
    (uri.as_str().len() <= LONGEST).then_some(uri)
}
