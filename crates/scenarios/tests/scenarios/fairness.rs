//! One peer, or one slow reader, leaves the others what they need: calls, connections, the health page, signalling
//! itself.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{SESSIONS, Setup, Sidetone, binary};
use sidetone_scenarios::sip::Raw;
use sidetone_scenarios::until;

const URI: &str = "sip:+15550123@sidetone.example";

/// A trunk whose calls ring and ring has three quarters of the room at most: an agent can still call.
#[test]
fn ringing_calls_of_a_trunk_leave_room_for_the_pbx() {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    setup.more = "[limits]\ncalls = 8\ncalls_per_second = 100\n".to_owned();
    let sidetone = Sidetone::start(&net, &setup);
    let trunk = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    let pbx = Raw::bind(net.at(host::PBX, 5060), sidetone.sip());
    for n in 0..8 {
        trunk.send(trunk.request("INVITE", URI, &format!("ring{n}"), "").as_bytes());
    }
    for _ in 0..2 {
        let refused = trunk.response();
        assert_eq!(refused.status(), Some(503), "{}", refused.start_line());
        assert!(refused.header("Retry-After").is_some());
        assert!(refused.start_line().contains("Share"), "{}", refused.start_line());
    }
    until("six calls", || {
        while let Some(request) = pbx.request_within(Duration::from_millis(20)) {
            if request.start_line().starts_with("INVITE ") {
                pbx.answer(&request, "180 Ringing");
            }
        }
        (sidetone.metric(SESSIONS) == 6.0).then_some(())
    });
    pbx.send(pbx.request("INVITE", URI, "agent", "").as_bytes());
    let through = until("the agent's call at the carrier", || {
        trunk
            .request_within(Duration::from_millis(50))
            .filter(|request| request.header("Call-ID").as_deref() == Some("agent@raw"))
    });
    assert!(through.start_line().starts_with("INVITE "));
}

/// An emergency call from a desk is not counted against anybody's share, and its URN is no reason to refuse it.
#[test]
fn an_emergency_call_passes_however_many_calls_are_up() {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    setup.more = "[limits]\ncalls = 1\ncalls_per_second = 100\n".to_owned();
    let sidetone = Sidetone::start(&net, &setup);
    let trunk = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    let pbx = Raw::bind(net.at(host::PBX, 5060), sidetone.sip());
    trunk.send(trunk.request("INVITE", URI, "first", "").as_bytes());
    let first = pbx.request_within(sidetone_scenarios::GUARD).expect("the first call");
    pbx.answer(&first, "180 Ringing");
    pbx.send(pbx.request("INVITE", "urn:service:sos.fire", "help", "").as_bytes());
    let through =
        until("the emergency call at the carrier", || trunk.request_within(Duration::from_millis(50)));
    assert!(through.start_line().starts_with("INVITE urn:service:sos.fire "), "{}", through.start_line());
}

/// They have a reserve of their own, and no more: whoever rings ten neither shuts others out nor is let by without end.
#[test]
fn emergency_calls_take_no_room_from_others() {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    setup.more = "[limits]\ncalls = 4\ncalls_per_second = 100\n".to_owned();
    let sidetone = Sidetone::start(&net, &setup);
    let trunk = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    let pbx = Raw::bind(net.at(host::PBX, 5060), sidetone.sip());
    for n in 0..10 {
        pbx.send(pbx.request("INVITE", "urn:service:sos", &format!("help{n}"), "").as_bytes());
    }
    // Three are the PBX's share of four ordinary calls, three its share of a reserve of four.
    until("six calls", || {
        while let Some(request) = trunk.request_within(Duration::from_millis(20)) {
            if request.start_line().starts_with("INVITE ") {
                trunk.answer(&request, "180 Ringing");
            }
        }
        (sidetone.metric(SESSIONS) == 6.0).then_some(())
    });
    trunk.send(trunk.request("INVITE", URI, "carrier", "").as_bytes());
    until("the carrier's call at the PBX", || {
        pbx.request_within(Duration::from_millis(50))
            .filter(|request| request.header("Call-ID").as_deref() == Some("carrier@raw"))
    });
    assert_eq!(sidetone.metric(SESSIONS), 7.0);
}

/// Connections that a carrier opens and says nothing on don't shut out the PBX.
#[test]
fn idle_connections_of_a_trunk_leave_room_for_the_pbx() {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    setup.sip = "max_connections = 8\n".to_owned();
    let sidetone = Sidetone::start(&net, &setup);
    let connect = |from: SocketAddr| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&from.into()).unwrap();
        socket.connect(&sidetone.sip().into()).unwrap();
        TcpStream::from(socket)
    };
    let _idle: Vec<TcpStream> = (0..30).map(|_| connect(net.at(host::TRUNK, 0))).collect();
    until("the trunk's share to be full", || {
        (sidetone.metric("sidetone_sip_connections") == 4.0).then_some(())
    });
    let own = net.at(host::SIDETONE, 5060);
    let mut stream = connect(net.at(host::PBX, 0));
    stream.set_read_timeout(Some(sidetone_scenarios::GUARD)).unwrap();
    let options = format!(
        "OPTIONS sip:{own} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKo\r\nFrom: <sip:a@x>;tag=o\r\n\
         To: <sip:{own}>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(options.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"SIP/2.0 200 ");
}

/// Requests that never end must not keep those who watch over the process from asking how it is.
#[test]
fn half_sent_requests_do_not_block_the_health_page() {
    let net = Net::lease();
    let sidetone = Sidetone::usual(&net);
    let http = net.at(host::SIDETONE, 9464);
    let half: Vec<TcpStream> = (0..300)
        .map(|_| {
            let mut stream = TcpStream::connect(http).unwrap();
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: sid").unwrap();
            stream
        })
        .collect();
    for _ in 0..5 {
        assert_eq!(sidetone.get("/healthz").map(|(status, _)| status), Some(200));
    }
    drop(half);
    sidetone.finish();
}

/// Standard error is a pipe that nobody reads: calls are signalled all the same, and the lost lines are counted.
#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    let net = Net::lease();
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("sidetone.toml");
    let own = net.at(host::SIDETONE, 5060);
    let (trunk, pbx) = (net.at(host::TRUNK, 5060), net.at(host::PBX, 5060));
    let text = format!(
        "[sip]\nlisten = [\"udp:{own}\"]\n[media]\naddress = \"{}\"\nports = \"30000-30199\"\n\
         [[trunk]]\nname = \"t\"\nhosts = [{{ to = \"sip:{trunk}\" }}]\nallow = [\"{}\"]\n\
         [[pbx]]\nname = \"p\"\nhosts = [{{ to = \"sip:{pbx}\" }}]\nallow = [\"{}\"]\n\
         [health]\noptions_interval = \"0s\"\n[control]\nsocket = {:?}\n[http]\nlisten = \"{}\"\n[log]\nlevel = \"trace\"\n",
        own.ip(),
        trunk.ip(),
        pbx.ip(),
        dir.path().join("control.sock"),
        net.at(host::SIDETONE, 9464),
    );
    std::fs::write(&config, text).unwrap();
    let mut process = Command::new(binary())
        .args(["run".as_ref(), "--config".as_ref(), config.as_os_str()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let get = |path: &str| {
        let mut stream = TcpStream::connect(net.at(host::SIDETONE, 9464)).ok()?;
        stream.set_read_timeout(Some(sidetone_scenarios::GUARD)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: s\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok().map(|_| answer)
    };
    until("Sidetone to be ready", || get("/readyz").filter(|answer| answer.contains("200 OK")));
    // Each request is worth many lines at this level; a pipe holds 64 KiB, the queue two MiB.
    until("lines to be dropped", || {
        for _ in 0..100 {
            get("/healthz").expect("an answer");
        }
        let page = get("/metrics").expect("the metrics");
        let line = page.lines().find(|line| line.starts_with("sidetone_log_lines_dropped_total "))?;
        (!line.ends_with(" 0")).then_some(())
    });
    let (caller, callee) = (Raw::bind(trunk, own), Raw::bind(pbx, own));
    caller.send(caller.request("INVITE", URI, "through", "").as_bytes());
    let invite = callee.request_within(sidetone_scenarios::GUARD).expect("the call at the PBX");
    callee.answer(&invite, "486 Busy Here");
    assert_eq!(caller.response().status(), Some(486));
    process.kill().unwrap();
    process.wait().unwrap();
}
