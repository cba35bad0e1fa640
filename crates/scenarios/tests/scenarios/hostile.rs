//! Whatever arrives, Sidetone goes on: no panic, no stuck call, no leaked port, and the next call is a good one.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::time::Duration;

use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{SESSIONS, Setup, Sidetone};
use sidetone_scenarios::sip::Raw;
use sidetone_scenarios::sipp::Plan;
use sidetone_scenarios::{rtp, until};

/// A good call through a Sidetone that has just been maltreated from the carrier's side, and nothing left over after
/// it. Whatever of the assault was good enough to be passed on to the PBX is refused there.
fn a_good_call(net: Net, sidetone: Sidetone) {
    refuse_all(&net, &sidetone);
    // From the PBX, and from another port: what Sidetone still repeats toward the PBX is none of this call's business.
    let mut uac = Plan::new("basic", "uac", net.at(host::PBX, 5070));
    uac.remote = Some(sidetone.sip());
    let uas = Plan::new("basic", "uas", net.at(host::TRUNK, 5060));
    let mut call = Call::through(net, sidetone, uac, uas);
    call.answered();
    call.talk("after the assault");
    call.caller.open_gate();
    call.finish(6);
}

/// Refuses, as the PBX, whatever has come through, until no call is left.
fn refuse_all(net: &Net, sidetone: &Sidetone) {
    let asker = Raw::bind(net.at(host::TRUNK, 5098), sidetone.sip());
    let own = format!("sip:{}", sidetone.sip());
    let mut asked = 0;
    until("an answer, which shows that all that came before has been read", || {
        asked += 1;
        asker.send(asker.request("OPTIONS", &own, &format!("asked{asked}"), "").as_bytes());
        asker.receive_within(Duration::from_millis(200))
    });
    let pbx = Raw::bind(net.at(host::PBX, 5060), sidetone.sip());
    // INVITEs are repeated after half a second, one, two and four more (RFC 3261 §17.1.1.2).
    until("the end of all calls", || {
        while let Some(request) = pbx.request_within(Duration::from_millis(20)) {
            if !request.start_line().starts_with("ACK ") {
                pbx.answer(&request, "486 Busy Here");
            }
        }
        (sidetone.metric(SESSIONS) == 0.0).then_some(())
    });
}

/// Bytes that look random and are the same each time (SplitMix64).
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    (0..length)
        .map(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)).to_le_bytes()[0]
        })
        .collect()
}

#[test]
fn datagrams_that_are_no_sip() {
    let net = Net::lease();
    let sidetone = Sidetone::usual(&net);
    let raw = Raw::bind(net.at(host::TRUNK, 5090), sidetone.sip());
    let good = raw.request("INVITE", "sip:+15550123@sidetone.example", "cut", "");
    for length in 0..good.len() {
        raw.send(&good.as_bytes()[..length]);
    }
    for seed in 0..200 {
        raw.send(&noise(seed, 1 + seed as usize * 7));
    }
    raw.send(&noise(1, 65_000));
    raw.send(&vec![b'\r'; 60_000]);
    raw.send(&vec![b'A'; 60_000]);
    let mut flipped = good.clone().into_bytes();
    for index in 0..flipped.len() {
        flipped[index] ^= 0x80;
        raw.send(&flipped);
        flipped[index] ^= 0x80;
    }
    a_good_call(net, sidetone);
}

#[test]
fn requests_with_too_much_of_everything() {
    let net = Net::lease();
    let sidetone = Sidetone::usual(&net);
    let raw = Raw::bind(net.at(host::TRUNK, 5090), sidetone.sip());
    let uri = "sip:+15550123@sidetone.example";
    for (id, more) in [
        ("many-headers", "X: y\r\n".repeat(9_000)),
        ("many-vias", "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\n".repeat(1_000)),
        ("many-routes", "Route: <sip:192.0.2.1;lr>\r\n".repeat(1_500)),
        ("long-line", format!("X: {}\r\n", "y".repeat(60_000))),
        ("deep-folding", format!("X: a\r\n{}\r\n", " b\r\n".repeat(9_000).trim_end())),
        ("length-beyond", "Content-Length: 999999\r\n".to_owned()),
        ("length-negative", "Content-Length: -1\r\n".to_owned()),
        ("length-huge", "Content-Length: 99999999999999999999999999\r\n".to_owned()),
        ("length-twice", "Content-Length: 0\r\nContent-Length: 5\r\n".to_owned()),
    ] {
        raw.send(raw.request("INVITE", uri, id, &more).as_bytes());
        raw.send(raw.request("MESSAGE", uri, &format!("{id}-m"), &more).as_bytes());
    }
    for sdp in [
        "v=0\r\nm=audio 99999999 RTP/AVP 0\r\n",
        "m=audio 1 RTP/AVP 0\r\nm=",
        "v=0\r\nc=IN IP4 999.1.1.1\r\nm=audio 1 x\r\n",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([format!("v=0\r\n{}", "m=audio 1 RTP/AVP 0\r\n".repeat(2_000))])
    {
        let more = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n", sdp.len());
        raw.send(
            format!("{}{sdp}", raw.request("INVITE", uri, &format!("sdp{}", sdp.len()), &more)).as_bytes(),
        );
    }
    a_good_call(net, sidetone);
}

#[test]
fn byte_streams_that_are_no_sip() {
    let net = Net::lease();
    let sidetone = Sidetone::usual(&net);
    let raw = Raw::bind(net.at(host::TRUNK, 5090), sidetone.sip());
    let good = raw.request("OPTIONS", "sip:sidetone.example", "stream", "");
    let assaults: Vec<Vec<u8>> = vec![
        noise(3, 100_000),
        vec![b'A'; 1_000_000],
        good.replace("Content-Length: 0", "Content-Length: 4000000000").into_bytes(),
        good.replace("Content-Length: 0\r\n", "").into_bytes(),
        good.replace("Content-Length: 0", "Content-Length: nonsense").into_bytes(),
        "\r\n".repeat(100_000).into_bytes(),
        good.as_bytes()[..good.len() / 2].to_vec(),
        format!("OPTIONS sip:x SIP/2.0\r\n{}", "X: y\r\n".repeat(200_000)).into_bytes(),
    ];
    for assault in &assaults {
        let mut stream = TcpStream::connect(sidetone.sip()).unwrap();
        // Sidetone may hang up at any point; that is its good right.
        let _ = stream.write_all(assault);
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
        let _ = stream.read(&mut [0; 1024]);
    }
    // Connections that say nothing.
    let idle: Vec<TcpStream> = (0..50).map(|_| TcpStream::connect(sidetone.sip()).unwrap()).collect();
    a_good_call(net, sidetone);
    drop(idle);
}

/// RFC 3261 §18.3 and RFC 5626 §3.5.1: several requests in one segment, one in several, and pings between them.
#[test]
fn pipelined_and_torn_requests_are_all_answered() {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    // The kernel's choice of source address for a connection to loopback.
    setup.allow_trunk.push("127.0.0.1".to_owned());
    let sidetone = Sidetone::start(&net, &setup);
    let mut stream = TcpStream::connect(sidetone.sip()).unwrap();
    stream.set_read_timeout(Some(sidetone_scenarios::GUARD)).unwrap();
    let own = net.at(host::SIDETONE, 5060);
    let options = |id: &str| {
        format!(
            "OPTIONS sip:{own} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK{id}\r\nFrom: <sip:a@x>;tag={id}\r\n\
             To: <sip:{own}>\r\nCall-ID: {id}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
    };
    let all = format!("{}\r\n\r\n{}\r\n{}", options("one"), options("two"), options("three"));
    let (first, second) = all.split_at(options("one").len() + 90);
    stream.write_all(first.as_bytes()).unwrap();
    stream.flush().unwrap();
    std::thread::sleep(Duration::from_millis(20));
    stream.write_all(second.as_bytes()).unwrap();
    let mut answers = String::new();
    let mut buffer = [0; 4096];
    // A Via reads "SIP/2.0/TCP", so only status lines count.
    while answers.matches("SIP/2.0 200 ").count() < 3 {
        let length = stream.read(&mut buffer).unwrap();
        assert!(length > 0, "Sidetone hung up after:\n{answers}");
        answers.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    for id in ["one", "two", "three"] {
        assert!(answers.contains(&format!("Call-ID: {id}\r\n")), "{answers}");
    }
    assert!(answers.contains("\r\n\r\n\r\n"), "the ping is answered with a pong:\n{answers}");
    sidetone.finish();
}

#[test]
fn stray_media_goes_nowhere() {
    let net = Net::lease();
    let sidetone = Sidetone::usual(&net);
    let stray = UdpSocket::bind(net.at(host::STRANGER, 0)).unwrap();
    for port in 30_000..30_050 {
        let _ = stray.send_to(&rtp::build(0, false, 1, 2, 3, &[0xff; 160]), net.at(host::SIDETONE, port));
        let _ = stray.send_to(&rtp::sender_report(9), net.at(host::SIDETONE, port));
        let _ = stray.send_to(&noise(u64::from(port), 700), net.at(host::SIDETONE, port));
    }
    a_good_call(net, sidetone);
}

/// A third party that finds out the ports can neither speak into the call nor draw its audio to itself.
#[test]
fn a_third_party_can_not_take_over_a_call() {
    let mut call = Call::start("basic");
    call.answered();
    call.talk("before the attack");
    let attacker = UdpSocket::bind(call.net.at(host::STRANGER, 40_000)).unwrap();
    attacker.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    for port in [call.caller_media.target(), call.callee_media.target()] {
        for n in 0..200_u16 {
            attacker.send_to(&rtp::build(0, n == 0, n, u32::from(n) * 160, 0xbad, &[0; 160]), port).unwrap();
        }
    }
    call.talk("during the attack");
    assert!(attacker.recv_from(&mut [0; 2048]).is_err(), "the attacker hears nothing");
    call.caller.open_gate();
    call.finish(6);
}

/// More INVITEs than are allowed: the surplus is refused, and every trace of the flood goes away.
#[test]
fn a_flood_of_invites() {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    setup.more = "[limits]\ncalls = 20\ncalls_per_second = 20\n".to_owned();
    let sidetone = Sidetone::start(&net, &setup);
    let raw = Raw::bind(net.at(host::TRUNK, 5090), sidetone.sip());
    // As a real caller does, this one repeats what is not answered: a socket's buffer has an end.
    let mut unanswered: BTreeSet<String> = (0..500).map(|n| format!("flood{n}")).collect();
    until("400 of 500 to be refused", || {
        for id in &unanswered {
            raw.send(raw.request("INVITE", "sip:+15550123@sidetone.example", id, "").as_bytes());
        }
        while let Some(seen) = raw.receive_within(Duration::from_millis(100)) {
            if seen.status() == Some(503) {
                unanswered.remove(seen.header("Call-ID").unwrap().trim_end_matches("@raw"));
            }
        }
        (unanswered.len() < 100).then_some(())
    });
    refuse_all(&net, &sidetone);
    sidetone.finish();
}
