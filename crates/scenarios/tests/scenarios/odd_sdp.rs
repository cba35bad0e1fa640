//! An offer that is odd gets a final answer, or is carried: whatever its SDP says, no caller waits in vain.

use sidetone_scenarios::GUARD;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::Sidetone;
use sidetone_scenarios::sip::Raw;

#[derive(Debug, PartialEq, Eq)]
enum Met {
    /// At the PBX, which refuses it; the caller is told so.
    Carried,
    /// By Sidetone, with that status.
    Refused(u16),
}

/// Sends an INVITE with that body, and says what becomes of it. The caller always gets a final response.
fn invite(carrier: &Raw, pbx: &Raw, id: &str, sdp: &str) -> Met {
    let head = carrier.request("INVITE", "sip:+15550123@sidetone.example", id, "");
    let described = format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len());
    let invite = head.replace("Content-Length: 0\r\n\r\n", &described);
    carrier.send(invite.as_bytes());
    let mut carried = false;
    let start = std::time::Instant::now();
    let last = loop {
        assert!(start.elapsed() < GUARD, "no final response for {id}");
        let wait = std::time::Duration::from_millis(20);
        if let Some(request) =
            pbx.request_within(wait).filter(|request| request.start_line().starts_with("INVITE "))
        {
            carried = true;
            pbx.answer(&request, "486 Busy Here");
        }
        let Some(seen) = carrier.receive_within(wait) else { continue };
        if seen.header("Call-ID").is_some_and(|call| call == format!("{id}@raw"))
            && seen.status().is_some_and(|status| status >= 200)
        {
            break seen;
        }
    };
    let to = last.header("To").unwrap();
    let ack = carrier
        .request("ACK", "sip:+15550123@sidetone.example", id, "")
        .replace("To: <sip:+15550123@sidetone.example>", &format!("To: {to}"));
    carrier.send(ack.as_bytes());
    let status = last.status().unwrap();
    assert_eq!(carried, status == 486, "{id}: {status}");
    if carried { Met::Carried } else { Met::Refused(status) }
}

#[test]
fn every_odd_offer_is_answered_or_carried() {
    let net = Net::lease();
    let sidetone = Sidetone::usual(&net);
    let carrier = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    let pbx = Raw::bind(net.at(host::PBX, 5060), sidetone.sip());
    let ip = net.v4(host::TRUNK);
    let head = format!("v=0\r\no=raw 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n");
    let audio = "m=audio 40000 RTP/AVP 0\r\n";
    let with = |more: &str| format!("{head}{more}");
    let aimed = |at: &str| with(audio).replace(&format!("c=IN IP4 {ip}"), &format!("c=IN {at}"));
    let cases = [
        ("plain", with(audio), Met::Carried),
        ("port-70000", with("m=audio 70000 RTP/AVP 0\r\n"), Met::Refused(400)),
        ("port-70000-beside", with(&format!("{audio}m=audio 70000 RTP/AVP 0\r\n")), Met::Carried),
        ("port-65535", with("m=audio 65535 RTP/AVP 0\r\n"), Met::Carried),
        ("many-ports", with("m=audio 6000/65535 RTP/AVP 0\r\n"), Met::Carried),
        ("turned-down-20", with(&(audio.to_owned() + &"m=video 0 RTP/AVP 96\r\n".repeat(19))), Met::Carried),
        ("wanted-20", with(&audio.repeat(20)), Met::Refused(488)),
        (
            "turned-down-2000",
            with(&(audio.to_owned() + &"m=video 0 RTP/AVP 96\r\n".repeat(2_000))),
            Met::Refused(488),
        ),
        ("no-m-line", with(""), Met::Carried),
        ("no-format", with("m=audio 40000 RTP/AVP\r\n"), Met::Carried),
        (
            "odd-rtpmap",
            with(&format!("{audio}a=rtpmap:0\r\na=rtpmap:x PCMU\r\na=rtpmap:300 A/0/0\r\n")),
            Met::Carried,
        ),
        ("odd-crypto", with("m=audio 40000 RTP/SAVP 0\r\na=crypto:\r\na=setup:\r\n"), Met::Carried),
        (
            "ourselves",
            aimed(&format!("IP4 {}", sidetone.sip().ip())).replace("40000", "5060"),
            Met::Refused(488),
        ),
        ("multicast", aimed("IP4 239.1.1.1/32"), Met::Refused(488)),
        ("nowhere", aimed("IP4 0.0.0.0"), Met::Carried),
    ];
    for (id, sdp, met) in cases {
        assert_eq!(invite(&carrier, &pbx, id, &sdp), met, "{id}");
    }
    sidetone.finish();
}
