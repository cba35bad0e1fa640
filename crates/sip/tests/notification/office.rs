//! A carrier and a PBX with the proxy between them, both played by hand.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sidetone_call::{Nature, Side};
use sidetone_sip::message::{Edit, Message, Name, ResponseBuilder};
use sidetone_sip::notification::{InfoFilter, Legs, Parcel};
use sidetone_sip::proxy::{
    Answer, Decision, Destination, ForwardContext, Listener, MessageFilter, Output, Proxy, Refusal,
    Requester, RouteKind, Settings, Target,
};
use sidetone_sip::{Flow, Transport};

pub const US: &str = "192.0.2.1:5060";
pub const CARRIER: &str = "198.51.100.10:5060";
pub const PBX: &str = "203.0.113.20:5060";

pub fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// What the filter within sees: method and number of each.
#[derive(Debug, Default)]
pub struct Seen {
    pub requests: Vec<String>,
    pub responses: Vec<String>,
}

impl MessageFilter for Seen {
    fn request(&mut self, _: &ForwardContext, request: &Message, _: &mut Edit) -> Result<(), Refusal> {
        self.requests.push(cseq(request));
        Ok(())
    }

    fn response(&mut self, _: &ForwardContext, response: &Message, edit: &mut Edit) {
        self.responses.push(cseq(response));
        // Edits of the filter within must meet the bytes that it was shown.
        if let Some(header) = response.header(Name::UserAgent) {
            edit.replace_value(&header, "edited");
        }
    }

    fn concluded(&mut self, _: Duration, _: Requester, _: &Message, _: u16) {}
}

/// `7 INVITE`.
pub fn cseq(message: &Message) -> String {
    message.header(Name::CSeq).unwrap().text().into_owned()
}

pub struct Office {
    pub proxy: Proxy<InfoFilter<Seen>>,
    pub now: Duration,
    pub pbx: Arc<str>,
    inbox: BTreeMap<SocketAddr, VecDeque<Message>>,
    /// INFOs under way.
    under_way: BTreeMap<sidetone_sip::proxy::OriginatedKey, sidetone_sip::notification::LegId>,
    pub answers: Vec<Answer>,
    /// Where calls go if the PBX fails.
    pub another: Option<&'static str>,
}

impl Office {
    pub fn new() -> Self {
        Self::guarding(true)
    }

    pub fn guarding(guards: bool) -> Self {
        let settings = Settings::new(vec![
            Listener::bound(Transport::Udp, addr(US)),
            Listener::bound(Transport::Tcp, addr(US)),
        ]);
        let legs = Legs::new(&settings, true);
        Self {
            proxy: Proxy::new(settings, InfoFilter::new(Seen::default(), legs, guards), 7),
            now: secs(1_000),
            pbx: "office".into(),
            inbox: BTreeMap::new(),
            under_way: BTreeMap::new(),
            answers: Vec::new(),
            another: None,
        }
    }

    pub fn send(&mut self, from: &str, message: impl Into<Vec<u8>>) {
        let flow = Flow { transport: Transport::Udp, local: addr(US), remote: addr(from) };
        self.proxy.receive(self.now, &flow, Bytes::from(message.into()));
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            while let Some(output) = self.proxy.poll() {
                match output {
                    Output::Send { bytes, to, .. } => {
                        self.inbox.entry(to.remote).or_default().push_back(Message::parse(bytes).unwrap());
                    }
                    Output::Route(query) => {
                        let remote = match &query.kind {
                            RouteKind::Onward { next_hop } => {
                                let uri = next_hop.view();
                                SocketAddr::new(uri.host_ip().unwrap(), uri.port().unwrap_or(5060))
                            }
                            _ if query.source.remote == addr(CARRIER) => addr(PBX),
                            _ => addr(CARRIER),
                        };
                        let from = if query.source.remote == addr(CARRIER) { Side::Trunk } else { Side::Pbx };
                        let to = Destination { transport: Transport::Udp, local: addr(US), remote };
                        let another = self.another.filter(|_| query.to_tag.is_none());
                        let another = another.map(|remote| Destination { remote: addr(remote), ..to });
                        let targets = [to].into_iter().chain(another).map(Target::from).collect();
                        let decision = Decision::Forward { from, targets };
                        self.proxy.decide(self.now, query.key, decision);
                    }
                    Output::Probed { .. } | Output::Undelivered { .. } => {}
                    Output::Answered { key, answer } => {
                        self.answers.push(answer);
                        let leg = self.under_way.remove(&key).unwrap();
                        self.proxy.filter().legs().answered(leg, answer);
                    }
                }
            }
            let Some((leg, _, hop)) = self.proxy.filter().legs().wanting(self.now) else { return };
            let uri = hop.view();
            let remote = SocketAddr::new(uri.host_ip().unwrap(), uri.port().unwrap_or(5060));
            let to = Destination { transport: Transport::Udp, local: addr(US), remote };
            let Some(draft) = self.proxy.filter().legs().write(leg) else {
                self.proxy.filter().legs().spared(leg);
                continue;
            };
            let key = self.proxy.originate(self.now, to, draft.head, draft.body);
            self.under_way.insert(key, leg);
        }
    }

    pub fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let due = [self.proxy.next_timeout(), self.proxy.filter_ref().legs_ref().next_timeout()];
            let Some(at) = due.into_iter().flatten().min().filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            self.proxy.timeout(self.now);
            let now = self.now;
            self.proxy.filter().legs().timeout(now);
            self.drain();
        }
        self.now = end;
    }

    /// The oldest message that has reached a peer: `INFO 8`, or `200 8`.
    #[track_caller]
    pub fn take(&mut self, peer: &str, what: &str) -> Message {
        let Some(message) = self.inbox.entry(addr(peer)).or_default().pop_front() else {
            panic!("{peer} got nothing, wanted {what}")
        };
        let number = message.cseq().unwrap().number;
        let told = match message.status() {
            Some(status) => format!("{status} {number}"),
            None => format!("{} {number}", message.method().unwrap()),
        };
        assert_eq!(told, what, "at {peer}: {}", String::from_utf8_lossy(message.as_bytes()));
        message
    }

    #[track_caller]
    pub fn nothing(&mut self, peer: &str) {
        let left = self.inbox.remove(&addr(peer)).unwrap_or_default();
        let left: Vec<_> = left.iter().map(|it| format!("{:?} {}", it.status(), cseq(it))).collect();
        assert!(left.is_empty(), "{peer} got {left:?}");
    }

    /// Something is to be told to the PBX.
    pub fn tell(&mut self, nature: Nature, body: &str) {
        let pbx = Arc::clone(&self.pbx);
        let parcel = Parcel { content_type: "application/json", body: Bytes::from(body.to_owned()), nature };
        let now = self.now;
        self.proxy.filter().legs().tell(now, (&pbx, None), "call", &parcel);
        // As the shell does whenever it has had to do with the core.
        self.drain();
    }

    /// The customer objects: what is under way is taken back, as by the shell.
    pub fn withdraw(&mut self) {
        let pbx = Arc::clone(&self.pbx);
        let legs = self.proxy.filter().legs().withdraw((&pbx, None), "call");
        let keys: Vec<_> =
            self.under_way.iter().filter(|(_, leg)| legs.contains(leg)).map(|(key, _)| *key).collect();
        for key in keys {
            self.proxy.recall(key);
        }
        self.drain();
    }

    /// The peer answers a request that has reached it.
    pub fn answer(&mut self, peer: &str, request: &Message, status: u16, headers: &[(&str, &str)]) {
        self.answer_as(peer, if peer == PBX { "p" } else { "c" }, request, status, headers);
    }

    /// The same, by one of several that do.
    pub fn answer_as(
        &mut self,
        peer: &str,
        tag: &str,
        request: &Message,
        status: u16,
        headers: &[(&str, &str)],
    ) {
        let mut response = ResponseBuilder::new(request, status).to_tag(tag);
        for header in request.headers_named(Name::RecordRoute) {
            response = response.header("Record-Route", &header.text());
        }
        let contact = if peer == PBX { "<sip:agent@203.0.113.20>" } else { "<sip:ada@198.51.100.10>" };
        response = response.header("Contact", contact).header("User-Agent", "as it was");
        for (name, value) in headers {
            response = response.header(name, value);
        }
        self.send(peer, response.build());
    }

    /// The carrier calls, and the PBX answers with these headers.
    pub fn inbound(&mut self, headers: &[(&str, &str)]) {
        self.send(CARRIER, carrier_calls(7));
        self.take(CARRIER, "100 7");
        let invite = self.take(PBX, "INVITE 7");
        self.answer(PBX, &invite, 200, headers);
        self.take(CARRIER, "200 7");
        self.send(CARRIER, carrier("ACK", 7, ""));
        self.take(PBX, "ACK 7");
    }

    /// A request of the carrier's in the dialog, which arrives as `sent`, is answered, and whose answer arrives.
    #[track_caller]
    pub fn carrier_asks(&mut self, method: &str, number: u32, sent: u32, status: u16) -> Message {
        self.send(CARRIER, carrier(method, number, ""));
        if method == "INVITE" {
            self.take(CARRIER, &format!("100 {number}"));
        }
        let request = self.take(PBX, &format!("{method} {sent}"));
        self.answer(PBX, &request, status, &[]);
        let response = self.take(CARRIER, &format!("{status} {number}"));
        assert_eq!(response.header(Name::UserAgent).unwrap().value, b"edited");
        request
    }

    /// An INFO reaches the PBX with that number, and is accepted.
    #[track_caller]
    pub fn info_taken(&mut self, number: u32) -> Message {
        let info = self.take(PBX, &format!("INFO {number}"));
        self.answer(PBX, &info, 200, &[]);
        self.nothing(CARRIER);
        info
    }
}

pub const RECV: (&str, &str) = ("Recv-Info", "x-sidetone-affect");

pub fn carrier_calls(number: u32) -> String {
    format!(
        "INVITE sip:agent@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.10;branch=z9hG4bKi{number}\r\n\
         Record-Route: <sip:198.51.100.9;lr>\r\nFrom: \"Ada\" <sip:ada@carrier.example>;tag=c\r\n\
         To: <sip:agent@office.example>\r\nCall-ID: call\r\nCSeq: {number} INVITE\r\n\
         Contact: <sip:ada@198.51.100.10>\r\nContent-Length: 0\r\n\r\n"
    )
}

/// A request of the carrier's within the dialog.
pub fn carrier(method: &str, number: u32, headers: &str) -> String {
    format!(
        "{method} sip:agent@203.0.113.20 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 198.51.100.10;branch=z9hG4bK{method}{number}\r\nRoute: <sip:192.0.2.1;lr>\r\n\
         From: \"Ada\" <sip:ada@carrier.example>;tag=c\r\nTo: <sip:agent@office.example>;tag=p\r\n\
         Call-ID: call\r\nCSeq: {number} {method}\r\nContact: <sip:ada@198.51.100.10>\r\n{headers}\
         Content-Length: 0\r\n\r\n"
    )
}

/// A request of the PBX's within the dialog of a call that the carrier made.
pub fn pbx(method: &str, number: u32, headers: &str) -> String {
    format!(
        "{method} sip:ada@198.51.100.10 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 203.0.113.20;branch=z9hG4bK{method}{number}\r\nRoute: <sip:192.0.2.1;lr>\r\n\
         From: <sip:agent@office.example>;tag=p\r\nTo: \"Ada\" <sip:ada@carrier.example>;tag=c\r\n\
         Call-ID: call\r\nCSeq: {number} {method}\r\nContact: <sip:agent@203.0.113.20:5062>\r\n{headers}\
         Content-Length: 0\r\n\r\n"
    )
}
