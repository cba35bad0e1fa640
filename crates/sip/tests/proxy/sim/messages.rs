//! Messages that peers send in tests.

use sidetone_sip::message::{Message, Name, ResponseBuilder};

pub const SDP: &str = "v=0\r\no=- 1 1 IN IP4 198.51.100.10\r\ns=-\r\nc=IN IP4 198.51.100.10\r\nt=0 0\r\n\
                       m=audio 4000 RTP/AVP 0\r\n";

/// A request that its sender still adds to.
#[derive(Debug, Clone)]
pub struct Draft {
    method: String,
    uri: String,
    via: String,
    from: String,
    to: String,
    call_id: String,
    cseq: u32,
    headers: Vec<String>,
    body: String,
}

/// A request outside of dialogs from `peer` (its address), with a branch of its own.
pub fn draft(method: &str, peer: &str, call: &str) -> Draft {
    Draft {
        method: method.into(),
        uri: "sip:+15550100@sidetone.example".into(),
        via: format!("SIP/2.0/UDP {peer};branch=z9hG4bK-{call}-{method}-1"),
        from: format!("\"A\" <sip:alice@{peer}>;tag=a-{call}"),
        to: "<sip:+15550100@sidetone.example>".into(),
        call_id: format!("{call}@{peer}"),
        cseq: 1,
        headers: vec!["Max-Forwards: 70".into(), format!("Contact: <sip:alice@{peer}>")],
        body: String::new(),
    }
}

/// An INVITE with an offer.
pub fn invite(peer: &str, call: &str) -> Draft {
    draft("INVITE", peer, call).header("Content-Type: application/sdp").body(SDP)
}

impl Draft {
    pub fn uri(mut self, uri: &str) -> Self {
        self.uri = uri.into();
        self
    }

    pub fn via(mut self, via: &str) -> Self {
        self.via = via.into();
        self
    }

    pub fn to(mut self, to: &str) -> Self {
        self.to = to.into();
        self
    }

    pub fn tagged(mut self, tag: &str) -> Self {
        self.to += &format!(";tag={tag}");
        self
    }

    pub fn from(mut self, from: &str) -> Self {
        self.from = from.into();
        self
    }

    pub fn call_id(mut self, call_id: &str) -> Self {
        self.call_id = call_id.into();
        self
    }

    pub fn cseq(mut self, cseq: u32) -> Self {
        self.via = format!("{}-{cseq}", self.via);
        self.cseq = cseq;
        self
    }

    pub fn header(mut self, line: &str) -> Self {
        self.headers.push(line.into());
        self
    }

    /// Takes the headers of that name away.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|h| !h.starts_with(&format!("{name}:")));
        self
    }

    pub fn body(mut self, body: &str) -> Self {
        self.body = body.into();
        self
    }

    /// The CANCEL of this request.
    pub fn cancel(&self) -> Self {
        Self {
            method: "CANCEL".into(),
            headers: vec!["Max-Forwards: 70".into()],
            body: String::new(),
            ..self.clone()
        }
    }

    /// The ACK to a failure of this request, whose To carried that tag.
    pub fn ack(&self, tag: &str) -> Self {
        Self { method: "ACK".into(), ..self.cancel() }.tagged(tag)
    }

    pub fn text(&self) -> String {
        let mut out = format!("{} {} SIP/2.0\r\nVia: {}\r\n", self.method, self.uri, self.via);
        for header in &self.headers {
            out += &format!("{header}\r\n");
        }
        out += &format!(
            "From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} {}\r\nContent-Length: {}\r\n\r\n{}",
            self.from,
            self.to,
            self.call_id,
            self.cseq,
            self.method,
            self.body.len(),
            self.body
        );
        out
    }
}

impl From<Draft> for Vec<u8> {
    fn from(draft: Draft) -> Self {
        draft.text().into_bytes()
    }
}

impl From<&Draft> for Vec<u8> {
    fn from(draft: &Draft) -> Self {
        draft.text().into_bytes()
    }
}

/// A response as a peer builds it: Record-Route copied, a Contact of its own.
pub fn reply(request: &Message, status: u16, tag: &str, peer: &str) -> Vec<u8> {
    reply_with(request, status, tag, peer, &[])
}

pub fn reply_with(
    request: &Message,
    status: u16,
    tag: &str,
    peer: &str,
    headers: &[(&str, &str)],
) -> Vec<u8> {
    let mut response = ResponseBuilder::new(request, status);
    if status > 100 {
        response = response.to_tag(tag);
        for route in request.headers_named(Name::RecordRoute) {
            response = response.header("Record-Route", &route.text());
        }
        response = response.header("Contact", &format!("<sip:bob@{peer}>"));
    }
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.build().to_vec()
}

/// What the next request in the dialog needs: the remote target and the route set.
#[derive(Debug, Clone)]
pub struct Dialog {
    pub target: String,
    pub routes: Vec<String>,
    pub call_id: String,
    pub local: String,
    pub remote: String,
}

fn contact(message: &Message) -> String {
    let value = message.first_value(Name::Contact).unwrap();
    sidetone_sip::name_addr::NameAddr::parse(value).unwrap().uri.to_owned()
}

fn routes(message: &Message) -> Vec<String> {
    message.values(Name::RecordRoute).map(|v| String::from_utf8(v.to_vec()).unwrap()).collect()
}

fn text(message: &Message, name: Name) -> String {
    message.header(name).unwrap().text().into_owned()
}

impl Dialog {
    /// The caller's view, from the response that made the dialog.
    pub fn of_caller(response: &Message) -> Self {
        let mut routes = routes(response);
        routes.reverse();
        Self {
            target: contact(response),
            routes,
            call_id: response.call_id().to_owned(),
            local: text(response, Name::From),
            remote: text(response, Name::To),
        }
    }

    /// The callee's view, from the request and the tag it answered with.
    pub fn of_callee(request: &Message, tag: &str) -> Self {
        Self {
            target: contact(request),
            routes: routes(request),
            call_id: request.call_id().to_owned(),
            local: format!("{};tag={tag}", text(request, Name::To)),
            remote: text(request, Name::From),
        }
    }

    /// A request in this dialog, sent by `peer`.
    pub fn request(&self, method: &str, peer: &str, cseq: u32) -> Draft {
        let mut draft = draft(method, peer, &format!("d{cseq}"))
            .uri(&self.target)
            .call_id(&self.call_id)
            .from(&self.local)
            .to(&self.remote);
        draft.via =
            format!("SIP/2.0/UDP {peer};branch=z9hG4bK-{}-{method}-{cseq}", self.call_id.replace('@', "-"));
        draft.cseq = cseq;
        for route in &self.routes {
            draft = draft.header(&format!("Route: {route}"));
        }
        draft
    }
}
