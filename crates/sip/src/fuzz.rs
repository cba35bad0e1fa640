//! Properties that hold for any bytes. Proptests here and cargo-fuzz call them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a failure is a finding

mod conversation;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use sidetone_call::{CallKey, Exhausted, IpFamily, LocalMedia, MediaPlane, Nature, Side, StreamPlan};

pub use self::conversation::conversation;
use crate::anchor::{Anchor, Settings};
use crate::cseq::CSeq;
use crate::framing::{Frame, Framer};
use crate::host::HostPort;
use crate::list::Values;
use crate::message::{Edit, Limits, Message, Name, ResponseBuilder, ack_to_failure, cancel};
use crate::name_addr::NameAddr;
use crate::notification::{Ask, EventHeader, InfoFilter, Legs, Notifier, Parcel, accepts};
use crate::params::Params;
use crate::proxy::{ForwardContext, MessageFilter};
use crate::sdp::body::{self, Found};
use crate::sdp::{Description, Ice, Place, Stream, rewrite};
use crate::uri::{Uri, UriView};
use crate::via::Via;
use crate::{Flow, Transport};

/// Messages: nothing is lost, ranges are true, edits touch only what they name, what we build can be read.
pub fn message(data: &[u8]) {
    let limits = Limits { message: 16 * 1024, headers: 64, line: 4096 };
    let parsed = Message::parse_with(Bytes::copy_from_slice(data), &limits);
    let message = match parsed {
        Ok(message) => message,
        Err(error) => {
            if let Some(view) = error.answerable() {
                let bytes = ResponseBuilder::new(view, error.status()).to_tag("x").build();
                assert!(bytes.starts_with(b"SIP/2.0 "));
            }
            return;
        }
    };
    let bytes = message.as_bytes();
    let end = data.len() - message.excess();
    assert_eq!(bytes, &data[end - bytes.len()..end]);
    assert!(data[..end - bytes.len()].iter().all(|b| matches!(b, b'\r' | b'\n')));
    assert_eq!(Edit::new().apply(&message), bytes);
    let mut last = 0;
    for header in message.headers() {
        let (line, value) = (header.line(), header.value_range());
        assert!(last <= line.start && line.start < value.start && value.end <= line.end);
        assert_eq!(&bytes[value], header.value);
        let _ = (header.text(), header.values().count());
        last = line.end;
    }
    assert!(last <= message.body_range().start);
    let Found { session, early, .. } = body::find(&message);
    let mut known: Vec<std::ops::Range<usize>> = Vec::new();
    for located in session.into_iter().chain(early) {
        assert!(message.body().get(located.range.clone()).is_some());
        assert!(located.length.is_none_or(|at| message.body().get(at).is_some()));
        assert!(known.iter().all(|at| at.end <= located.range.start || located.range.end <= at.start));
        known.push(located.range);
    }
    edits(&message);
    if message.is_request() {
        built(&message);
    }
}

fn edits(message: &Message) {
    let bytes = message.as_bytes();
    for header in message.headers() {
        let mut edit = Edit::new();
        edit.remove(&header);
        let out = edit.apply(message);
        assert_eq!(out, [&bytes[..header.line().start], &bytes[header.line().end..]].concat());
        let mut edit = Edit::new();
        edit.replace_value(&header, "new\r\nvalue");
        let out = edit.apply(message);
        assert!(out.starts_with(&bytes[..header.value_range().start]));
        assert!(out.ends_with(&bytes[header.value_range().end..]));
    }
    let vias = message.values(Name::Via).count();
    let mut edit = Edit::new();
    edit.push_via(message, "SIP/2.0/UDP us;branch=z9hG4bKus");
    edit.fill_received(message, "192.0.2.77:7777".parse().unwrap());
    edit.push_first(message, Name::RecordRoute, "<sip:us;lr>");
    let _ = edit.count_down_hops(message, 70);
    edit.splice_body(message, 0..0, "more");
    edit.state_content_length();
    let out = Message::parse(edit.apply(message)).expect("what was edited can be read");
    assert_eq!(out.values(Name::Via).count(), vias + 1);
    assert_eq!(out.body(), [b"more", message.body()].concat());
    let mut edit = Edit::new();
    edit.pop_via(&out);
    let back = edit.apply(&out);
    assert_eq!(Message::parse(back).expect("still there").values(Name::Via).count(), vias);
}

fn built(request: &Message) {
    let source = "192.0.2.77:7777".parse().unwrap();
    let response = ResponseBuilder::new(request, 500).to_tag("x").source(source).build();
    let response = Message::parse(response).expect("our response can be read");
    assert!(response.to_tag().is_some());
    assert_eq!(response.values(Name::Via).count(), request.values(Name::Via).count());
    for bytes in [cancel(request), ack_to_failure(request, &response)].into_iter().flatten() {
        Message::parse(bytes).expect("our request can be read");
    }
}

/// Framing: the frames don't depend on how the stream was cut, and are at most as large as allowed.
pub fn framing(data: &[u8]) {
    let limits = Limits { message: 2048, headers: 32, line: 512 };
    let (chunk, stream) = data.split_first().map_or((1, data), |(&c, rest)| (usize::from(c).max(1), rest));
    let whole = frames(stream, stream.len().max(1), &limits);
    assert_eq!(whole, frames(stream, chunk, &limits));
    assert_eq!(whole, frames(stream, 1, &limits));
    for frame in &whole.0 {
        if let Frame::Message(bytes) = frame {
            assert!(bytes.len() <= limits.message);
            if let Ok(message) = Message::parse(bytes.clone()) {
                assert_eq!(message.excess(), 0, "the frame is the message");
            }
        }
    }
}

fn frames(stream: &[u8], chunk: usize, limits: &Limits) -> (Vec<Frame>, bool) {
    let mut framer = Framer::new(*limits);
    let mut all = Vec::new();
    for part in stream.chunks(chunk) {
        framer.push(part);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => all.push(frame),
                Ok(None) => break,
                Err(_) => return (all, true),
            }
        }
        assert!(framer.buffered() <= limits.message.max(chunk) + chunk);
    }
    (all, false)
}

/// Header values.
pub fn values(data: &[u8]) {
    let mut at = 0;
    for value in Values::new(data) {
        assert_eq!(&data[value.range.clone()], value.bytes);
        assert!(value.cut.start == at && value.cut.end >= value.range.end);
        at = value.cut.end;
    }
    if let Ok(params) = Params::parse(data, 0) {
        for param in &params {
            assert!(data[param.span.clone()].starts_with(param.name.as_bytes()));
        }
    }
    if let Ok(via) = Via::parse(data) {
        let _ = (via.response_addr(), via.branch(), via.rport());
    }
    if let Ok(value) = NameAddr::parse(data) {
        assert_eq!(&data[value.uri_range.clone()], value.uri.as_bytes());
        let _ = (value.tag(), value.uri());
    }
    let _ = CSeq::parse(data);
    if let Some(event) = EventHeader::parse(data) {
        assert!(event.id().is_none_or(|id| data.get(id.span).is_some()));
        assert!(event.value("call-id").is_none_or(|value| value.len() <= data.len()));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(host) = text.parse::<HostPort>() {
        assert_eq!(host.to_string().parse::<HostPort>(), Ok(host));
    }
    uri(text);
}

fn uri(text: &str) {
    let Ok(uri) = UriView::parse(text) else { return };
    assert_eq!(uri.as_str(), text);
    assert!(uri.equivalent(&uri), "{text}");
    assert_eq!(text.parse::<Uri>().unwrap().view().host(), uri.host());
    let _ = (uri.user(), uri.user_unescaped(), uri.headers(), uri.host_port(), uri.is_loose());
    if uri.is_sip() {
        assert!(!uri.host().is_empty());
        assert!(
            uri.params().all(|(name, value)| !name.contains(';') && value.is_none_or(|v| !v.contains(';')))
        );
    }
}

/// SDP: edits touch only addresses, ports and ICE, and do what they are for.
pub fn sdp(data: &[u8]) {
    let Ok(description) = Description::parse(data) else { return };
    let streams = Stream::all(&description);
    for (ip, ice) in [("198.51.100.1", Ice::Strip), ("2001:db8::1", Ice::Pass)] {
        let ip: IpAddr = ip.parse().unwrap();
        let places: Vec<Place> = streams
            .iter()
            .enumerate()
            .map(|(i, stream)| {
                let port = 30_000 + (u16::try_from(i).unwrap() % 8_000) * 2;
                let local =
                    LocalMedia { rtp: SocketAddr::new(ip, port), rtcp: SocketAddr::new(ip, port + 1) };
                if stream.is_relayed() { Place::Local(local) } else { Place::Untouched }
            })
            .collect();
        let patches = rewrite(&description, &streams, &places, &[], ice);
        let mut out = Vec::new();
        let mut at = 0;
        for patch in &patches {
            assert!(at <= patch.at.start && patch.at.end <= data.len(), "in order, apart");
            out.extend_from_slice(&data[at..patch.at.start]);
            out.extend_from_slice(&patch.with);
            at = patch.at.end;
        }
        out.extend_from_slice(&data[at..]);
        led(&streams, &out, ip);
    }
}

fn led(before: &[Stream], out: &[u8], ip: IpAddr) {
    let after = Stream::all(&Description::parse(out).expect("what was edited can be read"));
    assert_eq!(before.len(), after.len());
    for (old, new) in before.iter().zip(&after) {
        assert_eq!((old.kind, old.carriage, old.rejected), (new.kind, new.carriage, new.rejected));
        assert_eq!((old.direction, &old.formats, old.nowhere), (new.direction, &new.formats, new.nowhere));
        if old.is_relayed() && !old.nowhere {
            assert_eq!(new.rtp.map(|addr| addr.ip()), Some(ip));
        }
    }
}

/// Anything at all through an anchor: bounded, and nothing left at the end.
pub fn anchor(data: &[u8]) {
    let settings = Settings { max_calls: 4, max_streams: 4, max_forks: 3, ..Settings::default() };
    let mut anchor = Anchor::new(Ports::default(), settings);
    let local = "198.51.100.9:5060".parse().unwrap();
    let mut now = Duration::ZERO;
    for step in data.chunks(4) {
        let [what, cseq, tags, body] = *step else { break };
        now += Duration::from_secs(1);
        let from = if what & 1 == 0 { Side::Trunk } else { Side::Pbx };
        let remote = if what & 2 == 0 { "192.0.2.1:5060" } else { "[2001:db8::1]:5060" }.parse().unwrap();
        let source = Flow { transport: Transport::Udp, local, remote };
        let ctx = ForwardContext {
            now,
            from,
            source,
            toward: remote,
            to_browser: false,
            sender: None,
            caller: None,
        };
        let message = Message::parse(step_message(what >> 2, cseq, tags, body)).expect("well formed");
        let mut edit = Edit::new();
        if message.is_request() {
            let refused = anchor.request(&ctx, &message, &mut edit).is_err();
            if refused || body & 0x80 != 0 {
                anchor.concluded(now, ctx.requester(), &message, 408);
            }
        } else {
            anchor.response(&ctx, &message, &mut edit);
        }
        Message::parse(edit.apply(&message)).expect("what was edited can be read");
        anchor.timeout(now);
        assert!(anchor.calls() <= 4);
        while anchor.poll_fact().is_some() {}
    }
    while let Some(at) = anchor.next_timeout() {
        anchor.timeout(at);
    }
    assert_eq!(anchor.calls(), 0);
    assert_eq!(anchor.media().held, 0, "leaked ports");
}

fn step_message(what: u8, cseq: u8, tags: u8, body: u8) -> Bytes {
    let method = ["INVITE", "ACK", "PRACK", "UPDATE", "BYE"][usize::from(what % 5)];
    let status = [0, 180, 183, 200, 486, 401, 491][usize::from(what / 5 % 7)];
    let start = if status == 0 { format!("{method} sip:x@y SIP/2.0") } else { format!("SIP/2.0 {status} x") };
    let tag = |n: u8| if n.is_multiple_of(3) { String::new() } else { format!(";tag={}", n % 3) };
    let ip = ["192.0.2.1", "0.0.0.0", "2001:db8::1"][usize::from(body % 3)];
    let family = if ip.contains(':') { "IP6" } else { "IP4" };
    let port = if body & 8 == 0 { 4000 } else { 0 };
    let mut sdp = format!("v=0\r\nc=IN {family} {ip}\r\n");
    for _ in 0..body >> 4 & 7 {
        sdp += &format!("m=audio {port} RTP/AVP 0\r\na=sendonly\r\n");
    }
    if body & 4 != 0 {
        sdp.clear();
    }
    Bytes::from(format!(
        "{start}\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK{}\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK{}\r\n\
         From: <sip:a@b>{}\r\nTo: <sip:c@d>{}\r\nCall-ID: {}\r\nCSeq: {} {method}\r\nRequire: 100rel\r\nRSeq: {}\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        tags & 1,
        tags & 1,
        tag(tags >> 1),
        tag(tags >> 4),
        tags & 1,
        cseq & 3,
        cseq >> 2,
        sdp.len(),
    ))
}

/// Counts what is reserved; now and then there is nothing left.
#[derive(Debug, Default)]
struct Ports {
    held: usize,
    by_call: std::collections::HashMap<CallKey, usize>,
}

impl MediaPlane for Ports {
    fn reserve(
        &mut self,
        call: CallKey,
        stream: usize,
        side: Side,
        family: IpFamily,
    ) -> Result<LocalMedia, Exhausted> {
        assert!(stream < 4);
        if self.held >= 20 {
            return Err(Exhausted);
        }
        self.held += 1;
        *self.by_call.entry(call).or_default() += 1;
        let ip = match (family, side) {
            (IpFamily::V4, _) => IpAddr::from([198, 51, 100, 1]),
            (IpFamily::V6, _) => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]),
        };
        Ok(LocalMedia { rtp: SocketAddr::new(ip, 30_000), rtcp: SocketAddr::new(ip, 30_001) })
    }

    fn reclaim(&mut self, call: CallKey, _: usize, _: Side, _: LocalMedia) -> Result<(), Exhausted> {
        self.held += 1;
        *self.by_call.entry(call).or_default() += 1;
        Ok(())
    }

    fn apply(&mut self, call: CallKey, _: usize, _: &StreamPlan) {
        assert!(self.by_call.contains_key(&call));
    }

    fn release(&mut self, call: CallKey) {
        self.held -= self.by_call.remove(&call).unwrap_or_default();
    }
}

/// The proxy core, told a history: chunks of `data` split at 0xff, of which the first byte says what happens and the
/// rest is a message. Whatever it is, the tables stay within bounds and are empty once time has passed.
pub fn proxy(data: &[u8]) {
    use crate::proxy::{Decision, Destination, Listener, NoFilter, Output, Proxy, Settings, Target};

    let us: SocketAddr = "192.0.2.1:5060".parse().unwrap();
    let peers: [SocketAddr; 2] = ["198.51.100.1:5060".parse().unwrap(), "203.0.113.1:5060".parse().unwrap()];
    let listeners = vec![Listener::bound(Transport::Udp, us), Listener::bound(Transport::Tcp, us)];
    let settings = Settings { max_transactions: 16, ..Settings::new(listeners) };
    let mut proxy = Proxy::new(settings, NoFilter, 1);
    let mut now = Duration::ZERO;
    let drain = |proxy: &mut Proxy<NoFilter>, now| {
        while let Some(output) = proxy.poll() {
            if let Output::Route(query) = output {
                let to = |remote| Target::from(Destination { transport: Transport::Udp, local: us, remote });
                let targets = vec![to(peers[1]), to(peers[0])];
                proxy.decide(now, query.key, Decision::Forward { from: Side::Trunk, targets });
            }
        }
    };
    for chunk in data.split(|&b| b == 0xff) {
        let Some((&what, message)) = chunk.split_first() else { continue };
        let transport = if what & 1 == 0 { Transport::Udp } else { Transport::Tcp };
        let remote = peers[usize::from(what >> 1 & 1)];
        match what >> 2 & 3 {
            0 | 1 => {
                let flow = Flow { transport, local: us, remote };
                proxy.receive(now, &flow, Bytes::copy_from_slice(message));
            }
            2 => proxy.send_failed(now, &Destination { transport, local: us, remote }),
            _ => {
                now += Duration::from_millis(u64::from(what) << 4);
                proxy.timeout(now);
            }
        }
        drain(&mut proxy, now);
        assert!(proxy.transactions() <= 40);
    }
    while let Some(at) = proxy.next_timeout() {
        now = now.max(at);
        proxy.timeout(now);
        drain(&mut proxy, now);
    }
    assert_eq!(proxy.transactions(), 0);
}

/// Notification: whatever a PBX sends, our requests in its dialogs can be read, and queues stay bounded.
pub fn notification(data: &[u8]) {
    let settings = crate::proxy::Settings::new(vec![crate::proxy::Listener::bound(
        Transport::Udp,
        "192.0.2.1:5060".parse().unwrap(),
    )]);
    let mut filter = InfoFilter::new(crate::proxy::NoFilter, Legs::new(&settings, true), true);
    let mut notifier = Notifier::new();
    let pbx: std::sync::Arc<str> = "pbx".into();
    let parcel =
        Parcel { content_type: "application/json", body: Bytes::from_static(b"{}"), nature: Nature::Affect };
    let address: SocketAddr = "192.0.2.77:5060".parse().unwrap();
    let source =
        Flow { transport: Transport::Udp, local: "192.0.2.1:5060".parse().unwrap(), remote: address };
    // Messages lie behind one another, each after a byte that says which way it goes.
    for (step, piece) in data.split(|&byte| byte == 0).take(32).enumerate() {
        let Some((&way, bytes)) = piece.split_first() else { continue };
        let Ok(message) = Message::parse(Bytes::copy_from_slice(bytes)) else { continue };
        let now = Duration::from_secs(step as u64);
        let _ = accepts(&message);
        let from = if way % 2 == 0 { Side::Trunk } else { Side::Pbx };
        let ctx = ForwardContext {
            now,
            from,
            source,
            toward: address,
            to_browser: false,
            sender: None,
            caller: None,
        };
        let mut edit = Edit::new();
        if message.is_request() {
            if filter.request(&ctx, &message, &mut edit).is_ok() {
                let number = filter.number(&ctx, &message);
                assert_eq!(number, filter.number(&ctx, &message), "the same each time it is asked for");
            }
            let ask = Ask {
                request: &message,
                tag: "us",
                contact: "<sip:sidetone@192.0.2.1>",
                pbx: &pbx,
                content_type: "application/json",
            };
            let reply = notifier.subscribe(now, &ask, |_| true);
            assert!((200..600).contains(&reply.status));
            notifier.tell(now, &pbx, message.call_id(), &parcel);
        } else {
            filter.response(&ctx, &message, &mut edit);
        }
        assert!(Message::parse(edit.apply(&message)).is_ok());
        filter.legs().tell(now, (&pbx, None), message.call_id(), &parcel);
        while let Some((id, ..)) = filter.legs().wanting(now) {
            match filter.legs().write(id) {
                Some(draft) => written(&draft),
                None => filter.legs().spared(id),
            }
        }
        while let Some((id, ..)) = notifier.wanting(now) {
            if let Some(draft) = notifier.write(now, id) {
                written(&draft);
            }
        }
    }
}

fn written(draft: &crate::notification::Draft) {
    let bytes = draft.head.via("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx").body(&draft.body);
    let message = Message::parse(bytes).expect("what we write can be read");
    assert_eq!(message.body(), &draft.body[..]);
    assert_eq!(message.values(Name::Via).count(), 1);
}
