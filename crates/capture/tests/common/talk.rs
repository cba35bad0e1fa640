//! Conversations written into a capture: SIP by a few words, RTP by the packet.

use std::net::SocketAddr;
use std::time::Duration;

use sidetone_call::Side;
use sidetone_capture::calls::{Calls, Counters, Happening, Options, Recording};
use sidetone_capture::datagrams::Datagrams;
use sidetone_capture::pcap::Writer;

use super::addr;

pub(crate) const CALLER: &str = "10.0.0.1:5060";
pub(crate) const CALLEE: &str = "10.0.0.2:5060";
pub(crate) const CALLER_RTP: &str = "10.0.0.1:4000";
pub(crate) const CALLEE_RTP: &str = "10.0.0.2:6000";
/// When all captures here begin.
pub(crate) const EPOCH: Duration = Duration::from_secs(1_700_000_000);

/// A capture in the making.
pub(crate) struct Talk {
    writer: Writer<Vec<u8>>,
    pub(crate) now: Duration,
}

impl Talk {
    pub(crate) fn new() -> Self {
        Self { writer: Writer::new(Vec::new()).unwrap(), now: EPOCH }
    }

    pub(crate) fn wait(&mut self, milliseconds: u64) -> &mut Self {
        self.now += Duration::from_millis(milliseconds);
        self
    }

    pub(crate) fn udp(&mut self, src: &str, dst: &str, payload: &[u8]) -> &mut Self {
        self.writer.udp(self.now, addr(src), addr(dst), payload).unwrap();
        self
    }

    pub(crate) fn frame(&mut self, packet: &[u8]) -> &mut Self {
        self.writer.frame(self.now, packet).unwrap();
        self
    }

    /// A message from caller to callee or back, 10 ms after what was before.
    pub(crate) fn sip(&mut self, src: &str, dst: &str, message: &str) -> &mut Self {
        self.wait(10).udp(src, dst, message.as_bytes())
    }

    /// `count` packets of 20 ms each, at their pace, both ways.
    pub(crate) fn speak(&mut self, a: &Voice, b: &Voice, count: u16) -> &mut Self {
        for n in 0..count {
            for voice in [a, b] {
                self.udp(voice.src, voice.dst, &voice.packet(n));
            }
            self.wait(20);
        }
        self
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.writer.into_inner()
    }

    pub(crate) fn heard(self, options: Options) -> (Vec<Recording>, Counters) {
        heard(&self.bytes(), options)
    }
}

/// The calls in a capture.
pub(crate) fn heard(capture: &[u8], options: Options) -> (Vec<Recording>, Counters) {
    let mut calls = Calls::new(options);
    for datagram in Datagrams::new(capture).unwrap() {
        calls.observe(datagram);
    }
    calls.finish()
}

/// A stream of RTP.
#[derive(Clone, Copy)]
pub(crate) struct Voice {
    pub(crate) src: &'static str,
    pub(crate) dst: &'static str,
    pub(crate) payload_type: u8,
    pub(crate) ssrc: u32,
    /// Sequence number of its first packet.
    pub(crate) first: u16,
}

impl Voice {
    pub(crate) fn caller() -> Self {
        Self { src: CALLER_RTP, dst: CALLEE_RTP, payload_type: 0, ssrc: 0xA, first: 100 }
    }

    pub(crate) fn callee() -> Self {
        Self { src: CALLEE_RTP, dst: CALLER_RTP, payload_type: 0, ssrc: 0xB, first: 200 }
    }

    pub(crate) fn packet(&self, n: u16) -> Vec<u8> {
        let mut packet = vec![0x80, self.payload_type];
        packet.extend(self.first.wrapping_add(n).to_be_bytes());
        packet.extend((u32::from(n) * 160).to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend([self.ssrc as u8; 160]);
        packet
    }
}

/// An SDP: address, port, and lines to add.
pub(crate) fn sdp(address: &str, formats: &str, more: &str) -> String {
    let address: SocketAddr = addr(address);
    let family = if address.is_ipv4() { "IP4" } else { "IP6" };
    let (ip, port) = (address.ip(), address.port());
    format!(
        "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP {formats}\r\n{more}"
    )
}

/// One call's messages.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    pub(crate) id: &'static str,
    pub(crate) branch: &'static str,
    /// A Via that a proxy has added.
    pub(crate) via: &'static str,
}

impl Call {
    pub(crate) fn new(id: &'static str) -> Self {
        Self { id, branch: "z9hG4bKa", via: "" }
    }

    /// A request of the caller.
    pub(crate) fn request(&self, method: &str, cseq: u32, to_tag: bool, sdp: &str) -> String {
        let to_tag = if to_tag { ";tag=callee" } else { "" };
        self.write(
            &format!("{method} sip:bob@example.com SIP/2.0"),
            "alice",
            "caller",
            "bob",
            to_tag,
            cseq,
            method,
            sdp,
        )
    }

    /// A request of the callee.
    pub(crate) fn request_back(&self, method: &str, cseq: u32, sdp: &str) -> String {
        self.write(
            &format!("{method} sip:alice@example.com SIP/2.0"),
            "bob",
            "callee",
            "alice",
            ";tag=caller",
            cseq,
            method,
            sdp,
        )
    }

    /// The callee's response.
    pub(crate) fn response(&self, status: &str, cseq: u32, method: &str, sdp: &str) -> String {
        self.write(&format!("SIP/2.0 {status}"), "alice", "caller", "bob", ";tag=callee", cseq, method, sdp)
    }

    /// The caller's response to a request of the callee.
    pub(crate) fn response_back(&self, status: &str, cseq: u32, method: &str, sdp: &str) -> String {
        self.write(&format!("SIP/2.0 {status}"), "bob", "callee", "alice", ";tag=caller", cseq, method, sdp)
    }

    #[allow(clippy::too_many_arguments)] // a template's blanks
    fn write(
        &self,
        start: &str,
        from: &str,
        from_tag: &str,
        to: &str,
        to_tag: &str,
        cseq: u32,
        method: &str,
        sdp: &str,
    ) -> String {
        let Self { id, branch, via } = self;
        let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{start}\r\n{via}Via: SIP/2.0/UDP 10.0.0.1:5060;branch={branch}{method}{cseq}\r\n\
             From: <sip:{from}@example.com>;tag={from_tag}\r\nTo: <sip:{to}@example.com>{to_tag}\r\n\
             Call-ID: {id}\r\nCSeq: {cseq} {method}\r\nMax-Forwards: 70\r\n{kind}Content-Length: {}\r\n\r\n{sdp}",
            sdp.len()
        )
    }
}

/// An ordinary beginning: INVITE, 180, 200, ACK.
pub(crate) fn set_up(talk: &mut Talk, call: &Call) {
    let (offer, answer) = (sdp(CALLER_RTP, "0 8", ""), sdp(CALLEE_RTP, "0", ""));
    talk.sip(CALLER, CALLEE, &call.request("INVITE", 1, false, &offer))
        .sip(CALLEE, CALLER, &call.response("180 Ringing", 1, "INVITE", ""))
        .sip(CALLEE, CALLER, &call.response("200 OK", 1, "INVITE", &answer))
        .sip(CALLER, CALLEE, &call.request("ACK", 1, true, ""));
}

/// An ordinary end.
pub(crate) fn hang_up(talk: &mut Talk, call: &Call) {
    talk.sip(CALLER, CALLEE, &call.request("BYE", 9, true, "")).sip(
        CALLEE,
        CALLER,
        &call.response("200 OK", 9, "BYE", ""),
    );
}

/// What happened, in words; packets as how many came in a row from whom.
pub(crate) fn story(recording: &Recording) -> Vec<String> {
    let mut story: Vec<String> = Vec::new();
    let mut counts = [0u32; 2];
    let flush = |story: &mut Vec<String>, counts: &mut [u32; 2]| {
        if *counts != [0, 0] {
            story.push(format!("{} from trunk, {} from pbx", counts[0], counts[1]));
        }
        *counts = [0, 0];
    };
    for (_, happening) in recording.replay() {
        if let Happening::Packet { side, .. } = happening {
            counts[usize::from(side == Side::Pbx)] += 1;
            continue;
        }
        flush(&mut story, &mut counts);
        story.push(match happening {
            Happening::Plan { plan, .. } => {
                let end = |end: &sidetone_call::EndPlan| {
                    let formats: Vec<_> = end.formats.iter().map(|f| f.encoding.as_str()).collect();
                    formats.join("+")
                };
                format!("plan trunk {} pbx {}", end(&plan.trunk), end(&plan.pbx))
            }
            Happening::Ringing => "ringing".into(),
            Happening::Answered => "answered".into(),
            Happening::Held(side) => format!("held by {}", side.as_str()),
            Happening::Resumed(side) => format!("resumed by {}", side.as_str()),
            Happening::Untappable { reason, .. } => format!("untappable: {reason}"),
            Happening::Ended { by, status, cause } => {
                let by = by.map_or("nobody", Side::as_str);
                let status = status.map_or(String::new(), |status| format!(" {status}"));
                format!("ended by {by}: {}{status}", cause.as_str())
            }
            Happening::Packet { .. } => continue,
        });
    }
    flush(&mut story, &mut counts);
    story
}
