//! How many calls a second of one CPU carries through the bare proxy core: INVITE, 100, 180, 200, ACK, BYE, 200.
//!
//! `cargo run --release -p sidetone-sip --example proxy_throughput [calls]`
//!
//! The peers' messages are made beforehand from templates; what is timed is what the core does with their bytes, the
//! routing decision (constant) and the timers included, the making of the peers' messages not. Sockets cost extra.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::time::Duration;

use bytes::Bytes;
use sidetone_call::Side;
use sidetone_sip::proxy::{Decision, Destination, Listener, NoFilter, Output, Proxy, Settings, Target};
use sidetone_sip::{Flow, Transport};

const US: &str = "192.0.2.1:5060";
const CARRIER: &str = "198.51.100.10:5060";
const PBX: &str = "203.0.113.20:5060";
/// Virtual time between calls: 2,000 calls a second, so that 64,000 linger in their 32 seconds of timer L and M.
const BETWEEN: Duration = Duration::from_micros(500);

const SDP: &str = "v=0\r\no=- 3724394400 3724394405 IN IP4 198.51.100.10\r\ns=-\r\nc=IN IP4 198.51.100.10\r\nt=0 0\r\n\
    m=audio 40376 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\na=ptime:20\r\n";

/// Calls go through each stage together, so that clocks are read seldom and caches are as cold as in life.
const BATCH: u64 = 1000;

struct Bench {
    proxy: Proxy<NoFilter>,
    now: Duration,
    busy: Duration,
}

fn flow(remote: &str) -> Flow {
    Flow { transport: Transport::Udp, local: US.parse().unwrap(), remote: remote.parse().unwrap() }
}

/// CPU time of this thread (nanoseconds, first field), so that other processes don't count.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

impl Bench {
    /// Has the core receive these, and gives what it sends to `peer`, beginning with `start`.
    fn stage(&mut self, from: &str, messages: Vec<Vec<u8>>, peer: &str, start: &[u8]) -> Vec<String> {
        let (from, peer) = (flow(from), flow(peer).remote);
        let messages: Vec<Bytes> = messages.into_iter().map(Bytes::from).collect();
        let pbx = Target::from(Destination::from(flow(PBX)));
        let mut sent = Vec::with_capacity(2 * messages.len());
        let started = cpu();
        for message in messages {
            self.proxy.receive(self.now, &from, message);
            while let Some(output) = self.proxy.poll() {
                match output {
                    Output::Send { bytes, to, .. } => sent.push((to, bytes)),
                    Output::Route(query) => {
                        let decision = Decision::Forward { from: Side::Trunk, targets: vec![pbx.clone()] };
                        self.proxy.decide(self.now, query.key, decision);
                    }
                    Output::Probed { .. } | Output::Answered { .. } | Output::Undelivered { .. } => {}
                }
            }
        }
        self.busy += cpu() - started;
        let wanted = sent.iter().filter(|(to, bytes)| to.remote == peer && bytes.starts_with(start));
        wanted.map(|(_, bytes)| String::from_utf8(bytes.to_vec()).unwrap()).collect()
    }

    /// A batch of calls, numbered from `first`.
    fn calls(&mut self, first: u64) {
        let head = |n: u64, method: &str, uri: &str, to_tag: &str, more: &str, body: &str| {
            let cseq = if method == "BYE" { 2 } else { 1 };
            format!(
                "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {CARRIER};rport;branch=z9hG4bKPj{method}{n:032x}\r\n\
                 Max-Forwards: 70\r\nFrom: \"Alice\" <sip:+15550100@carrier.example>;tag=a{n:016x}\r\n\
                 To: <sip:+15550199@sidetone.example>{to_tag}\r\nContact: <sip:+15550100@{CARRIER}>\r\n\
                 Call-ID: {n:016x}-0a1b2c3d@198.51.100.10\r\nCSeq: {cseq} {method}\r\n{more}\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes()
        };
        let more = "Allow: PRACK, INVITE, ACK, BYE, CANCEL, UPDATE, INFO, SUBSCRIBE, NOTIFY, REFER, MESSAGE, OPTIONS\r\n\
                    Supported: replaces, 100rel, timer, norefersub\r\nSession-Expires: 1800\r\nMin-SE: 90\r\n\
                    User-Agent: Example SBC 1.0\r\nContent-Type: application/sdp\r\n";
        let numbers = || first..first + BATCH;
        let all = |sent: &[String], status: &str, body: &str| -> Vec<_> {
            sent.iter().map(|request| answer(request, status, body)).collect()
        };
        let done = |sent: Vec<String>| assert_eq!(sent.len() as u64, BATCH);
        let uri = "sip:+15550199@sidetone.example";
        let invites = numbers().map(|n| head(n, "INVITE", uri, "", more, SDP)).collect();
        let invites = self.stage(CARRIER, invites, PBX, b"INVITE");
        self.stage(PBX, all(&invites, "100 Trying", ""), CARRIER, b"");
        done(self.stage(PBX, all(&invites, "180 Ringing", ""), CARRIER, b"SIP/2.0 180"));
        done(self.stage(PBX, all(&invites, "200 OK", SDP), CARRIER, b"SIP/2.0 200"));
        let (contact, route) = (format!("sip:bob@{PBX}"), "Route: <sip:192.0.2.1:5060;lr>\r\n");
        let in_dialog = |method| numbers().map(|n| head(n, method, &contact, ";tag=b", route, "")).collect();
        done(self.stage(CARRIER, in_dialog("ACK"), PBX, b"ACK"));
        let byes = self.stage(CARRIER, in_dialog("BYE"), PBX, b"BYE");
        done(self.stage(PBX, all(&byes, "200 OK", ""), CARRIER, b"SIP/2.0 200"));
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        let started = cpu();
        self.proxy.timeout(self.now);
        while self.proxy.poll().is_some() {}
        self.busy += cpu() - started;
    }
}

fn answer(request: &str, status: &str, body: &str) -> Vec<u8> {
    let mut out = format!("SIP/2.0 {status}\r\n");
    for line in request.split_inclusive("\r\n") {
        let kept = ["Via:", "Record-Route:", "From:", "Call-ID:", "CSeq:"];
        if kept.iter().any(|name| line.starts_with(name)) {
            out += line;
        } else if let Some(to) = line.strip_prefix("To: ") {
            let to = to.trim_end();
            out +=
                &if to.contains(";tag=") { format!("To: {to}\r\n") } else { format!("To: {to};tag=b\r\n") };
        }
    }
    out += &format!(
        "Contact: <sip:bob@{PBX}>\r\nServer: Example PBX 1.0\r\nAllow: INVITE, ACK, BYE, CANCEL\r\n"
    );
    if !body.is_empty() {
        out += "Content-Type: application/sdp\r\n";
    }
    out += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    out.into_bytes()
}

fn main() {
    let calls: u64 = std::env::args().nth(1).map_or(100_000, |n| n.parse().expect("a number of calls"));
    let settings = Settings {
        max_transactions: 10_000_000,
        ..Settings::new(vec![Listener::bound(Transport::Udp, US.parse().unwrap())])
    };
    let mut bench =
        Bench { proxy: Proxy::new(settings, NoFilter, 1), now: Duration::ZERO, busy: Duration::ZERO };
    let mut most = 0;
    for batch in 0..calls.div_ceil(BATCH) {
        bench.calls(batch * BATCH);
        most = most.max(bench.proxy.transactions());
        bench.pass(BETWEEN * 1000);
    }
    bench.pass(Duration::from_secs(600));
    assert_eq!(bench.proxy.transactions(), 0);
    let calls = calls.div_ceil(BATCH) * BATCH;
    let seconds = bench.busy.as_secs_f64();
    println!(
        "{calls} calls in {seconds:.3} s: {:.0} calls per CPU-second, {:.1} us a call, at most {most} transactions",
        calls as f64 / seconds,
        seconds * 1e6 / calls as f64,
    );
}
