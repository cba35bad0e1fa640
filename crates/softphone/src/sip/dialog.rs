//! A dialog (RFC 3261 §12): who it is with, the way there, and requests in it.

use std::net::SocketAddr;

use sidetone_sip::message::RequestBuilder;
use sidetone_sip::name_addr::NameAddr;
use sidetone_sip::uri::{Uri, UriView};
use sidetone_sip::{Message, Method, Name, Transport};

/// The state of one dialog.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    pub(crate) call_id: String,
    pub(crate) local_tag: String,
    pub(crate) remote_tag: String,
    /// From or To as written in requests: with the tag.
    local: String,
    remote: String,
    local_number: u32,
    remote_number: Option<u32>,
    /// Route values, nearest first.
    routes: Vec<String>,
    /// The other end's Contact.
    target: String,
}

/// A request's way out.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) uri: String,
    pub(crate) routes: Vec<String>,
    /// The URI whose host it is sent to.
    pub(crate) hop: Uri,
}

/// The fields of this hop's Via.
#[derive(Clone, Debug)]
pub(crate) struct Via {
    pub(crate) transport: Transport,
    pub(crate) sent_by: SocketAddr,
    pub(crate) branch: String,
}

impl Via {
    pub(crate) fn value(&self) -> String {
        format!("SIP/2.0/{} {};branch=z9hG4bK{};rport", self.transport.as_via(), self.sent_by, self.branch)
    }
}

impl Outgoing {
    /// RFC 3261 §12.2.1.1: a strict router's URI takes the place of the target, which goes last in Route.
    pub(crate) fn new(target: &str, routes: &[String]) -> Option<Self> {
        let Some(first) = routes.first() else {
            return Some(Self { uri: target.to_owned(), routes: Vec::new(), hop: target.parse().ok()? });
        };
        let hop: Uri = NameAddr::parse(first.as_bytes()).ok()?.uri.parse().ok()?;
        if hop.view().is_loose() {
            return Some(Self { uri: target.to_owned(), routes: routes.to_vec(), hop });
        }
        let mut rest: Vec<String> = routes.iter().skip(1).cloned().collect();
        rest.push(format!("<{target}>"));
        Some(Self { uri: hop.as_str().to_owned(), routes: rest, hop })
    }

    /// Request line, Via, Max-Forwards and Route.
    pub(crate) fn request(&self, method: Method<'_>, via: &Via) -> RequestBuilder {
        let head =
            RequestBuilder::new(method, &self.uri).header("Via", &via.value()).header("Max-Forwards", "70");
        self.routes.iter().fold(head, |head, route| head.header("Route", route))
    }
}

impl Dialog {
    /// The dialog that a response to our INVITE makes (RFC 3261 §12.1.2).
    pub(crate) fn of_response(request: &Message, response: &Message) -> Option<Self> {
        let mut routes = texts(response, Name::RecordRoute);
        routes.reverse();
        Some(Self {
            call_id: request.call_id().to_owned(),
            local_tag: request.from_tag()?.to_owned(),
            remote_tag: response.to_tag()?.to_owned(),
            local: request.header(Name::From)?.text().into_owned(),
            remote: response.header(Name::To)?.text().into_owned(),
            local_number: request.cseq()?.number,
            remote_number: None,
            routes,
            target: contact(response)?,
        })
    }

    /// The dialog that an INVITE makes when answered with `local_tag` (RFC 3261 §12.1.1).
    pub(crate) fn of_request(request: &Message, local_tag: &str, first_number: u32) -> Option<Self> {
        Some(Self {
            call_id: request.call_id().to_owned(),
            local_tag: local_tag.to_owned(),
            remote_tag: request.from_tag()?.to_owned(),
            local: format!("{};tag={local_tag}", request.header(Name::To)?.text()),
            remote: request.header(Name::From)?.text().into_owned(),
            local_number: first_number,
            remote_number: Some(request.cseq()?.number),
            routes: texts(request, Name::RecordRoute),
            target: contact(request)?,
        })
    }

    /// The way of the next request.
    pub(crate) fn way(&self) -> Option<Outgoing> {
        Outgoing::new(&self.target, &self.routes)
    }

    /// The next request; ACK takes the number of the INVITE it acknowledges.
    pub(crate) fn request(&mut self, method: Method<'_>, via: &Via, way: &Outgoing) -> RequestBuilder {
        self.local_number += 1;
        self.numbered(method, self.local_number, via, way)
    }

    pub(crate) fn ack(&self, number: u32, via: &Via, way: &Outgoing) -> RequestBuilder {
        self.numbered(Method::ACK, number, via, way)
    }

    fn numbered(&self, method: Method<'_>, number: u32, via: &Via, way: &Outgoing) -> RequestBuilder {
        way.request(method, via)
            .header("From", &self.local)
            .header("To", &self.remote)
            .header("Call-ID", &self.call_id)
            .header("CSeq", &format!("{number} {method}"))
    }

    /// Whether a request is newer than those before it (RFC 3261 §12.2.2).
    pub(crate) fn accepts(&mut self, number: u32) -> bool {
        let newer = self.remote_number.is_none_or(|last| number > last);
        if newer {
            self.remote_number = Some(number);
        }
        newer
    }

    /// A target refresh: re-INVITE, UPDATE, or a 2xx to one.
    pub(crate) fn refresh(&mut self, message: &Message) {
        if let Some(target) = contact(message) {
            self.target = target;
        }
    }
}

fn texts(message: &Message, name: Name) -> Vec<String> {
    message.values(name).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

fn contact(message: &Message) -> Option<String> {
    let uri = NameAddr::parse(message.first_value(Name::Contact)?).ok()?.uri;
    UriView::parse(uri).ok().filter(UriView::is_sip).map(|uri| uri.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn message(text: &str) -> Message {
        Message::parse(Bytes::from(text.replace('\n', "\r\n"))).unwrap()
    }

    fn invite() -> Message {
        message(
            "INVITE sip:bob@192.0.2.9 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\nFrom: <sip:alice@a>;tag=f\n\
             To: \"Bob\" <sip:bob@b>\nCall-ID: c\nCSeq: 7 INVITE\nContact: <sip:alice@192.0.2.1>\n\
             Record-Route: <sip:p2;lr>\nRecord-Route: <sip:p1;lr>\nContent-Length: 0\n\n",
        )
    }

    fn via() -> Via {
        Via { transport: Transport::Udp, sent_by: "192.0.2.1:5060".parse().unwrap(), branch: "x".into() }
    }

    #[test]
    fn the_caller_reverses_record_route_and_the_callee_doesn_t() {
        let ok = message(
            "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\nFrom: <sip:alice@a>;tag=f\n\
             To: \"Bob\" <sip:bob@b>;tag=t\nCall-ID: c\nCSeq: 7 INVITE\nContact: <sip:bob@192.0.2.9:5070>\n\
             Record-Route: <sip:p2;lr>, <sip:p1;lr>\nContent-Length: 0\n\n",
        );
        let mut caller = Dialog::of_response(&invite(), &ok).unwrap();
        let way = caller.way().unwrap();
        assert_eq!(way.routes, ["<sip:p1;lr>", "<sip:p2;lr>"]);
        assert_eq!((way.uri.as_str(), way.hop.as_str()), ("sip:bob@192.0.2.9:5070", "sip:p1;lr"));
        let bye = Message::parse(caller.request(Method::BYE, &via(), &way).build()).unwrap();
        assert_eq!(bye.cseq().unwrap().number, 8);
        assert_eq!(bye.to_tag(), Some("t"));

        let mut callee = Dialog::of_request(&invite(), "t", 100).unwrap();
        assert_eq!(callee.way().unwrap().routes, ["<sip:p2;lr>", "<sip:p1;lr>"]);
        assert_eq!(callee.way().unwrap().uri, "sip:alice@192.0.2.1");
        assert!(!callee.accepts(7) && callee.accepts(9) && !callee.accepts(8));
    }

    #[test]
    fn a_strict_router_takes_the_request_uri() {
        let way = Outgoing::new("sip:bob@h", &["<sip:strict>".into(), "<sip:loose;lr>".into()]).unwrap();
        assert_eq!(way.uri, "sip:strict");
        assert_eq!(way.routes, ["<sip:loose;lr>", "<sip:bob@h>"]);
    }
}
