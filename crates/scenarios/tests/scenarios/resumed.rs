//! Sidetone dies in mid-call and is started anew: a request within the call's dialog makes the call known again, and
//! what can't be known of it is not made up.

use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Setup, Sidetone, of_kind};
use sidetone_scenarios::sip::Raw;
use sidetone_scenarios::trace::Seen;
use sidetone_scenarios::{GUARD, repository};

fn sdp(at: &Raw) -> String {
    let ip = at.at().ip();
    format!("v=0\r\no=raw 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n")
}

pub(crate) fn with_sdp(at: &Raw) -> (String, String) {
    let sdp = sdp(at);
    (format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n", sdp.len()), sdp)
}

/// 200 with an answer, from a party whose tag is `tag`.
pub(crate) fn accept(party: &Raw, invite: &Seen, tag: &str) {
    let kept: String = ["Via", "Record-Route", "From", "Call-ID", "CSeq"]
        .iter()
        .flat_map(|name| invite.headers(name).into_iter().map(move |value| format!("{name}: {value}\r\n")))
        .collect();
    let to = invite.header("To").unwrap();
    let tag = if to.contains(";tag=") { String::new() } else { format!(";tag={tag}") };
    let (more, sdp) = with_sdp(party);
    let contact = party.at();
    party.send(
        format!("SIP/2.0 200 OK\r\n{kept}To: {to}{tag}\r\nContact: <sip:raw@{contact}>\r\n{more}\r\n{sdp}")
            .as_bytes(),
    );
}

/// The routes that a party has learnt: in order for the callee, in reverse for the caller (RFC 3261 §12.1).
pub(crate) fn routes(values: impl Iterator<Item = String>) -> String {
    values.map(|route| format!("Route: {route}\r\n")).collect()
}

#[test]
fn a_call_from_before_a_restart_is_told_as_what_is_known_of_it() {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    // A rule for all calls, which would have the caller told once more in the middle of the call.
    setup.more = "[[consent.rules]]\npolicy = \"notice\"\n".to_owned();
    let kept = tempfile::tempdir().unwrap();
    // Where the dialogs' marks are keyed, the key has to outlive the process.
    let example = std::fs::read_to_string(repository().join("deploy/sidetone.example.toml")).unwrap();
    if example.contains("dialog_key") {
        setup.sip = format!("dialog_key = {:?}\n", kept.path().join("dialog.key"));
    }
    let mut sidetone = Sidetone::start(&net, &setup);
    let carrier = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    let pbx = Raw::bind(net.at(host::PBX, 5060), sidetone.sip());

    let (more, offer) = with_sdp(&carrier);
    let invite = carrier.request("INVITE", "sip:+15550123@sidetone.example", "mid", &more);
    carrier.send(format!("{invite}{offer}").as_bytes());
    let received = pbx.request_within(GUARD).expect("the INVITE at the PBX");
    accept(&pbx, &received, "agent");
    let ok = carrier.response();
    assert_eq!(ok.status(), Some(200), "{}", ok.start_line());
    let by_caller = routes(ok.headers("Record-Route").into_iter().rev());
    let by_callee = routes(received.headers("Record-Route").into_iter());
    let ack = carrier.request("ACK", &format!("sip:raw@{}", pbx.at()), "mid", &by_caller);
    carrier.send(ack.replacen(">\r\nCall-ID", ">;tag=agent\r\nCall-ID", 1).as_bytes());
    assert!(pbx.request_within(GUARD).expect("the ACK").start_line().starts_with("ACK "));

    sidetone.process().kill();
    let sidetone = Sidetone::start(&net, &setup);

    // The agent's side renews the session, as a PBX does by its session timer or after a restart of its own.
    let (more, offer) = with_sdp(&pbx);
    let target = format!("sip:raw@{}", carrier.at());
    let renewal = pbx
        .request("INVITE", &target, "again", &format!("{by_callee}{more}"))
        .replace("Call-ID: again@raw", "Call-ID: mid@raw")
        .replace(
            &format!("From: <sip:raw@{}>;tag=again", pbx.at()),
            "From: <sip:+15550123@sidetone.example>;tag=agent",
        )
        .replace(&format!("To: <{target}>"), &format!("To: <sip:raw@{}>;tag=mid", carrier.at()));
    pbx.send(format!("{renewal}{offer}").as_bytes());
    let renewed = carrier.request_within(GUARD).expect("the re-INVITE at the carrier");
    accept(&carrier, &renewed, "mid");
    assert_eq!(pbx.response().status(), Some(200));

    let call: serde_json::Value =
        serde_json::from_str(sidetone.command(&["calls", "--json"]).lines().next().unwrap()).unwrap();
    assert_eq!(call["direction"], "unknown", "{call:#}");
    assert_eq!((&call["trunk"], &call["pbx"]), (&"carrier".into(), &"pbx".into()), "{call:#}");
    assert_eq!((&call["caller"], &call["callee"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    assert_eq!((&call["policy"], &call["analysed"]), (&"never".into(), &false.into()), "{call:#}");

    let bye = pbx
        .request("BYE", &target, "bye", &by_callee)
        .replace("Call-ID: bye@raw", "Call-ID: mid@raw")
        .replace("CSeq: 1 ", "CSeq: 2 ")
        .replace(
            &format!("From: <sip:raw@{}>;tag=bye", pbx.at()),
            "From: <sip:+15550123@sidetone.example>;tag=agent",
        )
        .replace(&format!("To: <{target}>"), &format!("To: <sip:raw@{}>;tag=mid", carrier.at()));
    pbx.send(bye.as_bytes());
    let bye = loop {
        let request = carrier.request_within(GUARD).expect("the BYE at the carrier");
        if request.start_line().starts_with("BYE ") {
            break request;
        }
    };
    carrier.answer(&bye, "200 OK");
    assert_eq!(pbx.response().status(), Some(200));
    let events = sidetone.finish();
    assert_eq!(of_kind(&events, "call.started")[0]["call"]["direction"], "unknown");
    assert!(of_kind(&events, "announcement").is_empty(), "nobody is told twice");
}
