//! A call whose media has fallen silent: both parties are asked, and it ends only if one of them has it no longer.

use std::time::Duration;

use serde_json::{Value, json};
use sidetone_scenarios::GUARD;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::sidetone::{Setup, Sidetone, of_kind};
use sidetone_scenarios::sip::Raw;
use sidetone_scenarios::trace::Seen;

/// A party that is silent without a word is waited for by timer F (RFC 3261 §17.1.2.2): 32 s.
pub(crate) const SILENT_PARTY: Duration = Duration::from_secs(60);

pub(crate) fn start(net: &Net) -> Sidetone {
    let mut setup = Setup::usual(net);
    setup.media.push_str("timeout = \"2s\"\n");
    Sidetone::start(net, &setup)
}

fn body(at: &Raw) -> String {
    let ip = at.at().ip();
    let sdp = format!(
        "v=0\r\no=raw 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
    );
    format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len())
}

/// A call of the carrier's, as far as its caller knows it.
pub(crate) struct Caller {
    pub(crate) raw: Raw,
    /// The callee's Contact, its To with a tag, and the way there.
    target: String,
    to: String,
    routes: String,
}

impl Caller {
    /// Calls and takes the answer, which `callee` gives when it is not a PBX of its own.
    pub(crate) fn call(raw: Raw, uri: &str, callee: Option<&Raw>) -> Self {
        let contact = raw.at().to_string();
        Self::call_naming(raw, uri, &contact, callee)
    }

    /// The same, with another host in its Contact than its own.
    fn call_naming(raw: Raw, uri: &str, contact: &str, callee: Option<&Raw>) -> Self {
        let own = format!("Contact: <sip:raw@{}>", raw.at());
        let invite = raw.request("INVITE", uri, "silent", "");
        let invite = invite.replace(&own, &format!("Contact: <sip:raw@{contact}>"));
        raw.send(invite.replace("Content-Length: 0\r\n\r\n", &body(&raw)).as_bytes());
        if let Some(callee) = callee {
            accept(callee, &callee.request_within(GUARD).expect("the INVITE"));
        }
        let ok = loop {
            let seen = raw.response();
            if seen.status().is_some_and(|status| status >= 200) {
                break seen;
            }
        };
        assert_eq!(ok.status(), Some(200), "{}", ok.start_line());
        let contact = ok.header("Contact").unwrap();
        let target = contact.trim_start_matches('<').split('>').next().unwrap().to_owned();
        let routes =
            ok.headers("Record-Route").iter().rev().map(|route| format!("Route: {route}\r\n")).collect();
        let to = ok.header("To").unwrap();
        let caller = Self { raw, target, to, routes };
        caller.send("ACK", 1);
        if let Some(callee) = callee {
            assert!(callee.request_within(GUARD).expect("the ACK").start_line().starts_with("ACK "));
        }
        caller
    }

    /// Sends a request in the dialog.
    fn send(&self, method: &str, number: u32) {
        let request = self.raw.request(method, &self.target, "silent", &self.routes);
        self.raw.send(
            request
                .replace(&format!("To: <{}>", self.target), &format!("To: {}", self.to))
                .replace("branch=z9hG4bKsilent", &format!("branch=z9hG4bKsilent{method}{number}"))
                .replace("CSeq: 1 ", &format!("CSeq: {number} "))
                .as_bytes(),
        );
    }

    /// Hangs up, which must be understood at the other end.
    pub(crate) fn hang_up(&self, number: u32, callee: Option<&Raw>) {
        self.send("BYE", number);
        if let Some(callee) = callee {
            let bye = wait_for(callee, "BYE ", GUARD);
            callee.answer(&bye, "200 OK");
        }
        assert_eq!(self.raw.response().status(), Some(200), "BYE is answered");
    }
}

/// 200 with an answer.
fn accept(party: &Raw, invite: &Seen) {
    let kept: String = ["Via", "Record-Route", "From", "Call-ID", "CSeq"]
        .iter()
        .flat_map(|name| invite.headers(name).into_iter().map(move |value| format!("{name}: {value}\r\n")))
        .collect();
    let (to, contact) = (invite.header("To").unwrap(), party.at());
    let head = format!("SIP/2.0 200 OK\r\n{kept}To: {to};tag=agent\r\nContact: <sip:raw@{contact}>\r\n");
    party.send(format!("{head}{}", body(party)).as_bytes());
}

/// Answers every OPTIONS with 200 until the party gets another request, which it returns.
pub(crate) fn wait_for(party: &Raw, start: &str, patience: Duration) -> Seen {
    loop {
        let request = party.request_within(patience).unwrap_or_else(|| panic!("no {start}"));
        if request.start_line().starts_with(start) {
            return request;
        }
        assert!(request.start_line().starts_with("OPTIONS "), "{}", request.start_line());
        party.answer(&request, "200 OK");
    }
}

/// The in-dialog OPTIONS that asks a party whether it still has the call; those that ask its host are answered.
pub(crate) fn question(party: &Raw) -> Seen {
    loop {
        let request = wait_for_options(party);
        if request.header("To").is_some_and(|to| to.contains(";tag=")) {
            return request;
        }
        party.answer(&request, "200 OK");
    }
}

fn wait_for_options(party: &Raw) -> Seen {
    let request = party.request_within(GUARD).expect("OPTIONS");
    assert!(request.start_line().starts_with("OPTIONS "), "{}", request.start_line());
    request
}

fn timeouts(events: &[Value]) -> Vec<&Value> {
    let media = of_kind(events, "call.media").into_iter().map(|event| &event["data"]);
    media.filter(|data| data["problem"] == "timeout").map(|data| &data["state"]).collect()
}

pub(crate) fn ended(events: &[Value]) -> &Value {
    &of_kind(events, "call.ended")[0]["data"]["cause"]
}

pub(crate) fn until_kept(sidetone: &Sidetone, times: f64) {
    sidetone_scenarios::until("the call to be kept", || {
        (sidetone.metric("sidetone_silent_sessions_kept_total") >= times).then_some(())
    });
}

#[test]
fn a_live_call_in_which_nobody_sends_goes_on() {
    let net = Net::lease();
    let sidetone = start(&net);
    let pbx = Raw::bind(net.at(host::PBX, 5060), sidetone.sip());
    let raw = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    let caller = Caller::call(raw, "sip:+15550123@sidetone.example", Some(&pbx));
    for round in 1..=2 {
        let at_pbx = question(&pbx);
        assert_eq!(
            at_pbx.header("CSeq").as_deref(),
            Some("1 OPTIONS"),
            "the number of the caller's latest request"
        );
        pbx.answer(&at_pbx, "200 OK");
        let at_carrier = question(&caller.raw);
        // The callee has sent none. A peer that wants numbers to rise says 500, and has the call all the same.
        assert_eq!(at_carrier.header("CSeq").as_deref(), Some("0 OPTIONS"));
        caller.raw.answer(&at_carrier, "500 Server Internal Error");
        until_kept(&sidetone, f64::from(round));
    }
    caller.hang_up(2, Some(&pbx));
    let events = sidetone.finish();
    // Silence that goes on is told once; that the call was asked about, and kept, each time.
    assert_eq!(timeouts(&events)[..3], [&json!("lost"), &json!("kept"), &json!("kept")]);
    assert_eq!(ended(&events), "hangup");
}

#[test]
fn a_party_that_knows_no_such_call_ends_it_toward_the_other() {
    let net = Net::lease();
    let sidetone = start(&net);
    let pbx = Raw::bind(net.at(host::PBX, 5060), sidetone.sip());
    let raw = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    let caller = Caller::call(raw, "sip:+15550123@sidetone.example", Some(&pbx));
    pbx.answer(&question(&pbx), "481 Call/Transaction Does Not Exist");
    let bye = wait_for(&caller.raw, "BYE ", GUARD);
    caller.raw.answer(&bye, "200 OK");
    let bye = wait_for(&pbx, "BYE ", GUARD);
    assert_eq!(bye.header("CSeq").as_deref(), Some("2 BYE"));
    pbx.answer(&bye, "481 Call/Transaction Does Not Exist");
    let events = sidetone.finish();
    assert_eq!(ended(&events), "media-timeout");
    assert_eq!(timeouts(&events), [&json!("lost")]);
}

/// Our own requests obey the rule that its peer's in the dialog do: neither a third party nor a service on the party's
/// own host is written to, whatever its Contact says.
#[test]
fn a_party_that_names_another_s_address_is_asked_where_it_spoke_from() {
    for (host, port, transport) in [
        (host::ELSEWHERE, 5060, ""),
        (host::PBX, 5060, ""),
        (host::TRUNK, 69, ""),
        (host::TRUNK, 22, ";transport=tcp"),
    ] {
        let net = Net::lease();
        let mut setup = super::relay::setup(&net);
        setup.media.push_str("timeout = \"2s\"\n");
        let sidetone = Sidetone::start(&net, &setup);
        let at = |host| Raw::bind(net.at(host, 5060), sidetone.sip());
        let (pbx, raw, second) = (at(host::PBX), at(host::TRUNK), at(host::ELSEWHERE));
        let contact = format!("{}{transport}", net.at(host, port));
        let caller = Caller::call_naming(raw, "sip:+15550123@sidetone.example", &contact, Some(&pbx));
        pbx.answer(&question(&pbx), "200 OK");
        let asked = question(&caller.raw);
        assert!(asked.start_line().contains(&contact), "{}", asked.start_line());
        caller.raw.answer(&asked, "481 Call/Transaction Does Not Exist");
        for party in [&caller.raw, &pbx] {
            party.answer(&wait_for(party, "BYE ", GUARD), "200 OK");
        }
        assert_eq!(second.request_within(Duration::from_millis(200)), None, "{contact}");
        assert_eq!(ended(&sidetone.finish()), "media-timeout");
    }
}

/// Its host is silent too: the call is ended toward the carrier, whose channel would else stay up.
#[test]
fn a_pbx_killed_in_mid_call_ends_the_call_toward_the_carrier() {
    let net = Net::lease();
    let sidetone = start(&net);
    let pbx = Raw::bind(net.at(host::PBX, 5060), sidetone.sip());
    let raw = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    let caller = Caller::call(raw, "sip:+15550123@sidetone.example", Some(&pbx));
    drop(pbx);
    let bye = wait_for(&caller.raw, "BYE ", SILENT_PARTY);
    caller.raw.answer(&bye, "200 OK");
    let events = sidetone.finish();
    assert_eq!(ended(&events), "media-timeout");
}

/// Their media goes with the process, so parties that are not told would sit in a call without sound.
#[test]
fn calls_that_outlast_the_drain_are_ended_toward_both_parties() {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    setup.more = "[limits]\ndrain = \"1s\"\n".to_owned();
    let mut sidetone = Sidetone::start(&net, &setup);
    let pbx = Raw::bind(net.at(host::PBX, 5060), sidetone.sip());
    let raw = Raw::bind(net.at(host::TRUNK, 5060), sidetone.sip());
    let caller = Caller::call(raw, "sip:+15550123@sidetone.example", Some(&pbx));
    sidetone.process().signal("TERM");
    for party in [&caller.raw, &pbx] {
        let bye = party.request_within(GUARD).expect("the BYE");
        assert!(bye.start_line().starts_with("BYE "), "{}", bye.start_line());
        party.answer(&bye, "200 OK");
    }
    assert!(sidetone.process().wait().success());
    assert_eq!(ended(&sidetone.events()), "terminated");
}
